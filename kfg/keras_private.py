"""All that kfg takes from the inside of Keras, where nothing public does it; `tests/test_keras_private.py` tries each.

`setup.cfg` holds Keras below the next version that was not tried.
"""

import keras


def set_jit_compile(model, value: bool) -> None:
    """Say whether XLA compiles the training step; `compile` leaves that out where operations are deterministic."""
    model._jit_compile = value


def graph_of(model) -> keras.Model:
    """Return the functional model that a Sequential keeps of its layers, or a functional model itself."""
    return model._functional if isinstance(model, keras.Sequential) else model


def consumers(layer) -> list:
    """Return the operations that take a layer's output, in whatever graphs it is."""
    return [node.operation for node in layer._outbound_nodes]


def run_through(model, inputs, *, operation, call):
    """Go through a functional model's graph from other inputs, and return what stands for its output.

    Args:
        model: functional.
        inputs: tensors, for its inputs.
        operation: function layer -> the layer to call in its place.
        call: function (layer, *args, **kwargs) -> output.
    """
    return model._run_through_graph(inputs, operation_fn=operation, call_fn=call)
