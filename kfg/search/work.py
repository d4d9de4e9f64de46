"""The loop of a worker: ask for a trial, run it, report how it ended, until there are no more."""

import functools
import json
import pathlib
import re
import shutil
import statistics
import time

from kfg import overwrite
from kfg.errors import InputError
from kfg.runs import run_files
from kfg.search import process, trial
from kfg.search.algorithms import COMPLETED, FAILED, IDLE, RECORD, STOPPED

PAUSE = 1.0  # seconds between two requests while there is nothing to do


def work(
    oracle, plan, *, worker: str, folder: pathlib.Path, cache_dir: pathlib.Path, made, every: float, ended
) -> None:
    """Run trials until the oracle has no more.

    Args:
        oracle: oracle of kfg.search.algorithms, or a client of the chief's oracle.
        plan: Definition.
        worker: name of this worker.
        folder: folder of the trials' own folders.
        cache_dir: folder of decoded images and features.
        made: the result of `process.context`.
        every: seconds between two signs of life while a trial runs.
        ended: function (id of a trial, its record), called after each trial.
    """
    while True:
        given = oracle.create_trial(worker)
        if given.status == STOPPED:
            return
        if given.status == IDLE:
            time.sleep(PAUSE)
            continue
        runner = _Trial(plan, given.hyperparameters.values, folder / worker / given.trial_id, cache_dir)
        alive = {"beat": functools.partial(oracle.get_trial, given.trial_id), "every": every}
        record = {"worker": worker, **runner.run(made, alive)}
        given.status = FAILED if record["reason"] else COMPLETED
        given.hyperparameters.values[RECORD] = json.dumps(record)
        oracle.end_trial(given)
        ended(given.trial_id, record)


class _Trial:
    """One trial: its trainings, one after another, within the time for a trial."""

    def __init__(self, plan, values, folder, cache_dir):
        self.plan, self.values, self.folder, self.cache_dir = plan, values, folder, cache_dir

    def run(self, made, alive) -> dict:
        """Run the trial and return its record for the table and best.json."""
        begun, left, figures = time.monotonic(), self.plan.trial_time, []
        changes = self.plan.changes(self.values)
        record = {"settings": changes, "metrics": None, "scores": None, "reason": "", "traceback": ""}
        self._clear()
        try:
            config = self.plan.configured(changes)
        except InputError as error:  # settings that do not fit each other make the trial fail, not the search
            return {**record, "reason": str(error), "seconds": 0.0}
        for number in range(self.plan.executions):
            alive["beat"]()  # trainings may be shorter than the time between two beats
            request = self._request(config, self.plan.seed + number)
            outcome = process.run(request, made, limit=left, **alive)
            if outcome.figures is None:
                record |= {"reason": outcome.reason, "traceback": outcome.traceback}
                break
            figures.append(outcome.figures)
            left = None if left is None else left - outcome.seconds
            (request.workdir / run_files.SPLIT).unlink(missing_ok=True)  # the same in all trials, and large
            if not self.plan.keeps_checkpoints:
                for found in list(request.workdir.rglob(run_files.CHECKPOINT)):
                    shutil.rmtree(found)
        else:
            record["metrics"] = {name: statistics.fmean(one[name] for one in figures) for name in figures[0]}
            record["scores"] = [one[self.plan.objective] for one in figures]
        return {**record, "seconds": round(time.monotonic() - begun, 2)}

    def _clear(self) -> None:
        """Remove what an interrupted attempt left; refuse a folder with other files."""
        names = [path.name for path in self.folder.glob("*")]
        foreign = [name for name in names if not re.fullmatch(r"seed-\d+", name) and name not in overwrite.LITTER]
        if foreign:
            raise InputError(
                f"{self.folder}: holds {foreign[0]}, which was not written by a trial; give another --out or remove it"
            )
        shutil.rmtree(self.folder, ignore_errors=True)

    def _request(self, config, seed):
        plan, workdir = self.plan, self.folder / f"seed-{seed}"
        earlier = self._earlier(seed)
        if earlier:
            shutil.copytree(earlier, workdir / run_files.CHECKPOINT)
        return trial.Request(
            module=plan.space.module,
            recipe=plan.recipe,
            row=plan.space.row,
            config=config,
            seed=seed,
            index=plan.index,
            data_name=plan.data_name,
            cache_dir=self.cache_dir,
            workdir=workdir,
            max_params=plan.max_params,
            precision=plan.precision,
            resume=earlier is not None,
        )

    def _earlier(self, seed) -> pathlib.Path | None:
        """Return the checkpoint to continue from, if a worker that shares this folder has left one."""
        trial = self.plan.begun_in(self.values)
        found = sorted(self.folder.parents[1].glob(f"*/{trial}/seed-{seed}/{run_files.CHECKPOINT}")) if trial else []
        return found[0] if found else None
