"""KerasTuner's oracles with a memory: who has which trial, without processes."""

import copy
import json
import threading

import keras_tuner
import pytest

from kfg.search import algorithms, display, distributed
from kfg.search.algorithms import COMPLETED, FAILED, IDLE, RECORD, RUNNING, STOPPED


@pytest.fixture
def made(tmp_path):
    """Return a function that makes an oracle over two settings and a fixed value."""

    def make(max_trials, *, name="random", lease=60.0):
        space = keras_tuner.HyperParameters()
        space.Float("x", 0.0, 1.0, default=0.5)
        space.Float("y", 0.0, 1.0, default=0.5)
        space.Int("n", 2, 8, default=5)
        space.Fixed("kfg/search", "digest")
        oracle = algorithms.oracle(
            name, space, objective="val_loss", direction="min", seed=0, max_trials=max_trials, epochs=9
        )
        oracle.attach(tmp_path / "oracle.json", lease=lease)
        return oracle

    return make


def end(oracle, worker, trial, loss=None):
    """Tell an oracle what a worker found; None for a failure."""
    trial = copy.deepcopy(trial)
    trial.status = FAILED if loss is None else COMPLETED
    record = {"worker": worker, "metrics": {"val_loss": loss}, "reason": "no room" if loss is None else ""}
    trial.hyperparameters.values[RECORD] = json.dumps(record)
    oracle.end_trial(trial)


def test_a_worker_that_waits_at_the_end_is_known_until_it_has_heard_of_it(made):
    oracle = made(1)
    trial = oracle.create_trial("one")
    assert oracle.create_trial("two").status == IDLE  # one may be lost yet
    assert oracle.tuner_ids == {"one", "two"}
    end(oracle, "one", trial, 1.0)
    assert [oracle.create_trial(name).status for name in ("one", "two")] == [STOPPED, STOPPED]
    assert oracle.tuner_ids == set()


def test_a_trial_whose_end_could_not_be_saved_is_not_run_again(made, monkeypatch):
    oracle = made(2)
    first = oracle.create_trial("one")

    def full():
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(oracle, "save", full)
        with pytest.raises(OSError, match="No space"):
            end(oracle, "one", first, 1.0)
    second = oracle.create_trial("one")
    assert (second.trial_id, second.status) == ("1", RUNNING)
    end(oracle, "one", first, 3.0)  # told twice, as a worker does that saw the first try fail
    assert oracle.end_order == ["0"]
    assert oracle.trials["0"].score == 1.0


def test_a_file_that_lists_an_ended_trial_as_running_does_not_run_it_again(made, tmp_path):
    oracle = made(2)
    end(oracle, "one", oracle.create_trial("one"), 1.0)
    state = json.loads((tmp_path / "oracle.json").read_text())
    assert state["ongoing_trials"] == {}
    (tmp_path / "oracle.json").write_text(json.dumps({**state, "ongoing_trials": {"one": "0"}}))  # as it once was
    assert made(2).create_trial("one").trial_id == "1"


def test_a_gaussian_process_chooses_after_a_draw_for_each_setting(made):
    oracle, draws = made(9, name="bayesian"), made(9)
    seen = {"bayesian": [], "random": []}
    for name, one in (("bayesian", oracle), ("random", draws)):
        for _ in range(5):
            trial = one.create_trial("one")
            seen[name].append(dict(trial.hyperparameters.values))
            end(one, "one", trial, trial.hyperparameters.values["x"])
    assert seen["bayesian"][:3] == seen["random"][:3]
    assert seen["bayesian"][3:] != seen["random"][3:]
    types = {type(value) for values in seen["bayesian"] for value in values.values()}
    assert types == {float, int, str}  # a recipe refuses NumPy's
    assert min(values["x"] for values in seen["bayesian"][3:]) < min(values["x"] for values in seen["random"][:3])


def test_a_machine_that_fails_all_its_trials_does_not_end_a_search_another_one_works_at(made, tmp_path, monkeypatch):
    monkeypatch.setattr(display.page, "write", lambda folder: None)
    oracle = made(99)
    healthy = oracle.create_trial("healthy")
    settings = {"objective": ["val_loss", "min"]}
    shown = display.Live(tmp_path, oracle, None, settings)
    for _ in range(display.ENOUGH + 1):
        end(oracle, "broken", oracle.create_trial("broken"))
        shown.ended()
    end(oracle, "healthy", healthy)
    with pytest.raises(display.InputError, match="all 12 trials failed; the first: no room"):
        shown.ended()


def test_a_chief_begun_again_after_the_last_trial_tells_its_workers(made, where, monkeypatch):
    monkeypatch.setattr(distributed, "RETRY", 3.0)  # it listens for twice as long
    oracle = made(1)
    end(oracle, "one", oracle.create_trial("one"), 1.0)
    chief = threading.Thread(target=distributed.serve, args=(made(1), where), kwargs={"ended": lambda: None})
    chief.start()  # it knows of no worker
    assert distributed.Client(where, "one", patience=5).create_trial("one").status == STOPPED
    chief.join(20)
    assert not chief.is_alive()
