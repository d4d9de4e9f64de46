"""Treatments for rare classes, by name: each is either a loss or a way of sampling images."""

import numpy as np

from kfg.data.checks import IMBALANCE
from kfg.data.sampling import SHARES
from kfg.errors import InputError
from kfg.training.losses import CrossEntropy, class_balanced_weights, log_prior

SMOOTHING = 0.1  # default label smoothing
BETA = 0.999  # beta of the class-balanced weights, as in the paper for data sets of this size

LOSSES = {
    "none": lambda counts: {},
    "weighted": lambda counts: {"class_weights": class_balanced_weights(counts, beta=BETA)},
    "adjusted": lambda counts: {"log_prior": log_prior(counts)},
}
TREATMENTS = (*LOSSES, *SHARES)
AUTO = "auto"  # "adjusted" if classes are imbalanced: it helps rare classes most in recipes/retail258; else "none"


def chosen(name: str, counts) -> dict:
    """Return the treatment to use; AUTO is decided by the class counts.

    Args:
        name: one of TREATMENTS, which is returned as it is, or AUTO.
        counts: int (C,), number of training images of each class.
    Returns:
        {"treatment": one of TREATMENTS, "why": the reason in words}.
    Example:
        >>> chosen("auto", [60, 4])["treatment"], chosen("auto", [60, 30])["treatment"], chosen("none", [60, 4])
        ('adjusted', 'none', {'treatment': 'none', 'why': 'as the settings say'})
    """
    if name != AUTO:
        return {"treatment": name, "why": "as the settings say"}
    ratio = np.max(counts) / max(1, np.min(counts))
    why = (
        f"the largest class has {ratio:.1f} times as many training images as the smallest; {IMBALANCE} or more counts "
        "as unequal"
    )
    return {"treatment": "adjusted" if ratio >= IMBALANCE else "none", "why": why}


def aim(treatment: str) -> str:
    """Return what a treatment is meant to raise, a key of kfg.engine.judged.AIMS.

    Example:
        >>> aim("none"), aim("adjusted")
        ('top-1', 'macro recall')
    """
    return "top-1" if treatment == "none" else "macro recall"


def treated(name: str, counts, *, label_smoothing: float | None = None):
    """Return the loss and the sampling of a treatment.

    Args:
        name: one of TREATMENTS.
        counts: int (C,), number of training images of each class.
        label_smoothing: float in [0, 1). None: SMOOTHING, or 0 for the adjusted loss, with which smoothing would make
            probabilities far too low for a recall that is hardly higher (recipes/folder/README.md).
    Returns:
        (CrossEntropy, a key of kfg.data.sampling.SHARES or None).
    Raises:
        InputError: the name is unknown.
    Example:
        >>> loss, sampling = treated("balanced", [3, 1])
        >>> loss.class_weights is None, sampling
        (True, 'balanced')
    """
    if name not in TREATMENTS:
        raise InputError(f"imbalance: {name!r} is not one of {', '.join(TREATMENTS)}")
    if label_smoothing is None:
        label_smoothing = 0.0 if name == "adjusted" else SMOOTHING
    loss = CrossEntropy(label_smoothing=label_smoothing, **LOSSES.get(name, LOSSES["none"])(counts))
    return loss, name if name in SHARES else None
