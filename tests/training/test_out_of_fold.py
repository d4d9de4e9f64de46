"""Cross-validated answers of a head: no image is answered by a head that has seen it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kfg.training import out_of_fold
from kfg.training.losses import CrossEntropy
from kfg.training.out_of_fold import answers


def clusters(count, *, classes=3, width=8, spread=0.3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return (np.eye(classes, width)[labels] + spread * rng.normal(size=(count, width))).astype(np.float32), labels


def test_they_tell_classes_apart_on_images_they_have_not_seen():
    features, labels = clusters(300)
    found = answers(features, labels, np.arange(300) % 5, num_classes=3, loss=CrossEntropy())
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(found.argmax(axis=1) == labels) > 0.85


def test_labels_without_meaning_are_not_learned_by_heart():
    features = np.random.default_rng(0).normal(size=(200, 300)).astype(np.float32)  # a head could fit these exactly
    labels = np.random.default_rng(1).integers(0, 2, 200)
    found = answers(features, labels, np.arange(200) % 5, num_classes=2, loss=CrossEntropy())
    assert 0.3 < np.mean(found.argmax(axis=1) == labels) < 0.7


def test_a_twin_in_the_same_fold_is_not_seen_and_one_in_another_fold_is():
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(60, 400)), 2, axis=0).astype(np.float32)
    labels = np.repeat(rng.integers(0, 2, 60), 2)
    together, apart = np.repeat(np.arange(60) % 5, 2), np.arange(120) % 2
    right = [
        np.mean(answers(features, labels, fold, num_classes=2, loss=CrossEntropy()).argmax(axis=1) == labels)
        for fold in (together, apart)
    ]
    assert right[0] < 0.7 < 0.95 < right[1]


def test_the_same_seed_gives_the_same_answers():
    features, labels = clusters(50)
    once, again = (answers(features, labels, np.arange(50) % 2, num_classes=3, loss=CrossEntropy()) for _ in range(2))
    np.testing.assert_array_equal(once, again)


class Queue:
    """A device that does a step in a second, but only when it is waited for."""

    def __init__(self):
        self.now, self.waiting = 0.0, 0

    def wait(self):
        self.now, self.waiting = self.now + self.waiting, 0


def test_steps_that_are_only_queued_are_waited_for_before_the_time_is_taken(monkeypatch):
    queue = Queue()
    monkeypatch.setattr(out_of_fold.time, "monotonic", lambda: queue.now)
    pace = out_of_fold.Pace(100, limit=99.0)
    with pytest.raises(out_of_fold.TooLong) as raised:
        for _ in range(100):
            pace.check(queue.wait)
            queue.waiting += 1
    assert raised.value.expected == 100 and pace.begun == 1 + out_of_fold.TIMED


def test_the_steps_are_those_of_adam_along_a_cosine_as_keras_has_them(monkeypatch):
    monkeypatch.setattr(out_of_fold, "BATCH", 16)  # so that an epoch ends with a batch of 8
    features, labels = clusters(40)
    of_heads = np.stack([labels, (labels + 1) % 3], axis=1)
    weights = np.stack([np.arange(40) % 2, np.ones(40)], axis=1).astype(np.float32)
    lesson = out_of_fold.Lesson(rows=features, labels=of_heads, weights=weights, shown=lambda epoch: np.arange(40))
    loss, steps = CrossEntropy(label_smoothing=0.1), 7
    found = out_of_fold.Heads(8, 2, 3)
    layer = keras.layers.Dense(6, kernel_initializer="zeros")
    layer.build((None, 8))
    for _ in range(2):  # the second begins with what the first has learned and with new moments
        found.learn(lesson, loss=loss, steps=steps)
        adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(out_of_fold.LEARNING_RATE, steps))
        for step in range(steps):
            at = np.arange(40)[16 * (step % 3) :][:16]
            with tf.GradientTape() as tape:
                told = tf.nn.softmax(tf.reshape(layer(features[at]), (-1, 3)))
                losses = loss.call(of_heads[at].reshape(-1), told) * weights[at].reshape(-1)
                value = tf.reduce_sum(losses) / len(at)
            gradients = tape.gradient(value, layer.trainable_weights)
            layer.kernel.assign(layer.kernel * (1 - out_of_fold.DECAY * adam.learning_rate))
            adam.apply(gradients, layer.trainable_weights)
    np.testing.assert_allclose(found.weights, layer.kernel, atol=1e-6)
    np.testing.assert_allclose(found.bias, layer.bias, atol=1e-6)
    assert np.abs(found.weights).max() > 0.02


def test_heads_of_one_shape_share_the_graph_of_a_step():
    features, labels = clusters(60)
    loss = CrossEntropy()
    for count in (60, 57, 40):
        answers(features[:count], labels[:count], np.arange(count) % 5, num_classes=3, loss=loss)
    assert out_of_fold._step(loss, 3).experimental_get_tracing_count() == 1
