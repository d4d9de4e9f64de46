"""Apply a corrections.csv to the photographs of a folder: some get another class, others are left out."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping

from kfg.data import corrections
from kfg.data.corrections import LEFT_OUT, Correction
from kfg.errors import InputError
from kfg.files import digest
from kfg.names import printable, suggestion, utf8
from kfg.runs import run_files

ASIDE = "ignore it with --no-corrections (in Python: corrections=False)"
CHANGED, GONE = "the photograph changed", "the photograph is gone"
MOVED, UNLISTED = "the photograph has another class now", "the photograph is not listed"


@dataclasses.dataclass(frozen=True)
class Corrected:
    """The changes that a corrections.csv makes.

    Args:
        table: the path of the corrections.csv.
        after: path -> new class of the photographs that get another class.
        left_out: paths of the photographs that are not used.
        unfit: reason -> paths of the photographs whose correction no longer fits; it is not applied.
    """

    table: pathlib.Path
    after: Mapping[str, str]
    left_out: frozenset[str]
    unfit: Mapping[str, list[str]]

    @property
    def applied(self) -> int:
        return len(self.after) + len(self.left_out)

    def said(self) -> str:
        """Return a line for the user that says what was applied; "" if the table changes nothing.

        Example:
            >>> table = pathlib.Path("photos/corrections.csv")
            >>> Corrected(table, {"a/1.jpg": "b"}, frozenset(["a/2.jpg"]), {CHANGED: ["a/3.jpg"]}).said()
            'photos/corrections.csv: 2 corrections applied, 1 no longer fits: the photograph changed (a/3.jpg)'
        """
        if not self.applied and not self.unfit:
            return ""
        what = "1 correction" if self.applied == 1 else f"{self.applied:,} corrections"
        return printable(f"{self.table}: {what} applied{self._unfit()}")

    def as_json(self) -> dict:
        """Return the changes as JSON values."""
        return {
            "table": utf8(str(self.table)),
            "relabelled": {utf8(path): utf8(name) for path, name in sorted(self.after.items())},
            "left_out": sorted(map(utf8, self.left_out)),
            "no_longer_fit": {why: sorted(map(utf8, paths)) for why, paths in self.unfit.items()},
        }

    def _unfit(self) -> str:
        count = sum(map(len, self.unfit.values()))
        if not count:
            return ""
        (first, paths), *others = self.unfit.items()
        why = f"{first} ({paths[0]})"
        if others:
            why = ", ".join(f"{why} ({len(paths):,}, such as {paths[0]})" for why, paths in self.unfit.items())
        return f", {count:,} no longer {'fits' if count == 1 else 'fit'}: {why}"


def said(found: Corrected | None) -> str:
    """Return a line for the user that says what was applied; "" if there is no table or it changes nothing."""
    return found.said() if found else ""


def find(root, images: Iterable[tuple[str, str]], classes, *, wanted=True, emptied=False) -> Corrected | None:
    """Return the changes that the corrections of a folder make.

    Each photograph that a correction names is read, because a correction fits only the bytes that were looked at. A
    correction that `images` already contain counts as applied, for example if `kfg split` wrote it to a split.csv.

    Args:
        root: folder of the photographs.
        images: (path, class) of all photographs.
        classes: names of all classes, including those without a photograph.
        wanted: True: use corrections.csv in `root` if it exists; False: use none; else the path of the table.
        emptied: whether a class may be left without a photograph.
    Returns:
        The changes; None if there is no table or `wanted` is False.
    Raises:
        InputError: `corrections.read` refuses the table; a correction names an unknown class; none of the corrections
            fits; a class would be left without a photograph.
    """
    root = pathlib.Path(root)
    table = root / run_files.CORRECTIONS if wanted is True else wanted
    if table is False or (wanted is True and not os.path.lexists(table)):
        return None
    table, images = pathlib.Path(table), dict(images)
    rows = [one for one in corrections.read(table, root) if one.changes]
    check_classes(table, classes)
    unfit, fitting = collections.defaultdict(list), []
    for one in rows:
        if one.after not in (LEFT_OUT, *classes):
            told = f"there is no class {printable(one.after)!r}; {suggestion(one.after, classes)}"
            raise InputError(f"{table}:{one.line}: {told} (or write {LEFT_OUT!r})")
        if why := _misfit(one, images.get(one.path), root):
            unfit[why].append(one.path)
        else:
            fitting.append(one)
    if rows and not fitting:
        told = "; ".join(f"{why}: {paths[0]}" for why, paths in unfit.items())
        raise InputError(
            f"{table}: none of its {len(rows):,} corrections fits the photographs in {printable(str(root))} "
            f"({printable(told)}); if it belongs to another folder, move it there, or {ASIDE}"
        )
    after = {one.path: one.after for one in fitting if one.after != LEFT_OUT}
    left_out = frozenset(one.path for one in fitting if one.after == LEFT_OUT)
    if not emptied:
        _check_filled(table, images, after, left_out)
    return Corrected(table, after, left_out, dict(unfit))


def of_listing(root, listed, folders, *, wanted=True) -> tuple[list[tuple[str, str, str]], Corrected | None]:
    """Apply the corrections of a folder to its listing.

    Args:
        root: the folder.
        listed: (path, class, part) of its images.
        folders: names of its class folders, including those without an image.
        wanted: as for `find`.
    Returns:
        The listing with the corrected classes and without the photographs that are left out; and the changes, None if
        there is no table or `wanted` is False.
    Raises:
        InputError: as `find`.
    """
    classes = dict.fromkeys([*folders, *(name for _, name, _ in listed)])
    found = find(root, (image[:2] for image in listed), classes, wanted=wanted)
    if found is None:
        return list(listed), None
    named = [(path, found.after.get(path, name), part) for path, name, part in listed if path not in found.left_out]
    return named, found


def check_classes(table, classes) -> None:
    """Refuse a class whose name is LEFT_OUT, the word that marks a photograph as left out."""
    if LEFT_OUT in classes:
        raise InputError(
            f"{table}: a class called {LEFT_OUT!r} would be confused with photographs that are left out; rename the "
            "class"
        )


def _misfit(one: Correction, name: str | None, root) -> str:
    """Return why a correction does not fit its photograph, "" if it fits.

    `name` is the photograph's class, None if the photograph is not listed.
    """
    path = root / one.path
    try:
        found = digest(path) if os.path.lexists(path) else ""
    except OSError:
        return CHANGED
    if not found:
        return GONE
    if found != one.sha256:
        return CHANGED
    if name is None:
        return "" if one.after == LEFT_OUT else UNLISTED
    return "" if name in (one.before, one.after) else MOVED


def _check_filled(table, images, after, left_out) -> None:
    """Refuse corrections that leave a class without a photograph."""
    left = {name for path, name in {**images, **after}.items() if path not in left_out}
    if emptied := sorted(set(images.values()) - left):
        raise InputError(
            f"{table}: leaves no photograph in the class {printable(emptied[0])!r}; undo one of the corrections of "
            f"this class with `kfg review`, or {ASIDE}"
        )
