import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from _awake import awake

from kfg.errors import InputError
from kfg.exporting import saved_model
from kfg.layers.diversification import Diversification
from kfg.models import backbones, fbsd
from kfg.models.catalogue import macs, shapes_only
from kfg.training import checkpoint, fit, optimizers, precision

SIDE = 128
HEAD = {"num_classes": 3, "width": 8}
OPTIONS = {**HEAD, "image_size": (SIDE, SIDE), "weights": "none"}
LABELS = np.array([0, 2], np.int32)


@pytest.fixture(scope="module")
def photographs():
    return np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)


def tiny(*, seed=0, **changes):
    """Build FBSD on a trunk of five convolutions, which compiles in a second."""
    keras.utils.set_random_seed(seed)
    net = extended(tiny_trunk(), **changes)
    fit.compile_classifier(net, optimizer=keras.optimizers.SGD(0.01))
    return net


def tiny_trunk():
    images = keras.Input((SIDE, SIDE, 3), name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    for i in range(1, 6):
        x = keras.layers.Conv2D(4 + 2 * i, 3, strides=2, padding="same", name=f"conv{i}")(x)
        x = keras.layers.BatchNormalization(name=f"bn{i}")(x)
        x = keras.layers.ReLU(name=f"relu{i}")(x)
    return keras.Model(images, x, name="tiny")


def extended(trunk, **changes):
    return fbsd.extend(trunk, ("relu3", "relu4", "relu5"), **{**HEAD, **changes})


@pytest.fixture(scope="module")
def model():
    return tiny(dropout=0.2)


def parameters(model, *, of):
    return sum(math.prod(v.shape) for v in model.trainable_variables if of(v.path.split("/")[0]))


@pytest.mark.parametrize(
    ("classes", "heads", "new"),
    [
        (100, 3_369_360, 19_372_953),
        (120, 3_410_400, 19_413_993),
        (196, 3_566_352, 19_569_945),
        (200, 3_574_560, 19_578_153),
    ],
)
def test_counts_are_those_of_the_paper(classes, heads, new):
    build = lambda: fbsd.classifier("resnet50", num_classes=classes, image_size=(448, 448), weights="none")  # noqa: E731
    net = shapes_only(build)
    blocks = tuple(f"head_stage{i}_{part}" for i in (3, 4, 5) for part in ("conv1", "bn1", "conv2", "bn2"))
    assert parameters(net, of=lambda name: name.endswith("_strips")) == 3_593
    assert parameters(net, of=lambda name: name in blocks) == 16_000_000
    assert parameters(net, of=lambda name: name.startswith("head_")) == new == 3_593 + 16_000_000 + heads
    # torch's trunk has no biases in its convolutions
    trunk = parameters(net, of=lambda name: not name.startswith("head_")) - sum(
        math.prod(layer.bias.shape)
        for layer in net.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.use_bias and not layer.name.startswith("head_")
    )
    assert trunk + new == {100: 42_880_985, 120: 42_922_025, 196: 43_077_977, 200: 43_086_185}[classes]


def test_stages_at_448_pixels():
    build = lambda: fbsd.classifier("resnet50", num_classes=200, image_size=(448, 448), weights="none")  # noqa: E731
    net = shapes_only(build)
    shapes = [net.get_layer(f"head_{stage}_strips").output for stage in fbsd.STAGES]
    assert [(y[0].shape[1:], y[2].shape[1]) for y in shapes] == [
        ((56, 56, 512), 8),
        ((28, 28, 1024), 4),
        ((14, 14, 2048), 2),
    ]
    assert [net.get_layer(f"head_{stage}_relu2").output.shape[1:] for stage in fbsd.STAGES] == [
        (56, 56, 1024),
        (28, 28, 1024),
        (14, 14, 1024),
    ]
    # Keras's trunk has its strides in the first 1 x 1 convolution: 15.4, not torch's 16.4
    assert round(macs(net) / 1e9, 1) == 36.3


@pytest.mark.parametrize("name", ["resnet50", "efficientnet-lite0", "efficientnet-b0"])
def test_with_nothing_boosted_suppressed_or_exchanged_the_trunk_is_the_plain_one(name, photographs):
    keras.utils.set_random_seed(0)
    trunk = backbones.trunk(name, image_size=(SIDE, SIDE), weights="none")
    for layer in trunk.layers:  # not the initial moving statistics
        if isinstance(layer, keras.layers.BatchNormalization):
            rng = np.random.default_rng(1)
            layer.set_weights([w + rng.uniform(0, 0.2, w.shape) for w in layer.get_weights()])
    taps = backbones.BACKBONES[name].taps
    plain = keras.Model(trunk.input, [trunk.get_layer(tap).output for tap in taps])(photographs)
    net = fbsd.extend(trunk, taps, alpha=0.0, beta=1.0, gamma=0.0, **HEAD)
    inside = keras.Model(net.input, [net.get_layer(tap).output for tap in taps])
    for a, b in zip(inside(photographs), plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    for stage in fbsd.STAGES:
        net.get_layer(f"head_{stage}_strips").beta = 0.0
    suppressed = inside(photographs)
    np.testing.assert_allclose(suppressed[0], plain[0], rtol=1e-5, atol=1e-5)  # nothing is hidden from the first stage
    for a, b in zip(suppressed[1:], plain[1:], strict=True):
        assert not np.allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("untraced")
def test_the_answer_is_the_softmax_of_the_summed_logits(model, photographs):
    outputs = model.training_graph()(photographs, training=False)
    total = sum(outputs[name].numpy() for name in (*fbsd.STAGES, "concat"))
    expected = np.exp(total) / np.exp(total).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(photographs), expected, rtol=1e-4)
    concat = model.branch("concat").predict_on_batch(photographs)
    assert concat.shape == (2, 3)
    np.testing.assert_allclose(concat, keras.ops.softmax(outputs["concat"]), rtol=1e-5)


def test_the_loss_is_two_two_two_one(model, photographs):
    outputs = model(photographs, training=True)
    losses = {
        name: float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS, outputs[name]))
        for name in (*fbsd.STAGES, "concat")
    }
    expected = 2 * (losses["stage3"] + losses["stage4"] + losses["stage5"]) + losses["concat"]
    assert float(model.compute_loss(y=LABELS, y_pred=outputs)) == pytest.approx(expected, rel=1e-5)


def test_every_part_learns_and_every_statistic_moves(photographs):
    net = tiny(strip_axis="width", pool="gmp", fdm_scale=1.0)
    with tf.GradientTape() as tape:
        loss = net.compute_loss(y=LABELS, y_pred=net(photographs, training=True))
    gradients = tape.gradient(loss, net.trainable_variables)
    still = [v.path for v, g in zip(net.trainable_variables, gradients, strict=True) if not np.any(g)]
    # normalisation takes a bias before it away; what is left of its gradient is rounding
    assert [path for path in still if "_strips/bias" not in path] == []
    moving = [v for v in net.non_trainable_variables if "/moving_" in v.path]
    assert len(moving) == 2 * (5 + 3 + 6 + 8)  # of the trunk, the strips, the blocks, the heads
    assert not [v.path for v in moving if np.all(v.numpy() == float("variance" in v.path))]


def test_lite0_is_extended_by_layers_that_take_the_heads_rate():
    net = shapes_only(lambda: fbsd.classifier("efficientnet-lite0", **OPTIONS))
    own = {v.path.split("/")[0] for v in net.trainable_variables if optimizers.is_head(v.path)}
    trunk = shapes_only(lambda: backbones.trunk("efficientnet-lite0", image_size=(SIDE, SIDE), weights="none"))
    with_weights = {layer.name for layer in net.layers if layer.trainable_weights}
    assert own == with_weights - {layer.name for layer in trunk.layers} and len(own) > 20


@pytest.mark.usefixtures("untraced")
def test_saved_loaded_and_exported_it_answers_the_same(photographs, tmp_path):
    model = awake(tiny(dropout=0.2))
    model.train_on_batch(photographs, LABELS)
    expected = model.predict_on_batch(photographs)
    assert expected.std(axis=0).max() > 1e-3  # else the comparison shows nothing
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict_on_batch(photographs), expected)
    assert saved_model.save(model, tmp_path / "export", classes=("a", "b", "c"), samples=photographs).largest < 1e-4


@pytest.mark.usefixtures("untraced")
def test_a_checkpoint_brings_everything_back(model, photographs, tmp_path):
    checkpoint.save(tmp_path / "last.npz", model, epoch=1)
    losses = [model.train_on_batch(photographs, LABELS) for _ in range(2)]
    checkpoint.restore(model, checkpoint.read(tmp_path / "last.npz"))
    assert [model.train_on_batch(photographs, LABELS) for _ in range(2)] == losses


@pytest.mark.usefixtures("untraced")
def test_half_precision_trains_and_its_weights_fit_the_float32_model(photographs):
    with precision.scope("bfloat16"):
        net = awake(tiny())
    assert np.isfinite(net.train_on_batch(photographs, LABELS)).all()
    found = {layer.name: layer.compute_dtype for layer in net.layers}
    assert (found["head_stage3_conv1"], found["head_diversification"], found["head_concat_logits"]) == (
        "bfloat16",
        "float32",
        "float32",
    )
    exact, expected = tiny(seed=1), net.predict_on_batch(photographs)
    assert np.abs(exact.predict_on_batch(photographs) - expected).max() > 0.1  # the contrary: other weights
    exact.set_weights(net.get_weights())
    np.testing.assert_allclose(exact.predict_on_batch(photographs), expected, atol=0.02)


@pytest.mark.usefixtures("untraced")
def test_strip_weights_are_shown(model, photographs):
    weights = fbsd.strip_weights(model).predict_on_batch(photographs)
    assert {stage: w.shape for stage, w in weights.items()} == {"stage3": (2, 8), "stage4": (2, 4), "stage5": (2, 2)}
    for w in weights.values():
        np.testing.assert_allclose(w.sum(axis=1), 1, rtol=1e-5)


def test_a_gradient_reaches_the_named_maps_for_grad_cam(model, photographs):
    maps = model.get_layer("relu5").output
    both = keras.Model(model.input, [maps, model.output])
    with tf.GradientTape() as tape:
        places, answer = both(photographs)
        score = answer[:, 0]
    assert float(tf.reduce_max(tf.abs(tape.gradient(score, places)))) > 0


def test_the_same_weights_come_with_every_option_of_the_modules():
    nets = [
        shapes_only(lambda changes=changes: extended(tiny_trunk(), **changes))
        for changes in (
            {},
            {"strip_axis": "width"},
            {"pool": "gmp"},
            {"gamma": 0.0},
            {"fdm_scale": 1.0},
            {"dropout": 0.2},
        )
    ]
    assert len({net.count_params() for net in nets}) == 1
    assert [net.get_layer("head_diversification").scale for net in nets[:2]] == [0.001, 0.001]
    assert isinstance(nets[4].get_layer("head_diversification"), Diversification)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": (224, 224)}, "image_size: a map with 28 cells in height cannot be split into 8 strips"),
        ({"image_size": (64, 64)}, "image_size: a map of 2 x 2 cells has no 5 largest values"),
    ],
)
def test_an_image_size_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        shapes_only(lambda: fbsd.classifier("efficientnet-lite0", **{**OPTIONS, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 7}, "head_width: must be an even number of at least 2, got 7"),
        ({"pool": "avg"}, "pool: 'avg' is not one of"),
        ({"num_classes": 1}, "classes: must be at least 2"),
        ({"strip_axis": "rows"}, "strip_axis: 'rows' is not one of"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        shapes_only(lambda: extended(tiny_trunk(), **changes))


def test_a_trunk_without_the_taps_is_refused():
    with pytest.raises(InputError, match="taps: expected 3 layers of tiny, which has no conv9"):
        fbsd.extend(tiny_trunk(), ("relu3", "conv9", "relu5"), num_classes=3)
    with pytest.raises(InputError, match="taps: expected 3 layers of tiny"):
        fbsd.extend(tiny_trunk(), ("relu3", "relu5"), num_classes=3)
