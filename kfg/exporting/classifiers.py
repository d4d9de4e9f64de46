"""The classifier that reads an export or a model.keras back and classifies image files."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import logging
import math
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from kfg.data import decode as decoding
from kfg.data.resizing import resize
from kfg.errors import InputError
from kfg.exporting import confidence, parity, run_models
from kfg.exporting.parity import load_saved_model
from kfg.exporting.saved_model import FAILED_FILE, failed_folder
from kfg.files import digest, listed, local, read_json
from kfg.inference import fastest
from kfg.inference.engines import TENSORFLOW
from kfg.inference.fastest import Chosen, Net
from kfg.models import calibrated
from kfg.runs import run_files, unfinished

logger = logging.getLogger(__name__)

BATCH = 32  # images in a batch


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """The result for one image. Two answers are never equal: they hold arrays.

    Args:
        path: path of the image.
        names: the C class names.
        probabilities: float32 (C,); empty if the image could not be read.
        error: one line on why the image could not be read, else "".
        verdict: "unsure" if the answer is less probable than the threshold above which enough answers are right; "none
            of these" if the photograph is too unlike all that the net has learned from; else "".
        chosen: numbers of the classes in the prediction set, the likeliest first; None if no set was asked for.
    """

    path: str
    names: tuple[str, ...]
    probabilities: np.ndarray
    error: str = ""
    verdict: str = ""
    chosen: tuple[int, ...] | None = None

    def __repr__(self) -> str:
        """Name what is of interest in a notebook, not the probabilities of all classes."""
        return (
            f"Answer(path={self.path!r}, class_name={self.class_name!r}, probability={self.probability:.4f}, "
            f"verdict={self.verdict!r}, error={self.error!r})"
        )

    @property
    def class_name(self) -> str:
        """The likeliest class; "" if the image could not be read."""
        return "" if self.error else self.names[int(np.argmax(self.probabilities))]

    @property
    def probability(self) -> float:
        """The probability of the likeliest class; NaN if the image could not be read."""
        return math.nan if self.error else float(np.max(self.probabilities))

    @property
    def set(self) -> tuple[str, ...] | None:
        """The classes of the prediction set, the likeliest first; None if no set was asked for."""
        return None if self.chosen is None else tuple(self.names[one] for one in self.chosen)

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return (class name, probability) of the `count` likeliest classes, the likeliest first."""
        best = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.names[i], float(self.probabilities[i])) for i in best]


class Classifier:
    """A model that classifies image files.

    Args:
        serve: function uint8 (B, H, W, 3) -> probabilities (B, C); or -> [probabilities, strangeness (B,)], for the
            thresholds of `confidence`.
        classes: the C class names.
        image_size: (height, width) in pixels that the model was trained on.
        confidence: kfg.exporting.confidence.Confidence, the thresholds for doubt; None if they are unknown.
    Attributes:
        by_tensorflow: the function `serve` as it was given.
        engine: a sentence on what computes the answers.
        speed: the same sentence if the engines of this machine were timed, else "".
    """

    def __init__(self, serve, *, classes, image_size, confidence=None):
        self.serve = self.by_tensorflow = serve
        self.classes, self.image_size = tuple(classes), tuple(image_size)
        self.confidence = confidence
        self.engine, self.speed = Chosen(TENSORFLOW, serve).told, ""

    def predict(self, paths, *, batch_size: int = BATCH) -> Iterator[Answer]:
        """Classify image files in order; a file that cannot be read gives an Answer with `error`, and the others go on.

        Args:
            paths: paths of image files, or a single path.
            batch_size: images in a batch.
        Raises:
            InputError: an item is not a path.
        """
        paths = [str(path) for path in listed(paths)]
        chunks = [paths[start : start + batch_size] for start in range(0, len(paths), batch_size)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            read = [[pool.submit(self.read, path) for path in chunk] for chunk in chunks[:1]]
            for number, chunk in enumerate(chunks):
                # read the next images while the model answers on these
                read += [[pool.submit(self.read, path) for path in more] for more in chunks[number + 1 : number + 2]]
                yield from self.answers(chunk, [one.result() for one in read.pop(0)])

    def read(self, path) -> np.ndarray | InputError:
        """Return an image file as uint8 (H, W, 3) of the model's size, or the error if it cannot be read."""
        try:
            return resize(decoding.decode(path), self.image_size)
        except InputError as error:
            return error

    def answers(self, paths, images) -> Iterator[Answer]:
        """Classify images that are already decoded, in one batch.

        Args:
            paths: the path, or another name, of each image.
            images: uint8 (H, W, 3) of `image_size`, RGB; an InputError in place of an image that could not be read.
        """
        good = [image for image in images if not isinstance(image, InputError)]
        told = iter(self._told(np.stack(good)) if good else ())
        for path, image in zip(paths, images, strict=True):
            if isinstance(image, InputError):
                yield Answer(path, self.classes, np.empty(0, np.float32), str(image))
            else:
                yield Answer(path, self.classes, **next(told))

    def _told(self, images) -> list[dict]:
        """Return, for each image of uint8 (B, H, W, 3), the keyword arguments of its Answer."""
        found = self.serve(images)
        judged = isinstance(found, (list, tuple))
        probabilities = np.asarray(found[0] if judged else found)
        if self.confidence is None:
            return [{"probabilities": one} for one in probabilities]
        strangeness = np.asarray(found[1]) if judged else [None] * len(probabilities)
        verdict, chosen = self.confidence.verdict, self.confidence.chosen
        return [
            {"probabilities": one, "verdict": verdict(one, strange), "chosen": chosen(one)}
            for one, strange in zip(probabilities, strangeness, strict=True)
        ]

    def top1(self, path) -> tuple[str, float]:
        """Return the likeliest class name for one image file, and its probability."""
        (answer,) = self.predict([path])
        if answer.error:
            raise InputError(answer.error)
        return answer.top(1)[0]


def load(path) -> Classifier:
    """Load an export, the export of a run folder, or the model.keras that an interrupted run left there.

    Raises:
        InputError: there is none; it is damaged; its classes are not those listed beside it; the confidence.json
            belongs to another model.
    """
    path = local(path)
    if path.name == run_files.MODEL and path.is_file():
        return _load_keras(path)
    for folder in (path / run_files.EXPORT, path):
        if (folder / run_files.SAVED_MODEL).is_file():
            beside = path / run_files.CONFIDENCE
            return _load_export(folder, beside if beside.is_file() else folder / run_files.CONFIDENCE)
    if (path / run_files.MODEL).is_file():
        if (failed := failed_folder(path / run_files.EXPORT)).is_dir():
            logger.warning("%s: this export failed its check; %s is used instead", failed, run_files.MODEL)
        return _load_keras(path)
    if unfinished.is_unfinished(path):
        raise InputError(f"{path}: has no model yet; {unfinished.told(path)}")
    raise InputError(
        f"{path}: there is no model here (expected saved_model.pb, export/saved_model.pb or {run_files.MODEL})"
    )


def hasten(classifier: Classifier, path, files) -> None:
    """Switch a classifier to the fastest installed engine that answers as the model does.

    Converted models and timings are kept in the run folder. An export without its run's model.keras stays with
    TensorFlow.

    Args:
        classifier: the result of `load` for `path`.
        path: path of the run folder, its export or its model.keras.
        files: the image files that it will classify.
    Raises:
        InputError: the file of timings is damaged.
    """
    path = local(path)
    run = path.parent if path.name in (run_files.EXPORT, run_files.MODEL) else path
    if not (run / run_files.MODEL).is_file():
        return
    judged = classifier.confidence is not None and (run / run_files.BANK).is_file()
    key = digest(run / run_files.MODEL) + (f" {digest(run / run_files.BANK)}" if judged else "")
    build = functools.partial(run_models.load_judge, run) if judged else lambda: run_models.load_keras(run)[0]
    net = Net(key, build, lambda: classifier.by_tensorflow)
    first = functools.partial(_first_readable, files, classifier.image_size)
    chosen = fastest.choose(net, run / run_files.ENGINES, count=len(files), samples=first)
    classifier.serve, classifier.engine = chosen.answer, chosen.told
    classifier.speed = chosen.told if chosen.rates else ""


def _first_readable(files, image_size, number: int) -> np.ndarray:
    """Return the first images that can be read, at most `number`; an image of noise if there are none."""
    images = []
    for path in files:
        with contextlib.suppress(InputError):  # reported when the file is classified
            images.append(resize(decoding.decode(path), image_size))
        if len(images) == number:
            break
    noise = np.random.default_rng(0).integers(0, 256, (1, *image_size, 3), dtype=np.uint8)
    return np.stack(images) if images else noise


def _load_export(folder, thresholds) -> Classifier:
    if (folder / FAILED_FILE).is_file():
        raise InputError(
            f"{folder}: this export failed its check, as its answers differ from the model's; use {run_files.MODEL}"
        )
    parity.check_digests(folder)
    try:
        loaded = load_saved_model(folder)
        classes = [name.decode() for name in loaded.class_names().numpy()]
        size = loaded.image_size().numpy().tolist()
    except (OSError, tf.errors.OpError, AttributeError, IndexError) as error:
        raise InputError(f"{folder}: not a complete kfg export ({str(error).splitlines()[0]})") from error
    if read_json(folder / run_files.CLASSES) != classes:
        raise InputError(f"{folder / run_files.CLASSES}: its classes are not those inside the model")
    fingerprint = loaded.fingerprint().numpy().decode() if hasattr(loaded, "fingerprint") else None
    known = confidence.read(thresholds, fingerprint)
    endpoint = "judge" if known is not None and hasattr(loaded, "judge") else "serve"
    serve = functools.partial(_asked, loaded, endpoint)
    return Classifier(serve, classes=classes, image_size=size, confidence=known)


def _asked(loaded, endpoint, images):
    """Call an endpoint of a SavedModel. It must be called on the model: its functions do not keep variables alive."""
    return getattr(loaded, endpoint)(images)


def _load_keras(path) -> Classifier:
    model, classes = run_models.load_keras(path)
    home = path if path.is_dir() else path.parent
    known, judge = None, model
    if (home / run_files.CONFIDENCE).is_file():
        bank = run_models.load_bank(home)
        known = confidence.read(home / run_files.CONFIDENCE, calibrated.fingerprint(model, bank))
        judge = model if bank is None else calibrated.judge(model, bank)
    serve = functools.partial(judge, training=False)
    return Classifier(serve, classes=classes, image_size=model.input_shape[1:3], confidence=known)
