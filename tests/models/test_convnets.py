import numpy as np
import pytest

from kfg.errors import InputError
from kfg.models.convnets import convnet

# The study's printed table: name, output (H, W, C), parameters.
PRINTED = [
    ("conv1", (66, 43, 128), 3_584),
    ("conv2", (64, 41, 64), 73_792),
    ("conv3", (62, 39, 128), 73_856),
    ("conv4", (58, 35, 128), 409_728),
    ("conv5", (58, 35, 256), 295_168),
    ("pool1", (19, 11, 256), 0),
    ("conv6", (17, 9, 128), 295_040),
    ("conv7", (13, 5, 128), 409_728),
    ("conv8", (13, 5, 256), 295_168),
    ("pool2", (4, 1, 256), 0),
    ("dense1", (256,), 262_400),
    ("dense2", (128,), 32_896),
    ("probabilities", (20,), 2_580),
]


def test_every_layer_has_the_printed_shape_and_count():
    model = convnet(num_classes=20, image_size=(68, 45))
    for name, shape, count in PRINTED:
        layer = model.get_layer(name)
        assert layer.output.shape[1:] == shape, name
        assert layer.count_params() == count, name
    assert model.count_params() == sum(count for *_, count in PRINTED) == 2_153_940


def test_dropouts_stand_where_the_study_put_them():
    names = [layer.name.rstrip("_0123456789") for layer in convnet(num_classes=20, image_size=(68, 45)).layers]
    after = [names[i - 1] for i, name in enumerate(names) if name == "dropout"]
    assert after == ["conv", "conv", "pool", "conv", "conv", "dense"]


def test_l2_is_a_hundredth_of_the_sum_of_squares_on_the_named_kernels_only():
    model = convnet(num_classes=3, image_size=(40, 40), width=0.05, l2_on=("conv5", "conv8"))
    kernels = [model.get_layer(name).kernel.numpy() for name in ("conv5", "conv8")]
    expected = 0.01 * sum((kernel**2).sum() for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
    assert expected > 0


def test_raw_pixels_go_in_and_probabilities_come_out():
    model = convnet(num_classes=3, image_size=(37, 37), width=0.05)
    images = np.random.default_rng(0).integers(0, 256, (2, 37, 37, 3), dtype=np.uint8)
    probabilities = model(images).numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities, model(images.astype("float32")).numpy())


@pytest.mark.parametrize(("kernel", "smallest"), [(3, 29), (5, 37), (7, 45)])
def test_the_smallest_image_leaves_one_cell_with_every_kernel(kernel, smallest):
    model = convnet(num_classes=3, image_size=(smallest, smallest), width=0.05, kernel=kernel)
    assert model.get_layer("pool2").output.shape[1:3] == (1, 1)
    assert model.get_layer("conv4").kernel.shape[:2] == (kernel, kernel)
    with pytest.raises(InputError, match=f"at least {smallest} x {smallest}"):
        convnet(num_classes=3, image_size=(smallest - 1, smallest), kernel=kernel)


def test_dense_layers_have_a_width_of_their_own():
    model = convnet(num_classes=3, image_size=(40, 40), width=0.5, dense_width=0.25)
    assert (model.get_layer("dense1").units, model.get_layer("dense2").units) == (32, 16)
    assert model.get_layer("conv5").filters == 128


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"image_size": (36, 60)}, "image_size: 36 x 60 leaves nothing to pool; give at least 37 x 37"),
        ({"image_size": (68, 45), "l2_on": ("conv9",)}, "l2_on: unknown layer 'conv9'; choose from conv1"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, said):
    with pytest.raises(InputError, match=said):
        convnet(num_classes=3, **arguments)
