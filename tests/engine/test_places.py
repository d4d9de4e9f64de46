"""Where the runs on a folder go, and which of them a command means."""

import datetime
import json
import os
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.data import audit, folder
from kfg.data.index import fingerprint
from kfg.engine import places, run_folder
from kfg.errors import InputError
from kfg.runs import found, unfinished


def photographs(root):
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for i in range(3):
            pixels = np.random.default_rng([len(name), i, ord(name[0])]).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def index_of(root):
    return audit.duplicate_groups(folder.scan(root))


def run_on(index, path):
    """Write what tells a finished run on these photographs."""
    path.mkdir(parents=True)
    data = {"name": index.root.name, "fingerprint": fingerprint(index)}
    (path / "config.json").write_text(json.dumps({"data": data}))
    rows = [
        f"{one},{index.classes[label]},train,0,{sha}"
        for one, label, sha in zip(index.paths, index.labels, index.sha256, strict=True)
    ]
    (path / "split.csv").write_text("\n".join(["path,class,part,group,sha256", *rows]))
    report = {"top1": {"value": 0.9, "low": 0.8, "high": 0.95}, "classes": 2, "images": 40}
    (path / "report.json").write_text(json.dumps(report))


def test_each_state_of_a_folder_has_runs_of_its_own(tmp_path):
    home, index = tmp_path / "runs", index_of(photographs(tmp_path / "gulls"))
    assert places.folder_of_runs(index, home=home) == (home / "gulls", "")
    run_on(index, home / "gulls" / "folder" / "transfer" / "seed-0")
    assert places.folder_of_runs(index, home=home) == (home / "gulls", "")
    Image.new("RGB", (9, 9), "red").save(tmp_path / "gulls" / "cat" / "more.png")
    changed = index_of(tmp_path / "gulls")
    out, said = places.folder_of_runs(changed, home=home)
    assert out == home / "gulls-2" and "1 new (cat/more.png)" in said and "stays as it is" in said
    assert said.endswith(f"So this is a new run, in {out}.")
    run_on(changed, out / "folder" / "transfer" / "seed-0")
    assert places.folder_of_runs(changed, home=home)[0] == out
    (tmp_path / "gulls" / "cat" / "more.png").unlink()
    assert places.folder_of_runs(index_of(tmp_path / "gulls"), home=home)[0] == home / "gulls"


def test_a_training_that_another_command_is_doing_is_refused_before_the_photographs_are_looked_at(tmp_path):
    home, photographs_of = tmp_path / "runs", photographs(tmp_path / "gulls")
    run = home / "gulls" / "folder" / "transfer" / "seed-0"
    run.mkdir(parents=True)
    (run / "env.json").write_text(json.dumps({"photographs": str(photographs_of)}))
    with run_folder.owned(run):
        for out in (None, home / "gulls"):
            with pytest.raises(
                InputError, match=f"seed-0: another command is working on this run .process {os.getpid()}"
            ):
                places.check_unused(photographs_of, out, [0], home=home)
            places.check_unused(photographs_of, out, [1], home=home)
            places.check_unused(tmp_path / "terns", out, [0], home=home)
        (run / "report.json").write_text("{}")  # it has ended
        places.check_unused(photographs_of, None, [0], home=home)
    (run / "report.json").unlink()
    places.check_unused(photographs_of, None, [0], home=home)


def test_another_folder_is_not_refused(tmp_path):
    home = tmp_path / "runs"
    run_on(index_of(photographs(tmp_path / "gulls")), home / "gulls" / "folder" / "transfer" / "seed-0")
    assert places.folder_of_runs(index_of(photographs(tmp_path / "terns")), home=home) == (home / "terns", "")


def test_the_one_run_below_a_folder_is_meant(tmp_path):
    index, runs = index_of(photographs(tmp_path / "gulls")), tmp_path / "runs"
    one = runs / "gulls" / "folder" / "transfer" / "seed-0"
    run_on(index, one)
    assert found.only(runs) == found.only(runs / "gulls") == found.only(one) == one
    run_on(index, one.with_name("seed-1"))
    with pytest.raises(InputError, match=r"runs: holds 2 finished runs; choose one of .*seed-0, .*seed-1"):
        found.only(runs)
    with pytest.raises(InputError, match="nowhere: no such run; `kfg runs` lists"):
        found.only(tmp_path / "nowhere")


def test_an_interrupted_training_is_named_with_the_command_that_continues_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = pathlib.Path("runs/gulls/folder/transfer/seed-1")
    run.mkdir(parents=True)
    settings = {"recipe": "folder", "row": "transfer", "seed": 1, "config": {"time_budget": 360.0}}
    (run / "config.json").write_text(json.dumps(settings))
    (run / "env.json").write_text(json.dumps({"photographs": str(tmp_path / "my gulls")}))
    (run / "model.keras").write_text("begun")
    command = "`kfg train 'my gulls' --out runs/gulls --time-budget 360s --seeds 2 --resume`"
    said = f"this training is unfinished; continue it with {command} (and the other options"
    for given in ("runs", "runs/gulls"):
        with pytest.raises(InputError, match=re.escape(f"{given}: {said}")):
            found.only(given)
    with pytest.raises(InputError, match=re.escape(f"has no report.json; {said}")):
        found.summary(found.only(run))
    (run / "config.json").write_text(json.dumps({**settings, "seed": 0, "config": {"time_budget": 720.0}}))
    assert "`kfg train 'my gulls' --out runs/gulls --resume`" in unfinished.told(run)
    (run / "repair_of.json").write_text(json.dumps({"run": "../../transfer/seed-0"}))
    assert unfinished.told(run).endswith("`kfg repair runs/gulls/folder/transfer/seed-0 --resume`")
    (run / "repair_of.json").unlink()
    (run / "config.json").write_text(json.dumps({**settings, "recipe": "fruit3"}))
    assert unfinished.told(run).endswith("continue it with the command that began it, with --resume")
    (run / "report.json").write_text("{}")
    assert found.only("runs") == run and not unfinished.is_unfinished(run)


def test_runs_are_listed_and_linked(tmp_path, capsys):
    index, runs = index_of(photographs(tmp_path / "gulls")), tmp_path / "my runs"
    for seed in (0, 1):
        run_on(index, runs / "gulls" / "folder" / "transfer" / f"seed-{seed}")
    old = datetime.datetime(2020, 1, 2, 3, 4).timestamp()
    os.utime(runs / "gulls" / "folder" / "transfer" / "seed-1" / "report.json", (old, old))
    assert main(["runs", str(runs)]) == 0
    header, newest, oldest, page = capsys.readouterr().out.splitlines()
    assert header.split() == ["finished", "data", "classes", "right", "run"]
    assert newest.endswith("seed-0") and "90.0% of 40" in newest and "gulls" in newest
    assert oldest.startswith("2020-01-02 03:04") and page == f"page: {runs / 'runs.html'}"
    assert 'href="gulls/folder/transfer/seed-1/report.html"' in (runs / "runs.html").read_text()
    (runs / "runs.html").write_text("my own page")
    assert main(["runs", str(runs)]) == 2
    assert (runs / "runs.html").read_text() == "my own page"
    capsys.readouterr()
    assert main(["runs", str(tmp_path / "gulls")]) == 0
    assert "no finished run" in capsys.readouterr().out
    assert main(["runs", str(tmp_path / "nowhere")]) == 2
    (runs / "gulls" / "folder" / "transfer" / "seed-1" / "report.json").write_text("{}")
    assert main(["runs", str(runs)]) == 2
    assert "1/report.json: damaged, it has no 'top1'" in capsys.readouterr().err
