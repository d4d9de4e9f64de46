"""The sections of a run's report page that show single classes and single images."""

from collections import Counter

import numpy as np

from kfg.names import printable
from kfg.reporting import markup, matrix
from kfg.reporting.markup import Number, Safe, percent, tag

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
    headers += ["recall", "95 %", "precision", "95 %", "F1", "AUC", "most often taken for"]
    picture = markup.picture(pictures["recall"], "Recall per class with Wilson intervals")
    return markup.joined([picture, markup.table(headers, rows, sortable=True, tall=len(rows) > WIDE)])


def _recall_key(row) -> float:
    """Return the key for sorting classes by recall, the lowest first and classes without test images last."""
    return 2.0 if row["recall"]["value"] is None else row["recall"]["value"]


def _estimate(figure):
    if figure["value"] is None:
        return Number("", None), Number("", None)
    return _plain(figure["value"]), Number(f"{figure['low']:.2f} to {figure['high']:.2f}", figure["low"])


def _plain(value):
    return Number("", None) if value is None else Number(f"{value:.3f}", value)


def worst_images(worst) -> Safe:
    """Return thumbnails of the images with the highest loss; None means that the report was given no images."""
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
    intro = "Highest loss first. Look here for wrong labels, unusual photographs and what the model has not learned."
    return markup.joined([markup.paragraph(intro), tag("div", *cells, class_="sheet")])
