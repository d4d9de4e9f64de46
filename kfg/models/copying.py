"""Copy flat models, with changes to the calls of their layers."""

import keras


def copied(model: keras.Model, *, images=None, call=None) -> keras.Model:
    """Return a flat model of new layers with the same names and weights.

    Args:
        model: functional model without nesting and with one input.
        images: a keras.Input for the copy, to give it another image size; default: an input like the model's.
        call: function (layer, *arguments, **options) -> outputs, used in place of each layer's call; default: the call.
    """
    copy = keras.models.clone_model(model, input_tensors=images, call_function=call)
    for layer in model.layers:
        if layer.weights:
            values = {}
            layer.save_own_variables(values)
            # not set_weights: only when its variables are loaded, a Normalization makes constants of them
            copy.get_layer(layer.name).load_own_variables(values)
    return copy
