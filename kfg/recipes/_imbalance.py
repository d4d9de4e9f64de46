"""What is done for rare classes, by name: a loss or a way of showing images, never both."""

from kfg.data.sampling import SHARES
from kfg.errors import InputError
from kfg.training.losses import CrossEntropy, class_balanced_weights, log_prior

BETA = 0.999  # of the class-balanced weights, as in the paper for sets of this size

LOSSES = {
    "none": lambda counts: {},
    "weighted": lambda counts: {"class_weights": class_balanced_weights(counts, beta=BETA)},
    "adjusted": lambda counts: {"log_prior": log_prior(counts)},
}
TREATMENTS = (*LOSSES, *SHARES)


def treated(name: str, counts, *, label_smoothing: float = 0.0):
    """Return the loss and the sampling of a treatment.

    Args:
        name: one of TREATMENTS.
        counts: int (C,), training images of each class.
        label_smoothing: float in [0, 1).
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
    loss = CrossEntropy(label_smoothing=label_smoothing, **LOSSES.get(name, LOSSES["none"])(counts))
    return loss, name if name in SHARES else None
