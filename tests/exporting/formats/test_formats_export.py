"""Each format answers as the Keras model, by its own runtime, and says what a program needs to know.

The snippets of docs/ship.md are here too, as they read the exports that the other tests read.
"""

import json
import logging
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from small_run import CLASSES, SIZE

from kfg.__main__ import main
from kfg.data.resizing import resize
from kfg.errors import InputError
from kfg.exporting import classifiers, parity, run_models
from kfg.exporting.formats import checking, exporting, known, serving
from kfg.exporting.formats.checking import Check
from kfg.inference import graph
from kfg.training import precision

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "ship.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- run by the tests: ([\w -]+) -->\n\n```python\n(.*?)```", re.DOTALL)
SNIPPETS = {name: code for names, code in MARKED.findall(PAGE) for name in names.split()}
# those that need the same packages run in one process
TOGETHER = [("keras", "savedmodel"), *((name,) for name in known.FORMATS if name not in ("keras", "savedmodel"))]


def images(count=3, size=SIZE):
    return np.random.default_rng(1).integers(0, 256, (count, *size, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", known.FORMATS)
def test_a_format_answers_as_the_keras_model(name, exported, run):
    if missing := known.not_installed(known.FORMATS[name].MODULES):
        pytest.skip(f"{missing} is not installed")
    one, (expected, strange) = known.FORMATS[name], run_models.load_judge(run)(images().astype(np.float32))
    given = one.opened(exported / name)(images())
    told = json.loads((exported / name / "model.json").read_text())
    assert [output["name"] for output in told["outputs"]] == ["probabilities", "strangeness"][: 1 + one.JUDGES]
    check = json.loads((exported / name / "export_check.json").read_text())
    if one.JUDGES:
        given, strangeness = given
        np.testing.assert_allclose(strangeness, strange, atol=1e-5)
        assert strangeness.std() > 1e-4 and check["strangeness_difference"] < 1e-5
    assert given.shape == (3, 3) and given.dtype == np.float32
    np.testing.assert_allclose(given, expected, atol=0.1 if one.ROUNDS else 1e-5)
    assert told["classes"] == list(CLASSES) and told["image_size"] == {"height": 16, "width": 12}
    assert told["confidence"] == json.loads((run / "confidence.json").read_text())
    assert told["input"]["shape"][1:] == (["height", "width", 3] if one.ANY_SIZE else [16, 12, 3])
    assert check["passed"] and check["agreement"] == 1 and check["images"] == 9 and check["bytes"] > 500
    assert check["ms_per_image"] > 0


@pytest.mark.parametrize("name", [name for name, one in known.FORMATS.items() if one.ANY_SIZE])
def test_an_image_of_another_size_is_resized_as_in_training(name, exported, run):
    from kfg.data.decode_in_graph import resize

    if missing := known.not_installed(known.FORMATS[name].MODULES):
        pytest.skip(f"{missing} is not installed")
    model = run_models.load_keras(run)[0]
    answer = known.FORMATS[name].opened(exported / name)
    for size in ((45, 70), (9, 7), (16, 31)):
        large = images(2, size)
        expected = np.asarray(model(np.asarray(resize(large, SIZE), np.float32)))
        np.testing.assert_allclose(answer(large)[0], expected, atol=1e-3, err_msg=str(size))


@pytest.mark.parametrize(
    "words, said",
    [
        (
            ["onx"],
            r"--format onx: no such format; did you mean onnx\? Choose from savedmodel \(no extra\), litert \(extra",
        ),
        ([], "--format: no format is named; choose from"),
        ([","], "--format: no format is named"),
    ],
)
def test_an_unknown_format_lists_the_known_ones_with_their_extras(words, said):
    with pytest.raises(InputError, match=said) as caught:
        known.chosen(words, option="--format")
    for name, one in known.FORMATS.items():
        assert f"{name} ({f'extra {one.EXTRA}' if one.EXTRA else 'no extra'})" in str(caught.value)


def test_a_format_that_is_not_installed_names_the_package_and_its_extra(monkeypatch):
    monkeypatch.setattr(known.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else object())
    with pytest.raises(InputError, match=r"--format onnx: needs tf2onnx.*pip install '\.\[onnx\]'"):
        known.chosen(["savedmodel,onnx"], option="--format")


@keras.saving.register_keras_serializable(package="tests")
class Sorted(keras.layers.Layer):
    """Something that neither LiteRT nor ONNX has."""

    def call(self, x):
        import tensorflow as tf

        return tf.linalg.matrix_transpose(tf.linalg.qr(x[..., None])[0])[:, 0] + x


def test_an_operation_that_a_format_lacks_is_named_with_its_layer(run, tmp_path):
    inputs = keras.Input((*SIZE, 3))
    x = Sorted(name="odd_layer")(keras.layers.GlobalAveragePooling2D()(inputs))
    model = keras.Model(inputs, keras.layers.Softmax()(x))
    said = graph.refusal(model, "ONNX", RuntimeError("Unsupported ops: Counter({'Qr': 1})"))
    assert (
        str(said)
        == "ONNX: this model cannot be exported to this format, which has no operation Qr of the layer 'odd_layer'"
    )
    twice = keras.Model(inputs, keras.layers.Softmax()(Sorted(name="another")(x)))
    said = graph.refusal(twice, "ONNX", RuntimeError("Unsupported ops: Counter({'Qr': 2})"))
    assert str(said).endswith("no operation Qr of the layer 'odd_layer' and 1 more")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("litert", "has no operation CropAndResize of the layer 'cut'"),
        ("onnx", "ONNX Runtime cannot compute this model"),
    ],
)
def test_a_net_that_cuts_out_boxes_is_refused_in_one_line(name, said, tmp_path):
    for module in known.FORMATS[name].MODULES:
        pytest.importorskip(module, reason=f"the extra {known.FORMATS[name].EXTRA} is not installed")
    from kfg.exporting.formats.protocol import Shipment
    from kfg.layers.crop_and_resize import CropAndResize

    images = keras.Input((16, 16, 3))
    boxes = keras.layers.Dense(4, kernel_initializer="zeros", bias_initializer="ones")(
        keras.layers.GlobalAveragePooling2D()(images)
    )
    x = keras.layers.Flatten()(CropAndResize((4, 4), name="cut")([images, boxes]))
    model = keras.Model(images, keras.layers.Dense(2, activation="softmax")(x))
    pictures = np.zeros((2, 16, 16, 3), np.uint8)
    shipment = Shipment(model, ("a", "b"), {"image_size": {"height": 16, "width": 16}}, lambda: pictures)
    with pytest.raises(InputError, match=said):
        known.FORMATS[name].write(shipment, tmp_path)
        known.FORMATS[name].opened(tmp_path)


def test_an_operation_that_openvino_lacks_is_named_in_one_line():
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    from kfg.inference import openvino_graph

    inputs = keras.Input((*SIZE, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    x = x + keras.ops.one_hot(keras.ops.argmax(x, axis=1), 3)  # Keras asks for negative zeros by a bitcast
    root = logging.getLogger()
    before = (root.level, root.filters[:], root.handlers[:])
    with pytest.raises(InputError, match=r"OpenVINO: this model cannot be exported .* Bitcast"):
        openvino_graph.convert(keras.Model(inputs, keras.layers.Softmax()(x)), any_size=True)
    assert (root.level, root.filters[:], root.handlers[:]) == before  # warnings are said as before


def test_a_refused_format_leaves_nothing_and_the_others_are_made(run, tmp_path, monkeypatch):
    answer = known.FORMATS["keras"].opened
    monkeypatch.setattr(known.FORMATS["keras"], "opened", lambda folder: lambda x: 1 - answer(folder)(x))
    with pytest.raises(
        InputError,
        match=r"keras: this export is not kept: its probabilities differ from the Keras model's by up to 0.9",
    ):
        exporting.export(run, ["keras", "savedmodel"], out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["savedmodel"]


def test_a_run_without_export_gets_a_savedmodel_that_tells_strangeness(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy", ignore=shutil.ignore_patterns("export"))
    exporting.export(copy, ["savedmodel"])
    shipped = copy / "export-savedmodel"
    check = json.loads((shipped / "export_check.json").read_text())
    assert check["passed"] and check["strangeness_difference"] < 1e-5
    assert classifiers.load(shipped).confidence is not None


def test_a_savedmodel_that_answers_otherwise_is_refused_and_leaves_nothing(run, tmp_path, monkeypatch):
    copy = shutil.copytree(run, tmp_path / "copy", ignore=shutil.ignore_patterns("export"))
    before = sorted(copy.iterdir())
    monkeypatch.setattr(parity, "TOLERANCE", -1.0)
    with pytest.raises(
        InputError, match=r"savedmodel: its probabilities differ from the model's by \S+, but only -1 is"
    ):
        exporting.export(copy, ["savedmodel"])
    assert sorted(copy.iterdir()) == before


def test_rounding_of_a_gpu_in_tf32_is_allowed_for(monkeypatch):
    def compared(gap):
        expected = [np.array([[0.5, 0.5]], np.float32)]
        answer = lambda x: np.array([[0.5 + gap, 0.5 - gap]], np.float32)  # noqa: E731
        return checking.compare("onnx", answer, images(1), np.zeros(1, int), expected, size=1, rounds=False)

    assert compared(0.005).refusal.endswith("by up to 0.005, but only 0.001 is allowed")
    monkeypatch.setattr(precision, "uses_tf32", lambda: True)
    assert compared(0.005).refusal == "" and compared(0.005).as_json()["allowed_difference"] == 0.01
    assert compared(0.02).refusal.endswith("by up to 0.02, but only 0.01 is allowed")


def test_int8_may_lose_a_point_and_more_with_force_only():
    check = Check("litert-int8", 500, 0.3, 0.97, 0.88, 0.9, 4_000_000, 5.0, rounds=True)
    assert "2.0 points less than the Keras model, but only 1 is allowed" in check.refusal
    kept = Check("litert-int8", 500, 0.3, 0.985, 0.89, 0.9, 4_000_000, 5.0, rounds=True)
    assert (
        kept.refusal == ""
        and kept.remark == "gives the same class as the Keras model for only 98.5% of the photographs"
    )
    assert kept.as_json()["passed"] and not check.as_json()["passed"]
    nan = checking.compare(
        "onnx", lambda x: np.full((len(x), 2), np.nan), images(2), np.zeros(2, int), [np.ones((2, 2))], size=1,
        rounds=False,
    )  # fmt: skip
    assert nan.largest_difference == 1 and nan.refusal
    strange = Check("onnx", 50, 1e-7, 1.0, 0.9, 0.9, 1, 1.0, strangeness_difference=0.2)
    assert (
        strange.refusal
        == "its values of strangeness differ from the Keras model's by up to 0.2, but only 0.001 is allowed"
    )


def test_what_stands_in_the_way_is_said_before_any_work(run, tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"holds thesis\.tex, which kfg did not write"):
        exporting.export(run, ["keras"], out=tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "env.json").write_text("{}")
    with pytest.raises(InputError, match="give it with --data DIR"):
        exporting.export(copy, ["keras"])
    assert not (copy / "export-keras").exists()
    exporting.export(copy, ["keras"], data=run.parent / "photographs")
    exporting.export(copy, ["keras"], data=run.parent / "photographs")  # replaces its own
    assert sorted(path.name for path in (copy / "export-keras").iterdir()) == [
        "export_check.json", "model.json", "model.keras",
    ]  # fmt: skip


def test_the_thresholds_of_another_model_are_refused(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    told = json.loads((copy / "confidence.json").read_text())
    (copy / "confidence.json").write_text(json.dumps({**told, "model": "another"}))
    with pytest.raises(InputError, match=r"confidence\.json: holds the thresholds of another model"):
        exporting.export(copy, ["keras"])


def test_tensorflow_serving_gets_a_version_each_time(run, tmp_path):
    import tensorflow as tf

    for version in (1, 2):
        exporting.export(run, [], serve=tmp_path / "birds")
        loaded = tf.saved_model.load(str(tmp_path / "birds" / str(version)))
        answer = loaded.signatures["serving_default"](images=tf.constant(images(2)))
        ((_, given),) = answer.items()
        expected = run_models.load_keras(run)[0](images(2).astype(np.float32))
        np.testing.assert_allclose(given, expected, atol=1e-5)
    assert sorted(path.name for path in (tmp_path / "birds").iterdir()) == ["1", "2"]


def test_tensorflow_serving_gets_no_damaged_export_and_no_half_of_one(run, tmp_path, monkeypatch):
    copy, birds = shutil.copytree(run, tmp_path / "copy"), tmp_path / "birds"
    with monkeypatch.context() as patch:
        patch.setattr(serving.files, "flush_tree", lambda folder: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(InputError, match=r"--serving .*birds: No space left"):
            exporting.export(copy, [], serve=birds)
    assert list(birds.iterdir()) == []
    with open(next((copy / "export" / "variables").glob("*.data*")), "r+b") as file:
        file.write(b"damage")
    with pytest.raises(InputError, match="not a complete kfg export"):
        exporting.export(copy, [], serve=birds)
    assert list(birds.iterdir()) == []


@pytest.mark.parametrize("option", [["--out", "there"], ["--data", "photos"], ["--force"]])
def test_an_option_of_formats_is_refused_where_no_format_is_named(option, run, tmp_path, capsys):
    assert main(["export", str(run), "--serving", str(tmp_path / "birds"), *option]) == 2
    assert capsys.readouterr().err.startswith(f"error: {option[0]}: only works with --format;")
    assert not (tmp_path / "birds").exists()


@pytest.mark.parametrize("words", [["export", "run", "--format", "onx"], ["train", "photos", "--formats", "keras,onx"]])
def test_a_misspelt_format_ends_a_command_before_it_begins(words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert (
        f"error: {words[2]} onx: no such format; did you mean onnx? Choose from savedmodel" in capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


def test_onnx_resizes_before_a_net_without_convolutions(tmp_path):
    pytest.importorskip("tf2onnx")
    import onnx

    from kfg.inference import onnx_graph

    keras.utils.set_random_seed(0)
    inputs = keras.Input((*SIZE, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    onnx.save(onnx_graph.convert(model, any_size=True), tmp_path / "model.onnx")
    large = images(2, (45, 70))
    expected = model(np.stack([resize(one, SIZE) for one in large]).astype(np.float32))
    np.testing.assert_allclose(onnx_graph.opened(tmp_path / "model.onnx")(large), expected, atol=1e-3)


def test_as_many_photographs_are_compared_as_are_asked_for(run, tmp_path, capsys):
    (check,) = exporting.export(run, ["keras"], out=tmp_path, compared=4)
    assert check.images == 4
    assert main(["export", str(run), "--format", "keras", "--out", str(tmp_path), "--compare", "0"]) == 2
    assert capsys.readouterr().err == "error: --compare: expected a number of photographs from 1 up, got 0\n"


def test_every_format_has_a_snippet():
    assert SNIPPETS.keys() == known.FORMATS.keys()


@pytest.mark.parametrize("names", TOGETHER, ids=", ".join)
def test_a_snippet_runs_without_kfg_and_where_it_can_without_tensorflow(names, exported, run, tmp_path):
    if missing := known.not_installed([module for name in names for module in known.FORMATS[name].MODULES]):
        pytest.skip(f"{missing} is not installed")
    photo = next((run.parent / "photographs" / "green").iterdir())
    banned = ["kfg"] if "keras" in names else ["kfg", "tensorflow", "keras", "jax", "torch"]
    code = f"import sys\nfor name in {banned}: sys.modules[name] = None\n"  # importing one of them fails
    for name in names:
        given = {"photo": str(photo), "folder": str(exported / name)}
        code += f"exec({SNIPPETS[name]!r}, {given!r})\n"  # each with names of its own
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pixels = np.asarray(resize(np.asarray(Image.open(photo).convert("RGB")), SIZE))
    for name, line in zip(names, done.stdout.splitlines(), strict=True):
        said, probability = line.split()
        answer = known.FORMATS[name].opened(exported / name)(pixels[None])
        expected = (answer[0] if known.FORMATS[name].JUDGES else answer)[0]
        assert said == "green" == CLASSES[expected.argmax()]
        assert float(probability) == pytest.approx(expected.max(), abs=0.01)


@pytest.mark.parametrize("size", [(500, 375), (1200, 1600), (100, 120), (257, 255)])
def test_pillows_resize_is_trainings_but_for_rounding(size):
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (size[0] // 4, size[1] // 4, 3), dtype=np.uint8))
    image = coarse.resize(size[::-1], Image.Resampling.BICUBIC)
    ours = np.asarray(resize(np.asarray(image), (256, 256))).astype(int)
    theirs = np.asarray(image.resize((256, 256), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(ours - theirs).max() <= 1


def test_the_page_names_every_extra():
    assert all(f"'.[{one.EXTRA}]'" in PAGE for one in known.FORMATS.values() if one.EXTRA)
