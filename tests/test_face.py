"""`import kfg`: what the package offers, used as in a notebook."""

import inspect
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kfg
from kfg.__main__ import main
from kfg.data import pipeline
from kfg.data.stores import Images

CLASSES = ("blue", "green", "red")


def drawn(count=60, size=32, seed=0):
    """Return images of one noisy colour for each class, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 90, (count, size, size, 3), dtype=np.uint8)
    images[np.arange(count), :, :, 2 - labels] += 120
    return images, labels.astype(np.int32)


@pytest.fixture(scope="module")
def data():
    images, labels = drawn()
    return kfg.split(kfg.Part(images, labels, classes=CLASSES), val=0.2, test=0.3)


def sequential(size=32, *, activation="softmax"):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=4, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation=activation),
        ]
    )


def fitted(model, data):
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="sparse_categorical_crossentropy")
    model.fit(data.train.batches(8), epochs=8, verbose=0)
    return model


@pytest.fixture(scope="module")
def model(data):
    return fitted(sequential(), data)


def test_importing_kfg_loads_nothing_else():
    code = "import sys, kfg; print(sorted({'numpy', 'tensorflow', 'keras', 'PIL', 'matplotlib'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("name", kfg.__all__)
def test_every_name_is_documented(name):
    assert name in dir(kfg) and inspect.getdoc(getattr(kfg, name))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'kfg' has no attribute 'trian'"):
        kfg.trian  # noqa: B018


@pytest.mark.parametrize(
    "images, labels, said",
    [
        (np.zeros((2, 8, 8)), [0, 1], r"images: expected shape \(N, height, width, 3\), got \(2, 8, 8\)"),
        (np.zeros((2, 8, 8, 1), np.uint8), [0, 1], "repeat the grey channel"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0, 1], "the channels come last"),
        (np.zeros((2, 8, 8, 4), np.uint8), [0, 1], "leave the fourth channel out"),
        (np.zeros((8, 8, 3), np.uint8), [0], r"one image is images\[None\]"),
        (np.full((2, 8, 8, 3), 0.5), [0, 1], r"got float64 from 0\.5 to 0\.5; convert with np\.round\(images \* 255\)"),
        (np.full((2, 8, 8, 3), 200.0), [0, 1], r"convert with np\.round\(images\)\.astype"),
        (np.full((2, 8, 8, 3), -1), [0, 1], "scale the values to 0 to 255"),
        ([np.zeros((8, 8, 3)), np.zeros((9, 8, 3))], [0, 1], "one array of images of one size"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0], r"labels: expected 2 labels, one for each image, got shape \(1,\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0, 3], "labels: 3 at position 1 is not a class number, expected 0 to 2"),
        (np.zeros((2, 8, 8, 3), np.uint8), [-1, 0], "labels: -1 at position 0 is not a class number"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0.0, 1.0], "labels: expected whole numbers, got float64"),
        (np.zeros((2, 8, 8, 3), np.uint8), np.eye(2), r"use labels\.argmax\(axis=1\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), [[0], [2]], r"use labels\[:, 0\]"),
        (np.zeros((2, 8, 8, 3), np.uint8), ["cat", "dog"], r"such as 'cat'; np\.unique"),
    ],
)
def test_wrong_arrays_are_named(images, labels, said):
    with pytest.raises(kfg.InputError, match=said):
        kfg.Part(images, labels, classes=CLASSES)


def test_a_part_is_cut_and_added(data):
    train = data.train
    some = train[train.labels == 2]
    assert set(some.labels) == {2} and len(some) == train.counts()[2]
    np.testing.assert_array_equal(some.images, train.images[train.labels == 2])
    both = train + some
    assert len(both) == len(train) + len(some) and both.paths[-1] == some.paths[-1] and both.name == "train"
    np.testing.assert_array_equal(both.images[len(train) :], some.images)
    with pytest.raises(kfg.InputError, match="different classes"):
        train + kfg.Part(some.images, some.labels, classes=("a", "b", "c"))


def test_copies_in_an_array_stay_in_one_part():
    images, labels = drawn()
    images[30:33] = images[:3]
    parts = kfg.split(kfg.Part(images, labels, classes=CLASSES), val=0.3, test=0.3)
    assert sorted(int(path) for part in parts for path in part.paths) == list(range(60))
    for i in range(3):
        assert len({part.name for part in parts if {str(i), str(i + 30)} & set(part.paths)}) == 1
    with pytest.raises(kfg.InputError, match=r"make one from arrays with kfg\.Part\(images, labels\)"):
        kfg.split(images)


def test_groups_of_parts_that_were_made_apart_stay_apart():
    images, labels = drawn(20)
    one, other = kfg.Part(images, labels, classes=CLASSES), kfg.Part(images[::-1], labels[::-1], classes=CLASSES)
    both = one + other
    assert len(set(both.groups)) == 40
    assert len(set((one + one[:5]).groups)) == 20  # the same photographs
    extra = kfg.extra_images(one, count=6)
    assert set(extra.groups) <= set(one.groups) and len(set((one + extra).groups)) == 20
    assert kfg.Part(images[:3], labels[:3], groups=["a", "b", "a"]).groups.tolist() == [0, 1, 0]
    with pytest.raises(kfg.InputError, match="groups: expected a number or name"):
        kfg.Part(images[:2], labels[:2], groups=[[1], [2]])
    with pytest.raises(kfg.InputError, match="positions: index 99 is out of bounds"):
        one[[99]]


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda data: data.train.batches(policy={"rotation": 2}), "policy: expected an object with `apply`"),
        (lambda data: data.train.batches(mixing="mixup"), "mixing: expected an object with `apply`"),
        (lambda data: data.train[:0].batches(), "Part 'train': 0 images .* holds no images"),
        (lambda data: kfg.extra_images(data.train, policy=2), "policy: expected an object with `apply`"),
        (lambda data: kfg.extra_images(data.train, policy=None), "policy: None would make unchanged copies"),
        (lambda data: kfg.extra_images(data.train.images), "part: expected a kfg.Part, got ndarray"),
        (lambda data: kfg.evaluate(sequential(), data.test.batches(8)), "part: expected a kfg.Part, got .*Dataset"),
        (lambda data: kfg.report(sequential(), data.test.images, "out"), "part: expected a kfg.Part, got ndarray"),
        (lambda data: kfg.features(sequential(), data.test.images), "part: expected a kfg.Part, got ndarray"),
        (lambda data: kfg.export("runs", "out", classes=CLASSES), "model: expected a Keras model, got str"),
        (
            lambda data: kfg.evaluate("export", data.test),
            "model: expected a Keras model, a Run or probabilities, got str",
        ),
        (lambda data: kfg.weak_classes([0], [[np.nan, 1]]), "answers: some values are not numbers"),
        (lambda data: kfg.weak_classes([0], [[0, 1]], min_support=0), "min_support: expected a whole number"),
        (lambda data: kfg.features(sequential(16), data.test), "trunk: takes images of 16 x 16 pixels"),
    ],
)
def test_what_a_careless_user_gives_is_named(data, call, said):
    with pytest.raises(kfg.InputError, match=said):
        call(data)


def test_a_run_is_asked_only_about_its_own_classes(data, model, tmp_path):
    """The same number of other classes, or the same classes in another order, would give wrong figures."""

    def run(*classes):
        folder = tmp_path / "-".join(classes)
        folder.mkdir()
        (folder / "report.json").write_text("{}")
        (folder / "classes.json").write_text(json.dumps(classes))
        made = kfg.open(folder)
        made.model = model  # a property that is computed once
        return made

    assert kfg.evaluate(run(*CLASSES), data.test) == kfg.evaluate(model, data.test)
    for classes in (("blue", "green", "yellow"), CLASSES[::-1]):
        other, said = run(*classes), f"has the classes blue, green, red, but the run has {', '.join(classes)};"
        with pytest.raises(kfg.InputError, match=said):
            kfg.evaluate(other, data.test)
        with pytest.raises(kfg.InputError, match=said):
            kfg.report(other, data.test, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_of_one_name_are_told_apart_in_a_report(data, tmp_path):
    twice = data.test + data.test
    answers = np.eye(3)[twice.labels]
    kfg.report(answers, twice, tmp_path / "out")
    paths = [line.split(",")[0] for line in (tmp_path / "out" / "predictions.csv").read_text().splitlines()[1:]]
    assert len(set(paths)) == len(paths) == 2 * len(data.test)


def test_a_model_whose_code_is_ones_own_gets_floats(data, tmp_path):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.steps = [
                keras.layers.Conv2D(4, 3, strides=8),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(3, activation="softmax"),
            ]

        def call(self, images):
            for step in self.steps:
                images = step(images)
            return images

    own = Own()
    assert kfg.evaluate(own, data.test)["images"] == len(data.test)
    kfg.export(own, tmp_path / "export", classes=CLASSES, samples=data.test.images)
    assert "no feature maps" in kfg.report(own, data.test, tmp_path / "out").read_text()


def test_a_plain_fit_sees_another_augmentation_in_every_epoch(data):
    """Against the batches of each epoch made by themselves; from the first epoch, and from the third on."""
    policy, length = kfg.Policy(rotation=30), len(data.train.batches(8))
    assert length == -(-len(data.train) // 8)
    expected = [
        [
            images.numpy()
            for images, _ in pipeline.training_batches(
                data.train.store, data.train.labels, batch_size=8, seed=5, policy=policy, first_epoch=e, epochs=e + 1
            )
        ]
        for e in range(4)
    ]
    assert not np.array_equal(expected[0][0], expected[1][0])
    for first in (0, 2):
        seen = []

        def note(images, seen=seen):
            seen.append(images)
            return np.int64(0)

        def noted(images, labels, note=note):
            with tf.control_dependencies([tf.numpy_function(note, [images], tf.int64)]):
                return tf.identity(images), labels

        model = sequential()  # built, so that Keras peeks at no batch
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
        batches = data.train.batches(8, policy=policy, seed=5, initial_epoch=first)
        model.fit(batches.map(noted), epochs=4, initial_epoch=first, verbose=0)
        assert len(seen) == length * (4 - first)
        for number, images in enumerate(seen):
            np.testing.assert_array_equal(images, expected[first + number // length][number % length])


def test_what_keras_peeks_at_to_build_a_model_counts_for_no_epoch(data):
    def weights(build):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)])
        if build:
            model.build((None, 32, 32, 3))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer="sgd", loss=loss)
        model.fit(data.train.batches(8, policy=kfg.Policy(rotation=30)), epochs=3, verbose=0)
        return model.get_weights()

    for one, other in zip(weights(True), weights(False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_pass_that_is_broken_off_is_not_counted(data):
    batches = data.train.batches(8, policy=kfg.Policy(rotation=30))
    first = next(iter(batches))[0].numpy()
    np.testing.assert_array_equal(next(iter(batches))[0], first)
    whole = list(batches)
    np.testing.assert_array_equal(whole[0][0], first)
    assert not np.array_equal(next(iter(batches))[0], first)


def test_only_training_batches_are_shuffled_and_changed(data):
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in data.val.batches(8)]), data.val.labels)
    ordered = np.concatenate([labels for _, labels in data.train.batches(8, shuffle=False)])
    np.testing.assert_array_equal(ordered, data.train.labels)
    with pytest.raises(kfg.InputError, match="policy: only works in training; add shuffle=True"):
        data.val.batches(8, policy=kfg.Policy(rotation=3))
    with pytest.raises(kfg.InputError, match="batch_size: expected a whole number of at least 1, got 0"):
        data.val.batches(0)


def test_from_weak_classes_to_extra_images(data):
    answers = np.eye(3)[data.test.labels]
    answers[data.test.labels == 1] = [0.5, 0.3, 0.2]
    weak = kfg.weak_classes(data.test.labels, answers, n=1)
    assert weak.tolist() == [1]
    extra = kfg.extra_images(data.train, weak, count=7)
    named = kfg.extra_images(data.train, [data.train.classes[one] for one in weak], count=7)
    assert (named.labels == extra.labels).all() and (named.store.gather([0]) == extra.store.gather([0])).all()
    assert extra.labels.tolist() == [1] * 7 and extra.classes == CLASSES
    assert set(extra.groups) <= set(data.train.groups[data.train.labels == 1])
    assert len(data.train + extra) == len(data.train) + 7
    with pytest.raises(kfg.InputError, match="min_support: no class has 99 images"):
        kfg.weak_classes(data.test.labels, answers, min_support=99)
    with pytest.raises(kfg.InputError, match=r"answers: expected probabilities \(N, classes\), got shape"):
        kfg.weak_classes(data.test.labels, answers.argmax(axis=1))


def test_figures_and_a_report_of_any_model(data, model, tmp_path):
    figures = kfg.evaluate(model, data.test)
    assert figures["images"] == len(data.test) and figures["top1"]["value"] > 0.9
    assert kfg.evaluate(model.predict(data.test.batches(8), verbose=0), data.test)["confusion"] == figures["confusion"]
    page = kfg.report(model, data.test, tmp_path / "out")
    assert page == tmp_path / "out" / "report.html" and "Grad-CAM" in page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["top1"] == figures["top1"]
    with pytest.raises(kfg.InputError, match=r"out: .+ is not empty"):
        kfg.report(model, data.test, tmp_path / "out")
    with pytest.raises(kfg.InputError, match="model: takes images of 16 x 16 pixels, but these images have 32 x 32"):
        kfg.evaluate(sequential(16), data.test)


def functional(trunk):
    images = keras.Input((32, 32, 3))
    return keras.Model(images, trunk(images))


class Subclassed(keras.Model):
    """A model that says nothing of the images it takes."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def call(self, images):
        return self.net(images)


@pytest.mark.parametrize("kind", ["sequential", "nested", "subclassed"])
def test_any_keras_model_is_exported(kind, data, model, tmp_path):
    net = {"sequential": lambda net: net, "nested": functional, "subclassed": Subclassed}[kind](model)
    kfg.export(net, tmp_path / "export", classes=CLASSES, samples=data.test)
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    expected = model.predict(data.test.batches(8), verbose=0)
    np.testing.assert_allclose(loaded.serve(data.test.images), expected, atol=1e-5)


def test_a_model_that_cannot_be_exported_is_told_why(data, model, tmp_path):
    def refused(said, net, classes=CLASSES, samples=data.test):
        with pytest.raises(kfg.InputError, match=said):
            kfg.export(net, tmp_path / "export", classes=classes, samples=samples)
        assert not (tmp_path / "export").exists()

    refused("classes: got 2 names for a model with 3 outputs", model, classes=("a", "b"), samples=None)
    refused("samples: have the classes blue, green, red, but classes gives a, b, c", model, classes=("a", "b", "c"))
    refused("samples: have 32 x 32 pixels, but the model takes 16 x 16", sequential(16))
    refused("samples: holds no images", model, samples=data.test[:0])
    refused("not probabilities .*Softmax", sequential(activation=None))
    refused("samples: this model does not say", Subclassed(model), samples=None)
    refused("a classifier's have", keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(3, 3)]))
    images = keras.Input((32, 32, 3))  # names the class whose channel is near a level that it knows from [0, 1]
    near = -50 * (keras.layers.GlobalAveragePooling2D()(images)[:, ::-1] - 0.65) ** 2
    refused(r"Rescaling\(1 / 255\)", keras.Model(images, keras.layers.Softmax()(near)))


def test_features_are_one_row_for_each_image(data, tmp_path):
    images = keras.Input((32, 32, 3))
    trunk = keras.Model(images, keras.layers.Conv2D(5, 3)(keras.layers.Rescaling(1 / 255)(images)))
    found = kfg.features(trunk, data.test, cache_dir=tmp_path)
    assert found.shape == (len(data.test), 5)
    expected = trunk.predict(data.test.images.astype(np.float32), verbose=0).mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert any(tmp_path.iterdir())


def test_a_folder_is_divided_as_kfg_train_divides_it(photos):
    parts = kfg.load(photos, image_size=(24, 32), val=0.2)
    assert [part.name for part in parts] == ["train", "val", "test"] and parts.train.image_size == (24, 32)
    assert parts.train.classes == CLASSES
    names = [name for part in parts for name in part.paths]
    assert len(names) == len(set(names))
    with pytest.raises(kfg.InputError, match="nowhere: no such folder"):
        kfg.load(photos / "nowhere")
    with pytest.raises(
        kfg.InputError, match=r"image_size: expected a number of pixels like 224, or \(height, width\), got 'big'"
    ):
        kfg.load(photos, image_size="big")


TINY = {
    "image_size": (32, 32), "weights": "none", "head_epochs": 3, "epochs": 1, "views": 1, "batch_size": 16,
    "backbone": "tiny", "min_errors": 0,
}  # fmt: skip


@pytest.mark.usefixtures("without_export")
def test_training_in_a_notebook_and_on_the_command_line_give_the_same_weights(photos, tmp_path, tiny_trunk):
    run = kfg.train(photos, out=tmp_path / "notebook", **TINY)
    words = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    assert main(["train", str(photos), "--out", str(tmp_path / "command"), *words]) == 0
    other = kfg.open(tmp_path / "command" / "folder" / "transfer" / "seed-0")
    for one, two in zip(run.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert run.metrics["top1"] == other.metrics["top1"] and run.classes == CLASSES
    np.testing.assert_array_equal(run.confusion.sum(axis=1), np.bincount(run.predictions.labels, minlength=3))
    assert "3 classes" in repr(run) and "<iframe" in run._repr_html_()
    (tmp_path / "bad.jpg").write_text("no image")
    answer, bad = run.predict([next(photos.rglob("*.jpg")), tmp_path / "bad.jpg"])
    assert answer.class_name in CLASSES and 0 < answer.probability <= 1 and not answer.error
    assert bad.class_name == "" and np.isnan(bad.probability) and "bad.jpg" in bad.error
    # the parts of the library are those that the run has
    train, val, test = kfg.load(photos)
    listed = {row.split(",")[0]: row.split(",")[2] for row in (run.path / "split.csv").read_text().splitlines()[1:]}
    assert {path: part.name for part in (train, val, test) for path in part.paths} == listed


def test_wrong_settings_are_named_before_anything_is_read(tmp_path):
    with pytest.raises(kfg.InputError, match="unknown setting lerning_rate; did you mean learning_rate"):
        kfg.train(tmp_path / "nowhere", lerning_rate=1)
    with pytest.raises(kfg.InputError, match="seed: expected a whole number"):
        kfg.train(tmp_path / "nowhere", seed="one")
    with pytest.raises(kfg.InputError, match="time_budget: expected a time with its unit"):
        kfg.train(tmp_path / "nowhere", time_budget=600)
    with pytest.raises(kfg.InputError, match="--time-budget"):
        kfg.train(tmp_path / "nowhere", time_budget="soon")


def test_what_is_no_finished_run_is_said(tmp_path):
    with pytest.raises(kfg.InputError, match="no such run; "):
        kfg.open(tmp_path / "nowhere")
    with pytest.raises(kfg.InputError, match="no run here"):
        kfg.open(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(kfg.InputError, match=r"has no report\.json; this training is unfinished; continue it with"):
        kfg.open(tmp_path)


def test_stores_keep_their_dtype():
    store = Images(np.full((2, 4), 0.5, np.float32))
    assert store.gather([0]).dtype == np.float32
