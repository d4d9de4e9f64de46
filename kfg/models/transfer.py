"""Begin with the weights of another run's net: everything but the layers that name its classes."""

from kfg.errors import InputError
from kfg.models import saved


def begin_from(model, path, *, replaced) -> None:
    """Copy the weights of a saved net into another of the same kind, layer by layer; all or nothing.

    Args:
        model: flat Keras model, as built.
        path: its fore-runner's `model.keras`.
        replaced: function name of a layer -> whether it is the new model's own and stays as it was made: the layers
            that have a row for each class.
    Raises:
        InputError: missing, damaged, or a net of another name, other layers or sizes; the message names the file
            and the difference.
    """
    earlier = saved.load(path)
    theirs, own = ({layer.name: layer for layer in net.layers if layer.weights} for net in (earlier, model))
    unlike = sorted(theirs.keys() ^ own.keys())
    if unlike:
        where = "it has no" if unlike[0] in own else "it has a"
        raise InputError(f"{path}: another net than {model.name}: {where} layer {unlike[0]}")
    if earlier.name != model.name:  # MMAL-Net's layers with weights are those of its plain trunk
        raise InputError(f"{path}: another net than {model.name}: it is {earlier.name}")
    kept = [name for name in own if not replaced(name)]
    for name in kept:
        shapes = [[tuple(weight.shape) for weight in net[name].weights] for net in (theirs, own)]
        if shapes[0] != shapes[1]:
            raise InputError(f"{path}: another net than {model.name}: {name} has {shapes[0]}, {shapes[1]} are needed")
    for name in kept:
        own[name].set_weights(theirs[name].get_weights())
