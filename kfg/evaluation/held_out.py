"""Find thresholds on held-out images, that is, images that a model was not trained on. No TensorFlow here."""

import dataclasses
import functools

import numpy as np

from kfg.evaluation.intervals import wilson

STRATA_IMAGES = 15  # average number of held-out images in a stratum of `alike`
MOST_STRATA = 10
ROUNDING = 1e-12  # of 1 - coverage


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """Calibrated predictions on N images that the model was not trained on.

    Args:
        probability: float (N,), probability of the most likely class.
        true: float (N,), probability of the true class.
        right: bool (N,), whether the most likely class is the true one.
        weights: float (N,) > 0, weight of each image; their mean is 1.
    """

    probability: np.ndarray
    true: np.ndarray
    right: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, probabilities, labels, weights=None) -> "HeldOut":
        """Make a HeldOut from probabilities, float (N, C), and labels, int (N,)."""
        probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
        weights = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
        return cls(
            probability=probabilities.max(axis=1),
            true=probabilities[np.arange(len(labels)), labels],
            right=probabilities.argmax(axis=1) == labels,
            weights=weights / weights.mean(),
        )

    def __len__(self) -> int:
        return len(self.right)

    @functools.cached_property
    def effective(self) -> float:
        """The number of images of equal weight that would hold the same information."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())

    def surest(self, precision: float) -> float | None:
        """Return the lowest threshold of probability from which on predictions are right often enough; else None.

        The rule assumes one more wrong image above the threshold than was seen. With that, the promised precision holds
        on average for new photographs, however few the held-out images are.

        Args:
            precision: float in (0, 1), share of the predictions at or above the threshold that must be right.
        Source: Angelopoulos et al. 2022, conformal risk control, arXiv:2208.02814.
        Example:
            >>> answers = HeldOut.of([[0.9, 0.1]] * 39 + [[0.4, 0.6]], [0] * 40)
            >>> answers.surest(0.95), answers.surest(0.97), answers.surest(0.99)
            (0.6, 0.9, None)
        """
        order = np.argsort(-self.probability, kind="stable")
        wrong = np.cumsum(self.weights[order] * ~self.right[order])
        answered = np.cumsum(self.weights[order])
        last = np.append(np.diff(self.probability[order]) != 0, True)  # equal ones are all in or all out
        enough = np.flatnonzero(last & (wrong + 1 <= (1 - precision) * (answered + 1)))
        return float(self.probability[order[enough[-1]]]) if len(enough) else None

    def unanswered(self, threshold: float | None) -> dict:
        """Return the share of images below a threshold from `surest`, with a 95% interval; None: all are below."""
        below = self.weights[self.probability < threshold].sum() if threshold is not None else self.weights.sum()
        return self._share(below / self.weights.sum())

    def least_likely(self, coverage: float) -> float:
        """Return a threshold so that the set of all classes at or above it holds the true class often enough.

        The threshold is interpolated between the values of the images, so that on average exactly the share `coverage`
        of new photographs is covered, and not a little more. If the images are too few for that share (99.9% takes
        999), it is 0, so that the set holds all classes.

        Args:
            coverage: float in (0, 1), share of photographs whose true class is to be in the set.
        Source: Sadinle, Lei & Wasserman 2019, least ambiguous sets, arXiv:1609.00451.
        Example:
            >>> steps = np.linspace(0.01, 0.99, 99)
            >>> round(HeldOut.of(np.stack([steps, 1 - steps], 1), [0] * 99).least_likely(0.9), 3)
            0.1
        """
        order = np.argsort(self.true, kind="stable")
        reached = np.cumsum(self.weights[order]) / (self.weights.sum() + 1)
        if 1 - coverage < 1 / (self.weights.sum() + 1) - ROUNDING:
            return 0.0
        return float(np.interp(1 - coverage, reached, self.true[order]))

    def _share(self, value: float) -> dict:
        low, high = wilson(value * self.effective, self.effective)
        return {"value": float(value), "low": low, "high": high}


def highest(strangeness, false_alarms: float) -> float:
    """Return the threshold of strangeness that new images exceed with the probability `false_alarms`.

    If N is too small for this probability, it is the largest value.

    Args:
        strangeness: float (N,), values of held-out images.
        false_alarms: float in (0, 1).
    Source: the rank of split conformal prediction; Vovk, Gammerman & Shafer 2005.
    Example:
        >>> highest(np.arange(99.0), 0.05), highest(np.arange(9.0), 0.05)
        (94.0, 8.0)
    """
    ordered = np.sort(np.asarray(strangeness, np.float64))
    rank = int(np.ceil((1 - false_alarms) * (len(ordered) + 1)))
    return float(ordered[min(rank, len(ordered)) - 1])


def alike(difficulty, labels, held_out, *, equal: bool = False) -> np.ndarray:
    """Return weights for the held-out images that make them as difficult, on average, as all images of their classes.

    Two hundred images may by chance be harder or easier than the thousands that they represent. The out-of-fold
    predictions of another model on all images show by how much. The images are divided into strata of difficulty, and
    each stratum gets the weight that it has among all images. The classes keep the shares that they have among the
    held-out images, or all get equal shares.

    Args:
        difficulty: float (N,), such as the probability that another model gives to the true class, out of fold.
        labels: int (N,).
        held_out: int (M,), positions of the images to weight.
        equal: whether all classes get equal shares.
    Returns:
        float (M,), weights with mean 1.
    Source: post-stratification; Holt & Smith 1979, JRSS A 142:33.
    Example:
        >>> easy = np.array([0.1] * 500 + [0.9] * 500)
        >>> weights = alike(easy, np.zeros(1000, int), np.arange(400, 800))  # 100 hard ones, 300 easy ones
        >>> round(float(weights[0]), 3), round(float(weights[-1]), 3)
        (2.0, 0.667)
    """
    difficulty, labels, held_out = np.asarray(difficulty, np.float64), np.asarray(labels), np.asarray(held_out)
    strata = int(np.clip(len(held_out) // STRATA_IMAGES, 1, MOST_STRATA))
    of_class = 1.0 if equal else np.bincount(labels[held_out], minlength=labels.max() + 1)
    counted = (of_class / np.maximum(np.bincount(labels), 1))[labels]  # weights for the class shares
    order = np.argsort(difficulty, kind="stable")
    below = np.cumsum(counted[order]) / counted.sum()
    bounds = difficulty[order][np.searchsorted(below, np.linspace(0, 1, strata + 1)[1:-1])]
    stratum = np.searchsorted(bounds, difficulty, side="left")
    wanted = np.bincount(stratum, weights=counted, minlength=strata) / counted.sum()
    own = np.bincount(stratum[held_out], minlength=strata) / len(held_out)
    weights = (wanted / np.maximum(own, 1 / len(held_out)))[stratum[held_out]]
    return weights / weights.mean()
