"""The page that compares two runs: what changed, class by class, and photographs that only one of them gets right."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from kfg.evaluation.predict import Predictions
from kfg.names import counted, percent, printable
from kfg.reporting import markup, photographs, thumbnails
from kfg.reporting.arms import clear_of_zero, points
from kfg.reporting.markup import Number, Safe, Section, tag

TITLE = "Two runs: "  # the start of the title, by which kfg recognises such a page
SHOWN = 300  # most photographs shown of each kind
KINDS = {
    "lost": "Right in {0}, wrong in {1}",
    "gained": "Wrong in {0}, right in {1}",
    "otherwise": "Wrong in both, with different answers",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """The content of a page that compares two runs.

    Args:
        names: names of the two runs.
        answers: answers of both, on the same photographs.
        compared: the result of kfg.evaluation.versus.compare.
        settings: (name, first run's value, second run's value) of each setting that differs.
        remarks: sentences on what is not compared or not shown.
    """

    names: tuple[str, str]
    answers: tuple[Predictions, Predictions]
    compared: dict
    settings: Sequence[tuple[str, str, str]]
    remarks: Sequence[str]


def page(shown: Shown, read: Callable[[int], np.ndarray | None]) -> str:
    """Return the comparison as one HTML document.

    Args:
        shown: the content.
        read: function position -> uint8 (H, W, 3) of a photograph, or None if it no longer exists.
    """
    made, names = shown.compared, shown.names
    flipped = {kind: _ordered(shown, made[kind])[:SHOWN] for kind in KINDS}
    small = _thumbnails(shown.answers[1], sorted(at for kind in flipped.values() for at in kind), read)
    sections = [
        ("What changed", "changed", _changed(shown)),
        ("Class by class", "classes", _classes(shown)),
        *((title.format(*names), kind, _sheet(shown, flipped[kind], kind, small)) for kind, title in KINDS.items()),
        ("Settings that differ", "settings", _settings(shown)),
        ("How the figures are made", "method", _method(made)),
    ]
    lead = markup.joined([verdict(shown), *shown.remarks], " ")
    return markup.page(
        f"{TITLE}{names[0]} and {names[1]}",
        lead,
        [Section(*one) for one in sections],
        styles=photographs.STYLES,
        scripts=("photographs.js",),
        end=photographs.end(shown.answers[1], small, before=(names[0], shown.answers[0]), after=names[1]),
    )


def in_words(compared: dict, names: tuple[str, str]) -> str:
    """Say in one sentence which of two runs is better, as far as the test photographs show it.

    Args:
        compared: the result of kfg.evaluation.versus.compare.
        names: names of the two runs.
    Example:
        >>> figures = {"images": 9, "lost": [1], "gained": [2, 3, 4]}
        >>> in_words({**figures, "top1": {"difference": {"low": -0.03, "high": 0.08}}}, ("A", "B")).partition(": ")[2]
        'B is right on 2 more, which may be chance.'
    """
    (first, second), difference = names, compared["top1"]["difference"]
    more = len(compared["gained"]) - len(compared["lost"])
    count = compared["images"]
    photographs = "this test photograph" if count == 1 else f"these {counted(count, 'test photograph')}"
    better, other = (second, first) if more > 0 else (first, second)
    if clear_of_zero(difference) and more:
        return f"{better} is right on {abs(more):,} more of {photographs} than {other}, which chance does not explain."
    why = f"{better} is right on {abs(more):,} more, which may be chance" if more else "both are right equally often"
    return f"No difference between {first} and {second} can be seen on {photographs}: {why}."


def verdict(shown: Shown) -> Safe:
    """Say which run is better, and how the second run's share of right answers differs from the first's."""
    figure, (first, second) = shown.compared["top1"], shown.names
    difference = figure["difference"]
    clear = "which excludes zero" if clear_of_zero(difference) else "which includes zero"
    said = (
        f" {second} classifies {percent(figure['second']['value'])} of them correctly, {first} "
        f"{percent(figure['first']['value'])}: a difference of {points(difference['value'])} points (95% interval "
        f"{points(difference['low'])} to {points(difference['high'])}, {clear})."
    )
    return markup.joined([tag("b", in_words(shown.compared, shown.names)), said], "")


def _changed(shown) -> Safe:
    made, (first, second) = shown.compared, shown.names
    rows = []
    for key, label, said in (
        ("top1", "Top-1", percent),
        ("macro_recall", "Macro recall", percent),
        ("loss", "Loss", lambda value: f"{value:.3f}"),
    ):
        figure = made[key]
        rows.append([label, *(_bounds(figure[one], said) for one in ("first", "second")), *_difference(figure, key)])
    figures = markup.table(["figure", first, second, "difference", "95%"], rows)
    counts = {kind: len(made[kind]) for kind in KINDS}
    alike = made["images"] - sum(counts.values())
    flips = [[title.format(first, second), Number(f"{counts[kind]:,}", counts[kind])] for kind, title in KINDS.items()]
    flips.append(["Right in both, or the same answer in both", Number(f"{alike:,}", alike)])
    test = (
        f"Of the {counts['lost'] + counts['gained']:,} photographs that only one of the two classifies correctly, "
        f"{second} has {counts['gained']:,}. If both were equally good, a count this uneven would have the probability "
        f"p = {made['p']:.2g} (McNemar's exact test; a group of near-duplicates counts once)."
    )
    return markup.joined([figures, markup.table(["answers", "photographs"], flips), markup.paragraph(test)])


def _bounds(figure, said) -> Number:
    return Number(f"{said(figure['value'])} ({said(figure['low'])} to {said(figure['high'])})", figure["value"])


def _difference(figure, key="") -> tuple[Number, Number]:
    """Return a difference and its bounds, in percentage points; for the loss, as they are."""
    difference = figure["difference"]
    said = points if key != "loss" else lambda value: f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
    bounds = f"{said(difference['low'])} to {said(difference['high'])}"
    return Number(said(difference["value"]), difference["value"]), Number(bounds, difference["low"])


def _classes(shown) -> Safe:
    first, second = shown.names
    rows = []
    for row in sorted(shown.compared["per_class"], key=lambda row: (row["p"], -abs(row["difference"]["value"]))):
        changed = row["lost"] or row["gained"]
        cells = [markup.shows(row["name"], f"class:{row['id']}") if changed else row["name"]]
        cells.append(Number(f"{row['images']:,}", row["images"]))
        cells += [Number(percent(row[one]["value"]), row[one]["value"]) for one in ("first", "second")]
        cells += [*_difference(row), *(Number(str(row[kind]), row[kind]) for kind in ("lost", "gained"))]
        rows.append([*cells, *(Number(f"{row[key]:.2g}", row[key]) for key in ("p", "adjusted"))])
    headers = ["class", "tested", first, second, "difference in points", "95%", "lost", "gained", "p", "adjusted p"]
    told = (
        "The clearest changes come first; click a name to see the photographs whose answers changed. Among many "
        "classes, some seem to change by chance; the adjusted p corrects for the number of classes (Holm)."
    )
    return markup.joined([markup.paragraph(told, note=True), markup.table(headers, rows, sortable=True, tall=True)])


def _ordered(shown, positions) -> list[int]:
    """Return the positions, sorted by how much the true class's probability changed, the largest change first."""
    at = np.asarray(positions, dtype=np.int64)
    labels = shown.answers[0].labels[at]
    first, second = (one.probabilities[at, labels] for one in shown.answers)
    return at[np.argsort(-abs(second - first), kind="stable")].tolist()


def _thumbnails(answers, kept, read) -> thumbnails.Thumbnails:
    """Return the thumbnails of some photographs, as large as their number allows."""
    pixels = {at: read(at) for at in kept}
    sample = [one for one in pixels.values() if one is not None][:: max(1, len(kept) // thumbnails.SAMPLE)]
    rung, _ = thumbnails.sizes(sample, len(kept), 0)
    encoded = [None if pixels[at] is None else thumbnails.encode(pixels[at], *rung) for at in kept]
    return thumbnails.Thumbnails(kept, encoded, (rung[0], rung[0]), len(answers))


def _sheet(shown, positions, kind, small) -> Safe:
    count = len(shown.compared[kind])
    if not count:
        return markup.paragraph("None.")
    order = "" if count == 1 else ", those whose true class changed most in probability first"
    told = f"{counted(count, 'photograph')}{order}."
    told += f" The first {SHOWN:,} are shown." if count > SHOWN else ""
    picture = dict(zip(small.kept, small.encoded, strict=True))
    cells = [_cell(shown, at, picture[at]) for at in positions]
    return markup.joined([markup.paragraph(told), tag("div", *cells, class_="sheet")])


def _cell(shown, at, encoded) -> Safe:
    answers = shown.answers[0]
    truth = answers.classes[answers.labels[at]]
    lines = [tag("b", markup.breakable(f"true class: {markup.isolated(truth)}"))]
    for name, one in zip(shown.names, shown.answers, strict=True):
        said, right = int(one.predicted[at]), one.predicted[at] == one.labels[at]
        answer = "right" if right else markup.isolated(one.classes[said])
        text = f"{name}: {answer}, {one.probabilities[at, said]:.0%}"
        lines.append(tag("span", markup.breakable(text), class_="right" if right else "wrong"))
    lines.append(tag("small", printable(answers.paths[at])))
    picture = markup.encoded_thumbnail(encoded, f"{truth}: {printable(answers.paths[at])}")
    if encoded:
        picture = markup.shows(picture, f"image:{at}")
    return tag("figure", picture, tag("figcaption", markup.joined(lines, "<br>")))


def _settings(shown) -> Safe:
    if not shown.settings:
        return markup.paragraph("None: the two runs have the same settings in config.json, or no config.json.")
    return markup.table(["setting", *shown.names], [list(row) for row in shown.settings])


def _method(made) -> Safe:
    drawn = "photographs" if made["clusters"] is None else f"{made['clusters']:,} groups of near-duplicates"
    lines = [
        "The intervals of each run's own shares are computed as in its report (Wilson's), on the photographs compared "
        "here.",
        "Differences are the second run minus the first, on the same photographs. Their intervals come from a paired "
        f"bootstrap with {made['resamples']:,} resamples, seed {made['seed']}: the {drawn} are resampled together with "
        "the answers of both models.",
        "Where fewer than ten changed between right and wrong, the bounds reach at least as far as the exact interval "
        "of the share of gains among the changes (Clopper and Pearson), and, if that does not exclude zero, as far as "
        "the largest change of which this many photographs might show nothing. Where ten or more photographs were "
        "asked and all of them changed in the same direction, they follow from Wilson's intervals of both shares "
        "(Newcombe).",
        "p comes from McNemar's exact test; the adjusted p is by Holm's method over the classes.",
        "The intervals say what to expect of these two trained models on other photographs of this kind. They do not "
        "say what a second training would give; only trainings with several seeds can tell that.",
    ]
    return tag("ul", *(tag("li", line) for line in lines), class_="note")
