"""The fastest engine is found once, kept, and taken only where it answers as TensorFlow does."""

import functools
import json
import shutil
import time

import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.inference import engines, fastest
from kfg.inference.fastest import Net


class Doubling:
    """An engine that "converts" to a file and doubles the images' mean."""

    title, modules, package = "Doubling", (), "numpy"

    def __init__(self, *, off=0.0, seconds=0.0, lacks=""):
        self.off, self.seconds, self.lacks, self.written = off, seconds, lacks, 0

    def write(self, model, folder):
        if self.lacks:
            raise InputError(self.lacks)
        self.written += 1
        (folder / "net").touch()

    def opened(self, folder):
        if not (folder / "net").is_file():
            raise InputError(f"{folder}: damaged")

        def answer(images):
            time.sleep(self.seconds)
            return truth(images) + self.off

        return answer


def truth(images):
    return images.mean(axis=(1, 2), dtype=np.float32) / 255


def slow(images):
    time.sleep(0.02)
    return truth(images)


def net(key="a"):
    return Net(key, build=lambda: "the model", answer=lambda: slow)


def samples(number=4):
    return np.random.default_rng(0).integers(0, 256, (number, 5, 5, 3), dtype=np.uint8)


@pytest.fixture
def installed(monkeypatch):
    """Let these engines be all there are; returns a function that sets them."""

    def set_to(**given):
        monkeypatch.setattr(fastest, "ENGINES", given)
        monkeypatch.setattr(engines, "ENGINES", given)

    return set_to


def choose(folder, count=1000, **kwargs):
    return fastest.choose(net(**kwargs), folder, count=count, samples=samples)


def test_the_faster_engine_answers_and_is_not_timed_again(installed, tmp_path):
    engine = Doubling()
    installed(quick=engine, slower=Doubling(seconds=0.05))
    chosen = choose(tmp_path)
    assert chosen.name == "quick" and set(chosen.rates) == {"tensorflow", "quick", "slower"}
    np.testing.assert_array_equal(chosen.answer(samples()), truth(samples()))
    assert chosen.told.startswith("Doubling computes the answers: ")
    again = choose(tmp_path, count=1)  # a single image: what is known is taken
    assert (again.name, again.rates, engine.written) == ("quick", chosen.rates, 1)
    assert fastest.known(net(), tmp_path) == "quick" and fastest.known(net("other"), tmp_path) == "tensorflow"
    assert choose(tmp_path, count=1, key="other").name == "tensorflow"


def test_few_images_are_not_worth_a_look(installed, tmp_path):
    installed(quick=Doubling())
    chosen = choose(tmp_path / "none", count=fastest.FEWEST - 1)
    assert (chosen.name, chosen.told) == ("tensorflow", "TensorFlow computes the answers.")
    assert not (tmp_path / "none").exists()


def test_an_engine_that_answers_otherwise_or_cannot_is_left_out(installed, tmp_path):
    installed(
        wrong=Doubling(off=0.01),
        nan=Doubling(off=np.nan),
        lacking=Doubling(lacks="X has no operation Y of the layer 'z'"),
    )
    assert choose(tmp_path).name == "tensorflow"
    (made,) = json.loads((tmp_path / "engines.json").read_text()).values()
    assert made["left_out"] == {
        "wrong": "its answers differ from TensorFlow's by 0.01",
        "nan": "its answers differ from TensorFlow's by inf",
        "lacking": "X has no operation Y of the layer 'z'",
    }


def test_another_version_is_timed_anew_and_damage_is_named(installed, tmp_path, monkeypatch):
    engine = Doubling()
    installed(quick=engine)
    choose(tmp_path)
    monkeypatch.setattr(fastest, "at_hand", lambda: {"quick": "2.0"})
    assert choose(tmp_path, count=1).name == "tensorflow"
    assert choose(tmp_path).name == "quick" and engine.written == 2
    (tmp_path / "engines.json").write_text('{"a": 3}')
    with pytest.raises(InputError, match=r"engines\.json: damaged"):
        choose(tmp_path)


def test_a_folder_that_cannot_be_written_costs_the_speed_alone(installed, tmp_path):
    installed(quick=Doubling())
    (tmp_path / "file").touch()
    assert choose(tmp_path / "file" / "engines").name == "tensorflow"


@pytest.mark.parametrize("removed", [True, False], ids=["removed", "damaged"])
def test_a_converted_net_that_was_removed_or_is_damaged_is_made_anew(installed, tmp_path, removed):
    engine = Doubling()
    installed(quick=engine)
    choose(tmp_path)
    (place,) = tmp_path.glob("quick-*")
    (place / "net").unlink()
    if removed:
        place.rmdir()
    assert choose(tmp_path, count=1).name == "quick" and engine.written == 2
    assert (place / "net").is_file()


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Return the function name of an engine -> a net of two answers, and the folder of what it was converted to."""

    @functools.cache
    def converted_for(name):
        if name not in engines.at_hand():
            pytest.skip(f"{name} is not installed")
        keras.utils.set_random_seed(0)
        images = keras.Input((8, 6, 3))
        x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(images))
        features = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(x))
        model = keras.Model(images, [keras.layers.Softmax()(features), keras.layers.Dense(1)(features)])
        folder = tmp_path_factory.mktemp(name)
        engines.ENGINES[name].write(model, folder)
        return model, folder

    return converted_for


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("openvino", "model.bin", None),
        ("openvino", "model.bin", b""),
        ("openvino", "model.xml", b"<net"),
        ("onnxruntime", "model.onnx", None),
        ("onnxruntime", "model.onnx", b""),
        ("onnxruntime", "model.onnx", b"damage"),
    ],
)
def test_a_damaged_or_missing_file_of_an_engine_is_one_line(name, file, content, converted, tmp_path):
    folder = shutil.copytree(converted(name)[1], tmp_path / "net")
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    with pytest.raises(InputError, match=r"model\.\w+: \w+.* cannot read this (file|model): .+") as refused:
        engines.ENGINES[name].opened(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", engines.ENGINES)
def test_a_real_engine_gives_both_answers_of_a_net_in_their_order(name, converted):
    model, folder = converted(name)
    answer = engines.ENGINES[name].opened(folder)
    for count in (1, 5):
        some = np.random.default_rng(0).integers(0, 256, (count, 8, 6, 3), dtype=np.uint8)
        found, expected = answer(some), model(some.astype(np.float32))
        for one, other, width in zip(found, expected, (4, 1), strict=True):
            assert one.shape == (count, width)
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert all(one.std(axis=0).max() > 1e-3 for one in found)  # the net tells images apart
