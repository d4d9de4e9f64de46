"""What a person has decided in `kfg review` about the labels of photographs: this must not be asked again."""

import dataclasses
from collections.abc import Collection

import numpy as np

from kfg.data import corrections
from kfg.data.index import Index
from kfg.files import digest


@dataclasses.dataclass(frozen=True)
class Decided:
    """Positions of the photographs of an index that a person has decided about.

    Args:
        confirmed: the label that they have in the index was confirmed, or is what a person gave them.
        changed: they were relabelled or left out, and the index has not that label: it is of an earlier time.
    """

    confirmed: frozenset[int] = frozenset()
    changed: frozenset[int] = frozenset()

    def open(self, positions) -> np.ndarray:
        """Return those of the positions that nobody has decided about, in their order."""
        return without(positions, self.confirmed | self.changed)


NOTHING = Decided()


def without(positions, known: Collection[int]) -> np.ndarray:
    """Return the positions, int (K,), that are not among the known ones, in their order."""
    positions = np.asarray(positions, int)
    return positions[~np.isin(positions, list(known))]


def of(index: Index, table) -> Decided:
    """Return what a corrections.csv decides about the photographs of an index.

    A decision counts only for the bytes that were looked at, as in `kfg.data.corrected`.

    Args:
        index: the photographs.
        table: path of the table; if it does not exist, nothing is decided.
    Raises:
        InputError: the table is damaged.
    """
    rows, confirmed, changed = corrections.known(table, index.root), set(), set()
    for at, path in enumerate(index.paths) if rows else ():
        if (row := rows.get(path)) is None or row.sha256 != _digest(index, at):
            continue
        (confirmed if row.after == index.classes[index.labels[at]] else changed).add(at)
    return Decided(frozenset(confirmed), frozenset(changed))


def _digest(index, at) -> str:
    return (index.sha256[at] if index.sha256 else "") or digest(index.root / index.paths[at])
