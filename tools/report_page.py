"""Write the report of a finished run into a new folder and measure its page: size, seconds, time to the first click.

Run       python tools/report_page.py RUN [--data PHOTOS] [--out report] [--repeats 5]
Needs     the run's model.keras and photographs, Chromium and Playwright (the test extra)
"""

import argparse
import pathlib
import shutil
import statistics
import time

from _measure import browser as installed_browser

from kfg import explain, reporting
from kfg.data import decode, decoded
from kfg.data.index import make_index
from kfg.exporting import run_models, saved_model
from kfg.runs import origins, run_files
from kfg.runs.run import Run

READ = (run_files.CONFIG, run_files.ENVIRONMENT, run_files.CLASSES, run_files.SPLIT, run_files.HISTORY)
# Clicks on the first mistake and waits until its pictures are decoded and the browser has drawn a frame after that.
CLICK = """async () => {
  const began = performance.now();
  document.querySelector("#confusion [role=gridcell]:not(.ok)").click();
  await Promise.all([...document.querySelectorAll("#shown .shot img")].map(image => image.decode()));
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const [load] = performance.getEntriesByType("navigation");
  return [load.domContentLoadedEventEnd, performance.now() - began];
}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, help="the photographs (default: where they were)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("report"), help="a new folder")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    run = Run(args.run)
    data = origins.photographs_folder(run.path, args.data)
    told = written(run, data, args.out)
    page = args.out / run_files.PAGE
    print(f"{len(run.predictions):,} test photographs, {len(run.classes)} classes")
    print(f"page: {page.stat().st_size / 1e6:.2f} MB")
    print(*(f"{what}: {took}" for what, took in told.items()), sep="\n")
    ready, shown = zip(*clicks(page, args.repeats), strict=True)
    print(f"opened until a click is answered: {spread(ready)}; from the click to its pictures: {spread(shown)}")


def written(run, data, out) -> dict[str, str]:
    """Write the report as at the end of a training; return the time that each part of this took."""
    out.mkdir(parents=True)
    for name in READ:
        shutil.copy(run.path / name, out)
    answers = run.predictions
    model, _ = run_models.load_keras(run.path)
    index = make_index(data, answers.paths, answers.labels, answers.classes)
    store = decoded.load(index, image_size=saved_model.input_size(model), cache_dir=out / "cache")
    looks, of_maps = timed(lambda: explain.looks(model, answers, store, out))
    common = {"extra_sections": looks.sections}
    _, plain = timed(lambda: reporting.write(out, answers, **common))
    shown = {"image_root": data, "decode": decode.decode, "store": store, "maps": looks.maps}
    _, whole = timed(lambda: reporting.write(out, answers, **common, **shown))
    return {"Grad-CAM": of_maps, "report without photographs": plain, "report with all photographs": whole}


def timed(work) -> tuple[object, str]:
    """Return the result of `work()`, and its time as text: clock time, and processor time.

    On a busy machine only the clock time is longer.
    """
    clock, processor = time.perf_counter(), time.process_time()
    made = work()
    took = time.process_time() - processor
    return made, f"{time.perf_counter() - clock:.1f} s, {took:.1f} s of processor time"


def clicks(page, repeats) -> list[tuple[float, float]]:
    """Open the page `repeats` times; return each time the ms until it is ready, and from a click to its pictures."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=installed_browser(), args=["--no-sandbox"])
        found = []
        for _ in range(repeats):
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            tab.goto(page.resolve().as_uri())
            found.append(tuple(tab.evaluate(CLICK)))
            tab.close()
        browser.close()
    return found


def spread(milliseconds) -> str:
    low, high = min(milliseconds), max(milliseconds)
    return f"{statistics.median(milliseconds):.0f} ms ({low:.0f} to {high:.0f}, n = {len(milliseconds)})"


if __name__ == "__main__":
    main()
