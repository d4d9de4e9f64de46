"""The sections of a run's report page that show single classes and single images."""

from collections import Counter

import numpy as np

from kfg.names import percent, printable
from kfg.reporting import markup, matrix
from kfg.reporting.markup import Number, Safe, tag

WIDE = 40  # with this many classes, the table is longer than a screen


def confusion(result, classes) -> Safe:
    """Return the confusion matrix and the pairs of classes that are most often confused."""
    number = {name: c for c, name in enumerate(classes)}
    rows = [
        [
            markup.shows(pair["true"], f"pair:{number[pair['true']]},{number[pair['predicted']]}"),
            pair["predicted"],
            Number(f"{pair['count']:,}", pair["count"]),
            Number(percent(pair["rate"]), pair["rate"]),
            Number(f"{pair['reverse']:,}", pair["reverse"]),
        ]
        for pair in result["most_confused"]
    ]
    headers = ["true class", "taken for", "images", "share of the class", "the other way round"]
    pairs = markup.table(headers, rows, sortable=True) if rows else markup.paragraph("There are no mistakes.")
    return markup.joined(
        [
            matrix.draw(result["confusion"], classes),
            tag("h3", "Most confused pairs"),
            pairs,
        ]
    )


def class_table(result, run, pictures) -> Safe:
    """Return a picture of the recalls, and a sortable table of every class's figures, lowest recall first."""
    trained = Counter(row["class"] for row in run.split or () if row["part"] == "train") or None
    mistakes = np.array(result["confusion"])
    np.fill_diagonal(mistakes, 0)
    rows = []
    for c in sorted(range(len(mistakes)), key=lambda c: _recall_key(result["per_class"][c])):
        row = result["per_class"][c]
        taken = int(mistakes[c].argmax())
        other = markup.isolated(result["per_class"][taken]["name"])
        mistake = f"{other} ({mistakes[c, taken]})" if mistakes[c].any() else ""
        mistake = markup.shows(mistake, f"cell:{c},{taken}") if mistake else ""
        cells = [markup.shows(row["name"], f"class:{c}"), Number(f"{row['support']:,}", row["support"])]
        cells += [] if trained is None else [Number(f"{trained[row['name']]:,}", trained[row["name"]])]
        cells += [*_estimate(row["recall"]), *_estimate(row["precision"]), _plain(row["f1"]), _plain(row["auc"])]
        rows.append([*cells, mistake])
    headers = ["class", "tested", *([] if trained is None else ["trained"])]
    headers += ["recall", "95%", "precision", "95%", "F1", "AUC", "most often taken for"]
    picture = markup.picture(pictures["recall"], "Recall per class with Wilson intervals")
    told = (
        f"{'These' if trained is None else 'Except for the column trained, these'} figures are of the test images, "
        "classified by the finished model. Recall is the share of a class's "
        f"images that are classified correctly{_example(result['per_class'])}."
    )
    return markup.joined(
        [picture, markup.paragraph(told, note=True), markup.table(headers, rows, sortable=True, tall=len(rows) > WIDE)]
    )


def _example(per_class) -> str:
    """Return the lowest recall as a number of images, such as "; for example, 8 of the 11 ... are"."""
    tested = [row for row in per_class if row["support"]]
    if not tested:
        return ""
    row = min(tested, key=_recall_key)
    name = markup.isolated(row["name"])
    return (
        f"; for example, {row['correct']:,} of the {row['support']:,} test images of {name} are, which is a recall of "
        f"{row['recall']['value']:.3f}"
    )


def _recall_key(row) -> float:
    """Return the key for sorting classes by recall, the lowest first and classes without test images last."""
    return 2.0 if row["recall"]["value"] is None else row["recall"]["value"]


def _estimate(figure):
    if figure["value"] is None:
        return Number("", None), Number("", None)
    return _plain(figure["value"]), Number(f"{figure['low']:.2f} to {figure['high']:.2f}", figure["low"])


def _plain(value):
    return Number("", None) if value is None else Number(f"{value:.3f}", value)


OF_THE_TEST = (
    "These are test photographs, so `kfg review --run` leaves them out. `kfg review DIR --class NAME`, with the folder "
    "of your photographs for DIR, shows all photographs of a class, with these among them. Decide by the photograph "
    "and not by the model's answer."
)


def worst_images(worst, *, own: bool = False) -> Safe:
    """Return thumbnails of the images with the highest loss; None means that the report was given no images.

    Args:
        own: whether they are somebody's own photographs, which can be reviewed.
    """
    if worst is None:
        return markup.paragraph("No images are shown, because they were not given to the report.", note=True)
    cells = []
    for one in worst:
        right = one.true == one.predicted
        said = f"predicted: {markup.isolated(one.predicted)}, {one.confidence:.0%}"
        caption = tag(
            "figcaption",
            tag("b", markup.breakable(f"true class: {markup.isolated(one.true)}")),
            Safe("<br>"),
            tag("span", markup.breakable(said), class_="right" if right else "wrong"),
            Safe("<br>"),
            f"probability of the true class: {one.true_probability:.1%}",
            Safe("<br>"),
            tag("small", printable(one.path)),
        )
        picture = markup.thumbnail(one.thumbnail, f"{one.true} taken for {one.predicted}")
        if one.thumbnail is not None:
            picture = markup.shows(picture, f"image:{one.at}")
        cells.append(tag("figure", picture, caption))
    right = sum(one.true == one.predicted for one in worst)
    intro = (
        "The test images for whose true class the model gives the lowest probability, the lowest first. "
        f"Classified wrongly: {len(worst) - right:,} (orange); correctly: {right:,} (blue). Look here for wrong "
        "labels, unusual photographs and what the model has not learned."
    )
    review = [markup.paragraph(markup.sentence(OF_THE_TEST), note=True)] if own else []
    return markup.joined([markup.paragraph(intro), *review, tag("div", *cells, class_="sheet")])
