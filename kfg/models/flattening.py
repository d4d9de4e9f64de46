"""Turn a model that contains other models, as in Keras's guides to transfer learning, into one flat graph of layers."""

import keras

from kfg import keras_private


def is_nested(model) -> bool:
    """Return whether a model contains another model whose layers are accessible, see `is_open`."""
    return any(is_open(layer) for layer in getattr(model, "layers", ()))


def is_open(model) -> bool:
    """Return whether the layers of a model can be accessed and copied, as in functional and sequential models."""
    return isinstance(model, keras.Sequential) or type(model).__name__ == "Functional"


def has_graph(model) -> bool:
    """Return whether a model is a graph of layers (perhaps with own methods), not code that calls layers."""
    return isinstance(model, keras.Sequential) or hasattr(model, "operations")


def all_layers(model):
    """Yield the layers of a model; in place of a model in it, that model's layers."""
    for layer in model.layers:
        yield from all_layers(layer) if isinstance(layer, keras.Model) else [layer]


def flatten(model) -> keras.Model:
    """Return a copy of a model in which the layers of each inner model take its place.

    A model that contains no model, or has a class of its own, is returned as it is. If two layers have the same name,
    the second one gets a number.

    Args:
        model: Keras model with one input.
    Example:
        >>> trunk = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
        >>> net = keras.Sequential([keras.Input((8, 8, 3)), trunk, keras.layers.Flatten(name="flat")])
        >>> [layer.name for layer in flatten(net).layers[1:]]
        ['conv', 'flat']
    """
    if not (is_open(model) and is_nested(model)):
        return model
    copies, names = {}, _names(model)

    def copied(layer):
        if is_open(layer) or not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.layers.Lambda):
            return layer  # `called` copies an inner model's layers; a layer without weights can be in two graphs
        if layer not in copies:
            copies[layer] = type(layer).from_config({**layer.get_config(), "name": names[layer]})
        return copies[layer]

    def called(layer, *args, **kwargs):
        if isinstance(layer, keras.Sequential):
            (x,) = args
            for step in layer.layers:
                x = called(copied(step), x)
            return x
        if is_open(layer):
            return keras_private.run_through(layer, args[0], operation=copied, call=called)
        return layer(*args, **kwargs)

    images = keras.Input(model.input_shape[1:], name="images")
    flat = keras.Model(images, called(model, images), name=model.name)
    for layer, copy in copies.items():
        if layer.weights:
            copy.set_weights(layer.get_weights())
        if isinstance(copy, keras.layers.Normalization):
            copy.finalize_state()  # a Normalization computes with copies of its weights, which this updates
    return flat


def _names(model) -> dict:
    """Return layer -> a name of its own, for all layers in a model and in the models in it.

    Layers that come first keep their names, in the order of `layers`, which Keras sorts. Keras runs through a model in
    another order, in which the second of two inner models may come first.
    """
    names, taken = {}, set()

    def add(inside):
        for layer in inside.layers:
            if is_open(layer):
                add(layer)
            elif layer not in names:
                name, number = layer.name, 2
                while name in taken:
                    name, number = f"{layer.name}_{number}", number + 1
                names[layer] = name
                taken.add(name)

    add(model)
    return names
