import numpy as np
import pytest

from kfg import reaugment, reporting
from kfg.augment.policies import Policy
from kfg.data.part import Part
from kfg.data.stores import Images
from kfg.errors import InputError
from kfg.evaluation import predict
from kfg.evaluation.predict import Predictions
from kfg.files import write_json
from kfg.runs import arms, run_files


def answers(matrix, classes=("a", "b", "c", "d")):
    """Return Predictions that have this confusion matrix."""
    labels, predicted = [], []
    for true, row in enumerate(matrix):
        for guess, count in enumerate(row):
            labels += [true] * count
            predicted += [guess] * count
    probabilities = np.eye(len(classes), dtype=np.float32)[predicted]
    paths = tuple(f"{i}.jpg" for i in range(len(labels)))
    return Predictions(paths, np.array(labels, np.int32), probabilities, classes)


MATRIX = [[18, 12, 0, 0], [0, 30, 0, 0], [20, 0, 10, 0], [3, 0, 0, 0]]  # recall .6, 1, .33, 0 on 3 images


def test_the_worst_judged_classes_are_weak():
    assert reaugment.weak_on_validation(answers(MATRIX), count=2, min_support=20).tolist() == [2, 0]
    assert reaugment.weak_on_validation(answers(MATRIX), count=2, min_support=3).tolist() == [3, 2]


def test_no_class_with_enough_images_is_an_error_that_says_how_many_there_are():
    with pytest.raises(
        InputError,
        match=r"^min_support: no class has 31 validation images \(the largest has 30\).*--set min_support=30",
    ):
        reaugment.weak_on_validation(answers(MATRIX), count=2, min_support=31)


def test_classes_not_judged_for_want_of_images_are_said_and_kept(tmp_path):
    val = answers(MATRIX)
    content = reaugment.write_weak(tmp_path, np.array([2, 0]), val, min_support=20)
    assert content["not_judged"] == [{"id": 3, "name": "d", "support": 3}]
    assert reaugment.read_weak(tmp_path) == content
    said = ["weak classes: c, a", "not judged, because they have fewer than 20 validation images: d 3"]
    assert reaugment.weak_lines(content) == said
    assert reaugment.weak_lines(reaugment.write_weak(tmp_path, [3], val, min_support=3)) == ["weak classes: d"]


def test_weak_classes_written_by_an_earlier_version_are_read(tmp_path):
    (tmp_path / run_files.WEAK).write_text('[{"id": 2, "name": "c"}]')
    assert reaugment.read_weak(tmp_path)["weak"] == [{"id": 2, "name": "c"}]


def make(arm, weak=(1,), seed=0):
    """40 images of 4 classes whose level tells the class."""
    labels = np.arange(40) % 4
    images = Images((labels * 50).astype(np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8))
    policy = Policy(rotation=30, fill_mode="nearest", horizontal_flip=True)
    rounds = (reaugment.Round(count=30, policy=policy, seeds_per_class=5), reaugment.Round(count=7, policy=policy))
    extra = reaugment.extra_images(Part(images, labels), arm=arm, rounds=rounds, weak=weak, seed=seed)
    return extra.images, extra.labels


def test_targeted_makes_weak_classes_only_and_uniform_as_many_over_all():
    images, labels = make("targeted")
    assert len(images) == len(labels) == 37 and set(labels) == {1}
    np.testing.assert_array_equal(images[:, 4, 4, 0], 50)
    images, labels = make("uniform")
    assert len(images) == 37 and set(labels) == {0, 1, 2, 3}
    np.testing.assert_array_equal(images[:, 4, 4, 0], labels * 50)
    assert len(make("none")[0]) == len(make("targeted-policy")[0]) == 0


def test_takers_are_the_classes_that_take_most_of_the_weak_ones_and_are_not_weak_themselves():
    found = answers([[5, 3, 2, 0], [0, 10, 0, 0], [4, 4, 2, 0], [0, 0, 0, 10]])
    assert reaugment.strong_takers(found, [0]) == [1]
    assert reaugment.strong_takers(found, [0, 2]) == [1]  # 0 takes as many of 2, but is weak itself
    assert reaugment.strong_takers(found, [1, 3]) == []  # nobody takes their images


def test_the_same_seed_makes_the_same_images_and_another_seed_others():
    same = [make("uniform", seed=1) for _ in range(2)]
    np.testing.assert_array_equal(same[0][0], same[1][0])
    assert not np.array_equal(make("uniform", seed=2)[1], same[0][1])


def test_an_unknown_arm_lists_the_known_ones():
    with pytest.raises(InputError, match="'some' is not one of none, uniform, targeted, targeted-policy"):
        make("some")


ROWS = {"none": "a", "uniform": "b", "targeted": "c"}


def finish(folder, row, run, *, folds=1, **config):
    """Write what compare() reads of a finished run."""
    path = folder / row / run
    path.mkdir(parents=True)
    write_json(path / "report.json", {})
    config = {"arm": row, "dropout": 0.2, **config}
    write_json(path / "config.json", {"data": {"name": "mine"}, "folds": folds, "config": config})
    write_json(path / "env.json", {"precision": "float32", "jit_compile": False})
    predict.write_csv(answers(MATRIX), path / "predictions.csv")
    reaugment.write_weak(path, [2], answers(MATRIX), min_support=20)
    return path


def test_arms_unfinished_are_nothing_to_compare(tmp_path):
    like = finish(tmp_path, "a", "seed-0")
    finish(tmp_path, "c", "seed-0")
    assert arms.compare(tmp_path, ROWS, like=like) is None


def test_arms_of_two_kinds_are_compared_kind_by_kind(tmp_path, caplog):
    for row in ROWS.values():
        single = finish(tmp_path, row, "seed-0")
        for fold in range(2):
            last = finish(tmp_path, row, f"seed-0-fold-{fold}-of-2", folds=2)
    one, two = (arms.compare(tmp_path, ROWS, like=run) for run in (single, last))
    assert (one["runs"], one["settings"]["folds"]) == (1, 1) and (two["runs"], two["settings"]["folds"]) == (2, 2)
    assert two["not_judged"] == [{"name": "d", "runs": 2}]
    assert "left out of the comparison (2)" in caplog.messages[0] and "folds is 2 instead of 1" in caplog.messages[0]
    reporting.write_arms(tmp_path, two)
    assert '<th scope="row">folds</th><td>2</td>' in (tmp_path / "arms.html").read_text(encoding="utf-8")
    assert "(mine, one split, float32)" in reporting.arms_table(one)
    assert "(mine, 2 folds, float32)" in reporting.arms_table(two)


def test_an_arm_of_another_setting_is_left_out_and_said(tmp_path, caplog):
    like = finish(tmp_path, "a", "seed-0")
    finish(tmp_path, "b", "seed-0", dropout=0.5)
    finish(tmp_path, "c", "seed-0")
    assert arms.compare(tmp_path, ROWS, like=like) is None
    assert "b/seed-0: dropout is 0.5 instead of 0.2" in caplog.text


def test_the_policy_arm_is_compared_where_all_its_runs_are_there(tmp_path, caplog):
    rows = {**ROWS, "targeted-policy": "d"}
    for run in ("seed-0", "seed-1"):
        like = [finish(tmp_path, row, run) for row in ROWS.values()][-1]
    assert list(arms.compare(tmp_path, rows, like=like)["groups"]["all"]["arms"]) == list(ROWS)
    assert caplog.messages == []
    finish(tmp_path, "d", "seed-0")
    assert list(arms.compare(tmp_path, rows, like=like)["groups"]["all"]["arms"]) == list(ROWS)
    assert "d is left out, as only 1 of 2 runs" in caplog.text
    finish(tmp_path, "d", "seed-1")
    found = arms.compare(tmp_path, rows, like=like)
    assert list(found["groups"]["all"]["arms"]) == list(rows)
    assert "  targeted-policy against targeted +0.0 [" in reporting.arms_table(found)


def test_near_duplicates_of_the_runs_split_are_compared_as_one(tmp_path):
    for row in ROWS.values():
        like = finish(tmp_path, row, "seed-0")
        paths = answers(MATRIX).paths
        lines = [f"{path},a,test,{at // 2}," for at, path in enumerate(paths)]
        (like / "split.csv").write_text("\n".join(["path,class,part,group,sha256", *lines]) + "\n")
    found = arms.compare(tmp_path, ROWS, like=like)
    assert (found["images"], found["clusters"]) == (len(paths), (len(paths) + 1) // 2)


def test_support_that_no_class_has_is_refused_by_name():
    reaugment.check_support(8, 8)
    with pytest.raises(
        InputError, match=r"^min_support: no class has 8 validation images .the largest has 5.*min_support=5"
    ):
        reaugment.check_support(5, 8)
