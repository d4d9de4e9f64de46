"""What a worker does: ask for a trial, run it, tell how it ended, until there are no more."""

import json
import pathlib
import shutil
import statistics
import time

from kfg.search import process, trial
from kfg.search.algorithms import COMPLETED, FAILED, IDLE, RECORD, STOPPED

PAUSE = 1.0  # seconds between two questions when there is nothing to do yet
BEAT = 10.0  # seconds between two signs of life


def work(oracle, plan, *, worker: str, folder: pathlib.Path, cache_dir: pathlib.Path, made, ended=lambda: None) -> None:
    """Run trials until the oracle has no more.

    Args:
        oracle: of kfg.search.algorithms, or a client of the chief's.
        plan: Plan.
        worker: this worker's name.
        folder: of the trials' own folders.
        cache_dir: of decoded images and features.
        made: what `process.context` returned.
        ended: called after each trial.
    """
    while True:
        given = oracle.create_trial(worker)
        if given.status == STOPPED:
            return
        if given.status == IDLE:
            time.sleep(PAUSE)
            continue
        runner = _Trial(plan, given, folder / worker / given.trial_id, cache_dir, made, oracle)
        record = {"worker": worker, **runner.run()}
        given.status = FAILED if record["reason"] else COMPLETED
        given.hyperparameters.values[RECORD] = json.dumps(record)
        oracle.end_trial(given)
        ended()


class _Trial:
    """One trial: its trainings, one after another, within its time."""

    def __init__(self, plan, given, folder, cache_dir, made, oracle):
        self.plan, self.given, self.folder, self.cache_dir, self.made = plan, given, folder, cache_dir, made
        self.beat = lambda: oracle.get_trial(given.trial_id)

    def run(self) -> dict:
        """Return what the table and best.json need to know."""
        begun, left, figures = time.monotonic(), self.plan.trial_time, []
        changes = self.plan.changes(self.given.hyperparameters.values)
        record = {"settings": changes, "metrics": None, "scores": None, "reason": "", "traceback": ""}
        shutil.rmtree(self.folder, ignore_errors=True)  # of a try that was cut off
        for number in range(self.plan.executions):
            request = self._request(changes, self.plan.seed + number)
            outcome = process.run(request, self.made, limit=left, beat=self.beat, every=BEAT)
            if outcome.figures is None:
                record |= {"reason": outcome.reason, "traceback": outcome.traceback}
                break
            figures.append(outcome.figures)
            left = None if left is None else left - outcome.seconds
            shutil.rmtree(request.workdir / "checkpoint", ignore_errors=True)
        else:
            record["metrics"] = {name: statistics.fmean(one[name] for one in figures) for name in figures[0]}
            record["scores"] = [one[self.plan.objective] for one in figures]
        return {**record, "seconds": round(time.monotonic() - begun, 2)}

    def _request(self, changes, seed):
        plan = self.plan
        return trial.Request(
            module=plan.space.module, recipe=plan.recipe, row=plan.space.row, config=plan.configured(changes),
            seed=seed, index=plan.index, data_name=plan.data_name, cache_dir=self.cache_dir,
            workdir=self.folder / f"seed-{seed}", max_params=plan.max_params,
        )  # fmt: skip
