"""Remedies tried on features: each photograph is answered by heads that have not seen it, with and without each."""

import functools
import hashlib
import pathlib
from collections.abc import Sequence

import numpy as np

from kfg import files
from kfg.repairing.case import Case
from kfg.repairing.remedies.protocol import Remedy

VERSION = 1  # of what remedies answer; after a change of theirs, another one
SEEDS, FOLDS = 3, 5  # divisions into folds; parts of each


def fitting(remedies: Sequence[Remedy], case: Case) -> list[Remedy]:
    """Return the remedies for which what they need was computed."""
    return [remedy for remedy in remedies if case.seen.has(*remedy.needs)]


def screen(cases: Sequence[Case], remedies: Sequence[Remedy], *, folder=None, progress=None) -> dict[str, np.ndarray]:
    """Return what each remedy's heads call each photograph.

    Args:
        cases: R, one for each division into folds.
        remedies: that fit them.
        folder: where answers are kept as they come, so that a killed screening goes on; default nowhere.
        progress: function (tried, to be tried), called after each.
    Returns:
        remedy's name -> int32 (R, N), the likeliest class of each photograph.
    """
    found = {remedy.name: [] for remedy in remedies}
    done, total = 0, len(cases) * len(remedies)
    for case in cases:
        kept = _Kept(folder, case)
        for remedy in remedies:
            found[remedy.name].append(kept.answers(remedy))
            done += 1
            if progress is not None:
                progress(done, total)
    return {name: np.stack(answers) for name, answers in found.items()}


class _Kept:
    """The answers of one case, each in a file named after everything that decides it."""

    def __init__(self, folder, case):
        self.folder, self.case = None if folder is None else pathlib.Path(folder), case
        self.digest = None if folder is None else functools.cache(functools.partial(digest, case))

    def answers(self, remedy) -> np.ndarray:
        if self.folder is None:
            return _likeliest(remedy, self.case)
        made = [remedy.name, *(self.digest(field) for field in ("", "plain", *remedy.needs))]
        path = self.folder / f"{hashlib.sha256(' '.join(made).encode()).hexdigest()[:32]}.int32"
        if path.is_file() and path.stat().st_size == 4 * len(self.case):
            return np.fromfile(path, np.int32)
        found = _likeliest(remedy, self.case)
        self.folder.mkdir(parents=True, exist_ok=True)
        with files.whole(path, "wb") as file:
            file.write(found.tobytes())
        return found


def _likeliest(remedy, case) -> np.ndarray:
    return remedy.answers(case).argmax(axis=1).astype(np.int32)


def digest(case: Case, field: str) -> str:
    """Return a hash of some features of a case, or where none are named of everything else that decides answers."""
    if not field:
        made = (VERSION, case.classes, case.weak, sorted(case.takers.items()), case.seed)
        found = hashlib.sha256(repr((*made, sorted(case.loss.get_config().items()))).encode())
        arrays = [case.labels, case.fold_of]
    else:
        found, seen = hashlib.sha256(), getattr(case.seen, field)
        arrays = [seen] if isinstance(seen, np.ndarray) else [seen.rows, seen.first, seen.second, seen.share]
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
