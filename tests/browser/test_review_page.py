"""The page of kfg review, used as a person does: by mouse, by keys alone, in two tabs, and without a server."""

import pytest
from queues import QUEUE, desk_of, drawn, served

from kfg.data import corrections, folder
from kfg.reviewing import static

expect = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install -e '.[test]'").expect
expect.set_options(timeout=30_000)  # milliseconds; a busy machine takes its time
FIRST = QUEUE[0][0]
LOOKED = 6_000  # milliseconds: a page without a server looks for other tabs' decisions every five seconds


@pytest.fixture
def root(tmp_path):
    return drawn(tmp_path / "fruit")


@pytest.fixture
def address(root, window):
    with served(desk_of(root)) as address:
        yield address
        window.close()


def decided(root):
    """Return path -> class after, of the table on the disk."""
    return {path: one.after for path, one in corrections.known(root / "corrections.csv", root).items()}


def at(page, number):
    expect(page.locator("#place")).to_have_text(f"{number} of 4")


def test_relabel_undo_and_reload_by_mouse(page, address, root):
    before = {path: path.read_bytes() for path in root.rglob("*.jpg")}
    page.goto(address, timeout=60_000)
    at(page, 1)
    expect(page.locator("#path")).to_have_text(FIRST)
    expect(page.locator("#label")).to_have_text("Labelled cherry")
    assert page.locator("#photograph").evaluate("image => image.decode().then(() => image.naturalWidth)") == 120
    expect(page.locator("#examples")).to_contain_text("Typical of cherry")
    expect(page.locator("#examples")).to_contain_text("Typical of tomato")
    page.get_by_role("button", name="Relabel as tomato").click()
    at(page, 2)
    assert decided(root) == {FIRST: "tomato"}
    page.get_by_role("button", name="Undo").click()
    at(page, 1)
    expect(page.locator("#progress")).to_have_text("0 of 4 decided")
    assert decided(root) == {}
    page.get_by_role("button", name="Leave out").click()
    at(page, 2)
    page.reload()
    at(page, 2)  # it goes on where one stopped
    expect(page.locator("#progress")).to_have_text("1 of 4 decided")
    page.locator("#queue button").first.click()
    expect(page.locator("#verdict")).to_have_text("Decided: left out.")
    page.get_by_role("button", name="Undo").click()  # after a reload: the newest decision
    expect(page.locator("#verdict")).to_have_text("Not decided yet.")
    assert decided(root) == {}
    assert {path: path.read_bytes() for path in root.rglob("*.jpg")} == before


def test_keys_alone_get_through_the_queue_and_the_page_says_what_to_type_next(page, address, root):
    page.goto(address, timeout=60_000)
    at(page, 1)
    page.keyboard.press("r")
    at(page, 2)
    page.keyboard.press("k")
    at(page, 3)
    page.keyboard.press("t")
    page.keyboard.type("Tomato")
    page.keyboard.press("Enter")
    at(page, 4)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#verdict")).to_have_text("Decided: relabelled as tomato.")
    page.keyboard.press("Control+z")
    expect(page.locator("#verdict")).to_have_text("Not decided yet.")
    page.keyboard.press("l")
    at(page, 4)
    page.keyboard.press("k")
    done = page.locator("#done")
    expect(done).to_be_visible()
    expect(done).to_contain_text("4 photographs: 1 relabelled, 1 left out, 2 kept as they are.")
    expect(done).to_contain_text(f"kfg train {root}")
    assert decided(root) == {FIRST: "tomato", "tomato/2.jpg": "tomato", "plum/0.jpg": "left out", "plum/3.jpg": "plum"}
    assert folder.scan(root).corrected.applied == 2


def test_a_class_that_there_is_not_is_said_and_nothing_decided(page, address, root):
    page.goto(address, timeout=60_000)
    at(page, 1)
    page.keyboard.press("t")
    page.keyboard.type("tomatoe")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("There is no class tomatoe; choose one from the list.")
    assert decided(root) == {}


def test_two_tabs_lose_nothing_and_tell_of_each_other(window, address, root):
    one, other = window(), window()
    for page in (one, other):
        page.goto(address, timeout=60_000)
        at(page, 1)
    one.keyboard.press("r")
    at(one, 2)
    other.keyboard.press("l")  # it does not know yet what the first tab has decided
    expect(other.get_by_role("alert")).to_contain_text("changed to tomato in the meantime, in another tab")
    expect(other.locator("#verdict")).to_have_text("Decided: relabelled as tomato.")
    assert decided(root) == {FIRST: "tomato"}
    other.keyboard.press("ArrowRight")
    other.keyboard.press("k")
    at(other, 3)
    one.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(one.locator("#progress")).to_have_text("2 of 4 decided")
    assert decided(root) == {FIRST: "tomato", "tomato/2.jpg": "tomato"}


def test_an_end_of_the_server_is_said_and_the_decision_not_claimed(window, root):
    page = window()
    with served(desk_of(root)) as address:
        page.goto(address, timeout=60_000)
        at(page, 1)
    page.keyboard.press("k")
    expect(page.get_by_role("alert")).to_contain_text("does not answer, so this decision is not saved")
    expect(page.locator("#progress")).to_have_text("0 of 4 decided")
    assert decided(root) == {}
    # By how far the server's end got.
    window.expect_problems("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_people_with_disabilities(window, address, complaints, scheme):
    page = window(color_scheme=scheme)
    page.goto(address, timeout=60_000)
    at(page, 1)
    assert complaints(page) == []
    for number, key in enumerate("rlkk", start=1):
        at(page, number)
        page.keyboard.press(key)
    expect(page.locator("#done")).to_be_visible()
    assert complaints(page) == []


def test_a_file_that_cannot_be_read_can_only_be_left_out(window, root, tmp_path):
    (root / "plum" / "9.jpg").write_bytes(b"no picture")
    queue = (("plum/9.jpg", "broken", "cannot be read: not an image", None), *QUEUE[:3])
    with served(desk_of(root, queue=queue)) as address:
        page = window()
        page.goto(address, timeout=60_000)
        at(page, 1)
        for name in ("Keep as plum", "Relabel as"):
            expect(page.get_by_role("button", name=name)).to_be_hidden()
        expect(page.locator("#class")).to_be_hidden()
        for key in "krt":
            page.keyboard.press(key)
        at(page, 1)
        page.keyboard.press("l")
        at(page, 2)
        expect(page.get_by_role("button", name="Keep as cherry")).to_be_visible()
        assert decided(root) == {"plum/9.jpg": "left out"}
        window.expect_problems("pictures", "415")
        window.close()


def test_the_page_fits_a_phone(window, address):
    page = window(viewport={"width": 360, "height": 740})
    page.goto(address, timeout=60_000)
    at(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_page_without_a_server_keeps_decisions_and_hands_out_the_table(window, root, tmp_path):
    desk = desk_of(root)
    desk.decide(1, "left out", was=None)  # decided before the page was written
    page_file = static.write(desk, tmp_path / "page")
    page = window()
    page.goto(page_file.as_uri(), timeout=60_000)
    at(page, 1)
    page.keyboard.press("r")
    at(page, 3)
    page.reload()
    at(page, 3)
    expect(page.locator("#progress")).to_have_text("2 of 4 decided")
    page.keyboard.press("k")
    at(page, 4)
    page.keyboard.press("u")
    at(page, 3)
    page.keyboard.press("l")
    at(page, 4)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download corrections.csv").click()
    (root / "corrections.csv").unlink()
    download.value.save_as(root / "corrections.csv")
    assert decided(root) == {"tomato/2.jpg": "left out", FIRST: "tomato", "plum/0.jpg": "left out"}
    index = folder.scan(root)
    assert index.corrected.applied == 3 and len(index) == 10


def test_two_tabs_without_a_server_know_of_each_other(window, root, tmp_path):
    address = static.write(desk_of(root), tmp_path / "page").as_uri()
    one = window()
    other = one.context.new_page()
    one.context.clock.install()
    for page in (one, other):
        page.goto(address, timeout=60_000)
        at(page, 1)
    one.keyboard.press("r")
    at(one, 2)
    one.context.clock.fast_forward(LOOKED)
    expect(other.locator("#progress")).to_have_text("1 of 4 decided")
    other.keyboard.press("ArrowRight")
    other.keyboard.press("k")
    expect(other.locator("#progress")).to_have_text("2 of 4 decided")
    one.context.clock.fast_forward(LOOKED)
    expect(one.locator("#progress")).to_have_text("2 of 4 decided")
