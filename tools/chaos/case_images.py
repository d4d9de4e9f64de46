"""Checks of the cases with unusual image files."""

import shutil

import numpy as np

from chaos import images, workload
from chaos.bench import classes, told
from chaos.tally import Failure

# files that any browser shows as four quarters: red and green above blue and white
QUARTERS = (
    "mpo_named_jpg.jpg", "mpo_turned.jpg", "cmyk_adobe_inverted.jpg", "rgb_16.png", "bmp32_v5_alpha_zero.bmp",
    "bmp32_v3.bmp", "png_badcrc_text.png", "png_bigtext.png", "png_bad_icc.png", "png_interlaced.png", "apng.png",
    "webp_anim.webp", "jpeg_no_eoi.jpg", "jpeg_progressive.jpg", "jpeg_rgb.jpg", "exif_long_be.jpg", "exif_long_le.jpg",
    "exif_after_64k.jpg", "exif_normal_6.jpg", "exif_text_in_comment.jpg",
)  # fmt: skip
# files that no browser shows: kfg must show the four quarters, or refuse them
PERHAPS = (
    "tiff_lzw.tif", "tiff_jpeg.tif", "tiff_cmyk.tif", "tiff_rgb16.tif", "tiff_rgbnir.tif",
    "tiff_pages.tif", "ppm_named.ppm", "tga.tga", "jp2.jp2",
)  # fmt: skip
COLOURS = ((220, 30, 30), (30, 200, 40), (30, 50, 220), (250, 250, 250))
NEAR = 45  # most levels by which JPEG, CMYK and premultiplied alpha may change a colour
KINDS = {  # beginning of a file's name -> words of which the message must contain one
    "heic": ("heic",), "avif": ("avif",), "jxl": ("jpeg xl", "jxl"), "svg": ("svg",), "html": ("html", "web page"),
    "pdf": ("pdf",), "psd": ("photoshop", "psd"),
}  # fmt: skip
UNREAD = ("dcm", "npy", "svg", "psd", "mp4", "rwl")  # suffixes of files that no decoder of kfg reads
NOTHING_TO_SEE = ("alpha_all_zero.png", "alpha_all_zero.webp", "white_logo_on_transparent.png")
HALF = ("jpeg_half_then_eoi.jpg", "jpeg_half_zeroed.jpg", "jpeg_half_zeroed_eoi.jpg")
TWELVE_BITS = ("grey_12bit_in_16.png", "grey_12bit_in_16.tif")


def quarters(pixels) -> bool:
    """Return whether an image shows the four quarters, upright."""
    height, width = pixels.shape[:2]
    seen = [pixels[height * y // 4, width * x // 4].astype(int) for y, x in ((1, 1), (1, 3), (3, 1), (3, 3))]
    return width > height and all(np.abs(one - wanted).max() <= NEAR for one, wanted in zip(seen, COLOURS, strict=True))


def odd_files(bench, case):
    from kfg.data.decode import decode

    pair, folder = images.Pair(), case / "data"
    both_decoders(bench, pair, folder)
    for name in (*QUARTERS, *PERHAPS):
        pixels, error = pair.asked(decode, folder / name)
        good = name in PERHAPS if error else quarters(pixels)
        seen = str(error) if error else "the same picture" if good else f"another picture, {pixels.shape}"
        bench.expect(f"{name}: shown", good, seen)
    for path in sorted(folder.glob("*_named.*")):
        words = KINDS.get(path.name.split("_")[0], ())
        _, error = pair.asked(decode, path)
        if words and error:
            why = str(error).replace(str(path), "").lower()
            bench.expect(f"{path.name}: said as what it is", any(word in why for word in words), why)
    data = bench.out("odd")
    shutil.copytree(folder, data / "odd")
    workload.write_photos(data, classes={"plain": (40, 60, 200)})
    for name in (*NOTHING_TO_SEE, *HALF):
        bench.expect(f"{name}: audit names it", bench.found(data, name), wrong="not named")
    for name in TWELVE_BITS:
        pixels, error = pair.asked(decode, folder / name)
        visible = error is None and int(pixels.max()) - int(pixels.min()) > 100
        bench.expect(
            f"{name}: visible, or said", visible or bench.found(data, name), wrong="almost black, and not said"
        )
    bench.ends("predict", bench.predict(folder))


def both_decoders(bench, pair, folder):
    """Compare decode and the export's graph on every file, and check the messages of refusals."""
    failures, words, count = [], [], 0
    for path in sorted(folder.iterdir()):
        count += 1
        failures += [Failure(one.kind, f"{path.name}: {one.said}") for one in pair.compare(path.read_bytes())[1]]
        _, error = pair.asked(pair.decode, path)
        words += [f"{path.name}: {error}"] * ("object at 0x" in str(error))
    bench.note(f"{folder.name}: both decoders", failures, f"{count} files")
    bench.expect(f"{folder.name}: no Python addresses", not words, words[0] if words else f"{count} files")


def tiffs(bench, case):
    from kfg.data.decode import decode

    pair, folder = images.Pair(), case / "data"
    both_decoders(bench, pair, folder)
    for path in sorted(folder.glob("*_photo0_fmt1_ord1_bits16_*")):
        inverted, _ = pair.asked(decode, path)
        plain, _ = pair.asked(decode, folder / path.name.replace("photo0", "photo1"))
        if inverted is not None and plain is not None:
            off = float(np.abs(inverted.astype(int) + plain - 255).mean())
            bench.expect(f"{path.name}: inverted", off < 3, f"off by {off:.0f} levels on average")
    pixels, error = pair.asked(decode, folder / "ct_signed16.tif")
    rising = error is not None or bool((np.diff(pixels[..., 0].ravel().astype(int)) >= 0).all())
    bench.expect("ct_signed16.tif: does not wrap around", rising, wrong="brighter values come out darker")
    for path in sorted(folder.glob("*_fmt3_*bits32_*")):
        _, error = pair.asked(decode, path)
        bench.expect(
            f"{path.name}: float refused in words",
            error is None or any(word in str(error) for word in ("float", "32-bit")),
            str(error),
        )
    bench.ends("predict", bench.predict(folder), codes=(0, 1))


def other_formats(bench, case):
    for folder in sorted(case.iterdir()):
        bench.any_folder(folder)
    for name, wanted in (
        ("gtsrb_ppm", {"00000": 8, "00001": 8}),
        ("one_ppm_class", {"cat": 12, "dog": 12, "horse": 8}),
    ):
        found = classes(bench.split(case / name)[1])
        bench.expect(f"{name}: every image is read", found == wanted, str(found))
    mixed = case / "mixed"
    for command, ended in (
        ("audit", bench.audit(mixed)),
        ("split", bench.split(mixed)[0]),
        ("train", bench.train(mixed)[0]),
    ):
        unread = [kind for kind in UNREAD if kind not in told(mixed, ended).lower()]
        bench.expect(
            f"mixed: {command} counts all kinds aloud", not unread, wrong=f"not mentioned: {', '.join(unread)}"
        )
    for name in ("heic", "avif", "html"):
        folder = case / f"{name}_as_jpg"
        ended = bench.train(folder)[0]
        bench.expect(f"{name}_as_jpg: said or read", ended.code == 0 or name in told(folder, ended).lower(), ended.told)
    big = bench.train(case / "bomb108mp")[0]
    bench.expect(
        "bomb108mp: read, or plain words",
        "bomb" not in told(case / "bomb108mp", big).replace("bomb108mp", ""),
        big.told,
    )
    for name, image in (("blank_after_white", "logo0.png"), ("half_grey", "half0.jpg")):
        bench.expect(f"{name}: audit names them", bench.found(case / name, image), wrong=f"{image} is not named")
    used = {path for path, _, _ in bench.split(case / "noise_eoi")[1]}
    bench.expect("noise_eoi: whole pictures are used", "cat/cam0.jpg" in used, wrong="cat/cam0.jpg is not used")
    twelve(bench, case / "twelve_bit")


def twelve(bench, folder):
    from kfg.data.decode import decode

    pixels = decode(folder / "circle" / "0.png")
    spread = int(pixels.max()) - int(pixels.min())
    said_so = "bit" in told(folder, bench.audit(folder), bench.train(folder)[0])
    bench.expect("twelve_bit: visible, or said", spread > 100 or said_so, f"levels span {spread}")


CHECKS = {"odd-files-decode": odd_files, "tiff-every-kind": tiffs, "other-formats": other_formats}
