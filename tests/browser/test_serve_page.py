"""`kfg serve` as a person uses it: photographs dropped and chosen, an answer put right, two tabs."""

import base64

import pytest
from served_run import COLOURS, colour_run, jpeg, served, when  # noqa: F401  a fixture

DROP = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""
PASTE = DROP.replace("DragEvent", "ClipboardEvent").replace('"drop", { dataT', '"paste", { clipboardD').replace(
    "clipboardDransfer: transfer", "clipboardData: transfer"
)  # fmt: skip


@pytest.fixture(scope="module")
def address(colour_run):  # noqa: F811
    from kfg.serving.application import Application

    with served(Application(colour_run)) as client:
        when(client, lambda state: state["nearest"]["state"] == "ready")
        yield str(client.base_url)


def give(page, how, name, data):
    page.evaluate(how, [name, base64.b64encode(data).decode()])


def card(page, name):
    return page.locator("article", has_text=name)


@pytest.mark.parametrize("how", [DROP, PASTE], ids=["dropped", "pasted"])
def test_a_photograph_gets_its_class_its_likes_and_a_heat_map(page, address, how):
    page.goto(address)
    give(page, how, "mine.jpg", jpeg(COLOURS["green"], seed=7))
    answer = card(page, "mine.jpg")
    answer.locator(".class").wait_for()
    assert answer.locator(".class").inner_text() == "green" and "%" in answer.locator(".share").inner_text()
    names = answer.locator(".bars .name").all_inner_texts()
    assert names[0] == "green" and sorted(names) == sorted(COLOURS)
    assert answer.locator(".nearest b").all_inner_texts() == ["green"] * 3
    answer.get_by_role("button", name="Heat map").click()
    heat = answer.locator(".heat")
    heat.wait_for()
    assert heat.evaluate("image => image.naturalWidth") == 60


def test_none_of_these_is_said_before_the_class(page, address):
    top = [{"class": "green", "probability": 0.58}]
    answer = {"name": "fly.jpg", "sha256": "0" * 64, "class": "green", "probability": 0.58, "top": top, "nearest": []}
    answers = {"answers": [{**answer, "verdict": "none of these", "corrected": None}]}
    page.route("**/predict**", lambda route: route.fulfill(json=answers))
    page.goto(address)
    give(page, DROP, "fly.jpg", jpeg(COLOURS["green"]))
    first = card(page, "fly.jpg").locator(".first")
    first.locator(".class", has_text="none of these").wait_for()
    said = " ".join(first.inner_text().split())
    assert said == "none of these (most like green, 58.0%)"


def test_several_are_chosen_and_one_is_no_photograph(page, address):
    page.goto(address)
    files = [
        {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": jpeg(colour)} for name, colour in COLOURS.items()
    ]
    page.set_input_files("#choose", [*files[:2], {"name": "page.jpg", "mimeType": "image/jpeg", "buffer": b"<html>"}])
    card(page, "red.jpg").locator(".class").wait_for()
    card(page, "page.jpg").locator(".error").wait_for()
    assert "not an image but a web page" in card(page, "page.jpg").locator(".error").inner_text()
    assert page.locator("article").count() == 3
    page.get_by_role("button", name="Clear the list").click()
    assert page.locator("article").count() == 0


def test_a_correction_is_kept_over_a_reload_and_in_another_tab(window, address, colour_run):  # noqa: F811
    first = window()
    first.goto(address)
    photograph = jpeg(COLOURS["red"], seed=21)
    give(first, DROP, "odd.jpg", photograph)
    answer = card(first, "odd.jpg")
    answer.get_by_role("button", name="Wrong?").click()
    answer.get_by_label("The correct class").fill("grey")
    answer.get_by_role("button", name="Keep").click()
    answer.get_by_text("The model has no class “grey”").wait_for()
    answer.get_by_label("The correct class").fill("blue")
    answer.get_by_label("The correct class").press("Enter")
    answer.get_by_text("Corrected to blue").wait_for()
    (copy,) = (colour_run / "corrected" / "blue").iterdir()
    assert copy.read_bytes() == photograph
    first.reload()
    first.get_by_text("odd.jpg: blue, the model said red").wait_for()
    second = first.context.new_page()
    second.goto(address)
    give(second, DROP, "again.jpg", photograph)
    card(second, "again.jpg").get_by_text("Corrected to blue").wait_for()
    second.locator("#kept").get_by_role("button", name="Undo").click()
    card(second, "again.jpg").get_by_text("Corrected to").wait_for(state="hidden")
    first.evaluate("dispatchEvent(new Event('focus'))")
    first.locator("#kept").wait_for(state="hidden")
    assert not list((colour_run / "corrected").rglob("*.jpg"))


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}])
def test_people_with_disabilities_can_use_it(window, complaints, address, options):
    page = window(bypass_csp=True, **options)  # axe-core is put into the page
    page.goto(address)
    give(page, DROP, "mine.jpg", jpeg(COLOURS["green"], seed=7))
    card(page, "mine.jpg").get_by_role("button", name="Wrong?").click()
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{address}docs")
    assert complaints(page) == []
