"""Data sets of Hugging Face and of TensorFlow Datasets, made here: to Parts, and to class folders as they are."""

import io
import os
import time

import numpy as np
import pytest
from PIL import Image

import kfg
from kfg.data import folder, rows
from kfg.data.decode import decode
from kfg.errors import InputError
from kfg.files import beside

NAMES = ["ant", "bee", "cicada"]


def pictures(count=9, *, shift=0):
    rng = np.random.default_rng(shift)
    return [rng.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(count)]


def jpeg(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture
def datasets():
    return pytest.importorskip("datasets", reason="the extra datasets is not installed")


def hugging(datasets, *, label=None, shift=0, column="image"):
    """Return nine rows, three of each class, whose images are JPEG files."""
    label = datasets.ClassLabel(names=NAMES) if label is None else label
    numbers = [i % 3 for i in range(9)]
    values = [NAMES[i] for i in numbers] if label == datasets.Value("string") else numbers
    rows = {column: [{"bytes": jpeg(one), "path": None} for one in pictures(shift=shift)], "label": values}
    return datasets.Dataset.from_dict(rows, features=datasets.Features({column: datasets.Image(), "label": label}))


def test_rows_of_hugging_face_become_a_part(datasets):
    part = kfg.from_datasets(hugging(datasets), image_size=(10, 15))
    assert part.classes == tuple(NAMES) and part.labels.tolist() == [0, 1, 2] * 3
    assert part.images.shape == (9, 10, 15, 3) and part.images.dtype == np.uint8
    whole = kfg.from_datasets(hugging(datasets), image_size=(20, 30))
    np.testing.assert_array_equal(whole.images, [decode(jpeg(one)) for one in pictures()])
    texts = kfg.from_datasets(hugging(datasets, label=datasets.Value("string")), image_size=8)
    assert texts.classes == tuple(NAMES) and texts.labels.tolist() == [0, 1, 2] * 3
    streamed = kfg.from_datasets(hugging(datasets).to_iterable_dataset(), image_size=8)
    np.testing.assert_array_equal(streamed.images, texts.images)


def test_splits_of_hugging_face_become_parts_or_part_folders(datasets, tmp_path):
    splits = {"train": 0, "validation": 1, "test": 2}
    found = datasets.DatasetDict({name: hugging(datasets, shift=shift) for name, shift in splits.items()})
    parts = kfg.from_datasets(found, image_size=8)
    assert [part.name for part in parts] == ["train", "val", "test"] and all(len(part) == 9 for part in parts)
    out = kfg.from_datasets(found, out=tmp_path / "insects")
    index = folder.scan(out)
    assert index.classes == tuple(NAMES) and index.parts.count("val") == 9 and len(index) == 27
    assert (out / "train" / "ant" / "000000.jpg").read_bytes() == jpeg(pictures()[0])  # the file as it was
    assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(InputError, match=r"out: .*insects is not empty"):
        kfg.from_datasets(found, out=out)
    with pytest.raises(InputError, match="the data set has the splits train, test; choose one of them"):
        kfg.from_datasets(datasets.DatasetDict({name: found[name] for name in ("train", "test")}), image_size=8)


def test_what_is_wrong_with_rows_of_hugging_face_is_said_and_nothing_is_left(datasets, tmp_path):
    plain = hugging(datasets, label=datasets.Value("int64"))
    with pytest.raises(InputError, match="classes: this data set has no names for its classes"):
        kfg.from_datasets(plain)
    with pytest.raises(InputError, match="row 2: label 2 is not one of the 2 classes"):
        kfg.from_datasets(plain, classes=["ant", "bee"], out=tmp_path / "out")
    with pytest.raises(InputError, match="no column 'photo'; the data set's columns are image, label"):
        kfg.from_datasets(plain, image_column="photo")
    with pytest.raises(InputError, match=r"dataset: expected a datasets.Dataset or DatasetDict, got list"):
        kfg.from_datasets([1, 2])
    bad = datasets.Dataset.from_dict(
        {"image": [{"bytes": b"no photograph", "path": None}], "label": [0]},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)}),
    )
    for options in ({"image_size": 8}, {"out": tmp_path / "out"}):
        with pytest.raises(InputError, match="row 0: not an image"):
            kfg.from_datasets(bad, **options)
    with pytest.raises(InputError, match="the class 'a/b' cannot be the name of a folder"):
        kfg.from_datasets(plain, classes=["a/b", "c", "d"], out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_hugging_face_without_an_image_are_named(datasets, tmp_path):
    gone = tmp_path / "gone.jpg"
    found = hugging(datasets).to_dict()
    features = hugging(datasets).features
    for held, said in (
        (None, "row 3: has no image; remove rows without an image"),
        ({"bytes": None, "path": str(gone)}, f"row 3: {gone}: No such file or directory"),
    ):
        images = [*found["image"][:3], held, *found["image"][4:]]
        dataset = datasets.Dataset.from_dict({**found, "image": images}, features=features)
        with pytest.raises(InputError, match=said):
            kfg.from_datasets(dataset, image_size=8)
    gone.write_bytes(found["image"][3]["bytes"])
    whole = kfg.from_datasets(dataset, image_size=8)
    np.testing.assert_array_equal(whole.images, kfg.from_datasets(hugging(datasets), image_size=8).images)
    streamed = datasets.IterableDataset.from_generator(lambda: iter(hugging(datasets)))
    with pytest.raises(InputError, match="dataset: its columns are not known before it is read"):
        kfg.from_datasets(streamed, image_size=8)


def unread(*_):
    pytest.fail("rows were read")


def test_two_splits_that_become_one_part_are_refused_before_anything_is_read(datasets, tmp_path, monkeypatch):
    monkeypatch.setattr("kfg.data.rows.to_part", unread)
    monkeypatch.setattr("kfg.data.rows.to_folders", unread)
    found = datasets.DatasetDict({name: hugging(datasets) for name in ("train", "validation", "dev", "test")})
    examples = {name: tensors(pictures()) for name in found}
    for options in ({"image_size": 8}, {"out": tmp_path / "out"}):
        said = "the splits validation and dev would both become the part val; leave out one of them"
        with pytest.raises(InputError, match=said):
            kfg.from_datasets(found, **options)
        with pytest.raises(InputError, match=said):
            kfg.from_tfds(examples, classes=NAMES, **options)


@pytest.mark.parametrize("twins", [("Ant", "ant"), ("caf\u00e9", "cafe\u0301")])
def test_classes_that_are_one_folder_on_some_disks_are_refused(tmp_path, twins):
    with pytest.raises(InputError, match=r"out: the classes .* would be one folder on some disks; give other names"):
        kfg.from_tfds(tensors(pictures()), classes=[*twins, "bee"], out=tmp_path / "out")
    assert kfg.from_tfds(tensors(pictures()), classes=[*twins, "bee"], image_size=8).classes == (*twins, "bee")
    assert list(tmp_path.iterdir()) == []


def test_class_folders_are_flushed_and_what_a_killed_process_left_is_removed(tmp_path, monkeypatch):
    flushed, flush_tree = [], rows.files.flush_tree
    monkeypatch.setattr(
        rows.files, "flush_tree", lambda home: flushed.append(len(list(home.rglob("*.png")))) or flush_tree(home)
    )
    left = beside(tmp_path / "insects")
    (left / "ant").mkdir(parents=True)
    os.utime(left, (time.time() - 86400,) * 2)
    out = kfg.from_tfds(tensors(pictures()), classes=NAMES, out=tmp_path / "insects")
    assert flushed == [9] and list(tmp_path.iterdir()) == [out] and len(list(out.rglob("*.png"))) == 9


def test_the_working_folder_is_refused_and_a_relative_path_is_taken(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in (".", "../here"):
        with pytest.raises(InputError, match=r"out: .* is the working folder, which cannot be replaced"):
            kfg.from_tfds(tensors(pictures()), classes=NAMES, out=name)
    kfg.from_tfds(tensors(pictures()), classes=NAMES, out="../insects")
    assert len(list((tmp_path / "insects").rglob("*.png"))) == 9


def tensors(pictures, *, pairs=False):
    import tensorflow as tf

    labels = [i % 3 for i in range(len(pictures))]
    rows = (np.stack(pictures), np.array(labels, np.int64))
    return tf.data.Dataset.from_tensor_slices(rows if pairs else {"image": rows[0], "label": rows[1]})


def test_what_tfds_load_returns_becomes_a_part_or_class_folders(tmp_path):
    for pairs in (False, True):
        part = kfg.from_tfds(tensors(pictures(), pairs=pairs), classes=NAMES, image_size=(20, 30))
        np.testing.assert_array_equal(part.images, np.stack(pictures()))
        assert part.labels.tolist() == [0, 1, 2] * 3 and part.classes == tuple(NAMES)
    out = kfg.from_tfds(tensors(pictures()), classes=NAMES, out=tmp_path / "insects")
    train, val, test = kfg.load(out, image_size=(20, 30), val=0.3, test=0.3)
    kept = np.concatenate([part.images for part in (train, val, test)])
    assert {one.tobytes() for one in kept} == {one.tobytes() for one in pictures()}  # PNG loses nothing
    grey = [one[..., :1] for one in pictures(3)]
    assert (kfg.from_tfds(tensors(grey), classes=NAMES, image_size=8).images.std(axis=3) == 0).all()


def test_what_is_wrong_with_examples_of_tfds_is_said():
    with pytest.raises(InputError, match="classes: this data set has no names for its classes"):
        kfg.from_tfds(tensors(pictures()))
    with pytest.raises(InputError, match=r"expected single examples of .*, without batches"):
        kfg.from_tfds(tensors(pictures()).batch(3), classes=NAMES)
    with pytest.raises(InputError, match=r"name: expected the name of a data set or a tf.data.Dataset, got list"):
        kfg.from_tfds([1], classes=NAMES)
    with pytest.raises(InputError, match="row 0: expected an image as uint8"):
        kfg.from_tfds(tensors([one.astype(np.float32) for one in pictures()]), classes=NAMES)


def test_a_data_set_of_tfds_is_loaded_by_its_name(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")

    class TinyInsects(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            label = tfds.features.ClassLabel(names=NAMES)
            features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(20, 30, 3)), "label": label})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {name: self._generate_examples(shift) for shift, name in enumerate(("train", "validation", "test"))}

        def _generate_examples(self, shift):
            yield from ((i, {"image": one, "label": i % 3}) for i, one in enumerate(pictures(shift=shift)))

    parts = kfg.from_tfds("tiny_insects", data_dir=tmp_path, image_size=(20, 30))
    assert parts.train.classes == tuple(NAMES) and [len(part) for part in parts] == [9, 9, 9]
    assert {one.tobytes() for one in parts.val.images} == {one.tobytes() for one in pictures(shift=1)}
    part = kfg.from_tfds("tiny_insects", split="train", data_dir=tmp_path, image_size=8)
    assert part.name == "train" and sorted(part.labels.tolist()) == [0] * 3 + [1] * 3 + [2] * 3
    with pytest.raises(InputError, match=r"split: expected one split, such as 'train', got \['train', 'test'\]"):
        kfg.from_tfds("tiny_insects", split=["train", "test"], data_dir=tmp_path)
    with pytest.raises(InputError, match="no_such_set: tfds cannot load it"):
        kfg.from_tfds("no_such_set", data_dir=tmp_path)
