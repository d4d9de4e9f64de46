"""Test a trained model on newly labelled photographs, with the figures and report of a run's own test images."""

import dataclasses
import pathlib
import sys

import numpy as np

from kfg import overwrite, reporting
from kfg.data import class_names, corrected, decode, fingerprints, folder, splitcsv, splits
from kfg.data.index import Index
from kfg.data.labels import Labels
from kfg.data.remarks import remark
from kfg.data.told import parts_read, passed_over
from kfg.errors import InputError
from kfg.evaluation.predict import Predictions
from kfg.exporting import classifiers
from kfg.names import counted, is_utf8, printable
from kfg.progress import Progress
from kfg.reporting import thumbnails
from kfg.runs import run_files
from kfg.training import lineage

SHOWN = 220  # pixels, at most, at which the report shows a photograph
PHOTOGRAPH = "photograph"
EDITED = "copies that were edited or saved again are not recognised"


def score(model, root, *, out, corrections=True, labels: Labels | None = None) -> int:
    """Classify the labelled images of a folder that are new to a model, and write a report into another folder.

    Images in the split.csv of the run, or of a run whose weights it started from, are not new. They are recognised by
    their content hash, left out and counted. The parts that the folder is divided into are ignored.

    Args:
        model: folder of a run, its export or its model.keras.
        root: folder of photographs in a layout that training takes. Its classes must be classes of the model.
        out: folder for the report; it is made, or must be empty.
        corrections, labels: as for kfg.data.folder.scan.
    Returns:
        The number of images that could not be read; each is reported in a line on stderr.
    Raises:
        InputError: no model; a class that the model does not have; one image in two classes; no new image that can be
            read; `out` is not empty, or lies in `root`.
    """
    model, root, out = pathlib.Path(model), pathlib.Path(root), pathlib.Path(out)
    classifier = classifiers.load(model)
    index = folder.scan(root, classes=classifier.classes, corrections=corrections, labels=labels)
    class_names.check_names(index)
    _check_out(out, root)
    unused = remark(passed_over(index))
    prints = fingerprints.read(index.root, index.paths, progress=Progress("photographs compared with each other"))
    new, told = _new(_with_digests(index, prints), *_known(model, classifier.classes))
    said = filter(None, (parts_read(index) if labels else "", unused))
    told = [*(f"{root}: {one}" for one in said), *told]
    if said := corrected.said(index.corrected):
        told = [said, *told]
    for line in told:
        print(line)
    classifiers.hasten(classifier, model, new.full_paths())
    if classifier.speed:
        print(classifier.speed)
    _make(out)
    read, predictions = _classified(classifier, new)
    read = _grouped(read, prints)
    splits.write_csv(read, out / run_files.SPLIT)
    failed = len(new) - len(read)
    evaluated = {
        "model": str(model),
        "photographs": str(root),
        "images": len(index),
        "left_out": len(index) - len(new),
        "unread": failed,
    }
    unread = [f"{failed} could not be read and are not in the figures."] if failed else []
    sections = [("What was classified", "\n\n".join([f"Model: {model.resolve()}.", classifier.engine, *told, *unread]))]
    reporting.write(out, predictions, image_root=root, decode=_small, extra_sections=sections, evaluated=evaluated)
    return failed


def _small(path):
    return thumbnails.shrunk(decode.decode_small(path, SHOWN), SHOWN)  # only a JPEG is decoded at a reduced size


def _check_out(out, root):
    if not is_utf8(str(out)):
        raise InputError(f"--out {printable(str(out))}: this name is not UTF-8; give another")
    if root.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(
            f"--out {out}: is inside the folder of photographs, so its pictures would be taken for photographs; give "
            "another folder"
        )
    if not overwrite.is_free(out):
        raise InputError(f"{out}: is not empty; give another folder with --out")


def _make(out):
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: {error.strerror}") from error


def _with_digests(index: Index, prints) -> Index:
    """Fill in the digests, "" for a file that cannot be read (it is reported when it is classified), and one part."""
    digests = tuple(one.sha256 for one in prints)
    return dataclasses.replace(index, parts=("test",) * len(index), groups=np.arange(len(index)), sha256=digests)


def _grouped(index: Index, prints) -> Index:
    """Give near-duplicates one group; `prints` are the fingerprints of these photographs and of others."""
    of_path = {one.path: one for one in prints if not one.problem}
    at = np.array([place for place, path in enumerate(index.paths) if path in of_path], dtype=np.int64)
    groups = np.arange(len(index))
    groups[at] = at[fingerprints.group([of_path[index.paths[place]] for place in at], at.tolist())]
    return dataclasses.replace(index, groups=groups)


def _known(model, classes) -> tuple[set[str], bool]:
    """Return the digests of the images of the run and of the runs it started from, and whether these are all."""
    known, complete = set(), True
    for number, run in enumerate(lineage.runs(model)):
        digests = _listed(run, None if number else set(classes))
        complete &= digests is not None
        known |= digests or set()
    return known, complete


def _listed(run, classes) -> set[str] | None:
    """Return the digests in a run's split.csv; None if it is not there, lacks some, or has a class not in `classes`."""
    if not (run / run_files.SPLIT).is_file() or not (run / run_files.CONFIG).is_file():
        return None
    rows, _ = splitcsv.split_rows(run / run_files.SPLIT)
    digests = {row.get("sha256") for row in rows}
    strange = classes is not None and {row["class"] for row in rows} - classes
    return None if strange or not digests.isdisjoint({None, ""}) else digests


def _new(index: Index, known: set[str], complete: bool) -> tuple[Index, list[str]]:
    """Return the images that are not known, each once, and lines on those left out."""
    first, keep = {}, []
    for at, digest in enumerate(index.sha256):
        earlier = first.setdefault(digest, at) if digest else at
        if index.labels[earlier] != index.labels[at]:
            raise InputError(
                f"{index.root / index.paths[at]}: is the same image as {index.paths[earlier]} in another class; keep "
                "one of them"
            )
        if earlier == at and digest not in known:
            keep.append(at)
    copies = sum(digest != "" for digest in index.sha256) - len(first)
    lines = [f"Copies of others in this folder, which were left out: {counted(copies, PHOTOGRAPH)}."] if copies else []
    left = len(first.keys() & known)
    if not keep:
        raise InputError(f"{index.root}: has no new photographs; all of them belong to the run")
    if left:
        own = f"{counted(left, PHOTOGRAPH)} {'belongs' if left == 1 else 'belong'} to the run itself"
        lines.append(f"{own} and {'was' if left == 1 else 'were'} left out; {EDITED}.")
    if not complete:
        lines.append(
            "It is not known which other photographs the model was trained on, because its run folder, or that of a "
            "run it began from, is missing or not complete."
        )
    return index.take(keep), lines


def _classified(classifier, index: Index) -> tuple[Index, Predictions]:
    """Return the images that can be read, and the answers on them."""
    progress = Progress("photographs classified")
    read, rows = [], []
    for number, answer in enumerate(classifier.predict(index.full_paths())):
        if answer.error:
            print(f"error: {printable(answer.error)}", file=sys.stderr)
        else:
            read.append(number)
            rows.append(answer.probabilities)
        progress(number + 1, len(index))
    if not read:
        raise InputError(f"{index.root}: none of its new photographs ({len(index):,}) can be read")
    index = index.take(read)
    return index, Predictions(index.paths, index.labels, np.stack(rows).astype(np.float32), index.classes)
