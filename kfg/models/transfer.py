"""Begin a training with the weights of another run's net, except for the layers that have a row for each class."""

from kfg.errors import InputError
from kfg.models import saved


def begin_from(model, path, *, replaced) -> None:
    """Copy the weights of a saved net into a net of the same kind, layer by layer; all or nothing.

    Args:
        model: the new, flat Keras model.
        path: the `model.keras` of the earlier run.
        replaced: function (layer name) -> whether the layer keeps the weights of the new model, as layers with a row
            for each class do.
    Raises:
        InputError: the file is missing or damaged, or its net has another name, other layers or other sizes; the
            message names the file and the difference.
    """
    earlier = saved.load(path)
    theirs, own = ({layer.name: layer for layer in net.layers if layer.weights} for net in (earlier, model))
    unlike = sorted(theirs.keys() ^ own.keys())
    if unlike:
        where = "it has no" if unlike[0] in own else "it has a"
        raise InputError(f"{path}: is another network than {model.name}: {where} layer {unlike[0]}")
    if earlier.name != model.name:  # MMAL-Net has the same layers with weights as its plain trunk
        raise InputError(f"{path}: is another network than {model.name}: it is {earlier.name}")
    kept = [name for name in own if not replaced(name)]
    for name in kept:
        shapes = [[tuple(weight.shape) for weight in net[name].weights] for net in (theirs, own)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"{path}: is another network than {model.name}: {name} has {shapes[0]} instead of {shapes[1]}"
            )
    for name in kept:
        own[name].set_weights(theirs[name].get_weights())
