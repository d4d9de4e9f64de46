"""Turn a Keras model into an ONNX graph, and compute it with ONNX Runtime.

The net itself is converted by tf2onnx from the model's TensorFlow function, and every use compares the answers with the
model's. The resize before the net is kfg's own: opset 18 is the first whose Resize can antialias. With the weights
outside the image excluded, it gives the pixels of training, except for about one value in 20,000 that lies between two
whole numbers.
"""

import contextlib
import functools
import logging
import os

import numpy as np
import tensorflow as tf

from kfg.errors import InputError
from kfg.inference.graph import IMAGES, OUTPUTS, function_of, refusal

OPSET = 18
IR_VERSION = 9  # of the file; ONNX Runtime reads it since 1.14
ERRORS = (ValueError, RuntimeError, LookupError, AttributeError, TypeError, AssertionError)  # of tf2onnx
NO_COPIES = "TF2ONNX_CATCH_ERRORS"  # environment variable
PIXELS = "pixels"  # name of the tensor between the resize and the net


def convert(model, *, any_size: bool):
    """Return an ONNX model: images uint8 (B, H, W, 3) in [0, 255] -> float32 answers.

    Args:
        model: Keras model, images in [0, 255] (B, H, W, 3) -> answers (B, ...).
        any_size: whether the ONNX model takes images of any size and resizes them as training does.
    Returns:
        onnx.ModelProto with input "images" and outputs "probabilities" and, if there is a second one, "strangeness".
    Raises:
        InputError: an operation that ONNX does not have; the message names the layer.
    """
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # an unsupported operation is reported in one line below
    try:
        answers, spec = function_of(model, dtype=tf.float32 if any_size else tf.uint8)
        convert = functools.partial(tf2onnx.convert.from_function, answers, input_signature=[spec], opset=OPSET)
        try:
            with _without_copies():
                net, _ = convert()
        except ERRORS:  # perhaps of an optimisation, which tf2onnx can leave out if it has a copy
            net, _ = convert()
    except ERRORS as error:
        raise refusal(model, "ONNX", error) from error
    lacking = {node.op_type for node in net.graph.node if not onnx.defs.has(node.op_type, node.domain)}
    if lacking:
        raise refusal(model, "ONNX", " ".join(sorted(lacking)))
    del net.opset_import[:]
    net.opset_import.extend([onnx.helper.make_opsetid("", OPSET)])
    net.ir_version = IR_VERSION
    names = dict(zip((tensor.name for tensor in net.graph.output), OUTPUTS, strict=False))
    _rename(net.graph, {**names, net.graph.input[0].name: PIXELS if any_size else IMAGES})
    if any_size:
        height, width = model.input_shape[1:3]
        net = onnx.compose.merge_models(_resize(height, width), net, io_map=[(PIXELS, PIXELS)])
    onnx.checker.check_model(net)
    return net


@contextlib.contextmanager
def _without_copies():
    """Let tf2onnx not copy the graph before each of its optimisations, which it does to go back after an error.

    The copies of a net of 138 million weights took more than 24 GB.
    """
    before = os.environ.get(NO_COPIES)
    os.environ[NO_COPIES] = "FALSE"
    try:
        yield
    finally:
        if before is None:
            del os.environ[NO_COPIES]
        else:
            os.environ[NO_COPIES] = before


def _rename(graph, names: dict[str, str]) -> None:
    """Rename tensors of a graph."""
    for tensor in (*graph.input, *graph.output):
        tensor.name = names.get(tensor.name, tensor.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def _resize(height: int, width: int):
    """Return `kfg.data.resizing.resize` in ONNX: images of any size -> float32 pixels (B, height, width, 3)."""
    from onnx import TensorProto, helper, numpy_helper

    # along the axes as they are: between two transposes, ONNX Runtime 1.32 optimises the sizes away if no convolution
    # follows
    nodes = [
        helper.make_node("Cast", [IMAGES], ["float_pixels"], to=TensorProto.FLOAT),
        helper.make_node(
            "Resize", ["float_pixels", "", "", "image_size"], ["resized"],
            axes=[1, 2], mode="linear", antialias=1, exclude_outside=1, coordinate_transformation_mode="half_pixel",
        ),
        helper.make_node("Round", ["resized"], ["rounded"]),
        helper.make_node("Clip", ["rounded", "darkest", "lightest"], [PIXELS]),
    ]  # fmt: skip
    constants = {
        "image_size": np.array([height, width], np.int64),
        "darkest": np.float32(0),
        "lightest": np.float32(255),
    }
    graph = helper.make_graph(
        nodes,
        "resize",
        [helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, ["batch", "height", "width", 3])],
        [helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["batch", height, width, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def opened(path):
    """Return a function of ONNX Runtime, images -> float32 answers, or a list of them if the model has several.

    Raises:
        InputError: ONNX Runtime cannot compute the model, such as one that cuts boxes out of images; the file is
            missing or damaged.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (state.Fail, state.InvalidGraph, state.NotImplemented) as error:
        raise InputError(f"ONNX: ONNX Runtime cannot compute this model: {_why(error)}") from error
    except (state.InvalidArgument, state.InvalidProtobuf, state.NoSuchFile) as error:
        raise InputError(f"{path}: ONNX Runtime cannot read this file: {_why(error)}") from error
    name = session.get_inputs()[0].name

    def answers(images):
        found = session.run(None, {name: np.asarray(images)})
        return found if len(found) > 1 else found[0]

    return answers


def _why(error) -> str:
    return str(error).strip().splitlines()[0].partition("failed:")[2] or str(error)
