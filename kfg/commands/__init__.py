"""The functions behind the sub-commands of `kfg`: each takes the parsed command line, calls the library and prints.

Beside each, NAME_options adds the options of `kfg NAME` to a parser; options of several commands are in `choosing`.

A function imports TensorFlow only if it needs it.
"""
