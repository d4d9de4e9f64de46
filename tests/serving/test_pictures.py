"""What is refused before or while it is decoded. No model is asked here."""

import hostile
import pytest

from kfg.serving import pictures
from kfg.serving.uploads import Upload
from kfg.web.refusals import Refusal

PIXELS = 50_000_000


def refused(data) -> Refusal:
    with pytest.raises(Refusal) as told:
        pictures.decoded(Upload("a", data), most_pixels=PIXELS)
    return told.value


@pytest.mark.parametrize("format", hostile.BOMBS)
def test_too_many_pixels_are_refused_by_what_the_header_says(format):
    for width, height in ((60_000, 60_000), (65_500, 900), (10_000, 5_001)):
        refusal = refused(hostile.BOMBS[format](width, height))
        assert (refusal.status, refusal.line) == (
            413, f"a: too large: {width} x {height} pixels, this server takes at most 50,000,000; save it smaller",
        )  # fmt: skip


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_half_a_photograph_is_refused_and_a_whole_one_is_not(format):
    data = hostile.picture(format)
    for cut in range(20, len(data) * 6 // 10, len(data) // 25):
        assert refused(data[:cut]).status in (415, 422)
    assert pictures.decoded(Upload("a", data), most_pixels=PIXELS).shape == (64, 64, 3)


@pytest.mark.parametrize("data", hostile.PAGES.values(), ids=hostile.PAGES)
def test_what_is_no_photograph_is_refused(data):
    assert refused(data).status in (415, 422)


def test_pixels_of_no_colour_are_refused():
    assert "32-bit" in refused(hostile.float_tiff()).line
