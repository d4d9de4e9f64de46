"""LiteRT, formerly TensorFlow Lite: one file for Android, iOS and small boards, with built-in operations only.

It takes one image of the model's own size, because LiteRT lacks the antialiased resize of training (TensorFlow's
ScaleAndTranslate). With a batch of one, all sizes inside the net are known, as its fast kernels on phones need.
"""

import contextlib
import io
import json
import os

import numpy as np

from kfg import quiet

TITLE = "LiteRT"
EXTRA, MODULES = "litert", ("ai_edge_litert",)
FILE, PARTS = "model.tflite", ()
ANY_SIZE = ROUNDS = False
JUDGES = True
NOTE = (
    "It takes one image of exactly image_size. Resize photographs first, bilinearly with antialiasing, and round to "
    "whole values. model.json is also in its metadata, under the name kfg."
)
METADATA = "kfg"


def write(shipment, folder) -> None:
    """Write model.tflite; see kfg.exporting.formats.protocol."""
    import tensorflow as tf

    convert(shipment, shipment.judge, folder / FILE, pixels=tf.uint8, supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS])


def convert(shipment, model, path, *, pixels, supported_ops, **options) -> None:
    """Write a LiteRT file with its description inside.

    Args:
        shipment: what is exported.
        model: the Keras model of it that is written, with strangeness or without.
        pixels: type of the images before any rounding.
        supported_ops: sets of operations, from tf.lite.OpsSet.
        options: other options of tf.lite.TFLiteConverter.
    Raises:
        InputError: an operation that LiteRT does not have; the message names the layer.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert_phase import ConverterError

    from kfg.inference.graph import IMAGES, refusal
    from kfg.models import folding

    folded = folding.fold(model)
    signature = [tf.TensorSpec((1, *shipment.image_size, 3), pixels, name=IMAGES)]
    ops = {"target_spec": {"supported_ops": supported_ops}}
    try:
        with quiet.dropped_errors(), contextlib.redirect_stdout(io.StringIO()):  # hide the converter's own notes
            folded.export(path, format="litert", input_signature=signature, verbose=False, **ops, **options)
    except (RuntimeError, ValueError, ConverterError) as error:
        raise refusal(model, "LiteRT", error) from error
    _describe(path, shipment.description)


def _describe(path, description: dict) -> None:
    """Write the description into the file's metadata, and a sentence on its input for programs that show models."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    net = flatbuffer_utils.read_model(str(path))
    height, width = (description["image_size"][side] for side in ("height", "width"))
    net.description = f"Takes one RGB image of {height} x {width} pixels (height x width), values 0 to 255. {NOTE}"
    content = schema.BufferT()
    content.data = np.frombuffer(json.dumps(description, ensure_ascii=False).encode(), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA, len(net.buffers)
    net.buffers.append(content)
    net.metadata = [*(net.metadata or []), entry]
    flatbuffer_utils.write_model(net, str(path))


def opened(folder):
    """Return the function that LiteRT computes, image by image; see kfg.exporting.formats.protocol."""
    return interpreted(folder / FILE)


def interpreted(path):
    """Return a function images -> float32 answers, a list where there are several, by LiteRT on all cores.

    Images go through one by one.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    outputs = sorted(interpreter.get_output_details(), key=lambda one: -len(one["shape"]))  # probabilities first

    def one(pixels):
        interpreter.set_tensor(image["index"], pixels[None].astype(image["dtype"]))
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"])[0] for output in outputs]

    def answers(images):
        found = [np.stack(several) for several in zip(*map(one, np.asarray(images)), strict=True)]
        return found if len(found) > 1 else found[0]

    return answers
