"""Make the nets of keras.applications into flat graphs that take raw pixels.

Each function, except as its docstring says, returns a builder for a family of nets: a function (height, width) -> model
with random weights, images -> last feature map.
"""

import keras
import numpy as np
from keras import applications, layers

from kfg.errors import InputError
from kfg.layers.adaptive_pooling import AdaptiveAveragePooling
from kfg.models import preprocessing
from kfg.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD


def plain(application, preprocess):
    """Return the builder for a net that does not include its preprocessing; `preprocess` is added before it."""

    def build(image_size):
        images = _images(image_size)
        net = _without_top(application, preprocess(images), image_size)
        return keras.Model(images, net.output)

    return build


def _images(image_size):
    return keras.Input((*image_size, 3), name="images")


def _without_top(application, x, image_size, **options):
    return application(include_top=False, weights=None, input_tensor=x, input_shape=(*image_size, 3), **options)


def own(application):
    """Return the builder for a net that includes its preprocessing."""
    return plain(application, lambda images: images)


def mobilenet_v3(application):
    """Return the builder for a MobileNetV3, whose last layer gets a fixed name."""

    def build(image_size):
        net = own(application)(image_size)
        net.layers[-1].name = "top_activation"  # Keras gives it a number that counts up in the process
        return net

    return build


def efficientnet(application):
    """Return the builder for an EfficientNet with the graph that Keras makes for `weights="imagenet"`.

    For these weights only, Keras adds a division by the square root of the ImageNet standard deviation after its
    Normalization layer, whose stored variance is that standard deviation (tensorflow#49930). The stored mean m is
    known, so this builder does the same before the net, and the graph is one for all weights: with s the square root,
    (x' / 255 - m) = (x / 255 - m) / s for x' = x / s + 255 m (1 - 1 / s).
    """

    def build(image_size):
        images = _images(image_size)
        inverse = [deviation**-0.5 for deviation in IMAGENET_STD]
        offset = [255 * mean * (1 - factor) for mean, factor in zip(IMAGENET_MEAN, inverse, strict=True)]
        x = preprocessing.rescaling(scale=inverse, offset=offset)(images)
        net = _without_top(application, x, image_size)
        normalization = next(layer for layer in net.layers if isinstance(layer, layers.Normalization))
        normalization.set_weights([np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD), np.int32(0)])
        normalization.finalize_state()
        return keras.Model(images, net.output)

    return build


def check_normalization(net, path) -> None:
    """Refuse loaded weights of an EfficientNet whose normalisation is not that of ImageNet.

    Raises:
        InputError: the file comes from a net that Keras built with `weights=None`.
    """
    for layer in net.layers:
        if isinstance(layer, layers.Normalization) and layer.weights:
            mean = layer.get_weights()[0]
            if not np.allclose(mean, IMAGENET_MEAN, atol=1e-3):
                found = ", ".join(f"{value:.4g}" for value in mean)
                raise InputError(f"weights: {path}: its first layer subtracts {found} instead of the ImageNet mean")


def convnext(application):
    """Return the builder for a ConvNeXt as a flat graph, with its last normalisation.

    Its features are the normalised average of the last map, as in the paper: the layer "pool" is the average, and the
    layer "features" the normalisation.
    """

    def build(image_size):
        images = _images(image_size)
        nested = _without_top(application, images, image_size, pooling="avg")
        renamed = dict(zip((layer.name for layer in nested.layers[-2:]), ("pool", "features"), strict=True))
        return _flattened(nested, renamed)

    return build


def _flattened(nested, renamed):
    """Copy a model with the layers of its Sequentials in their place, and with named layers for its sums.

    `renamed` is a dict old name -> new name; these layers compute in float32.
    """

    def copy(layer):
        config = layer.get_config()
        if layer.name in renamed:
            config |= {"name": renamed[layer.name], "dtype": "float32"}
        return type(layer).from_config(config)

    def call(layer, *args, **kwargs):
        if isinstance(layer, keras.Sequential):
            for inner in layer.layers:
                args = (copy(inner)(*args),)
            return args[0]
        if not isinstance(layer, keras.layers.Layer):  # an operation: the sum at the end of a block
            block = args[1]._keras_history.operation.name.rpartition("_")[0]
            return layers.Add(name=f"{block}_add")(list(args))
        return layer(*args, **kwargs)

    return keras.models.clone_model(nested, clone_function=copy, call_function=call)


def vgg16_fc(image_size):
    """Build VGG16 with its two dense layers after average pooling to 7 x 7 cells; features (B, 4096)."""
    net = plain(applications.VGG16, preprocessing.caffe)(image_size)
    x = AdaptiveAveragePooling(7, name="pool")(net.output)
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
        x = layers.Dropout(0.5, name=f"{name}_dropout")(x)  # torch's VGG16 has it; Keras's does not
    x = layers.Activation("linear", name="features", dtype="float32")(x)
    return keras.Model(net.input, x)
