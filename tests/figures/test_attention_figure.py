"""Boxes and strips: what is drawn, and at which pixels."""

import io

import matplotlib.image
import numpy as np
import pytest

from kfg.figures import attention_figure
from kfg.figures.drawing import ORANGE
from kfg.figures.panels import Outline, Panel, grid

GREY = np.full((64, 64, 3), 100, np.uint8)
WHOLE = (0, 0, 63, 63)
OBJECT = (16, 8, 47, 39)  # 32 x 32 pixels of a 64 x 64 image: half its size
PARTS = [[0, 0, 63, 63], [0, 0, 31, 31]]  # all of the object, and its upper left


def test_boxes_of_parts_are_mapped_from_the_objects_image_to_the_image():
    whole, crop = attention_figure.boxes_panels(GREY, np.float32(OBJECT), np.float32(PARTS))
    *parts, framed = (outline.box for outline in whole.outlines)
    assert framed == OBJECT and whole.outlines[-1].colour == ORANGE
    np.testing.assert_allclose(parts[0], OBJECT)
    far = 31 * 31 / 63  # of 64 pixels' 63 steps over 32 pixels' 31
    np.testing.assert_allclose(parts[1], [16, 8, 16 + far, 8 + far])
    assert whole.image is GREY and crop.image.shape == (32, 32, 3)
    np.testing.assert_allclose([outline.box for outline in crop.outlines], [[0, 0, 31, 31], [0, 0, far, far]])
    assert [outline.word for outline in crop.outlines] == ["1", "2"]


def test_the_second_panel_is_cut_at_both_ends_of_the_box():
    image = np.arange(64 * 64 * 3, dtype=np.int64).reshape(64, 64, 3).astype(np.uint8)
    crop = attention_figure.boxes_panels(image, OBJECT, PARTS)[1].image
    np.testing.assert_array_equal(crop[[0, -1], [0, -1]], image[[16, 47], [8, 39]])


@pytest.mark.parametrize("axis", ["height", "width"])
def test_strips_pale_with_their_weight_and_the_largest_is_framed(axis):
    (panel,) = attention_figure.strips_panels(GREY, {"stage4": np.float32([0.1, 0.4, 0.3, 0.2])}, axis=axis, seen=WHOLE)
    shown = panel.image if axis == "height" else panel.image.swapaxes(0, 1)
    # white's share is 0.8 (1 - weight / largest): 0.6, 0, 0.2 and 0.4 of the way from 100 to 255
    for start, value in zip(range(0, 64, 16), (193, 100, 131, 162), strict=True):
        assert (shown[start : start + 16] == value).all()
    assert [outline.word for outline in panel.outlines] == ["10", "40", "30", "20"]
    framed = [outline for outline in panel.outlines if outline.width]
    assert [outline.box for outline in framed] == [(16, 0, 31, 63) if axis == "height" else (0, 16, 63, 31)]
    assert panel.title.startswith("stage4")


@pytest.mark.parametrize("axis", ["height", "width"])
def test_strips_lie_in_what_the_net_sees_of_the_image(axis):
    rim = (8, 4, 55, 35)  # 48 x 32 pixels
    (panel,) = attention_figure.strips_panels(GREY, {"stage5": np.float32([0.25, 0.75])}, axis=axis, seen=rim)
    inner = panel.image[8:56, 4:36]
    halves = (inner[:24], inner[24:]) if axis == "height" else (inner[:, :16], inner[:, 16:])
    assert [set(half.flat) for half in halves] == [{183}, {100}]  # 100 + 155 * 0.8 * 2 / 3, and as it was
    assert (panel.image == 224).all(axis=2).sum() == 64 * 64 - 48 * 32  # the rim: 100 + 155 * 0.8
    boxes = [(8, 4, 31, 35), (32, 4, 55, 35)] if axis == "height" else [(8, 4, 55, 19), (8, 20, 55, 35)]
    assert [outline.box for outline in panel.outlines] == boxes


def test_strips_that_tie_are_all_framed_as_all_are_suppressed():
    (panel,) = attention_figure.strips_panels(GREY, {"stage5": np.float32([0.5, 0.5])}, axis="height", seen=WHOLE)
    assert (panel.image == GREY).all() and all(outline.width for outline in panel.outlines)


def test_a_box_is_drawn_around_its_outermost_pixels():
    figure = grid([[Panel(GREY, "a", (Outline((16, 8, 47, 39), "#ff0000", width=1),))]])
    axes = figure.axes[0]
    (frame,) = axes.patches
    assert frame.get_bbox().bounds == (7.5, 15.5, 32, 32)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=200)
    pixels = matplotlib.image.imread(io.BytesIO(target.getvalue()))[..., :3]
    red = (pixels[..., 0] > 0.9) & (pixels[..., 1] < 0.2)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    height = pixels.shape[0]
    ends = axes.transData.transform([(7.5, 15.5), (39.5, 47.5)]) * 200 / figure.dpi
    assert abs(columns[[0, -1]] - ends[:, 0]).max() < 4
    assert abs(rows[[0, -1]] - (height - ends[:, 1])).max() < 4
    assert not red[rows.mean().astype(int), columns.mean().astype(int)]  # a frame, not a filled box


def test_a_grid_shows_each_item_with_its_panels_and_titles():
    items = [[Panel(GREY, f"is {i}"), Panel(GREY, "a" * 30)] for i in range(4)]
    axes = grid(items, columns=3).axes
    titles = [one.get_title(loc="left") for one in axes if one.images]
    assert titles[::2] == ["is 0", "is 1", "is 2", "is 3"] and len(titles[1]) == 24
    assert len(axes) == 12  # two rows of three items
