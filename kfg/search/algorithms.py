"""KerasTuner's oracles, which choose the settings of trials, with a memory that survives kills.

KerasTuner 1.4.8 alone has these faults, which the classes here avoid. It keeps a search in one file for each trial and
one for the rest, and writes them in place. A kill can therefore leave half a file, or a trial that counts but is never
run, or a finished trial that is run again, with both scores averaged. If a worker is gone, its trial stays taken
forever, and the chief never ends. Tracebacks do not get from worker to chief. A seed of 0 counts as no seed.
"""

import json
import logging
import threading
import time

import keras_tuner
import numpy as np
from keras_tuner import oracles
from keras_tuner.src.engine import trial as trials

from kfg.files import write_json
from kfg.search import table

logger = logging.getLogger(__name__)

RECORD = "kfg/record"  # a value of a trial that is not one of its settings: the worker's record, as JSON
FAILED, COMPLETED, RUNNING, STOPPED, IDLE = "FAILED", "COMPLETED", "RUNNING", "STOPPED", "IDLE"
FEWEST = 3  # random draws before a Gaussian process is fitted
NEVER = 10**9  # failures in a row that stop a search: KerasTuner would raise while it holds its lock


class Kept:
    """All that the oracles here do, except choosing settings. In the bases it comes before KerasTuner's class."""

    def attach(self, path, *, lease: float) -> None:
        """Set where the search is kept, and load what is already there.

        Args:
            path: the one file of the whole search.
            lease: seconds without a sign of life after which a worker's trial is given to another worker.
        """
        self.path, self.lease, self.records, self.seen = path, lease, {}, {}
        self.guard = threading.RLock()  # KerasTuner's own lock stays locked after an exception
        self.verbose = 0
        if path.is_file():
            self._take_up(table.read_state(path))

    def _take_up(self, state):
        for plain in state["trials"]:
            space = self.hyperparameters.get_config()
            plain = {**plain, "hyperparameters": {**space, "values": plain["values"]}, "message": None}
            self.trials[plain["trial_id"]] = trials.Trial.from_state(plain)
        self.set_state(state)
        ended = set(self.end_order)  # files of an earlier version may still list the last finished trial as running
        self.ongoing_trials = {key: one for key, one in self.ongoing_trials.items() if one.trial_id not in ended}
        self.records = state["records"]
        self.seen = {one.trial_id: time.monotonic() for one in self.ongoing_trials.values()}

    def plain(self) -> dict:
        """Return the whole search as JSON values."""
        found = [
            {
                "trial_id": one.trial_id,
                "values": one.hyperparameters.values,
                "status": one.status,
                "score": one.score,
                "best_step": one.best_step,
                "metrics": one.metrics.get_config(),
            }
            for one in self.trials.values()
        ]
        return {**self.get_state(), "trials": found, "records": self.records}

    def save(self):
        write_json(self.path, self.plain())

    def _save_trial(self, trial):
        """Do nothing: trials are kept in the one file with everything else."""

    def _random_values(self):
        """Return the recipe's own settings for the first trial; later ones as KerasTuner draws them."""
        if self.trials:
            return super()._random_values()
        own = keras_tuner.HyperParameters()
        for hp in self.hyperparameters.space:
            own.merge([hp])
            if own.is_active(hp):
                own.values[hp.name] = hp.default
        return own.values

    def populate_space(self, trial_id):
        """Return settings as plain Python numbers, as recipes need them; KerasTuner's Gaussian process has NumPy's."""
        response = super().populate_space(trial_id)
        values = response.get("values") or {}
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
        return {**response, "values": plain}

    def create_trial(self, tuner_id):
        with self.guard:
            self._take_from_the_lost(tuner_id)
            trial = super().create_trial(tuner_id)
            if trial.status == STOPPED and self.ongoing_trials:
                trial.status = IDLE  # wait: if another worker is lost, its trial is for this one
                self.tuner_ids.add(tuner_id)  # it will ask again and needs an answer
            if trial.status == RUNNING:
                self.seen[trial.trial_id] = time.monotonic()
            return trial

    def _take_from_the_lost(self, tuner_id):
        for other, trial in list(self.ongoing_trials.items()):
            if other != tuner_id and time.monotonic() - self.seen[trial.trial_id] > self.lease:
                logger.warning(
                    "trial %s: worker %s does not answer; another worker runs this trial", trial.trial_id, other
                )
                del self.ongoing_trials[other]
                self.tuner_ids.discard(other)
                self._retry_queue.append(trial.trial_id)

    def get_trial(self, trial_id):
        """Return a trial. A worker asks for its trial now and then; this counts as its sign of life."""
        with self.guard:
            self.seen[trial_id] = time.monotonic()
            return super().get_trial(trial_id)

    def end_trial(self, trial):
        """Accept the result of a trial from the worker that has it; drop another worker's result, or a second one."""
        with self.guard:
            record = json.loads(trial.hyperparameters.values.pop(RECORD))
            own = self.ongoing_trials.get(record["worker"])
            if own is None or own.trial_id != trial.trial_id:
                logger.warning(
                    "trial %s: no longer belongs to worker %s, so its result is dropped",
                    trial.trial_id,
                    record["worker"],
                )
                return
            own.status = trial.status
            self.records[own.trial_id] = record
            if own.status == COMPLETED:
                super().update_trial(own.trial_id, record["metrics"])
            # done before KerasTuner saves: neither a kill nor a failed save may leave a finished trial with its worker
            del self.ongoing_trials[record["worker"]]
            super().end_trial(own)

    def done(self) -> bool:
        """Return whether all requested trials have ended."""
        with self.guard:
            return len(self.end_order) >= self.max_trials


class Random(Kept, oracles.RandomSearchOracle):
    """Random search: independent draws."""


class Bayesian(Kept, oracles.BayesianOptimizationOracle):
    """Draws, one for each setting, then settings of which a Gaussian process expects most; KerasTuner draws three."""

    def populate_space(self, trial_id):
        """Return settings that were not tried yet; the process alone may come back to some that were."""
        response = super().populate_space(trial_id)
        if response["status"] == RUNNING and self._duplicate(response["values"]):
            return self._random_populate_space()
        return response


class Hyperband(Kept, oracles.HyperbandOracle):
    """Hyperband: many short trials, of which the best are run again for longer."""


def _hyperband(epochs, max_trials, **arguments):
    oracle = Hyperband(max_epochs=epochs, hyperband_iterations=NEVER, **arguments)
    oracle.max_trials = max_trials
    return oracle


def _bayesian(epochs, max_trials, *, hyperparameters, **arguments):
    searched = [hp for hp in hyperparameters.space if not isinstance(hp, keras_tuner.engine.hyperparameters.Fixed)]
    return Bayesian(
        max_trials=max_trials,
        hyperparameters=hyperparameters,
        num_initial_points=max(FEWEST, len(searched)),
        **arguments,
    )


# name -> function (epochs of a full trial, number of trials, arguments that all oracles take) -> oracle
ALGORITHMS = {
    "random": lambda epochs, max_trials, **arguments: Random(max_trials=max_trials, **arguments),
    "bayesian": _bayesian,
    "hyperband": _hyperband,
}


def oracle(name: str, space, *, objective: str, direction: str, seed: int, max_trials: int, epochs: int):
    """Make an oracle; call its `attach` before use.

    Args:
        name: a key of ALGORITHMS.
        space: keras_tuner.HyperParameters.
        objective, direction: name of a trial's figure, and "max" or "min".
        seed: int >= 0.
        max_trials: int >= 1.
        epochs: int >= 1, epochs of a full trial.
    """
    return ALGORITHMS[name](
        epochs,
        max_trials,
        objective=keras_tuner.Objective(objective, direction),
        seed=seed + 1,  # KerasTuner takes 0 for no seed
        hyperparameters=space,
        max_consecutive_failed_trials=NEVER,
    )
