"""What is taken from the inside of Keras is there, in the Keras that is installed, and does what it is taken for."""

import ast
import pathlib

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import kfg
from kfg import keras_private

PRIVATE = (
    "_jit_compile", "_outbound_nodes", "_inbound_nodes", "_functional", "_run_through_graph", "_nodes_by_depth",
    "_maybe_symbolic_build",
)  # fmt: skip


def chain():
    return [keras.Input((4,)), layers.Dense(3, name="one"), layers.ReLU(name="two")]


def test_xla_is_switched():
    model = keras.Sequential(chain())
    model.compile(optimizer="sgd", loss="mse", jit_compile=False)
    keras_private.set_jit_compile(model, True)
    assert model.jit_compile is True
    keras_private.set_jit_compile(model, False)
    assert model.jit_compile is False


def test_fit_on_devices_does_not_build_a_built_model_again(monkeypatch):
    built = []
    monkeypatch.setattr(keras.Model, "_symbolic_build", lambda model, **_: built.append(model))
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = keras.Sequential(chain())
        model.compile(optimizer="sgd", loss="mse")
    x, y = np.ones((2, 4), np.float32), np.ones((2, 3), np.float32)
    model.fit(x, y, verbose=0)
    assert built == [model]
    keras_private.leave_out_symbolic_build(model)
    model.fit(x, y, verbose=0)
    assert built == [model]


def test_the_graph_of_a_sequential_model_and_who_takes_an_output():
    model = keras.Sequential(chain())
    graph = keras_private.graph_of(model)
    assert [one.name for one in graph.operations if one.name != "input_layer"][-2:] == ["one", "two"]
    assert keras_private.graph_of(graph) is graph
    keras.Model(graph.get_layer("one").output, graph.output)  # another model of the same layers has its own calls
    one, two = (
        next(call for call in keras_private.calls(graph) if call.operation.name == name) for name in ("one", "two")
    )
    assert len(keras_private.calls(graph)) == 3 and one.output_tensors == two.input_tensors


def test_a_graph_is_gone_through_from_other_inputs():
    images, (first, *rest) = keras.Input((4,)), chain()
    model = keras.Sequential([first, *rest])
    met = []

    def operation(layer):
        met.append(layer.name)
        return layer

    again = keras.Model(
        images,
        keras_private.run_through(
            keras_private.graph_of(model), images, operation=operation, call=lambda layer, *args, **_: layer(*args)
        ),
    )
    assert met == ["one", "two"]
    data = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(np.asarray(again(data)), np.asarray(model(data)))


def test_no_other_module_uses_private_names():
    found = []
    for path in pathlib.Path(kfg.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        found += [path.name for name in PRIVATE if name in names]
        found += [
            path.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras.src")
        ]
    assert set(found) == {"keras_private.py"}
