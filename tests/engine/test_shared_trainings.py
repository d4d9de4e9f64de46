"""`--devices` of `kfg train` and of recipes, on two logical devices of the processor; see two_devices_runs.py."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from kfg.models import saved

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    """Return the folder of the runs, and what each command said."""
    out = tmp_path_factory.mktemp("devices")
    answer = subprocess.run(
        [sys.executable, str(HERE / "two_devices_runs.py"), str(photos), str(out)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert answer.returncode == 0, answer.stderr
    return out, json.loads((out / "said.json").read_text())


def run_of(out):
    return out / "tiny" / "net" / "seed-0"


def weights(out):
    return saved.load(run_of(out) / "model.keras").get_weights()


@pytest.mark.parametrize("name", ["three", "train, three"])
def test_more_than_there_are_is_refused_in_a_line_before_anything_is_done(made, name):
    out, said = made
    cores = "no GPU, and all cores of a processor are one device"
    assert said[name] == {
        "code": 2, "out": "", "err": f"error: --devices 3: TensorFlow finds 2 here (CPU:0, CPU:1); {cores}\n"
    }  # fmt: skip
    assert not (out / "three").exists()


def test_a_batch_of_fewer_images_than_devices_is_refused(made):
    out, said = made
    wanted = "error: --devices: 2 cannot share a batch of 1 images; take fewer, or a larger batch_size\n"
    assert (said["small batch"]["code"], said["small batch"]["err"]) == (2, wanted)
    assert not (out / "batch").exists()


def test_two_devices_come_to_the_weights_of_one_and_say_what_each_does(made):
    out, said = made
    told = "Devices: CPU:0, CPU:1. They share each batch of 8 images, 4 on each; the learning rate of 0.01 stays"
    assert said["two"]["code"] == 0 and told in said["two"]["out"] and "Devices:" not in said["one"]["out"]
    for one, two in zip(weights(out / "one"), weights(out / "two"), strict=True):
        np.testing.assert_allclose(two, one, atol=1e-4)
    environment = {name: json.loads((run_of(out / name) / "env.json").read_text()) for name in ("one", "two")}
    assert environment["one"]["devices"] == ["CPU:0"] and environment["two"]["devices"] == ["CPU:0", "CPU:1"]
    assert environment["two"]["tf32"] is False
    settings = [json.loads((run_of(out / name) / "config.json").read_text()) for name in ("one", "two")]
    assert settings[0] == settings[1]  # devices decide no result


def test_cut_and_resumed_on_two_devices_it_is_the_uninterrupted_run(made):
    out, said = made
    assert said["cut"]["code"] == 130 and said["resumed"]["code"] == 0
    for one, two in zip(weights(out / "two"), weights(out / "cut"), strict=True):
        np.testing.assert_array_equal(two, one)


def test_kfg_train_shares_the_fine_tuning_and_leaves_the_head_to_one_device(made):
    out, said = made
    assert said["train"]["code"] == 0, said["train"]["err"]
    lines = said["train"]["out"].splitlines()
    (told,) = [number for number, line in enumerate(lines) if line.startswith("Devices: ")]
    assert "16 images, 8 on each; the learning rate of 0.0002 stays" in lines[told]
    assert told > next(number for number, line in enumerate(lines) if line.startswith("Step 4 of 5"))
    run = out / "train" / "folder" / "transfer" / "seed-0"
    assert json.loads((run / "report.json").read_text())["images"] > 0
    (row,) = map(json.loads, (out / "train" / "results.jsonl").read_text().splitlines())
    assert 0 < row["parameters"]["trained"] < row["parameters"]["total"]  # the first stages are a constant front


def test_a_fine_tuning_that_one_device_began_two_go_on_with(made):
    out, said = made
    assert said["train, cut on one"]["code"] == 130
    assert said["train, resumed on two"]["code"] == 0, said["train, resumed on two"]["err"]
    runs = [out / name / "folder" / "transfer" / "seed-0" for name in ("train", "train-cut")]
    rows = [list(csv.DictReader((run / "history.csv").open(newline=""))) for run in runs]
    assert [len(one) for one in rows] == [2, 2]
    for row, same in zip(*rows, strict=True):  # Adam makes steps of the same size of gradients that are all but zero
        assert float(row["loss"]) == pytest.approx(float(same["loss"]), rel=1e-4)
        assert float(row["val_loss"]) == pytest.approx(float(same["val_loss"]), rel=1e-3)
