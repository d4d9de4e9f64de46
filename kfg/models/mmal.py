"""MMAL-Net: one trunk is applied to the image, to the object cut out of it, and in training to parts of the object.

Source: Zhang et al. 2020, "Multi-branch and Multi-scale Attention Learning for Fine-Grained Visual Categorization",
arXiv:2003.09150, and its code.
"""

import keras
from keras import layers

from kfg.errors import InputError
from kfg.layers.crop_and_resize import CropAndResize
from kfg.layers.object_boxes import ObjectBoxes
from kfg.layers.part_boxes import PartBoxes
from kfg.models import backbones
from kfg.models.branched import ANSWER, Branch, BranchedClassifier

STRIDE = 32  # pixels, side of a cell of the map
CELLS = 14  # side, in cells, of the map that the window sets were made for (448 pixels)
# name -> groups of (window sizes in cells, number of parts to take)
WINDOWS = {
    "cub": (
        (((4, 4), (3, 5), (5, 3)), 2),
        (((6, 6), (5, 7), (7, 5)), 3),
        (((8, 8), (6, 10), (10, 6), (7, 9), (9, 7), (7, 10), (10, 7)), 2),
    ),
    "cars-aircraft": (
        (((6, 6), (5, 7), (7, 5)), 3),
        (((8, 8), (6, 10), (10, 6), (7, 9), (9, 7)), 2),
        (((10, 10), (9, 11), (11, 9), (8, 12), (12, 8)), 1),
    ),
}
# For each trunk, the layers with the last map, which is pooled, and with the map of the block before. In a Lite net the
# rectified map of the block before is used: its last map is linear, and a sum over channels with different signs does
# not measure activity (on six photographs of birds, boxes from the linear map cut into the heads, these hold them).
TAPS = {
    **dict.fromkeys(("resnet50", "resnet101"), ("conv5_block3_out", "conv5_block2_out")),
    **dict.fromkeys((f"efficientnet-lite{i}" for i in range(3)), ("top_activation", "block7a_activation")),
}


def classifier(
    backbone: str, *, num_classes: int, image_size: tuple[int, int], weights="imagenet", taps=None, **options
) -> BranchedClassifier:
    """Build MMAL-Net on a trunk of `kfg.models.backbones`.

    Args:
        backbone, image_size, weights: as for `backbones.trunk`; sides must be multiples of 64.
        num_classes: int >= 2.
        taps: as for `extend`; default those in TAPS.
        options: further arguments of `extend`.
    Returns:
        See `extend`.
    Raises:
        InputError: as `backbones.trunk` and `extend`; or the trunk is not in TAPS and `taps` is not given.
    Example:
        >>> options = {"image_size": (128, 128), "weights": "none", "taps": ("top_activation", "expanded_conv_10_add")}
        >>> net = classifier("mobilenet-v3-small", num_classes=3, **options)
        >>> net.output.shape, sorted(net.training_graph().output)
        ((None, 3), ['object', 'parts', 'probabilities', 'raw'])
    """
    trunk = backbones.trunk(backbone, image_size=image_size, weights=weights)
    return extend(trunk, taps or known_taps(backbone), num_classes=num_classes, **options)


def known_taps(backbone: str) -> tuple[str, str]:
    """Return the names of the two layers of a trunk whose maps MMAL-Net uses.

    Raises:
        InputError: the trunk is not in TAPS.
    """
    if backbone not in TAPS:
        raise InputError(
            f"taps: are known only for {', '.join(TAPS)}; for {backbone} name two layers, first the one of the last map"
        )
    return TAPS[backbone]


def extend(
    trunk: keras.Model,
    taps: tuple[str, str],
    *,
    num_classes: int,
    windows: str = "cub",
    dropout: float = 0.5,
    first_joint_epoch: int = 1,
) -> BranchedClassifier:
    """Build MMAL-Net on any trunk with two maps of a 32nd of the image's size.

    The same trunk and the same head are applied to the raw image, to the object (resized to the image's size) and, only
    in the training graph, to the parts (half that size). So no branch adds a parameter, and the moving statistics of
    batch normalisation get three updates per step, from the first epoch on. A prediction uses the
    raw image and the object only.

    Args:
        trunk: functional model without nesting, images (B, H, W, 3) -> maps, H and W multiples of 64; its layers
            become layers of the new model.
        taps: names of two layers with maps of H / 32 x W / 32: the last map, which is pooled, and an earlier one.
        num_classes: int >= 2.
        windows: a key of WINDOWS, the sizes of parts for maps of 14 x 14 cells; scaled for other maps, see `scaled`.
        dropout: float in [0, 1), on the pooled features.
        first_joint_epoch: int >= 0; before that epoch, counted from 0, the loss is that of the raw image alone.
    Returns:
        Model, not compiled: RGB in [0, 255] (B, H, W, 3) -> float32 (B, num_classes), the probabilities for the object.
        Its branches are "raw", "object" and "parts" (the rows of one image's parts follow each other). The layer
        "object_map" is the object's last map.
    Raises:
        InputError: a value is out of range, the trunk lacks a tap, or a map has another size.
    """
    if num_classes < 2:
        raise InputError(f"classes: must be at least 2, got {num_classes}")
    if windows not in WINDOWS:
        raise InputError(f"windows: {windows!r} is not one of {', '.join(WINDOWS)}")
    image_size = trunk.input_shape[1:3]
    body = _body(trunk, taps, image_size)
    images, (raw_map, earlier) = trunk.input, body.output
    head = _head(num_classes, dropout)

    # body.call, not body(...): this adds the layers to this graph one by one, so that no model is nested in another
    box = ObjectBoxes(stride=STRIDE, name="object_box")([raw_map, earlier])
    objects = CropAndResize(image_size, name="object")([images, box])
    object_map = layers.Activation("linear", name="object_map")(body.call(objects)[0])
    logits = {"object": head(object_map)}

    cells = object_map.shape[1:3]
    part_boxes = PartBoxes(scaled(WINDOWS[windows], cells=cells), stride=STRIDE, name="part_boxes")
    parts = CropAndResize([side // 2 for side in image_size], name="parts")([objects, part_boxes(object_map)])
    logits |= {"raw": head(raw_map), "parts": head(body.call(parts)[0])}

    answer = layers.Activation("softmax", name=ANSWER, dtype="float32")(logits["object"])
    branches = {
        "raw": Branch(),
        "object": Branch(first_epoch=first_joint_epoch),
        "parts": Branch(first_epoch=first_joint_epoch, repeats=part_boxes.parts),
    }
    return BranchedClassifier(images, answer, logits=logits, branches=branches, name=f"mmal-{trunk.name}")


def located(model: BranchedClassifier) -> keras.Model:
    """Return a model images -> {"object": boxes (B, 4) on the image, "parts": boxes (B, N, 4) on the object's image}.

    Boxes are float32 y0, x0, y1, x1 in pixels, both ends included. The object's image has the same size as the image.
    """
    graph = model.training_graph()
    boxes = {"object": graph.get_layer("object_box").output, "parts": graph.get_layer("part_boxes").output}
    return keras.Model(model.input, boxes)


def scaled(groups, *, cells: tuple[int, int]) -> tuple:
    """Return the groups of windows for a map of another size than 14 x 14 cells.

    Sides are multiplied by cells / 14 and rounded (halves up), to at least one. Of equal sizes, one is kept.

    Args:
        groups: a value of WINDOWS.
        cells: (height, width) of the map.
    Returns:
        A tuple of (sizes, number of parts).
    Example:
        >>> scaled(WINDOWS["cub"], cells=(7, 7))
        ((((2, 2), (2, 3), (3, 2)), 2), (((3, 3), (3, 4), (4, 3)), 3), (((4, 4), (3, 5), (5, 3), (4, 5), (5, 4)), 2))
        >>> scaled(WINDOWS["cub"], cells=(14, 14)) == WINDOWS["cub"]
        True
    """

    def side(length, count):
        return max(1, (2 * length * count + CELLS) // (2 * CELLS))

    return tuple(
        (tuple(dict.fromkeys((side(h, cells[0]), side(w, cells[1])) for h, w in sizes)), parts)
        for sizes, parts in groups
    )


def _body(trunk, taps, image_size):
    """Return a model images -> maps at the two taps of the trunk, after checking taps and sizes."""
    names = [layer.name for layer in trunk.layers]
    missing = [tap for tap in taps if tap not in names]
    if len(taps) != 2 or missing:
        raise InputError(f"taps: expected two layers of {trunk.name}, which has no {', '.join(missing or taps)}")
    if any(side is None or side % (2 * STRIDE) for side in image_size):
        size = f"{image_size[0]} x {image_size[1]}"
        raise InputError(
            f"image_size: both sides must be multiples of {2 * STRIDE}, because parts have half of them, got {size}"
        )
    maps = [trunk.get_layer(tap).output for tap in taps]
    expected = tuple(side // STRIDE for side in image_size)
    for tap, x in zip(taps, maps, strict=True):
        if tuple(x.shape[1:3]) != expected:
            found = f"{tap} of {trunk.name} has {x.shape[1:3]}"
            raise InputError(f"taps: expected maps of {expected} cells at {image_size} pixels, but {found}")
    return keras.Model(trunk.input, maps)


def _head(num_classes, dropout):
    """Return the function map -> logits that all branches share."""
    stack = [
        layers.GlobalAveragePooling2D(name="features", dtype="float32"),
        *([layers.Dropout(dropout, name="features_dropout", dtype="float32")] if dropout else []),
        layers.Dense(num_classes, name="head", dtype="float32"),
    ]

    def head(x):
        for layer in stack:
            x = layer(x)
        return x

    return head
