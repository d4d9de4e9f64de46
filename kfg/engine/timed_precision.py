"""What `--precision auto` chose, kept in the folder of the runs: those to be compared are trained alike."""

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


def chosen(out, build, compiled, *, batch_size: int) -> tuple[str, bool, dict[str, float]]:
    """Return the precision of a net, timed where no run in `out` has done so for a net like it on this machine.

    Args:
        out: folder of the runs.
        build: function () -> Keras model; nets of the same input, types of layers and numbers of parameters are alike.
        compiled: function jit_compile -> compiled model.
        batch_size: images of a training step.
    Returns:
        (precision, jit_compile, images/s of each candidate).
    Raises:
        InputError: a damaged file, a folder that cannot be written.
    """
    net = build()
    layers, options = " ".join(type(layer).__name__ for layer in net.layers), precision.candidates(net)
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
    del net  # may be large, and so may be those to come
    path = pathlib.Path(out) / FILE
    with exclusive(path.with_suffix(".lock")):  # another command may be timing the same net
        known = _known(path)
        found = next((one for one in known if of.items() <= one.items()), None)
        if found is None:
            made = precision.choose(compiled, options, batch_size=batch_size)
            found = {**of, **dict(zip(("precision", "jit_compile", "images_per_second"), made, strict=True))}
            write_json(path, [*known, found])
    print(f"precision: {precision.label(found['precision'], found['jit_compile'])}")
    return found["precision"], found["jit_compile"], found["images_per_second"]


def _known(path) -> list[dict]:
    """Return what was timed before; InputError where the file is damaged."""
    known = read_json(path) if path.is_file() else []
    whole = {"precision", "jit_compile", "images_per_second"}
    if not isinstance(known, list) or not all(isinstance(one, dict) and whole <= one.keys() for one in known):
        raise InputError(f"{path}: damaged, it is no list of timed nets; remove it, they are timed again")
    return known
