"""A model's predictions on a set of labelled images: compute, check, write and read them."""

import csv
import dataclasses
import pathlib

import numpy as np

from kfg import files
from kfg.errors import InputError
from kfg.pixels import check_range

CSV_COLUMNS = ("path", "true", "predicted", "confidence", "loss", "correct")
EPSILON = 1e-7  # Keras clips to it, too, so a loss here equals the loss that Keras prints (without weight penalties)
NO_PROBABILITIES = "not probabilities (they must sum to 1; if the model's last layer is linear, add a Softmax layer)"
SUM_TOLERANCE = 1e-2  # the sum of a softmax in bfloat16 is off by up to 0.4%


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted class probabilities for N images, each image once.

    Args:
        paths: N paths, relative to the data folder.
        labels: int32 array (N,), true class ids in [0, C).
        probabilities: float32 array (N, C), rows sum to 1.
        classes: C class names, the order of the columns.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def predicted(self) -> np.ndarray:
        """The most probable class of each image, int64 (N,); of equal ones the lowest id."""
        return self.probabilities.argmax(axis=1)

    @property
    def losses(self) -> np.ndarray:
        """The loss of each image, float64 (N,): -ln of the true class's probability, clipped to [1e-7, 1 - 1e-7]."""
        true = self.probabilities[np.arange(len(self)), self.labels].astype(np.float64)
        return -np.log(np.clip(true, EPSILON, 1 - EPSILON))

    def take(self, positions) -> "Predictions":
        """Return the predictions at these positions, in the order given."""
        positions = np.asarray(positions, dtype=np.int64)
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[at] for at in positions),
            labels=self.labels[positions],
            probabilities=self.probabilities[positions],
        )


def check_answers(predictions: Predictions) -> None:
    """Raise unless every image has a label in range and finite probabilities that sum to 1.

    Raises:
        InputError: there are no images, shapes do not match, a label is out of range, or a row has NaN or is not
            probabilities (but logits, for example); the message names the first such image.
    """
    count, width = len(predictions), len(predictions.classes)
    if not count:
        raise InputError("no predictions to evaluate")
    if predictions.probabilities.shape != (count, width) or len(predictions.labels) != count:
        raise InputError(
            f"probabilities {predictions.probabilities.shape} and labels {predictions.labels.shape} "
            f"do not fit {count} images of {width} classes"
        )
    _refuse(predictions, (predictions.labels < 0) | (predictions.labels >= width), f"label outside [0, {width})")
    _refuse(predictions, ~np.isfinite(predictions.probabilities).all(axis=1), "probabilities are not finite (NaN)")
    off = abs(predictions.probabilities.sum(axis=1) - 1) > SUM_TOLERANCE
    _refuse(predictions, off | (predictions.probabilities < 0).any(axis=1), NO_PROBABILITIES)


def _refuse(predictions, bad, reason):
    if bad.any():
        raise InputError(f"{predictions.paths[int(np.flatnonzero(bad)[0])]}: {reason}; {bad.sum()} such images")


def predict(model, batches, *, index, progress=None) -> Predictions:
    """Return the predictions of `model` for every image of `index`.

    The last batch is filled up to the size of the first one, because a net is traced anew for a batch of another size.

    Args:
        model: Keras model, uint8 (B, H, W, 3) -> probabilities (B, C).
        batches: iterable (tf.data) of images, or of (images, labels), in the order of `index`; labels are checked
            against the index.
        index: kfg.data.index.Index with `paths`, `labels`, `classes`.
        progress: function (images answered, images in all), called after each batch.
    Returns:
        Predictions in the order of `index`.
    Raises:
        InputError: there are more or fewer images than in the index, labels are in another order, images were scaled
            before, or the outputs are not probabilities of the index's classes.
    """
    outputs, seen, size = [np.zeros((0, len(index.classes)), np.float32)], 0, 0
    for batch in batches:
        images, labels = batch[:2] if isinstance(batch, (tuple, list)) else (batch, None)
        if not seen:
            check_range(images)  # checking the first batch is enough, and later batches then cost no time
            size = len(images)
        filled = _filled(images, size)
        answers = np.asarray(model.predict_on_batch(filled), dtype=np.float32)
        probabilities = answers[: len(answers) - (len(filled) - len(images))]
        expected = index.labels[seen : seen + len(probabilities)]
        if labels is not None and not np.array_equal(np.asarray(labels)[: len(expected)], expected):
            raise InputError(f"labels of images {seen} to {seen + len(probabilities) - 1} differ from the index's")
        outputs.append(probabilities)
        seen += len(probabilities)
        if progress is not None:
            progress(min(seen, len(index)), len(index))
    if seen != len(index):
        raise InputError(f"the batches hold {seen} images, but the index has {len(index)}; give each image once")
    if outputs[-1].ndim != 2 or outputs[-1].shape[1] != len(index.classes):
        raise InputError(
            f"the model's outputs have the shape {outputs[-1].shape[1:]}, but there are {len(index.classes)} classes"
        )
    result = Predictions(tuple(index.paths), index.labels, np.concatenate(outputs), tuple(index.classes))
    check_answers(result)
    return result


def _filled(images, size: int):
    """Return images (B, H, W, 3), followed by copies of the last one until there are `size` of them."""
    missing = size - len(images)
    return np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing > 0 else images


def write_csv(predictions: Predictions, path) -> None:
    """Write one line per image: path, true, predicted, confidence, loss, correct, then `p_CLASS` for each class.

    `correct` is 1 or 0. Probabilities are written with enough digits to give the same float32 when read.
    """
    predicted, losses = predictions.predicted, predictions.losses
    with files.whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*CSV_COLUMNS, *(f"p_{name}" for name in predictions.classes)])
        for i, row in enumerate(predictions.probabilities.astype(np.float32)):
            true, guess = int(predictions.labels[i]), int(predicted[i])
            digits = row.astype(str)  # the shortest digits that give the same float32 when read
            names = predictions.classes[true], predictions.classes[guess]
            writer.writerow(
                [predictions.paths[i], *names, digits[guess], f"{losses[i]:.6g}", int(true == guess), *digits]
            )


def read_csv(path) -> Predictions:
    """Read predictions that `write_csv` wrote.

    Raises:
        InputError: the file is missing, has other columns, has a line that does not fit them, or has values that are
            not probabilities.
    """
    path, fixed = pathlib.Path(path), len(CSV_COLUMNS)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if tuple(header[:fixed]) != CSV_COLUMNS or not all(name.startswith("p_") for name in header[fixed:]):
                found = ",".join(header[:8])
                raise InputError(f"{path}: columns must be {','.join(CSV_COLUMNS)},p_CLASS...; found {found}")
            found = _of_rows(path, reader, tuple(name[len("p_") :] for name in header[fixed:]))
    except InputError:
        raise
    except (OSError, ValueError, csv.Error) as error:  # ValueError: not UTF-8, or not a number
        raise InputError(f"{path}: {error}") from error
    try:
        if len(found):
            check_answers(found)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return found


def _of_rows(path, rows, classes) -> Predictions:
    """Return the predictions in the rows of a CSV file; each row becomes float32 at once: its text is much larger."""
    fixed, ids = len(CSV_COLUMNS), {name: i for i, name in enumerate(classes)}
    paths, labels, probabilities = [], [], []
    for line, row in enumerate(rows, start=2):
        if len(row) != fixed + len(classes) or row[1] not in ids:
            raise InputError(f"{path}:{line}: has {len(row)} of {fixed + len(classes)} fields, true class {row[1:2]}")
        paths.append(row[0])
        labels.append(ids[row[1]])
        probabilities.append(np.array(row[fixed:], dtype=np.float64).astype(np.float32))
    stacked = np.array(probabilities, dtype=np.float32).reshape(len(paths), len(classes))
    return Predictions(tuple(paths), np.array(labels, dtype=np.int32), stacked, classes)
