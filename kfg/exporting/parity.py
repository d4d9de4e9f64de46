"""Whether a SavedModel is whole, whether it answers as the Keras model it was made from, and how it is loaded."""

import dataclasses
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from kfg.errors import InputError
from kfg.files import digest, read_json
from kfg.training import precision

DIGESTS_FILE = "digests.json"  # path in the folder -> SHA-256: TensorFlow does not notice a graph with a bit turned
TOLERANCE = 1e-4  # largest difference of probabilities between the model and its export
TF32_TOLERANCE = 1e-2  # the same where a GPU multiplies with 10 bits of mantissa: 1e-3 a product, summed over layers
PATTERN = frozenset("*?[\\")  # characters that TensorFlow takes for a pattern in the path of a SavedModel's variables


@dataclasses.dataclass(frozen=True)
class Parity:
    """How far an export's answers are from the model's: largest absolute differences of a probability.

    Args:
        serve: over all samples; NaN where an answer is.
        serve_bytes: of each file that was compared, by the number of its sample; 1 for one that was refused.
        allowed: of `serve`, see `tolerance`.
    """

    serve: float
    serve_bytes: dict[int, float]
    allowed: float

    @property
    def passed(self) -> bool:
        return self.serve <= self.allowed  # NaN is not

    @property
    def largest(self) -> float:
        return max([self.serve, *self.serve_bytes.values()])


class ParityError(RuntimeError):
    """An export that answers otherwise than its model; `parity` says by how much, `kept` where it is."""

    def __init__(self, parity: Parity, kept: pathlib.Path):
        super().__init__(
            f"{kept}: the export differs from the model by {parity.serve:.2g}, {parity.allowed:g} is allowed"
        )
        self.parity, self.kept = parity, kept


def tolerance() -> float:
    """Return the largest difference of a probability between a model and its export that is rounding on this device."""
    return TF32_TOLERANCE if precision.uses_tf32() else TOLERANCE


def measure(model, path, samples, encoded) -> Parity:
    """Compare a SavedModel with the model it was made from; arguments as for `kfg.exporting.saved_model.save`."""
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
    """Load a SavedModel, from a folder of any name."""
    folder = pathlib.Path(folder).absolute()
    if PATTERN.isdisjoint(folder.as_posix()):
        return tf.saved_model.load(str(folder))
    with tempfile.TemporaryDirectory() as scratch:
        plain = pathlib.Path(scratch, "export")
        try:
            plain.symlink_to(folder, target_is_directory=True)
        except OSError:  # Windows lets only some users make links
            shutil.copytree(folder, plain)
        return tf.saved_model.load(str(plain))


def digests(folder: pathlib.Path, *, but: str) -> dict[str, str]:
    """Return the digest of every file in a folder, by its path there; `but` is left out."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: digest(path) for name, path in found.items() if name != but}


def check_digests(folder: pathlib.Path) -> None:
    """Refuse an export of which a file is not what was written; those of earlier versions have no digests.

    Raises:
        InputError: such a file, or a missing one; the message names it.
    """
    if not (folder / DIGESTS_FILE).is_file():
        return
    for name, wanted in read_json(folder / DIGESTS_FILE, dict).items():
        try:
            whole = digest(folder / name) == wanted
        except (OSError, ValueError) as error:  # a name with a zero byte, where the list itself is damaged
            raise InputError(f"{folder}: not a whole kfg export ({name!r}: {error})") from error
        if not whole:
            raise InputError(f"{folder}: not a whole kfg export ({name} is damaged); put back a whole copy")
