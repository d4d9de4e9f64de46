"""Load a SavedModel, check that its files are whole, and that it answers as the Keras model it was made from."""

import dataclasses
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from kfg.errors import InputError
from kfg.files import digest, read_json
from kfg.runs import run_files
from kfg.training import precision

TOLERANCE = 1e-4  # largest allowed difference of probabilities between a model and its export
TF32_TOLERANCE = 1e-2  # the same on a GPU that multiplies with 10 bits of mantissa: 1e-3 a product, summed over layers
PATTERN = frozenset("*?[\\")  # characters that TensorFlow reads as a pattern in the path of a SavedModel's variables


@dataclasses.dataclass(frozen=True)
class Parity:
    """How far an export's answers are from the model's, as largest absolute differences of a probability.

    Args:
        serve: the largest over all samples; NaN if an answer is NaN.
        serve_bytes: number of a sample -> the difference when it is compared as a file; 1 if the file was refused.
        allowed: the largest `serve` that passes, see `tolerance`.
    """

    serve: float
    serve_bytes: dict[int, float]
    allowed: float

    @property
    def passed(self) -> bool:
        return self.serve <= self.allowed  # NaN does not pass

    @property
    def largest(self) -> float:
        return max([self.serve, *self.serve_bytes.values()])


class ParityError(RuntimeError):
    """An export answers differently from its model; `parity` has the differences, `kept` the folder of the export."""

    def __init__(self, parity: Parity, kept: pathlib.Path):
        super().__init__(
            f"{kept}: the export differs from the model by {parity.serve:.2g}, but only {parity.allowed:g} is allowed"
        )
        self.parity, self.kept = parity, kept


def tolerance() -> float:
    """Return the largest difference of a probability, between a model and its export, that counts as rounding here."""
    return TF32_TOLERANCE if precision.uses_tf32() else TOLERANCE


def measure(model, path, samples, encoded) -> Parity:
    """Compare a SavedModel with the model that it was made from. Arguments as for `kfg.exporting.saved_model.save`."""
    loaded = load_saved_model(path)
    expected = np.asarray(model(samples.astype(np.float32), training=False))

    def of_file(number, data):
        try:
            return float(np.abs(expected[number] - loaded.serve_bytes(tf.constant([data])).numpy()[0]).max())
        except tf.errors.InvalidArgumentError:
            return 1.0

    difference = float(np.abs(expected - loaded.serve(samples).numpy()).max())
    return Parity(difference, {number: of_file(number, data) for number, data in encoded.items()}, tolerance())


def load_saved_model(folder):
    """Load a SavedModel from a folder of any name, also one that TensorFlow would read as a pattern."""
    folder = pathlib.Path(folder).absolute()
    if PATTERN.isdisjoint(folder.as_posix()):
        return tf.saved_model.load(str(folder))
    with tempfile.TemporaryDirectory() as scratch:
        plain = pathlib.Path(scratch, "export")
        try:
            plain.symlink_to(folder, target_is_directory=True)
        except OSError:  # on Windows, only some users may make links
            shutil.copytree(folder, plain)
        return tf.saved_model.load(str(plain))


def digests(folder: pathlib.Path, *, but: str) -> dict[str, str]:
    """Return path in the folder -> digest, for every file in a folder except `but`."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: digest(path) for name, path in found.items() if name != but}


def check_digests(folder: pathlib.Path) -> None:
    """Refuse an export with a file that has changed since it was written. Exports of earlier versions have no digests.

    Raises:
        InputError: a file that has changed or is missing; the message names it.
    """
    if not (folder / run_files.DIGESTS).is_file():
        return
    for name, wanted in read_json(folder / run_files.DIGESTS, dict).items():
        try:
            whole = digest(folder / name) == wanted
        except (OSError, ValueError) as error:  # ValueError: a name with a zero byte, if the list itself is damaged
            raise InputError(f"{folder}: not a complete kfg export ({name!r}: {error})") from error
        if not whole:
            raise InputError(f"{folder}: not a complete kfg export ({name} is damaged); restore it from a copy")
