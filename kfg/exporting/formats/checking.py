"""Check whether an exported model answers as the Keras model does, on photographs, and put the result into words."""

import dataclasses
import statistics
import time
from collections.abc import Callable

import numpy as np

from kfg.exporting import parity
from kfg.exporting.formats.protocol import AGREEMENT, DROP, TOLERANCE

BATCH = 32  # images in a batch
TIMED = 20  # single images that are timed


@dataclasses.dataclass(frozen=True)
class Check:
    """The result of comparing a format with the Keras model.

    Args:
        format: name of the format.
        images: number of test photographs compared.
        largest_difference: of a probability; 1 if an answer is not a number.
        agreement: share of the photographs to which both give the same class.
        accuracy, keras_accuracy: shares of the photographs that each gets right.
        bytes: size of all files.
        ms_per_image: milliseconds for a single image, the median.
        rounds: whether the format rounds weights, see Format.
        forced: whether the export was kept although it loses too much.
        strangeness_difference: largest difference of a photograph's strangeness; None where the format tells none.
        allowed_difference: how large both differences may be, see `tolerance`.
    """

    format: str
    images: int
    largest_difference: float
    agreement: float
    accuracy: float
    keras_accuracy: float
    bytes: int
    ms_per_image: float
    rounds: bool = False
    forced: bool = False
    strangeness_difference: float | None = None
    allowed_difference: float = TOLERANCE

    @property
    def refusal(self) -> str:
        """Why the export must not be used; "" if it may.

        Example:
            >>> Check("onnx", 50, 0.2, 0.9, 0.8, 0.9, 1, 1.0).refusal
            "its probabilities differ from the Keras model's by up to 0.2, but only 0.001 is allowed"
        """
        if not self.rounds:
            gaps = {"probabilities": self.largest_difference, "values of strangeness": self.strangeness_difference or 0}
            allowed = self.allowed_difference
            return next((self._too_large(what, gap) for what, gap in gaps.items() if not gap <= allowed), "")
        drop = self.keras_accuracy - self.accuracy
        if drop > DROP + 1e-9:
            return (
                f"it is right on {self.accuracy:.1%} of {self.images:,} test photographs, {100 * drop:.1f} points less "
                f"than the Keras model, but only {100 * DROP:g} is allowed"
            )
        return ""

    def _too_large(self, what: str, gap: float) -> str:
        allowed = f"{self.allowed_difference:g} is allowed"
        return f"its {what} differ from the Keras model's by up to {gap:.2g}, but only {allowed}"

    @property
    def remark(self) -> str:
        """What to say about an export that is kept; "" if there is nothing to say."""
        if self.rounds and self.agreement < AGREEMENT:
            return f"gives the same class as the Keras model for only {self.agreement:.1%} of the photographs"
        return ""

    def as_json(self) -> dict:
        """Return the content of export_check.json."""
        kept = dataclasses.asdict(self)
        if self.rounds:
            kept = {**kept, "allowed_drop": DROP}
            del kept["allowed_difference"]
        return {"passed": not self.refusal, **kept, "accuracy_drop": self.keras_accuracy - self.accuracy}


def compare(name: str, answer: Callable, images, labels, expected, *, size: int, rounds: bool) -> Check:
    """Ask an exported model about photographs, and compare its answers with the Keras model's.

    Args:
        name: name of the format.
        answer: function uint8 (B, H, W, 3) -> probabilities (B, C), or a list of these and of strangeness (B,).
        images: uint8 (N, H, W, 3) of the model's size.
        labels: int (N,), the true classes.
        expected: what `answers` returns for the Keras model.
        size: bytes of all files.
        rounds: whether the format rounds weights, see Format.
    """
    (given, *strangeness), (expected, *strange) = answers(answer, images), expected
    return Check(
        format=name,
        images=len(images),
        largest_difference=_largest_gap(given, expected),
        agreement=float(np.mean(given.argmax(axis=1) == expected.argmax(axis=1))),
        accuracy=float(np.mean(given.argmax(axis=1) == labels)),
        keras_accuracy=float(np.mean(expected.argmax(axis=1) == labels)),
        bytes=size,
        ms_per_image=milliseconds(answer, images),
        rounds=rounds,
        strangeness_difference=_largest_gap(strangeness[0], strange[0]) if strangeness and strange else None,
        allowed_difference=tolerance(),
    )


def tolerance() -> float:
    """Return the largest difference that may be rounding; it is larger if the Keras model multiplies in TF32."""
    return max(TOLERANCE, parity.tolerance())


def _largest_gap(given, expected) -> float:
    """Return the largest difference; 1 where a value is not finite."""
    gaps = np.abs(given - expected)
    return float(gaps.max()) if np.isfinite(gaps).all() else 1.0


def answers(answer: Callable, images) -> list[np.ndarray]:
    """Ask about images in batches; return float32 probabilities (N, C) and, where they are told, strangeness (N,)."""
    batches = [answer(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    batches = [one if isinstance(one, (list, tuple)) else [one] for one in batches]
    return [np.concatenate([np.asarray(one, np.float32) for one in several]) for several in zip(*batches, strict=True)]


def milliseconds(answer: Callable, images) -> float:
    """Return the milliseconds for a single image: the median of several, after one that is not counted."""
    seconds = []
    for number in range(TIMED + 1):
        started = time.perf_counter()
        answer(images[number % len(images)][None])
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds[1:])


def table(checks: list[Check], *, keras_ms: float) -> str:
    """Return the checks as a table, with a line on what it compares.

    Example:
        >>> print(table([Check("onnx", 50, 2e-7, 1.0, 0.94, 0.94, 14_000_000, 20.0)], keras_ms=50.0))
        Compared with the Keras model, which is right on 94.0% of 50 test photographs (50 ms for one image here):
        format        size    one image  largest difference  same class   right
        onnx       14.0 MB      20.0 ms             2.0e-07      100.0%   94.0%
    """
    first = checks[0]
    lines = [
        f"Compared with the Keras model, which is right on {100 * first.keras_accuracy:.1f}% of {first.images:,} test "
        f"photographs ({keras_ms:.0f} ms for one image here):",
        f"{'format':<12}{'size':>6}{'one image':>13}{'largest difference':>20}{'same class':>12}{'right':>8}",
    ]
    for one in checks:
        lines.append(
            f"{one.format:<11}{one.bytes / 1e6:>4.1f} MB{one.ms_per_image:>10.1f} ms{one.largest_difference:>20.1e}"
            f"{100 * one.agreement:>11.1f}%{100 * one.accuracy:>7.1f}%"
        )
    return "\n".join(lines)
