"""Remedies tried on features: each photograph is answered by heads that have not seen it, with and without each."""

import hashlib
import pathlib
from collections.abc import Sequence

import numpy as np

from kfg import files
from kfg.repairing.case import Case
from kfg.repairing.remedies.protocol import Remedy

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
        self.digest = None if folder is None else digest(case)

    def answers(self, remedy) -> np.ndarray:
        if self.folder is None:
            return _likeliest(remedy, self.case)
        name = hashlib.sha256(f"{self.digest} {remedy.name}".encode()).hexdigest()[:32]
        path = self.folder / f"{name}.int32"
        if path.is_file() and path.stat().st_size == 4 * len(self.case):
            return np.fromfile(path, np.int32)
        found = _likeliest(remedy, self.case)
        self.folder.mkdir(parents=True, exist_ok=True)
        with files.whole(path, "wb") as file:
            file.write(found.tobytes())
        return found


def _likeliest(remedy, case) -> np.ndarray:
    return remedy.answers(case).argmax(axis=1).astype(np.int32)


def digest(case: Case) -> str:
    """Return a hash of everything that decides what remedies answer."""
    made = hashlib.sha256(repr((case.classes, case.weak, sorted(case.takers.items()), case.seed)).encode())
    made.update(repr(sorted(case.loss.get_config().items())).encode())
    arrays = [case.labels, case.fold_of, *(getattr(case.seen, name) for name in ("plain", "views", "mirrored"))]
    arrays += [case.seen.second, case.seen.second_mirrored, case.seen.larger]
    mixed = case.seen.mixed
    arrays += [] if mixed is None else [mixed.rows, mixed.first, mixed.second, mixed.share]
    for array in arrays:
        made.update(b"-" if array is None else hashlib.sha256(np.ascontiguousarray(array).data).digest())
    return made.hexdigest()
