"""What a head on frozen features answers on images it was not trained on: every image is answered once."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kfg.augment import draws

FOLDS = 5
EPOCHS, LEAST_STEPS = 20, 100
BATCH = 256  # rows of a step: against 64 and 2e-3 twice as fast, and 90.9 instead of 90.4 % right (caltech101_lt)
LEARNING_RATE = 8e-3  # of Adam, at the start; it falls to 0 by a cosine
DECAY = 0.02  # of the weights, times the rate, in every step
ASKED = 1024  # images answered at once


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What H heads, trained side by side, are shown.

    Args:
        rows: float32 (M, F), features of pictures.
        labels: int (M,), or (M, H) where heads are told different things of a picture.
        weights: float32 (M, H), how much each head learns from a row: 0 for what it must not see.
        shown: function epoch -> int (E,), the rows that an epoch shows, in their order.
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    shown: Callable[[int], np.ndarray]


class Heads:
    """H linear heads, trained together as one matrix (F, H x C).

    For some thousand images this takes seconds, and a good part of them would otherwise go into H times the overhead.

    Args:
        width: F.
        heads: H.
        num_classes: C.
    """

    def __init__(self, width: int, heads: int, num_classes: int):
        self.shape = (-1, heads, num_classes)
        self.weights = tf.Variable(tf.zeros((width, heads * num_classes)))  # a convex problem: zeros are a fair start
        self.bias = tf.Variable(tf.zeros(heads * num_classes))

    def learn(self, lesson: Lesson, *, loss, steps: int) -> "Heads":
        """Train for a number of steps, however many rows an epoch of the lesson has; return the heads themselves.

        Args:
            loss: Keras loss on int labels and probabilities, as `kfg.training.losses.CrossEntropy`; its `call` gives a
                value for each image.
            steps: int >= 1, of BATCH rows or what is left of an epoch.
        """
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))
        optimizer.build([self.weights, self.bias])
        labels = np.broadcast_to(lesson.labels.reshape(len(lesson.labels), -1), lesson.weights.shape).astype(np.int32)
        weights = lesson.weights.astype(np.float32)

        @tf.function(autograph=False, reduce_retracing=True)
        def step(rows, told, counted):
            with tf.GradientTape() as tape:
                answers = tf.reshape(self._asked(rows), (-1, self.shape[2]))
                losses = loss.call(tf.reshape(told, [-1]), answers) * tf.reshape(counted, [-1])
                value = tf.reduce_sum(losses) / tf.cast(tf.shape(told)[0], tf.float32)
            variables = [self.weights, self.bias]
            self.weights.assign(self.weights * (1 - DECAY * optimizer.learning_rate))
            optimizer.apply(tape.gradient(value, variables), variables)

        epoch, order, start = 0, lesson.shown(0), 0
        for _ in range(steps):
            if start >= len(order):
                epoch, start = epoch + 1, 0
                order = lesson.shown(epoch)
            batch = order[start : start + BATCH]
            start += BATCH
            step(lesson.rows[batch], labels[batch], weights[batch])
        return self

    def ask(self, features, own=None) -> np.ndarray:
        """Return what each head answers, or each image's own: features float32 (N, F) -> probabilities.

        Args:
            own: int (N,), the head of each image; None for all heads. H times less memory.
        Returns:
            float32 (N, H, C), with `own` (N, C).
        """
        chunks = []
        for start in range(0, len(features), ASKED):
            answers = self._asked(features[start : start + ASKED]).numpy()
            chunks.append(answers if own is None else answers[np.arange(len(answers)), own[start : start + ASKED]])
        return np.concatenate(chunks)

    def _asked(self, features):
        return tf.nn.softmax(tf.reshape(features @ self.weights + self.bias, self.shape))


def steps_for(count: int) -> int:
    """Return how many steps heads learn from a number of images, whatever else they are shown beside them."""
    return max(LEAST_STEPS, EPOCHS * -(-count // BATCH))


def answers(features, labels, fold_of, *, num_classes: int, loss, seed: int = 0, shown=None) -> np.ndarray:
    """Train a linear head for each fold on the images of the other folds, and answer the images of the fold.

    Args:
        features: float32 (N, F), of a frozen trunk.
        labels: int (N,), in [0, num_classes).
        fold_of: int (N,), the fold of each image; images that must not be separated share one.
        loss: as for `Heads.learn`.
        seed: int >= 0, of the order in which images are shown.
        shown: function epoch -> int (M,), the images that an epoch shows, in their order; default each once.
    Returns:
        float32 (N, num_classes), probabilities; each row is by a head that has not seen its image.
    Source: the cross-validated predictions of Stone 1974, JRSS B 36:111.
    Example:
        >>> from kfg.training.losses import CrossEntropy
        >>> labels = np.arange(40) % 2
        >>> features = np.eye(2, dtype=np.float32)[labels]
        >>> found = answers(features, labels, np.arange(40) // 8, num_classes=2, loss=CrossEntropy())
        >>> bool((found.argmax(axis=1) == labels).all())
        True
    """
    features, labels = np.asarray(features, np.float32), np.asarray(labels, np.int32)
    folds, which = np.unique(np.asarray(fold_of), return_inverse=True)
    lesson = Lesson(
        rows=features,
        labels=labels,
        weights=(which[:, None] != np.arange(len(folds))).astype(np.float32),  # its own fold's head must not see it
        shown=shown or (lambda epoch: draws.shuffled(seed, epoch=epoch, positions=np.arange(len(labels)))),
    )
    heads = Heads(features.shape[1], len(folds), num_classes).learn(lesson, loss=loss, steps=steps_for(len(labels)))
    return heads.ask(features, which)
