"""What a head on frozen features answers on images it was not trained on: every image is answered once."""

import keras
import numpy as np
import tensorflow as tf

from kfg.augment import draws

FOLDS = 5
EPOCHS = 20
BATCH = 64  # images of a step
LEARNING_RATE = 2e-3  # of Adam, at the start; it falls to 0 by a cosine
DECAY = 0.02  # of the weights, times the rate, in every step


def answers(features, labels, fold_of, *, num_classes: int, loss, seed: int = 0, shown=None) -> np.ndarray:
    """Train a linear head for each fold on the images of the other folds, and answer the images of the fold.

    The heads are trained side by side, as one matrix: for some thousand images this takes seconds, and a good part
    of them would otherwise go into five times the overhead.

    Args:
        features: float32 (N, F), of a frozen trunk.
        labels: int (N,), in [0, num_classes).
        fold_of: int (N,), the fold of each image; images that must not be separated share one.
        loss: Keras loss on int labels and probabilities, as `kfg.training.losses.CrossEntropy`; its `call` gives a
            value for each image.
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
    features, labels, fold_of = np.asarray(features, np.float32), np.asarray(labels, np.int32), np.asarray(fold_of)
    folds, which = np.unique(fold_of, return_inverse=True)
    heads = _Heads(features.shape[1], len(folds), num_classes, loss, steps=EPOCHS * -(-len(labels) // BATCH))
    for epoch in range(EPOCHS):
        order = draws.shuffled(seed, epoch=epoch, positions=np.arange(len(labels))) if shown is None else shown(epoch)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            heads.step(features[batch], labels[batch], which[batch].astype(np.int32))
    return np.concatenate(
        [
            heads.asked(features[start : start + 1024]).numpy()[np.arange(len(own)), own]
            for start in range(0, len(labels), 1024)
            for own in [which[start : start + 1024]]
        ]
    )


class _Heads:
    """One linear head a fold, trained together: weights (F, folds x classes)."""

    def __init__(self, width, folds, num_classes, loss, *, steps):
        self.shape, self.loss = (-1, folds, num_classes), loss
        self.weights = tf.Variable(tf.zeros((width, folds * num_classes)))  # a convex problem: zeros are a fair start
        self.bias = tf.Variable(tf.zeros(folds * num_classes))
        self.optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))
        self.optimizer.build([self.weights, self.bias])

    @tf.function(autograph=False, reduce_retracing=True)
    def asked(self, features):
        return tf.nn.softmax(tf.reshape(features @ self.weights + self.bias, self.shape))

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, features, labels, own):
        with tf.GradientTape() as tape:
            answers = self.asked(features)
            folds = answers.shape[1]
            losses = self.loss.call(tf.repeat(labels, folds), tf.reshape(answers, (-1, answers.shape[2])))
            seen = 1 - tf.reshape(tf.one_hot(own, folds), [-1])  # the head of an image's own fold must not see it
            value = tf.reduce_sum(losses * seen) / tf.cast(tf.shape(labels)[0], tf.float32)
        variables = [self.weights, self.bias]
        self.weights.assign(self.weights * (1 - DECAY * self.optimizer.learning_rate))
        self.optimizer.apply(tape.gradient(value, variables), variables)
