"""Show all of kfg on drawn images in less than four minutes; `bash tools/demo` runs this.

Run       python tools/story.py [OUT]   (default: runs/demo)

It does audit, training, a search for weak classes and causes, their repair against controls, report, export and
prediction; at the end it says what was learned and what to type next. Image size, trained parts and time depend on the
speed of this machine. The same call goes on with results that exist already.
"""

import dataclasses
import pathlib
import sys
import time

from kfg import program, quiet, tables
from kfg.data import audit, audit_table, demo
from kfg.engine import demonstration, own_photographs
from kfg.files import read_json
from kfg.progress import Progress, duration
from kfg.runs import run_files

SHOWN = ("elm", "finch", "mug", "sloop", "trout")  # classes of which one photograph each is classified at the end
STEPS = 5
ALL = 215.0  # most seconds for everything
TRAINING = "112s"  # for the training; a demonstration that was shown before goes on only with the same time
LAST = 10.0  # seconds reserved for the predictions
LEAST = 40.0  # with fewer seconds left, no repair is begun


@dataclasses.dataclass(frozen=True)
class Size:
    """Settings of a training for machines of some speed.

    Args:
        gflops: least result of `demonstration.speed` for which a machine gets these settings.
        settings: settings of kfg.recipes.folder.Config.
    """

    gflops: float
    settings: dict


SIZES = (
    Size(100, {"image_size": (128, 128), "views": 2, "epochs": 2}),
    Size(40, {"image_size": (96, 96), "views": 1, "epochs": 0}),
    Size(0, {"image_size": (64, 64), "views": 1, "epochs": 0, "head_epochs": 20}),
)


def main(argv=None) -> int:
    words = sys.argv[1:] if argv is None else argv
    return program.run(lambda: told(pathlib.Path(words[0] if words else demonstration.OUT)))


def told(out: pathlib.Path) -> int:
    """Run the demonstration, with its files below `out`; return the exit code."""
    began = time.monotonic()
    photographs = out / "demo-data"
    heading(1, "Draw 20 look-alike classes and check the photographs")
    demo.write(photographs)
    seen = audit.audit(photographs, progress=Progress("photographs looked at"))
    print(audit_table.findings_table(seen), flush=True)
    heading(2, "Measure this machine, and size images and training to it")
    with quiet.tensorflow_notes():
        from kfg.recipes import folder
        from kfg.repairing import repair
    settings = sized(out)
    heading(3, "Train: what `kfg train` does")
    order = own_photographs.prepared(photographs, out=out, time_budget=TRAINING, resume=True, settings=settings)
    if code := folder.command(order):
        return code
    run = folder.run_folder(order)
    heading(4, "Find weak classes and why, try what may help against controls: what `kfg repair` does")
    made, left = None, ALL - LAST - (time.monotonic() - began)
    if left > LEAST:
        made = repair.repair(run, time_budget=left, resume=True)
        print(*repair.told(made), sep="\n", flush=True)
    else:
        print(f"left out, for the time: `kfg repair {run}` does it")
    heading(5, "Classify photographs with the exported model: file, then the three likeliest classes")
    from kfg import __main__

    images = [photographs / name / f"{name}_0001.jpg" for name in SHOWN]
    if code := __main__.main(["predict", str(run), *map(str, images), "--top", "3"]):
        return code
    last_screen(run, made, seen, took=time.monotonic() - began)
    return 0


def sized(out) -> dict:
    """Return the settings for this machine, or those of an earlier call if there was one, and print them."""
    earlier = run_files.run_folder(out, run_files.TRAIN_RECIPE, run_files.TRAIN_ROW, 0) / run_files.CONFIG
    gflops = demonstration.speed()
    settings = next(size.settings for size in SIZES if gflops >= size.gflops)
    if earlier.is_file():
        kept = read_json(earlier, dict)["config"]
        names = sorted({name for size in SIZES for name in size.settings})
        settings = {name: tuple(kept[name]) if name == "image_size" else kept[name] for name in names}
    size = ", ".join(f"{name}={value}" for name, value in settings.items())
    print(f"{gflops:.0f} GFLOP/s on small convolutions, so: {size}")
    print("The photographs are drawn, so the figures show how kfg works and are nobody's results.", flush=True)
    return settings


def heading(number: int, text: str) -> None:
    print(f"\n{number} of {STEPS}. {text}", flush=True)


def last_screen(run, made, seen, *, took: float) -> None:
    """Print what was learned and what to type next.

    Args:
        run: the run folder.
        made: the Repaired, the result of the repair; None: there was no time for it.
        seen: the Audit of the photographs.
        took: seconds that everything took.
    """
    print(f"\nWhat was learned, in {duration(took)}")
    learned = [("the photographs", _of_photographs(seen)), ("the net", _of_net(run))]
    pages = [("the net's report", run / run_files.PAGE)]
    if made:
        learned.append(("its weak classes", made.said[0]))
        pages.append(("the repair's", made.page))
    tables.show(("", ""), [*learned, ("the export", _of_export(run))])
    print("\nLook at")
    tables.show(("", ""), [(name, str(path)) for name, path in pages])
    print("\nWhat to type next (source .venv/bin/activate comes first)")
    tables.show(("", ""), NEXT)


NEXT = (
    ("kfg audit photos", "what would spoil a training on your photographs: one folder for each class"),
    ("kfg train photos", "a model of them, from a pretrained network: about a quarter of an hour"),
    ("kfg predict runs/photos new-photos", "what it says of others"),
    ("kfg repair runs/photos", "why classes are weak, and what is proven to help"),
    ("python -m kfg.recipes.imagenet20", "a study in small: extra images for weak classes, and two controls"),
)


def _of_photographs(seen) -> str:
    found = sum(finding.severity != "note" for finding in seen.findings)
    return f"{seen.images:,} in {len(seen.classes)} classes; the audit found {found} things to look at, planted here"


def _of_net(run) -> str:
    report = read_json(run / run_files.REPORT, dict)
    right, guess = report["top1"], report["baseline"]["commonest_right"] / report["baseline"]["images"]
    return (
        f"{_percent(right['value'])} of {report['images']} test images are right "
        f"[{_percent(right['low'])}, {_percent(right['high'])}]; naming the commonest class always: {_percent(guess)}"
    )


def _of_export(run) -> str:
    check = read_json(run / run_files.EXPORT_CHECK, dict)
    said = "answers as the net does" if check["passed"] else "does not answer as the net does"
    return f"a SavedModel that {said}, on {check['images']} test images by at most {check['largest_difference']:.1g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


if __name__ == "__main__":
    sys.exit(main())
