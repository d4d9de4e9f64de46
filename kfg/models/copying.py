"""Copies of flat models, with something put in on the way."""

import keras


def copied(model: keras.Model, *, images=None, call=None) -> keras.Model:
    """Return a flat model of new layers with the same names and weights.

    Args:
        model: functional model without nesting, one input.
        images: the copy's input, a keras.Input, for another size than the model's; default one like it.
        call: function (layer, *arguments, **options) -> outputs, what each layer's call becomes; default the layer's.
    """
    copy = keras.models.clone_model(model, input_tensors=images, call_function=call)
    for layer in model.layers:
        if layer.weights:
            values = {}
            layer.save_own_variables(values)
            # not set_weights: a Normalization makes constants of its variables when they are loaded
            copy.get_layer(layer.name).load_own_variables(values)
    return copy
