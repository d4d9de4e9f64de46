"""The nets of competition100: FBSD, MMAL-Net and a plain trunk, all with the same crop and normalisation in front."""

import keras
from keras import layers

from kfg.models import backbones, fbsd, freezing, heads, mmal, preprocessing
from kfg.models.branched import ANSWER
from kfg.models.copying import copied


def build(config, num_classes):
    """Return the net of a row of the recipe, not compiled; `config` is a `competition100.Config`."""
    model = NETS[config.net](config, trunk(config), num_classes)
    freezing.apply(model, config.freeze)
    if config.net == "fbsd" and not config.train_last_vote:
        model.get_layer("head_concat_logits").trainable = False
    return model


def trunk(config):
    """Return the trunk with a centre crop and a change of normalisation before it, in one flat graph."""
    net = backbones.trunk(config.backbone, image_size=config.image_size, weights=config.weights)
    if config.decoded == config.image_size and config.normalisation == "backbone":
        return net
    images = x = keras.Input((*config.decoded, 3), name="images")
    if config.decoded != config.image_size:
        # not CenterCrop: its default training=True would pass to all layers after it if `training` is not given
        spare = [large - small for large, small in zip(config.decoded, config.image_size, strict=True)]
        x = layers.Cropping2D([(n // 2, n - n // 2) for n in spare], name="centre_crop")(x)
    seen = NORMALISATIONS[config.normalisation](x)

    def call(layer, *inputs, **options):
        return layer(*(seen if x is images else x for x in inputs), **options)

    return copied(net, images=images, call=call)


def _plain(config, net, num_classes):
    features = layers.GlobalAveragePooling2D(name="features", dtype="float32")(net.output)
    logits = heads.linear(dropout=config.dropout)(features, num_classes)
    return keras.Model(net.input, layers.Activation("softmax", name=ANSWER, dtype="float32")(logits), name=net.name)


def _fbsd(config, net, num_classes):
    names = ("strip_axis", "alpha", "beta", "gamma", "fdm_scale", "pool", "dropout")
    options = {name: getattr(config, name) for name in names}
    taps = backbones.BACKBONES[config.backbone].taps
    return fbsd.extend(net, taps, num_classes=num_classes, width=config.head_width, **options)


def _mmal(config, net, num_classes):
    return mmal.extend(
        net,
        mmal.known_taps(config.backbone),
        num_classes=num_classes,
        windows=config.windows,
        dropout=config.dropout,
        first_joint_epoch=config.first_joint_epoch,
    )


def half(images):
    """Normalise with mean and standard deviation 0.5, as FBSD's paper and code do, before a trunk's own preprocessing.

    Pixels are changed so that the trunk's own preprocessing turns them into the values (x / 255 - 0.5) / 0.5, in the
    form of ImageNet's mean and standard deviation, with which torchvision's weights were trained.
    """
    scale = [2 * std for std in preprocessing.IMAGENET_STD]
    offset = [
        255 * (mean - std) for mean, std in zip(preprocessing.IMAGENET_MEAN, preprocessing.IMAGENET_STD, strict=True)
    ]
    return layers.Rescaling(scale=scale, offset=offset, name="half", dtype="float32")(images)


NORMALISATIONS = {"backbone": lambda images: images, "half": half}

NETS = {"fbsd": _fbsd, "mmal": _mmal, "plain": _plain}


def names_classes(layer: str) -> bool:
    """Return whether a layer has a row for each class, so that it cannot be taken from the net of another data set."""
    return layer == "head" or (layer.startswith("head_") and layer.endswith("_logits"))


VOTES = {"fbsd": (*fbsd.STAGES, "concat"), "mmal": ("raw", "object")}  # branches with one prediction per whole image
