"""kfg train: from a folder of photographs to a model, and what it decides on the way."""

import json

import pytest

from kfg.__main__ import main
from kfg.errors import InputError
from kfg.export import load
from kfg.recipes import folder

TINY = ("image_size=(32, 32)", "weights=none", "head_epochs=3", "epochs=1", "views=1", "batch_size=16")


def train(data, out, *words, settings=()):
    words = [str(word) for word in words]
    for setting in (*TINY, *settings):
        words += ["--set", setting]
    return main(["train", str(data), "--out", str(out), *words])


def test_from_photographs_to_a_prediction(photos, tmp_path, capsys):
    assert train(photos, tmp_path, settings=("min_errors=0",)) == 0
    said = capsys.readouterr().out
    run = tmp_path / "folder" / "transfer" / "seed-0"
    assert "audit: " in said
    assert "training the whole net: 1 epochs" in said
    plan = json.loads((run / "plan.json").read_text())
    assert (plan["epochs"], plan["why"]) == (1, "as many as are set")
    assert json.loads((run / "config.json").read_text())["config"]["time_budget"] == 720
    report = json.loads((run / "report.json").read_text())
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert rows[0]["metrics"]["top1"] == report["top1"]
    image = next(photos.rglob("*.jpg"))
    name, probability = load(run).top1(image)
    assert name in json.loads((run / "classes.json").read_text())
    assert 0 < probability <= 1
    assert "How it was trained" in (run / "report.html").read_text()
    assert sorted(path.suffix for path in (tmp_path / "cache").glob("features-*")) == [
        ".float32",
        ".float32",
        ".lock",
        ".lock",
    ]
    # a second run takes its features from the first
    assert train(photos, tmp_path, "--seeds", 2, settings=("epochs=0",)) == 2  # seed 0 has other settings
    assert "another epochs (1, now 0)" in capsys.readouterr().err


def test_a_head_that_hardly_errs_is_left_alone_and_time_is_kept(photos, tmp_path, capsys):
    assert train(photos, tmp_path / "a", settings=("min_errors=1000",)) == 0
    assert "no gain could be seen" in capsys.readouterr().out
    assert train(photos, tmp_path / "b", "--time-budget", "1s", settings=("min_errors=0",)) == 0
    assert "epochs of the whole net: 0, as many as the time budget holds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(("--seeds", "0"), "--seeds"), (("--time-budget", "soon"), "--time-budget"), (("--set", "epochs=-1"), "epochs")],
)
def test_wrong_use_is_one_line(photos, tmp_path, capsys, words, complaint):
    assert main(["train", str(photos), "--out", str(tmp_path), *words]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert complaint in error
    assert "\n" not in error


def test_a_broken_photograph_is_named_before_anything_is_trained(photos, tmp_path, capsys):
    broken = tmp_path / "data"
    for path in photos.rglob("*.jpg"):
        target = broken / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    victim = next(broken.rglob("*.jpg"))
    victim.write_bytes(victim.read_bytes()[:300])
    assert main(["train", str(broken), "--out", str(tmp_path / "out")]) == 2
    assert victim.name in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "0m", "-1m", "10 minutes", "nan"])
def test_times_that_are_none(text):
    with pytest.raises(InputError, match="--time-budget"):
        folder.seconds_of(text)
