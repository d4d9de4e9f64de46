"""A damaged file of a run folder is told in one line that names it, by every command that reads it."""

import json
import shutil

import keras
import numpy as np
import pytest
import tiny_recipe
from bare import undrawn_pictures

from kfg.__main__ import main as kfg
from kfg.engine import runner, timed_precision
from kfg.errors import InputError
from kfg.exporting import classifiers
from kfg.models import weights
from kfg.training import checkpoint

pytestmark = pytest.mark.usefixtures("untraced")
RUN = "tiny/net/seed-0"


@pytest.fixture(scope="module")
def out(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    with undrawn_pictures():
        assert train(photos, out) == 0
    return out


def train(photos, out, *words):
    return runner.main(tiny_recipe.RECIPE, ["--data", str(photos), "--out", str(out), *words])


def flipped(data: bytes, places) -> bytes:
    """Return the bytes with one bit turned at each place, a share of the length."""
    changed = bytearray(data)
    for place in places:
        changed[int(place * len(data))] ^= 1 << 4
    return bytes(changed)


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "noise": lambda data: np.random.default_rng(0).bytes(300),
    "zeros": lambda data: b"\0" * len(data),
    "flipped": lambda data: flipped(data, (0.2, 0.5, 0.8)),
    "number": lambda data: b"5",
    "nothing in it": lambda data: b"{}",
    "list": lambda data: b"[]",
}
JSON = ("empty", "cut", "noise", "number", "nothing in it", "list")
BINARY = ("empty", "cut", "noise", "zeros", "flipped")
READERS = {
    "resume": lambda run, photos: train(photos, run.parents[2], "--resume"),
    "evaluate": lambda run, photos: kfg(["evaluate", str(run)]),
    "posthoc": lambda run, photos: kfg(["evaluate", str(run), "--posthoc"]),
    "on": lambda run, photos: kfg(["evaluate", str(run), "--on", str(photos), "--out", str(run / "on")]),
    "predict": lambda run, photos: kfg(["predict", str(run / "export"), str(photos / "red" / "000.jpg")]),
    "keras": lambda run, photos: kfg(["predict", str(run / "model.keras"), str(photos / "red" / "000.jpg")]),
    "explain": lambda run, photos: kfg(["explain", str(run), str(photos / "red" / "000.jpg"), "--out", str(run / "x")]),
}
CASES = [
    (file, reader, damage)
    for file, readers, damages in (
        ("config.json", ("resume", "posthoc", "on"), ("empty", "cut", "noise", "number", "list")),
        ("env.json", ("resume",), JSON),
        ("classes.json", ("keras",), ("empty", "cut", "noise", "number", "nothing in it", "list")),
        ("report.json", ("evaluate", "resume"), JSON),
        ("export_check.json", ("resume",), JSON),
        ("history.csv", ("resume",), ("empty", "noise", "nothing in it")),
        ("split.csv", ("resume", "posthoc", "on"), ("empty", "cut", "nothing in it")),
        ("predictions.csv", ("posthoc",), ("empty", "cut", "noise", "nothing in it")),
        ("val_predictions.csv", ("posthoc",), ("empty", "cut")),
        ("model.keras", ("keras", "explain"), BINARY),
        ("export/saved_model.pb", ("predict",), BINARY),
        ("export/variables/variables.index", ("predict",), ("empty", "flipped")),
        ("export/digests.json", ("predict",), ("cut", "number")),
    )
    for reader in readers
    for damage in damages
]


@pytest.mark.parametrize("file, reader, damage", CASES)
def test_a_damaged_file_is_named_in_one_line(file, reader, damage, out, photos, tmp_path, capsys):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    path = copy / RUN / file
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    left = {one: one.read_bytes() for one in (copy / RUN).rglob("*") if one.is_file()}
    assert READERS[reader](copy / RUN, photos) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and (path.name in errors[0] or (file.startswith("export/") and "/export" in errors[0]))
    assert all(one.read_bytes() == data for one, data in left.items())  # nothing is lost


@pytest.mark.parametrize(
    "file, damage",
    [
        *((file, damage) for file in ("config.json", "env.json") for damage in ("empty", "cut", "noise")),
        *(("checkpoint/last.npz", damage) for damage in ("empty", "cut", "flipped")),
    ],
)
def test_an_interrupted_run_that_is_damaged_says_so_when_it_is_to_go_on(file, damage, out, photos, tmp_path, capsys):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    (copy / RUN / "export_check.json").unlink()
    path = copy / RUN / file
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert train(photos, copy, "--resume") == 2
    assert path.name in capsys.readouterr().err.splitlines()[-1]


def saved(path):
    """Write a checkpoint; return what `read` says of it."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(optimizer=keras.optimizers.Adam(), loss="mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    checkpoint.save(path, model, epoch=1)
    return checkpoint.read(path)


def test_a_checkpoint_is_whole_or_refused(tmp_path):
    path = tmp_path / "last.npz"
    whole = saved(path)
    data, refused = path.read_bytes(), 0
    lengths = [data[:length] for length in range(0, len(data), 61)]
    turned = [flipped(data, [place]) for place in np.linspace(0, 0.9999, 300)]
    for changed in [*lengths, *turned, b"\x93NUMPY", b"PK\x05\x06" + bytes(18)]:
        path.write_bytes(changed)
        try:
            found = checkpoint.read(path)
        except InputError as error:
            assert "last.npz: damaged checkpoint (" in str(error) and "\n" not in str(error)
            refused += 1
        else:  # a bit that says nothing, as one of a date
            assert found["epoch"] == 1 and found["arrays"].keys() == whole["arrays"].keys()
            for name, array in found["arrays"].items():
                np.testing.assert_array_equal(array, whole["arrays"][name])
    assert refused > len(lengths) + 150


def test_weights_files_are_whole_or_refused(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    for name in ("a.keras", "a.weights.h5"):
        path = tmp_path / name
        (model.save_weights if name.endswith("h5") else model.save)(path)
        data = path.read_bytes()
        for changed in (b"", data[: len(data) // 2], data[:-1], b"noise" * 50, bytes(len(data))):
            path.write_bytes(changed)
            with pytest.raises(InputError, match=f"weights: .*{name}: not "):
                weights.load(model, path)


@pytest.mark.parametrize("text", ["", "{}", "5", "[5]", '[{"precision": "float32"}]', '[{"prec'])
def test_damaged_notes_on_precision_are_named(text, tmp_path):
    (tmp_path / "precisions.json").write_text(text)
    with pytest.raises(InputError, match=r"precisions\.json: damaged"):
        timed_precision._known(tmp_path / "precisions.json")


@pytest.mark.parametrize("file", ["search.json", "oracle.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"settings": {}}', '{"trials": [{}], "start_order": ["0"]}'])
def test_a_damaged_search_is_named(file, text, tmp_path, capsys):
    head = {
        "settings": {"recipe": "folder", "space": "a", "algorithm": "random", "objective": ["x", "max"]},
        "data": "d",
    }
    (tmp_path / "search.json").write_text(json.dumps(head))
    (tmp_path / file).write_text(text)
    from kfg.search import command

    assert command.main(["folder", "--show", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert file in error and error.count("\n") == 1


def test_an_export_of_an_earlier_version_has_no_digests(out, photos, tmp_path):
    shutil.copytree(out / RUN / "export", tmp_path / "export")
    (tmp_path / "export" / "digests.json").unlink()
    assert classifiers.load(tmp_path / "export").top1(photos / "red" / "000.jpg")
