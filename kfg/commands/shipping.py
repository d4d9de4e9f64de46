"""`kfg export`: write a trained model in the file format that another program needs."""

from kfg import quiet
from kfg.errors import InputError

OF_FORMATS = ("out", "data", "force")  # options that --serving alone, which copies the run's own export, does not use


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
