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
