"""What other runtimes once took for further inputs or outputs: the mean of a Normalization layer, a swish."""

import keras
import numpy as np
import pytest


@pytest.fixture
def net():
    """Return a net with a trunk inside, whose first layer is a Normalization, and weights that tell images apart."""
    keras.utils.set_random_seed(0)
    pictures = keras.Input((8, 8, 3))
    x = keras.layers.Normalization(mean=(100, 120, 90), variance=(900, 400, 1600))(pictures)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(x))
    x = keras.layers.Activation("swish")(x)
    trunk = keras.Model(pictures, keras.layers.Flatten()(x), name="trunk")
    images = keras.Input((8, 8, 3))
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(trunk(images)))


@pytest.mark.parametrize("runtime, file", [("onnx", "net.onnx"), ("openvino", "net.xml")])
def test_it_answers_as_the_net_does(net, runtime, file, tmp_path):
    pytest.importorskip(runtime, reason=f"the extra {runtime} is not installed")
    from kfg.inference import onnx_graph, openvino_graph

    mean = net.get_layer("trunk").layers[1].mean
    if runtime == "onnx":
        import onnx

        graph = onnx_graph.convert(net, any_size=True)
        onnx.save(graph, tmp_path / file)
        assert [tensor.name for tensor in graph.graph.input] == ["images"]
        answer = onnx_graph.opened(tmp_path / file)
    else:
        graph = openvino_graph.convert(net, any_size=True)
        assert len(graph.inputs) == len(graph.outputs) == 1
        openvino_graph.save(graph, tmp_path / file)
        answer = openvino_graph.opened(tmp_path / file)
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    expected = net.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(answer(images), expected, atol=1e-5)
    assert expected.std(axis=0).max() > 0.01  # the net tells them apart
    assert net.get_layer("trunk").layers[1].mean is mean  # and is as before
