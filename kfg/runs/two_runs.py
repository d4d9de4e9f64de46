"""Compare two finished runs: the test photographs that both have answered, what changed, which settings differ."""

import dataclasses
import hashlib
import pathlib

import numpy as np

from kfg import overwrite
from kfg.data import decode
from kfg.data.splitcsv import split_rows
from kfg.data.to_rgb import to_rgb
from kfg.errors import InputError
from kfg.evaluation import predict, versus
from kfg.evaluation.predict import Predictions
from kfg.files import read_json, write_text
from kfg.names import counted, printable, shortened
from kfg.reporting import thumbnails
from kfg.reporting import versus as versus_page
from kfg.reporting.sections import flattened
from kfg.runs import found, origins, run_files, uncompared

SIDE = thumbnails.RUNGS[0][0]  # pixels, of the largest thumbnail
SHOWN = 10  # most classes on the screen, those that changed most


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """Two runs and their answers on the test photographs that both have answered.

    Args:
        paths: the run folders.
        names: short names that distinguish the two runs.
        answers: answers of both on the same photographs, in the same order, with the same classes.
        digests: path -> SHA-256 of a photograph, from split.csv of the second run, or of the first if the second has
            none.
        remarks: sentences on what is not compared.
        compared: the result of kfg.evaluation.versus.compare.
    """

    paths: tuple[pathlib.Path, pathlib.Path]
    names: tuple[str, str]
    answers: tuple[Predictions, Predictions]
    digests: dict[str, str]
    remarks: tuple[str, ...]
    compared: dict


def compare(first, second) -> Pair:
    """Compare two finished runs on the test photographs that both have answered.

    Args:
        first, second: run folders, or folders of reports on new photographs.
    Raises:
        InputError: the same run twice; no answers; different classes; no photograph in common.
    """
    paths = tuple(found.only(path) for path in (first, second))
    if paths[0].resolve() == paths[1].resolve():
        raise InputError(f"{paths[1]}: is the same run as the first; give two different runs")
    one, other = (predict.read_csv(found.file_of(path, run_files.PREDICTIONS)) for path in paths)
    other = _in_order_of(one.classes, other, paths)
    (digests, alike), (digests_other, _) = (_split(path) for path in paths)
    common = _common(one, other, digests, digests_other)
    if not common:
        raise InputError(
            f"{paths[1]}: has no test photograph in common with {paths[0]}; compare runs on the same photographs and "
            "the same split, or their reports on the same new photographs (kfg evaluate RUN --on DIR)"
        )
    answers = (_only(one, common), _only(other, common))
    return Pair(
        paths=paths,
        names=short_names(*paths),
        answers=answers,
        digests=digests_other or digests,
        remarks=tuple(uncompared.remarks((one, other), common, paths, (digests, digests_other))),
        compared=versus.compare(*answers, alike=alike),
    )


def _in_order_of(classes, answers, paths) -> Predictions:
    """Return the answers with the classes in the given order; InputError if they are other classes."""
    if answers.classes == classes:
        return answers
    if other := sorted(set(answers.classes) ^ set(classes)):
        raise InputError(
            f"{paths[1]}: does not have the same classes as {paths[0]}: only one of them has "
            f"{printable(shortened(other))}; give two runs with the same classes"
        )
    at = [answers.classes.index(name) for name in classes]
    labels = np.argsort(at)[answers.labels].astype(np.int32)
    return Predictions(answers.paths, labels, answers.probabilities[:, at], classes)


def _split(run) -> tuple[dict[str, str], dict[str, int] | None]:
    """Return path -> digest, and path -> group of near-duplicates (or None), from a run's split.csv if it has them."""
    path = run / run_files.SPLIT
    if not path.is_file():
        return {}, None
    rows, columns = split_rows(path)
    digests = {row["path"]: row["sha256"] for row in rows if row.get("sha256")}
    return digests, {row["path"]: row["group"] for row in rows} if "group" in columns else None


def _common(one, other, digests, digests_other) -> list[str]:
    """Return the paths that both runs have answered, with the same class and, as far as is known, the same file."""
    labels = dict(zip(other.paths, other.labels.tolist(), strict=True))
    return [
        path
        for path, label in zip(one.paths, one.labels.tolist(), strict=True)
        if labels.get(path) == label
        and (path not in digests or path not in digests_other or digests[path] == digests_other[path])
    ]


def _only(answers, paths) -> Predictions:
    place = {path: at for at, path in enumerate(answers.paths)}
    return answers.take([place[path] for path in paths])


def short_names(first, second) -> tuple[str, str]:
    """Return short names that distinguish two paths: the parts in which they differ.

    Example:
        >>> short_names("runs/a/folder/transfer/seed-0", "runs/b/folder/transfer/seed-0")
        ('a', 'b')
        >>> short_names("runs/a/seed-0", "runs/seed-1")
        ('a/seed-0', 'seed-1')
    """
    parts = [list(pathlib.Path(path).resolve().parts) for path in (first, second)]
    for end in (0, -1):
        while len(parts[0]) > 1 and len(parts[1]) > 1 and parts[0][end] == parts[1][end]:
            parts = [one[1:] if end == 0 else one[:-1] for one in parts]
    return tuple(printable("/".join(one)) for one in parts)


def settings_that_differ(pair: Pair) -> list[tuple[str, str, str]]:
    """Return (name, first value, second value) for every setting in which the two runs' config.json differ."""
    both = []
    for path in pair.paths:
        config = path / run_files.CONFIG
        both.append(dict(flattened(read_json(config, dict))) if config.is_file() else {})
    names = [*both[0], *(name for name in both[1] if name not in both[0])]
    rows = [(name, both[0].get(name, ""), both[1].get(name, "")) for name in names]
    return [row for row in rows if row[1] != row[2]]


def table(pair: Pair) -> str:
    """Return the comparison as lines for the screen, in percent with 95% intervals."""
    made = pair.compared
    lines = [versus_page.in_words(made, pair.names), "", f"first   {pair.paths[0]}", f"second  {pair.paths[1]}"]
    lines += [*pair.remarks, ""]
    lines.append(f"{counted(made['images'], 'test photograph'):<26}first   second   second - first [95% interval]")
    for key, label, scale in (("top1", "top-1, %", 100), ("macro_recall", "macro recall, %", 100), ("loss", "loss", 1)):
        lines.append(f"{label:<26}{_line(made[key], scale)}")
    lost, gained, otherwise = (f"{len(made[kind]):,}" for kind in ("lost", "gained", "otherwise"))
    only = f"Right only in the first: {lost}; only in the second: {gained}"
    lines += ["", f"{only}. Wrong in both, but as another class: {otherwise}."]
    lines.append(
        f"If both runs were equally good, counts at least as uneven would have the probability p = {made['p']:.2g} "
        "(sign test, in which near-duplicates count as one photograph)."
    )
    changed = [row for row in made["per_class"] if row["lost"] or row["gained"]]
    changed.sort(key=lambda row: (row["p"], -abs(row["difference"]["value"])))
    if changed:
        width = max(26, *(len(printable(row["name"])) + 2 for row in changed[:SHOWN]))
        lines += ["", f"{'recall of a class, %':<{width}}first   second   second - first   lost gained  p adjusted"]
    for row in changed[:SHOWN]:
        name = printable(row["name"])
        lines.append(f"{name:<{width}}{_line(row, 100)}  {row['lost']:>4} {row['gained']:>6}  {row['adjusted']:.2g}")
    if changed:
        lines.append("p adjusted: the same probability for one class, corrected for the number of classes (Holm)")
    if len(changed) > SHOWN:
        lines.append(f"... and {len(changed) - SHOWN} more classes; --html writes a page with all of them")
    return "\n".join(lines)


def _line(figure, scale) -> str:
    digits = 1 if scale == 100 else 3
    one, other = (f"{scale * figure[key]['value']:.{digits}f}" for key in ("first", "second"))
    value, low, high = (f"{scale * figure['difference'][key]:+.{digits}f}" for key in ("value", "low", "high"))
    return f"{one:>5}   {other:>6}   {value} [{low}, {high}]"


def write(pair: Pair, out, *, data=None) -> int:
    """Write the comparison as one page; return how many of its photographs could not be shown.

    Args:
        pair: the result of `compare`.
        out: path of the page.
        data: folder of the photographs; default the one that the second run, or else the first, was trained on.
    Raises:
        InputError: `out` exists and is not such a page; the photographs cannot be found.
    """
    title = f"<title>{versus_page.TITLE}"
    overwrite.check_file(out, lambda path: overwrite.is_page(path, title), what="a comparison written by kfg")
    root, gone = _photographs_folder(pair, data), []

    def read(at):
        path = pair.answers[0].paths[at]
        try:
            return _as_it_was(root / path, pair.digests.get(path))
        except InputError:
            gone.append(path)
            return None

    settings = settings_that_differ(pair)
    shown = versus_page.Shown(pair.names, pair.answers, pair.compared, settings, pair.remarks)
    write_text(out, versus_page.page(shown, read))
    return len(gone)


def _as_it_was(path, digest) -> np.ndarray:
    """Return a photograph, at most SIDE pixels wide and high; many are held at once.

    Raises:
        InputError: it cannot be read, or has changed since the run answered it.
    """
    content = decode.read_bytes(path)
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{path}: has changed since")
    return thumbnails.shrunk(to_rgb(decode.load(content, path, at_least=SIDE), path), SIDE)


def _photographs_folder(pair: Pair, data) -> pathlib.Path:
    """Return the folder of the photographs: `data`, or the one that a run was trained on.

    Raises:
        InputError: the folder is unknown, or does not exist.
    """
    named = [pathlib.Path(data)] if data is not None else map(origins.photographs_of, reversed(pair.paths))
    known = [one for one in named if one is not None]
    there = next((one for one in known if one.is_dir()), None)
    if there is None:
        unknown = f"{pair.paths[1]}: does not say where its photographs are"
        where = f"{printable(str(known[0]))}: no such folder" if known else unknown
        raise InputError(f"{where}; give the folder of the test photographs with --data DIR")
    return there
