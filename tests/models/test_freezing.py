import keras
import numpy as np
import pytest
from keras import layers

from kfg.errors import InputError
from kfg.models import backbones, freezing
from kfg.models.catalogue import shapes_only


@pytest.fixture(scope="module")
def nets():
    """Shapes of the studies' classifiers, each built once."""
    built = {}

    def net(name, classes):
        if (name, classes) not in built:
            side = max(32, backbones.BACKBONES[name].smallest)
            built[name, classes] = shapes_only(
                lambda: backbones.classifier(name, num_classes=classes, image_size=(side, side), weights="none")
            )
        return built[name, classes]

    return net


# convolutions of the Inception nets' last blocks, whose layers have no names of their own
MIXED10 = 2048 * (320 + 384 + 448 + 192) + 9 * 448 * 384 + 4 * 3 * 384 * 384
BLOCK8_10 = 2080 * (192 + 192) + 3 * (192 * 224 + 224 * 256) + (192 + 256) * 2080 + 2080


@pytest.mark.parametrize(
    ("name", "classes", "policy", "count"),
    [
        ("efficientnet-b0", 200, "none", 4_263_748),  # cub200
        ("efficientnet-b0", 200, "last-block+bn", 1_010_200),
        ("efficientnet-b2", 200, "none", 7_982_794),
        ("efficientnet-b2", 200, "last-block+bn", 2_229_136),
        ("efficientnet-b2", 3, "none", 7_705_221),  # fruit3
        ("efficientnet-b0", 200, "head", 256_200),
        ("efficientnet-b0", 200, "re:^block7a_", 717_232),  # the last block with its own normalisations
        ("efficientnet-b0", 200, "all", 0),
        ("efficientnet-b0", 200, "stages:5", 4_263_748),
        ("resnet50", 3, "stages:1", 14_982_147),  # conv5_* by hand: convolutions with bias, gamma and beta; head
        ("vgg16", 3, "last-block+bn", 3 * (9 * 512 * 512 + 512) + 512 * 3 + 3),
        ("inception-v3", 3, "last-block+bn", MIXED10 + 17_216 + 2048 * 3 + 3),  # the block, every beta, the head
        ("inception-resnet-v2", 3, "last-block+bn", BLOCK8_10 + 30_272 + 1536 * 3 + 3),
    ],
)
def test_policies_train_the_studies_numbers_of_parameters(nets, name, classes, policy, count):
    model = nets(name, classes)
    freezing.apply(model, policy)
    assert freezing.trainable_count(model) == count


def test_the_frozen_part_of_a_policy_is_the_one_named(nets):
    model = nets("efficientnet-b0", 200)
    freezing.apply(model, "stages:1")
    training = [layer.name for layer in model.layers if layer.trainable_variables]
    assert training[0] == "block6a_expand_conv"
    assert training[-1] == "head"
    freezing.apply(model, "head", batch_norm="train")
    training = {type(layer) for layer in model.layers if layer.trainable_variables}
    assert training == {layers.BatchNormalization, layers.Dense}


def tiny():
    """A trunk of a convolution and a normalisation, and a head; weights off their initial values."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(images)
    x = layers.BatchNormalization(momentum=0.5, name="bn")(x)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    model = keras.Model(images, layers.Dense(2, activation="softmax", name="head")(features), name="tiny")
    model.get_layer("bn").set_weights([np.full(4, value, np.float32) for value in (1.5, 0.5, 2.0, 3.0)])
    return model


IMAGES = np.random.default_rng(0).random((16, 8, 8, 3), dtype=np.float32) * 255
LABELS = np.arange(16) % 2


@pytest.mark.parametrize(
    ("batch_norm", "statistics_move", "gamma_moves"),
    [("frozen", False, False), ("fixed", False, False), ("stats", True, False), ("train", True, True)],
)
def test_batch_norm_of_a_frozen_trunk(batch_norm, statistics_move, gamma_moves):
    model = tiny()
    freezing.apply(model, "head", batch_norm=batch_norm)
    bn = model.get_layer("bn")
    gamma, beta, mean, _ = bn.get_weights()
    kernel = model.get_layer("conv").get_weights()[0]
    maps = np.asarray(model.get_layer("conv")(IMAGES))
    normalised = np.asarray(bn(maps, training=True))  # moves the statistics once where they move
    # torch in train(): by the batch's own mean and variance, whether frozen or not
    centred = (maps - maps.mean((0, 1, 2))) / np.sqrt(maps.var((0, 1, 2)) + bn.epsilon) * gamma + beta
    assert np.allclose(normalised, centred, atol=1e-3) is statistics_move
    expected = 0.5 * mean + 0.5 * maps.mean((0, 1, 2)) if statistics_move else mean
    np.testing.assert_allclose(bn.get_weights()[2], expected, rtol=1e-4)

    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="sparse_categorical_crossentropy")
    before = bn.get_weights()
    model.train_on_batch(IMAGES, LABELS)
    after = bn.get_weights()
    moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert moved == [gamma_moves, gamma_moves, statistics_move, statistics_move]
    np.testing.assert_array_equal(model.get_layer("conv").get_weights()[0], kernel)


def test_fixed_batch_norm_does_not_learn_in_the_trained_part_either():
    model = tiny()
    freezing.apply(model, "none", batch_norm="fixed")
    assert freezing.trainable_count(model) == 112 + 10 and not model.get_layer("bn").trainable


def test_applying_a_policy_forgets_the_one_before():
    model = tiny()
    full = freezing.trainable_count(model)
    for batch_norm in freezing.BATCH_NORM:
        freezing.apply(model, "all", batch_norm=batch_norm)
        assert freezing.trainable_count(model) == (8 if batch_norm == "train" else 0)
    freezing.apply(model, "all", batch_norm="stats")
    freezing.apply(model, "none")
    assert freezing.trainable_count(model) == full == 112 + 8 + 10


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("some", "freeze: 'some' is not one of none, all, head"),
        ("stages:", "freeze: 'stages:' is not one of"),
        ("stages:0", "freeze: stages:0 must be from stages:1 to stages:3 for inception-v3"),
        ("stages:two", "from stages:1 to stages:3"),
        ("last-block", "freeze: 'last-block' is not one of"),
        ("re:(", r"freeze: re:\( is not a regular expression"),
        ("re:^block9", "finds no layer of inception-v3 that has weights"),
    ],
)
def test_a_policy_that_says_nothing_is_refused(nets, policy, message):
    with pytest.raises(InputError, match=message):
        freezing.apply(nets("inception-v3", 3), policy)


def test_modes_and_models_without_parts_are_refused():
    with pytest.raises(InputError, match="batch_norm: 'eval' is not one of frozen, stats, train, fixed"):
        freezing.apply(tiny(), "head", batch_norm="eval")
    with pytest.raises(InputError, match=r"stages:1 needs a model of kfg\.models\.backbones, not tiny"):
        freezing.apply(tiny(), "stages:1")
    with pytest.raises(InputError, match="plain has no layer 'features' between trunk and head"):
        freezing.apply(keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="plain"), "head")


def test_the_budget_counts_frozen_parameters_too(nets):
    model = nets("efficientnet-b2", 200)
    freezing.apply(model, "head")
    freezing.check_budget(model, "10M")
    freezing.check_budget(model, 8_050_369)  # as Keras counts, moving statistics and all
    with pytest.raises(
        InputError, match="max-params: efficientnet-b2 has 8,050,369 parameters, but only 8,000,000 are allowed"
    ):
        freezing.check_budget(model, "8M")


@pytest.mark.parametrize(("text", "count"), [("10M", 10**7), ("500k", 500_000), ("4263748", 4_263_748), (12, 12)])
def test_counts_are_read(text, count):
    assert freezing.parse_count(text) == count


@pytest.mark.parametrize("text", ["", "M", "-1M", "0", "10 MB", "nan", "infM", "1.5", "ten"])
def test_other_counts_are_refused(text):
    with pytest.raises(InputError, match="expected a number of parameters like 10M"):
        freezing.parse_count(text)


@pytest.mark.parametrize(
    ("name", "policy", "batch_norm", "constant"),
    [
        ("efficientnet-lite0", "head", "frozen", True),
        ("efficientnet-lite0", "head", "stats", False),  # moving statistics move
        ("efficientnet-lite0", "last-block+bn", "frozen", False),
        ("efficientnet-lite0", "none", "frozen", False),
        ("efficientnet-b0", "head", "frozen", False),  # drop-connect acts in frozen blocks too
    ],
)
def test_features_are_constant_only_where_nothing_before_them_learns_or_is_random(
    nets, name, policy, batch_norm, constant
):
    model = nets(name, 3)
    freezing.apply(model, policy, batch_norm=batch_norm)
    assert freezing.is_constant(model) is constant
