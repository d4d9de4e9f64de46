"""Find or download the files of ImageNet weights of keras.applications, in Keras's own cache folder."""

import dataclasses
import hashlib
import http.client
import logging
import os
import pathlib
import urllib.request

from kfg.errors import InputError
from kfg.files import whole

logger = logging.getLogger(__name__)

SITE = "https://storage.googleapis.com/"
TIMEOUT = 30  # seconds to wait for an answer
CHUNK = 1 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class Published:
    """A weights file: its folder on SITE, its name, and its md5 or sha256 ("" if Keras publishes none)."""

    folder: str
    file: str
    digest: str


_APPS = "tensorflow/keras-applications/"
_TF = "_weights_tf_dim_ordering_tf_kernels"

# The same as in keras.applications (a test compares them): the files without the layer of 1000 classes; vgg16-fc with.
FILES = {
    "vgg16": Published(f"{_APPS}vgg16/", f"vgg16{_TF}_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
    "vgg16-fc": Published(f"{_APPS}vgg16/", f"vgg16{_TF}.h5", "64373286793e3c8b2b4e3219cbf3544b"),
    "vgg19": Published(f"{_APPS}vgg19/", f"vgg19{_TF}_notop.h5", "253f8cb515780f3b799900260a226db6"),
    "resnet50": Published(f"{_APPS}resnet/", f"resnet50{_TF}_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": Published(f"{_APPS}resnet/", f"resnet101{_TF}_notop.h5", "88cf7a10940856eca736dc7b7e228a21"),
    "inception-v3": Published(
        f"{_APPS}inception_v3/", f"inception_v3{_TF}_notop.h5", "bcbd6486424b2319ff4ef7d526e38f63"
    ),
    "inception-resnet-v2": Published(
        f"{_APPS}inception_resnet_v2/", f"inception_resnet_v2{_TF}_notop.h5", "d19885ff4a710c122648d3b5c3b684e4"
    ),
    "densenet121": Published(f"{_APPS}densenet/", f"densenet121{_TF}_notop.h5", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": Published(f"{_APPS}densenet/", f"densenet169{_TF}_notop.h5", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201": Published(f"{_APPS}densenet/", f"densenet201{_TF}_notop.h5", "c13680b51ded0fb44dff2d8f86ac8bb1"),
    # trained at 224 pixels; Keras has further files for 96, 128, 160 and 192
    "mobilenet-v2": Published(f"{_APPS}mobilenet_v2/", f"mobilenet_v2{_TF}_1.0_224_no_top.h5", ""),
    "mobilenet-v3-small": Published(
        f"{_APPS}mobilenet_v3/",
        "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "mobilenet-v3-large": Published(
        f"{_APPS}mobilenet_v3/",
        "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "efficientnet-b0": Published("keras-applications/", "efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    "efficientnet-b1": Published("keras-applications/", "efficientnetb1_notop.h5", "74c4e6b3e1f6a1eea24c589628592432"),
    "efficientnet-b2": Published("keras-applications/", "efficientnetb2_notop.h5", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "efficientnet-b3": Published("keras-applications/", "efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226"),
    "efficientnetv2-b0": Published(
        f"{_APPS}efficientnet_v2/", "efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
    ),
    "efficientnetv2-b1": Published(
        f"{_APPS}efficientnet_v2/", "efficientnetv2-b1_notop.h5", "0e80663031ca32d657f9caa404b6ec37"
    ),
    "efficientnetv2-b2": Published(
        f"{_APPS}efficientnet_v2/", "efficientnetv2-b2_notop.h5", "1dfe2e7a5d45b6632553a8961ea609eb"
    ),
    "efficientnetv2-b3": Published(
        f"{_APPS}efficientnet_v2/", "efficientnetv2-b3_notop.h5", "f6abf7b5849ac99a89b50dd3fd532856"
    ),
    "efficientnetv2-s": Published(
        f"{_APPS}efficientnet_v2/", "efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"
    ),
    "convnext-tiny": Published(
        f"{_APPS}convnext/",
        "convnext_tiny_notop.h5",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "convnext-base": Published(
        f"{_APPS}convnext/",
        "convnext_base_notop.h5",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
}


def cache_folder() -> pathlib.Path:
    """Return the folder in which Keras keeps these files: $KERAS_HOME/models, else ~/.keras/models."""
    return pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


def fetch(name: str) -> pathlib.Path:
    """Return the ImageNet weights file of a trunk, downloaded into the cache folder unless it is there.

    Raises:
        InputError: there is no connection, the download is incomplete or has a wrong digest, or a file in the folder
            is not the one that Keras publishes (it is not touched).
    """
    published = FILES[name]
    path = cache_folder() / published.file
    if not path.is_file():
        _download(published, path)
    elif published.digest:
        with open(path, "rb") as file:
            if _digest(published, iter(lambda: file.read(CHUNK), b"")) != published.digest:
                raise InputError(
                    f"{path}: is not the file that Keras publishes; remove it, or give it with --weights PATH"
                )
    return path


def _download(published, path):
    """Download a file completely or not at all; `keras.utils.get_file` would leave or delete what was there."""
    url = f"{SITE}{published.folder}{published.file}"
    logger.info("downloading %s", url)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response, whole(path, "wb") as file:
            digest = _digest(published, _copied(response, file))
            missing = int(response.headers.get("Content-Length", file.tell())) - file.tell()
            if missing:
                raise ConnectionError(f"cut short, {missing:,} bytes are missing")
            if published.digest and digest != published.digest:
                raise ConnectionError("the server sent another file")
    except (OSError, http.client.HTTPException, InputError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"weights: {published.file} could not be downloaded ({reason}); "
            f"put it into {path.parent}, or use --weights PATH|none"
        ) from error


def _copied(response, file):
    while chunk := response.read(CHUNK):
        file.write(chunk)
        yield chunk


def _digest(published, chunks) -> str:
    """Return the digest of the chunks, by sha256 or md5, whichever has the length of the published digest."""
    sha256 = len(published.digest) == 64
    digest = hashlib.sha256() if sha256 else hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
