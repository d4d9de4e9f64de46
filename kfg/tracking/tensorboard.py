"""A run's log for TensorBoard: event files in a folder of the run."""

import functools
import json
import pathlib

import tensorflow as tf


class TensorBoardLog:
    """Logs epochs as scalars by their number, settings as hyper-parameters and as text, and test figures and pictures.

    The existing event files are read first, so that values a kill cut off are written again, and none is written twice.

    Args:
        folder: folder of the event files.
        name: not used, because TensorBoard names runs by their folders.
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
        """The event file of this session, made when it is first needed: a finished run opened again needs none."""
        return tf.summary.create_file_writer(str(self.folder))

    def epochs(self, rows, *, prefix: str) -> None:
        """Write the rows that are not logged yet; the tag of a column is `prefix` and its name."""
        for row in rows:
            step = int(row["epoch"])
            self._scalars({f"{prefix}{name}": value for name, value in row.items() if name != "epoch"}, step)

    def results(self, values: dict[str, float], pictures: dict[str, pathlib.Path], *, step: int) -> None:
        """Write figures and PNG files, each under its tag, at a step."""
        self._scalars(values, step)
        for tag, path in pictures.items():
            if self._new(tag, step):
                image = tf.io.decode_png(path.read_bytes(), channels=3)
                with self.writer.as_default():
                    tf.summary.image(tag, image[tf.newaxis], step=step)
                self.writer.flush()

    def close(self, *, failed: bool) -> None:
        if "writer" in self.__dict__:  # the cached property was used
            self.writer.close()

    def _scalars(self, values, step):
        new = {tag: value for tag, value in values.items() if self._new(tag, step)}
        if new:
            with self.writer.as_default():
                for tag, value in new.items():
                    tf.summary.scalar(tag, value, step=step)
            self.writer.flush()

    def _new(self, tag, step) -> bool:
        """Return whether a tag has no value at this step or later, and note that it will have one."""
        if self.steps.get(tag, -1) >= step:
            return False
        self.steps[tag] = step
        return True


def last_steps(folder) -> dict[str, int]:
    """Return tag -> its last step, from all event files in a folder; a record that a kill cut off does not count."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    steps = {}
    for path in sorted(pathlib.Path(folder).glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                steps[value.tag] = max(event.step, steps.get(value.tag, -1))
    return steps


def flat(settings: dict, prefix: str = "") -> dict[str, object]:
    """Return settings as TensorBoard's hyper-parameters: on one level, with numbers, booleans and text.

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
