"""The data of each test photograph on a page (path, answers, thumbnail, heat maps), and the windows that show them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from kfg.evaluation.predict import Predictions
from kfg.names import printable
from kfg.reporting import assets, markup
from kfg.reporting.markup import Safe
from kfg.reporting.thumbnails import MAPS, Thumbnails, encode, most_telling

STYLES = ("photographs.css",)
SCRIPTS = ("photographs.js", "matrix.js")
LISTED = 5  # most classes of a photograph whose probabilities are on the page
LEAST = 0.005  # classes with a lower probability are not listed, except the first two


def end(
    predictions: Predictions,
    thumbnails: Thumbnails | None,
    *,
    maps: Mapping[int, Sequence] = MappingProxyType({}),
    before: tuple[str, Predictions] | None = None,
    after: str = "",
) -> Safe:
    """Return the end of a page, after its sections: the photographs' data and the windows that show the photographs.

    Args:
        predictions: N answers.
        thumbnails: thumbnails of the photographs; None if no photographs were given.
        maps: position -> [(title, uint8 (H, W, 3))], pictures that show where the model looks.
        before, after: on a page that compares two models, (name, N answers) of the first, and the name of the second.
    """
    data = block(predictions, thumbnails, maps)
    if before:
        data["before"] = {"name": before[0], "top": block(before[1], thumbnails, {})["top"], "after": after}
        data["thumbnail"] = [picture and "" for picture in data["thumbnail"]]  # they all are on the page already
    return markup.joined([markup.data_block("answers", data), Safe(assets.text("photographs.html"))])


def block(predictions: Predictions, thumbnails: Thumbnails | None, maps: Mapping[int, Sequence]) -> dict:
    """Return the photographs' data, in columns.

    Returns:
        dict of `classes`; `note`, a remark on the pictures for the reader; and, in the order of `at` (numbers of the
        photographs), `path`, `true`, `truth` (the true class's probability), `top` (class, probability, class,
        probability, ..., the likeliest first) and `thumbnail` (see Thumbnails.encoded); and `maps`, number -> [title,
        base64, ...]. Probabilities are in thousandths.
    """
    kept = most_telling(predictions) if thumbnails is None else thumbnails.kept
    shown = predictions.probabilities[kept]
    thousandths = np.rint(shown * 1000).astype(np.int32)
    return {
        "classes": [markup.isolated(printable(name)) for name in predictions.classes],
        "note": _note(thumbnails, len(kept), len(predictions)),
        "at": kept,
        "path": [printable(predictions.paths[at]) for at in kept],
        "true": predictions.labels[kept].tolist(),
        "truth": thousandths[np.arange(len(kept)), predictions.labels[kept]].tolist(),
        "top": [_top(*rows) for rows in zip(shown, thousandths, strict=True)],
        "thumbnail": None if thumbnails is None else thumbnails.encoded,
        "maps": {str(at): _encoded(drawn) for at, drawn in maps.items()},
    }


def _note(thumbnails, kept, count) -> str:
    if thumbnails is None:
        told = "This page has only the names of the photographs, because the photographs were not given to it."
    elif thumbnails.side[0] == thumbnails.side[1]:
        told = f"The pictures are scaled down to {thumbnails.side[0]} pixels."
    else:
        small, large = thumbnails.side
        told = f"The pictures are scaled down to {small} pixels, those of wrongly classified photographs to {large}."
    if kept == count:
        return told
    return f"{told} The page holds {kept:,} of the {count:,} photographs, chosen because they tell most."


def _encoded(drawn) -> list[str]:
    return [part for title, pixels in drawn for part in (printable(title), encode(pixels, *MAPS))]


def _top(probabilities, thousandths) -> list[int]:
    likeliest = np.argsort(-probabilities, kind="stable")[:LISTED]
    shown = [c for n, c in enumerate(likeliest) if n < 2 or probabilities[c] >= LEAST]
    return [int(value) for c in shown for value in (c, thousandths[c])]
