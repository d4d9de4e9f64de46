"""The page of two runs as a reader uses it."""

import numpy as np
import pytest

from kfg.evaluation import versus
from kfg.evaluation.predict import Predictions
from kfg.reporting import versus as page_of

CLASSES = ("cod", "eel")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Return the address of a page of two runs: of 12 photographs one was lost, two were gained."""
    labels = np.int32([0] * 6 + [1] * 6)
    before, after = [0] * 6 + [1] * 4 + [0] * 2, [1] + [0] * 5 + [1] * 6

    def answers(guesses):
        rows = np.eye(2, dtype=np.float32)[guesses] * 0.6 + 0.2
        return Predictions(tuple(f"{at}.jpg" for at in range(12)), labels, rows, CLASSES)

    both = answers(before), answers(after)
    shown = page_of.Shown(("seed-0", "seed-1"), both, versus.compare(*both), [("seed", "0", "1")], [])
    path = tmp_path_factory.mktemp("page") / "compared.html"
    path.write_text(page_of.page(shown, lambda at: np.full((30, 40, 3), 20 * at, np.uint8)), encoding="utf-8")
    return path.as_uri()


def test_a_click_on_a_class_shows_what_flipped_in_it(page, compared):
    page.goto(compared)
    page.locator("#classes").get_by_role("button", name="eel").click()
    assert page.locator("#shown h3").all_inner_texts() == ["Wrong in seed-0, right in seed-1: 2 photographs"]
    assert page.locator(".shot .path").all_inner_texts() == ["10.jpg", "11.jpg"]
    said = page.locator(".shot").first.inner_text()
    assert "seed-0: predicted cod, 80.0%" in said and "seed-1: right, 80.0%" in said
    page.locator(".shot").first.click()
    picture = page.get_by_role("dialog").locator("img")
    assert picture.get_attribute("src") == page.locator("#gained img").first.get_attribute("src")


def test_a_photograph_that_flipped_is_large_at_a_click(page, compared):
    page.goto(compared)
    page.locator("#lost button").click()
    assert page.get_by_role("dialog").get_by_role("heading").inner_text() == "0.jpg"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_closed_to_a_screen_reader(page, compared, complaints, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(compared)
    page.locator("#classes button.show").first.click()
    assert complaints(page) == []
