"""The demo folder: same bytes every time, the audit finds what is planted, siblings are alike and yet told apart."""

import collections
import errno
import hashlib
import os
import shutil

import numpy as np
import pytest

from kfg.data import audit, decode, demo, folder, splits
from kfg.errors import InputError


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "data"
    return root, demo.write(root, images_per_class=12)


def digests(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_bytes_every_time_and_other_seeds_differ(drawn, tmp_path):
    root, planted = drawn
    (tmp_path / "again").mkdir()  # an empty folder will do
    assert demo.write(tmp_path / "again", images_per_class=12) == planted
    assert digests(tmp_path / "again") == digests(root)
    demo.write(tmp_path / "other", images_per_class=12, seed=1)
    assert not set(digests(tmp_path / "other").values()) & set(digests(root).values())


def test_the_audit_finds_what_was_planted_and_nothing_else(drawn):
    root, planted = drawn
    result = audit.audit(root)
    found = collections.defaultdict(list)
    for one in result.findings:
        found[one.kind].append(one.path)
    assert {kind: sorted(paths) for kind, paths in found.items()} == planted
    assert set(planted) == {
        "odd-size",
        "duplicate",
        "near-duplicate",
        "greyscale",
        "exif-rotation",
        "wrong-suffix",
        "hidden",
    }
    assert len(planted["odd-size"]) == 3 and len(planted["duplicate"]) == 4 and audit.exit_code(result) == 0
    sizes = {one.size for one in result.fingerprints}
    assert demo.SIZE in sizes and len(sizes) == 4


def test_twenty_lopsided_classes_in_families(drawn):
    root, _ = drawn
    index = folder.scan(root)
    assert index.classes == demo.CLASSES and len(demo.CLASSES) == 20
    assert sorted(name for family in demo.SIBLINGS for name in family) == list(demo.CLASSES)
    assert 1.5 < index.counts().max() / index.counts().min() < 2.5
    mean = np.mean(list(demo.counts(64).values()))
    assert 60 <= mean <= 70 and min(demo.counts(64).values()) >= 45
    for path in index.full_paths():
        assert decode.decode(path).std() > 8  # every one trains, none is blank


def test_the_demo_divides_without_a_leak(drawn):
    index = splits.split(audit.duplicate_groups(folder.scan(drawn[0])))
    splits.check_apart(index)
    assert len(set(index.groups.tolist())) == len(index) - 6  # four copies, two near-copies


def test_a_finished_demo_is_kept_and_anything_else_is_refused(drawn, tmp_path, monkeypatch):
    root, planted = drawn
    before = digests(root)
    monkeypatch.setattr(demo, "_draw_all", lambda *_: pytest.fail("drawn again"))
    assert demo.write(root, images_per_class=12) == planted and digests(root) == before
    (root / "split.csv").touch()  # beside the images a user may keep what is none
    assert demo.write(root, images_per_class=12) == planted
    (root / "split.csv").unlink()
    with pytest.raises(InputError, match="holds a demo drawn with"):
        demo.write(root, images_per_class=13)
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InputError, match="is not empty and does not hold kfg's demo"):
        demo.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda root: (root / "mug" / "mug_0001.jpg").unlink(), r"mug/mug_0001\.jpg is missing \(one of 1 such"),
        (lambda root: shutil.rmtree(root / "elm"), r"elm/elm_0000\.jpg is missing"),
        (
            lambda root: shutil.copy(root / "mug" / "mug_0001.jpg", root / "mug" / "mine.jpg"),
            r"mug/mine\.jpg does not belong to it",
        ),
        (lambda root: shutil.copytree(root / "elm", root / "yew"), r"yew/elm_0000\.jpg does not belong to it"),
    ],
)
def test_a_demo_with_files_lost_or_added_is_not_taken_for_whole(drawn, tmp_path, damage, said):
    root = tmp_path / "copy"
    shutil.copytree(drawn[0], root)
    demo.write(root, images_per_class=12)
    damage(root)
    with pytest.raises(InputError, match=said):
        demo.write(root, images_per_class=12)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="data: No space left on device"):
        demo.write(tmp_path / "data", images_per_class=8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"images_per_class": 7}, "images_per_class: must be at least 8, got 7"),
        ({"size": (96, 31)}, "at least 32x32 pixels, got 96x31"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, said):
    with pytest.raises(InputError, match=said):
        demo.write(tmp_path / "data", **arguments)


def test_families_are_easier_to_tell_than_siblings(drawn):
    """Nearest class mean on 12x9 thumbnails of edges: crude, yet families beat chance by far."""
    index = folder.scan(drawn[0])
    family = np.array([next(i for i, names in enumerate(demo.SIBLINGS) if c in names) for c in index.classes])
    rows = []
    for path in index.full_paths():
        grey = decode.decode(path).mean(axis=2)
        edges = np.hypot(*np.gradient(grey))[: 12 * (grey.shape[0] // 12), : 9 * (grey.shape[1] // 9)]
        cells = edges.reshape(12, edges.shape[0] // 12, 9, edges.shape[1] // 9).mean(axis=(1, 3)).ravel()
        rows.append(np.log(cells + 1))
    rows = np.array(rows) - np.mean(rows, axis=1, keepdims=True)
    labels, right, near = index.labels, 0, 0
    sums = np.stack([rows[labels == c].sum(axis=0) for c in range(20)])
    for row, label in zip(rows, labels, strict=True):  # leave one out
        means = (sums - np.eye(20)[label][:, None] * row) / (index.counts() - np.eye(20)[label])[:, None]
        guess = np.argmin(((means - row) ** 2).sum(axis=1))
        right += guess == label
        near += family[guess] == family[label]
    assert right / len(rows) > 3 / 20
    assert near / len(rows) > max(2 / 7, 1.3 * right / len(rows))
