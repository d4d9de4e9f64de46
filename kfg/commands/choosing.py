"""The options that say which photographs of a folder to use and with which labels, and what they mean."""

import pathlib

from kfg.errors import InputError


def photograph_options(p):
    """Add the options that say which photographs of a folder to use, and with which labels."""
    _add_labels(p)
    p.add_argument(
        "--corrections",
        type=pathlib.Path,
        metavar="FILE",
        help="the decisions of kfg review to apply (default: DIR/corrections.csv)",
    )
    p.add_argument("--no-corrections", action="store_true", help="ignore the decisions of kfg review")


def corrections(args):
    """Return the corrections that the command line asks for, in the form that `kfg.data.folder.scan` takes."""
    if args.no_corrections and args.corrections:
        raise InputError(
            "--corrections: cannot be combined with --no-corrections, which ignores them; give only one of the two"
        )
    return args.corrections or not args.no_corrections


def labels(args):
    """Return the kfg.data.labels.Labels that the command line describes; None if it names no table of labels."""
    from kfg.data import labels as tables

    return tables.given(args.csv, args.path_column, args.label_column, args.part_column)


def _add_labels(p):
    """Add the options that describe a table of labels."""
    group = p.add_argument_group("labels from a table", "columns with common names are found without these options")
    group.add_argument(
        "--csv", type=pathlib.Path, metavar="FILE", help="a table of the photographs in DIR and their classes"
    )
    group.add_argument("--path-column", metavar="NAME", help="column with the paths, relative to FILE")
    group.add_argument("--label-column", metavar="NAME", help="column with the classes")
    group.add_argument("--part-column", metavar="NAME", help="column with the parts train, val and test, if any")
