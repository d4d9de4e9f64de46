"""All uses that kfg makes of private parts of Keras, where no public function does the same.

`tests/test_keras_private.py` tests each of them. `setup.cfg` limits Keras to the versions that were tested.
"""

import keras


def set_jit_compile(model, value: bool) -> None:
    """Set whether XLA compiles the training step; `compile` does not use XLA if operations are deterministic."""
    model._jit_compile = value


def leave_out_symbolic_build(model) -> None:
    """Let `fit` of a built model on several devices not build it again, for which it needs shares of one size.

    Keras takes the mean of the devices' first shares to see what they look like, so they may not be of 2 and 3 images.
    """
    model._maybe_symbolic_build = lambda *_, **__: None


def graph_of(model) -> keras.Model:
    """Return the functional model that a Sequential model builds from its layers; any other model is returned as is."""
    return model._functional if isinstance(model, keras.Sequential) else model


def calls(graph) -> list:
    """Return the calls of layers in a functional model, each with `operation`, `input_tensors` and `output_tensors`."""
    return [call for level in graph._nodes_by_depth.values() for call in level]


def run_through(model, inputs, *, operation, call):
    """Run a functional model's graph on other inputs, with layers replaced, and return the output tensors.

    Args:
        model: a functional model.
        inputs: tensors to use in place of the model's inputs.
        operation: function layer -> the layer to call in its place.
        call: function (layer, *args, **kwargs) -> output, which calls the layer.
    """
    return model._run_through_graph(inputs, operation_fn=operation, call_fn=call)
