"""Try remedies on features: each photograph is answered by heads that have not seen it, with each remedy in turn."""

import dataclasses
import functools
import hashlib
import math
import pathlib
import time
from collections.abc import Callable, Sequence

import numpy as np

from kfg import files
from kfg.repairing.case import Case
from kfg.repairing.remedies.protocol import Remedy

VERSION = 2  # of the remedies, part of the name of kept answers; raise it when a remedy changes
SEEDS, FOLDS = 3, 5  # divisions into folds; folds in each


def fitting(remedies: Sequence[Remedy], case: Case) -> tuple[list[Remedy], dict[str, str]]:
    """Return the remedies that can be tried on a case, and name -> why for the others, see `unfit`."""
    why = {remedy.name: unfit(remedy, case) for remedy in remedies}
    return [one for one in remedies if not why[one.name]], {name: said for name, said in why.items() if said}


def unfit(remedy: Remedy, case: Case) -> str:
    """Return why a remedy cannot be tried on a case; "" if it can."""
    if case.manner.mirrored and {"mirrored", "larger"} & set(remedy.needs):
        return "the run already averages its answers with those on mirror images"
    lacking = [name for name in remedy.needs if not case.seen.has(name)]
    return case.seen.missing.get(lacking[0], f"{lacking[0]} was not computed") if lacking else ""


def screen(
    cases: Sequence[Case],
    remedies: Sequence[Remedy],
    *,
    folder=None,
    progress=None,
    left: Callable[[], float] = lambda: math.inf,
) -> dict[str, np.ndarray]:
    """Return, for each remedy, the class that its heads find likeliest for each photograph.

    Remedies that are likeliest to help are tried first. A remedy is left out if the slowest so far would not fit into
    the time left, or if its own first case shows that its other cases would not.

    Args:
        cases: R cases, one for each division into folds.
        remedies: remedies that can be tried on these cases.
        folder: where answers are kept as soon as they are known, so that a killed screening can continue; default
            nowhere.
        progress: function (remedies tried, remedies in all), called after each.
        left: function () -> seconds that are left.
    Returns:
        name of a remedy -> int32 (R, N), the likeliest class of each photograph, in the order of `remedies`; without
        the remedies for which there was no time.
    """
    kept, found, pace = [_Kept(folder, case) for case in cases], {}, _Pace(left)
    for remedy in sorted(remedies, key=lambda one: one.turn):
        if (answers := _tried(remedy, kept, pace)) is not None:
            found[remedy.name] = answers
            if progress is not None:
                progress(len(found), len(remedies))
    return {remedy.name: found[remedy.name] for remedy in remedies if remedy.name in found}


@dataclasses.dataclass
class _Pace:
    """Tells whether there is time to try a remedy on some more cases."""

    left: Callable[[], float]
    slowest: float = 0.0  # seconds that the slowest remedy took for one case

    def fits(self, cases: int, seconds: float) -> bool:
        return cases * seconds <= self.left()


def _tried(remedy, kept, pace) -> np.ndarray | None:
    """Return a remedy's answers on all R cases, int32 (R, N), or None if there is no time for it."""
    unknown = [one for one in kept if not one.knows(remedy)]
    # the slowest is a careful guess: what remedies share is trained by the first of them, and the others are faster
    if unknown and not pace.fits(len(unknown), pace.slowest):
        return None
    for number, one in enumerate(unknown, start=1):
        began = time.monotonic()
        one.answers(remedy)
        seconds = time.monotonic() - began
        pace.slowest = max(pace.slowest, seconds)
        if not pace.fits(len(unknown) - number, seconds):
            return None
    return np.stack([one.answers(remedy) for one in kept])


class _Kept:
    """Remedies' answers on one case, each in a file named after all that decides it; without a folder in memory."""

    def __init__(self, folder, case):
        self.folder, self.case, self.found = None if folder is None else pathlib.Path(folder), case, {}
        self.digest = functools.cache(functools.partial(digest, case))

    def answers(self, remedy) -> np.ndarray:
        """Return a remedy's answers, int32 (N,); they are computed if they are not known yet."""
        if not self.knows(remedy):
            self.found[remedy.name] = _likeliest(remedy, self.case)
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                with files.whole(self._path(remedy), "wb") as file:
                    file.write(self.found[remedy.name].tobytes())
        return self.found[remedy.name]

    def knows(self, remedy) -> bool:
        """Return whether a remedy's answers are known; if a file has them, read it."""
        if remedy.name in self.found or self.folder is None:
            return remedy.name in self.found
        path = self._path(remedy)
        if path.is_file() and path.stat().st_size == 4 * len(self.case):
            self.found[remedy.name] = np.fromfile(path, np.int32)
        return remedy.name in self.found

    def _path(self, remedy) -> pathlib.Path:
        made = [remedy.name, *(self.digest(field) for field in ("", "plain", *remedy.needs))]
        if remedy.doubts and self.case.confirmed:
            made.append(str(sorted(self.case.confirmed)))
        return self.folder / f"{hashlib.sha256(' '.join(made).encode()).hexdigest()[:32]}.int32"


def _likeliest(remedy, case) -> np.ndarray:
    return remedy.answers(case).argmax(axis=1).astype(np.int32)


def digest(case: Case, field: str) -> str:
    """Return a hash of one field of a case's features; for field "", of everything else that decides the answers."""
    if not field:
        made = (VERSION, case.classes, case.weak, sorted(case.takers.items()), case.seed)
        manner = case.manner
        made = (*made, sorted(manner.loss.get_config().items()))
        if manner.sampling or manner.mirrored:
            made = (*made, manner.sampling, manner.mirrored)
        found = hashlib.sha256(repr(made).encode())
        arrays = [case.labels, case.fold_of, *([] if manner.bias is None else [manner.bias])]
        arrays += [case.seen.mirrored] if manner.mirrored else []
    else:
        found, seen = hashlib.sha256(), getattr(case.seen, field)
        arrays = [seen] if isinstance(seen, np.ndarray) else [seen.rows, seen.first, seen.second, seen.share]
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
