"""How far a model's answers can be trusted: confidence.json, and the verdicts and prediction sets it leads to."""

import dataclasses
import math
import pathlib

import numpy as np

from kfg.errors import InputError
from kfg.evaluation.held_out import HeldOut
from kfg.files import RESTORE, read_json
from kfg.names import percent

UNSURE, NONE_OF_THESE = "unsure", "none of these"
HELD_OUT = ("probability", "true", "right", "weights")  # keys of confidence.json's held_out, each with a list
EASIER = (0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)  # shares that may be asked for if a higher one cannot be had
UNTOLD = "this model has no confidence.json beside it; give its run folder, or train again with this version of kfg"


@dataclasses.dataclass(frozen=True)
class Confidence:
    """The thresholds that decide which answers of a model are in doubt.

    Args:
        content: content of confidence.json.
        surest: answers less probable than this are unsure; None: all answers are.
        strangest: photographs stranger than this are none of the classes; None: the net does not measure strangeness.
        precision: share of the answers without a verdict that should be right.
        least_likely: a prediction set has all classes at least as probable as this; None: no sets are asked for.
    """

    content: dict
    surest: float | None
    strangest: float | None
    precision: float
    least_likely: float | None = None

    @property
    def held_out(self) -> HeldOut:
        """The answers on held-out photographs from which thresholds are found."""
        lists = {name: np.array(self.content["held_out"][name], np.float64) for name in HELD_OUT}
        return HeldOut(**{**lists, "right": lists["right"] > 0.5})

    def precise(self, precision: float) -> "Confidence":
        """Return a Confidence that marks answers as unsure so that this share of the other answers is right."""
        return dataclasses.replace(self, surest=self.held_out.surest(precision), precision=precision)

    def told(self) -> str:
        """Return a line on the probability below which answers are unsure, and the share of photographs below it.

        If all answers are unsure, it says why and what to do.
        """
        held, asked = self.held_out, f"{100 * self.precision:g}%"
        photographs = f"{len(held):,} photographs that the model has not learned from"
        if self.surest is None:
            return (
                f"All answers are marked as unsure: on {photographs}, even the most certain answers are wrong too "
                f"often, or are too few, to promise that {asked} are right. {self._way_out()}"
            )
        left = held.unanswered(self.surest)
        return (
            f"Answers with a probability below {self.surest:.4f} are marked as unsure, so that {asked} of the others "
            f"are right. On {photographs}, these were {percent(left['value'])} of the answers (95% interval "
            f"{percent(left['low'])} to {percent(left['high'])})."
        )

    def _way_out(self) -> str:
        """Return what to do if no threshold makes enough answers right."""
        lower = [share for share in EASIER if share < self.precision and self.held_out.surest(share) is not None]
        less = f"Ask for less with --precision-of-answers {100 * lower[0]:g}%. " if lower else ""
        return f"{less}For more, look for wrong labels first (kfg review), then add photographs and train again."

    def with_sets(self, coverage: float) -> "Confidence":
        """Return a Confidence with prediction sets that hold the true class of this share of photographs."""
        return dataclasses.replace(self, least_likely=self.held_out.least_likely(coverage))

    def verdict(self, probabilities, strangeness: float | None = None) -> str:
        """Return the verdict on an answer, float (C,), and how strange its photograph is: a constant above, or ""."""
        if strangeness is not None and self.strangest is not None and not strangeness <= self.strangest:
            return NONE_OF_THESE
        return "" if self.surest is not None and float(np.max(probabilities)) >= self.surest else UNSURE

    def chosen(self, probabilities) -> tuple[int, ...] | None:
        """Return the numbers of the prediction set's classes, the likeliest first; None if no sets are asked for."""
        if self.least_likely is None:
            return None
        order = np.argsort(-np.asarray(probabilities), kind="stable")
        return tuple(int(one) for one in order if probabilities[one] >= self.least_likely)


def of_content(content: dict) -> Confidence:
    """Return the Confidence in the content of confidence.json; KeyError, TypeError or ValueError if that is damaged."""
    found = Confidence(
        content,
        surest=_number(content["unsure"]["threshold"]),
        strangest=_number(content["none_of_these"]["threshold"]),
        precision=float(content["unsure"]["precision"]),
    )
    lengths = {len(content["held_out"][name]) for name in HELD_OUT}
    if len(lengths) != 1 or not lengths.pop() or not isinstance(content["model"], str):
        raise ValueError("held_out")
    return found


def _number(value) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError(value)
    return None if value is None else float(value)


def read(path, fingerprint: str | None) -> Confidence | None:
    """Read a confidence.json and check that it belongs to a model.

    Args:
        path: path of the file.
        fingerprint: the model's, from `kfg.models.calibrated.fingerprint`; None if it has none.
    Returns:
        The Confidence; None if there is no such file, or the model is older than such files.
    Raises:
        InputError: the file is damaged, or belongs to another model.
    """
    path = pathlib.Path(path)
    if fingerprint is None or not path.is_file():
        return None
    try:
        found = of_content(read_json(path, dict))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); {RESTORE}") from error
    if found.content["model"] != fingerprint:
        raise InputError(
            f"{path}: holds the thresholds of another model; restore the file that was written with this model, or "
            "remove it"
        )
    return found


def adjust(classifier, model, *, precision_of_answers: float | None = None, sets: float | None = None) -> None:
    """Set what share of a classifier's answers should be right, and what share its prediction sets should cover.

    Args:
        classifier: kfg.exporting.classifiers.Classifier.
        model: path of its model, for the message.
        precision_of_answers: share in (0, 1); None keeps the run's own.
        sets: share in (0, 1); None: no sets.
    Raises:
        InputError: a share is given, but the model has no confidence.json.
    """
    if precision_of_answers is None and sets is None:
        return
    if classifier.confidence is None:
        raise InputError(f"{model}: {UNTOLD}")
    if precision_of_answers is not None:
        classifier.confidence = classifier.confidence.precise(precision_of_answers)
    if sets is not None:
        classifier.confidence = classifier.confidence.with_sets(sets)


def share(text: str, option: str) -> float:
    """Read a share in (0, 1) from text like "95%" or "0.95".

    Args:
        option: name of the option, for the message.
    Raises:
        InputError: the text is not such a share.
    Example:
        >>> share("95%", "--sets"), share("0.9", "--sets")
        (0.95, 0.9)
    """
    digits = str(text).strip()
    try:
        value = float(digits[:-1]) / 100 if digits.endswith("%") else float(digits)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise InputError(f"{option}: expected a share above 0 and below 100%, like 95% or 0.95, got {text!r}")
    return value
