"""What the sub-commands of `kfg` do: each a library call, its words from the command line, its answer to the screen.

TensorFlow is imported only by those that need it.
"""
