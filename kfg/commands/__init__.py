"""The functions behind the sub-commands of `kfg`: each takes the parsed command line, calls the library and prints.

NAME_options adds the options of `kfg NAME` to a parser.

A function imports TensorFlow only if it needs it.
"""
