"""Write the report of one finished run."""

import csv
import dataclasses
import logging
import pathlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from kfg import files
from kfg.data.part_folders import PARTS
from kfg.errors import InputError
from kfg.evaluation import clusters, metrics, predict
from kfg.evaluation.predict import Predictions
from kfg.reporting import photographs, thumbnails
from kfg.reporting.markup import Safe
from kfg.runs import origins, run_files

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """The contents of a run folder besides the predictions; None for a file that does not exist.

    Args:
        name: name of the folder.
        config, env: contents of config.json and env.json.
        split: rows of split.csv, without the photographs that were left out of the training.
        left_out: number of those photographs.
        history: column -> values of history.csv.
        exported: whether there is an export.
        export_told: a sentence on how the export compares with the model; None if they have not been compared yet.
        export_failed: whether the export answers differently from the model.
    """

    name: str
    config: dict | None
    env: dict | None
    split: list[dict] | None
    left_out: int
    history: dict[str, np.ndarray] | None
    exported: bool = False
    export_told: str | None = None
    export_failed: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Draft:
    """A report with figures computed and pictures drawn; its `write` writes it into the run's folder.

    Args:
        run_dir: the run folder.
        run: the contents of the folder.
        result: the content of report.json.
        predictions: answers on the test images.
        pictures: name -> PNG bytes.
        worst: the result of `kfg.figures.worst.find`, or None.
        extra: additional sections.
        last: sections at the end of the report.
        end: HTML after the sections with every photograph's answer and thumbnail, for the page's script.
    """

    run_dir: pathlib.Path
    run: Run
    result: dict
    predictions: Predictions
    pictures: dict[str, bytes]
    worst: object
    extra: Sequence[tuple[str, object]]
    end: Safe
    last: Sequence[tuple[str, object]] = ()

    def write(self, *, export_told: str | None = None, export_failed: bool = False) -> dict:
        """Write report.html, then report.json; return the content of report.json.

        Args:
            export_told, export_failed: the result of comparing the export with the model, if that was done; see Run.
        """
        from kfg.reporting import sections

        exported = (self.run_dir / run_files.EXPORT).is_dir()
        run = dataclasses.replace(self.run, exported=exported, export_told=export_told, export_failed=export_failed)
        page = sections.page(
            run, self.result, self.predictions, self.pictures, self.worst, self.extra, self.last, end=self.end
        )
        files.write_text(self.run_dir / run_files.PAGE, page)
        files.write_json(self.run_dir / run_files.REPORT, self.result)
        return self.result


def write(run_dir, predictions: Predictions, **settings) -> dict:
    """Write everything about a run's test predictions into its folder. Arguments, files and errors as for `prepare`.

    Returns:
        The content of report.json: the result of `metrics.evaluate`; `parts`, images in each part of the split,
        without the photographs that were left out of the training; `figures`; and `evaluated` if given.
    """
    return prepare(run_dir, predictions, **settings).write()


def prepare(
    run_dir,
    predictions: Predictions,
    *,
    image_root=None,
    decode: Callable[[pathlib.Path], np.ndarray] | None = None,
    store=None,
    maps: Mapping[int, Sequence] = MappingProxyType({}),
    extra_figures: dict | None = None,
    extra_sections: Sequence[tuple[str, object]] = (),
    last_sections: Sequence[tuple[str, object]] = (),
    evaluated: dict | None = None,
    groups=None,
    separated: int | None = None,
) -> Draft:
    """Compute the metrics of a run's test predictions and draw the pictures: the parts of the report that take time.

    This writes predictions.csv, confusion.csv, confusion.png, recall.png, learning_curves.png (if there is a
    history.csv) and worst.png (if there are images). `Draft.write` then writes report.html, and report.json last. Each
    file appears complete or not at all.

    Args:
        run_dir: the run folder. Its config.json, env.json, classes.json, split.csv and history.csv are used if they
            exist, and the report says which do not.
        predictions: answers on the test images.
        image_root: folder that `predictions.paths` are relative to; None leaves out the worst images and all
            thumbnails.
        decode: function full path -> uint8 (H, W, 3), such as `kfg.data.decode.decode`; needed with `image_root`.
        store: the images of the predictions, as in `Part.store`. Thumbnails are then made from these, and only the
            worst images are decoded again.
        maps: position among the predictions -> [(title, uint8 (H, W, 3))], pictures that show where the model looks.
        extra_figures: name -> {"value", "low", "high"}, figures that `metrics.evaluate` does not compute.
        extra_sections: (title, body); body is a text, a list of a table's rows with the column names first, a PNG's
            bytes, or a tuple of these.
        last_sections: the same, for sections at the end of the report.
        evaluated: for a report that is not about a run: "model", "photographs" and more, for report.json. Sections that
            only a run can have are then left out: training, settings, how to use the model.
        groups: (N,), the group of near-duplicates of each image, see `metrics.evaluate`; default those in split.csv.
        separated: number of groups of near-duplicates that lie in several parts, because the parts were given; None if
            it is not known. It becomes `separated_groups` of report.json, from which the model card takes it.
    Raises:
        InputError: predictions that cannot be evaluated; classes in another order than classes.json; a damaged file in
            the folder; a full disk.
        TypeError: `image_root` is given without `decode`.
    """
    if image_root is not None and decode is None:
        raise TypeError("image_root: give decode as well")
    run_dir = pathlib.Path(run_dir)
    run = read(run_dir, predictions.classes)
    result = metrics.evaluate(predictions, groups=_groups(run.split, predictions.paths) if groups is None else groups)
    result["parts"] = part_counts(run.split)
    result["figures"] = extra_figures or {}
    result |= {} if separated is None else {"separated_groups": separated}
    if evaluated is not None:
        result["evaluated"] = evaluated
    predict.write_csv(predictions, run_dir / run_files.PREDICTIONS)
    _write_confusion(result["confusion"], predictions.classes, run_dir / "confusion.csv")
    worst = _worst(predictions, image_root, decode)
    pictures = _pictures(run_dir, run, result, predictions.classes, worst)
    end = _photographs(predictions, image_root, decode, store, worst, maps)
    return Draft(run_dir, run, result, predictions, pictures, worst, extra_sections, end, last_sections)


def read(run_dir: pathlib.Path, classes: Sequence[str]) -> Run:
    """Read the contents of a run folder.

    Raises:
        InputError: a file cannot be read, or classes.json differs from `classes`.
    """
    saved = _json(run_dir / run_files.CLASSES, list)
    if saved is not None and saved != list(classes):
        raise InputError(
            f"{run_dir / 'classes.json'}: has other classes than the predictions, or another order; {files.RESTORE}"
        )
    history = None
    if (run_dir / run_files.HISTORY).is_file():
        from kfg.figures import curves

        history = curves.read_history(run_dir / run_files.HISTORY)
    return Run(
        name=run_dir.resolve().name,
        config=_json(run_dir / run_files.CONFIG),
        env=_json(run_dir / run_files.ENVIRONMENT),
        split=origins.used_rows(run_dir) if (run_dir / run_files.SPLIT).is_file() else None,
        left_out=len(origins.left_out(run_dir)),
        history=history if history and len(next(iter(history.values()))) else None,
    )


def left_out_told(count: int) -> str:
    """Return a sentence on photographs from which a run did not learn, and which its counts lack."""
    return (
        f"The run did not learn from {count:,} further training photograph{'s' * (count > 1)}, which its settings "
        f"leave out, perhaps because {'their labels are' if count > 1 else 'its label is'} wrong."
    )


def part_counts(split: list[dict] | None) -> dict[str, int] | None:
    """Return part -> number of images, in the order train, val, test, then others; None without a split."""
    if split is None:
        return None
    counts = Counter(row["part"] for row in split)
    known = [part for part in PARTS if part in counts]
    return {part: counts[part] for part in [*known, *sorted(set(counts) - set(PARTS))]}


def _json(path, kind=dict):
    return files.read_json(path, kind) if path.is_file() else None


def _groups(split, paths) -> np.ndarray | None:
    """Return the group of near-duplicates of each path, int (N,); None if the split is unknown or has no groups."""
    if split is None or "group" not in split[0]:
        return None
    return clusters.of_paths(paths, {row["path"]: row["group"] for row in split})[1]


def _write_confusion(confusion, classes, path) -> None:
    """Write the confusion matrix as CSV: the true class in the first column, then a column for each predicted class."""
    with files.whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["true", *classes])
        writer.writerows([name, *row] for name, row in zip(classes, confusion, strict=True))


def _worst(predictions, image_root, decode):
    from kfg.figures import worst

    if image_root is None:
        return None
    root = pathlib.Path(image_root)
    return worst.find(predictions, lambda path: decode(root / path))


def _photographs(predictions, image_root, decode, store, worst, maps) -> Safe:
    if image_root is None:
        return photographs.end(predictions, None)
    read = thumbnails.reader(predictions.paths, image_root, decode, store)
    small = thumbnails.make(predictions, read, standing={one.at for one in worst if one.thumbnail is not None})
    root = pathlib.Path(image_root)
    drawn = {
        at: [(title, thumbnails.as_taken(pixels, root / predictions.paths[at])) for title, pixels in shown]
        for at, shown in maps.items()
    }
    return photographs.end(predictions, small, maps=drawn)


def _pictures(run_dir, run, result, classes, worst) -> dict[str, bytes]:
    """Draw and write the PNG files; return name -> PNG bytes, for the page."""
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
