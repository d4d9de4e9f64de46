"""A classifier that answers each image and its mirror image, and gives the mean."""

import keras
from keras import layers, ops

from kfg.models import flattening

DOUBLING, MEAN = "with_mirror_images", "mean_of_both"  # layers


@keras.saving.register_keras_serializable(package="kfg")
class WithMirrorImages(layers.Layer):
    """Images (B, H, W, 3) -> (2 B, H, W, 3): they, then each turned left to right."""

    def call(self, images):
        return ops.concatenate([images, ops.flip(images, axis=2)], axis=0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable(package="kfg")
class MeanOfBoth(layers.Layer):
    """Answers (2 B, C) on images and their mirror images -> their mean (B, C)."""

    def call(self, answers):
        return ops.mean(ops.reshape(answers, (2, -1, answers.shape[-1])), axis=0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


def averaged(model) -> keras.Model:
    """Return a model that gives the mean of a classifier's answers on an image and on its mirror image.

    Args:
        model: Keras model, images (B, H, W, 3) -> probabilities (B, C).
    Returns:
        Model of the same inputs, outputs and weights, which takes twice as long; what one learns the other does not.
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
    """Return a copy of the classifier that `averaged` was given; another model comes back itself."""
    if not any(isinstance(layer, MeanOfBoth) for layer in getattr(model, "layers", ())):
        return model
    inside = keras.Model(model.get_layer(DOUBLING).output, model.get_layer(MEAN).input)
    images = keras.Input(model.input_shape[1:], name="images")
    return flattening.flatten(keras.Model(images, inside(images), name=model.name))
