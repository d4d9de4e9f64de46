"""Two devices train as one does; the cases run in a process of their own, see two_devices.py."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
# oneDNN's kernels, which kfg lets TensorFlow use on processors, fail on the share of a device that has no image
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
ROUNDING = 1e-4  # of a weight that has moved by thousands of times as much


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Return the function name of a case -> what it found."""
    folder = tmp_path_factory.mktemp("devices")
    answer = subprocess.run(
        [sys.executable, str(HERE / "two_devices.py"), str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **SETTINGS},
    )

    def case(name):
        path = folder / f"{name}.json"
        assert path.is_file(), answer.stderr
        return json.loads(path.read_text())

    return case


def alike(compared):
    """Check that two devices came where one did, and that this was not where they began."""
    assert compared["weights"] < ROUNDING and compared["optimizer"] < ROUNDING and compared["history"] < ROUNDING
    assert compared["learned"] > 100 * ROUNDING


@pytest.mark.parametrize("name", ["augmented", "averaged", "watched"])
def test_weights_optimiser_and_history_are_those_of_one_device(found, name):
    alike(found(name))


def test_a_batch_is_cut_into_shares_whose_sizes_differ_by_one_at_most(found):
    assert found("shares") == [[[0, 1, 2, 3], [4, 5, 6, 7]], [[0, 1], [2]], [[0], []]]


def test_metrics_of_many_steps_count_every_image_once(found):
    case = found("many_steps")
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert case["two"][name] == pytest.approx(case["one"][name], rel=1e-5)


def test_a_frozen_trunk_stays_as_it_is_and_its_batch_norm_goes_on_averaging_where_it_may(found):
    assert found("frozen") == {
        "conv1": [False],
        "bn1": [False] * 4,
        "conv2": [False],
        "bn2": [False, False, True, True],  # gamma, beta; mean and variance
        "head": [True] * 2,
    }


def test_a_cut_training_goes_on_to_the_same_bits(found):
    assert found("resumed") == {"weights": 0, "ended": 0, "rows": True}


def test_a_checkpoint_of_one_device_serves_two_and_the_other_way_round(found):
    for case in found("resumed_on_others").values():
        assert case["weights"] < ROUNDING and case["epochs"] == 2


def test_each_device_drops_other_units(found):
    case = found("masks")
    assert case["first device as alone"]
    assert 0.2 < case["alike on both devices"] < 0.8 and 0.2 < case["alike in both steps"] < 0.8


def test_an_overflow_on_any_device_leaves_the_step_out(found):
    case = found("overflowing")
    assert case["ours"] == {"finite": True, "moved": 0, "scale": 2**14}
    assert not case["Keras's own"]["finite"]  # else what sees to it is no longer needed


def test_half_precision_learns_on_two_devices(found):
    compared = found("half_precision")
    assert compared["weights"] < 5e-2 and compared["learned"] > 1e-1


def test_nets_of_several_branches_come_to_the_same_weights_and_losses(found):
    assert list(found("branched")) == ["fbsd", "mmal"]
    for compared in found("branched").values():
        assert compared["weights"] < min(ROUNDING, compared["learned"] / 1000) and compared["history"] < ROUNDING
        assert compared["learned"] > ROUNDING
        assert sum(name.endswith("_loss") for name in compared["columns"]) > 1  # each branch has its own


def test_timing_a_step_leaves_the_model_as_it_was(found):
    assert found("rate")["rate"] > 0 and found("rate")["first"] > 0 and found("rate")["changed"] == 0


def test_devices_are_chosen_by_number_or_all(found):
    both, one = ["CPU:0", "CPU:1"], ["CPU:0"]
    case = found("chosen")
    assert [case[text] for text in ("1", "2", "all")] == [one, both, both]
    assert case["3"].startswith("--devices 3: TensorFlow finds 2 here (CPU:0, CPU:1)")
    for text in ("0", "two", "-1"):
        assert case[text] == f"--devices: expected all, or a number from 1 up, got {text!r}"


def test_gpu_check_times_one_device_and_all_and_compares_their_weights(found):
    case = found("measured")
    timed = [(one["devices"], one["batch"], one["xla"]) for one in case["rates"]]
    assert timed == [(1, 2, False), (1, 2, True), (2, 2, False), (2, 4, False)]
    assert all(one["images_per_second"] > 0 for one in case["rates"] if one["devices"] == 2)
    assert list(case["checks"]) == [
        "2 devices come to the weights of one",
        "a cut training goes on as if it had not been, on CPU:0, CPU:1",
    ]
    assert all(told["passed"] and told["allowed"] == ROUNDING for told in case["checks"].values())
