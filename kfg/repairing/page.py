"""The page of a repair: the weak classes, their causes, the remedies that were tried and their effect, what to do."""

import pathlib

import numpy as np

from kfg import files
from kfg.data.decode import decode
from kfg.errors import InputError
from kfg.names import counted, percent, printable
from kfg.repairing import findings, needs, proof, weakness
from kfg.repairing.findings import Diagnosis
from kfg.repairing.trial import Trial, remedy
from kfg.reporting import markup
from kfg.reporting.markup import Number, Safe, Section, tag

SIDE = 180  # pixels, longest side of a shown photograph
SHOWN = 8  # most photographs shown for a cause
SUSPECTS = 48  # most suspicious photographs shown


def write(
    out,
    found: Diagnosis,
    *,
    title: str,
    steps,
    trial: Trial | None,
    after: dict | None,
    said: list[str],
    again: bool = False,
) -> None:
    """Write the page.

    Args:
        out: folder.
        found: the diagnosis.
        title: name of the data set.
        steps: sentences of kfg.repairing.next_steps.
        trial: the remedies that were tried, or None.
        after: the effect of the best remedy on the test images, from kfg.repairing.retraining.compared, or None.
        said: sentences on the outcome; the first stands at the top of the page.
        again: whether the run was itself made by a repair, which the test images have judged.
    """
    sections = [
        ("What to do next", "next", _steps(steps, said[1:])),
        ("Weak classes", "weak", _weak(found)),
        ("Other findings", "others", _others(found)),
        ("What was tried", "tried", _tried(trial)),
        ("On the test photographs", "after", _after(after, again)),
        ("Suspicious labels", "suspects", _suspects(found)),
        ("How this was found", "method", _method(found, after, again)),
    ]
    shown = [Section(*one) for one in sections if one[2]]
    page = markup.page(f"Repair of {printable(title)}", said[0], shown)
    files.write_text(pathlib.Path(out) / findings.PAGE, page)


def _steps(steps, said) -> Safe:
    listed = (
        tag("ol", *(tag("li", markup.sentence(step)) for step in steps))
        if steps
        else markup.paragraph("There is nothing to do by hand.")
    )
    return markup.joined([*(markup.paragraph(markup.sentence(one)) for one in said), listed])


def _weak(found) -> Safe:
    recalls = sorted((one for one in found.recalls if one.weak), key=lambda one: one.value)
    chance = weakness.by_chance(found.recalls, target=found.target) if recalls else ""
    told = [chance, *found.said, findings.too_small(found)]
    if not recalls:
        told = [findings.none_weak(found), findings.weak_in_name_only(found), *told]
    notes = [markup.paragraph(one) for one in told if one]
    return markup.joined([*(_class(found, one) for one in recalls), *notes])


def _class(found, recall) -> Safe:
    name = printable(found.crossed.index.classes[recall.label])
    head = (
        f"{recall.right} of {recall.images} training and validation photographs are recognised, each by classifiers "
        f"trained without it: {recall.value:.0%} (95% interval {recall.low:.0%} to {recall.high:.0%})."
    )
    causes = found.causes[recall.label]
    parts = [tag("h3", name), markup.paragraph(head)]
    parts += [_cause(found, cause) for cause in causes] or [markup.paragraph("No cause was found.", note=True)]
    if found.needs is not None:
        parts.append(_curve(found.needs, recall.label))
    return markup.joined(parts)


def _curve(curves, label) -> Safe:
    """Return a table of a class's recall for each share of the photographs learned from, and with twice as many."""
    heads = ["share of the photographs learned from", *(f"{share:.0%}" for share in needs.SHARES), "twice as many"]
    recalls = [_share(float(value)) for value in curves.recall[:, label]]
    told = "The rise is beyond chance." if curves.clear[label] else "There is no clear rise: it may be chance."
    return markup.joined(
        [
            markup.table(heads, [["recognised, in percent", *recalls, curves.range(label)]]),
            markup.paragraph(f"{told} {findings.ONE_BY_ONE}", note=True),
        ]
    )


def _cause(found, cause) -> Safe:
    said = printable(cause.said)
    told = markup.paragraph(tag("b", f"{said[0].upper()}{said[1:]}."), f" What helps: {cause.advice}.")
    shown = cause.photographs[:SHOWN]
    return markup.joined([told, _photographs(found, shown)]) if shown else told


def _others(found) -> Safe:
    """Return a table of what was found about classes that are not weak."""
    rows = [
        [printable(found.crossed.index.classes[one.label]), f"{one.value:.0%}", printable(cause.said), cause.advice]
        for one in found.recalls
        if not one.weak
        for cause in found.causes[one.label]
    ]
    told = "Recall is of the training and validation photographs, each classified by classifiers trained without it."
    if not rows:
        return Safe("")
    return markup.joined(
        [markup.table(["class", "recall", "found", "what helps"], rows), markup.paragraph(told, note=True)]
    )


def _photographs(found, positions, *, captions=None) -> Safe:
    index = found.crossed.index
    figures = []
    for number, at in enumerate(positions):
        path = index.paths[at]
        caption = printable(path) if captions is None else captions[number]
        picture = markup.thumbnail(_thumbnail(index.root / path), path)
        figures.append(tag("figure", picture, tag("figcaption", markup.breakable(caption)), title=path))
    return tag("div", *figures, class_="sheet")


def _thumbnail(path) -> np.ndarray | None:
    from PIL import Image

    try:
        image = Image.fromarray(np.asarray(decode(path)))
    except (OSError, InputError):
        return None
    image.thumbnail((SIDE, SIDE))
    return np.asarray(image)


def _tried(trial) -> Safe:
    if trial is None:
        return Safe("")
    rows = []
    for one in trial.verdicts:
        made = remedy(one.name)
        compared = one.against.get(proof.CONTROL, {})
        untreated = one.against.get(proof.UNTREATED, {})
        verdict = "proven" if one.kept else ("control" if made.control else "")
        what = tag("div", tag("b", one.name), f" ({verdict})" if verdict else "", tag("p", tag("small", made.said)))
        rows.append(
            [
                tag("div", what, class_="said"),
                *(_beside(one.recall[group], compared.get(group)) for group in proof.GROUPS),
                _points(untreated.get("weak"), bounds=False),
                Number(f"{min(one.p.values()):.3f}", min(one.p.values())) if one.p else "",
            ]
        )
    headers = ["remedy", "weak classes", "other classes", "all classes", "weak, against none", "p"]
    told = [
        'Below each recall stands its difference from the control "bias", in points, with the 95% interval. The '
        'control raises the probabilities of weak classes and costs nothing. "None" is the control in which '
        "nothing is done. A remedy is proven if it is better than the bias by more than chance explains, and takes no "
        "more than half a point of recall from the other classes. p says how often chance alone would bring so large "
        "a difference; it is corrected for the number of remedies, and must be below 0.05.",
        _trained(trial),
    ]
    missing = [tag("li", f'"{name}" ({remedy(name).said}): {why}.') for name, why in trial.not_tried.items()]
    listed = [markup.paragraph("Not tried:"), tag("ul", *missing)] if missing else []
    return markup.joined([*map(markup.paragraph, told), markup.table(headers, rows), *listed])


def _trained(trial) -> str:
    """Say what the recalls of a trial are means of, and why they differ from those of the diagnosis."""
    folds, divisions = trial.cases[0].folds, len(trial.cases)
    return (
        f"The training and validation photographs were divided into {folds} parts in {counted(divisions, 'way')}. For "
        f"each part, a classifier was trained on the other parts and answered it. Recall is the mean over classes and "
        f'over these {divisions * folds} classifiers, in percent. Under "Weak classes" the answers of several '
        "classifiers are averaged for each photograph, so the recall there differs by some points from that of "
        '"none". The intervals are corrected for photographs that several classifiers have learned from.'
    )


def _beside(share, difference) -> Number | str:
    """Return a cell with a recall and, below it, the difference from the bias."""
    change = _points(difference)
    if share is None or not change:
        return _share(share)
    return Number(markup.joined([f"{100 * share:.1f}", Safe("<br>"), tag("small", change.text)], ""), share)


def _share(value) -> Number:
    return Number("" if value is None else f"{100 * value:.1f}", value)


def _points(difference, *, bounds: bool = True):
    if not difference or difference["mean"] is None:
        return ""
    text = f"{100 * difference['mean']:+.1f}"
    if bounds and difference["low"] is not None:
        text += f" [{100 * difference['low']:+.1f}, {100 * difference['high']:+.1f}]"
    return Number(text, difference["mean"])


def _after(after, again) -> Safe:
    if after is None:
        return Safe("")
    rows = []
    for group, words in (("targeted", "weak classes"), ("other", "other classes"), ("all", "all classes")):
        arms = after["groups"][group]["arms"]
        if arms["before"]["recall"]["value"] is None:
            continue
        difference = arms["after"]["difference"]
        change = f"{100 * difference['value']:+.1f} [{100 * difference['low']:+.1f}, {100 * difference['high']:+.1f}]"
        recalls = [percent(arms[name]["recall"]["value"]) for name in ("before", "after")]
        rows.append([words, str(after["groups"][group]["images"]), *recalls, change])
    used = (
        "These have already decided whether the earlier repair stands, so the figures may be a little too good"
        if again
        else "These were not used before"
    )
    told = (
        f"Share of right answers on the test images. {used}. The difference is in points, with its 95% interval over "
        "images."
    )
    return markup.joined([markup.paragraph(told), markup.table(["", "images", "before", "after", "difference"], rows)])


def _suspects(found) -> Safe:
    crossed, index = found.crossed, found.crossed.index
    suspects = found.suspects()
    if not len(suspects):
        return Safe("")
    likelier, shown = crossed.likelier, suspects[:SUSPECTS]
    captions = [
        markup.joined(
            [
                f"labelled {printable(index.classes[index.labels[at]])}, looks like ",
                f"{printable(index.classes[likelier[at]])}",
                Safe("<br>"),
                tag("small", printable(index.paths[at])),
            ],
            "",
        )
        for at in shown
    ]
    more = f", of which {len(shown)} are shown" if len(shown) < len(suspects) else ""
    lists = "lists it" if len(suspects) == 1 else "lists all of them, the most suspicious first"
    told = f"{counted(len(suspects), 'photograph')}{more}. suspects.csv {lists}."
    return markup.joined([markup.paragraph(told), _photographs(found, shown, captions=captions)])


def _method(found, after, again) -> Safe:
    asked = (
        "the share of all photographs that is recognised"
        if found.target is None
        else f"{found.target:.0%}, as asked for"
    )
    told = (
        f"Each of the {len(found.crossed.index):,} training and validation photographs was classified by classifiers "
        f"that had seen neither it nor its near-duplicates, on features of {found.eyes.trunk.told}. A class is "
        f"weak if the interval of its recall is below {asked}. The test images were not used"
    )
    told += "" if after is None else " before the proven remedy was applied"
    told += ", except that they decided whether the earlier repair stands." if again else "."
    return markup.paragraph(told, note=True)
