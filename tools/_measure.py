"""Measure several cases in turns, and print their medians and ratios."""

import os
import pathlib
import platform
import re
import shutil
import statistics
import time
from collections.abc import Callable

from kfg.training.processor import BFLOAT16

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def interleaved(cases: dict[str, Callable[[], float]], *, repeats: int, warm_up: bool = True) -> dict[str, list[float]]:
    """Run every case once to warm up, then in `repeats` rounds, with the cases in reverse order in every other round.

    Args:
        cases: name -> function that does the work once and returns its figure (images/s, seconds, MB).
        repeats: int >= 1, number of figures per case.
        warm_up: whether to run every case once before measuring.
    Returns:
        A dict name -> figures in the order in which they were measured, without the warm-up.
    """
    for case in cases.values() if warm_up else ():
        case()
    figures = {name: [] for name in cases}
    for number in range(repeats):
        for name in list(cases) if number % 2 == 0 else reversed(cases):
            figures[name].append(cases[name]())
    return figures


def rate(work: Callable[[], object], count: int) -> Callable[[], float]:
    """Return a case for `interleaved` that measures items per second of a function `work`, which does `count` items."""

    def case():
        start = time.perf_counter()
        work()
        return count / (time.perf_counter() - start)

    return case


def report(title: str, figures: dict[str, list[float]], *, unit: str, bars=()) -> bool:
    """Print the median of each case, and for each (name, other, least) of `bars` the ratio of two medians.

    Return True if all ratios are at least `least`.
    """
    count = len(next(iter(figures.values())))
    print(f"{title}: median of {count} (lowest to highest), {os.cpu_count()} cores, {processor()}")
    for name, values in figures.items():
        print(f"  {statistics.median(values):10,.1f} {unit}  ({min(values):,.1f} to {max(values):,.1f})  {name}")
    met = True
    for name, other, least in bars:
        ratio = statistics.median(figures[name]) / statistics.median(figures[other])
        met &= ratio >= least
        print(f"  {ratio:10.2f} times  {name} / {other}; bar {least}: {'met' if ratio >= least else 'MISSED'}")
    return met


def processor() -> str:
    """Return the name of the processor, with AVX-512 or AVX2 and bfloat16 if it multiplies such vectors and numbers."""
    told = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"model name\s*:\s*(.*)", told)
    units = "AVX-512" if "avx512f" in told else "AVX2" if "avx2" in told else ""
    half = "bfloat16" if BFLOAT16 & set(told.split()) else ""
    return " ".join(filter(None, (name and name[1], units, half))) or platform.processor()


def browser() -> str:
    """Return the path of Chromium or Chrome, whichever is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(f"no browser is installed; install one of {', '.join(BROWSERS)}")
    return found
