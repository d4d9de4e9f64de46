"""Your own photographs: a head on cached features of a pretrained trunk, then fine-tuning, in minutes on a CPU.

Run       kfg train DIR [--out DIR] [--time-budget 10m] [--seeds N]
Data      DIR/<class>/*.jpg, or any layout that `kfg audit` takes; an official split is kept
Expected  the table in recipes/folder/README.md; rows in recipes/folder/results.jsonl
Source    ours; that fine-tuning from a trained head keeps the trunk's features: Kumar et al. 2022, arXiv:2202.10054
"""

if __name__ == "__main__":  # before the imports below, which take seconds
    from kfg import program

    program.begin()

import pathlib
import time

from kfg.engine import planning, runner
from kfg.engine.clock import Clock
from kfg.engine.options import countdown
from kfg.engine.orders import Order
from kfg.engine.own_photographs import STEPS
from kfg.engine.recipe import Demonstration, Recipe, Row
from kfg.progress import step
from kfg.recipes.folder_settings import Config
from kfg.recipes.folder_stages import fit
from kfg.repairing import after_training
from kfg.runs import run_files

ROWS = {
    run_files.TRAIN_ROW: Row(
        Config(),
        note="First a small classifier, the head, is trained on what a pretrained network sees in each photograph. "
        "Then the network itself is trained further (fine-tuned), if there is time and a gain can be expected.",
    ),
    "head": Row(Config(epochs=0), note="Control: only the head is trained."),
}


def run(config, job):
    """Train, test and export once; return the content of report.json."""
    step(
        2,
        STEPS,
        "the photographs are divided into training, validation and test photographs, decoded and resized",
        left=countdown(config.time_budget),
    )
    index = job.split(val=config.val_fraction, test=config.test_fraction, seed=config.split_seed)
    with Clock(job.workdir / run_files.CLOCK, go_on=job.resume) as clock:
        images = job.data.images(config.image_size)
        made = fit(config, job, index, images, clock)
        planning.choose(job, "end", lambda: {"kept": made.best.name, "judged by": made.judged_by})
        step(5, STEPS, "the network is tested, reported on and exported")
        spent = {"value": round(clock.spent(), 1), "low": None, "high": None}
    began = time.monotonic()
    result = job.finish(
        made.index,
        images,
        batch_size=config.batch_size,
        examine=lambda val, test: ({"seconds_to_trained": spent}, []),
        sections=[("How it was trained", planning.rows(job))],
        last=[after_training.section(made.judged, job.workdir)] if made.judged else [],
        crossed=made.crossed,
    )
    clock.closed(time.monotonic() - began)
    return result


def command(order: Order) -> int:
    """Perform an order of `kfg train` and return the exit code. Arguments as for `trained`."""
    return runner.answered(RECIPE, order)


def run_folder(order: Order) -> pathlib.Path:
    """Return the folder of an order's first run."""
    return run_folders(order)[0]


def run_folders(order: Order) -> list[pathlib.Path]:
    """Return the folders of an order's runs."""
    return [run_files.run_folder(order.out, RECIPE.name, run_files.TRAIN_ROW, seed) for seed in order.seeds]


def trained(order: Order) -> list[pathlib.Path]:
    """Perform an order and return the run folders.

    Args:
        order: from kfg.engine.own_photographs.prepared.
    Raises:
        InputError: an unknown setting; a value out of range; photographs that cannot be trained on.
    """
    return runner.perform(RECIPE, order)


RECIPE = Recipe(
    name=run_files.TRAIN_RECIPE,
    description=__doc__,
    rows=ROWS,
    default_rows=(run_files.TRAIN_ROW,),
    run=run,
    quick={"epochs": 2},
    smoke={"image_size": (32, 32), "weights": "none", "head_epochs": 2, "epochs": 1, "min_errors": 0, "views": 1},
    demo=Demonstration(
        does="trains a head on a pretrained EfficientNet-Lite0, then fine-tunes the network if that promises a gain",
        rows=(run_files.TRAIN_ROW,),
        settings={"image_size": (96, 96), "time_budget": 100.0},
    ),
    caveat="This recipe is our own, not a study's. It was chosen with the test figures of cub100 in view, and no "
    "others.",
    own_steps=True,
)


if __name__ == "__main__":
    raise SystemExit(runner.main(RECIPE))
