"""Write the report of one finished run."""

import csv
import dataclasses
import logging
import pathlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from kfg import files
from kfg.data.folder import PARTS
from kfg.errors import InputError
from kfg.evaluation import metrics, predict
from kfg.evaluation.predict import Predictions
from kfg.runs import run_files

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What stands in a run folder beside the predictions; None where the file is absent.

    Args:
        name: the folder's name.
        config, env: dicts of config.json and env.json.
        split: rows of split.csv.
        history: column -> values of history.csv.
        exported: whether there is an export.
        export_told: a sentence on how it compares with the model; None where it was not compared yet.
        export_failed: whether it answers otherwise than the model.
    """

    name: str
    config: dict | None
    env: dict | None
    split: list[dict] | None
    history: dict[str, np.ndarray] | None
    exported: bool = False
    export_told: str | None = None
    export_failed: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Draft:
    """A report whose figures are computed and whose pictures are drawn; `write` puts it into the run's folder.

    Args:
        run_dir: the folder.
        run: what it holds.
        result: what report.json will say.
        predictions: answers on the test images.
        pictures: PNG bytes by name.
        worst: what `kfg.figures.worst.find` gave, or None.
        extra: further sections.
    """

    run_dir: pathlib.Path
    run: Run
    result: dict
    predictions: Predictions
    pictures: dict[str, bytes]
    worst: object
    extra: Sequence[tuple[str, object]]

    def write(self, *, export_told: str | None = None, export_failed: bool = False) -> dict:
        """Write report.html, then report.json; return its content.

        Args:
            export_told, export_failed: of the export, where it has been compared with the model; see Run.
        """
        from kfg.reporting import sections

        exported = (self.run_dir / "export").is_dir()
        run = dataclasses.replace(self.run, exported=exported, export_told=export_told, export_failed=export_failed)
        page = sections.page(run, self.result, self.predictions, self.pictures, self.worst, self.extra)
        files.write_text(self.run_dir / run_files.PAGE, page)
        files.write_json(self.run_dir / run_files.REPORT, self.result)
        return self.result


def write(run_dir, predictions: Predictions, **settings) -> dict:
    """Write everything about a run's test predictions into its folder; arguments, files and errors as for `prepare`.

    Returns:
        The content of report.json: that of `metrics.evaluate`, `parts`, images per part of the split, `figures`, and
        `evaluated` where given.
    """
    return prepare(run_dir, predictions, **settings).write()


def prepare(
    run_dir,
    predictions: Predictions,
    *,
    image_root=None,
    decode: Callable[[pathlib.Path], np.ndarray] | None = None,
    extra_figures: dict | None = None,
    extra_sections: Sequence[tuple[str, object]] = (),
    evaluated: dict | None = None,
) -> Draft:
    """Compute the metrics of a run's test predictions and draw its pictures: all of the report that takes time.

    Writes predictions.csv, confusion.csv, confusion.png, recall.png, learning_curves.png (with a history.csv) and
    worst.png (with images); `Draft.write` then report.html, and report.json last. Each appears whole.

    Args:
        run_dir: the run folder; config.json, env.json, classes.json, split.csv and history.csv are used
            where they are there, and the report says which are not.
        predictions: answers on the test images.
        image_root: folder that `predictions.paths` are relative to; None leaves the worst images out.
        decode: full path -> uint8 (H, W, 3); default Pillow, turned as EXIF says.
        extra_figures: name -> {"value", "low", "high"} of figures that `metrics.evaluate` does not know.
        extra_sections: (title, body); body is a text, a list of a table's rows with the column names first, a PNG's
            bytes, or a tuple of such.
        evaluated: of a report that is not of a run, "model", "photographs" and more, for report.json; what only the
            folder of a run has is left out: training, settings, a model to use.
    Raises:
        InputError: predictions that cannot be evaluated, classes in another order than
            classes.json, a damaged file in the folder, a full disk.
    """
    run_dir = pathlib.Path(run_dir)
    result = metrics.evaluate(predictions)
    run = read(run_dir, predictions.classes)
    result["parts"] = part_counts(run.split)
    result["figures"] = extra_figures or {}
    if evaluated is not None:
        result["evaluated"] = evaluated
    predict.write_csv(predictions, run_dir / run_files.PREDICTIONS)
    _write_confusion(result["confusion"], predictions.classes, run_dir / "confusion.csv")
    worst = _worst(predictions, image_root, decode)
    pictures = _pictures(run_dir, run, result, predictions.classes, worst)
    return Draft(run_dir, run, result, predictions, pictures, worst, extra_sections)


def read(run_dir: pathlib.Path, classes: Sequence[str]) -> Run:
    """Read what a run folder holds.

    Raises:
        InputError: a file that cannot be read, or classes.json unlike `classes`.
    """
    saved = _json(run_dir / run_files.CLASSES, list)
    if saved is not None and saved != list(classes):
        raise InputError(f"{run_dir / 'classes.json'}: other classes, or another order, than the predictions have")
    history = None
    if (run_dir / run_files.HISTORY).is_file():
        from kfg.figures import curves

        history = curves.read_history(run_dir / run_files.HISTORY)
    return Run(
        name=run_dir.resolve().name,
        config=_json(run_dir / run_files.CONFIG),
        env=_json(run_dir / run_files.ENVIRONMENT),
        split=_split(run_dir / run_files.SPLIT),
        history=history if history and len(next(iter(history.values()))) else None,
    )


def part_counts(split: list[dict] | None) -> dict[str, int] | None:
    """Return images per part: train, val, test, then any other."""
    if split is None:
        return None
    counts = Counter(row["part"] for row in split)
    known = [part for part in PARTS if part in counts]
    return {part: counts[part] for part in [*known, *sorted(set(counts) - set(PARTS))]}


def _json(path, kind=dict):
    return files.read_json(path, kind) if path.is_file() else None


def _split(path) -> list[dict] | None:
    if not path.is_file():
        return None
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: {error}") from error
    absent = {"path", "class", "part"} - set(reader.fieldnames or ())
    if absent:
        raise InputError(f"{path}: no column {sorted(absent)[0]!r}")
    for line, row in enumerate(rows, start=2):
        if None in (row["path"], row["class"], row["part"]):
            raise InputError(f"{path}:{line}: damaged, this line ends early; {files.RESTORE}")
    return rows


def _write_confusion(confusion, classes, path) -> None:
    """Write the matrix: first column the true class, then a column per class the model named."""
    with files.whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["true", *classes])
        writer.writerows([name, *row] for name, row in zip(classes, confusion, strict=True))


def _worst(predictions, image_root, decode):
    from kfg.figures import worst

    if image_root is None:
        return None
    root, read_image = pathlib.Path(image_root), decode or decode_with_pillow
    return worst.find(predictions, lambda path: read_image(root / path))


def decode_with_pillow(path) -> np.ndarray:
    """Return an image file as uint8 (H, W, 3), turned as its EXIF says; OSError where it cannot be read."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _pictures(run_dir, run, result, classes, worst) -> dict[str, bytes]:
    """Draw and write the PNGs; return their bytes by name, for the page."""
    from kfg.figures import confusion_figure, curves, drawing
    from kfg.figures import worst as worst_module

    drawn = {
        "confusion": confusion_figure.draw(result["confusion"], classes),
        "recall": curves.recall_bars(result["per_class"], macro=result["macro_recall"]["value"]),
    }
    if run.history is not None:
        drawn["learning_curves"] = curves.learning_curves(run.history)
    if worst:
        drawn["worst"] = worst_module.sheet(worst)
    for name, figure in drawn.items():
        drawing.save(figure, run_dir / f"{name}.png")
    return {name: (run_dir / f"{name}.png").read_bytes() for name in drawn}
