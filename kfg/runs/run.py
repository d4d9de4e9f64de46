"""A finished run, opened again: its figures, its model, its answers on the test images, and new photographs."""

import functools
import html
from collections.abc import Mapping

import numpy as np

from kfg.errors import InputError
from kfg.files import local, read_json
from kfg.runs import found, run_files

INLINE_HEIGHT = 800  # pixels of a report in a notebook


class Run:
    """A finished run. `kfg.train` returns one, `kfg.open` makes one of a run folder.

    Args:
        path: the run folder.
    Attributes:
        path: the run folder, a pathlib.Path.
        metrics: dict, the figures of report.json with their 95 % intervals.
        confusion: int64 (C, C), test images; row = true class, column = predicted.
        classes: tuple of C names.
        model: the Keras model, images in [0, 255] -> probabilities (B, C).
        predictions: kfg.evaluation.predict.Predictions, the answers on the test images.
        config: dict, the settings.
    Raises:
        InputError: no run, an unfinished one, or one of another version that cannot be read.
    """

    def __init__(self, path):
        self.path = found.only(local(path))
        if not self.path.is_dir():
            raise InputError(f"{self.path}: no such run folder")
        if not (self.path / run_files.REPORT).is_file():
            unfinished = (self.path / run_files.CONFIG).is_file()
            what = "this run is not finished; go on with the same command and --resume" if unfinished else "no run here"
            raise InputError(f"{self.path}: {what} (it has no report.json)")

    def __repr__(self) -> str:
        top1 = self.metrics["top1"]
        return (
            f"Run {str(self.path)!r}: {len(self.classes)} classes, {top1['value']:.1%} right on "
            f"{self.metrics['images']:,} test images ({top1['low']:.1%} to {top1['high']:.1%})"
        )

    def _repr_html_(self) -> str:
        """Show the report in a notebook."""
        page = (self.path / run_files.PAGE).read_text(encoding="utf-8")
        return f'<iframe srcdoc="{html.escape(page)}" width="100%" height="{INLINE_HEIGHT}"></iframe>'

    @functools.cached_property
    def metrics(self) -> dict:
        return read_json(self.path / run_files.REPORT, dict)

    @functools.cached_property
    def config(self) -> Mapping:
        return read_json(self.path / run_files.CONFIG, dict).get("config", {})

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        return tuple(read_json(self.path / run_files.CLASSES, list))

    @property
    def confusion(self) -> np.ndarray:
        return np.array(self.metrics["confusion"], dtype=np.int64)

    @functools.cached_property
    def predictions(self):
        from kfg.evaluation import predict

        return predict.read_csv(self.path / run_files.PREDICTIONS)

    @functools.cached_property
    def model(self):
        from kfg.exporting import classifiers

        return classifiers.load_keras(self.path)[0]

    @functools.cached_property
    def _classifier(self):
        from kfg.exporting import classifiers

        return classifiers.load(self.path)

    def predict(self, paths, *, batch_size: int = 32) -> list:
        """Classify photographs.

        Args:
            paths: an image file or a folder, or several.
            batch_size: images at once.
        Returns:
            kfg.exporting.classifiers.Answer of each: `path`, `class_name`, `probability`, and `error`, a line where the
            photograph could not be read, else "".
        Raises:
            InputError: a folder without images.
        """
        from kfg.data import image_files

        return list(self._classifier.predict(image_files.files(paths, classes=self.classes), batch_size=batch_size))


def open_run(path) -> Run:
    """Open a finished run.

    Args:
        path: the run folder, such as "runs/photos/folder/transfer/seed-0", or one above it that holds no other run.
    Raises:
        InputError: no run there, or an unfinished one.
    """
    return Run(path)
