"""The choice of `--precision auto`, kept in the folder of the runs so that runs to be compared train alike."""

import hashlib
import os
import pathlib
import platform

from kfg.errors import InputError
from kfg.files import read_json, write_json
from kfg.locks import exclusive
from kfg.models import freezing
from kfg.training import precision

FILE = "precisions.json"


def chosen(out, build, compiled, *, batch_size: int, shared: bool = False) -> tuple[str, bool, dict[str, float]]:
    """Return the precision for a net. It is timed, unless a run in `out` has timed a similar net on this machine.

    Args:
        out: folder of the runs.
        build: function () -> Keras model. Nets are similar if they have the same input, types of layers and numbers of
            parameters.
        compiled: function (jit_compile) -> compiled model.
        batch_size: images in a training step.
        shared: whether several devices share the training; XLA cannot compile what they exchange.
    Returns:
        (precision, jit_compile, images/s of each candidate).
    Raises:
        InputError: a damaged file; a folder that cannot be written.
    """
    net = build()
    layers = " ".join(type(layer).__name__ for layer in net.layers)
    options = [option for option in precision.candidates(net) if not (shared and option[1])]
    of = {
        "layers": hashlib.sha256(layers.encode()).hexdigest()[:16],
        "input": list(net.input_shape[1:]),
        "parameters": net.count_params(),
        "trained": freezing.trainable_count(net),
        "batch_size": batch_size,
        "device": precision.device(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }
    del net  # it may be large, and the models to be timed too
    path = pathlib.Path(out) / FILE
    with exclusive(path.with_suffix(".lock")):  # another command may be timing the same net
        known = _known(path)
        found = next((one for one in known if of.items() <= one.items() and one.get("shared", False) == shared), None)
        if found is None:
            made = precision.choose(compiled, options, batch_size=batch_size)
            timed = dict(zip(("precision", "jit_compile", "images_per_second"), made, strict=True))
            found = {**of, "shared": shared, **timed}
            write_json(path, [*known, found])
    print(f"precision: {precision.label(found['precision'], found['jit_compile'])}")
    return found["precision"], found["jit_compile"], found["images_per_second"]


def _known(path) -> list[dict]:
    """Return the earlier timings; InputError if their file is damaged."""
    known = read_json(path) if path.is_file() else []
    whole = {"precision", "jit_compile", "images_per_second"}
    if not isinstance(known, list) or not all(isinstance(one, dict) and whole <= one.keys() for one in known):
        raise InputError(f"{path}: damaged, it is not a list of timed networks; remove it, and they are timed again")
    return known
