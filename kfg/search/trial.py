"""One training of a trial, in a process of its own: the recipe's run() on training and validation images only."""

import dataclasses
import faulthandler
import importlib
import multiprocessing
import os
import pathlib
import sys
import threading
import traceback
import typing
from multiprocessing import connection

import tensorflow as tf

from kfg import quiet
from kfg.data.index import Index
from kfg.data.part import Part
from kfg.engine import photographs
from kfg.engine.job import Job
from kfg.errors import InputError
from kfg.evaluation import baseline, confusion, predict
from kfg.runs import run_files
from kfg.search.table import LEARNED
from kfg.training import callbacks

LOG = "log.txt"
STARTED, DONE, REFUSED = "started", "done", "refused"  # kinds of messages to the search


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """The request for one training, sent to a trial's process.

    Args:
        module, recipe, row: the recipe's module, its name, and the row that the search varies.
        config: the recipe's Config with the trial's settings.
        seed: seed of the training.
        index, data_name: the images and their name.
        cache_dir: folder of decoded images and features, shared by all trials.
        workdir: folder of this training.
        max_params: the most parameters that a model may have; None for any number.
        precision: one of kfg.training.precision.CHOICES.
        resume: continue from the checkpoint in `workdir`.
    """

    module: str
    recipe: str
    row: str
    config: object
    seed: int
    index: Index
    data_name: str
    cache_dir: pathlib.Path
    workdir: pathlib.Path
    max_params: int | None = None
    precision: str = "float32"
    resume: bool = False


@dataclasses.dataclass(kw_only=True)
class TrialJob(Job):
    """A job that ends with figures on the validation images. It neither uses test images nor exports nor reports."""

    folder: pathlib.Path
    tell: object  # function (kind, content) that sends a message to the search
    reports: typing.ClassVar[bool] = False

    @property
    def workdir(self) -> pathlib.Path:
        return self.folder

    def training_begins(self) -> None:
        self.tell(STARTED, None)

    def finish(self, index, images, *, batch_size: int, sections=(), last=(), examine=None, crossed=None) -> dict:
        """Return {"val_macro_recall", "val_accuracy", "val_loss"}, the number of images, and the size of the work."""
        val = Part.of(index, images, "val")
        model = self.model if self.precision == "float32" else self.float32_model()  # a finished run answers in float32
        answers = predict.predict(model, val.batches(batch_size, shuffle=False), index=val)
        predict.check_answers(answers)
        matrix = confusion.confusion_matrix(answers.labels, answers.predicted, len(index.classes))
        support = matrix.sum(axis=1)
        recalls = matrix.diagonal()[support > 0] / support[support > 0]
        history = self.workdir / run_files.HISTORY
        return {
            "val_macro_recall": float(recalls.mean()),
            "val_accuracy": float((answers.predicted == answers.labels).mean()),
            "val_loss": float(answers.losses.mean()),
            "val_images": len(val),
            LEARNED: float(baseline.judge(answers)["verdict"] in baseline.LEARNED),
            "parameters": self.model.count_params(),
            "epochs": callbacks.epochs(history),
        }


def main(request: Request, sender) -> None:
    """Run the request; send STARTED, then DONE with figures or REFUSED with (reason, traceback) through `sender`.

    Any other exception ends the process with exit code 1 and leaves its traceback in the log; a process that dies in
    another way has another exit code. The search reads exit code and log.
    """
    threading.Thread(target=_end_with_the_search, daemon=True).start()
    request.workdir.mkdir(parents=True, exist_ok=True)
    log = os.open(request.workdir / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for stream in (sys.stdout, sys.stderr):  # the log is UTF-8, whatever the search's terminal is
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    faulthandler.enable()
    quiet.drop_advice()

    def tell(kind, content):
        sys.stdout.flush()  # the search does not wait for this process to end
        sender.send((kind, content))

    try:
        tell(DONE, _run(request, tell))
    except InputError as error:
        tell(REFUSED, (str(error), traceback.format_exc()))
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        tell(REFUSED, (f"out of memory: {(str(error).splitlines() or ['no room'])[0]}", traceback.format_exc()))


def _run(request, tell) -> dict:
    photographs.be_deterministic()
    data = photographs.Data(
        # kept in one file instead of memory, so that all trials decode the images only once
        index=request.index,
        name=request.data_name,
        cache_dir=request.cache_dir,
        memory_budget=0,
    )
    job = TrialJob(
        recipe=request.recipe,
        row=request.row,
        config=request.config,
        seed=request.seed,
        data=data,
        out=request.workdir,
        folder=request.workdir,
        tell=tell,
        max_params=request.max_params,
        precision=request.precision,
        resume=request.resume,
    )
    return importlib.import_module(request.module).RECIPE.run(request.config, job)


def _end_with_the_search():
    """End this process when the process that started it is gone, for whatever reason."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
