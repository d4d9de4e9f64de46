"""Out-of-fold predictions of linear heads on frozen features: each image is predicted by a head not trained on it."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kfg.augment import draws
from kfg.training import optimizers

FOLDS = 5
EPOCHS, LEAST_STEPS = 20, 100
BATCH = 256  # rows per step; compared with 64 and rate 2e-3 twice as fast, and 90.9 not 90.4% right (caltech101_lt)
LEARNING_RATE = 8e-3  # rate of Adam at the start; it falls to 0 along a cosine
BETAS, EPSILON = (0.9, 0.999), 1e-7  # of Adam, as in Keras
DECAY = 0.02  # weight decay per step, multiplied by the rate
ASKED = 1024  # images predicted at once
TIMED = 3  # number of steps after the first that are timed if there is a time limit


class TooLong(Exception):
    """Raised if training the heads would take longer than the time limit.

    Args:
        expected: seconds that the training would take, estimated from the first steps.
    """

    def __init__(self, expected: float):
        super().__init__(expected)
        self.expected = expected


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """The training data of H heads that are trained side by side.

    Args:
        rows: float32 (M, F), features of pictures.
        labels: int (M,), or (M, H) if the heads get different labels for a picture.
        weights: float32 (M, H), weight of each row in the loss of each head; 0: the head must not learn from the row.
        shown: function epoch -> int (E,), the positions of the rows that an epoch shows, in order.
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    shown: Callable[[int], np.ndarray]


class Heads:
    """H linear heads, trained together as one matrix (F, H x C).

    For some thousand images the training takes seconds. Trained one by one, H heads would have H times the overhead,
    which is a good part of that.

    Args:
        width: F, number of features.
        heads: H, number of heads.
        num_classes: C.
    """

    def __init__(self, width: int, heads: int, num_classes: int):
        self.shape = (-1, heads, num_classes)
        self.weights = tf.Variable(tf.zeros((width, heads * num_classes)))  # convex problem: zeros are a good start
        self.bias = tf.Variable(tf.zeros(heads * num_classes))

    def learn(self, lesson: Lesson, *, loss, steps: int, limit: float = math.inf) -> "Heads":
        """Train the heads for a number of steps, however many rows an epoch of the lesson has; return self.

        Args:
            lesson: the training data.
            loss: Keras loss on int labels and probabilities, such as `kfg.training.losses.CrossEntropy`; its `call`
                returns a value for each image.
            steps: int >= 1; each step takes BATCH rows, or what is left of an epoch.
            limit: time limit in seconds.
        Raises:
            TooLong: judged by the first steps, the training would take longer than `limit`.
        """
        step = _step(loss, self.shape[2])
        state = [one for own in (self.weights, self.bias) for one in (own, *_zeros_like(own, 2))]
        labels = np.broadcast_to(lesson.labels.reshape(len(lesson.labels), -1), lesson.weights.shape).astype(np.int32)
        weights = lesson.weights.astype(np.float32)

        epoch, order, start, pace = 0, lesson.shown(0), 0, Pace(steps, limit)
        for done in range(steps):
            pace.check(self.bias.numpy)
            if start >= len(order):
                epoch, start = epoch + 1, 0
                order = lesson.shown(epoch)
            batch = order[start : start + BATCH]
            start += BATCH
            when = np.array([done, steps, len(batch)], np.float32)
            step(*state, *(_filled(one[batch]) for one in (lesson.rows, labels, weights)), when)
        return self

    def ask(self, features, own=None) -> np.ndarray:
        """Return the probabilities that each head predicts, or only those of each image's own head.

        Args:
            features: float32 (N, F).
            own: int (N,), number of the head for each image, which takes H times less memory; None: all heads.
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


def _zeros_like(variable, count: int) -> list[tf.Variable]:
    return [tf.Variable(tf.zeros_like(variable)) for _ in range(count)]


def _filled(batch) -> np.ndarray:
    """Return a batch with zeros up to BATCH rows, so that batches of all sizes run through one graph."""
    return np.pad(batch, [(0, BATCH - len(batch)), *[(0, 0)] * (batch.ndim - 1)])


@functools.lru_cache(maxsize=16)
def _step(loss, num_classes: int):
    """Return the training step of heads under one loss object; heads of the same shape share its graph.

    Tracing it takes as long as a hundred steps on few photographs, and a repair trains some twenty sets of heads, most
    of them alike. An optimizer of Keras would need a graph of its own for each set, because it holds its variables.

    Returns:
        function (variables of the weights, of the means of their gradients and of their squares; the same for the
        bias; BATCH rows, labels and weights of a Lesson; float32 [steps done, steps in all, rows that count]), which
        changes the variables.
    """

    @tf.function(autograph=False)
    def step(
        weights, mean_of_weights, square_of_weights, bias, mean_of_bias, square_of_bias, rows, told, counted, when
    ):
        done, steps, count = tf.unstack(when)
        rate = LEARNING_RATE * 0.5 * (1 + tf.cos(math.pi * done / steps))
        with tf.GradientTape() as tape:
            answers = tf.nn.softmax(tf.reshape(rows @ weights + bias, (-1, num_classes)))
            value = tf.reduce_sum(loss.call(tf.reshape(told, [-1]), answers) * tf.reshape(counted, [-1])) / count
        for_weights, for_bias = tape.gradient(value, [weights, bias])
        weights.assign(weights * (1 - DECAY * rate))
        terms = optimizers.adam_terms(done + 1, betas=BETAS, epsilon=EPSILON)
        optimizers.adam_step(for_weights, weights, mean_of_weights, square_of_weights, rate=rate, terms=terms)
        optimizers.adam_step(for_bias, bias, mean_of_bias, square_of_bias, rate=rate, terms=terms)

    return step


class Pace:
    """Measures how fast the steps of a training are, and whether all of them fit into a time limit.

    Args:
        steps: number of steps in the training.
        limit: time limit in seconds.
    """

    def __init__(self, steps: int, limit: float):
        self.steps, self.limit, self.begun, self.started = steps, limit, 0, 0.0

    def check(self, wait: Callable) -> None:
        """Measure the time; to be called before each step. Raises TooLong if the training would exceed the limit.

        The first step is not timed, because it may be traced then.

        Args:
            wait: function () that returns once the steps so far are done, for a GPU does them later.
        """
        if self.begun == 1:
            wait()
            self.started = time.monotonic()
        elif self.begun == 1 + TIMED:
            wait()
            expected = (time.monotonic() - self.started) / TIMED * self.steps
            if expected > self.limit:
                raise TooLong(expected)
        self.begun += 1


def steps_for(count: int) -> int:
    """Return the number of training steps for `count` images; further views of these images do not count."""
    return max(LEAST_STEPS, EPOCHS * -(-count // BATCH))


def answers(
    features, labels, fold_of, *, num_classes: int, loss, seed: int = 0, shown=None, asked=None, limit: float = math.inf
) -> np.ndarray:
    """Train a linear head for each fold on the images of the other folds, and predict the images of the fold.

    Args:
        features: float32 (N, F), features from a frozen trunk.
        labels: int (N,), in [0, num_classes).
        fold_of: int (N,), the fold of each image; images that must not be separated are in the same fold.
        num_classes: number of classes.
        loss: as for `Heads.learn`.
        seed: int >= 0, seed of the order in which images are shown.
        shown: function epoch -> int (M,), positions of the images that an epoch shows, in order; default: each image
            once.
        asked: list of several features (N, F), for example of the images and of their mirror images, whose predictions
            are averaged; default `features` alone.
        limit: time limit in seconds.
    Returns:
        float32 (N, num_classes), probabilities; each row comes from a head that was not trained on its image.
    Raises:
        TooLong: as for `Heads.learn`.
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
        weights=(which[:, None] != np.arange(len(folds))).astype(np.float32),  # 0 for the head of the image's own fold
        shown=shown or (lambda epoch: draws.shuffled(seed, epoch=epoch, positions=np.arange(len(labels)))),
    )
    heads = Heads(features.shape[1], len(folds), num_classes)
    heads.learn(lesson, loss=loss, steps=steps_for(len(labels)), limit=limit)
    return np.mean([heads.ask(one, which) for one in asked or [features]], axis=0)
