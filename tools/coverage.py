"""Print how often intervals of macro recall contain the true value: kfg's method, and three others that were tried.

Run       python tools/coverage.py [--tests 600]   (some minutes)
"""

import argparse
import sys

import numpy as np

from kfg.evaluation import macro
from kfg.evaluation.intervals import wilson

DRAWS = 400
TAILS = (0.025, 0.975)


def effective(right, images, rng):
    """Return the bounds that kfg.evaluation.macro computes."""
    wrong = images - right
    matrix = np.diag(right) + np.roll(np.diag(wrong), 1, axis=1)
    found = macro.recall(matrix)
    return found["low"], found["high"]


def jeffreys(right, images, rng):
    """Return bounds as quantiles of the mean over classes of draws from Beta(right + 1/2, wrong + 1/2)."""
    return np.quantile(rng.beta(right + 0.5, images - right + 0.5, (DRAWS, len(images))).mean(axis=1), TAILS)


def mover(right, images, rng):
    """Return the mean -+ the root of the summed squares of the classes' Wilson distances (Zou, Huang & Zhang 2009)."""
    share, (low, high) = right / images, wilson(right, images)
    value, count = share.mean(), len(images)
    return value - np.sqrt(((share - low) ** 2).sum()) / count, value + np.sqrt(((high - share) ** 2).sum()) / count


def bootstrap(right, images, rng):
    """Return bounds as quantiles over resamples of all images, shifted by the bias of the resamples."""
    total, labels = images.sum(), np.repeat(np.arange(len(images)), images)
    is_right = np.concatenate([np.arange(n) < k for k, n in zip(right, images, strict=True)])
    means = []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(0, total, total), minlength=total)
        drawn = np.bincount(labels, times, len(images))
        hit = np.bincount(labels, times * is_right, len(images))
        means.append((hit[drawn > 0] / drawn[drawn > 0]).mean())
    return np.quantile(means, TAILS) - (np.mean(means) - (right / images).mean())


METHODS = {"effective": effective, "jeffreys": jeffreys, "mover": mover, "bootstrap": bootstrap}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=600)
    args = parser.parse_args(argv)
    print(f"{'classes':>7} {'images':>6} {'recall':>6}  " + "  ".join(f"{name:>15}" for name in METHODS))
    for count in (3, 20, 100):
        for size in (5, 20):
            for recall in (0.5, 0.9, 0.99, 1.0):
                rng, images = np.random.default_rng(0), np.full(count, size)
                cells = []
                for bounds in METHODS.values():
                    found = np.array([bounds(rng.binomial(images, recall), images, rng) for _ in range(args.tests)])
                    held = ((found[:, 0] <= recall + 1e-9) & (found[:, 1] >= recall - 1e-9)).mean()
                    cells.append(f"{held:.3f} w {(found[:, 1] - found[:, 0]).mean():.3f}")
                print(f"{count:>7} {size:>6} {recall:>6}  " + "  ".join(f"{cell:>15}" for cell in cells), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
