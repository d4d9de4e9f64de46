"""A damaged model is one line that names it, whatever the damage."""

import keras
import pytest

from kfg.errors import InputError
from kfg.exporting import classifiers, run_models
from kfg.models import saved
from kfg.models.transfer import begin_from


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "model.keras"
    images = keras.Input((8, 6, 3))
    x = keras.layers.GlobalAveragePooling2D()(images)
    keras.Model(images, keras.layers.Dense(900, activation="softmax", name="head")(x)).save(path)
    return path


def put(data, at, new):
    return data[:at] + new + data[at + len(new) :]


DIRECTORY = b"PK\x01\x02"  # begins an entry of a zip archive's directory; its flags are 8 bytes on
DAMAGE = {
    "in the weights": lambda data: put(data, len(data) // 2, bytes(2000)),
    "in the layers": lambda data: put(data, data.index(b'"class_name"'), bytes(5)),
    "in the directory": lambda data: put(data, data.rindex(DIRECTORY), bytes(4)),
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "another file": lambda data: b"broken",
    "marked as encrypted": lambda data: put(data, data.index(DIRECTORY) + 8, b"\x01"),
    "no model in it": lambda data: data.replace(b"config.json", b"nothing.txt"),
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_file_is_named_in_one_line(whole, damage, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(DAMAGE[damage](whole.read_bytes()))
    with pytest.raises(InputError, match=r"model\.keras: not a complete Keras model \(.+\)") as caught:
        saved.load(path)
    assert "\n" not in str(caught.value) and "not found" not in str(caught.value)


def test_a_whole_file_is_loaded(whole):
    assert saved.load(whole).output_shape == (None, 900)


@pytest.mark.parametrize(
    "reader", [classifiers.load, run_models.load_keras, lambda path: begin_from(None, path, replaced=None)]
)
def test_all_that_reads_a_model_refuses_a_damaged_one_so(whole, reader, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(DAMAGE["in the weights"](whole.read_bytes()))
    with pytest.raises(InputError, match=r"model\.keras: not a complete Keras model \("):
        reader(path)
