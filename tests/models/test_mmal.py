import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from _awake import awake

from kfg.errors import InputError
from kfg.exporting import saved_model
from kfg.layers.part_boxes import boxes
from kfg.models import backbones, mmal
from kfg.models.catalogue import shapes_only
from kfg.training import checkpoint, fit, precision

SIDE = 128
OPTIONS = {"num_classes": 3, "image_size": (SIDE, SIDE), "weights": "none"}
LABELS = np.array([0, 2], np.int32)
LAST, EARLIER = "relu5", "relu4"  # taps of the small trunk


@pytest.fixture(scope="module")
def photographs():
    return np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)


def trunk(seed=0):
    """Build a trunk of five convolutions, which compiles in a second."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((SIDE, SIDE, 3), name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    for i, stride in enumerate((4, 2, 2, 2, 1), start=1):
        x = keras.layers.Conv2D(4 + 2 * i, 5, strides=stride, padding="same", name=f"conv{i}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"bn{i}")(x)
        x = keras.layers.ReLU(name=f"relu{i}")(x)
    return keras.Model(images, x, name="tiny")


def built(*, seed=0, **changes):
    net = mmal.extend(trunk(seed), (LAST, EARLIER), **{"num_classes": 3, **changes})
    fit.compile_classifier(net, optimizer=keras.optimizers.SGD(0.1))
    return net


@pytest.fixture(scope="module")
def model():
    return built()


@pytest.mark.parametrize(("name", "groups"), [("cub", (361, 241, 315)), ("cars-aircraft", (241, 235, 115))])
def test_window_counts_are_the_papers(name, groups):
    counts = tuple(
        sum(len(boxes(size, cells=(14, 14), stride=32)) for size in sizes) for sizes, _ in mmal.WINDOWS[name]
    )
    assert counts == groups
    assert sum(counts) == {"cub": 917, "cars-aircraft": 591}[name]
    assert [parts for _, parts in mmal.WINDOWS[name]] == {"cub": [2, 3, 2], "cars-aircraft": [3, 2, 1]}[name]


@pytest.mark.parametrize(("classes", "expected"), [(200, 23_917_832), (100, 23_712_932)])
def test_parameters_are_those_of_one_trunk_and_one_classifier(classes, expected):
    net = shapes_only(lambda: mmal.classifier("resnet50", num_classes=classes, image_size=(448, 448), weights="none"))
    # torch's trunk has no biases in its convolutions, and does not count moving statistics
    biases = sum(math.prod(layer.bias.shape) for layer in net.layers if isinstance(layer, keras.layers.Conv2D))
    assert sum(math.prod(v.shape) for v in net.trainable_variables) - biases == expected
    graph = net.training_graph()
    assert {id(v) for v in graph.variables} == {id(v) for v in net.variables}
    assert graph.get_layer("parts").output.shape[1:] == (224, 224, 3)
    assert graph.get_layer("part_boxes").output.shape[1:] == (7, 4)
    assert net.get_layer("object").output.shape[1:] == (448, 448, 3)


@pytest.mark.parametrize("name", mmal.TAPS)
def test_the_taps_of_every_trunk_have_a_32nd_of_the_size(name):
    net = shapes_only(lambda: mmal.classifier(name, **OPTIONS))
    assert net.get_layer("object_map").output.shape[1:3] == (SIDE // 32, SIDE // 32)


def test_windows_scale_with_the_map():
    for name, groups in mmal.WINDOWS.items():
        assert mmal.scaled(groups, cells=(14, 14)) == groups
        for side in (2, 4, 7, 8, 12, 20):
            small = mmal.scaled(groups, cells=(side, side))
            assert [parts for _, parts in small] == [parts for _, parts in groups], name
            for sizes, _ in small:
                assert len(set(sizes)) == len(sizes)
                assert all(1 <= length <= side for size in sizes for length in size)
    assert mmal.scaled(((((4, 8),), 1),), cells=(7, 14)) == ((((2, 8),), 1),)


def test_predictions_are_the_objects_and_do_not_compute_parts(model, photographs):
    outputs = model.training_graph()(photographs, training=False)
    assert outputs["parts"].shape == (2 * 7, 3)
    np.testing.assert_allclose(model(photographs), keras.ops.softmax(outputs["object"]), rtol=1e-5)
    assert not {"parts", "part_boxes"} & {layer.name for layer in model.layers}
    raw = model.branch("raw")
    assert not {"object", "object_box"} & {layer.name for layer in raw.layers}
    np.testing.assert_allclose(raw(photographs), keras.ops.softmax(outputs["raw"]), rtol=1e-5)


def test_branches_are_the_trunk_on_crops(model, photographs):
    """Crop image and object by the boxes, outside the model, and ask the raw branch about the crops."""
    raw = model.branch("raw")
    found, outputs = mmal.located(model)(photographs), model.training_graph()(photographs, training=False)
    size = np.float32([SIDE - 1] * 4)
    objects = tf.image.crop_and_resize(photographs, found["object"] / size, [0, 1], (SIDE, SIDE))
    np.testing.assert_allclose(raw(objects), keras.ops.softmax(outputs["object"]), atol=1e-4)
    parts = tf.image.crop_and_resize(
        objects, tf.reshape(found["parts"], (-1, 4)) / size, np.repeat([0, 1], 7), (SIDE // 2, SIDE // 2)
    )
    maps = keras.Model(raw.input, raw.get_layer(LAST).output).call(parts)  # `call` takes another size
    kernel, bias = model.get_layer("head").get_weights()
    np.testing.assert_allclose(maps.numpy().mean(axis=(1, 2)) @ kernel + bias, outputs["parts"], rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("untraced")
def test_a_batch_answers_as_its_images_alone(model, photographs):
    together = model.predict_on_batch(photographs)
    alone = [model.predict_on_batch(photographs[i : i + 1])[0] for i in range(2)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.usefixtures("untraced")
def test_the_loss_is_the_raw_images_first_and_the_sum_of_three_later(photographs):
    """The first epoch of a net whose other branches begin late is that of the raw branch alone."""
    net = built(dropout=0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    outputs = net(photographs, training=True)
    labels = {"raw": LABELS, "object": LABELS, "parts": np.repeat(LABELS, 7)}
    losses = {name: float(loss(labels[name], outputs[name])) for name in labels}
    epoch = net._training.epoch
    assert epoch.numpy() == 1  # without `fit` all count
    assert float(net.compute_loss(y=LABELS, y_pred=outputs)) == pytest.approx(sum(losses.values()), rel=1e-5)
    epoch.assign(0)
    assert float(net.compute_loss(y=LABELS, y_pred=outputs)) == pytest.approx(losses["raw"], rel=1e-5)
    data = tf.data.Dataset.from_tensors((photographs, LABELS)).repeat()
    history = net.fit(data, epochs=3, steps_per_epoch=1, shuffle=False, verbose=0)
    assert history.history["loss"][1] > 2 * history.history["loss"][0]
    assert epoch.numpy() == 2


def test_moving_statistics_get_three_updates_a_step(photographs):
    """Their change is that of three batches in turn: raw images, objects, parts."""
    net = built(dropout=0.0)
    raw = net.branch("raw")
    found = {name: net.training_graph().get_layer(name).output for name in ("object", "parts")}
    crops = keras.Model(net.input, found)
    before_first_norm = keras.Model(raw.input, raw.get_layer("conv1").output)
    expected = np.zeros(6)
    # the boxes come from maps normalised by the batch, so they are read in training mode
    crops_in_training = crops(photographs, training=True)
    net.get_layer("bn1").moving_mean.assign(expected)
    for images in (photographs.astype("float32"), crops_in_training["object"], crops_in_training["parts"]):
        expected = 0.9 * expected + 0.1 * before_first_norm.call(images).numpy().mean(axis=(0, 1, 2))
    net(photographs, training=True)
    np.testing.assert_allclose(net.get_layer("bn1").moving_mean.numpy(), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("untraced")
def test_crops_carry_no_gradient_but_every_weight_learns(photographs):
    net = built(dropout=0.0)
    images = tf.constant(photographs, tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        outputs = net(images, training=True)
        sums = {name: tf.reduce_sum(y[:, 0]) for name, y in outputs.items()}
    for name in ("raw", "object", "parts"):
        gradients = tape.gradient(sums[name], net.trainable_variables)
        assert all(g is not None for g in gradients), name
    before = net.get_weights()
    net.train_on_batch(photographs, LABELS)
    still = [w.path for w, old in zip(net.weights, before, strict=True) if np.array_equal(w.numpy(), old)]
    assert [path for path in still if not path.startswith("conv") or "kernel" in path] == []


@pytest.mark.usefixtures("untraced")
def test_saved_loaded_and_exported_it_answers_the_same(photographs, tmp_path):
    net = awake(built(windows="cars-aircraft"))
    net.train_on_batch(photographs, LABELS)
    expected = net.predict_on_batch(photographs)
    assert expected.std(axis=0).max() > 1e-3  # else the comparison shows nothing
    net.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict_on_batch(photographs), expected)
    for a, b in zip(*(mmal.located(m)(photographs).values() for m in (loaded, net)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert mmal.located(loaded).output["parts"].shape == (None, 6, 4)
    assert loaded.get_layer("features").output.shape == (None, 14)
    assert saved_model.save(net, tmp_path / "export", classes=("a", "b", "c"), samples=photographs).largest < 1e-4


@pytest.mark.usefixtures("untraced")
def test_a_checkpoint_brings_everything_back(model, photographs, tmp_path):
    checkpoint.save(tmp_path / "last.npz", model, epoch=1)
    losses = [model.train_on_batch(photographs, LABELS) for _ in range(2)]
    checkpoint.restore(model, checkpoint.read(tmp_path / "last.npz"))
    assert [model.train_on_batch(photographs, LABELS) for _ in range(2)] == losses


@pytest.mark.usefixtures("untraced")
def test_half_precision_trains_on_crops_of_full_precision(photographs):
    with precision.scope("bfloat16"):
        net = awake(built())
    assert np.isfinite(net.train_on_batch(photographs, LABELS)).all()
    assert net.get_layer("conv1").compute_dtype == "bfloat16"
    assert net.get_layer("object").output.dtype == "float32"
    exact = built(seed=1)
    # of the raw image: rounding may move the object's box by a cell
    expected, raw = net.branch("raw").predict_on_batch(photographs), exact.branch("raw")
    assert np.abs(raw.predict_on_batch(photographs) - expected).max() > 0.1  # the contrary: other weights
    exact.set_weights(net.get_weights())
    np.testing.assert_allclose(raw.predict_on_batch(photographs), expected, atol=0.02)
    assert np.isfinite(exact.predict_on_batch(photographs)).all()


def test_a_gradient_reaches_the_objects_map_for_grad_cam(model, photographs):
    both = keras.Model(model.input, [model.get_layer("object_map").output, model.output])
    with tf.GradientTape() as tape:
        places, answer = both(photographs)
        score = answer[:, 0]
    assert float(tf.reduce_max(tf.abs(tape.gradient(score, places)))) > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": (224, 224)}, "image_size: both sides must be multiples of 64, .* got 224 x 224"),
        ({"num_classes": 1}, "classes: must be at least 2"),
        ({"windows": "dogs"}, "windows: 'dogs' is not one of cub, cars-aircraft"),
        ({"taps": ("top_activation", "conv9")}, "taps: expected two layers of efficientnet-lite0, which has no conv9"),
        (
            {"taps": ("top_activation", "block5c_add")},
            "taps: expected maps of .4, 4. cells .* block5c_add .* has .8, 8.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        mmal.classifier("efficientnet-lite0", **{**OPTIONS, **changes})


def test_trunks_without_known_taps_and_unknown_trunks_are_refused():
    with pytest.raises(InputError, match=r"taps: are known only for resnet50, .* for densenet121 name two layers"):
        mmal.classifier("densenet121", **OPTIONS)
    with pytest.raises(InputError, match="backbone: 'resnet36' is not one of"):
        mmal.classifier("resnet36", **OPTIONS)
    assert "densenet121" in backbones.BACKBONES
