"""FBSD: each of three stages of a trunk boosts its best strip and hides it from the next stage; four heads vote.

Source: Song & Yang 2021, "Feature Boosting, Suppression, and Diversification for Fine-Grained Visual Classification",
arXiv:2103.02782, and its code; where these two differ, an argument chooses between them.
"""

import keras
from keras import layers

from kfg.errors import InputError
from kfg.layers.diversification import Diversification
from kfg.layers.strip_attention import StripAttention
from kfg.layers.top_k_pooling import TopKPooling2D
from kfg.models import backbones, torch_values
from kfg.models.branched import ANSWER, Branch, BranchedClassifier
from kfg.models.copying import copied

STAGES = ("stage3", "stage4", "stage5")  # the paper's names; maps of 1/8, 1/16 and 1/32 of the image's size
STRIPS = (8, 4, 2)  # number of strips per stage; at 448 pixels each strip has 7 rows
POOLS = {"topk5": 5, "gmp": 1}  # number of largest values averaged: 5 (code), or 1, global max pooling (paper)
LOSS_WEIGHTS = {**dict.fromkeys(STAGES, 2.0), "concat": 1.0}


def classifier(
    backbone: str, *, num_classes: int, image_size: tuple[int, int], weights="imagenet", **options
) -> BranchedClassifier:
    """Build FBSD on a trunk of `kfg.models.backbones`.

    Args:
        backbone, image_size, weights: as for `backbones.trunk`; sides must be multiples of 64.
        num_classes: int >= 2.
        options: further arguments of `extend`.
    Returns:
        See `extend`.
    Raises:
        InputError: as `backbones.trunk` and `extend`.
    Example:
        >>> options = {"image_size": (192, 192), "weights": "none", "width": 16}
        >>> net = classifier("mobilenet-v3-small", num_classes=3, **options)
        >>> net.output.shape, sorted(net.training_graph().output)
        ((None, 3), ['concat', 'probabilities', 'stage3', 'stage4', 'stage5'])
    """
    trunk = backbones.trunk(backbone, image_size=image_size, weights=weights)
    return extend(trunk, backbones.BACKBONES[backbone].taps, num_classes=num_classes, **options)


def extend(
    trunk: keras.Model,
    taps: tuple[str, str, str],
    *,
    num_classes: int,
    width: int = 1024,
    strip_axis: str = "height",
    alpha: float = 0.5,
    beta: float = 0.5,
    gamma: float = 1.0,
    fdm_scale: float = 0.001,
    pool: str = "topk5",
    dropout: float = 0.0,
) -> BranchedClassifier:
    """Build FBSD on any trunk with three taps; the defaults are those of the authors' code.

    The trunk is copied layer by layer into one flat graph, in which the suppressed map of each stage takes the place of
    its map. All layers keep their names, also those at the taps. The names of new layers begin with "head_".

    Args:
        trunk: functional model without nesting, images (B, H, W, 3) -> maps; its weights are copied.
        taps: names of the layers that end the three stages; each must lie on every path to the next.
        num_classes: int >= 2.
        width: int >= 2, even: channels of each stage's map before pooling; hidden layers have half as many units.
        strip_axis: "height" (code) or "width" (paper).
        alpha, beta: strength of the boost and factor of suppressed strips, see `StripAttention`.
        gamma, fdm_scale: see `Diversification`; scale 0.001 (code) or 1.0 (paper).
        pool: "topk5" (code) or "gmp" (paper).
        dropout: float in [0, 1), on each stage's map before the diversification; the contest's entry has 0.2.
    Returns:
        Model, not compiled: RGB in [0, 255] (B, H, W, 3) -> float32 (B, num_classes), softmax of the sum of the four
        heads' logits. Its branches are "stage3", "stage4", "stage5" and "concat", with loss weights 2, 2, 2 and 1.
    Raises:
        InputError: a value is out of range, the trunk lacks a tap, or a map does not split into strips.
    """
    if num_classes < 2:
        raise InputError(f"classes: must be at least 2, got {num_classes}")
    if width < 2 or width % 2:
        raise InputError(f"head_width: must be an even number of at least 2, got {width}")
    if pool not in POOLS:
        raise InputError(f"pool: {pool!r} is not one of {', '.join(POOLS)}")
    images, boosted = _boosted(trunk, taps, strip_axis=strip_axis, alpha=alpha, beta=beta)
    maps = []
    for stage, x in zip(STAGES, boosted, strict=True):
        x = _conv_block(x, width, f"head_{stage}")
        maps.append(layers.Dropout(dropout, name=f"head_{stage}_dropout")(x) if dropout else x)
    maps = Diversification(gamma=gamma, scale=fdm_scale, name="head_diversification")(maps)
    vectors = {
        stage: TopKPooling2D(POOLS[pool], name=f"head_{stage}_pool", dtype="float32")(x)
        for stage, x in zip(STAGES, maps, strict=True)
    }
    vectors["concat"] = layers.Concatenate(name="head_concat", dtype="float32")(list(vectors.values()))
    logits = {name: _head(vector, width // 2, num_classes, f"head_{name}") for name, vector in vectors.items()}
    votes = layers.Add(name="head_sum", dtype="float32")(list(logits.values()))
    answer = layers.Activation("softmax", name=ANSWER, dtype="float32")(votes)
    branches = {name: Branch(loss_weight) for name, loss_weight in LOSS_WEIGHTS.items()}
    return BranchedClassifier(images, answer, logits=logits, branches=branches, name=f"fbsd-{trunk.name}")


def strip_weights(model: BranchedClassifier) -> keras.Model:
    """Return a model images -> {"stage3": float32 (B, 8), "stage4": (B, 4), "stage5": (B, 2)}; each row sums to 1."""
    return keras.Model(model.input, {stage: model.get_layer(f"head_{stage}_strips").output[2] for stage in STAGES})


def _boosted(trunk, taps, *, strip_axis, alpha, beta):
    """Copy a trunk up to its last tap, with a StripAttention after each tap; return its input and the boosted maps."""
    names = [layer.name for layer in trunk.layers]
    missing = [tap for tap in taps if tap not in names]
    if len(taps) != len(STAGES) or missing:
        raise InputError(
            f"taps: expected {len(STAGES)} layers of {trunk.name}, which has no {', '.join(missing or taps)}"
        )
    trunk = keras.Model(trunk.input, trunk.get_layer(taps[-1]).output)
    boosted = {}

    def call(layer, *args, **kwargs):
        x = layer(*args, **kwargs)
        if layer.name not in taps:
            return x
        stage = taps.index(layer.name)
        attention = StripAttention(
            STRIPS[stage], axis=strip_axis, alpha=alpha, beta=beta, name=f"head_{STAGES[stage]}_strips"
        )
        boosted[layer.name], suppressed, _ = attention(x)
        return suppressed

    copy = copied(trunk, call=call)
    return copy.input, [boosted[tap] for tap in taps]


def _conv_block(x, width, name):
    # torch's momentum 0.01 is the weight of the new value, so it is 0.99 here
    for i, (filters, kernel) in enumerate(((width // 2, 1), (width, 3)), start=1):
        start = torch_values.kernel()
        x = layers.Conv2D(
            filters, kernel, padding="same", use_bias=False, kernel_initializer=start, name=f"{name}_conv{i}"
        )(x)
        x = layers.BatchNormalization(momentum=0.99, epsilon=1e-5, name=f"{name}_bn{i}")(x)
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
    return x


def _head(vector, units, num_classes, name):
    vector = _normalised(vector, f"{name}_vector_bn")
    x = _normalised(_dense(vector, units, f"{name}_hidden"), f"{name}_hidden_bn")
    x = layers.ELU(name=f"{name}_elu", dtype="float32")(x)
    return _dense(x, num_classes, f"{name}_logits")


def _normalised(x, name):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name, dtype="float32")(x)


def _dense(x, units, name):
    return layers.Dense(units, name=name, dtype="float32", **torch_values.of(x.shape[-1]))(x)
