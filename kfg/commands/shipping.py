"""`kfg export`: write a trained model in the file format that another program needs."""

import pathlib

from kfg import quiet
from kfg.errors import InputError

OF_FORMATS = ("out", "data", "force")  # options that --serving alone, which copies the run's own export, does not use


def export_options(p):
    """Add the options of `kfg export`."""
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run")
    p.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="NAMES",
        help="savedmodel, litert, litert-int8, onnx, openvino or keras; separate several with commas",
    )
    p.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="DIR",
        help="folder in which each format gets its own folder (default: RUN/export-NAME)",
    )
    p.add_argument(
        "--serving", type=pathlib.Path, metavar="DIR", help="add the model to this model folder of TensorFlow Serving"
    )
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's photographs (default: where they were)")
    p.add_argument(
        "--force", action="store_true", help="keep a quantised model even if it loses more than 1 point of top-1"
    )
    p.add_argument(
        "--compare",
        type=int,
        default=500,
        metavar="N",
        help="the most test photographs on which each format is compared (default: %(default)s)",
    )


def export(args) -> int:
    """Write a run's model in other formats, each compared with the Keras model on the run's test photographs.

    Each format gets a folder of its own with two files beside the model: model.json with the classes, the image size,
    the preprocessing and the calibration; and export_check.json with the figures of the comparison.
    """
    from kfg.exporting.formats import known

    names = known.chosen(args.format, option="--format") if args.format or args.serving is None else []
    for name in OF_FORMATS:
        if not names and getattr(args, name):
            raise InputError(f"--{name}: only works with --format; name a format as well, or leave the option out")
    with quiet.tensorflow_notes():
        from kfg.exporting.formats import exporting
        from kfg.runs import found

    exporting.export(
        found.only(args.run_folder), names, out=args.out, data=args.data, force=args.force, serve=args.serving,
        compared=args.compare,
    )  # fmt: skip
    return 0
