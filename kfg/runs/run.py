"""A finished run, opened again: its figures, model and answers on the test images; it also classifies photographs."""

import functools
import html
from collections.abc import Mapping

import numpy as np

from kfg.errors import InputError
from kfg.files import local, read_json
from kfg.runs import found, run_files, unfinished

INLINE_HEIGHT = 800  # pixels of a report that is shown in a notebook


class Run:
    """A finished run. `kfg.train` returns one; `kfg.open` opens one from its folder.

    Args:
        path: the run folder.
    Attributes:
        path: the run folder, a pathlib.Path.
        metrics: dict, the figures of report.json with their 95% intervals.
        confusion: int64 (C, C), test images; row = true class, column = predicted.
        classes: tuple of C names.
        model: the Keras model, images in [0, 255] -> probabilities (B, C).
        predictions: kfg.evaluation.predict.Predictions, the answers on the test images.
        config: dict, the settings of the run.
    Raises:
        InputError: there is no run; it is unfinished; its version cannot be read.
    """

    def __init__(self, path):
        self.path = found.only(local(path))
        if not self.path.is_dir():
            raise InputError(f"{self.path}: is not the folder of a run")
        if not (self.path / run_files.REPORT).is_file():
            said = unfinished.told(self.path) if unfinished.is_unfinished(self.path) else "there is no run here"
            raise InputError(f"{self.path}: has no {run_files.REPORT}; {said}")

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
        from kfg.exporting import run_models

        return run_models.load_keras(self.path)[0]

    @functools.cached_property
    def _classifier(self):
        from kfg.exporting import classifiers

        return classifiers.load(self.path)

    def write_card(self):
        """Write model_card.md into the run folder, for runs of earlier versions that have none; return its path.

        Raises:
            InputError: a file of the run is damaged.
        """
        from kfg.reporting import card

        return card.write(self.path)

    def predict(self, paths, *, batch_size: int = 32) -> list:
        """Classify photographs.

        Args:
            paths: an image file or a folder, or several of them.
            batch_size: images in a batch.
        Returns:
            A list with a kfg.exporting.classifiers.Answer for each: `path`; `class_name`; `probability`; `verdict`,
            which is "unsure", "none of these" or ""; and `error`, a line if the photograph could not be read, else "".
        Raises:
            InputError: a folder without images.
        """
        from kfg.data import image_files
        from kfg.exporting import classifiers

        files = image_files.files(paths, classes=self.classes)
        classifiers.hasten(self._classifier, self.path, files)
        return list(self._classifier.predict(files, batch_size=batch_size))


def open_run(path) -> Run:
    """Open a finished run.

    Args:
        path: the run folder, such as "runs/photos/folder/transfer/seed-0", or a folder above it that contains no other
            run.
    Raises:
        InputError: there is no run, or it is unfinished.
    """
    return Run(path)
