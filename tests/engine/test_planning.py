import json
import types

import pytest

from kfg.engine import planning


@pytest.fixture
def job(tmp_path):
    """A stand-in for the job of a command's first seed, and a function that returns the job of another one."""
    for seed in (0, 1):
        (tmp_path / f"seed-{seed}").mkdir()
    first = types.SimpleNamespace(workdir=tmp_path / "seed-0", first=None)
    return first, types.SimpleNamespace(workdir=tmp_path / "seed-1", first=first.workdir)


def test_a_choice_stands_once_it_is_made(job):
    first, _ = job
    assert planning.choose(first, "head", lambda: {"views": 2}) == {"views": 2}
    assert planning.choose(first, "head", lambda: {"views": 1}) == {"views": 2}
    assert json.loads((first.workdir / "config.json").read_text()) == {"choices": {"head": {"views": 2}}}


def test_what_an_earlier_version_chose_under_another_name_stands(job):
    first, second = job
    (first.workdir / "config.json").write_text('{"choices": {"whole net": {"epochs": 3, "why": "the time budget"}}}')
    assert planning.choose(second, "fine-tuning", lambda: {"epochs": 1}, by_clock=True)["epochs"] == 3
    assert planning.choose(first, "fine-tuning", lambda: {"epochs": 1}, by_clock=True)["epochs"] == 3


@pytest.mark.parametrize(("free", "views"), [(48, 2), (47, 1), (16, 0), (15, -1), (10_000, 624)])
def test_stored_outputs_take_half_of_the_free_disk_at_most(monkeypatch, tmp_path, free, views):
    front = types.SimpleNamespace(output_shape=(None, 2, 2, 5))  # 80 bytes for a picture
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=160 * free))
    assert planning.room(tmp_path, front, count=16, judged=0) == views
    assert planning.room(tmp_path, front, count=16, judged=free) == -1


def test_runs_of_other_seeds_take_over_what_the_clock_decided(job):
    first, second = job
    planning.choose(
        first, "fine-tuning", lambda: {"epochs": 3, "why": "as many as the time budget holds"}, by_clock=True
    )
    slower = {"epochs": 1, "why": "as many as the time budget holds"}
    taken = planning.choose(second, "fine-tuning", lambda: slower, by_clock=True)
    assert taken["epochs"] == 3 and taken["decided by"] == "seed-0"
    assert planning.choose(second, "end", lambda: {"kept": "the head"}) == {"kept": "the head"}
    assert planning.choose(second, "head", lambda: {"views": 1}, by_clock=True) == {"views": 1}  # the first chose none


@pytest.mark.parametrize(("first", "epochs"), [(0.0, 4), (15.0, 3), (200.0, 0)])
def test_the_step_that_traces_takes_its_time_from_the_epochs(monkeypatch, first, epochs):
    monkeypatch.setattr(planning, "_training_pace", lambda *_: (10.0, first))
    plan = planning.fine_tuning(None, epochs=8, count=80, judged=40, batch_size=8, left=lambda: 45.0)  # 10 s an epoch
    assert (plan["epochs"], plan["why"]) == (epochs, planning.FITTING)


@pytest.mark.parametrize(("first", "epochs"), [(0.0, 8), (25.0, 5)])
def test_the_last_stage_alone_is_traced_too(monkeypatch, tmp_path, first, epochs):
    monkeypatch.setattr(planning.halves, "front", lambda *_: None)
    monkeypatch.setattr(planning.halves, "rest", lambda *_: None)
    monkeypatch.setattr(planning, "_copy", lambda _: None)
    monkeypatch.setattr(planning.fit, "compile_classifier", lambda *_, **__: None)
    monkeypatch.setattr(planning, "room", lambda *_, **__: 0)
    monkeypatch.setattr(planning.features, "engine", lambda *_, **__: types.SimpleNamespace(answer=None))
    monkeypatch.setattr(planning.features, "rate", lambda *_, **__: 12.0)  # 10 s for all
    monkeypatch.setattr(planning.precision, "training_pace", lambda *_: (10.0, first))
    job = types.SimpleNamespace(
        model=None, optimizer=lambda: None, loss=None, data=types.SimpleNamespace(cache_dir=tmp_path)
    )
    training = types.SimpleNamespace(store=Many(80), labels=None)
    sizes = {"epochs": 8, "judged": 40, "batch_size": 8}  # 10 s an epoch
    plan = planning.last_stage_alone(job, training, after="", views=None, left=lambda: 94.0, **sizes)
    assert plan["epochs"] == epochs


class Many:
    """A store of so many images, of another store if one is given."""

    def __init__(self, count, store=None):
        self.count, self.store = count, store

    def __len__(self):
        return self.count


@pytest.mark.parametrize(("plain", "views", "pictures", "seconds"), [(False, 1, 1800, 200), (True, 2, 1600, 180)])
def test_features_that_are_there_already_leave_their_time_to_the_views(
    monkeypatch, tmp_path, plain, views, pictures, seconds
):
    counted = []
    chosen = types.SimpleNamespace(told="", answer=None, name="")
    monkeypatch.setattr(planning.halves, "front", lambda _: None)
    monkeypatch.setattr(planning.features, "ready", lambda *_, views=None, **__: plain and views is None)
    monkeypatch.setattr(planning.features, "engine", lambda *_, count, **__: counted.append(count) or chosen)
    monkeypatch.setattr(planning.features, "rate", lambda *_, **__: 10.0)
    monkeypatch.setattr(planning, "head_rate", lambda *_: 1600.0)  # 20 s for 40 epochs
    job = types.SimpleNamespace(model=None, data=types.SimpleNamespace(cache_dir=tmp_path))
    training = types.SimpleNamespace(store=Many(800, Many(1000)), labels=None)
    learning = {"epochs": 40, "batch_size": 8, "optimizer": lambda: None, "loss": None}
    plan = planning.head_stage(job, training, views=types.SimpleNamespace(count=2), left=200, **learning)
    assert (plan["views"], plan["seconds expected"]) == (views, seconds)
    assert counted == [pictures + (2 - views) * 800]
