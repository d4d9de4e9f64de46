"""Count the results of a campaign's checks, keep inputs that failed, print the table and append a line of results."""

import dataclasses
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import time

KINDS = ("done", "lost", "doubled", "tracebacks", "other")
BAD = KINDS[1:]  # "done" counts the checks; for a campaign to pass, all other counts must be 0
SHOWN = 40  # most failures printed; failures.txt has all of them


@dataclasses.dataclass(frozen=True)
class Failure:
    """A failure that a check found.

    Args:
        kind: one of BAD.
        said: one line that says what is wrong, and where.
    """

    kind: str
    said: str


class Tally:
    """Counts the results of checks, by row of the table.

    Args:
        name: name of the campaign.
        kept: folder for the inputs that failed; it is made at the first failure.
        seed: seed of the campaign, with which it can be repeated.
    """

    def __init__(self, name: str, *, kept, seed: int):
        self.name, self.kept, self.seed = name, pathlib.Path(kept), seed
        self.rows: dict[str, dict[str, int]] = {}
        self.failures: list[str] = []
        self.figures: dict = {}  # further figures of the campaign, for its line of results
        self.begun = time.monotonic()

    def note(self, row: str, failures=(), *, keep=(), what: str = "") -> None:
        """Count one finished check and its failures in a row of the table.

        Args:
            row: name of the row.
            failures: the Failures that the check found; empty if it passed.
            keep: files and folders to copy beside the failures, or (name, bytes) pairs.
            what: text that identifies the case, so that it can be repeated.
        """
        counts = self.rows.setdefault(row, dict.fromkeys(KINDS, 0))
        counts["done"] += 1
        for failure in failures:
            counts[failure.kind] += 1
        if not failures:
            return
        number = len(self.failures) + 1
        lines = [f"{number:04d} {row}{f' [{what}]' if what else ''}: {one.kind}: {one.said}" for one in failures]
        self.failures += lines
        self.kept.mkdir(parents=True, exist_ok=True)
        with open(self.kept / "failures.txt", "a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in lines)
        for one in keep:
            _keep(one, self.kept / f"{number:04d}")

    def total(self) -> dict[str, int]:
        return {kind: sum(row[kind] for row in self.rows.values()) for kind in KINDS}

    def failed(self) -> bool:
        """Return whether there is a failure.

        A campaign that checked nothing without saying why has failed, too, and so has one that was to kill and has not.
        """
        total = self.total()
        nothing = not (total["done"] or self.figures.get("skipped")) or self.figures.get("kills") == 0
        return nothing or any(total[kind] for kind in BAD)

    def table(self) -> str:
        width = max(20, *(len(row) for row in [*self.rows, self.name]))
        lines = [f"{self.name:<{width}}" + "".join(f"{kind:>12}" for kind in KINDS)]
        for row, counts in [*self.rows.items(), ("total", self.total())]:
            lines.append(f"{row:<{width}}" + "".join(f"{counts[kind]:>12,}" for kind in KINDS))
        if self.figures.get("kills") == 0:
            lines += ["", "nothing was killed, so nothing is shown"]
        if self.failures:
            lines += ["", f"failures, the first {SHOWN} (all of them, and their inputs: {self.kept}):"]
            lines += self.failures[:SHOWN]
        return "\n".join(lines)

    def line(self) -> dict:
        """Return the figures of this campaign as a dict, which becomes a line of results.jsonl."""
        return {
            "campaign": self.name,
            "commit": commit(),
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "seed": self.seed,
            "seconds": round(time.monotonic() - self.begun, 1),
            **self.total(),
            "rows": self.rows,
            **self.figures,
            "machine": machine(),
        }


def _keep(one, folder):
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(one, tuple):
        name, data = one
        (folder / name).write_bytes(data)
        return
    path = pathlib.Path(one)
    target, number = folder / path.name, 1
    while target.exists():
        target, number = folder / f"{path.name}-{number}", number + 1
    if path.is_dir():
        shutil.copytree(path, target, symlinks=True, ignore_dangling_symlinks=True)
    elif path.is_file():
        shutil.copy2(path, target)


def append(path, line: dict) -> None:
    """Append one line of JSON to a results file."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def commit() -> str:
    """Return the commit of this checkout, with "+" if files were changed since; "" outside of a checkout."""
    here = pathlib.Path(__file__).parent

    def git(*words):
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    found = git("rev-parse", "--short=12", "HEAD")
    return found + ("+" if found and git("status", "--porcelain", "--untracked-files=no") else "")


def machine() -> dict:
    """Return facts that a reader needs to judge the seconds: system, cores, processor and its vector instructions."""
    told = {}
    if os.path.exists("/proc/cpuinfo"):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            told.setdefault(name.strip(), value.strip())
    flags = [flag for flag in told.get("flags", "").split() if flag.startswith(("avx", "fma", "amx", "sse4"))]
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": told.get("model name", platform.processor()),
        "flags": flags,
    }
