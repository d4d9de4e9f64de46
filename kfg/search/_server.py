"""What the server of trials imports before anything else; see kfg.search.process. Nothing else imports it.

The standard library's server only imports the modules it is given. This one imports Keras, and TensorFlow with it, as
a program of kfg does. The environment and the error stream are afterwards what they were.
"""

from kfg import keras_settings, quiet

with quiet.dropped_errors(), keras_settings.set_aside():
    import keras  # noqa: F401
