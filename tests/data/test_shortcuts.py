"""What tells a class besides its object: named once, with its numbers, and by the audit."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageFilter

from kfg.data import audit, fingerprints, shortcuts, smoothness
from kfg.data.fingerprints import Fingerprint

LABELS = np.repeat(np.arange(3), 10)


def prints(of_first, of_others=lambda i: {}):
    """Return fingerprints of three classes of ten, each of its own size, and what the first and the others are."""
    made = [Fingerprint(str(i), size=(100 + i, 90 + 2 * i), format="JPEG") for i in range(30)]
    return [dataclasses.replace(one, **(of_first if i < 10 else of_others(i))) for i, one in enumerate(made)]


def framed(level):
    thumb = np.random.default_rng(level).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    thumb[[0, -1]] = thumb[:, [0, -1]] = level
    return thumb


@pytest.mark.parametrize(
    "shared, said",
    [
        ({"grey": True}, "10 of its 10 photographs are grey, but only 0% of the others"),
        ({"camera": "Canon EOS 5"}, "photographs are from the camera Canon EOS 5, but only"),
        ({"day": "2026-05-01"}, "photographs were taken on 2026-05-01, but"),
        ({"thumb": framed(255)}, "photographs have a border of one colour, but"),
        ({"size": (640, 480)}, "photographs have 640 x 480 pixels, but"),
        ({"format": "PNG"}, "photographs are PNG files, but only"),
    ],
)
def test_what_a_class_alone_has_in_common_is_named_with_its_numbers(shared, said):
    (found,) = shortcuts.find(prints(shared), LABELS)
    assert found.label == 0 and said in found.said and found.advice


def test_what_all_have_or_few_have_is_no_shortcut():
    assert shortcuts.find(prints({}), LABELS) == []
    assert shortcuts.find(prints({"grey": True}, lambda i: {"grey": i % 3 == 0}), LABELS) == []
    few = [dataclasses.replace(one, grey=i in (0, 1)) for i, one in enumerate(prints({}))]
    assert shortcuts.find(few[:2] + few[10:], LABELS[:2].tolist() + LABELS[10:].tolist()) == []
    assert shortcuts.find(prints({"grey": True})[:10], LABELS[:10]) == []


def test_the_same_shape_in_many_sizes_is_named():
    wide = prints({})
    wide = [dataclasses.replace(one, size=(160 + 16 * i, 90 + 9 * i)) if i < 10 else one for i, one in enumerate(wide)]
    (found,) = shortcuts.find(wide, LABELS)
    assert "photographs are 1.78 times as wide as high" in found.said


def test_camera_and_day_are_read_from_exif_and_damage_is_nothing(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon\0", " EOS 5 "
    exif.get_ifd(0x8769)[0x9003] = "2026:05:01 12:00:00"
    Image.new("RGB", (40, 30), (9, 200, 7)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (40, 30), (9, 200, 7)).save(tmp_path / "b.jpg")
    exif.get_ifd(0x8769)[0x9003] = "yesterday"
    Image.new("RGB", (40, 30), (9, 200, 7)).save(tmp_path / "c.jpg", exif=exif)
    found = fingerprints.read(tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    assert [(one.camera, one.day) for one in found] == [("Canon EOS 5", "2026-05-01"), ("", ""), ("Canon EOS 5", "")]


def test_the_audit_warns_of_them(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(6):
            picture = Image.fromarray(rng.integers(0, 256, (30 + number, 41, 3), dtype=np.uint8))
            picture.convert("L" if name == "ant" else "RGB").save(tmp_path / name / f"{number}.png")
    found = [one for one in audit.audit(tmp_path).findings if one.kind == "shortcut"]
    assert [(one.path, one.severity) for one in found] == [("ant", "warning")]
    assert found[0].detail.startswith("6 of its 6 photographs are grey, but only 0% of the others; add colour")


def test_blur_of_a_part_of_one_class_is_named_with_its_numbers():
    def blurred(count, elsewhere):
        smooth = [0.27 if i in (*range(count), *range(10, 10 + elsewhere)) else 0.4 for i in range(30)]
        return [dataclasses.replace(one, smoothness=value) for one, value in zip(prints({}), smooth, strict=True)]

    (found,) = shortcuts.find(blurred(5, 2), LABELS)
    assert found.label == 0 and found.said.startswith(
        "5 of its 10 photographs are blurred (such as 0), but only 2 of the 20 photographs of other classes: a "
    )
    assert shortcuts.find(blurred(4, 0), LABELS) == []  # too few to say
    assert shortcuts.find(blurred(5, 3), LABELS) == []  # 15% of the others
    assert shortcuts.find(blurred(10, 0)[:10], LABELS[:10]) == []  # no other class
    unknown = [dataclasses.replace(one, smoothness=None) for one in blurred(9, 0)]
    assert shortcuts.find(unknown, LABELS) == []
    assert shortcuts.find(blurred(5, 0), np.repeat([0, 1], [26, 4])) == []  # 19% of the class


@pytest.mark.parametrize("size", [(128, 128), (227, 227), (640, 480), (1300, 900)])
def test_a_blurred_photograph_is_told_from_a_sharp_one_at_any_size(size):
    def measured(picture):
        return smoothness.smoothness(picture.convert("L"))

    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    sharp = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
    blurred = sharp.filter(ImageFilter.GaussianBlur(0.02 * min(size)))
    assert measured(sharp) > 0.39 and 0.25 < measured(blurred) < smoothness.BLURRED
    faint = [Image.eval(picture, lambda level: 60 + level // 2) for picture in (sharp, blurred)]  # of low contrast
    assert measured(faint[0]) > 0.39 and measured(faint[1]) < smoothness.BLURRED
    assert measured(Image.new("RGB", size, (9, 200, 7))) is None and measured(blurred.resize((127, 300))) is None


def test_the_audit_warns_of_a_class_that_is_blurred_in_part(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("owl", "wren"):
        (tmp_path / name).mkdir()
        for i in range(12):
            pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            picture = Image.fromarray(pixels).resize((160 + i, 160), Image.Resampling.NEAREST)
            if name == "wren" and i < 6:
                picture = picture.filter(ImageFilter.GaussianBlur(4))
            picture.save(tmp_path / name / f"{i:02}.jpg")
    (found,) = [one for one in audit.audit(tmp_path).findings if one.kind == "shortcut"]
    assert found.path == "wren" and found.severity == "warning"
    assert found.detail.startswith(
        "6 of its 12 photographs are blurred (such as wren/00.jpg), but only 0 of the 12 photographs"
    )
