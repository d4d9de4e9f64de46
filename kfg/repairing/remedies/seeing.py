"""Remedies that look at the photographs in another way: also mirrored, larger, or also by a second trunk."""

import numpy as np

from kfg.evaluation import posthoc
from kfg.repairing.case import Case
from kfg.repairing.remedies.controls import bias_settings, raised, spent, spent_settings
from kfg.repairing.remedies.protocol import Remedy
from kfg.repairing.trunks import larger_size, second_trunk


def flipped(case: Case) -> np.ndarray:
    return case.told(case.heads, [case.seen.plain, case.seen.mirrored])


def larger(case: Case) -> np.ndarray:
    return case.answers(case.lesson(case.seen.larger), asked=[case.seen.larger])


def beside(*features) -> np.ndarray:
    return np.concatenate(features, axis=1)


def two_trunks(case: Case) -> np.ndarray:
    rows = beside(case.seen.plain, case.seen.second)
    return case.answers(case.lesson(rows), asked=[rows])


def opinions(case: Case, *asked) -> np.ndarray:
    """Return the answers of heads on two trunks, averaged as kfg.models.opinions does, with equal weights.

    Args:
        asked: pairs of features (N, F), (N, G) to answer on, of the first and the second trunk; the answers on several
            pairs are averaged.
    """
    one, other, own = case.heads, case.second_heads, case.fold_of
    answers = [in_between(one.ask(a, own), other.ask(b, own)) for a, b in asked]
    return case.raised(np.mean(answers, axis=0))


def in_between(one, other) -> np.ndarray:
    """Return the geometric mean of two answers, scaled to sum to one."""
    return posthoc.softmax(
        (np.log(np.maximum(one, posthoc.SMALLEST)) + np.log(np.maximum(other, posthoc.SMALLEST))) / 2
    )


def second_opinion(case: Case) -> np.ndarray:
    if case.manner.mirrored and case.seen.has("second_mirrored"):
        return second_opinion_flipped(case)
    return opinions(case, (case.seen.plain, case.seen.second))


def second_opinion_flipped(case: Case) -> np.ndarray:
    return opinions(case, (case.seen.plain, case.seen.second), (case.seen.mirrored, case.seen.second_mirrored))


def inner_opinions(case: Case) -> np.ndarray:
    return in_between(case.inner, case.second_inner)


def second_opinion_raised(case: Case) -> np.ndarray:
    return spent(case, second_opinion(case), inner_opinions(case))


def second_opinion_flipped_raised(case: Case) -> np.ndarray:
    return spent(case, second_opinion_flipped(case), inner_opinions(case))


def flipped_raised(case: Case) -> np.ndarray:
    return raised(case, flipped(case), case.inner)


def flip_settings(case, index, trunk) -> dict:
    return {"mirror_averaged": True}


def second_settings(case, index, trunk) -> dict:
    return {"second_backbone": second_trunk(trunk)}


def opinion_settings(trunk) -> dict:
    return {"second_opinion": second_trunk(trunk)}


REMEDIES = (
    Remedy(
        name="flip-averaged", said="the answers on a photograph and on its mirror image are averaged",
        answers=flipped, needs=("mirrored",), turn=2, settings=flip_settings,
    ),
    Remedy(
        name="flip-averaged, bias", answers=flipped_raised, needs=("mirrored",), turn=2,
        said="the answers on a photograph and on its mirror image are averaged, and the probabilities of weak classes "
        "are raised",
        settings=lambda case, index, trunk: {
            **flip_settings(case, index, trunk), **bias_settings(flipped(case), case, index)
        },
    ),
    Remedy(
        name="larger images", said="photographs are used at a larger size in pixels", answers=larger, needs=("larger",),
        settings=lambda case, index, trunk: {"image_size": larger_size(trunk)},
    ),
    Remedy(
        name="second opinion", said="the answers are averaged with those of a second network",
        answers=second_opinion, needs=("second",), turn=1, settings=lambda case, index, trunk: opinion_settings(trunk),
    ),
    Remedy(
        name="second opinion, raised", answers=second_opinion_raised, needs=("second",), turn=1,
        said="the answers are averaged with those of a second network, and the probabilities of weak classes are "
        "raised",
        settings=lambda case, index, trunk: {
            **opinion_settings(trunk), **spent_settings(second_opinion(case), case, index)
        },
    ),
    Remedy(
        name="second opinion, flip-averaged, raised", answers=second_opinion_flipped_raised,
        needs=("mirrored", "second", "second_mirrored"), turn=1,
        said="the answers are averaged with those of a second network and with those on the mirror image, and the "
        "probabilities of weak classes are raised",
        settings=lambda case, index, trunk: {
            **opinion_settings(trunk), "mirror_averaged": True,
            **spent_settings(second_opinion_flipped(case), case, index),
        },
    ),
    Remedy(
        name="second trunk", said="one classifier learns from what two pretrained networks see in a photograph",
        answers=two_trunks, needs=("second",), settings=second_settings,
    ),
)  # fmt: skip
