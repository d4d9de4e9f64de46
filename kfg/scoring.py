"""A trained model on newly labelled photographs: the figures and the report that a run's own test images have."""

import dataclasses
import hashlib
import pathlib
import sys

import numpy as np

from kfg import export, report
from kfg.data import folder, splits
from kfg.data.decode import decode
from kfg.data.folder import Index
from kfg.data.listing import SPLIT_FILE, remark
from kfg.errors import InputError
from kfg.evaluation.predict import Predictions
from kfg.files import write_json
from kfg.progress import Progress


def score(model, root, *, out) -> int:
    """Classify every labelled image of a folder, and write a report on that into another.

    Where the folder is divided into parts and has a part test, only that is used. Files of the same bytes as one that
    the run was trained on, or that chose its epoch, are left out, and counted; edited copies are not recognised.

    Args:
        model: folder of a run, its export or its model.keras; the split.csv of the run says what it was trained on.
        root: folder of photographs as training takes one. Its classes are the model's, some of them or all.
        out: folder for the report; made, or empty.
    Returns:
        How many images could not be read; each is a line on stderr.
    Raises:
        InputError: no model; a class it does not have; no image left; `out` holds something, or lies in `root`.
    """
    model, root, out = pathlib.Path(model), pathlib.Path(root), pathlib.Path(out)
    classifier = export.load(model)
    index = folder.scan(root, classes=classifier.classes)
    folder.check_names(index)
    _check_out(out, root)
    if said := remark(folder.passed_over(index)):
        print(f"{root}: {said}")
    new, told = _unseen(_tested(index), model)
    print(told)
    out.mkdir(parents=True, exist_ok=True)
    read, predictions = _classified(classifier, new)
    write_json(out / export.CLASSES_FILE, list(read.classes))
    splits.write_csv(read, out / SPLIT_FILE)
    failed = len(new) - len(read)
    about = [f"Model: {model.resolve()}.", f"Photographs: {root.resolve()}.", told]
    about += [f"{failed} could not be read and are not in the figures."] if failed else []
    sections = [("What was classified", "\n\n".join(about))]
    report.write(out, predictions, image_root=root, decode=decode, of_run=False, extra_sections=sections)
    return failed


def _check_out(out, root):
    if root.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(f"--out {out}: lies inside the folder of photographs, its pictures would be taken for some")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out}: holds something already; give another folder")


def _tested(index: Index) -> Index:
    return index.take(index.where("test")) if "test" in index.parts else index


def _unseen(index: Index, model) -> tuple[Index, str]:
    """Return the images that the run has not seen, as part test and with their digests, and a line about the others."""
    digests = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in index.full_paths())
    index = dataclasses.replace(index, parts=("test",) * len(index), groups=np.arange(len(index)), sha256=digests)
    split_csv = next((path for path in (model / SPLIT_FILE, model.parent / SPLIT_FILE) if path.is_file()), None)
    if split_csv is None:
        return index, f"No {SPLIT_FILE} beside {model}: whether it was trained on some of these images is not known."
    rows, _ = folder.split_rows(split_csv)
    seen = {row.get("sha256") for row in rows if row["part"] != "test"}
    new = index.take([i for i, digest in enumerate(digests) if digest not in seen])
    if not len(new):
        raise InputError(f"{index.root}: the model has been trained on all {len(index):,} images, or chosen by them")
    left = len(index) - len(new)
    return new, f"Left out: {left:,} of {len(index):,} images, which the model was trained on or its epoch chosen by."


def _classified(classifier, index: Index) -> tuple[Index, Predictions]:
    """Return the images that can be read, and the answers on them."""
    progress = Progress("photographs classified")
    read, rows = [], []
    for number, answer in enumerate(classifier.predict(index.full_paths())):
        if answer.error:
            print(f"error: {answer.error}", file=sys.stderr)
        else:
            read.append(number)
            rows.append(answer.probabilities)
        progress(number + 1, len(index))
    if not read:
        raise InputError(f"{index.root}: none of its {len(index):,} images can be read")
    index = index.take(read)
    return index, Predictions(index.paths, index.labels, np.stack(rows).astype(np.float32), index.classes)
