import tracemalloc
import types

import numpy as np
import pytest

from kfg.errors import InputError
from kfg.evaluation.predict import Predictions, predict, read_csv, write_csv


class Echo:
    """A model whose first pixel names the class it is sure of."""

    def predict_on_batch(self, images):
        return np.eye(3, dtype=np.float32)[np.asarray(images)[:, 0, 0, 0]]


class Listed(types.SimpleNamespace):
    """What predict needs of an Index."""

    def __len__(self):
        return len(self.paths)


def listed(labels):
    paths = tuple(f"{i}.jpg" for i in range(len(labels)))
    return Listed(paths=paths, labels=np.asarray(labels, dtype=np.int32), classes=("a", "b", "c"))


def batches_of(values, size, labels=None):
    values = np.asarray(values, dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (len(values), 4, 4, 3))
    for start in range(0, len(values), size):
        chosen = slice(start, start + size)
        yield images[chosen] if labels is None else (images[chosen], np.asarray(labels)[chosen])


def test_every_image_counts_once_the_last_batch_included():
    answers = predict(Echo(), batches_of([0, 1, 2, 2, 1], 2), index=listed([0, 1, 2, 0, 1]))
    assert len(answers) == 5
    assert answers.predicted.tolist() == [0, 1, 2, 2, 1]
    assert answers.probabilities.dtype == np.float32
    assert answers.losses[0] == pytest.approx(1e-7, rel=1e-6) and answers.losses[3] == pytest.approx(-np.log(1e-7))


def test_a_model_sees_batches_of_one_size_so_that_it_is_traced_once():
    seen = []

    class Watched(Echo):
        def predict_on_batch(self, images):
            seen.append(np.shape(images))
            return super().predict_on_batch(images)

    answers = predict(Watched(), batches_of([0, 1, 2, 2, 1], 2), index=listed([0, 1, 2, 0, 1]))
    assert seen == [(2, 4, 4, 3)] * 3 and answers.predicted.tolist() == [0, 1, 2, 2, 1]
    with pytest.raises(InputError, match="hold 11 images"):  # a model that answers twice on each image
        predict(Twice(), batches_of([0, 1, 2, 2, 1], 2), index=listed([0, 1, 2, 0, 1]))


def test_progress_counts_the_images_and_not_those_that_fill_up_the_last_batch():
    seen = []
    predict(Echo(), batches_of([0, 1, 2], 2), index=listed([0, 1, 2]), progress=lambda *done: seen.append(done))
    assert seen == [(2, 3), (3, 3)]


class Twice(Echo):
    def predict_on_batch(self, images):
        return np.concatenate([super().predict_on_batch(images)] * 2)


@pytest.mark.parametrize("count", [4, 6])
def test_too_few_or_too_many_images_is_an_error(count):
    with pytest.raises(InputError, match=f"hold {count} images, but the index has 5"):
        predict(Echo(), batches_of([0] * count, 2), index=listed([0] * 5))


def test_labels_in_another_order_are_noticed():
    labels = [0, 1, 2]
    predict(Echo(), batches_of([0, 1, 2], 2, labels), index=listed(labels))
    with pytest.raises(InputError, match="images 0 to 1"):
        predict(Echo(), batches_of([0, 1, 2], 2, [1, 0, 2]), index=listed(labels))


def test_a_model_of_another_class_count_is_an_error():
    index = listed([0, 1])
    index.classes = ("a", "b")
    with pytest.raises(InputError, match=r"shape \(3,\), but there are 2 classes"):
        predict(Echo(), batches_of([0, 1], 2), index=index)


def test_images_that_were_scaled_beforehand_are_refused():
    scaled = [np.linspace(0, 1, 2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)]
    with pytest.raises(InputError, match="images: values from 0 to 1 seem to be scaled already"):
        predict(Echo(), scaled, index=listed([0, 1]))


def test_a_keras_model_on_tf_data():
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3), dtype=np.uint8)
    labels = np.arange(7, dtype=np.int32) % 3
    layers = [keras.Input((6, 5, 3), dtype="uint8"), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(3)
    answers = predict(model, batches, index=listed(labels))
    np.testing.assert_allclose(answers.probabilities, model(images).numpy(), atol=1e-6)


@pytest.mark.parametrize("positions", [[2, 0], np.array([2, 0]), []])
def test_some_predictions_are_taken_in_the_order_asked_for(positions):
    answers = predict(Echo(), batches_of([0, 1, 2], 3), index=listed([0, 1, 1]))
    some = answers.take(positions)
    assert len(some) == len(positions) and some.paths == ("2.jpg", "0.jpg")[: len(positions)]
    assert some.labels.tolist() == [1, 0][: len(positions)] and some.labels.dtype == np.int32
    assert some.predicted.tolist() == [2, 0][: len(positions)]
    assert some.probabilities.shape == (len(positions), 3) and some.classes == answers.classes


def test_csv_gives_the_same_float32_back(tmp_path):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(7, 0.1), 200).astype(np.float32)
    names = ("path", "loss", 'a "quoted", one', "köket", "p_x", "  spaces ", "line\nbreak")
    before = Predictions(
        tuple(f"f/{i},1.jpg" for i in range(200)), rng.integers(0, 7, 200).astype(np.int32), probabilities, names
    )
    write_csv(before, tmp_path / "p.csv")
    after = read_csv(tmp_path / "p.csv")
    assert after.paths == before.paths and after.classes == before.classes
    np.testing.assert_array_equal(after.labels, before.labels)
    np.testing.assert_array_equal(after.probabilities, before.probabilities)
    assert (after.labels.dtype, after.probabilities.dtype) == (np.int32, np.float32)
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]  # nothing half-written is left


def test_a_large_table_is_read_without_keeping_its_text(tmp_path):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(200), 2000).astype(np.float32)
    before = Predictions(
        tuple(map(str, range(2000))), np.zeros(2000, np.int32), probabilities, tuple(map(str, range(200)))
    )
    write_csv(before, tmp_path / "p.csv")
    tracemalloc.start()
    after = read_csv(tmp_path / "p.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(after.probabilities, probabilities)
    assert peak < 8 * probabilities.nbytes  # as texts they take some 15 times as much


def test_csv_lines_read_as_they_say(tmp_path):
    write_csv(Predictions(("x.jpg",), np.array([1], np.int32), np.float32([[0.75, 0.25]]), ("a", "b")), tmp_path / "p")
    assert (tmp_path / "p").read_text().splitlines() == [
        "path,true,predicted,confidence,loss,correct,p_a,p_b",
        "x.jpg,b,a,0.75,1.38629,0,0.75,0.25",
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "columns must be"),
        ("path,class\nx,y\n", "columns must be"),
        ("path,true,predicted,confidence,loss,correct,p_a\nx,b,a,1,0,1,1\n", ":2:"),
        ("path,true,predicted,confidence,loss,correct,p_a\nx,a,a,1,0,1,much\n", "much"),
        ("path,true,predicted,confidence,loss,correct,p_a\nx,a,a,1,0,1,0.5\n", "x: not probabilities"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=f"p.csv.*{message}"):
        read_csv(tmp_path / "p.csv")


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv"):
        read_csv(tmp_path / "none.csv")
