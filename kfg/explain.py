"""Pictures of what a model looks at: for the report of a run, and for any image with `kfg explain`."""

import collections
import pathlib
import sys
from typing import NamedTuple

import numpy as np

from kfg import names
from kfg.data.decode import decode
from kfg.data.resizing import resize
from kfg.errors import InputError
from kfg.evaluation import gradcam
from kfg.figures import attention_figure, drawing
from kfg.figures.panels import Panel, grid
from kfg.layers.object_boxes import ObjectBoxes
from kfg.layers.strip_attention import StripAttention
from kfg.models import fbsd, mmal
from kfg.models.flattening import flatten
from kfg.names import printable, shortened

NAME_BYTES = 200  # most bytes of an image's name in the name of its PNG; disks allow 255, temporary names are longer
SHOWN = 4  # test images named right in a report, and the same number named wrong
BOXES, STRIPS = "boxes", "strips"
TITLE = "What the model looks at"
CAMS = (
    "Grad-CAM heat maps: red marks what speaks most for the class named above the map. Each map has its own scale; a "
    "map that is dark all over found nothing. First come the test images that the model got right with the highest "
    "confidence, with the map of the second most likely class; then those that it got wrong with the highest "
    "confidence, with the map of the true class."
)
NOTES = {
    BOXES: "The model classifies the object that it cuts out of the image, so there is no heat outside of it. Below "
    "are the same images with frames around that object and around its parts, which are used only in training.",
    STRIPS: "The maps are those of the last stage. Below are the same images with the weights of each stage's strips; "
    "paler strips have smaller weights. The framed strip is hidden from the next stage.",
}
CROPPED = "The model sees only the middle of each image, so there is no heat and no strip at the rim."


class Explainer:
    """A model's heat maps, and panels that show what its attention chose; prepared once for many images.

    Args:
        model: Keras model of kfg, (B, H, W, 3) in [0, 255] -> probabilities.
    Raises:
        InputError: the model has no maps, see `gradcam.has_maps`.
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
        """Return a panel for each image, uint8 (B, H, W, 3): image and heat of its class in `labels`, int (B,)."""
        drawn = zip(images, self.heat(images, labels), titles, strict=True)
        return [Panel(gradcam.overlay(image, heat), title) for image, heat, title in drawn]

    def attention(self, images) -> list[list[Panel]]:
        """Return, for each image, panels of its boxes or strips; [] if the model has neither."""
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
    """Draw a PNG for each image file, and print path, predicted class, its probability and the path of the PNG.

    The PNG shows the image, the heat of the predicted class and of `class_name`, and what the model's attention chose.

    Args:
        model: Keras model of kfg.
        classes: C names.
        files: paths of images.
        out: folder for the PNGs; it is made if it does not exist.
        class_name: a further class whose heat is shown.
    Returns:
        Exit code: 1 if an image could not be read (an error line says so), else 0.
    Raises:
        InputError: an unknown class; a model without maps; a folder that cannot be written.
    """
    asked = [] if class_name is None else [class_id(classes, class_name)]
    explainer, failed = Explainer(model), 0
    for path, target in zip(files, targets(files, out), strict=True):
        try:
            image = resize(decode(path), model.input_shape[1:3])[None]
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
    """Return the path of a PNG for each image file; all are different, and none has a name too long for a disk.

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
    """Return the number of a class; InputError if there is no class of that name, with some that there are."""
    if name in classes:
        return list(classes).index(name)
    raise InputError(f"--classname: {name!r} is not one of the classes {printable(shortened(classes))}")


def _share(classes, probabilities, label) -> str:
    percent = f"{100 * probabilities[label]:.0f}%"
    return f"{drawing.short(classes[label], 18)} {percent}"


class Looks(NamedTuple):
    """The pictures in a report that show where a model looks.

    Args:
        sections: sections for `kfg.reporting.write`.
        maps: position among the predictions -> [(title, uint8 (H, W, 3))], the image overlaid with the heat of a class.
    """

    sections: list[tuple]
    maps: dict[int, list[tuple[str, np.ndarray]]]


def looks(model, predictions, images, workdir) -> Looks:
    """Draw a few test images into a run folder: gradcam.png, and boxes.png or strips.png.

    Args:
        model: the run's Keras model.
        predictions: kfg.evaluation.predict.Predictions, its answers on the test images.
        images: store of the test images, in that order: `gather(positions)` returns uint8 (n, H, W, 3) of the model's
            size.
        workdir: the run folder.
    """
    model = flatten(model)  # flattened once for all functions that read its layers
    if not gradcam.has_maps(model):
        return Looks([(TITLE, f"{model.name} has no feature maps, so no Grad-CAM heat maps can be drawn.")], {})
    explainer, shown = Explainer(model), telling(predictions)
    pictures = images.gather(shown)
    compared = _compared(explainer, pictures, shown, predictions)
    sheets = {"gradcam": grid(compared)}
    if explainer.kind:
        sheets[explainer.kind] = grid(explainer.attention(pictures))
    notes = [NOTES[explainer.kind]] if explainer.kind else []
    body = [" ".join([CAMS, *notes, *([CROPPED] if explainer.cropped else [])])]
    for name, figure in sheets.items():
        drawing.save(figure, workdir / f"{name}.png")
        body.append((workdir / f"{name}.png").read_bytes())
    maps = {int(at): [(one.title, one.image) for one in row[1:]] for at, row in zip(shown, compared, strict=True)}
    return Looks([(TITLE, tuple(body))], maps)


def telling(predictions, *, count: int = SHOWN) -> np.ndarray:
    """Return int64 (n,), positions of up to `count` images named right, then of as many named wrong.

    In both groups the most confident come first; ties are in order of position.
    """
    confidence = -predictions.probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    right = predictions.predicted[order] == predictions.labels[order]
    return np.concatenate([order[right][:count], order[~right][:count]])


def _compared(explainer, images, shown, predictions) -> list[list[Panel]]:
    """Return for each image: itself, the heat of the predicted class, and that of the true class or the runner-up."""
    classes, labels = predictions.classes, predictions.labels[shown]
    likeliest = np.argsort(-predictions.probabilities[shown], axis=1, kind="stable")
    said = likeliest[:, 0]
    other = np.where(said == labels, likeliest[:, 1], labels)
    columns = [[Panel(*one) for one in zip(images, (f"is {classes[label]}" for label in labels), strict=True)]]
    for asked in (said, other):
        titles = [_share(classes, predictions.probabilities[at], i) for at, i in zip(shown, asked, strict=True)]
        columns.append(explainer.cams(images, asked, titles))
    return [list(panels) for panels in zip(*columns, strict=True)]
