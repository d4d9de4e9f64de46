"""Make the screenshots in docs/images: parts of the report of a `bash tools/demo` run, as a browser shows them.

Run       python tools/gallery.py [runs/demo/folder/transfer/seed-0] [--review PAGE] [--out docs/images]
Needs     Chromium and Playwright (the test extra); PAGE is what `kfg review DIR --run RUN --static PAGE` wrote

The demo's photographs are drawn by kfg, so the screenshots may be published. Look at each before you commit it.
"""

import argparse
import io
import pathlib

from _measure import browser as installed_browser
from PIL import Image

from kfg.reviewing import static
from kfg.runs import run_files

VIEW = {"width": 1100, "height": 760}  # pixels
COLOURS = 128  # colours in the palette of each screenshot; the file has a third of the bytes
PARTS = {  # name of the screenshot -> CSS selector of the part of the report
    "classes": "#classes",
    "confidence": "section:has(> h2:text('How sure the model may be'))",
    "gradcam": "section:has(> h2:text('What the model looks at'))",
    "next": "section:has(> h2:text('What to do next'))",
}
LOADED = """() => [...document.images].every((one) => {
  const place = one.getBoundingClientRect();
  return one.complete || place.top > innerHeight || place.left > innerWidth;
})"""  # pictures further down are loaded only when somebody scrolls there
MISTAKE = "#confusion [role=gridcell]:not(.ok)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=pathlib.Path, default=pathlib.Path("runs/demo/folder/transfer/seed-0"))
    parser.add_argument("--review", type=pathlib.Path, help="a folder of kfg review --static")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs/images"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=installed_browser(), args=["--no-sandbox"])
        tab = browser.new_page(viewport=VIEW)
        tab.goto((args.run / run_files.PAGE).resolve().as_uri())
        kept(args.out / "report.png", tab.screenshot())
        for name, selector in PARTS.items():
            kept(args.out / f"{name}.png", tab.locator(selector).first.screenshot())
        tab.locator(MISTAKE).first.click()
        tab.locator("#shown .shot img").first.wait_for()
        tab.locator("#confusion").scroll_into_view_if_needed()
        kept(args.out / "matrix.png", tab.screenshot())
        pages = {"repair": args.run / "repair" / "repair.html", "review": args.review and args.review / static.PAGE}
        for name, page in pages.items():
            if page is not None and page.is_file():
                tab.goto(page.resolve().as_uri())
                tab.wait_for_function(LOADED)
                kept(args.out / f"{name}.png", tab.screenshot())
        browser.close()


def kept(path: pathlib.Path, picture: bytes) -> None:
    """Write a screenshot to `path`, reduced to COLOURS colours, and print its size."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    print(f"{path}: {image.width} x {image.height}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
