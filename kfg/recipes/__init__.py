"""One module per study, each a program: python -m kfg.recipes.NAME.

Importing TensorFlow prints notes on CUDA and oneDNN that no setting silences; a program's own lines should not
drown in them, so here it is imported once with the error stream closed. An import that fails still raises.
"""

import sys

from kfg import quiet

if sys.argv[0] == "-m":  # so it is while Python looks for the module that it is to run
    quiet.end_on_interrupt()  # the import takes seconds
with quiet.tensorflow_notes():
    import tensorflow as tf  # noqa: F401
