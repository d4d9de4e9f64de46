"""The page that lists all runs of a folder, with links to their reports."""

import os
import pathlib
from urllib.parse import quote

from kfg import files, overwrite
from kfg.reporting import markup
from kfg.reporting.markup import Number, Section, tag
from kfg.runs import run_files
from kfg.runs.found import Found

PAGE_FILE = "runs.html"
TITLE = "Runs"


def write(folder, runs: list[Found]) -> pathlib.Path:
    """Write the page into the folder of runs; return its path.

    Raises:
        InputError: there is another page of this name that kfg did not write.
    """
    folder = pathlib.Path(folder)
    title = f"<title>{TITLE}</title>"
    overwrite.check_file(folder / PAGE_FILE, lambda path: overwrite.is_page(path, title), what="a list of runs")
    rows = []
    for one in sorted(runs, key=lambda one: one.finished, reverse=True):
        value, low, high = (100 * share for share in one.top1)
        inside = pathlib.PurePath(os.path.relpath(one.path, folder))
        rows.append(
            [
                one.finished.strftime("%Y-%m-%d %H:%M"),
                one.data,
                Number(str(one.classes), one.classes),
                Number(f"{value:.1f}% [{low:.1f}, {high:.1f}] of {one.images:,}", value),
                tag("a", str(inside), href=quote((inside / run_files.PAGE).as_posix())),
            ]
        )
    headers = ["Finished", "Photographs", "Classes", "Right on test images", "Report"]
    sections = [Section("Finished runs", "runs", markup.table(headers, rows, sortable=True))]
    runs_there = "1 finished run" if len(rows) == 1 else f"{len(rows):,} finished runs"
    lead = f"{runs_there} in {folder.resolve()}. 95% intervals are in brackets."
    files.write_text(folder / PAGE_FILE, markup.page(TITLE, lead, sections))
    return folder / PAGE_FILE
