"""What a model looks at, in pictures: for the report of a run, and of any image for `kfg explain`."""

import collections
import pathlib
import sys

import numpy as np

from kfg import names
from kfg.data import decoded
from kfg.data.decode import decode
from kfg.errors import InputError
from kfg.evaluation import gradcam
from kfg.figures import attention_figure, drawing
from kfg.figures.panels import Panel, grid
from kfg.layers.object_boxes import ObjectBoxes
from kfg.layers.strip_attention import StripAttention
from kfg.models import fbsd, mmal
from kfg.models.flattening import flatten
from kfg.names import printable, shortened

NAME_BYTES = 200  # of an image's name in that of its PNG: disks allow 255, and a file being written has a longer one
SHOWN = 4  # test images named right in a report, and as many named wrong
BOXES, STRIPS = "boxes", "strips"
TITLE = "What the model looks at"
CAMS = (
    "Grad-CAM: red is what speaks most for the class named above, each map on a scale of its own; one that is dark "
    "all over found nothing. First the test images named right with most confidence, with the map of the runner-up; "
    "then those named wrong with most confidence, with the map of the true class."
)
NOTES = {
    BOXES: "The model answers from the object that it cuts out of the image; outside it there is no heat. Below, the "
    "same images: framed is that object, and in it the parts, which are looked at in training only.",
    STRIPS: "The maps are those of the last stage. Below, the same images with the weights of each stage's strips, "
    "paler where they are smaller; the framed strip is hidden from the next stage.",
}
CROPPED = (
    "The model cuts the middle out of each image and sees nothing of the rim, where there is no heat and no strip."
)


class Explainer:
    """A model's heat maps, and the panels of what its attention chose, prepared once.

    Args:
        model: Keras model of kfg, (B, H, W, 3) in [0, 255] -> probabilities.
    Raises:
        InputError: a model without maps, see `gradcam.has_maps`.
    """

    def __init__(self, model):
        self.heat, self._seen = gradcam.reader(model), gradcam.seen(model)
        self.cropped = self._seen != (0, 0, *(side - 1 for side in model.input_shape[1:3]))
        self.kind = self.axis = None
        strips = [layer for layer in model.layers if isinstance(layer, StripAttention)]
        if strips:
            self.kind, self.axis, self._chosen = STRIPS, strips[0].axis, fbsd.strip_weights(model)
        elif any(isinstance(layer, ObjectBoxes) for layer in model.layers):
            self.kind, self._chosen = BOXES, mmal.located(model)

    def cams(self, images, labels, titles) -> list[Panel]:
        """Return a panel per image, uint8 (B, H, W, 3): over it the heat of the class asked about, int (B,)."""
        drawn = zip(images, self.heat(images, labels), titles, strict=True)
        return [Panel(gradcam.overlay(image, heat), title) for image, heat, title in drawn]

    def attention(self, images) -> list[list[Panel]]:
        """Return each image's panels of boxes or strips; none for a model that has neither."""
        if self.kind is None:
            return [[] for _ in images]
        chosen = {name: np.asarray(values) for name, values in self._chosen(images, training=False).items()}
        each = [{name: values[i] for name, values in chosen.items()} for i in range(len(images))]
        if self.kind == STRIPS:
            return [
                attention_figure.strips_panels(image, one, axis=self.axis, seen=self._seen)
                for image, one in zip(images, each, strict=True)
            ]
        return [
            attention_figure.boxes_panels(image, one["object"], one["parts"])
            for image, one in zip(images, each, strict=True)
        ]


def draw(model, classes, files, *, out, class_name: str | None = None) -> int:
    """Draw image files, a PNG each, and print path, predicted class, its probability and the PNG's path.

    Shown are the image, the heat of the predicted class and of `class_name`, and what the model's attention chose.

    Args:
        model: Keras model of kfg.
        classes: C names.
        files: paths of images.
        out: folder of the PNGs, made where it is not there.
        class_name: another class whose heat is asked for.
    Returns:
        Exit code: 1 if an image could not be read, which is said, else 0.
    Raises:
        InputError: an unknown class, a model without maps, a folder that cannot be written.
    """
    asked = [] if class_name is None else [class_id(classes, class_name)]
    explainer, failed = Explainer(model), 0
    for path, target in zip(files, targets(files, out), strict=True):
        try:
            image = decoded.resize(decode(path), model.input_shape[1:3]).numpy()[None]
        except InputError as error:
            print(f"error: {printable(str(error))}", file=sys.stderr)
            failed = 1
            continue
        probabilities = np.asarray(model(image, training=False))[0]
        said = int(np.argmax(probabilities))
        wanted = list(dict.fromkeys([said, *asked]))
        titles = [_share(classes, probabilities, label) for label in wanted]
        heats = explainer.cams(np.repeat(image, len(wanted), axis=0), wanted, titles)
        drawing.save(grid([[Panel(image[0]), *heats, *explainer.attention(image)[0]]]), target)
        share = f"{probabilities[said]:.4f}"
        print(printable(str(path)), printable(classes[said]), share, printable(str(target)), sep="\t")
    return failed


def targets(files, out) -> list[pathlib.Path]:
    """Return a PNG's path for each image file, no two alike, none with a name too long for a disk.

    Example:
        >>> [path.name for path in targets(["a/1.jpg", "b/1.jpg", "a/2.png"], "out")]
        ['1.jpg.explained.png', '1.jpg.explained-2.png', '2.png.explained.png']
    """
    count = collections.Counter()
    paths = []
    for name in (names.cut(pathlib.Path(path).name, NAME_BYTES) for path in files):
        count[name] += 1
        paths.append(pathlib.Path(out) / f"{name}.explained{f'-{count[name]}' if count[name] > 1 else ''}.png")
    return paths


def class_id(classes, name: str) -> int:
    """Return a class's place; InputError where there is none of the name, naming some there are."""
    if name in classes:
        return list(classes).index(name)
    raise InputError(f"--classname: {name!r} is none of {printable(shortened(classes))}")


def _share(classes, probabilities, label) -> str:
    percent = f"{100 * probabilities[label]:.0f} %"
    return f"{drawing.short(classes[label], 18)} {percent}"


def report_sections(model, predictions, images, workdir) -> list[tuple]:
    """Draw a handful of test images into a run folder: gradcam.png, and boxes.png or strips.png.

    Args:
        model: the run's Keras model.
        predictions: kfg.evaluation.predict.Predictions, its answers on the test images.
        images: store of them, in that order: `gather(positions)` gives uint8 (n, H, W, 3), of the model's size.
        workdir: the run folder.
    Returns:
        Section for `kfg.reporting.write`.
    """
    model = flatten(model)  # once for all that reads its layers
    if not gradcam.has_maps(model):
        return [(TITLE, f"{model.name} has no maps, so there is no Grad-CAM of it.")]
    explainer, shown = Explainer(model), telling(predictions)
    pictures = images.gather(shown)
    sheets = {"gradcam": grid(_compared(explainer, pictures, shown, predictions))}
    if explainer.kind:
        sheets[explainer.kind] = grid(explainer.attention(pictures))
    notes = [NOTES[explainer.kind]] if explainer.kind else []
    body = [" ".join([CAMS, *notes, *([CROPPED] if explainer.cropped else [])])]
    for name, figure in sheets.items():
        drawing.save(figure, workdir / f"{name}.png")
        body.append((workdir / f"{name}.png").read_bytes())
    return [(TITLE, tuple(body))]


def telling(predictions, *, count: int = SHOWN) -> np.ndarray:
    """Return int64 (n,), the places of up to `count` images named right and as many named wrong.

    Those with most confidence, it falling, the ones named right first; ties by place.
    """
    confidence = -predictions.probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    right = predictions.predicted[order] == predictions.labels[order]
    return np.concatenate([order[right][:count], order[~right][:count]])


def _compared(explainer, images, shown, predictions) -> list[list[Panel]]:
    """Return each image, the heat of the class it was given, and that of the true class or the runner-up."""
    classes, labels = predictions.classes, predictions.labels[shown]
    likeliest = np.argsort(-predictions.probabilities[shown], axis=1, kind="stable")
    said = likeliest[:, 0]
    other = np.where(said == labels, likeliest[:, 1], labels)
    columns = [[Panel(*one) for one in zip(images, (f"is {classes[label]}" for label in labels), strict=True)]]
    for asked in (said, other):
        titles = [_share(classes, predictions.probabilities[at], i) for at, i in zip(shown, asked, strict=True)]
        columns.append(explainer.cams(images, asked, titles))
    return [list(panels) for panels in zip(*columns, strict=True)]
