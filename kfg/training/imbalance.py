"""What is done for rare classes, by name: a loss or a way of showing images, never both."""

import numpy as np

from kfg.data.checks import IMBALANCE
from kfg.data.sampling import SHARES
from kfg.errors import InputError
from kfg.training.losses import CrossEntropy, class_balanced_weights, log_prior

SMOOTHING = 0.1  # of the labels, where nothing else is asked for
BETA = 0.999  # of the class-balanced weights, as in the paper for sets of this size

LOSSES = {
    "none": lambda counts: {},
    "weighted": lambda counts: {"class_weights": class_balanced_weights(counts, beta=BETA)},
    "adjusted": lambda counts: {"log_prior": log_prior(counts)},
}
TREATMENTS = (*LOSSES, *SHARES)
AUTO = "auto"  # "adjusted", which does most for rare classes in recipes/retail258, where classes are lopsided


def chosen(name: str, counts) -> dict:
    """Decide AUTO by the class counts.

    Args:
        name: one of TREATMENTS, which stays, or AUTO.
        counts: int (C,), training images of each class.
    Returns:
        {"treatment": one of TREATMENTS, "why"}.
    Example:
        >>> chosen("auto", [60, 4])["treatment"], chosen("auto", [60, 30])["treatment"], chosen("none", [60, 4])
        ('adjusted', 'none', {'treatment': 'none', 'why': 'as set'})
    """
    if name != AUTO:
        return {"treatment": name, "why": "as set"}
    ratio = np.max(counts) / max(1, np.min(counts))
    why = f"the largest class has {ratio:.1f} times the smallest's training images, {IMBALANCE} or more is lopsided"
    return {"treatment": "adjusted" if ratio >= IMBALANCE else "none", "why": why}


def aim(treatment: str) -> str:
    """Return the figure that a treatment is to raise, by which its models are then chosen: a key of _planning.AIMS.

    Example:
        >>> aim("none"), aim("adjusted")
        ('top-1', 'macro recall')
    """
    return "top-1" if treatment == "none" else "macro recall"


def treated(name: str, counts, *, label_smoothing: float | None = None):
    """Return the loss and the sampling of a treatment.

    Args:
        name: one of TREATMENTS.
        counts: int (C,), training images of each class.
        label_smoothing: float in [0, 1); None is SMOOTHING, but 0 for the adjusted loss: there it gives answers that
            are far less sure than they should be, for a recall that is hardly higher (recipes/folder/README.md).
    Returns:
        (CrossEntropy, a key of kfg.data.sampling.SHARES or None).
    Raises:
        InputError: an unknown name.
    Example:
        >>> loss, sampling = treated("balanced", [3, 1])
        >>> loss.class_weights is None, sampling
        (True, 'balanced')
    """
    if name not in TREATMENTS:
        raise InputError(f"imbalance: {name!r} is none of {', '.join(TREATMENTS)}")
    if label_smoothing is None:
        label_smoothing = 0.0 if name == "adjusted" else SMOOTHING
    loss = CrossEntropy(label_smoothing=label_smoothing, **LOSSES.get(name, LOSSES["none"])(counts))
    return loss, name if name in SHARES else None
