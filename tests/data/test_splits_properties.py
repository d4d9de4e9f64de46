"""Splits and their files, for whatever labels, groups and names there may be."""

import collections
import os
import pathlib
import tempfile

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kfg.data import folder, splitcsv, splits
from kfg.data.index import make_index
from kfg.data.part_folders import PARTS

FRACTIONS = st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
SEEDS = st.integers(0, 2**31 - 1)


@st.composite
def indices(draw, *, grouped=True):
    """Draw an Index of 1 to 80 images in 2 to 5 classes; its groups are of one class, or now and then of several."""
    count, num_classes = draw(st.integers(1, 80)), draw(st.integers(2, 5))
    labels = draw(st.lists(st.integers(0, num_classes - 1), min_size=count, max_size=count))
    groups = draw(st.lists(st.integers(0, count // 2), min_size=count, max_size=count)) if grouped else range(count)
    if grouped and draw(st.booleans()):  # groups of one class each, as they mostly are
        groups = [group * num_classes + label for group, label in zip(groups, labels, strict=True)]
    names = [f"{i}.jpg" for i in range(count)]
    return make_index(".", names, labels, [f"class {i}" for i in range(num_classes)], groups=groups)


@given(indices(), FRACTIONS, FRACTIONS, SEEDS)
def test_groups_stay_together_and_every_image_has_one_part(index, val, test, seed):
    decided = splits.split(index, val=val, test=test, seed=seed)
    splits.check_apart(decided)
    assert decided.paths == index.paths and (decided.labels == index.labels).all()
    assert set(decided.parts) <= set(PARTS)
    assert sum(len(decided.where(part)) for part in PARTS) == len(index)
    part_of = collections.defaultdict(set)
    for group, part in zip(index.groups.tolist(), decided.parts, strict=True):
        part_of[group].add(part)
    assert all(len(parts) == 1 for parts in part_of.values())
    for part, fraction in (("val", val), ("test", test)):
        assert fraction or not len(decided.where(part))
    again = splits.split(index, val=val, test=test, seed=seed)
    assert again.parts == decided.parts


@given(indices(grouped=False), FRACTIONS, FRACTIONS, SEEDS)
def test_every_part_is_within_half_an_image_of_its_fraction(index, val, test, seed):
    decided = splits.split(index, val=val, test=test, seed=seed)
    for label, total in enumerate(index.counts()):
        counts = {part: int((decided.labels[decided.where(part)] == label).sum()) for part in PARTS}
        sought = {part: share for part, share in (("val", val), ("test", test)) if share}
        if total >= max(splits.MIN_PER_CLASS, 1 + len(sought)):
            wanted = {part: max(1, share * total) for part, share in sought.items()}
            # where rounding leaves train nothing, it gets one image of theirs
            slack = 0.5 if sum(int(share + 0.5) for share in wanted.values()) < total else 1.5
            assert all(abs(counts[part] - wanted[part]) <= slack for part in sought)
            assert all(counts[part] for part in ("train", *sought))
        elif total:
            assert counts["train"] >= 1  # a rare class is trained on before it is tested


@given(indices(), st.integers(2, 5), SEEDS)
def test_folds_test_every_image_once(index, k, seed):
    if len(set(index.groups.tolist())) < k:
        return
    tested = collections.Counter()
    for fold in splits.folds(index, k=k, seed=seed):
        splits.check_apart(fold)
        tested.update(fold.where("test").tolist())
    assert tested == dict.fromkeys(range(len(index)), 1)


# every character but NUL, which no file name has; bytes that are not UTF-8 are kept as lone surrogates
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0") | st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF
)
ODD = st.sampled_from(
    ["a,b", 'quo"te', "new\nline", "cr\rlf\r\n", "Icon\r", "tab\t", " both ", "=SUM(A1)", "é", "e\u0301", "nan", "#x"]
)


def plain(path):
    """Whether a name stays inside of its folder, which is what split.csv may list, and is one that a disk can hold."""
    parts = pathlib.PurePosixPath(path).parts
    if os.fsdecode(path.encode("utf-8", "surrogateescape")) != path:  # surrogates that make up valid UTF-8
        return False
    return not path.startswith("/") and ".." not in parts and str(pathlib.PurePosixPath(path)) == path


PATHS = (st.text(CHARACTERS, min_size=1, max_size=20) | ODD).filter(lambda text: plain(text) and text.strip())
CLASSES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=12) | ODD


@given(
    st.lists(PATHS, min_size=2, max_size=12, unique=True),
    st.lists(CLASSES, min_size=2, max_size=4, unique=True),
    st.data(),
)
def test_a_split_csv_comes_back_as_it_was_written(paths, names, data):
    labels = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=len(paths), max_size=len(paths)))
    parts = data.draw(st.lists(st.sampled_from(PARTS), min_size=len(paths), max_size=len(paths)))
    groups = data.draw(st.lists(st.integers(0, 2**40), min_size=len(paths), max_size=len(paths)))
    index = make_index(".", paths, labels, names, parts=parts, groups=groups, sha256=["0" * 64] * len(paths))
    with tempfile.TemporaryDirectory() as where:
        path = pathlib.Path(where) / "split.csv"
        splits.write_csv(index, path)
        rows, columns = splitcsv.split_rows(path)
    assert tuple(columns) == splits.COLUMNS
    assert [row["path"] for row in rows] == paths
    assert [row["class"] for row in rows] == [names[label] for label in labels]
    assert [row["part"] for row in rows] == parts
    assert [row["group"] for row in rows] == groups


FILE_NAMES = st.text(CHARACTERS.filter(lambda one: one not in "/\\"), min_size=1, max_size=20).filter(
    lambda name: plain(name) and not name.startswith(".") and len(name.encode("utf-8", "surrogateescape")) < 200
)


@settings(max_examples=25, deadline=None)
@given(st.lists(FILE_NAMES, min_size=2, max_size=5, unique=True))
def test_files_of_any_name_are_found_by_the_split_csv_that_lists_them(names):
    with tempfile.TemporaryDirectory() as where:
        root = pathlib.Path(where)
        paths = [f"{'cat' if i % 2 else 'dog'}/{name}.jpg" for i, name in enumerate(names)]
        for path in paths:
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(b"\xff\xd8\xff")
        labels = np.arange(len(paths)) % 2
        splits.write_csv(
            make_index(root, paths, labels, ["dog", "cat"], parts=["train"] * len(paths)), root / "split.csv"
        )
        found = folder.read_split(root / "split.csv", root, classes=["dog", "cat"])
        assert list(found.paths) == paths
        assert found.labels.tolist() == labels.tolist()
