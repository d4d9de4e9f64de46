"""Measure kfg on a machine with a GPU, and check there what kfg promises: one row of JSON to send back.

Run       bash tools/gpu_check [--out gpu_check.json] [--tiny]
Prints    images/s of training steps of four nets in float32, in float32 with TF32 and in float16, with and without XLA;
          with several GPUs those of all together; whether a resumed training is the same to the last bit, whether an
          export answers as its model, and whether all GPUs come to the weights of one
Writes    one row: machine, driver, versions, figures
Exit      0 when all checks passed, else 1; 2 for wrong input. It takes about ten minutes; --tiny measures nothing but
          goes through everything, without a GPU too, in a minute
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

import gpu_checks
import gpu_rates

from kfg import program, tables
from kfg.files import write_text

ANSWER = "gpu_check: "  # begins the line in which a process says what it found
FORMATS = {
    "float32": "TensorFlow multiplies in float32",
    "tf32": "TensorFlow's default: float32, of whose products the GPU keeps ten bits",
    "float16": "mixed_float16",
}


def measured(name: str, *, tiny: bool) -> dict:
    """Return rates and checks in one number format, measured in this process.

    Args:
        name: key of FORMATS.
        tiny: small nets and images, one step.
    """
    import tensorflow as tf

    from kfg.engine.photographs import be_deterministic
    from kfg.training import devices

    be_deterministic()  # as kfg trains
    tf.config.experimental.enable_tensor_float_32_execution(name != "float32")
    found = {"rates": gpu_rates.measured(name, devices.here(), tiny=tiny), "checks": {}}
    if name == "float32":
        found["checks"] |= gpu_checks.shared(devices.here())
        found["checks"] |= gpu_checks.resumed(devices.here(), tiny=tiny) if len(devices.here()) > 1 else {}
    if name == "tf32":
        found["checks"] |= {**gpu_checks.resumed(devices.here()[:1], tiny=tiny), **gpu_checks.exported(tiny=tiny)}
    return found


def in_a_process(name: str, *, tiny: bool) -> dict:
    """Return what `measured` finds in its own process: what a GPU has tuned for TF32 would serve without it, too."""
    words = [sys.executable, __file__, "--format", name, *(["--tiny"] if tiny else [])]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    answer = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=environment)
    told = [line for line in answer.stdout.splitlines() if line.startswith(ANSWER)]
    if answer.returncode or not told:
        return {"rates": [], "checks": {f"{name} ran": {"passed": False, "exit_code": answer.returncode}}}
    return json.loads(told[-1].removeprefix(ANSWER), parse_constant=str)  # JSON has no NaN, and no infinite numbers


def machine() -> dict:
    """Return what the figures are of; nothing that names the machine or its owner."""
    import keras
    import numpy as np
    import tensorflow as tf

    from kfg import __version__
    from kfg.engine import provenance
    from kfg.training import precision

    built = tf.sysconfig.get_build_info()
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "when": datetime.date.today().isoformat(),
        "kfg": __version__,
        "commit": provenance.commit(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "gpus": [{**_plain(tf.config.experimental.get_device_details(gpu))} for gpu in gpus],
        "driver": driver(),
        "tf32": precision.uses_tf32(),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
            **{name: built[f"{name}_version"] for name in ("cuda", "cudnn") if f"{name}_version" in built},
        },
    }


def _plain(details) -> dict:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in details.items()}


def driver() -> list[str]:
    """Return what NVIDIA's driver says of each GPU: name, driver's version, memory; nothing where there is none."""
    if not shutil.which("nvidia-smi"):
        return []
    words = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    return subprocess.run(words, capture_output=True, text=True).stdout.splitlines()


def show(row: dict) -> None:
    """Print a row as tables."""
    cells = [
        (one["net"], " x ".join(map(str, one["image_size"])), str(one["batch"]), one["format"],
         "yes" if one["xla"] else "no", str(one["devices"]),
         one["left_out"] if one["images_per_second"] is None else f"{one['images_per_second']:,.1f}")
        for one in row["rates"]
    ]  # fmt: skip
    tables.show(("net", ">pixels", ">batch", "format", "XLA", ">devices", ">images/s"), cells)
    for name, told in row["checks"].items():
        figures = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in told.items() if key != "passed")
        print(f"{name}: {'passed' if told['passed'] else 'FAILED'}" + (f" ({figures})" if figures else ""))


def parser() -> argparse.ArgumentParser:
    p = program.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu_check.json"), metavar="FILE")
    p.add_argument(
        "--tiny", action="store_true", help="small nets and images, one step: every part runs, no figure counts"
    )
    p.add_argument("--format", choices=FORMATS, help=argparse.SUPPRESS)  # of a process that was started here
    return p


def main(words=None, *, measure=in_a_process) -> int:
    """Measure, print and write; return the exit code.

    Args:
        measure: function (format, *, tiny) -> what `measured` returns.
    """
    return program.run(lambda: _answered(parser().parse_args(words), measure))


def _answered(args, measure) -> int:
    if args.format:
        print(ANSWER + json.dumps(measured(args.format, tiny=args.tiny)))
        return 0
    row = {**machine(), "tiny": args.tiny, "rates": [], "checks": {}}
    for name, what in FORMATS.items():
        print(f"{name}: {what} ...", flush=True)
        found = measure(name, tiny=args.tiny)
        row["rates"] += found["rates"]
        row["checks"] |= found["checks"]
    write_text(args.out, json.dumps(row, allow_nan=False) + "\n")
    show(row)
    print(f"{args.out}: one row to send back; it names neither the machine nor you")
    return 0 if all(told["passed"] for told in row["checks"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
