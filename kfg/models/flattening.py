"""A model that holds others, as transfer learning is written in Keras's guides, as one graph of layers."""

import keras

from kfg import keras_private


def is_nested(model) -> bool:
    """Return whether a model holds another whose layers can be seen."""
    return any(is_open(layer) for layer in getattr(model, "layers", ()))


def is_open(model) -> bool:
    """Return whether the layers of a model can be seen and copied: it is functional or sequential."""
    return isinstance(model, keras.Sequential) or type(model).__name__ == "Functional"


def has_graph(model) -> bool:
    """Return whether a model is a graph of layers, perhaps with methods of its own, and no code that calls them."""
    return isinstance(model, keras.Sequential) or hasattr(model, "operations")


def flatten(model) -> keras.Model:
    """Return a copy of a model without models in it: each one's layers stand in its place.

    One that holds none, or of a class of its own, comes back itself. A layer's name that is there twice gets a number.

    Args:
        model: Keras model of one input.
    Example:
        >>> trunk = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
        >>> net = keras.Sequential([keras.Input((8, 8, 3)), trunk, keras.layers.Flatten(name="flat")])
        >>> [layer.name for layer in flatten(net).layers[1:]]
        ['conv', 'flat']
    """
    if not (is_open(model) and is_nested(model)):
        return model
    copies, names = [], set()

    def copied(layer):
        if is_open(layer) or not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.layers.Lambda):
            return layer  # `called` goes through its layers; what has no weights can stand in two graphs
        settings, name, number = layer.get_config(), layer.name, 2
        while settings["name"] in names:
            settings["name"], number = f"{name}_{number}", number + 1
        names.add(settings["name"])
        copies.append((layer, type(layer).from_config(settings)))
        return copies[-1][1]

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
    for layer, copy in copies:
        if layer.weights:
            copy.set_weights(layer.get_weights())
        if isinstance(copy, keras.layers.Normalization):
            copy.finalize_state()  # it computes with copies of its weights
    return flat
