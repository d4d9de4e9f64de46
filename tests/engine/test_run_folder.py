"""A run folder has one owner, its report comes before its export, and a kill anywhere costs neither."""

import contextlib
import functools
import json
import pathlib
import subprocess
import sys

import keras
import pytest
import tiny_recipe

from kfg.__main__ import main as kfg
from kfg.engine import run_folder, runner
from kfg.exporting import classifiers, saved_model

HOLD = """
import sys, time
from kfg import locks
with locks.exclusive(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def train(photos, out, *words):
    return runner.main(tiny_recipe.RECIPE, ["--data", str(photos), "--out", str(out), *words])


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    """A finished run, in a folder whose name is a pattern to some."""
    out = tmp_path_factory.mktemp("runs") / "my runs [v2] *?"
    assert train(photos, out) == 0
    return out


def run_of(out):
    return out / "tiny" / "net" / "seed-0"


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_named_like_a_pattern_holds_a_whole_run(finished, photos, capsys):
    run, photo = run_of(finished), str(photos / "red" / "000.jpg")
    before = files(run)
    assert train(photos, finished, "--resume") == 0 and "already finished" in capsys.readouterr().out
    assert files(run) == before and len((finished / "results.jsonl").read_text().splitlines()) == 1
    for model in (run, run / "export", run / "model.keras"):
        assert kfg(["predict", str(model), photo]) == 0
    assert kfg(["evaluate", str(run)]) == 0
    assert kfg(["explain", str(run), photo, "--out", str(finished / "explained [1]")]) == 0
    assert (finished / "explained [1]" / "000.jpg.explained.png").is_file()
    check = json.loads((run / "export_check.json").read_text())
    assert check["passed"] and check["allowed_difference"] == 1e-4
    assert "Export: it gives the same answers as the model; the largest difference" in (run / "report.html").read_text()


@pytest.mark.usefixtures("undrawn")
def test_the_second_command_says_who_holds_the_run_and_changes_nothing(photos, tmp_path, capsys):
    run = run_of(tmp_path)
    run.mkdir(parents=True)
    (run / "env.json").write_text("{}")
    (run / "config.json").write_text("{}")
    other = subprocess.Popen([sys.executable, "-c", HOLD, run / ".lock"], stdout=subprocess.PIPE)
    with contextlib.closing(other.stdout):
        other.stdout.readline()
        before = files(run)
        for words in ((), ("--resume",)):
            assert train(photos, tmp_path, *words) == 2
            error = capsys.readouterr().err
            assert (
                f"{run}: another command is working on this run (process {other.pid} on " in error
                and "since 20" in error
            )
        assert files(run) == before
        other.kill()
        other.wait()
    assert train(photos, tmp_path) == 0


def another_model(monkeypatch):
    """Let the export hold another model than the run's."""
    write = saved_model._write

    def wrong(model, path, *rest):
        other = keras.models.clone_model(model)
        other.set_weights([weight * 9 + 1 for weight in model.get_weights()])
        write(other, path, *rest)

    monkeypatch.setattr(saved_model, "_write", wrong)


@pytest.mark.usefixtures("undrawn")
def test_an_export_that_answers_otherwise_costs_nothing_but_the_export(photos, tmp_path, monkeypatch, capsys, caplog):
    with monkeypatch.context() as patch:
        another_model(patch)
        assert train(photos, tmp_path) == 0
    run, photo = run_of(tmp_path), str(photos / "red" / "000.jpg")
    said = "its probabilities differ from the model's by up to 0."
    assert said in capsys.readouterr().out and said.replace("'", "&#x27;") in (run / "report.html").read_text()
    check = json.loads((run / "export_check.json").read_text())
    assert check["passed"] is False and check["serve"]["largest_difference"] > 0.01
    assert not (run / "export").exists() and (run / "export-failed" / "saved_model.pb").is_file()
    assert train(photos, tmp_path, "--resume") == 0 and "already finished" in capsys.readouterr().out
    assert kfg(["predict", str(run), photo]) == 0
    assert "export-failed: this export failed its check; model.keras is used instead" in caplog.text
    capsys.readouterr()
    assert kfg(["predict", str(run / "export-failed"), photo]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("place", ["save", "told"])
def test_a_cut_between_report_and_export_is_made_up_for(place, photos, tmp_path, monkeypatch, capsys):
    def cut(*_, **__):
        raise KeyboardInterrupt

    run = run_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("kfg.exporting.saved_model.save" if place == "save" else "kfg.engine.saving.told", cut)
        assert train(photos, tmp_path) == 130
    assert (run / "report.json").is_file() and not (run / "export_check.json").exists()
    assert not (tmp_path / "results.jsonl").exists()
    assert train(photos, tmp_path) == 2 and "add --resume" in capsys.readouterr().err
    assert train(photos, tmp_path, "--resume") == 0
    assert classifiers.load(run / "export").classes and len((tmp_path / "results.jsonl").read_text().splitlines()) == 1


def test_a_folder_of_something_else_is_no_run(photos, tmp_path, capsys):
    run = run_of(tmp_path)
    run.mkdir(parents=True)
    (run / "predictions.csv").write_text("mine")
    assert train(photos, tmp_path) == 2
    assert f"{run}: holds predictions.csv but no config.json, so it is not a run" in capsys.readouterr().err
    assert (run / "predictions.csv").read_text() == "mine"


def test_a_folder_may_begin_with_a_dash(photos, tmp_path, monkeypatch):
    from kfg.recipes import folder

    given = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folder, "command", lambda order: given.append(order) or 0)
    assert kfg(["train", str(photos), "--out=-runs", "--seeds=2", "--time-budget=3m", "--set", "views=0"]) == 0
    (order,) = given
    assert (order.out, order.seeds) == (pathlib.Path("-runs"), (0, 1))
    assert order.settings == {"time_budget": 180.0, "views": 0}


@pytest.mark.parametrize(
    "resume, epochs, kept",
    [(True, 8, {"config.json", "env.json", "clock.json"}), (True, 9, {"config.json"}), (False, 8, {"config.json"})],
)
def test_what_was_chosen_before_the_first_epoch_stands_if_the_same_run_goes_on(resume, epochs, kept, tmp_path):
    settings = {"recipe": "tiny", "row": "net", "seed": 0, "data": {}, "config": {"epochs": 8}}
    begin = functools.partial(run_folder.begin, tmp_path, finished=False, options={}, changed=None)
    begin(settings, resume=False)
    choices = {"head": {"views": 2}}
    (tmp_path / "config.json").write_text(json.dumps({**settings, "choices": choices}))
    (tmp_path / "env.json").write_text("{}")
    (tmp_path / "clock.json").write_text('{"seconds": 100}')
    wanted = {**settings, "config": {"epochs": epochs}}
    begin(wanted, resume=resume)
    assert {path.name for path in tmp_path.iterdir()} == kept
    found = json.loads((tmp_path / "config.json").read_text())
    assert found == ({**wanted, "choices": choices} if "env.json" in kept else wanted)
