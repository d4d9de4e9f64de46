"""The interface of a format: what the export, the check and the documents need to know about it."""

import dataclasses
import pathlib
import typing
from collections.abc import Callable

import numpy as np

TOLERANCE = 1e-3  # largest allowed difference of a probability between a model and its export
AGREEMENT = 0.99  # for int8: least share of test photographs that get the same class as from the model
DROP = 0.01  # for int8: largest loss of top-1 that is allowed without force


@dataclasses.dataclass(frozen=True)
class Shipment:
    """A model to be exported, with all that its formats may need.

    Args:
        model: Keras model that computes in float32, images in [0, 255] (B, H, W, 3) -> probabilities (B, C).
        classes: C names.
        description: content of model.json, which some formats also hold inside the model file.
        calibration: function () -> uint8 (N, H, W, 3), training photographs of the model's size.
        saved_model: folder of the SavedModel that was exported when the run ended; None if there is none.
        bank: float32 (M, F), the features from which strangeness is measured; None where the run has none.
    """

    model: object
    classes: tuple[str, ...]
    description: dict
    calibration: Callable[[], np.ndarray]
    saved_model: pathlib.Path | None = None
    bank: np.ndarray | None = None

    @property
    def judge(self):
        """The model with strangeness (B,) as a second output; the model itself where the run has no bank."""
        from kfg.models import calibrated

        return self.model if self.bank is None else calibrated.judge(self.model, self.bank)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return tuple(self.model.input_shape[1:3])


class Format(typing.Protocol):
    """The attributes and functions of a module of this package.

    Attributes:
        TITLE: name for a reader.
        EXTRA: extra in setup.cfg that installs what writing and running it needs; "" if it needs none.
        MODULES: Python modules that must be installed.
        FILE: the file in the folder that a runtime loads; "." if it loads the folder.
        PARTS: names of all other files that it writes, and patterns for files in subfolders.
        ANY_SIZE: whether it takes images of any size and resizes them itself.
        ROUNDS: whether its weights are rounded, so that its probabilities differ from the model's; then it is judged by
            its classes, not by this difference.
        JUDGES: whether it returns each photograph's strangeness as well, if the run can measure it.
        NOTE: a sentence for model.json that its user must know; "" if there is nothing to say.
    """

    TITLE: str
    EXTRA: str
    MODULES: tuple[str, ...]
    FILE: str
    PARTS: tuple[str, ...]
    ANY_SIZE: bool
    ROUNDS: bool
    JUDGES: bool
    NOTE: str

    def write(self, shipment: Shipment, folder: pathlib.Path) -> None:
        """Write the files; InputError if the format lacks an operation that the model needs."""

    def opened(self, folder: pathlib.Path) -> Callable[[np.ndarray], np.ndarray | list]:
        """Return the function that the format's own runtime computes.

        It takes uint8 (B, H, W, 3) and returns probabilities, float32 (B, C); where the format tells strangeness too, a
        list of these and of float32 (B,).
        """
