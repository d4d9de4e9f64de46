"""model.json: everything that a program needs to know about an exported model, whatever the format."""

import pathlib

from kfg import __version__
from kfg.exporting.formats.protocol import Format
from kfg.files import digest
from kfg.runs import run_files

INSIDE = "inside the model: bilinear with antialiasing, to the model's width and height, rounded to whole values"
BEFORE = (
    "before the model is called: bilinear with antialiasing, to the model's width and height, rounded to whole values"
)


def describe(name: str, one: Format, run: pathlib.Path, *, classes, image_size, confidence, judged: bool) -> dict:
    """Return the content of model.json.

    Args:
        name: name of the format.
        one: the format.
        run: the run folder.
        classes: C names.
        image_size: (height, width) in pixels.
        confidence: kfg.exporting.confidence.Confidence of the run, None if it has none.
        judged: whether the run knows how strange a photograph is.
    """
    height, width = image_size
    sides = ["height", "width"] if one.ANY_SIZE else [height, width]
    batch = 1 if one.EXTRA == "litert" else "batch"
    return {
        "kfg": __version__,
        "format": name,
        "file": one.FILE,
        "model_sha256": digest(run / run_files.MODEL),
        "classes": list(classes),
        "image_size": {"height": height, "width": width},
        "input": {
            "name": "images",
            "shape": [batch, *sides, 3],
            "type": "uint8",
            "layout": "batch, height, width, channels; the channels are red, green, blue",
            "values": "0 to 255 as decoded; the model scales them itself",
            "orientation": "upright: turned as the EXIF orientation of the photograph says",
            "resize": INSIDE if one.ANY_SIZE else BEFORE,
        },
        "outputs": [
            {
                "name": "probabilities",
                "shape": [batch, len(classes)],
                "type": "float32",
                "meaning": "probability of each class, in the order of classes",
            },
            *([_strangeness(batch)] if one.JUDGES and judged else []),
        ],
        "note": one.NOTE,
        "confidence": None if confidence is None else confidence.content,
    }


def _strangeness(batch) -> dict:
    return {
        "name": "strangeness",
        "shape": [batch],
        "type": "float32",
        "meaning": (
            "distance of a photograph from all training photographs, 0 to 2; above the threshold of none_of_these in "
            "confidence, the photograph shows none of the classes"
        ),
    }
