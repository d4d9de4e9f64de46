"""Remedies that augment: all images, only those of some classes, or some classes less than others."""

import numpy as np

from kfg.augment import draws
from kfg.repairing.case import Case
from kfg.repairing.manner import shifted
from kfg.repairing.remedies.protocol import Remedy

_EXTRA = 8  # number that keeps this use's derived seed apart from others


def everywhere(case: Case) -> np.ndarray:
    chances = np.full(len(case), case.usual_chance)
    return case.answers(case.on_views(lambda epoch: case.any_view(epoch, chances)))


def with_extra(case: Case, rows, **settings) -> np.ndarray:
    """Return the answers of heads that are shown rows of views beside the photographs in each epoch."""
    shown = np.concatenate([np.arange(len(case)), rows])
    return case.answers(case.on_views(lambda epoch: case.shuffled(epoch, shown)), **settings)


def extra_of_weak(case: Case) -> np.ndarray:
    """Return the rows of all views of the weak classes' photographs."""
    at = case.of(case.weak)
    return np.concatenate([view * len(case) + at for view in range(1, len(case.seen.views) + 1)])


def extra_of_all(case: Case) -> np.ndarray:
    """Return as many rows of views as `extra_of_weak`, drawn from the views of all photographs."""
    views = np.arange(len(case), len(case.seen.stacked))
    return draws.shuffled(draws.derived_seed(case.seed, _EXTRA), epoch=0, positions=views)[: len(extra_of_weak(case))]


def uniform(case: Case) -> np.ndarray:
    return with_extra(case, extra_of_all(case))


def targeted(case: Case) -> np.ndarray:
    return with_extra(case, extra_of_weak(case))


def neutral(case: Case) -> np.ndarray:
    """Return the answers of `targeted`, corrected for the larger share that extra images give the weak classes."""
    factor = np.where(np.isin(np.arange(case.classes), case.weak), -np.log(len(case.seen.views) + 1), 0)
    return shifted(targeted(case), factor)


def replaced(case: Case) -> np.ndarray:
    """Show views of the weak classes' photographs in place of the photographs, so that no class's share changes."""
    chances = np.where(np.isin(case.labels, case.weak), case.usual_chance, 0)
    return case.answers(case.on_views(lambda epoch: case.any_view(epoch, chances)))


def weaker(case: Case) -> np.ndarray:
    """Augment all classes except those that the weak ones are mistaken for."""
    chances = np.where(np.isin(case.labels, list(case.takers.values())), 0, case.usual_chance)
    return case.answers(case.on_views(lambda epoch: case.any_view(epoch, chances)))


def by_class(case: Case) -> np.ndarray:
    """Augment a class the more, the better it is recognised; for each fold this is measured on the other folds.

    The heads are shown each photograph and a view of it. The two weights follow from the chance of a view in that
    class.
    """
    count = len(case)
    learned = np.stack([_learned(case, fold) for fold in range(case.folds)], axis=1)
    of_view = (learned * case.usual_chance)[case.labels]
    views = len(case.seen.views)
    weights = np.concatenate([case.weights * (1 - of_view), np.tile(case.weights * of_view, (views, 1))])
    always = np.ones(count)

    def shown(epoch):
        return case.shuffled(epoch, np.concatenate([np.arange(count), case.any_view(epoch, always)]))

    return case.answers(case.on_views(shown, weights=weights))


def _learned(case, fold) -> np.ndarray:
    """Return the recall of each class, float (C,), of heads that were trained without a fold."""
    other = np.flatnonzero(case.fold_of != fold)
    labels = case.labels[other]
    right = case.inner[fold, other].argmax(axis=1) == labels
    asked = np.bincount(labels, minlength=case.classes)
    return np.bincount(labels[right], minlength=case.classes) / np.maximum(1, asked)


def mixed(case: Case) -> np.ndarray:
    """Show pictures cut together from photographs of a weak class and of the class that it is mistaken for."""
    pictures, count = case.seen.mixed, len(case)
    both = case.visible[pictures.first] * case.visible[pictures.second]  # a head must see neither half
    counted = case.manner.weights(case.labels)[:, None]
    first, second = both * counted[pictures.first], both * counted[pictures.second]
    share = pictures.share[:, None].astype(np.float32)
    rows = np.arange(count, count + 2 * len(pictures.rows))
    lesson = case.lesson(
        np.concatenate([case.seen.plain, pictures.rows, pictures.rows]),
        labels=np.concatenate([case.labels, case.labels[pictures.first], case.labels[pictures.second]]),
        weights=np.concatenate([case.weights, first * share, second * (1 - share)]),
        shown=lambda epoch: case.shuffled(epoch, np.concatenate([np.arange(count), rows])),
    )
    return case.answers(lesson)


REMEDIES = (
    Remedy(
        name="augmented", said="in training all photographs are altered at random", answers=everywhere,
        needs=("views",),
    ),
    Remedy(
        name="uniform", needs=("views",), answers=uniform, control=True,
        said="in training there are extra, altered copies of photographs of all classes",
    ),
    Remedy(
        name="targeted", needs=("views",), answers=targeted,
        said="in training there are extra, altered copies of the weak classes' photographs",
    ),
    Remedy(
        name="targeted, prior-neutral", needs=("views",), answers=neutral,
        said="as \"targeted\", but the answers are corrected for the larger share that weak classes then have",
    ),
    Remedy(
        name="targeted, replaced", needs=("views",), answers=replaced,
        said="in training the weak classes' photographs are replaced by altered copies of them",
    ),
    Remedy(
        name="weaker for the taker", needs=("views",), answers=weaker,
        said="in training all photographs are altered at random, except those of classes that take photographs of weak "
        "ones",
    ),
    Remedy(
        name="strength by class", needs=("views",), answers=by_class,
        said="in training photographs are altered at random, the more often, the better their class is recognised",
    ),
    Remedy(
        name="CutMix of pairs", needs=("mixed",), answers=mixed,
        said="in training there are pictures cut together from a photograph of a weak class and one of the class for "
        "which it is mistaken",
    ),
)  # fmt: skip
