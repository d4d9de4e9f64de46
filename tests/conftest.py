"""What tests of several packages share."""

import gc
import pathlib

import numpy as np
import pytest
from bare import bare_runs, undrawn_pictures, untraced_models
from PIL import Image

import kfg  # noqa: F401 - before TensorFlow, whose kernels it chooses

COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (210, 50, 40)}

# Files that take minutes, the longest first. What is begun last should be short: of two processes, one would else
# wait for the other's last file.
LONGEST = (
    "test_folder_recipe.py",
    "test_replicas.py",
    "test_notebooks.py",
    "test_distributed.py",
    "test_imagenet20.py",
    "test_chaos.py",
    "test_shared_trainings.py",
    "test_fbsd.py",
    "test_backbones.py",
    "test_whole.py",
    "test_fit.py",
    "test_recipes.py",
    "test_saved_model.py",
    "test_formats_export.py",
    "test_competition100.py",
    "test_resume.py",
    "test_run_folder.py",
    "test_program.py",
    "test_unfinished.py",
    "test_weights.py",
    "test_face.py",
    "test_new_photographs.py",
    "test_review_page.py",
)


def pytest_configure():
    """Collect no garbage while TensorFlow and the tests are imported: it would take a sixth of that time."""
    gc.disable()


def pytest_collection_modifyitems(items):
    """Put the longest files first; the others, and the tests of a file, keep their order.

    What was imported until here stays until the end, and is not looked through by each collection.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real photographs beside the checkout; skip, saying so, where it is absent."""
    folder = pathlib.Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real photographs at {folder}")
    return folder


@pytest.fixture(scope="session")
def attentive_net():
    """Return the function "fbsd", "mmal" or "plain" -> net of three classes at 128 px on six convolutions."""
    import keras

    from kfg.models import fbsd, heads, mmal

    def build(name, **options):
        keras.utils.set_random_seed(1)
        images = keras.Input((128, 128, 3), name="images")
        x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
        for i in range(1, 6):
            x = keras.layers.Conv2D(4 + 2 * i, 3, strides=2, padding="same", name=f"conv{i}")(x)
            x = keras.layers.ReLU(name=f"relu{i}")(x)
        x = keras.layers.Conv2D(14, 3, padding="same", activation="relu", name="relu6")(x)
        trunk = keras.Model(images, x, name="tiny")
        if name == "fbsd":
            return fbsd.extend(trunk, ("relu3", "relu4", "relu5"), num_classes=3, width=8, **options)
        if name == "mmal":
            return mmal.extend(trunk, ("relu6", "relu5"), num_classes=3, **options)
        pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D(name="coarse")(x))
        return keras.Model(images, keras.layers.Softmax()(heads.linear()(pooled, 3)), name="tiny")

    return build


def small_net(image_size):
    """Return a net of six convolutions, of the shape of a trunk: what runs through it takes no time."""
    import keras
    from keras import layers

    x = images = keras.Input((*image_size, 3), name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(x)
    for i, stride in enumerate((2, 2, 2, 2, 2, 1), start=1):
        x = layers.Conv2D(8, 3, strides=stride, padding="same", use_bias=False, name=f"block{i}_conv")(x)
        x = layers.BatchNormalization(name=f"block{i}_bn")(x)
        x = layers.ReLU(name=f"block{i}_relu")(x)
    return keras.Model(images, x)


@pytest.fixture(scope="module")
def tiny_trunk():
    """Let recipes know a trunk called "tiny"."""
    from kfg.models import backbones, mmal

    ends = tuple(f"block{i}_relu" for i in (1, 2, 3, 4, 6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(backbones.BACKBONES, "tiny", backbones.Backbone(small_net, 64, 32, ends))
        patch.setitem(mmal.TAPS, "tiny", ("block6_relu", "block5_relu"))
        yield "tiny"


def write_photos(root: pathlib.Path, per_class=12) -> pathlib.Path:
    """Write small noisy JPEGs, one colour per class."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            noise = rng.normal(0, 40, (50, 40, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:03d}.jpg")
    return root


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def without_export():
    """Spare what takes most of a small run's time where a test looks at what was decided, trained or reported."""
    with bare_runs():
        yield


@pytest.fixture
def undrawn():
    """Draw no pictures for reports; models are traced and exported."""
    with undrawn_pictures():
        yield


@pytest.fixture
def untraced():
    """Let Keras compute step by step what it else traces first: of a small net the tracing takes most of the time."""
    with untraced_models():
        yield
