"""Losses worked in NumPy, and what they are for: gradients where Keras's clip has none."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, special

from kfg.errors import InputError
from kfg.training import fit, losses

LABELS = np.array([0, 2, 1, 0], np.int32)
P = np.random.default_rng(0).dirichlet(np.ones(3), 4).astype("float32")
COUNTS = [60, 30, 10]


def value(loss, labels=LABELS, p=P):
    return float(loss(labels, p))


def test_plain_it_is_keras_on_int_and_on_soft_labels():
    assert value(losses.CrossEntropy()) == pytest.approx(value(keras.losses.SparseCategoricalCrossentropy()), rel=1e-6)
    soft = np.random.default_rng(1).dirichlet(np.ones(3), 4).astype("float32")
    assert value(losses.CrossEntropy(), soft) == pytest.approx(
        value(keras.losses.CategoricalCrossentropy(), soft), rel=1e-6
    )


def test_smoothing_is_keras_s():
    theirs = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    assert value(losses.CrossEntropy(label_smoothing=0.1)) == pytest.approx(value(theirs, np.eye(3)[LABELS]), rel=1e-6)


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_adjusted_it_is_the_cross_entropy_of_the_shifted_logits(tau):
    logits = np.random.default_rng(2).normal(size=(4, 3)) * 3
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    shifted = logits + tau * np.log(np.array(COUNTS) / 100)
    expected = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(4), LABELS]
    found = losses.CrossEntropy(log_prior=losses.log_prior(COUNTS), tau=tau)
    assert value(found, p=p.astype("float32")) == pytest.approx(expected.mean(), rel=1e-5)
    assert value(found, p=p.astype("float32")) != pytest.approx(value(losses.CrossEntropy(), p=p.astype("float32")))


def test_weights_multiply_each_image_by_its_class_and_share_out_over_soft_labels():
    weights = np.array([0.5, 1.0, 1.5])
    nll = -np.log(P[np.arange(4), LABELS])
    assert value(losses.CrossEntropy(class_weights=weights)) == pytest.approx((weights[LABELS] * nll).mean(), rel=1e-6)
    mixed = 0.3 * np.eye(3)[LABELS] + 0.7 * np.eye(3)[LABELS[::-1]]
    expected = -(weights * mixed * np.log(P)).sum(axis=1).mean()
    assert value(losses.CrossEntropy(class_weights=weights), mixed) == pytest.approx(expected, rel=1e-6)


def perfect_answers(loss, num_classes, labels):
    """Return, for each label, the probabilities (C,) at which the loss is smallest: what a perfect fit answers."""

    @tf.function
    def value_and_slope(logits, label):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = loss(label[None], tf.nn.softmax(logits)[None])
        return found, tape.gradient(found, logits)

    def smallest(label):
        def asked(logits):
            found, slope = value_and_slope(tf.constant(logits), label)
            return float(found), slope.numpy()

        start, bounds = np.zeros(num_classes), [(-30, 30)] * num_classes
        return special.softmax(optimize.minimize(asked, start, jac=True, method="L-BFGS-B", bounds=bounds).x)

    return [smallest(tf.constant(label)) for label in labels]


def evenly_smoothed_answers(counts, label, *, share):
    """Return what a perfect fit answers where the labels are smoothed evenly before the prior enters: the old form."""
    target = share / len(counts) + (1 - share) * np.eye(len(counts))[label]
    return special.softmax(np.log(target) - losses.log_prior(counts))


@pytest.mark.parametrize("num_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("ratio", [10, 30, 100, 300])
def test_a_perfect_fit_names_the_right_class_however_lopsided_the_classes_are(num_classes, ratio):
    counts = np.round(np.geomspace(3 * ratio, 3, num_classes)).astype(int)
    treatments = {
        "adjusted": {"log_prior": losses.log_prior(counts)},
        "weighted": {"class_weights": losses.class_balanced_weights(counts, beta=0.999)},
    }
    for name, treatment in treatments.items():
        loss = losses.CrossEntropy(label_smoothing=0.1, dtype="float64", **treatment)
        labels = sorted({0, num_classes // 2, num_classes - 1})
        for label, answers in zip(labels, perfect_answers(loss, num_classes, labels), strict=True):
            assert answers.argmax() == label, (name, label)
            assert answers[label] > 1.5 * np.delete(answers, label).max(), (name, label)
    # the form this replaced names the rarest class instead, from the ratio on that the algebra says
    share, spread = 0.1, 0.1 / num_classes
    wrong = counts[0] / counts[-1] > (1 - share + spread) / spread
    assert (evenly_smoothed_answers(counts, 0, share=share).argmax() != 0) == wrong


def test_the_adjusted_loss_stays_fair_where_a_picture_tells_nothing():
    counts = [90, 10]
    loss = losses.CrossEntropy(label_smoothing=0.1, log_prior=losses.log_prior(counts))

    def risk(p):  # of images that all look alike, in the proportions of the classes
        return np.dot(
            [0.9, 0.1], [value(loss, np.array([label]), np.array([[p, 1 - p]], "float32")) for label in (0, 1)]
        )

    risks = {p: risk(p) for p in np.linspace(0.05, 0.95, 19).round(2)}
    assert min(risks, key=risks.get) == 0.5


@pytest.mark.parametrize("gap", [10.0, 40.0])
def test_the_gradient_through_a_softmax_is_p_minus_y_however_wrong_the_model_is(gap):
    logits = tf.Variable([[gap, 0.0]])
    with tf.GradientTape() as tape:
        loss = losses.CrossEntropy()(tf.constant([1]), tf.nn.softmax(logits))
    np.testing.assert_allclose(tape.gradient(loss, logits), [[1, -1]], atol=1e-4)


def test_class_balanced_weights_have_mean_1_and_tend_to_the_inverse_counts():
    weights = losses.class_balanced_weights(COUNTS, beta=0.99)
    by_hand = 0.01 / (1 - 0.99 ** np.array(COUNTS))
    np.testing.assert_allclose(weights, by_hand / by_hand.mean())
    assert weights.mean() == pytest.approx(1) and (np.diff(weights) > 0).all()
    np.testing.assert_allclose(losses.class_balanced_weights(COUNTS, beta=0), 1)
    inverse = 1 / np.array(COUNTS)
    np.testing.assert_allclose(
        losses.class_balanced_weights(COUNTS, beta=1 - 1e-9), inverse / inverse.mean(), rtol=1e-5
    )


def test_a_class_without_training_images_gets_no_weight_and_the_prior_of_one_image():
    assert losses.class_balanced_weights([4, 0, 4], beta=0.9).tolist() == [1, 0, 1]
    np.testing.assert_allclose(np.exp(losses.log_prior([8, 0, 1])), [0.8, 0.1, 0.1])


def test_saved_and_loaded_it_is_the_same():
    loss = losses.CrossEntropy(
        label_smoothing=0.1, class_weights=[1, 2, 3], log_prior=losses.log_prior(COUNTS), tau=0.7
    )
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert value(again) == value(loss)


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: losses.CrossEntropy(label_smoothing=1), "label_smoothing"),
        (lambda: losses.CrossEntropy(tau=0), "tau"),
        (lambda: losses.class_balanced_weights([1, 2], beta=1), "beta"),
        (lambda: losses.log_prior([0, 0]), "counts"),
    ],
)
def test_a_wrong_argument_is_named(make, named):
    with pytest.raises(InputError, match=named):
        make()


def test_accuracy_counts_int_and_soft_labels_alike():
    expected = float((P.argmax(axis=1) == LABELS).mean())
    assert 0 < expected < 1
    for labels in (LABELS, 0.8 * np.eye(3, dtype="float32")[LABELS] + 0.1):
        metric = losses.Accuracy()
        metric.update_state(labels, P)
        assert float(metric.result()) == pytest.approx(expected)


def test_training_on_soft_labels_is_validated_on_int_ones():
    x, y = np.random.default_rng(0).normal(size=(12, 4)).astype("float32"), np.arange(12, dtype=np.int32) % 3
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    fit.compile_classifier(model, optimizer=keras.optimizers.SGD(learning_rate=0.0), loss=losses.CrossEntropy())
    soft = tf.data.Dataset.from_tensor_slices((x, np.eye(3, dtype="float32")[y])).batch(5)
    logs = model.fit(soft, validation_data=tf.data.Dataset.from_tensor_slices((x, y)).batch(5), verbose=0).history
    assert logs["loss"] == pytest.approx(logs["val_loss"], rel=1e-5)
    assert logs["accuracy"] == pytest.approx(logs["val_accuracy"])
