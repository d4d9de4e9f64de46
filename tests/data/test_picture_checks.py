"""What the audit says of pictures that decode: blank, partly lost, one page of many, of mixed depths."""

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kfg.data import audit, decode, fingerprints, folder, jpeg, signs, splits
from kfg.data.audit import duplicate_groups
from kfg.data.to_rgb import to_rgb


def picture(seed, size=(64, 48)):
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def encoded(image, format="JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.fixture
def clean(tmp_path):
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        for i in range(4):
            picture(10 * number + i).save(tmp_path / name / f"{i}.jpg")
    return tmp_path


def findings(root, *kinds):
    return {(one.kind, one.severity, one.path): one.detail for one in audit.audit(root).findings if one.kind in kinds}


def white_logo(i):
    image = Image.new("RGBA", (64, 48), (255, 255, 255, 0))
    ImageDraw.Draw(image).ellipse((5 + i, 5, 40, 40), fill=(255, 255, 255, 255))
    return image


def test_blank_pictures_are_named_and_are_duplicates_of_each_other(clean):
    for path in ("a/one.png", "a/two.png", "b/three.png"):
        white_logo(len(path)).save(clean / path)
    white_logo(1).rotate(90).save(clean / "b/four.png")
    Image.new("RGB", (64, 48), "black").save(clean / "b/black.jpg")
    found = findings(clean, "blank", "duplicate", "duplicate-across-classes")
    assert set(found) == {
        *(("blank", "warning", name) for name in ("a/one.png", "a/two.png", "b/three.png", "b/four.png")),
        ("blank", "warning", "b/black.jpg"),
        ("duplicate", "warning", "a/two.png"),
        ("duplicate-across-classes", "error", "b/three.png"),
        ("duplicate-across-classes", "error", "b/four.png"),
    }
    assert "transparency hides" in found["blank", "warning", "a/one.png"]
    assert "transparency" not in found["blank", "warning", "b/black.jpg"]
    assert "a/one.png" in found["duplicate-across-classes", "error", "b/three.png"]


def test_a_picture_with_a_speck_is_not_blank(clean):
    image = Image.new("RGB", (640, 480), "white")
    image.putpixel((333, 222), (0, 0, 0))
    image.save(clean / "a/speck.png")
    assert not findings(clean, "blank")


def test_blank_pictures_do_not_tie_a_split_together(clean):
    for i in range(6):
        white_logo(i).save(clean / f"{'ab'[i % 2]}/logo{i}.png")
    index = duplicate_groups(folder.scan(clean))
    assert len(set(index.groups.tolist())) == len(index)
    splits.write_csv(splits.split(index, val=0.3, test=0.3), clean / "split.csv")
    across = [one for one in audit.audit(clean).findings if one.kind == "duplicate-across-parts"]
    assert across and {one.severity for one in across} == {"warning"}


def test_partly_lost_pictures_are_named(clean):
    data = encoded(picture(99, (640, 480)), quality=95)
    begin, end = jpeg.scan(data)
    middle = (begin + end) // 2
    (clean / "a/filled.jpg").write_bytes(data[:middle] + data[end:])
    (clean / "a/hole.jpg").write_bytes(data[:middle] + bytes(1000) + data[middle + 1000 :])
    (clean / "a/no end.jpg").write_bytes(data[:end])
    turned = Image.Exif()
    turned[0x0112] = 8
    sideways = encoded(picture(98, (640, 480)), quality=95, exif=turned)
    begin, end = jpeg.scan(sideways)
    (clean / "b/sideways.jpg").write_bytes(sideways[: (begin + end) // 2] + sideways[end:])
    whole = encoded(picture(96, (64, 48)), "PNG")
    (clean / "b/cut.png").write_bytes(whole[:-12])
    (clean / "b/whole.png").write_bytes(whole[:-12] + whole[-12:])
    grey = picture(97, (640, 480))
    grey.paste((128, 128, 128), (0, 200, 640, 480))
    grey.save(clean / "b/meant.jpg")
    found = findings(clean, "damaged", "mended")
    assert set(found) == {
        ("damaged", "warning", "a/filled.jpg"),
        ("damaged", "warning", "a/hole.jpg"),
        ("mended", "warning", "a/no end.jpg"),
        ("damaged", "warning", "b/sideways.jpg"),
        ("damaged", "warning", "b/cut.png"),
    }
    assert "% of the image is missing" in found["damaged", "warning", "a/filled.jpg"]
    assert "ends before its end mark" in found["damaged", "warning", "b/cut.png"]
    assert "zero bytes" in found["damaged", "warning", "a/hole.jpg"]
    assert audit.exit_code(audit.audit(clean)) == 0


def noise(size, mode):
    """Return noise with a grey corner, which is looked at for what a decoder filled in."""
    width, height = size
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))
    image.paste((128, 128, 128), (max(0, width - 32), max(0, height - 32), width, height))
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_small_pictures_and_such_without_an_end_mark_are_looked_at_if_their_last_pixel_is_grey(mode, options):
    for size in ((64, 64), (7, 64), (64, 5), (1, 1)):
        data = encoded(noise(size, mode), **options)
        for cut in (data, data[:-1], data[:-2]):  # Pillow reads some of them by itself, others have to be mended
            image = decode.load(cut, "x")
            found = signs.of(image, to_rgb(image), cut)
            assert found.filled is None and found.mended == ("" if cut is data else jpeg.NO_END)


def test_frames_beyond_the_first_and_a_small_first_page_are_said(clean):
    big, small = picture(50), picture(50).resize((16, 12))
    more = {"save_all": True}
    big.save(clean / "a/pages.tif", append_images=[picture(51), picture(52)], **more)
    small.save(clean / "a/preview.tif", append_images=[big], **more)
    big.save(clean / "b/moving.gif", append_images=[picture(53)], **more)
    picture(54).save(clean / "b/moving.webp", append_images=[picture(55)], **more)
    picture(56).save(clean / "b/phone.jpg", "MPO", append_images=[picture(57)], **more)  # a preview: every phone has it
    picture(58).save(clean / "b/single.tif")
    assert findings(clean, "frames", "small-first-page") == {
        ("frames", "warning", "a/pages.tif"): "3 pages, of which kfg reads only the first",
        (
            "small-first-page",
            "warning",
            "a/preview.tif",
        ): "the first of 2 pages, 16x12 pixels, is read; another has 64x48",
        ("frames", "note", "b/moving.gif"): "2 frames, of which kfg reads only the first",
        ("frames", "note", "b/moving.webp"): "2 frames, of which kfg reads only the first",
    }


def test_depths_of_sixteen_bit_files_are_said_and_a_mixture_is_a_warning(clean):
    for path, largest in (("a/ten.png", 1023), ("b/ten too.png", 900), ("b/twelve.png", 4000)):
        levels = np.asarray(picture(len(path)).convert("L")).astype(np.uint16)
        Image.fromarray((levels.astype(int) * largest // levels.max()).astype(np.uint16)).save(clean / path)
    found = findings(clean, "16-bit", "mixed-depths")
    ten = "16 bits per channel, of which its values use 10; kfg reads it as 8 bits"
    assert found["16-bit", "note", "a/ten.png"] == ten
    said = found["mixed-depths", "warning", "."]
    assert "10 bits in 2 (a/ten.png)" in said and "12 bits in 1 (b/twelve.png)" in said
    os.remove(clean / "b/twelve.png")
    assert not findings(clean, "mixed-depths")


def test_every_fingerprint_of_a_good_file_has_signs_and_one_of_a_bad_file_has_none(clean):
    (clean / "a/bad.jpg").write_bytes(b"\xff\xd8\xff")
    good, bad = fingerprints.read(clean, ["a/0.jpg", "a/bad.jpg"])
    assert good.signs.frames == 1 and good.signs.blank is None and good.signs.filled is None
    assert bad.signs is None and bad.problem


def test_a_bitmap_with_an_unset_alpha_is_said(clean):
    hidden = picture(70).convert("RGBA")
    hidden.putalpha(0)
    hidden.save(clean / "a/unset.tga")
    assert findings(clean, "alpha", "blank") == {
        (
            "alpha",
            "note",
            "a/unset.tga",
        ): "its alpha is zero everywhere, which would hide everything; kfg reads it as opaque"
    }
    assert decode.decode(clean / "a/unset.tga").std() > 10
