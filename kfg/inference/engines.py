"""The engines besides TensorFlow, by name. Each reads files of its own, which are converted from the Keras model."""

import importlib.metadata
import importlib.util
import typing
from collections.abc import Callable

import numpy as np

Answer = Callable[[np.ndarray], np.ndarray]  # function uint8 (B, H, W, 3) of the net's size -> float32 (B, ...)


class Engine(typing.Protocol):
    """The interface of an engine in this module.

    Attributes:
        title: name for a reader.
        modules: Python modules that must be installed.
        package: package whose version decides files and speed.
    """

    title: str
    modules: tuple[str, ...]
    package: str

    def write(self, model, folder) -> None:
        """Convert a Keras model and write it; InputError if the engine lacks an operation."""

    def opened(self, folder) -> Answer:
        """Return a function that computes answers with the converted model; InputError if its files are damaged."""


class OpenVINO:
    """OpenVINO, the fastest on most processors."""

    title, modules, package = "OpenVINO", ("openvino",), "openvino"

    def write(self, model, folder) -> None:
        from kfg.inference import openvino_graph

        openvino_graph.save(openvino_graph.convert(model, any_size=False), folder / "model.xml")

    def opened(self, folder) -> Answer:
        from kfg.inference import openvino_graph

        return openvino_graph.opened_for_many(folder / "model.xml")


class OnnxRuntime:
    """ONNX Runtime."""

    title, modules, package = "ONNX Runtime", ("onnxruntime", "onnx", "tf2onnx"), "onnxruntime"

    def write(self, model, folder) -> None:
        import onnx

        from kfg.inference import onnx_graph

        onnx.save(onnx_graph.convert(model, any_size=False), folder / "model.onnx")

    def opened(self, folder) -> Answer:
        from kfg.inference import onnx_graph

        return onnx_graph.opened(folder / "model.onnx")


TENSORFLOW = "tensorflow"
# in order of preference: a later engine must be clearly faster to be chosen
ENGINES: dict[str, Engine] = {"openvino": OpenVINO(), "onnxruntime": OnnxRuntime()}


def titled(name: str) -> str:
    """Return an engine's name for a reader.

    Example:
        >>> titled("onnxruntime"), titled("tensorflow")
        ('ONNX Runtime', 'TensorFlow')
    """
    return "TensorFlow" if name == TENSORFLOW else ENGINES[name].title


def at_hand() -> dict[str, str]:
    """Return the installed engines, each with its version; TensorFlow is not included."""
    there = {name: one for name, one in ENGINES.items() if all(map(importlib.util.find_spec, one.modules))}
    return {name: importlib.metadata.version(one.package) for name, one in there.items()}
