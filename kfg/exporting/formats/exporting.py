"""Export a run in the requested formats: write each, check it on the run's test photographs, and put it in place."""

import dataclasses
import functools
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np

from kfg import files, overwrite
from kfg.data import decoded, folder, sampling
from kfg.errors import InputError
from kfg.exporting import confidence, run_models
from kfg.exporting.formats import checking, description, serving
from kfg.exporting.formats.known import FORMATS
from kfg.exporting.formats.protocol import Shipment
from kfg.files import write_json
from kfg.models import calibrated
from kfg.names import printable
from kfg.runs import origins, run_files

COMPARED = 500  # the most test photographs that a format is compared on
CALIBRATED = 200  # the most training photographs that a format is calibrated on
MARKS = (run_files.MODEL_JSON, run_files.EXPORT_CHECK)  # files that every export has


def export(
    run, names: Sequence[str], *, out=None, data=None, force: bool = False, serve=None, compared: int = COMPARED
) -> list[checking.Check]:
    """Export the model of a run; each format is compared with the Keras model on the run's test photographs.

    Args:
        run: the run folder.
        names: names of formats, keys of FORMATS.
        out: folder in which each format gets a folder; default the run's folder, in which they are called
            export-NAME.
        data: folder of the run's photographs; default the one that the run was trained on.
        force: keep a rounded model although it loses more than it may.
        serve: folder for TensorFlow Serving, to which the model is added as a new version.
        compared: the most test photographs that a format is compared on.
    Returns:
        The check of each format that was put in place.
    Raises:
        InputError: no run; fewer than one photograph to compare; photographs that are not there; a folder that holds
            something else. If formats cannot hold the model or answer differently, it is raised after the others are in
            place.
    """
    if compared < 1:
        raise InputError(f"--compare: expected a number of photographs from 1 up, got {compared}")
    run = pathlib.Path(run)
    targets = {name: target(run, name, out) for name in names}
    for name, path in targets.items():
        overwrite.check_folder(path, marks=MARKS, parts=parts_of(name))
    made, refused = _exported(run, targets, data, force, compared) if targets else ([], [])
    if serve is not None:
        print(f"TensorFlow Serving: version {serving.add(_saved_model(run), serve).name} in {serve}")
    if refused:
        raise InputError("; ".join(refused))
    return made


def _exported(run, targets: dict[str, pathlib.Path], data, force, compared) -> tuple[list[checking.Check], list[str]]:
    """Write and compare each format, and print the result; return the checks, and lines on the formats refused."""
    model, classes = run_models.load_keras(run)
    bank = run_models.load_bank(run)
    known = confidence.read(run / run_files.CONFIDENCE, calibrated.fingerprint(model, bank))
    plain = calibrated.before_softmax(model)
    photographs = Photographs(run, classes, model.input_shape[1:3], data)
    made, refused = [], []
    images, labels = photographs.some("test", compared)
    keras_model = Compared(model if bank is None else calibrated.judge(model, bank), images, labels)
    calibration = functools.cache(lambda: photographs.some("train", CALIBRATED)[0])
    for name, path in targets.items():
        print(f"{name}: is being written and compared ...", flush=True)
        told = description.describe(
            name, FORMATS[name], run, classes=classes, image_size=model.input_shape[1:3], confidence=known,
            judged=bank is not None,
        )  # fmt: skip
        shipment = Shipment(plain, tuple(classes), told, calibration, _saved_model(run), bank)
        try:
            made.append(_placed(name, shipment, keras_model, path, force=force))
        except InputError as error:
            refused.append(f"{name}: {error}")
    if made:
        print(checking.table(made, keras_ms=keras_model.milliseconds))
    for check in made:
        print(f"{check.format}: {targets[check.format]}" + (f"; it {check.remark}" if check.remark else ""))
    return made, refused


def target(run, name: str, out=None) -> pathlib.Path:
    """Return the folder for a format's export."""
    return pathlib.Path(run) / f"{run_files.EXPORT}-{name}" if out is None else pathlib.Path(out) / name


def parts_of(name: str) -> tuple[str, ...]:
    """Return the names of an export's files besides MARKS."""
    return (FORMATS[name].FILE, *FORMATS[name].PARTS)


def _saved_model(run) -> pathlib.Path | None:
    """Return the SavedModel that was exported when the run ended; None if there is none."""
    made = run / run_files.EXPORT
    return made if (made / run_files.SAVED_MODEL).is_file() else None


@dataclasses.dataclass
class Photographs:
    """The photographs of a run.

    Args:
        run: the run folder.
        classes: names of the classes.
        image_size: (height, width) in pixels.
        data: folder of the photographs; None for the one that the run was trained on.
    """

    run: pathlib.Path
    classes: Sequence[str]
    image_size: tuple[int, int]
    data: pathlib.Path | None

    def some(self, part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return up to `count` photographs of a part, from all classes: uint8 (N, H, W, 3) and their labels."""
        index = self._index.take(self._index.where(part))
        if not len(index):
            raise InputError(f"{self.run / run_files.SPLIT}: lists no photograph in the part {part}")
        index = index.take(np.sort(sampling.spread(index.labels, count)))
        return decoded.load(index, image_size=self.image_size).array, index.labels

    @functools.cached_property
    def _index(self):
        root = self.data or origins.photographs_of(self.run)
        if root is None or not pathlib.Path(root).is_dir():
            where = printable(str(root)) if root is not None else "the folder of its photographs"
            raise InputError(
                f"{self.run}: an export is compared on the run's test photographs, but {where} does not exist; give it "
                "with --data DIR"
            )
        return folder.read_split(self.run / run_files.SPLIT, root, classes=self.classes)


class Compared:
    """The Keras model's answers on photographs, with which formats are compared.

    Args:
        model: Keras model; one that tells strangeness too has it compared.
        images, labels: as for kfg.exporting.formats.checking.compare.
    """

    def __init__(self, model, images, labels):
        from kfg.inference.graph import function_of

        function, _ = function_of(model)
        self.images, self.labels = images, labels
        self.answers = checking.answers(model.predict_on_batch, images)
        self.milliseconds = checking.milliseconds(function, images)

    def with_format(self, name, folder) -> checking.Check:
        """Return the check of an exported model."""
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        answer = FORMATS[name].opened(folder)
        return checking.compare(
            name, answer, self.images, self.labels, self.answers, size=size, rounds=FORMATS[name].ROUNDS
        )


def _placed(name, shipment, compared, path, *, force) -> checking.Check:
    """Write a format beside its place, compare it, and move it into place; InputError if it is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = files.beside(path)
    files.sweep(path.parent, path.name)
    partial.mkdir()
    try:
        FORMATS[name].write(shipment, partial)
        check = compared.with_format(name, partial)
        if check.refusal and not (force and check.rounds):
            forced = "; add --force to keep it anyway" if check.rounds else ""
            raise InputError(f"this export is not kept: {check.refusal}{forced}")
        check = dataclasses.replace(check, forced=bool(check.refusal))
        write_json(partial / run_files.MODEL_JSON, shipment.description)
        write_json(partial / run_files.EXPORT_CHECK, check.as_json())
        overwrite.replace_folder(partial, path, marks=MARKS, parts=parts_of(name))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return check
