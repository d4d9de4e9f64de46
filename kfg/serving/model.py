"""The model behind a server: it is loaded while the server already answers, and one thread runs it."""

import concurrent.futures
import contextlib
import logging
import os
import pathlib
import threading
import time

import numpy as np

from kfg import quiet
from kfg.data.resizing import resize
from kfg.errors import InputError
from kfg.runs import origins, run_files
from kfg.serving import pictures
from kfg.serving.uploads import Upload
from kfg.web.pictures import jpeg, shrunk
from kfg.web.refusals import Refusal

logger = logging.getLogger(__name__)

HEAT_SIDE = 640  # px, longer side of a photograph with its heat map


class Stopped(Exception):
    """The server is ending: background work is given up."""


def still_loading() -> Refusal:
    """Return a new refusal each time: one that is raised again would keep every earlier request's photograph alive."""
    return Refusal(503, "the model is being loaded; try again in a moment", retry_after=2)


class Model:
    """A run's model, or its export if there is one.

    Args:
        path: a run folder, its export, or its model.keras.
        most_pixels: the most pixels that a photograph may have.
    Attributes:
        classifier: kfg.exporting.classifiers.Classifier; None until it is loaded.
        keras: the Keras model, for heat maps and features; None until it is loaded, or if there is none.
        why_not: why there is no Keras model.
    """

    def __init__(self, path, *, most_pixels: int):
        self.path, self.most_pixels = pathlib.Path(path), most_pixels
        self.classifier = self.keras = self._heat = None
        self.why_not = ""
        self.thread = concurrent.futures.ThreadPoolExecutor(1, "model")
        self.decoders = concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "decode")
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self._asked, self._stopped = 0, False

    def load(self) -> None:
        """Load the classifier and let it answer once: the first answer takes longer than any later one.

        Raises:
            InputError: there is no model, or it is damaged.
        """
        with quiet.tensorflow_notes():
            from kfg.exporting import classifiers

            classifier = classifiers.load(self.path)
            blank = resize(np.zeros((*classifier.image_size, 3), np.uint8), classifier.image_size)
            list(classifier.answers(["blank"], [blank]))
        self.classifier = classifier

    def load_keras(self) -> None:
        """Load the Keras model; if there is none, set `why_not`."""
        from kfg.evaluation import gradcam
        from kfg.exporting import run_models

        home = self.path.parent if self.path.name == run_files.EXPORT else self.path
        try:
            model, _ = run_models.load_keras(home)
        except InputError as error:
            there = (home / run_files.MODEL if home.is_dir() else home).is_file()
            why = f"cannot be used ({error})" if there else "is missing"
            self.why_not = f"it needs the run's {run_files.MODEL}, which {why}"
            return
        if gradcam.has_maps(model):
            self._heat = gradcam.reader(model)
        self.keras = model

    def hasten(self) -> None:
        """Switch to the fastest engine, as `kfg predict` does; it is timed on training photographs."""
        from kfg.exporting import classifiers

        home = self.path if self.path.is_dir() and self.path.name != run_files.EXPORT else self.path.parent
        try:
            self.check_going_on()
            files = origins.training_files(home)
            self.check_going_on()
            classifiers.hasten(self.classifier, self.path, files)
        except Stopped:
            pass
        except InputError as error:
            logger.warning("%s", error)

    @property
    def has_heat(self) -> bool:
        return self._heat is not None

    def seen(self, upload: Upload):
        """Return a photograph as the model sees it, a uint8 array (H, W, 3).

        Raises:
            Refusal: 503 while the model is being loaded; others as in `pictures.decoded`.
        """
        return resize(self._decoded(upload), self.classifier.image_size)

    def _decoded(self, upload):
        """Return a photograph's pixels; refuse it undecoded while the model is being loaded."""
        if self.classifier is None:
            raise still_loading()
        return pictures.decoded(upload, most_pixels=self.most_pixels)

    def answers(self, images) -> list:
        """Return a kfg.exporting.classifiers.Answer for each of some images that `seen` returned."""
        with self.turn():
            return list(self.classifier.answers([""] * len(images), images))

    def heat(self, upload: Upload, label: int) -> bytes:
        """Return a photograph as a JPEG, with a heat map of what speaks for a class drawn over it.

        Raises:
            Refusal: 404 if the model has no heat maps; others as in `seen`.
        """
        from kfg.evaluation import gradcam

        pixels = self._decoded(upload)
        image = resize(pixels, self.classifier.image_size)
        if self._heat is None:
            why = Refusal(404, f"no heat map: {self.why_not or 'the model has no feature maps'}")
            raise why if self.ended_loading else still_loading()
        with self.turn():
            heat = self._heat(image[None], [label])[0]
        shown = shrunk(pixels, HEAT_SIDE)
        from PIL import Image

        large = Image.fromarray(heat).resize(shown.shape[1::-1], Image.Resampling.BILINEAR)
        return jpeg(gradcam.overlay(shown, np.clip(np.asarray(large), 0, 1)))

    @property
    def ended_loading(self) -> bool:
        return self.keras is not None or bool(self.why_not)

    @contextlib.contextmanager
    def turn(self):
        """Reserve the model for a `with` block; background work waits."""
        self._count(1)
        try:
            with self._lock:
                yield
        finally:
            self._count(-1)

    def _count(self, change):
        with self._counting:
            self._asked += change

    @contextlib.contextmanager
    def spare_time(self):
        """Wait until no request needs the model, then reserve it for a `with` block of background work.

        Raises:
            Stopped: the server is ending.
        """
        while self._asked and not self._stopped:
            time.sleep(0.01)
        with self._lock:
            self.check_going_on()
            yield

    def check_going_on(self) -> None:
        """Raise Stopped if the server is ending."""
        if self._stopped:
            raise Stopped

    def stop(self) -> None:
        """End the background work."""
        self._stopped = True
        self.thread.shutdown(wait=False, cancel_futures=True)
        self.decoders.shutdown(wait=False, cancel_futures=True)
