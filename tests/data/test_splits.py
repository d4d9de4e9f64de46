"""Parts and folds: fractions per class, groups whole, given parts kept, and split.csv there and back."""

import dataclasses
import errno
import os

import numpy as np
import pytest

from kfg.data import audit, folder, splits
from kfg.data.index import make_index
from kfg.errors import InputError


def index_of(counts, *, groups=None, parts=None, sha256=None):
    """Return an index of counts[c] images per class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    paths = [f"{label}/{i}.jpg" for i, label in enumerate(labels)]
    classes = [f"class {i}" for i in range(len(counts))]
    return make_index("root", paths, labels, classes, groups=groups, parts=parts, sha256=sha256)


def per_class(index, part):
    return index.take(index.where(part)).counts().tolist()


def test_every_class_is_within_one_image_of_its_fractions():
    counts = [97, 100, 103, 60, 21, 9]
    index = splits.split(index_of(counts), val=0.15, test=0.2, seed=3)
    for part, fraction in (("val", 0.15), ("test", 0.2), ("train", 0.65)):
        got = per_class(index, part)
        assert all(abs(n - fraction * count) <= 1 for n, count in zip(got, counts, strict=True)), (part, got)
    assert per_class(index, "test")[1] == 20 and per_class(index, "val")[1] == 15
    splits.check_apart(index)


def test_the_seed_decides_and_nothing_else():
    index = index_of([100, 80])
    assert splits.split(index, seed=1).parts == splits.split(index, seed=1).parts
    assert splits.split(index, seed=1).parts != splits.split(index, seed=2).parts
    other = index_of([100, 30])  # what one class gets does not hang on the others
    assert splits.split(index, seed=1).parts[:100] == splits.split(other, seed=1).parts[:100]


def test_groups_never_straddle_and_fractions_still_hold():
    rng = np.random.default_rng(0)
    groups = np.concatenate([rng.integers(0, 60, 100), 100 + rng.integers(0, 40, 100)])
    index = splits.split(index_of([100, 100], groups=groups), val=0.15, test=0.2)
    parts = {group: {index.parts[i] for i in np.flatnonzero(groups == group)} for group in groups}
    assert all(len(found) == 1 for found in parts.values())
    largest = np.unique(groups, return_counts=True)[1].max()
    assert largest > 3 and all(abs(n - 20) <= 1 for n in per_class(index, "test"))
    splits.check_apart(index)


def test_a_group_that_is_most_of_a_class_goes_to_train():
    index = splits.split(index_of([30], groups=[0] * 20 + list(range(1, 11))), test=0.2, val=0.1)
    assert {index.parts[i] for i in range(20)} == {"train"}
    assert len(index.where("test")) > len(index.where("val")) > 0


@pytest.mark.parametrize(
    "count, minimum, train, test, val",
    [
        (1, 4, 1, 0, 0),
        (2, 4, 1, 1, 0),
        (3, 4, 1, 1, 1),
        (4, 4, 2, 1, 1),
        (8, 10, 6, 1, 1),
        (10, 10, 6, 2, 2),
        (1, 1, 1, 0, 0),
        (2, 1, 1, 1, 0),
    ],
)
def test_rare_classes_fill_train_then_test_then_val(count, minimum, train, test, val):
    index = splits.split(index_of([40, count]), val=0.15, test=0.2, min_per_class=minimum)
    assert [per_class(index, part)[1] for part in ("train", "test", "val")] == [train, test, val]


def test_no_val_or_no_test_asked_is_none():
    index = splits.split(index_of([50, 2]), val=0, test=0.2)
    assert per_class(index, "val") == [0, 0] and per_class(index, "test") == [10, 1]


def test_given_parts_are_kept_and_only_what_is_missing_is_carved_from_train():
    given = ["train"] * 40 + ["test"] * 20 + ["train"] * 20 + ["test"] * 5
    index = splits.split(index_of([60, 25], parts=given), val=0.25, test=0.9 / 2)
    assert (
        per_class(index, "test") == [20, 5]
        and per_class(index, "val") == [10, 5]
        and per_class(index, "train") == [30, 15]
    )
    assert all(
        now == before or (before, now) == ("train", "val") for before, now in zip(given, index.parts, strict=True)
    )
    whole = splits.split(index, seed=9)
    assert whole.parts == index.parts  # nothing is missing
    only_train = splits.split(index_of([60, 25], parts=["train"] * 85), val=0.2, test=0.2)
    assert per_class(only_train, "test") == [12, 5] and per_class(only_train, "val") == [12, 5]


def test_undecided_images_are_divided_and_follow_their_group():
    given = ["test"] * 10 + [""] * 30 + ["test"] * 10 + [""] * 30
    groups = np.arange(80)
    groups[10] = groups[0]  # a copy of a test image
    index = splits.split(index_of([40, 40], parts=given, groups=groups), val=0.1, test=0.2)
    assert index.parts[10] == "test" and per_class(index, "test") == [11, 10] and per_class(index, "val") == [3, 3]
    splits.check_apart(index)


@pytest.mark.parametrize("empty, val", [(4, [10, 10]), (24, [10, 10]), (50, [8, 8])])
def test_a_few_images_without_a_part_do_not_shrink_a_missing_one(empty, val):
    """Of the 80 images of each class, 20 are given to test, and so many of the others are left to kfg."""
    class_parts = ["test"] * 20 + [""] * empty + ["train"] * (60 - empty)
    index = splits.split(index_of([80, 80], parts=class_parts * 2), val=1 / 6)
    assert per_class(index, "val") == val and per_class(index, "test") == [20, 20]
    moved = {pair for pair in zip(class_parts * 2, index.parts, strict=True) if pair[0] != pair[1]}
    assert ("train", "val") in moved or empty == 50
    assert splits.empty_parts(index_of([80, 80], parts=class_parts * 2), val=1 / 6) == []


def test_a_leak_of_the_given_parts_is_said_and_equal_bytes_are_refused(caplog):
    given, groups = ["train", "test"] * 10, [0, 0, *range(2, 20)]
    leaky = index_of([10, 10], parts=given, groups=groups)
    index = splits.split(leaky, val=0.2)
    assert "separate 1 groups" in caplog.text and "0/0.jpg (train) and 0/1.jpg (test)" in caplog.text
    assert index.separated == 1 and splits.split(index_of([10, 10], parts=given)).separated == 0
    assert splits.split(dataclasses.replace(leaky.take(range(1, 20)), uncorrected=leaky)).separated == 1
    splits.check_apart(index)
    leaking = index_of([10, 10], parts=given, groups=groups, sha256=["same", "same", *map(str, range(18))])
    with pytest.raises(InputError, match=r"0/0.jpg \(train\) and 0/1.jpg \(test\) have the same content"):
        splits.check_apart(splits.split(leaking, val=0))


def test_every_image_is_tested_once_over_the_folds():
    counts = [50, 23, 7, 1]
    index = index_of(counts, groups=[0, 0, 0, *range(3, 81)])
    decided = splits.folds(index, k=5, seed=4, val=0.2)
    tested = np.concatenate([one.where("test") for one in decided])
    assert sorted(tested.tolist()) == list(range(81))
    for one in decided:
        splits.check_apart(one)
        got = per_class(one, "test")
        assert all(abs(n - count / 5) < 3 for n, count in zip(got, counts, strict=True))
        assert abs(got[0] - 10) <= 1 and abs(per_class(one, "val")[0] - 10) <= 1
        assert set(one.parts) == {"train", "val", "test"}
    sizes = [len(one.where("test")) for one in decided]
    assert max(sizes) - min(sizes) <= 3
    again = splits.folds(index, k=5, seed=4, val=0.2)
    assert [one.parts for one in again] == [one.parts for one in decided]
    assert [one.parts for one in splits.folds(index, k=5, seed=5, val=0.2)] != [one.parts for one in decided]


def test_folds_test_the_given_test_images_too():
    index = index_of([20, 20], parts=["train"] * 20 + ["test"] * 20)
    assert per_class(splits.folds(index, k=4)[0], "test") == [5, 5]


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"val": -0.1}, "val"),
        ({"test": 1}, "test: must be a fraction"),
        ({"val": 0.5, "test": 0.5}, "val and test"),
        ({"min_per_class": 0}, "min_per_class: must be at least 1, got 0"),
    ],
)
def test_wrong_fractions_name_the_argument(arguments, said):
    with pytest.raises(InputError, match=said):
        splits.split(index_of([10, 10]), **arguments)


def test_wrong_folds_name_the_argument():
    with pytest.raises(InputError, match="k: must be at least 2 folds, got 1"):
        splits.folds(index_of([10, 10]), k=1)
    with pytest.raises(InputError, match="3 folds need 3 groups of images, but there are only 2"):
        splits.folds(index_of([10, 10], groups=[0] * 10 + [1] * 10), k=3)


def test_a_class_that_the_given_parts_leave_untrained_is_refused():
    parts = ["train"] * 6 + ["test"] * 3 + ["val"] * 2
    labels = [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1]
    index = make_index("here", [f"{i}.jpg" for i in range(11)], labels, "abcd", parts=parts)
    with pytest.raises(InputError, match=r"^here: class 'c' has 3 in test, none in train; use the same name in every"):
        splits.split(index)
    splits.split(dataclasses.replace(index, parts=("",) * 11))
    splits.split(index.take(np.flatnonzero(index.labels != 2)))  # c and d have no image at all: known, not shown


def test_a_class_that_chance_leaves_untrained_is_said_once(caplog):
    splits.folds(make_index("here", "uvwxyz", [0, 0, 0, 0, 0, 1], "ab"), k=2, val=0)
    assert [message for message in caplog.messages if "class 'b'" in message] == caplog.messages != []
    caplog.clear()
    index = make_index(
        "here",
        "uvwxyz",
        [0, 0, 0, 1, 1, 2],
        "abc",
        parts=["train"] * 3 + ["test", "train", ""],
        groups=[0, 1, 2, 3, 4, 3],
    )
    assert splits.split(index, val=0).parts[5] == "test"  # with its copy
    assert caplog.messages == ["here: train has no image of class 'c'"]


def test_check_names_the_two_that_meet():
    good = {"parts": ["train", "val", "test"], "sha256": ["a", "", ""]}
    splits.check_apart(index_of([2, 1], **good))
    with pytest.raises(InputError, match=r"0/0.jpg \(train\) and 1/2.jpg \(test\) have the same content"):
        splits.check_apart(index_of([2, 1], **{**good, "sha256": ["a", "b", "a"]}))
    with pytest.raises(InputError, match=r"0/1.jpg \(val\) and 1/2.jpg \(test\) have the same group"):
        splits.check_apart(index_of([2, 1], **good, groups=[0, 7, 7]))
    with pytest.raises(InputError, match=r"0/1.jpg: is in no part \(one of 1 such images\)"):
        splits.check_apart(index_of([2, 1], parts=["train", "", "val"]))
    twice = make_index("root", ["x.jpg", "x.jpg"], [0, 1], ["a", "b"], parts=["train", "test"])
    with pytest.raises(InputError, match="same path"):
        splits.check_apart(twice)


def test_split_csv_there_and_back(tmp_path):
    names = ["b/1.jpg", 'a/é, "2".jpg', os.fsdecode(b"a/\xff.jpg"), "a/4.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    parts, digests = ["test", "train", "val", "train"], ["x", "y", "", "z"]
    index = make_index(tmp_path, names, [1, 0, 0, 0], ["a", "b"], parts=parts, groups=[9, 4, 4, 2], sha256=digests)
    splits.write_csv(index, tmp_path / "split.csv")
    for back in (folder.read_split(tmp_path / "split.csv", tmp_path), folder.scan(tmp_path)):
        assert (back.paths, back.classes, back.parts, back.sha256) == (
            index.paths,
            index.classes,
            index.parts,
            index.sha256,
        )
        assert back.labels.tolist() == [1, 0, 0, 0] and back.groups.tolist() == [9, 4, 4, 2]
    assert (tmp_path / "split.csv").read_bytes().startswith(b"path,class,part,group,sha256\nb/1.jpg,b,test,9,x\n")


def test_a_test_set_that_is_val_too_is_said_in_the_file_and_is_no_split_of_a_folder(tmp_path):
    index = make_index(
        tmp_path,
        [f"{i}.jpg" for i in range(5)],
        [0, 1, 0, 1, 0],
        ["a", "b"],
        parts=["train", "val", "test", "train", "test"],
    )
    both = splits.with_test_as_val(index)
    assert both.where("train").tolist() == [0, 1, 3]
    assert both.where("val").tolist() == both.where("test").tolist() == [2, 4]
    assert index.where("val").tolist() == [1]
    splits.check_apart(both)
    for path in index.full_paths():
        path.touch()
    splits.write_csv(both, tmp_path / "split.csv")
    assert folder.read_split(tmp_path / "split.csv", tmp_path).parts == both.parts
    with pytest.raises(InputError, match="what a run did"):
        folder.scan(tmp_path)


def test_a_full_disk_leaves_the_old_split_and_nothing_half_written(tmp_path, monkeypatch):
    index = splits.split(index_of([10, 10]))
    splits.write_csv(index, tmp_path / "split.csv")
    before = (tmp_path / "split.csv").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"split\.csv: No space left on device"):
        splits.write_csv(splits.split(index_of([10, 10]), seed=1), tmp_path / "split.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["split.csv"]
    assert (tmp_path / "split.csv").read_bytes() == before
    with pytest.raises(InputError, match=r"0/0\.jpg is in no part \(one of 20 such"):
        splits.write_csv(index_of([10, 10]), tmp_path / "other.csv")


@pytest.mark.realdata
def test_real_photographs_divide_without_a_leak(real_data):
    index = audit.duplicate_groups(folder.scan(real_data / "caltech20"))
    decided = splits.split(index, val=0.15, test=0.2)
    splits.check_apart(decided)
    share = np.array(per_class(decided, "test")) / index.counts()
    assert len(set(index.groups.tolist())) < len(index) == 1870
    assert np.abs(share - 0.2).max() < 0.02
