"""Find suspicious photographs. There is one function for each kind of suspicion; all go into one queue, worst first."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kfg.data import fingerprints, picture_checks
from kfg.data.checks import Entry
from kfg.names import printable
from kfg.reviewing.evidence import Evidence
from kfg.reviewing.items import Item, Suspicion

COPY, NEAR = 1.0, 0.9  # scores of copies and of near-duplicates in two classes: one of the two labels is wrong
BROKEN, DAMAGED = 1.0, 0.8  # scores of files that cannot be read, and of pictures that are partly lost or blank
OUTLIER = (0.6, 1.0)  # scores of photographs unlike all others: at Tukey's inner fence, and from the outer fence on
POOR = 0.3  # score of dark, washed-out and blurred photographs
NEIGHBOURS = 8  # nearest photographs; the mean distance to the 4th to 8th counts, so that three copies hide nothing
SKIPPED = 3  # the nearest of these, which do not count
FENCES = (1.5, 3.0)  # Tukey's inner and outer fence, in interquartile ranges above the upper quartile
DARK, WASHED_OUT = 50, 10  # levels; of mean + 2 sd, so that a dark background alone does not count; of sd
BLURRED = 0.004  # share of variance between neighbouring pixels at 128 pixels; about 1 in 200 photographs of the web
BLOCK = 512  # photographs that are compared with all others at a time
DAMAGE = ("blank", "damaged", "small-first-page")  # kinds of findings of kfg.data.picture_checks


def labels(seen: Evidence) -> Iterator[tuple[int, Suspicion]]:
    """Find labels firmly contradicted by classifiers that have not seen the photograph, see kfg.repairing.crossed."""
    found = seen.crossed
    probability, score = found.label_probability, found.suspicion
    for at in found.suspects():
        other = seen.index.classes[found.likelier[at]]
        said = f"looks like {printable(other)}; the probability of its own class is {probability[at]:.1%}"
        yield int(at), Suspicion("label", float(score[at]), said, other)


def duplicates(seen: Evidence) -> Iterator[tuple[int, Suspicion]]:
    """Find pictures that are in two classes; yield both photographs, first the one whose label is less credible."""
    classes, margins = seen.index.classes, seen.crossed.margins
    for score, word, pair in _pairs(seen):
        for at, other in sorted((pair, pair[::-1]), key=lambda both: margins[both[0]]):
            name, beside = classes[seen.index.labels[other]], seen.index.paths[other]
            said = f"{word} {printable(beside)} in {printable(name)}"
            yield at, Suspicion("duplicate", score, said, name, beside)


def _pairs(seen):
    """Yield (score, words, positions) of two photographs in different classes that show the same."""
    own, first = seen.index.labels, {}
    for at, one in enumerate(seen.prints):
        at_first = first.setdefault(one.sha256, at)
        if own[at] != own[at_first]:
            yield COPY, "is the same file as", (at_first, at)
    for one, other, _ in fingerprints.near_pairs(seen.prints).tolist():
        if own[one] != own[other]:
            yield NEAR, "is almost the same picture as", (one, other)


def outliers(seen: Evidence) -> Iterator[tuple[int, Suspicion]]:
    """Find photographs unlike all others: the distance to their nearest ones lies beyond Tukey's inner fence.

    Source: Tukey 1977, Exploratory Data Analysis; the distances are those of Ramaswamy et al. 2000, SIGMOD.
    """
    if len(seen.index) <= 2 * NEIGHBOURS:
        return
    distance = distances(seen.features)
    lower, upper = np.quantile(distance, [0.25, 0.75])
    ranges = (distance - upper) / max(1e-6, upper - lower)
    for at in np.flatnonzero(ranges > FENCES[0]):
        yield (
            int(at),
            Suspicion(
                "outlier", float(np.interp(ranges[at], FENCES, OUTLIER)), "does not look like any other photograph"
            ),
        )


def distances(features) -> np.ndarray:
    """Return the distance of each photograph to its nearest ones, float (N,): 1 minus the mean cosine.

    Example:
        >>> rows = np.ones((20, 3)); rows[7] = [1, -1, 0]
        >>> int(distances(rows).argmax())
        7
    """
    unit = np.asarray(features, np.float32)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    found = np.empty(len(unit), np.float32)
    for start in range(0, len(unit), BLOCK):
        alike = unit[start : start + BLOCK] @ unit.T
        alike[np.arange(len(alike)), start + np.arange(len(alike))] = -np.inf
        nearest = np.sort(np.partition(alike, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:], axis=1)
        found[start : start + BLOCK] = 1 - nearest[:, : NEIGHBOURS - SKIPPED].mean(axis=1)
    return found


def quality(seen: Evidence) -> Iterator[tuple[int, Suspicion]]:
    """Find pictures on which little can be seen: blank, partly lost, dark, washed out or blurred."""
    at = {path: number for number, path in enumerate(seen.index.paths)}
    entries = [
        Entry(path, seen.index.classes[label], part, one)
        for path, label, part, one in zip(
            seen.index.paths, seen.index.labels, seen.index.parts, seen.prints, strict=True
        )
    ]
    for check in (picture_checks.blank, picture_checks.damaged, picture_checks.frames):
        for finding in check(entries):
            if finding.kind in DAMAGE:
                yield at[finding.path], Suspicion("quality", DAMAGED, finding.detail)
    blank = {number for number, one in enumerate(seen.prints) if one.signs is not None and one.signs.blank is not None}
    for words, poor in (
        ("dark", seen.looks.brightness + 2 * seen.looks.contrast < DARK),
        ("washed out", seen.looks.contrast < WASHED_OUT),
        ("blurred", seen.looks.sharpness < BLURRED),
    ):
        yield from ((int(one), Suspicion("quality", POOR, words)) for one in np.flatnonzero(poor) if one not in blank)


KINDS: tuple[Callable[[Evidence], Iterator[tuple[int, Suspicion]]], ...] = (duplicates, labels, outliers, quality)


def asked(seen: Evidence, classes: Sequence[str], known) -> Iterator[tuple[int, Suspicion]]:
    """Yield the photographs of these classes that are not in `known`, first those whose label is least credible."""
    index, margins = seen.index, seen.crossed.margins
    for name in dict.fromkeys(classes):
        own = np.flatnonzero(index.labels == index.classes.index(name))
        for at in own[np.argsort(margins[own], kind="stable")]:
            if at not in known:
                other = index.classes[seen.crossed.likelier[at]]
                yield int(at), Suspicion("asked", 0.0, f"all photographs of {printable(name)} were asked for", other)


def queue(seen: Evidence, *, classes: Sequence[str] = ()) -> list[Item]:
    """Return the photographs with a suspicion, the most suspicious first; then all others of `classes`."""
    found = {}
    for at, one in itertools.chain.from_iterable(kind(seen) for kind in KINDS):
        found.setdefault(at, []).append(one)
    found |= {at: [one] for at, one in asked(seen, classes, found)}
    index = seen.index
    items = [
        Item(path, name, (Suspicion("broken", BROKEN, f"cannot be read: {why}"),), sha256)
        for path, name, sha256, why in seen.broken
    ]
    items += [
        Item(
            index.paths[at],
            index.classes[index.labels[at]],
            tuple(sorted(some, key=lambda one: -one.score)),
            seen.prints[at].sha256,
        )
        for at, some in found.items()
    ]
    return sorted(items, key=lambda item: -item.score)  # the sort is stable, so both of a pair stay together
