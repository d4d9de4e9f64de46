"""--init-from: which runs may lend their weights, said before anything is trained; a run with them is resumed."""

import dataclasses
import hashlib
import shutil

import keras
import numpy as np
import pytest

from kfg.data import folder, splits
from kfg.engine import lenders, orders, provenance, runner, selection
from kfg.engine.job import Job
from kfg.errors import InputError
from kfg.files import write_json
from kfg.models import attention_nets
from kfg.recipes import competition100
from kfg.runs import run_files
from kfg.training import checkpoint


def config_of(row, **changes):
    return dataclasses.replace(competition100.ROWS[row].config, **{**competition100.RECIPE.smoke, **changes})


def lender(path, config):
    """Make what is read of a finished run, its model apart."""
    path.mkdir(parents=True)
    (path / run_files.MODEL).write_bytes(b"not looked at")
    write_json(path / "config.json", {"recipe": competition100.RECIPE.name, "config": dataclasses.asdict(config)})
    write_json(path / run_files.REPORT, {})
    return path


def recipe(photos, out, run, *options):
    words = ["--data", str(photos), "--out", str(out), "--init-from", str(run), "--smoke", *options]
    return runner.main(competition100.RECIPE, words)


@pytest.fixture
def begun(monkeypatch):
    """Rows that came as far as their training."""
    rows = []

    def begin(config, job):
        rows.append(job.row)
        raise InputError("far enough")

    monkeypatch.setattr(competition100, "RECIPE", dataclasses.replace(competition100.RECIPE, run=begin))
    return rows


@pytest.mark.parametrize(
    "rows, row, changes, said",
    [
        (
            competition100.RECIPE.default_rows,
            "fbsd-lite0",
            {},
            "row mmal-lite0 has net 'mmal', but that run has 'fbsd'",
        ),
        (["mmal-lite0"], "plain-lite0", {}, "row mmal-lite0 has net 'mmal', but that run has 'plain'"),
        (
            ["plain-lite0"],
            "plain-lite0",
            {"backbone": "resnet50"},
            "row plain-lite0 has backbone 'efficientnet-lite0', but that run has 'resnet50'",
        ),
        (
            ["plain-lite0"],
            "plain-lite0",
            {"normalisation": "half"},
            "row plain-lite0 has normalisation 'backbone', but that run has 'half'",
        ),
        (["fbsd-lite0"], "fbsd-lite0", {"head_width": 16}, "row fbsd-lite0 has head_width 8, but that run has 16"),
    ],
)
def test_another_net_is_refused_before_any_row_is_trained(photos, tmp_path, capsys, begun, rows, row, changes, said):
    run = lender(tmp_path / "earlier", config_of(row, **changes))
    assert recipe(photos, tmp_path / "out", run, "--rows", ",".join(rows)) == 2
    assert capsys.readouterr().err == f"error: --init-from {run}: {said}\n"
    assert begun == [] and not list((tmp_path / "out").rglob("config.json"))


@pytest.mark.parametrize(
    "row, changes",
    [
        ("plain-lite0", {"head_width": 16}),  # which a plain trunk has not
        ("fbsd-lite0", {"image_size": (256, 256), "alpha": 0.1, "epochs": 9}),
    ],
)
def test_the_same_net_with_other_settings_is_begun_from(photos, tmp_path, begun, row, changes):
    run = lender(tmp_path / "earlier", config_of(row, **changes))
    assert recipe(photos, tmp_path / "out", run, "--rows", row) == 2
    assert begun == [row]


@pytest.mark.parametrize("file", ["", run_files.MODEL])
def test_an_unfinished_run_lends_nothing(photos, tmp_path, capsys, begun, file):
    """After Ctrl-C there is a model, but no report."""
    run = lender(tmp_path / "earlier", config_of("plain-lite0"))
    assert lenders.model_file(run / file) == run / run_files.MODEL
    (run / run_files.REPORT).unlink()
    assert recipe(photos, tmp_path / "out", run / file, "--rows", "plain-lite0") == 2
    assert capsys.readouterr().err.startswith(
        f"error: --init-from {run / file}: this run is not finished, it has no report.json"
    )
    assert begun == []
    (run / "config.json").unlink()  # a model by itself is nobody's run
    assert lenders.model_file(run / run_files.MODEL) == run / run_files.MODEL


def indexed(photos, parts):
    index = folder.scan(photos)
    digests = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in index.full_paths())
    return dataclasses.replace(index, parts=tuple(parts[:1] * (len(index) - 3) + parts[1:]), sha256=digests)


@pytest.mark.parametrize(
    "theirs, own, count",
    [
        (["train", "val", "test", "train"], ["train", "val", "test", "train"], 0),
        (["train", "train", "train", "test"], ["train", "val", "test", "train"], 2),
        (["train", "test", "val", "val"], ["train", "train", "val", "test"], 0),  # they were looked at, not trained on
        (["train", "train", "val", "test"], ["train", "val+test", "val+test", "train"], 1),
    ],
)
def test_a_run_that_trained_on_what_is_held_out_here_lends_nothing(photos, tmp_path, theirs, own, count):
    run = lender(tmp_path / "earlier", config_of("plain-lite0"))
    splits.write_csv(indexed(photos, theirs), run / "split.csv")
    index = indexed(photos, own)
    renamed = dataclasses.replace(index, paths=tuple(f"other/{path}" for path in index.paths))
    if not count:
        return lenders.check_unseen(run, renamed)
    said = rf"trained on {count} images that are val or test here, such as {renamed.paths[-3]}"
    with pytest.raises(InputError, match=said):
        lenders.check_unseen(run, renamed)


@pytest.mark.parametrize("lent_by", ["init_from", "net_of"])
def test_what_an_earlier_lender_was_trained_on_counts_too(photos, tmp_path, lent_by):
    first = lender(tmp_path / "first", config_of("plain-lite0"))
    second = lender(tmp_path / "second", config_of("plain-lite0"))
    write_json(second / "config.json", {"config": {lent_by: str(first)}})
    splits.write_csv(indexed(photos, ["train", "train", "val", "val"]), first / "split.csv")
    splits.write_csv(indexed(photos, ["train", "val", "val", "val"]), second / "split.csv")
    lenders.check_unseen(second, indexed(photos, ["train", "train", "val", "test"]))
    with pytest.raises(InputError, match="trained on 1 images that are val or test here"):
        lenders.check_unseen(second, indexed(photos, ["train", "test", "val", "test"]))


def test_a_model_file_that_is_a_link_does_not_hide_what_it_was_trained_on(photos, tmp_path):
    """As under DVC and git-annex, whose files are links into a store."""
    run, store = lender(tmp_path / "run", config_of("plain-lite0")), tmp_path / "store"
    splits.write_csv(indexed(photos, ["train", "train", "val", "val"]), run / "split.csv")
    store.mkdir()
    (run / "model.keras").replace(store / "ab12")
    (run / "model.keras").symlink_to(store / "ab12")
    with pytest.raises(InputError, match="trained on 1 images that are val or test here"):
        lenders.check_unseen(run, indexed(photos, ["train", "test", "val", "test"]))


def test_a_run_of_another_split_is_refused_before_images_are_read(photos, tmp_path, capsys, monkeypatch):
    run = lender(tmp_path / "earlier", config_of("plain-lite0"))
    splits.write_csv(indexed(photos, ["train"] * 4), run / "split.csv")
    monkeypatch.setattr("kfg.engine.photographs.Data.images", None)
    assert recipe(photos, tmp_path / "out", run, "--rows", "plain-lite0") == 2
    assert "images that are val or test here" in capsys.readouterr().err


@pytest.mark.parametrize("run", ["", " "])
def test_a_variable_that_was_never_set_is_no_run(photos, tmp_path, capsys, begun, run):
    assert recipe(photos, tmp_path, run, "--rows", "plain-lite0") == 2
    assert capsys.readouterr().err == f"error: --init-from {run!r}: is not the name of a run\n"
    assert begun == []


@pytest.mark.parametrize("words", [("--init-from", "{}"), ("--set", "init_from={}")])
def test_a_run_is_the_same_from_wherever_it_is_named(tmp_path, monkeypatch, words):
    (tmp_path / "elsewhere").mkdir()
    for here, run in ((tmp_path, "earlier"), (tmp_path / "elsewhere", "../earlier")):
        monkeypatch.chdir(here)
        given = orders.read(competition100.RECIPE, ["--data", "x", *(word.format(run) for word in words)])
        rows = selection.configured(competition100.RECIPE, given)
        assert {row.config.init_from for row in rows.values()} == {str(tmp_path.resolve() / "earlier")}


@pytest.mark.parametrize("setting", ["init_from", "weights"])
def test_a_finished_run_is_called_again_when_what_it_began_from_is_gone(photos, tmp_path, setting):
    run = lender(tmp_path / "earlier", config_of("plain-lite0"))
    source = run / run_files.MODEL
    words = ["--data", str(photos), "--out", str(tmp_path / "out"), "--rows", "plain-lite0", "--set", "epochs=1"]
    given = orders.read(competition100.RECIPE, [*words, "--set", f"{setting}={source}"])
    (job,) = runner.jobs(competition100.RECIPE, given)
    job.open()
    for name in (run_files.REPORT, run_files.EXPORT_CHECK):  # finished
        write_json(job.workdir / name, {})
    noted = provenance.settings(job)
    source.write_bytes(b"another")
    with pytest.raises(InputError, match=f"holds a finished run whose .* has another value of {setting}_sha256"):
        job.open()
    shutil.rmtree(run)
    (job,) = runner.jobs(competition100.RECIPE, given)
    job.open()
    assert provenance.settings(job) == noted and noted[f"{setting}_sha256"]
    (job.workdir / run_files.REPORT).unlink()  # as if it were not: now the file is needed
    with pytest.raises(InputError, match=r"earlier"):
        job.open()


def tiny(config, num_classes):
    """A net in the place of those of `_attention_nets`, which take minutes to compile four times."""
    x = images = keras.Input((*config.image_size, 3))
    for layer in (
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, strides=4, name="stem"),
        keras.layers.BatchNormalization(name="stem_bn"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(num_classes, activation="softmax", name="head"),
    ):
        x = layer(x)
    return keras.Model(images, x, name="tiny")


def trained(photos, out, *options, cut_after=None):
    """Train 3 epochs; return the weights by name, or None where it dies when `cut_after` of them are saved."""
    save = checkpoint.save

    def save_and_die(path, model, companions, *, epoch):
        save(path, model, companions, epoch=epoch)
        if epoch == cut_after:
            raise KeyboardInterrupt

    words = ["--data", str(photos), "--out", str(out), "--rows", "plain-lite0", "--smoke", "--set", "epochs=3"]
    given = orders.read(competition100.RECIPE, [*words, *options])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", save_and_die)
        patch.setattr(Job, "finish", lambda *_, **__: None)
        (job,) = runner.jobs(competition100.RECIPE, given)
        job.open()
        if cut_after is None:
            competition100.run(job.config, job)
            return {weight.path: weight.numpy() for weight in job.model.weights}
        with pytest.raises(KeyboardInterrupt):
            competition100.run(job.config, job)


@pytest.mark.usefixtures("untraced")
def test_a_cut_run_resumed_ends_as_the_whole_one_with_anothers_weights_in_both(photos, tmp_path, monkeypatch):
    config = config_of("plain-lite0")
    run = lender(tmp_path / "earlier", config)
    keras.utils.set_random_seed(7)
    lent = tiny(config, 3)
    lent.save(run / run_files.MODEL)
    monkeypatch.setattr(attention_nets, "build", tiny)
    begin = ("--init-from", str(run))
    whole = trained(photos, tmp_path / "whole", *begin)
    trained(photos, tmp_path / "cut", *begin, cut_after=1)
    resumed = trained(photos, tmp_path / "cut", *begin, "--resume")
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(whole[path], resumed[path]) for path in whole)
    # and not because nothing is lent: after three small epochs a net is near where it began
    alone = trained(photos, tmp_path / "alone")
    first = lent.get_layer("stem").kernel.numpy()
    assert np.abs(whole["stem/kernel"] - first).max() < np.abs(alone["stem/kernel"] - first).max() / 4
    # and not because nothing is learned
    assert not np.array_equal(whole["stem/kernel"], first)
