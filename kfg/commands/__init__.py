"""The functions behind the sub-commands of `kfg`: each takes the parsed command line, calls the library and prints.

A function imports TensorFlow only if it needs it.
"""
