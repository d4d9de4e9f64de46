"""The parts of a run's report page that go class by class and image by image."""

from collections import Counter

import numpy as np

from kfg.reporting import markup
from kfg.reporting.markup import Number, Safe, percent, tag

WIDE = 40  # classes from which the confusion matrix is wider than a screen


def confusion(result, pictures) -> Safe:
    """The matrix, and the pairs most often mixed up."""
    rows = [
        [
            pair["true"],
            pair["predicted"],
            Number(f"{pair['count']:,}", pair["count"]),
            Number(percent(pair["rate"]), pair["rate"]),
            Number(f"{pair['reverse']:,}", pair["reverse"]),
        ]
        for pair in result["most_confused"]
    ]
    headers = ["true class", "taken for", "images", "of the class", "the other way round"]
    pairs = markup.table(headers, rows, sortable=True) if rows else markup.paragraph("No mistakes.")
    return markup.joined(
        [
            markup.picture(pictures["confusion"], "Confusion matrix", zoom=result["classes"] > WIDE),
            tag("h3", "Most confused pairs"),
            pairs,
        ]
    )


def class_table(result, run, pictures) -> Safe:
    """Recall as a picture, and every class's figures in a table that sorts, worst recall first."""
    trained = Counter(row["class"] for row in run.split or () if row["part"] == "train") or None
    matrix = np.array(result["confusion"])
    np.fill_diagonal(matrix, 0)
    rows = []
    for c in sorted(range(len(matrix)), key=lambda c: _recall_key(result["per_class"][c])):
        row = result["per_class"][c]
        taken = int(matrix[c].argmax())
        mistake = f"{result['per_class'][taken]['name']} ({matrix[c, taken]})" if matrix[c].any() else ""
        cells = [row["name"], Number(f"{row['support']:,}", row["support"])]
        cells += [] if trained is None else [Number(f"{trained[row['name']]:,}", trained[row["name"]])]
        cells += [*_estimate(row["recall"]), *_estimate(row["precision"]), _plain(row["f1"]), _plain(row["auc"])]
        rows.append([*cells, mistake])
    headers = ["class", "tested", *([] if trained is None else ["trained"])]
    headers += ["recall", "95 %", "precision", "95 %", "F1", "AUC", "most often taken for"]
    picture = markup.picture(pictures["recall"], "Recall per class with Wilson intervals")
    return markup.joined([picture, markup.table(headers, rows, sortable=True, tall=len(rows) > WIDE)])


def _recall_key(row) -> float:
    """Worst first; a class without test images last."""
    return 2.0 if row["recall"]["value"] is None else row["recall"]["value"]


def _estimate(figure):
    if figure["value"] is None:
        return Number("", None), Number("", None)
    return _plain(figure["value"]), Number(f"{figure['low']:.2f} to {figure['high']:.2f}", figure["low"])


def _plain(value):
    return Number("", None) if value is None else Number(f"{value:.3f}", value)


def worst_images(worst) -> Safe:
    """Thumbnails of the images with the highest loss; None says that no images were given."""
    if worst is None:
        return markup.paragraph("The images were not given to the report, so none are shown.", note=True)
    cells = []
    for one in worst:
        right = one.true == one.predicted
        said = f"said so, {one.confidence:.0%}" if right else f"said {one.predicted}, {one.confidence:.0%}"
        caption = tag(
            "figcaption",
            tag("b", markup.breakable(f"is {one.true}")),
            Safe("<br>"),
            tag("span", markup.breakable(said), class_="right" if right else "wrong"),
            Safe("<br>"),
            f"gave the truth {one.true_probability:.1%}",
        )
        picture = markup.thumbnail(one.thumbnail, f"{one.true} taken for {one.predicted}")
        cells.append(tag("figure", picture, caption, title=one.path))
    intro = "Highest loss first. Here stand wrong labels, odd photographs, and what the model does not know."
    return markup.joined([markup.paragraph(intro), tag("div", *cells, class_="sheet")])
