"""A run's log for TensorBoard: event files in the run folder."""

import functools
import json
import pathlib

import tensorflow as tf


class TensorBoardLog:
    """Epochs as scalars by their number, settings as hyper-parameters and as text, figures and pictures of the test.

    What the event files have is read from them, so what a kill cut off is written again and nothing twice.

    Args:
        folder: of the event files.
        name: not used: TensorBoard names runs by their folders.
        settings: content of config.json.
    """

    def __init__(self, folder, *, name: str, settings: dict):
        self.folder = pathlib.Path(folder)
        self.steps = last_steps(self.folder)
        if "config" not in self.steps:
            from tensorboard.plugins.hparams import api

            with self.writer.as_default(step=0):
                api.hparams(flat(settings))
                tf.summary.text("config", f"```\n{json.dumps(settings, indent=1)}\n```")
            self.writer.flush()

    @functools.cached_property
    def writer(self):
        """The event file of this session; a finished run opened again gets none."""
        return tf.summary.create_file_writer(str(self.folder))

    def epochs(self, rows, *, prefix: str) -> None:
        """Write the rows that are not there yet, each column as `prefix` + its name."""
        for row in rows:
            step = int(row["epoch"])
            self._scalars({f"{prefix}{name}": value for name, value in row.items() if name != "epoch"}, step)

    def results(self, values: dict[str, float], pictures: dict[str, pathlib.Path], *, step: int) -> None:
        """Write figures and PNG files, by tag, at a step."""
        self._scalars(values, step)
        for tag, path in pictures.items():
            if self._new(tag, step):
                image = tf.io.decode_png(path.read_bytes(), channels=3)
                with self.writer.as_default():
                    tf.summary.image(tag, image[tf.newaxis], step=step)
                self.writer.flush()

    def close(self, *, failed: bool) -> None:
        if "writer" in self.__dict__:  # a cached property that was asked for
            self.writer.close()

    def _scalars(self, values, step):
        new = {tag: value for tag, value in values.items() if self._new(tag, step)}
        if new:
            with self.writer.as_default():
                for tag, value in new.items():
                    tf.summary.scalar(tag, value, step=step)
            self.writer.flush()

    def _new(self, tag, step) -> bool:
        """Return whether the files have nothing at this step or later, and note that they will."""
        if self.steps.get(tag, -1) >= step:
            return False
        self.steps[tag] = step
        return True


def last_steps(folder) -> dict[str, int]:
    """Return tag -> its last step, from all event files of a folder; a record that a kill cut off is not counted."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    steps = {}
    for path in sorted(pathlib.Path(folder).glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                steps[value.tag] = max(event.step, steps.get(value.tag, -1))
    return steps


def flat(settings: dict, prefix: str = "") -> dict[str, object]:
    """Return settings as the hyper-parameters TensorBoard takes: one level, numbers, booleans and text.

    Example:
        >>> flat({"seed": 0, "config": {"image_size": [68, 45], "stop_patience": None}})
        {'seed': 0, 'config.image_size': '[68, 45]', 'config.stop_patience': 'None'}
    """
    found = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return found
