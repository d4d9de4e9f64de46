import keras
import numpy as np
import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.models.branched import Branch, BranchedClassifier
from kfg.training import fit
from kfg.training.losses import CrossEntropy

CLASSES, SIDE, COUNT = 3, 8, 12
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)
LABELS = (np.arange(COUNT) % CLASSES).astype(np.int32)


def model(**changes):
    """Return a net of two branches, the second on two halves of the image."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    images = keras.Input((SIDE, SIDE, 3), name="images")
    body = [
        layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(),
        layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(CLASSES, name="head", dtype="float32"),
    ]  # fmt: skip

    def run(x):
        for layer in body:
            x = layer(x)
        return x

    whole = run(images)
    halves = run(layers.Reshape((SIDE, SIDE, 3))(Doubled()(images)))
    branches = {"whole": Branch(2.0), "halves": Branch(0.5, first_epoch=1, repeats=2), **changes}
    answer = layers.Softmax(name="probabilities")(whole)
    return BranchedClassifier(images, answer, logits={"whole": whole, "halves": halves}, branches=branches, name="two")


@keras.saving.register_keras_serializable(package="kfg-test")
class Doubled(keras.layers.Layer):
    """Give each image twice, the second time upside down."""

    def call(self, x):
        return keras.ops.reshape(keras.ops.stack([x, x[:, ::-1]], axis=1), (-1, *x.shape[1:]))

    def compute_output_shape(self, input_shape):
        return input_shape


def batches(first_epoch=0, epochs=9):
    def epoch(number):
        order = np.random.default_rng(int(number)).permutation(COUNT)
        return IMAGES[order].astype("float32"), LABELS[order]

    def ordered(number):
        images, labels = tf.numpy_function(epoch, [number], [tf.float32, tf.int32])
        return tf.ensure_shape(images, (COUNT, SIDE, SIDE, 3)), tf.ensure_shape(labels, (COUNT,))

    return tf.data.Dataset.range(first_epoch, epochs).map(ordered).unbatch().batch(4)


def train(workdir, epochs, **options):
    net = model()
    fit.compile_classifier(
        net, optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss=CrossEntropy(label_smoothing=0.1)
    )
    rows = fit.train(
        net, batches, batches(0, 1), workdir=workdir, epochs=epochs, steps_per_epoch=3, verbose=0, **options
    )
    return net, rows


def test_predicting_it_answers_and_training_it_gives_all_branches():
    net = model()
    assert net(IMAGES).shape == (COUNT, CLASSES)
    outputs = net(IMAGES, training=True)
    assert {name: tuple(y.shape) for name, y in outputs.items()} == {
        "whole": (COUNT, CLASSES),
        "halves": (2 * COUNT, CLASSES),
        "probabilities": (COUNT, CLASSES),
    }
    assert net.output_shape == (None, CLASSES)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_the_weighted_sum_of_the_branches_losses(soft, weighted):
    net, loss = model(), CrossEntropy(label_smoothing=0.1)
    fit.compile_classifier(net, optimizer=keras.optimizers.SGD(0.1), loss=loss)
    labels = np.eye(CLASSES, dtype="float32")[LABELS] if soft else LABELS
    weights = np.linspace(0, 1, COUNT, dtype="float32") if weighted else None
    logits = {"whole": RNG.normal(size=(COUNT, CLASSES)), "halves": RNG.normal(size=(2 * COUNT, CLASSES))}
    logits = {name: keras.ops.convert_to_tensor(value, "float32") for name, value in logits.items()}
    found = net.compute_loss(y=labels, y_pred={**logits, "probabilities": None}, sample_weight=weights)
    p = {name: keras.ops.softmax(value) for name, value in logits.items()}
    twice = None if weights is None else np.repeat(weights, 2)
    expected = 2 * loss(labels, p["whole"], weights) + 0.5 * loss(np.repeat(labels, 2, axis=0), p["halves"], twice)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_a_loss_given_by_its_name_is_refused_in_one_line():
    net = model()
    net.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    with pytest.raises(InputError, match=r"loss: give an object, .* not 'sparse_categorical_crossentropy'"):
        net.train_on_batch(IMAGES, LABELS)


def test_losses_of_layers_are_added():
    net = model()
    net.get_layer("head").kernel.regularizer = keras.regularizers.L2(0.1)
    fit.compile_classifier(net, optimizer=keras.optimizers.SGD(0.1))
    outputs = net(IMAGES, training=True)
    with_penalty = net.compute_loss(y=LABELS, y_pred=outputs)
    net.get_layer("head").kernel.regularizer = None
    penalty = 0.1 * (net.get_layer("head").kernel.numpy() ** 2).sum()
    assert float(with_penalty - net.compute_loss(y=LABELS, y_pred=outputs)) == pytest.approx(penalty, rel=1e-4)


@pytest.mark.usefixtures("untraced")
def test_a_branch_counts_from_its_first_epoch_on(tmp_path):
    """Before that epoch the run is the run without the branch's loss, and its moving statistics still see it."""
    late, absent = model(), model(halves=Branch(0.0, repeats=2))
    for net in (late, absent):
        fit.compile_classifier(net, optimizer=keras.optimizers.SGD(0.1))
        net.fit(batches(), epochs=1, shuffle=False, steps_per_epoch=3, verbose=0)
    for a, b in zip(late.get_weights(), absent.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for net in (late, absent):
        net.fit(batches(1), initial_epoch=1, epochs=2, shuffle=False, steps_per_epoch=3, verbose=0)
    assert np.abs(late.get_layer("head").get_weights()[0] - absent.get_layer("head").get_weights()[0]).max() > 1e-4


def test_a_resumed_run_is_the_same_run_to_the_last_bit(tmp_path):
    whole, rows = train(tmp_path / "whole", 3)
    train(tmp_path / "parts", 1)
    resumed, again = train(tmp_path / "parts", 3, resume=True)
    for a, b in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert [row["loss"] for row in again] == [row["loss"] for row in rows]


@pytest.mark.usefixtures("untraced")
def test_each_branchs_own_loss_is_in_the_history_of_training_alone():
    net = model()
    fit.compile_classifier(net, optimizer=keras.optimizers.SGD(learning_rate=0.0))
    images, labels = IMAGES.astype("float32"), LABELS
    found = net.fit(images, labels, batch_size=4, epochs=2, validation_data=(images, labels), verbose=0).history
    own = {"whole": "whole_loss", "halves": "halves_loss"}
    assert set(found) == {"loss", "accuracy", "val_loss", "val_accuracy", *own.values()}
    for epoch, joint in enumerate((0, 0.5)):  # the halves count from the second epoch on, and are known before
        parts = [found[own[name]][epoch] for name in ("whole", "halves")]
        assert min(parts) > 0
        np.testing.assert_allclose(found["loss"][epoch], 2 * parts[0] + joint * parts[1], rtol=1e-5)


@pytest.mark.usefixtures("untraced")
def test_training_learns_and_validation_reads_the_answer(tmp_path):
    begun = model().get_layer("head").kernel.numpy()
    net, rows = train(tmp_path, 2)
    assert np.abs(net.get_layer("head").kernel.numpy() - begun).max() > 1e-2
    answers = net.predict(IMAGES, verbose=0)
    assert rows[-1]["val_accuracy"] == pytest.approx((answers.argmax(axis=1) == LABELS).mean())
    assert rows[-1]["val_loss"] == pytest.approx(float(CrossEntropy(label_smoothing=0.1)(LABELS, answers)), rel=1e-4)
    assert rows[-1]["loss"] > 2 * rows[-1]["val_loss"]  # 2.5 losses and dropout


@pytest.mark.usefixtures("untraced")
def test_saved_and_loaded_it_answers_and_trains_the_same(tmp_path):
    net, _ = train(tmp_path / "run", 2)
    net.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(IMAGES), net(IMAGES))
    assert loaded.get_config()["branches"] == net.get_config()["branches"]
    assert [w.path for w in loaded.weights] == [w.path for w in net.weights]
    for a, b in zip(loaded.variables, net.variables, strict=True):  # a .keras file has no states of dropout
        a.assign(b)
    assert loaded.train_on_batch(IMAGES, LABELS) == net.train_on_batch(IMAGES, LABELS)
    for a, b in zip(loaded.get_weights(), net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_branch_can_answer_alone():
    net = model()
    one = net.branch("whole")
    np.testing.assert_allclose(one(IMAGES), net(IMAGES), rtol=1e-6)
    assert net.branch("halves")(IMAGES).shape == (2 * COUNT, CLASSES)
    with pytest.raises(InputError, match="branch: 'thirds' is not one of whole, halves"):
        net.branch("thirds")


def test_wrong_branches_are_refused():
    with pytest.raises(InputError, match="branches: weight and epoch must be at least 0"):
        model(whole=Branch(-1.0))
    with pytest.raises(InputError, match="branches: expected one for each of the logits"):
        model(more=Branch())
    images = keras.Input((4,))
    answer = keras.layers.Softmax()(keras.layers.Dense(2)(images))
    with pytest.raises(InputError, match="branches: one of them has variables that are not in the graph of the answer"):
        BranchedClassifier(images, answer, logits={"a": keras.layers.Dense(2)(images)}, branches={"a": Branch()})
