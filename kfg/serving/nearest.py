"""Find the training photographs that are most like another photograph, according to the model.

The model's features of each training photograph, the values before its last layer, are computed once in the background
and kept in the cache beside the runs. This uses the processor only when no request does.
"""

import concurrent.futures
import contextlib
import logging
import os
import pathlib

import numpy as np

from kfg.data import decode
from kfg.data.bad_image import BadImage
from kfg.data.index import Index, make_index
from kfg.data.resizing import resize
from kfg.errors import InputError
from kfg.files import digest, read_json
from kfg.runs import origins, run_files
from kfg.serving.model import Model, Stopped
from kfg.web.pictures import jpeg, shrunk

logger = logging.getLogger(__name__)

PART = "train"
BATCH = 16  # photographs in a batch; a request that comes meanwhile waits for one batch at most
THUMBNAIL = 320  # px


class Files:
    """A store of photographs that are decoded anew each time: uint8 (N, H, W, 3).

    Args:
        index: N photographs, digests filled in.
        image_size: (height, width) in pixels.
        decoders: executor that decodes them.
    """

    def __init__(self, index: Index, image_size, decoders: concurrent.futures.Executor):
        from kfg.data import decoded

        self.index, self.shape = index, (len(index), *image_size, 3)
        self.key, self._paths = decoded.key_of(index, image_size), index.full_paths()
        self._decoders = decoders

    def __len__(self) -> int:
        return self.shape[0]

    def gather(self, positions) -> np.ndarray:
        def one(at):
            return resize(decode.decode(self._paths[at]), self.shape[1:3])

        return np.stack(list(self._decoders.map(one, positions)))


class Nearest:
    """The training photographs of a run, to be compared with other photographs by the model's features.

    Args:
        model: the server's model; its Keras model must be loaded before `prepare` is called.
    Attributes:
        said: state of the preparation for the reader: "state" is "waiting", "computing", "ready" or "unavailable";
            "done" of "total" photographs; and "why" it is unavailable.
    """

    def __init__(self, model: Model):
        self.model, self.index, self._features, self._trunk = model, None, None, None
        self.said = {"state": "waiting"}

    def prepare(self) -> None:
        """Compute the features that are missing; if that is not possible, `said` has the reason."""
        try:
            self._prepare()
        except Stopped:
            pass
        except InputError as error:
            self.said = {"state": "unavailable", "why": str(error)}

    def _prepare(self):
        from kfg.training import features

        self.model.check_going_on()
        if self.model.keras is None:
            raise InputError(f"{self.model.path}: {self.model.why_not}")
        run = self.model.path.resolve()
        run = run if run.is_dir() and run.name != run_files.EXPORT else run.parent
        index, gone = training_photographs(run, going_on=self.model.check_going_on)
        self._trunk = features_of(self.model.keras)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as decoders:
            rows = features.cached(
                self._trunk,
                Files(index, self.model.classifier.image_size, decoders),
                cache_dir=origins.cache_beside(run),
                progress=lambda done, total: self.said.update(state="computing", done=done, total=total),
                batch_size=BATCH,
                turn=self.model.spare_time,
            )
        self._features, self.index = of_length_one(np.array(rows)), index
        self.said = {"state": "ready", "photographs": len(index), "gone": gone}

    def to(self, image, sha256: str, count: int) -> list[dict]:
        """Return the training photographs most similar to an image, the most similar first.

        Args:
            image: uint8 (H, W, 3) of the model's size.
            sha256: digest of the image's file.
            count: number of photographs.
        Returns:
            Dicts of path, class, `alike` (cosine of the features, at most 1), `picture` (address at which the server
            shows it) and `same`, whether it is the same file; [] until the preparation is done.
        """
        if self.index is None:
            return []
        with self.model.turn():
            row = np.asarray(self._trunk(image[None], training=False), np.float32)
        alike = self._features @ of_length_one(row)[0]
        best = np.argsort(-alike, kind="stable")[:count]
        return [
            {
                "path": self.index.paths[at],
                "class": self.index.classes[self.index.labels[at]],
                "alike": round(float(alike[at]), 4),
                "picture": f"/training/{at}",
                "same": self.index.sha256[at] == sha256,
            }
            for at in best.tolist()
        ]

    def thumbnail(self, at: int) -> bytes | None:
        """Return a training photograph as a small JPEG; None if there is none of that number, or it is gone."""
        if self.index is None or not 0 <= at < len(self.index):
            return None
        path = self.index.full_paths()[at]
        try:
            return jpeg(shrunk(decode.decode_small(path, THUMBNAIL), THUMBNAIL))
        except BadImage:
            return None


def training_photographs(run: pathlib.Path, *, going_on=lambda: None) -> tuple[Index, int]:
    """Return the photographs that a run learned from and that are unchanged, and the number of those that are not.

    Args:
        run: the run folder.
        going_on: function (), called before each photograph is read; what it raises ends the work.
    Raises:
        InputError: the run has no split.csv or does not say where its photographs are, or none of them exists.
    """
    if not (run / run_files.SPLIT).is_file():
        raise InputError(f"{run}: has no {run_files.SPLIT}, which lists the training photographs")

    def digest_of(path) -> str:
        going_on()
        with contextlib.suppress(OSError):
            return digest(path)
        return ""

    rows = [row for row in origins.used_rows(run) if row["part"] == PART]
    root = origins.photographs_of(run)
    if root is None:
        raise InputError(f"{run}: does not say where its photographs are")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(pool.map(digest_of, [root / row["path"] for row in rows]))
    there = [
        (row, found) for row, found in zip(rows, digests, strict=True) if found and row.get("sha256", found) == found
    ]
    if not there:
        raise InputError(f"the training photographs are no longer in {root}")
    classes = read_json(run / run_files.CLASSES, list)
    index = make_index(
        root,
        [row["path"] for row, _ in there],
        [classes.index(row["class"]) for row, _ in there],
        classes,
        sha256=[found for _, found in there],
    )
    return index, len(rows) - len(there)


def features_of(model):
    """Return the Keras model images -> input of the last dense layer, one row for each image."""
    import keras

    from kfg.models import folding, halves
    from kfg.models.flattening import flatten
    from kfg.models.mirrored import plain

    flat = plain(flatten(model))
    if any(layer.name == "features" for layer in flat.layers):
        return halves.front(flat)  # the same as in training, so that features in the cache are found
    dense = [at for at, layer in enumerate(flat.layers) if isinstance(layer, keras.layers.Dense)]
    last = dense[-1] if dense else len(flat.layers) - 1
    if isinstance(flat, keras.Sequential):  # layers of a loaded model remember another graph than its own
        images = x = keras.Input(flat.input_shape[1:], name="images")
        for layer in flat.layers[:last]:
            x = layer(x)
    else:
        images, x = flat.inputs, flat.layers[last].input
    return folding.fold(keras.Model(images, keras.layers.Flatten()(x)))


def of_length_one(rows: np.ndarray) -> np.ndarray:
    """Return rows (N, ...) as float32 (N, F), each scaled to length 1; rows of zeros stay.

    Example:
        >>> of_length_one(np.array([[3.0, 4.0], [0.0, 0.0]])).round(1).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    rows = np.asarray(rows, np.float32).reshape(len(rows), -1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
