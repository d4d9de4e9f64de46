"""The report of a run as a reader uses it: by mouse, by keys alone, on a phone, in the dark, on paper."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from kfg import reporting
from kfg.evaluation.predict import Predictions

CLASSES = ("Arctic_Tern", "Common_Tern", "</script><img src=x onerror=alert(1)>", "Osprey", "Heron")
# true class, named class, how many
ANSWERS = ((0, 0, 6), (0, 1, 3), (1, 1, 5), (1, 0, 2), (2, 2, 4), (3, 3, 8), (3, 4, 1), (4, 4, 30))
CELL = "[role=gridcell]"


def grey(number) -> np.ndarray:
    """Return a picture of photograph `number`: its shade is 4 times the number."""
    return np.full((60, 80, 3), 4 * number, np.uint8)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return the address of a report of 59 test photographs, of which 6 are named wrong, one with Grad-CAM."""
    root, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("run")
    pairs = [(true, named) for true, named, count in ANSWERS for _ in range(count)]
    labels, guesses = np.array(pairs, dtype=np.int32).T
    probabilities = np.full((len(pairs), len(CLASSES)), 0.05, np.float32)
    probabilities[np.arange(len(pairs)), guesses] = 0.8
    paths = tuple(f'{true} {named}/"{n:02}"\x1b.jpg' for n, (true, named) in enumerate(pairs))
    shade = {root / path: grey(n) for n, path in enumerate(paths)}
    answers = Predictions(paths, labels, probabilities, CLASSES)
    maps = {6: [("Common_Tern 80%", grey(50)), ("Arctic_Tern 5%", grey(60))]}
    reporting.write(out, answers, image_root=root, decode=shade.__getitem__, maps=maps)
    return (out / "report.html").as_uri()


@pytest.fixture
def opened(page, report):
    page.goto(report)
    return page


def shades(page, where="#shown .shot img") -> list[int]:
    """Return which photographs are shown, by their shades of grey."""
    found = []
    for image in page.locator(where).all():
        data = base64.b64decode(image.get_attribute("src").partition(",")[2])
        found.append(round(float(np.asarray(Image.open(io.BytesIO(data)).convert("L")).mean()) / 4))
    return sorted(found)


def cell(page, true, named):
    return page.locator(f".matrix [data-t='{true}'] [data-p='{named}']")


def names(page) -> list[str]:
    """Return the classes of the rows that are seen, in their order."""
    return page.locator(".matrix [role=rowheader]:visible").all_inner_texts()


@pytest.mark.parametrize(
    "true, named, places", [(0, 1, [6, 7, 8]), (1, 0, [14, 15]), (2, 2, [16, 17, 18, 19]), (3, 4, [28])]
)
def test_a_click_on_a_cell_shows_its_photographs_with_their_names(opened, true, named, places):
    cell(opened, true, named).click()
    assert shades(opened) == places
    assert opened.locator(".shot .path").all_inner_texts() == [f'{true} {named}/"{n:02}"\\x1b.jpg' for n in places]
    assert "80.0%" in opened.locator(".shot").first.inner_text()
    opened.get_by_role("button", name="Close").click()
    assert not opened.locator("#shown").is_visible()


def test_a_class_and_a_pair_show_all_that_is_mixed_up(opened):
    opened.locator("#classes").get_by_role("button", name="Arctic_Tern", exact=True).click()
    heads = opened.locator("#shown h3").all_inner_texts()
    assert heads == [
        "Arctic_Tern, classified as another class: 3 photographs",
        "Other classes taken for Arctic_Tern: 2 photographs",
        "Arctic_Tern, classified correctly: 6 photographs",
    ]
    assert shades(opened) == [*range(9), 14, 15]
    opened.locator("#confusion td button").first.click()  # the pair most mixed up
    assert shades(opened) == [6, 7, 8, 14, 15]
    opened.locator(".matrix .head").get_by_text("Arctic_Tern").click()  # whatever was named so
    assert shades(opened) == [*range(6), 14, 15]


def test_a_photograph_is_shown_large_with_its_probabilities_and_heat_maps(opened):
    cell(opened, 0, 1).click()
    opened.locator(".shot", has_text='"06"').click()
    large = opened.get_by_role("dialog")
    assert large.get_by_role("heading").inner_text() == '0 1/"06"\\x1b.jpg'
    assert shades(opened, "#large img") == [6, 50, 60]
    assert large.locator("figcaption").all_inner_texts()[1] == "Grad-CAM: Common_Tern 80%"
    rows = large.locator("tbody th").all_inner_texts()
    assert rows[:2] == ["Common_Tern", "Arctic_Tern (true class)"] and len(rows) == len(CLASSES)
    large.locator(".note", has_text="This copy is scaled down to 80 \N{MULTIPLICATION SIGN} 60 pixels").wait_for()
    large.get_by_role("button", name="next").click()
    assert shades(opened, "#large img") == [7] and "2 of 3" in large.inner_text()
    opened.keyboard.press("Escape")
    assert not large.is_visible() and opened.locator("#shown").is_visible()


def test_a_photograph_among_the_worst_is_large_at_a_click_too(opened):
    opened.locator("#worst button").first.click()
    assert opened.get_by_role("dialog").is_visible()
    assert opened.locator("#large .pictures img").first.get_attribute("src").startswith("data:image/webp;base64,")


def test_all_of_it_goes_by_keys(opened):
    opened.locator(".controls [type=reset]").focus()
    opened.keyboard.press("Tab")  # into the matrix, which is one stop
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        opened.keyboard.press(key)
    assert opened.evaluate("document.activeElement.ariaLabel") == "Arctic_Tern taken for Common_Tern: 3 of 9, 33.3%"
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.activeElement.id") == "shown-title"
    opened.keyboard.press("Tab")
    opened.keyboard.press("Tab")  # past the button that closes
    opened.keyboard.press("Enter")
    assert opened.get_by_role("dialog").is_visible()
    opened.keyboard.press("ArrowRight")
    assert "2 of 3" in opened.get_by_role("dialog").inner_text()
    opened.keyboard.press("Escape")
    assert opened.evaluate("document.activeElement.className") == "shot"
    opened.keyboard.press("Escape")
    assert not opened.locator("#shown").is_visible()
    assert opened.evaluate("document.activeElement.dataset.what") == "cell:0,1"
    opened.keyboard.press("ArrowDown")
    assert opened.evaluate("document.activeElement.dataset.what") == "cell:1,1"
    opened.keyboard.press("Control+End")
    assert opened.evaluate("document.activeElement.dataset.what") == "cell:4,4"
    opened.keyboard.press("Home")
    opened.keyboard.press("ArrowUp")
    assert opened.evaluate("document.activeElement.textContent") == "Osprey"


def test_a_search_leaves_what_matches_and_what_is_mixed_up_with_it(opened):
    opened.get_by_label("Search").fill("ospr")
    assert names(opened) == ["Osprey", "Heron"]
    status = opened.get_by_role("status")
    assert status.inner_text() == "1 class matches “ospr”; 1 more that is confused with it is also shown."
    assert cell(opened, 3, 4).is_visible() and not cell(opened, 0, 1).is_visible()
    opened.get_by_label("Search").fill("arctic tern")  # as one says it
    assert names(opened) == ["Arctic_Tern", "Common_Tern"]
    opened.get_by_label("Search").fill("gull")
    assert names(opened) == [] and status.inner_text() == "No class matches “gull”."
    opened.get_by_role("button", name="Show all").click()
    cell(opened, 0, 1).wait_for()  # a form is reset a moment after the click
    assert names(opened) == list(CLASSES)


@pytest.mark.parametrize(
    "order, first", [("most mistakes", {"Arctic_Tern", "Common_Tern"}), ("class", {"Arctic_Tern"})]
)
def test_the_matrix_is_sorted(opened, order, first):
    opened.get_by_label("Sort by").select_option(order)
    assert set(names(opened)[: len(first)]) == first
    for at, row in enumerate(opened.locator(".matrix [data-t]").all()):  # right answers stay on the diagonal
        assert row.locator(".ok").get_attribute("aria-colindex") == row.get_attribute("aria-rowindex") == str(at + 2)


def test_look_alikes_stand_together(opened):
    opened.get_by_label("Sort by").select_option("look-alikes together")
    place = {name: at for at, name in enumerate(names(opened))}
    assert abs(place["Arctic_Tern"] - place["Common_Tern"]) == abs(place["Osprey"] - place["Heron"]) == 1
    opened.get_by_text("Look-alikes: 1 group").click()
    opened.locator("details").get_by_role("button", name="Common").click()
    assert "Common" in opened.locator("#shown-title").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_closed_to_a_screen_reader(opened, complaints, scheme):
    opened.emulate_media(color_scheme=scheme)
    assert complaints(opened) == []
    cell(opened, 0, 1).click()
    assert complaints(opened) == []
    opened.locator(".shot").first.click()
    assert complaints(opened) == []


def test_on_a_phone_what_is_pointed_at_stays_where_it_is(window, report):
    page = window(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto(report)
    cell(page, 3, 4).tap()
    assert shades(page) == [28]
    assert page.evaluate("document.documentElement.scrollWidth") == 390  # nothing makes the page scroll sideways


def test_without_a_script_the_page_is_whole(window, report):
    page = window(java_script_enabled=False)
    page.goto(report)
    assert cell(page, 0, 1).is_visible() and cell(page, 0, 1).inner_text() == "3"
    assert page.locator("#worst img").count() == 24
    assert not page.locator(".controls").is_visible() and page.locator("button:visible").count() > 0


def test_on_paper_there_are_no_controls_and_the_matrix_is_whole(opened):
    cell(opened, 0, 1).click()
    opened.emulate_media(media="print")
    assert not opened.locator("#shown").is_visible() and not opened.locator(".controls").is_visible()
    frame = opened.locator(".frame")
    assert frame.evaluate("frame => frame.scrollWidth <= frame.clientWidth && frame.scrollHeight <= frame.clientHeight")
    assert opened.pdf().startswith(b"%PDF")
