"""Turn a Keras model into an OpenVINO graph, and compute it with OpenVINO on Intel, AMD and ARM processors."""

import contextlib
import logging
import sys

import numpy as np

from kfg.errors import InputError
from kfg.inference.graph import IMAGES, OUTPUTS, function_of, refusal

FAILURES = (  # of OpenVINO's converter, which have no class in common but Exception
    "GeneralFailure", "InitializationFailure", "NotImplementedFailure", "OpValidationFailure",
)  # fmt: skip


def imported():
    """Return the module openvino without its telemetry; otherwise its converter reports each use over the internet."""
    sys.modules.setdefault("openvino_telemetry", None)  # OpenVINO works without modules that it cannot import
    import openvino

    return openvino


def convert(model, *, any_size: bool):
    """Return an OpenVINO model: images uint8 (B, H, W, 3) in [0, 255] -> float32 answers.

    Args:
        model: Keras model, images in [0, 255] (B, H, W, 3) -> answers (B, ...).
        any_size: whether the OpenVINO model takes images of any size and resizes them as training does.
    Returns:
        openvino.Model with input "images" and outputs "probabilities" and, if there is a second one, "strangeness".
    Raises:
        InputError: an operation that OpenVINO does not have; the message names the layer.
    """
    openvino = imported()
    from openvino import frontend

    failures = (getattr(frontend, name) for name in FAILURES)
    function = function_of(model)[0].get_concrete_function()
    try:
        with _logging_as_it_is():
            net = openvino.convert_model(function)
    except frontend.OpConversionFailure as error:
        raise refusal(model, "OpenVINO", error) from error
    except (RuntimeError, ValueError, TypeError, *failures) as error:  # a fault of OpenVINO's own
        why = str(error).strip().splitlines()[-1]
        raise InputError(f"OpenVINO: its converter fails on this model: {why}") from error
    _keep(net, {tensor.name for tensor in function.outputs})
    net.inputs[0].get_node().set_friendly_name(IMAGES)
    net.inputs[0].tensor.set_names({IMAGES})
    for output, name in zip(net.outputs, OUTPUTS, strict=False):
        output.tensor.set_names({name})
    return _with_resize(net) if any_size else net


@contextlib.contextmanager
def _logging_as_it_is():
    """Give the root logger its level, filters and handlers back: OpenVINO's converter keeps its own after an error."""
    root = logging.getLogger()
    level, filters, handlers = root.level, root.filters[:], root.handlers[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.filters[:], root.handlers[:] = filters, handlers


def _keep(net, names) -> None:
    """Leave a model only outputs with these names; OpenVINO makes one of all that is unused, as in a swish."""
    for output in net.outputs:
        if not names & output.get_names():
            net.remove_result(output.get_node())


def _with_resize(net):
    """Return the model with `kfg.data.resizing.resize` before it."""
    from openvino import Layout, Type
    from openvino import opset15 as operations
    from openvino.preprocess import PrePostProcessor, ResizeAlgorithm

    def whole_values(pixels):
        return operations.clamp(operations.round(pixels, "half_to_even"), 0.0, 255.0).output(0)

    steps = PrePostProcessor(net)
    images = steps.input()
    images.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_spatial_dynamic_shape()
    images.model().set_layout(Layout("NHWC"))
    resized = images.preprocess().convert_element_type(Type.f32).resize(ResizeAlgorithm.RESIZE_BILINEAR_PILLOW)
    resized.custom(whole_values).convert_element_type(Type.u8)
    return steps.build()


def save(net, path) -> None:
    """Write the model to `path`, an .xml file, and its weights in full precision to a .bin file beside it."""
    imported().save_model(net, str(path), compress_to_fp16=False)


def opened(path):
    """Return a function images -> float32 answers, or a list of several, by OpenVINO in float32 on all cores.

    Without the precision hint, OpenVINO would use bfloat16 on processors that have it, and answer differently from the
    model.
    """
    compiled = _compiled(path, {"PERFORMANCE_HINT": "LATENCY"})

    def answers(images):
        given = compiled(np.asarray(images))
        found = [np.array(given[number]) for number in range(len(compiled.outputs))]
        return found if len(found) > 1 else found[0]

    return answers


def opened_for_many(path):
    """Return the same function as `opened`, for programs that decode photographs meanwhile.

    Each image is computed by itself, as many at once as suit the processor. If all cores shared each image, a core that
    has to decode photographs would keep the others waiting, and `kfg predict` would answer a fifth fewer images/s. A
    single image takes twice as long in this way.

    Only the caller's thread talks to OpenVINO, without callbacks. Called from several Python threads, each with a
    request of its own, OpenVINO 2026.4.1 came to a standstill after some thousand images.
    """
    compiled = _compiled(path, {"PERFORMANCE_HINT": "THROUGHPUT", "ENABLE_CPU_PINNING": False})
    at_once = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    requests = [compiled.create_infer_request() for _ in range(at_once)]

    def ended(request):
        request.wait()
        return [np.array(output.data[0]) for output in request.output_tensors]

    def answers(images):
        images, rows = np.asarray(images), []
        try:
            for at in range(len(images) + at_once):
                request = requests[at % at_once]
                if 0 <= at - at_once < len(images):
                    rows.append(ended(request))
                if at < len(images):
                    request.start_async([images[at : at + 1]])
        finally:
            for request in requests:  # none is left busy by an error, nor with an error of its own for the next call
                with contextlib.suppress(RuntimeError):
                    request.wait()
        found = [np.stack(values) for values in zip(*rows, strict=True)]
        return found if len(found) > 1 else found[0]

    return answers


def _compiled(path, hints):
    """Compile the model for the processor; InputError if a file of it is missing or damaged."""
    try:
        return imported().Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32", **hints})
    except RuntimeError as error:
        why = str(error).strip().splitlines()[-1]
        raise InputError(f"{path}: OpenVINO cannot read this model: {why}") from error
