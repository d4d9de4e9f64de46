"""How a run learns and answers. The heads that judge its photographs must do the same, or they judge another net."""

import dataclasses

import numpy as np

from kfg.augment import draws
from kfg.data.sampling import SHARES, epoch_keys
from kfg.evaluation import posthoc
from kfg.training import imbalance


@dataclasses.dataclass(frozen=True, eq=False)
class Manner:
    """How heads learn and answer.

    Args:
        loss: as `kfg.training.losses.CrossEntropy`, without label smoothing.
        sampling: a key of kfg.data.sampling.SHARES, which shows rare classes more often; None: no sampling.
        mirrored: whether the answers on an image and on its mirror image are averaged.
        bias: float (C,), added to each class's log-odds of calibrated answers; None: no class is raised.
    """

    loss: object
    sampling: str | None = None
    mirrored: bool = False
    bias: np.ndarray | None = None

    @classmethod
    def of(cls, treatment: str, counts, *, mirrored: bool = False, bias: np.ndarray | None = None) -> "Manner":
        """Return the manner of a training; its loss has no label smoothing, so that the answers to be judged are firm.

        Args:
            treatment: a key of kfg.training.imbalance.TREATMENTS.
            counts: int (C,), number of photographs of each class.
            mirrored, bias: as above; a bias of zeros is none.
        Raises:
            InputError: the treatment is unknown.
        """
        loss, sampling = imbalance.treated(treatment, counts, label_smoothing=0.0)
        return cls(loss, sampling, mirrored, bias if bias is not None and bias.any() else None)

    def order(self, labels, rows, seed: int):
        """Return a function epoch -> the rows that it shows, in the order in which the run's training shows them."""
        if self.sampling is None:
            return lambda epoch: draws.shuffled(seed, epoch=epoch, positions=rows)
        return lambda epoch: rows[epoch_keys(labels[rows], self.sampling, seed=seed, epoch=epoch) % len(rows)]

    def weights(self, labels) -> np.ndarray:
        """Return float32 (N,), weights that make photographs shown equally often count as much as with the sampling."""
        if self.sampling is None:
            return np.ones(len(labels), np.float32)
        counts = np.bincount(labels)
        shares = SHARES[self.sampling](counts)
        return (shares / shares.sum() * len(labels) / np.maximum(1, counts))[labels].astype(np.float32)

    def raised(self, answers, *, temperature: float = 1.0) -> np.ndarray:
        """Return the answers (N, C) after adding the bias.

        Args:
            temperature: that of the answers; 1 if they are calibrated.
        """
        return answers if self.bias is None else shifted(answers, temperature * self.bias)


def shifted(answers, log_factors) -> np.ndarray:
    """Return answers (N, C), each class multiplied by exp(log_factors), and each row scaled to sum 1."""
    return posthoc.softmax(np.log(np.maximum(answers, posthoc.SMALLEST)) + log_factors)
