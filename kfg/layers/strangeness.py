"""Measure, by its features, how far a photograph is from the photographs that a net was trained on."""

import keras
from keras import ops

NEIGHBOURS = 5


@keras.saving.register_keras_serializable(package="kfg")
class Strangeness(keras.layers.Layer):
    """Compute 1 - the mean cosine similarity between features and the most similar rows of a bank.

    Input float (B, F); output float32 (B,) in [0, 2], which is 0 for features with the direction of rows of the bank.
    The bank, float32 (rows, F), is a weight that is not trained; its rows have length 1, see `unit`.

    Args:
        rows: int >= 1, number of rows of the bank.
        neighbours: int >= 1, number of most similar rows that count; at most all rows.
    Source: Sun et al. 2022, arXiv:2204.06507, with the mean over the neighbours in place of the furthest neighbour.
    Example:
        >>> layer = Strangeness(2, neighbours=1)
        >>> layer.build((None, 2))
        >>> _ = layer.bank.assign([[1.0, 0.0], [0.0, 1.0]])
        >>> layer(ops.array([[0.0, 3.0], [-2.0, 0.0]])).numpy().tolist()
        [0.0, 1.0]
    """

    def __init__(self, rows, neighbours=NEIGHBOURS, **kwargs):
        super().__init__(**kwargs)
        self.rows, self.neighbours = rows, neighbours

    def build(self, input_shape):
        self.bank = self.add_weight(
            name="bank", shape=(self.rows, input_shape[-1]), initializer="zeros", trainable=False
        )

    def call(self, features):
        cosines = ops.matmul(unit(features), ops.transpose(self.bank))
        nearest, _ = ops.top_k(cosines, min(self.neighbours, self.rows))
        return 1 - ops.mean(nearest, axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0],)

    def get_config(self):
        return {**super().get_config(), "rows": self.rows, "neighbours": self.neighbours}


def unit(features):
    """Return features (B, F) with each row scaled to length 1; rows of zeros stay zero."""
    length = ops.sqrt(ops.sum(ops.square(features), axis=-1, keepdims=True))
    return features / ops.maximum(length, 1e-12)
