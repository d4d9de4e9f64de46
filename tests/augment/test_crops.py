"""Random resized crops: boxes as torchvision's, the warp against a resize, turns black outside."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from kfg.augment import draws
from kfg.augment.crops import ResizedCrop, crop_boxes

DEFAULT = {"scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3)}
HERE = {"seed": 3, "epoch": 1}


def boxes(count=4000, height=90, width=120, **limits):
    uniforms = draws.uniforms(0, epoch=0, positions=np.arange(count), count=25)
    return crop_boxes(uniforms, height=height, width=width, **{**DEFAULT, **limits})


def batch(count=12, height=90, width=120):
    images = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return images, np.zeros(count, np.int32), np.arange(count) * 1_000_003


def test_boxes_lie_inside_and_have_the_areas_and_shapes_asked_for():
    top, left, high, wide = boxes().T
    assert top.min() >= 0 and left.min() >= 0 and (top + high).max() <= 90 and (left + wide).max() <= 120
    assert ((high * wide) / (90 * 120)).min() == pytest.approx(0.08, abs=0.01)
    assert (wide / high).min() >= 0.7 and (wide / high).max() <= 1.42  # whole pixels
    assert (top == 0).mean() < 0.2 and (top + high == 90).any() and (left + wide == 120).any()


def test_mean_area_is_that_of_a_rejection_sampler():
    rng = np.random.default_rng(1)
    areas = []
    while len(areas) < 4000:  # torchvision's loop, in its own words
        area, shape = 90 * 120 * rng.uniform(0.08, 1), np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        wide, high = round(np.sqrt(area * shape)), round(np.sqrt(area / shape))
        if wide <= 120 and high <= 90:
            areas.append(wide * high)
    _, _, high, wide = boxes().T
    assert (high * wide).mean() == pytest.approx(np.mean(areas), rel=0.03)


def test_where_nothing_fits_the_largest_centred_box_is_taken():
    found = boxes(count=3, height=100, width=400, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    assert found.tolist() == [[0, 150, 100, 100]] * 3
    assert boxes(count=1, height=400, width=100, scale=(1.0, 1.0), ratio=(0.5, 0.5)).tolist() == [[100, 0, 200, 100]]


def test_the_whole_image_comes_back_unchanged():
    images, labels, positions = batch()
    crop = ResizedCrop(scale=(1.0, 1.0), ratio=(4 / 3, 4 / 3))
    np.testing.assert_array_equal(crop.apply(images, labels, **HERE, positions=positions), images)


def test_a_crop_is_what_cutting_and_resizing_gives():
    smooth = np.asarray(Image.fromarray(batch(1, 9, 12)[0][0]).resize((120, 90), Image.Resampling.BICUBIC))
    crop = ResizedCrop(scale=(0.2, 0.6))
    out = crop.apply(smooth[None], np.zeros(1), **HERE, positions=np.array([5]))[0]
    uniforms = draws.uniforms(3, epoch=1, positions=np.array([5]), count=25)
    ((top, left, high, wide),) = crop_boxes(uniforms, height=90, width=120, scale=(0.2, 0.6), ratio=crop.ratio)
    cut = Image.fromarray(smooth[top : top + high, left : left + wide])
    expected = np.asarray(cut.resize((120, 90), Image.Resampling.BILINEAR)).astype(int)
    assert abs(out - expected).max() <= 4 and abs(out - expected).mean() < 1


def test_flips_come_one_time_in_two_and_only_when_asked():
    images, labels, positions = batch(400, 8, 8)
    whole = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
    out = ResizedCrop(**whole, horizontal_flip=True).apply(images, labels, **HERE, positions=positions)
    flipped = (out == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert 0.4 < flipped.mean() < 0.6
    assert ((out == images).all(axis=(1, 2, 3)) | flipped).all()
    out = ResizedCrop(**whole, vertical_flip=True).apply(images, labels, **HERE, positions=positions)
    assert 0.4 < (out == images[:, ::-1]).all(axis=(1, 2, 3)).mean() < 0.6


def test_a_turn_shows_black_outside_and_a_crop_alone_does_not():
    images, labels, positions = np.full((50, 60, 60, 3), 200, np.uint8), np.zeros(50), np.arange(50)
    straight = ResizedCrop(scale=(0.5, 1.0)).apply(images, labels, **HERE, positions=positions)
    assert (straight == 200).all()
    turned = ResizedCrop(scale=(0.5, 1.0), rotation=15).apply(images, labels, **HERE, positions=positions)
    assert (turned[:, 0, 0] == 0).any() and (turned[:, 30, 30] == 200).all()


def test_an_image_does_not_depend_on_its_batch_and_does_on_epoch_and_seed():
    images, labels, positions = batch()
    crop = ResizedCrop(image_size=(32, 40), rotation=10, horizontal_flip=True)
    together = crop.apply(images, labels, **HERE, positions=positions)
    assert together.shape == (12, 32, 40, 3) and together.dtype == np.uint8
    alone = crop.apply(images[4:5], labels[4:5], **HERE, positions=positions[4:5])
    np.testing.assert_array_equal(alone[0], together[4])
    for other in ({"seed": 4, "epoch": 1}, {"seed": 3, "epoch": 2}):
        assert (crop.apply(images, labels, **other, positions=positions) != together).any()


def test_it_goes_through_json():
    crop = ResizedCrop(image_size=(32, 40), rotation=10)
    assert ResizedCrop(**json.loads(json.dumps(dataclasses.asdict(crop)))) == crop


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"scale": (0.0, 1.0)}, "scale must have 0 <"),
        ({"scale": (0.5, 1.5)}, "scale must be at most 1"),
        ({"ratio": (2.0, 1.0)}, "ratio must have"),
        ({"image_size": 224}, r"image_size must be \(height, width\) in pixels, got 224"),
        ({"image_size": (224, 0)}, "image_size must be"),
        ({"image_size": (224.5, 224)}, "image_size must be"),
        ({"image_size": (224, 224, 3)}, "image_size must be"),
        ({"rotation": 200}, r"rotation must be in \[0, 180\]"),
    ],
)
def test_options_out_of_range_are_named(option, message):
    with pytest.raises(ValueError, match=message):
        ResizedCrop(**option)
