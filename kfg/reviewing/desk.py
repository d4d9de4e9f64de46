"""A review: the queue of photographs, and the corrections.csv into which each decision is written at once."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence

from kfg.data import corrections
from kfg.data.corrections import LEFT_OUT, Correction
from kfg.errors import InputError
from kfg.files import digest
from kfg.names import printable, quoted, suggestion
from kfg.reviewing.items import Item
from kfg.runs import run_files

AGAIN = "start `kfg review` again"


@dataclasses.dataclass(frozen=True, eq=False)
class Desk:
    """The photographs to decide about, and the table of decisions.

    Args:
        root: folder of the photographs.
        table: path of the corrections.csv.
        classes: C names.
        before: path -> class by its folder, for all photographs.
        items: the queue, the most suspicious first.
        typical: class -> paths of the photographs that show it best.
        told: a line on how the queue was made.
    """

    root: pathlib.Path
    table: pathlib.Path
    classes: tuple[str, ...]
    before: Mapping[str, str]
    items: Sequence[Item]
    typical: Mapping[str, Sequence[str]]
    told: str

    def decisions(self) -> dict[str, Correction]:
        """Return path -> its correction so far, the newest last; raises as kfg.data.corrections.read does."""
        return corrections.known(self.table, self.root)

    def decide(self, number: int, after: str | None, *, was: str | None) -> dict[str, Correction]:
        """Write the decision on a photograph of the queue, or take it back.

        Args:
            number: number of the item.
            after: class, LEFT_OUT, or None to take the decision back.
            was: the decision that the page shows, None for no decision.
        Returns:
            The result of `decisions`.
        Raises:
            corrections.Changed: something else has been decided in the meantime.
            InputError: an unknown class; a class for a file that cannot be read; a photograph that has changed or is
                gone; a table that cannot be read or written.
        """
        item = self.items[number]
        if after is not None and after not in (*self.classes, LEFT_OUT):
            raise InputError(f"there is no class {printable(after)!r}; {suggestion(after, self.classes)}")
        if item.suspicions[0].kind == "broken" and after not in (None, LEFT_OUT):
            raise InputError("this file cannot be read, so it can only be left out")
        made = None if after is None else self._correction(item, after)
        if made is not None and made.changes:
            self._check_not_the_last(item)
        return corrections.decide(self.table, self.root, item.path, made, was=was)

    def _check_not_the_last(self, item: Item) -> None:
        """Refuse to take its last photograph from a class: no training would be possible any more."""
        now = {**self.before, **{path: one.after for path, one in self.decisions().items()}}
        name = now[item.path]
        if name in self.classes and not any(now[path] == name for path in self.before if path != item.path):
            raise InputError(f"this is the last photograph of {printable(name)}; a class needs at least one")

    def _correction(self, item: Item, after: str) -> Correction:
        path = self.root / item.path
        try:
            found = digest(path)
        except OSError as error:
            raise InputError(f"{printable(str(path))}: {error.strerror}; {AGAIN}") from error
        if found != item.sha256:
            raise InputError(f"{printable(str(path))}: was changed after this review started; {AGAIN}")
        return Correction(item.path, found, self.before[item.path], after, item.reason, corrections.now())

    @property
    def pictures(self) -> list[str]:
        """Paths of all photographs that the page shows, first those of the queue."""
        shown = [item.path for item in self.items] + [item.beside for item in self.items if item.beside]
        return list(dict.fromkeys([*shown, *(path for name in self.typical.values() for path in name)]))

    @property
    def command(self) -> str:
        """The command to type after the review."""
        own = self.table == self.root / run_files.CORRECTIONS
        return f"kfg train {quoted(self.root)}" + ("" if own else f" --corrections {quoted(self.table)}")

    @property
    def name(self) -> str:
        return printable(self.root.resolve().name)

    def shown(self, large, small) -> dict:
        """Return the queue as JSON values for the page.

        Args:
            large, small: functions number of a picture -> its address, in large and in small.
        """
        number = {path: at for at, path in enumerate(self.pictures)}

        def picture(path):
            return {"path": printable(path), "small": small(number[path]), "label": self.before.get(path, "")}

        items = [
            {
                "path": item.path,
                "sha256": item.sha256,
                "before": self.before[item.path],
                "other": item.other,
                "reason": item.reason,
                "kind": item.suspicions[0].kind,
                "large": large(number[item.path]),
                "small": small(number[item.path]),
                "beside": item.beside and {**picture(item.beside), "large": large(number[item.beside])},
            }
            for item in self.items
        ]
        whole = hashlib.sha256("\n".join([str(self.root.resolve()), *(item.path for item in self.items)]).encode())
        return {
            "id": whole.hexdigest()[:16],
            "classes": list(self.classes),
            "leftOut": LEFT_OUT,
            "columns": list(corrections.COLUMNS),
            "items": items,
            "typical": {name: [picture(path) for path in paths] for name, paths in self.typical.items()},
        }


def rows(decided: Mapping[str, Correction]) -> dict:
    """Return decisions as JSON values for the page, the newest last."""
    return {path: dataclasses.asdict(one) for path, one in decided.items()}
