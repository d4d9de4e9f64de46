"""--init-from: which runs may lend their weights, said before anything is trained; a run with them is resumed."""

import dataclasses

import pytest

from kfg import report
from kfg.errors import InputError
from kfg.export import MODEL_FILE
from kfg.files import write_json
from kfg.recipes import _runner, competition100


def config_of(row, **changes):
    return dataclasses.replace(competition100.ROWS[row].config, **{**competition100.SMOKE, **changes})


def lender(folder, config):
    """Make what is read of a finished run, its model apart."""
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(b"not looked at")
    write_json(folder / "config.json", {"recipe": competition100.NAME, "config": dataclasses.asdict(config)})
    write_json(folder / report.REPORT_FILE, {})
    return folder


def recipe(photos, out, run, *options):
    words = ["--data", str(photos), "--out", str(out), "--init-from", str(run), "--smoke", *options]
    return _runner.main(competition100, words)


@pytest.fixture
def begun(monkeypatch):
    """Rows that came as far as their training."""
    rows = []

    def begin(config, job):
        rows.append(job.row)
        raise InputError("far enough")

    monkeypatch.setattr(competition100, "run", begin)
    return rows


@pytest.mark.parametrize("rows, row, changes, said", [
    (competition100.DEFAULT_ROWS, "fbsd-lite0", {}, "row mmal-lite0 has net 'mmal', that run 'fbsd'"),
    (["mmal-lite0"], "plain-lite0", {}, "row mmal-lite0 has net 'mmal', that run 'plain'"),
    (["plain-lite0"], "plain-lite0", {"backbone": "resnet50"},
     "row plain-lite0 has backbone 'efficientnet-lite0', that run 'resnet50'"),
    (["plain-lite0"], "plain-lite0", {"normalisation": "half"},
     "row plain-lite0 has normalisation 'backbone', that run 'half'"),
    (["fbsd-lite0"], "fbsd-lite0", {"head_width": 16}, "row fbsd-lite0 has head_width 8, that run 16"),
])  # fmt: skip
def test_another_net_is_refused_before_any_row_is_trained(
    photos, tmp_path, capsys, begun, rows, row, changes, said
):  # fmt: skip
    run = lender(tmp_path / "earlier", config_of(row, **changes))
    assert recipe(photos, tmp_path / "out", run, "--rows", ",".join(rows)) == 2
    assert capsys.readouterr().err == f"error: --init-from {run}: {said}\n"
    assert begun == [] and not list((tmp_path / "out").rglob("config.json"))


@pytest.mark.parametrize("row, changes", [
    ("plain-lite0", {"head_width": 16}),  # which a plain trunk has not
    ("fbsd-lite0", {"image_size": (256, 256), "crop_from": (256, 256), "alpha": 0.1, "epochs": 9}),
])  # fmt: skip
def test_the_same_net_with_other_settings_is_begun_from(photos, tmp_path, begun, row, changes):
    run = lender(tmp_path / "earlier", config_of(row, **changes))
    assert recipe(photos, tmp_path / "out", run, "--rows", row) == 2
    assert begun == [row]
