"""Export every kind of net to every format, and print as a Markdown table which exports work, and why others do not.

Run       python tools/export_table.py [--nets efficientnet-lite0,fbsd] [--formats onnx,litert] [--kept table.json]
Prints    the table; a cell is the largest difference of a probability from the Keras model, or "no" and a note
Kept      results so far, in a JSON file with which the next call goes on: a net takes a minute or two in all formats
"""

import argparse
import os
import pathlib
import sys
import tempfile

SIZE = 96  # pixels, side of the trunks' square images; weights are random
CLASSES = 5


def nets() -> dict:
    """Return a dict name -> function () -> Keras model: each kind of net, and the smallest trunk of each family."""
    from kfg.models import backbones, baselines, convnets, fbsd, mirrored, mmal, opinions

    def trunk(name, size=SIZE):
        return lambda: backbones.classifier(name, num_classes=CLASSES, image_size=(size, size), weights="none")

    def attentive(module, **options):
        return lambda: module.classifier(
            "efficientnet-lite0", num_classes=CLASSES, image_size=(128, 128), weights="none", **options
        )

    def study(build, size):
        return lambda: build(num_classes=CLASSES, image_size=(size, size))

    light = trunk("efficientnet-lite0")
    families = (
        "vgg16", "vgg16-fc", "resnet50", "densenet121", "mobilenet-v2", "mobilenet-v3-small", "efficientnet-b0",
        "efficientnetv2-b0", "efficientnetv2-s", "convnext-tiny", "efficientnet-lite0",
    )  # fmt: skip
    return {
        "convnet1 to convnet5": study(convnets.convnet, 68),
        "fruit3-cnn": study(baselines.fruit3_cnn, 100),
        "fruit3-mlp": study(baselines.fruit3_mlp, 32),
        "retail258-cnn": study(baselines.retail258_cnn, 128),
        **{name: trunk(name) for name in families},
        "inception-v3": trunk("inception-v3", 128),
        "inception-resnet-v2": trunk("inception-resnet-v2", 128),
        "fbsd": attentive(fbsd, width=64),
        "mmal": attentive(mmal),
        "mirror-averaged": lambda: mirrored.averaged(light()),
        "second opinion": lambda: opinions.averaged(light(), trunk("mobilenet-v3-small")(), share=0.4),
        "two trunks": lambda: backbones.classifier(
            "efficientnet-lite0",
            second="mobilenet-v3-small",
            num_classes=CLASSES,
            image_size=(SIZE, SIZE),
            weights="none",
        ),
    }


def tried(model, name: str) -> dict:
    """Export a model to a format and compare its answers; return {"difference"} or {"reason"}."""
    import numpy as np
    from _awake import pictures

    from kfg.errors import InputError
    from kfg.exporting.formats.known import FORMATS
    from kfg.exporting.formats.protocol import TOLERANCE, Shipment

    height, width = model.input_shape[1:3]
    images = pictures(4, height, width)
    told = {"image_size": {"height": height, "width": width}}
    shipment = Shipment(model, tuple("abcde"), told, lambda: images)
    expected = np.asarray(model(images.astype(np.float32), training=False))
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        try:
            FORMATS[name].write(shipment, folder)
            difference = float(np.abs(FORMATS[name].opened(folder)(images) - expected).max())
        except InputError as error:
            return {"reason": str(error)}
    if difference <= TOLERANCE or FORMATS[name].ROUNDS:
        return {"difference": difference}
    return {"reason": f"its answers differ by {difference:.2g}"}


def table(found: dict, formats) -> str:
    """Return the Markdown table with the notes below it."""
    notes, lines = [], [f"| net | {' | '.join(formats)} |", "|---" * (len(formats) + 1) + "|"]
    for net, by_format in found.items():
        cells = []
        for name in formats:
            one = by_format.get(name, {})
            if "reason" in one:
                notes.append(f"{net}, {name}: {one['reason']}")
            cells.append(f"no ({len(notes)})" if "reason" in one else f"{one['difference']:.0e}" if one else "")
        lines.append(f"| {net} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {note}" for number, note in enumerate(notes, start=1))])


def main(arguments=None) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from _awake import awake

    from kfg.exporting.formats import known
    from kfg.files import read_json, write_json

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default="", help="default: all")
    parser.add_argument("--formats", default="savedmodel,onnx,openvino,litert,litert-int8,keras")
    parser.add_argument("--kept", type=pathlib.Path, help="JSON file of what was tried before")
    args = parser.parse_args(arguments)
    built, formats = nets(), known.chosen([args.formats], option="--formats")
    found = read_json(args.kept, dict) if args.kept and args.kept.is_file() else {}
    for net in args.nets.split(",") if args.nets else built:
        by_format = found.setdefault(net, {})
        missing = [name for name in formats if name not in by_format]
        model = awake(built[net]()) if missing else None
        for name in missing:
            by_format[name] = tried(model, name)
            print(f"{net}, {name}: {by_format[name]}", file=sys.stderr, flush=True)
            if args.kept:
                write_json(args.kept, found)
    print(table(found, formats))
    return 0


if __name__ == "__main__":
    sys.exit(main())
