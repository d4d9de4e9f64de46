"""What tells a class besides its object: named once, with its numbers, and by the audit."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from kfg.data import audit, fingerprints, shortcuts
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
