"""Folders like those that users have: build each case with its maker, and check what its expect.txt says.

A case without a function of its own gets the checks that hold for any folder: audit, split, train and predict end
without a traceback, and a refusal is one line that names a path.
"""

import os
import pathlib
import re
import subprocess
import sys

from chaos import case_folders, case_images, case_runs, running
from chaos.bench import Bench
from chaos.tally import Tally

CHECKS = {**case_folders.CHECKS, **case_images.CHECKS, **case_runs.CHECKS}  # case name without its number -> function


def campaign(tally: Tally, scratch, *, folder: pathlib.Path, only: str = "") -> None:
    """Build the cases of `folder` below `scratch` and check them; `only` lists beginnings of the wanted names."""
    scratch = pathlib.Path(scratch)
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    names = sorted(path.parent.name for path in folder.glob("*/make.py"))
    built = scratch / "built"
    built.mkdir()
    bench = Bench(tally, running.Runner(scratch / "commands", fork=True), scratch)
    print(f"{'case':<24} {'check':<40} {'':<6} what was printed")
    failed = {name: said for name in names if (said := build(folder, name, built))}  # some copy from others
    for name in names:
        if wanted and not name.startswith(tuple(wanted)):
            continue
        bench.case = name
        if name in failed:
            bench.expect("its maker", False, failed[name])
            continue
        known = CHECKS.get(re.sub(r"^\d+-", "", name))
        (known or any_folders)(bench, built / name)


def build(folder, name, built) -> str:
    """Run a case's maker, which writes `built`/`name`; return its error message, "" if it succeeded."""
    env = {**os.environ, "CASES": str(built), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(folder / name / "make.py")], env=env, capture_output=True, text=True, check=False
    )
    return f"{folder / name / 'make.py'}: {(done.stderr.splitlines() or [''])[-1]}" if done.returncode else ""


def any_folders(bench: Bench, case: pathlib.Path) -> None:
    """Run the checks that hold for any folder on each folder of a case."""
    for folder in sorted(path for path in case.iterdir() if path.is_dir()):
        bench.any_folder(folder)
