"""A classifier that averages its predictions for an image and for its mirror image."""

import keras
from keras import layers, ops

from kfg.models import flattening

DOUBLING, MEAN = "with_mirror_images", "mean_of_both"  # names of layers


@keras.saving.register_keras_serializable(package="kfg")
class WithMirrorImages(layers.Layer):
    """Append the mirror images to images: (B, H, W, 3) -> (2 B, H, W, 3)."""

    def call(self, images):
        return ops.concatenate([images, ops.flip(images, axis=2)], axis=0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable(package="kfg")
class MeanOfBoth(layers.Layer):
    """Average the predictions (2 B, C) for images and their mirror images: -> (B, C)."""

    def call(self, answers):
        return ops.mean(ops.reshape(answers, (2, -1, answers.shape[-1])), axis=0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable(package="kfg")
class PlainHalf(layers.Layer):
    """Keep the rows of the images, without those of their mirror images: (2 B, F) -> (B, F)."""

    def call(self, both):
        return ops.reshape(both, (2, -1, both.shape[-1]))[0]

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


def is_averaged(model) -> bool:
    """Return whether a model was made by `averaged`."""
    return any(isinstance(layer, MeanOfBoth) for layer in getattr(model, "layers", ()))


def averaged(model) -> keras.Model:
    """Return a model that averages a classifier's predictions for an image and for its mirror image.

    Args:
        model: Keras model, images (B, H, W, 3) -> probabilities (B, C).
    Returns:
        Model with the same inputs and outputs and a copy of the weights, which takes twice as long. Training one of the
        two models does not change the other.
    Example:
        >>> net = keras.Sequential([keras.Input((2, 4, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
        >>> both = averaged(net)
        >>> images = keras.random.uniform((5, 2, 4, 3))
        >>> tuple(both(images).shape), bool(ops.all(ops.abs(both(images) - both(images[:, :, ::-1])) < 1e-6))
        ((5, 3), True)
    """
    images = keras.Input(model.input_shape[1:], name="images")
    answers = model(WithMirrorImages(name=DOUBLING)(images))
    return flattening.flatten(keras.Model(images, MeanOfBoth(name=MEAN, dtype="float32")(answers), name=model.name))


def plain(model) -> keras.Model:
    """Return a copy of the classifier that `averaged` was applied to; any other model is returned as it is."""
    if not is_averaged(model):
        return model
    inside = keras.Model(model.get_layer(DOUBLING).output, model.get_layer(MEAN).input)
    images = keras.Input(model.input_shape[1:], name="images")
    return flattening.flatten(keras.Model(images, inside(images), name=model.name))
