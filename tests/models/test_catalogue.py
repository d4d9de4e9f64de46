import keras
import model_sizes
import pytest

from kfg.errors import InputError
from kfg.models import backbones, catalogue, sizes


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    [
        ("convnet3", 2_153_940, 1.903),  # study imagenet20
        ("fruit3-cnn", 9_966_691, 0.099),  # study fruit3
        ("fruit3-mlp", 68_851_023, 0.069),
        ("mobilenet-v2", 2_257_984 + 1280 * 3 + 3, 0.299),  # the papers': depthwise convolutions
        ("resnet50", 23_587_712 + 2048 * 3 + 3, 3.856),
        ("convnext-tiny", 27_820_128 + 768 * 3 + 3, 4.455),  # grouped convolutions, dense layers on maps
    ],
)
def test_counts_and_costs_are_those_of_studies_and_papers(name, parameters, gmacs):
    row = sizes.describe(name, num_classes=20 if name == "convnet3" else 3)
    assert (row["parameters"], row["gmacs"]) == (parameters, gmacs)
    assert row["trainable"] <= parameters


def test_every_trunk_and_baseline_is_listed():
    assert set(backbones.BACKBONES) < set(catalogue.MODELS)
    assert {"convnet1", "fruit3-cnn", "fruit3-mlp", "retail258-cnn"} < set(catalogue.MODELS)


def test_macs_of_grouped_depthwise_and_dense_layers_on_maps():
    inputs = keras.Input((6, 6, 4))
    x = keras.layers.Conv2D(8, 3, groups=2)(inputs)  # 16 places x (9 x 2) x 8
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)  # 16 places x 9 x 8
    x = keras.layers.Dense(5)(x)  # 16 places x 8 x 5
    assert catalogue.macs(keras.Model(inputs, x)) == 16 * (9 * 2 * 8 + 9 * 8 + 8 * 5)


def test_macs_of_a_layer_count_each_call_in_this_graph_only():
    inputs = keras.Input((6, 6, 4))
    convolution = keras.layers.Conv2D(4, 3, padding="same")
    once = convolution(inputs)
    twice = convolution(once)
    assert catalogue.macs(keras.Model(inputs, twice)) == 2 * 36 * 9 * 4 * 4
    assert catalogue.macs(keras.Model(inputs, once)) == 36 * 9 * 4 * 4


@pytest.mark.parametrize(("name", "trunks"), [("mmal-resnet50", 2), ("fbsd-resnet50", 1)])
def test_attention_nets_cost_their_trunks_at_448_pixels_and_their_blocks(name, trunks):
    row = sizes.describe(name, num_classes=200)
    trunk = 4 * 3.855925  # of 224 pixels
    blocks = 20.858 if name.startswith("fbsd") else 0
    assert row["gmacs"] == pytest.approx(trunks * trunk + blocks, abs=0.01)


def test_the_table_lists_every_model_and_nothing_else():
    assert list(sizes.table()) == list(catalogue.MODELS)


@pytest.mark.parametrize("name", ["convnet3", "retail258-cnn", "mobilenet-v3-small", "fbsd-efficientnet-lite0"])
def test_the_table_has_the_figures_of_the_built_nets(name):
    """Some of them; `python tools/model_sizes.py --check` builds all."""
    built, told = model_sizes.counted(name, 258), sizes.describe(name, num_classes=258)
    assert (built["parameters"], built["trainable"]) == (told["parameters"], told["trainable"])
    assert round(built["macs"] / 1e9, 3) == told["gmacs"]


def test_a_figure_that_is_off_is_found(monkeypatch):
    assert model_sizes.wrong(["convnet3"]) == []
    off = {**sizes.table()["convnet3"], "macs": [0, 0]}
    monkeypatch.setitem(sizes.table(), "convnet3", off)
    assert model_sizes.wrong(["convnet3"]) == ["convnet3"]


def test_unknown_names_and_too_few_classes_are_refused():
    with pytest.raises(InputError, match="model: 'convnet9' is not one of convnet1"):
        catalogue.build("convnet9", num_classes=20)
    with pytest.raises(InputError, match="classes: must be at least 2, got 1"):
        catalogue.build("convnet1", num_classes=1)


def test_counting_leaves_nothing_to_fill_in_later():
    model = catalogue.shapes_only(lambda: catalogue.build("retail258-cnn", num_classes=3))
    with keras.StatelessScope():  # fills in, on leaving, what this thread remembers
        pass
    assert all(variable._value is None for variable in model.variables)
