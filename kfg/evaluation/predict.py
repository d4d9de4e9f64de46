"""A model's answers on a set of labelled images."""

import csv
import dataclasses
import pathlib

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Class probabilities of N images, each image once.

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
