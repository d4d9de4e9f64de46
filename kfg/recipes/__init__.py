"""One module per study, each a program: python -m kfg.recipes.NAME."""

import os

# TensorFlow's C++ log, read when it is first imported: its notes on CUDA and oneDNN drown a program's own lines.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
