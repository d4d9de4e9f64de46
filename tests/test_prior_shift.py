"""tools/prior_shift.py: what extra images taught, apart from how common the weak classes became."""

import numpy as np
import prior_shift
import pytest

from kfg.evaluation import posthoc, predict
from kfg.evaluation.predict import Predictions
from kfg.files import write_json, write_text
from kfg.runs import run_files

CLASSES = ("ant", "bee", "cat")
TRAINED = 10  # photographs of each class
EXTRA = 30  # images of the weak class, ant


def probabilities(*, knows_ants: float):
    """Return answers on 3 x 60 photographs: how sure each is varies, that of the ants by an amount of its own."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 60)
    logits = rng.normal(0, 1.5, (180, 3))
    logits[np.arange(180), labels] += np.where(labels == 0, knows_ants, 2)
    return labels, posthoc.softmax(logits)


def write_run(folder, row, labels, answers):
    run = folder / row / "seed-0"
    run.mkdir(parents=True)
    paths = tuple(f"{CLASSES[label]}/{number}.jpg" for number, label in enumerate(labels))
    for name in (run_files.PREDICTIONS, run_files.VAL_PREDICTIONS):
        predict.write_csv(Predictions(paths, labels, answers, CLASSES), run / name)
    lines = [f"train-{name}-{number}.jpg,{name},train" for name in CLASSES for number in range(TRAINED)]
    write_text(run / run_files.SPLIT, "\n".join(["path,class,part", *lines]) + "\n")
    write_json(run / run_files.CLASSES, list(CLASSES))
    write_json(run / run_files.CONFIG, {"folds": 1, "config": {"rounds": [{"count": EXTRA}]}})
    write_json(
        run / run_files.WEAK, {"weak": [{"id": 0, "name": "ant", "support": 9}], "not_judged": [], "min_support": 1}
    )
    write_json(run / run_files.REPORT, {})


def compared(folder, *, targeted_knows: float):
    labels, none = probabilities(knows_ants=0.5)
    _, targeted = probabilities(knows_ants=targeted_knows)
    commoner = np.log([(TRAINED + EXTRA) / TRAINED, 1, 1])
    for row, answers in (("arm-none", none), ("arm-uniform", none)):
        write_run(folder, row, labels, answers)
    write_run(folder, "arm-targeted", labels, posthoc.softmax(np.log(targeted) + commoner))
    by, comparison = prior_shift.compared(folder)
    arms = {group: found["arms"] for group, found in comparison["groups"].items()}
    return by, {group: {name: one["recall"]["value"] for name, one in found.items()} for group, found in arms.items()}


def test_a_mere_shift_lies_on_the_curve_of_the_bias_and_is_gone_when_corrected(tmp_path):
    by, recall = compared(tmp_path, targeted_knows=0.5)
    assert recall["targeted"]["targeted"] > recall["targeted"]["none"] + 0.1
    assert by == pytest.approx(np.log(4), abs=0.15)
    assert recall["other"][prior_shift.BIASED] == pytest.approx(recall["other"]["targeted"], abs=0.01)
    for group in ("targeted", "other"):
        assert recall[group][prior_shift.CORRECTED] == pytest.approx(recall[group]["none"])


def test_what_the_net_learned_lies_above_the_curve_and_stays_when_corrected(tmp_path):
    _, recall = compared(tmp_path, targeted_knows=2.5)
    assert recall["other"]["targeted"] > recall["other"][prior_shift.BIASED] + 0.1
    assert recall["targeted"][prior_shift.CORRECTED] > recall["targeted"]["none"] + 0.2


def test_the_tuned_bias_is_the_one_that_serves_all_classes_best(tmp_path):
    labels, answers = probabilities(knows_ants=0.5)
    write_run(tmp_path, "arm-none", labels, answers)
    by = prior_shift.tuned(tmp_path / "arm-none" / "seed-0", [0])

    def right(by):
        moved = np.log(answers) + np.array([by, 0, 0])
        return (moved.argmax(axis=1) == labels).mean()

    assert 0 < by < 8 and right(by) == pytest.approx(max(right(one) for one in prior_shift.BIASES))


def test_an_arm_with_augmentation_is_compared_if_it_was_run(tmp_path, capsys):
    compared(tmp_path, targeted_knows=0.5)
    write_run(tmp_path, "arm-augmented", *probabilities(knows_ants=3))
    assert prior_shift.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("| augmented - none, tuned bias | +") for line in lines)
    assert any(line.startswith("| targeted - uniform |") for line in lines)


def test_runs_that_are_not_there_are_named(tmp_path, capsys):
    assert prior_shift.main([str(tmp_path)]) == 2
    assert "arm-none, arm-uniform, arm-targeted" in capsys.readouterr().err
