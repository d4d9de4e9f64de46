"""The first import of the server of trial processes, see kfg.search.process. Nothing else imports this module.

The standard library's server only imports the modules that it is given. This one imports Keras, and with it TensorFlow,
in the way a program of kfg does. Afterwards, the environment and the error stream are as they were before.
"""

from kfg import keras_settings, quiet

with quiet.dropped_errors(), keras_settings.set_aside():
    import keras  # noqa: F401
