"""A recipe whose trials are over at once: their score is a setting, and they fail or wait when told to."""

import dataclasses
import os
import pathlib
import signal
import sys
import time

from kfg.engine.options import within
from kfg.engine.recipe import Recipe, Row
from kfg.errors import InputError
from kfg.search.spaces import Space


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    x: float = 0.5
    kind: str = "good"
    y: float = 0.0
    epochs: int = 9
    val_is_test: bool = False
    seconds: float = 0.0  # a trial takes
    calls: str = ""  # file that lists the trials that were begun
    hold: str = ""  # file with a number: the trial begun as that number lasts as long as the file is there

    def __post_init__(self):
        within(self, (("x", 0, 1), ("epochs", 1, 100)))


def run(config, job):
    if config.calls:
        with open(config.calls, "a") as file:
            file.write(f"{job.workdir.parent.name} {job.workdir.parent.parent.name} {os.getpid()}\n")
    job.training_begins()
    epochs, checkpoint = config.epochs, job.workdir / "checkpoint" / "epochs"
    if job.resume:
        epochs -= int(checkpoint.read_text())
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.write_text(str(config.epochs))
    time.sleep(config.seconds)
    while held(config):
        time.sleep(0.02)
    if config.kind == "raises":
        raise RuntimeError("a defect")
    if config.kind == "refused":
        raise InputError("the loss is not a number")
    if config.kind == "memory":
        raise MemoryError
    if config.kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if config.kind == "slow":
        time.sleep(60)
    recall = config.x + 0.01 * job.seed
    return {"val_macro_recall": recall, "val_accuracy": 1 - config.x, "val_loss": config.x, "epochs": epochs}


RECIPE = Recipe(name="fake", description=__doc__, rows={"line": Row(Config())}, default_rows=("line",), run=run)


def held(config) -> bool:
    hold = pathlib.Path(config.hold)
    return hold.is_file() and int(hold.read_text()) == len(pathlib.Path(config.calls).read_text().splitlines())


def line(hp):
    return {"x": hp.Float("x", 0.0, 1.0, default=0.5)}


def failing(hp):
    kind = hp.Choice("kind", ["raises", "refused", "memory", "killed", "good"], default="raises")
    with hp.conditional_scope("kind", ["good"]):
        x = hp.Float("x", 0.0, 1.0, default=0.25)
    return {"kind": kind, "x": x, "y": hp.Float("y", 0.0, 1.0, default=0.0)}


def small(hp):
    return {"x": hp.Choice("x", [0.25, 0.5, 0.75], default=0.5)}


def hopeless(hp):
    return {"kind": "refused", "x": hp.Float("x", 0.0, 1.0, default=0.5)}


HERE = {"module": "fake_recipe", "row": "line"}
SPACES = {
    "fake": {
        "line": Space(suggest=line, **HERE),
        "continuing": Space(suggest=line, continues=True, **HERE),
        "failing": Space(suggest=failing, **HERE),
        "small": Space(suggest=small, **HERE),
        "hopeless": Space(suggest=hopeless, **HERE),
    }
}

if __name__ == "__main__":  # a search as a process that can be killed
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import fake_recipe

    from kfg.figures import drawing
    from kfg.search.command import main

    drawing.save = lambda figure, path: path.write_bytes(b"")  # nobody looks at the pictures of its page
    raise SystemExit(main(sys.argv[1:], spaces=fake_recipe.SPACES))
