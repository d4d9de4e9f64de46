import errno
import io
import json
import pathlib
import shutil
import types
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kfg.data import decode_in_graph, folder
from kfg.engine import saving
from kfg.errors import InputError
from kfg.exporting import classifiers, parity, run_models, saved_model

CLASSES = ("red", "green", "blue")


def colour_model(scale=1 / 25):
    """A net that answers the colour an image has most of, with no training."""
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            keras.layers.Rescaling(scale),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Softmax(),
        ]
    )
    return model


def picture(colour, size=(20, 30)):
    return Image.new("RGB", size, colour)


def encoded(image, format="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "export"
    samples = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    files = [encoded(Image.fromarray(sample)) for sample in samples]
    parity = saved_model.save(colour_model(), path, classes=CLASSES, samples=samples, encoded=dict(enumerate(files)))
    assert 0 <= parity.largest < 1e-6 and set(parity.serve_bytes) == {0, 1}
    return path


def test_plain_tensorflow_answers_through_every_endpoint(exported):
    loaded = tf.saved_model.load(str(exported))
    images = np.eye(3, dtype=np.uint8)[:, None, None, :] * np.full((1, 8, 6, 1), 200, np.uint8)
    assert loaded.serve(images).numpy().argmax(axis=1).tolist() == [0, 1, 2]
    files = tf.constant([encoded(picture((200, 0, 0))), encoded(picture((0, 0, 200), (31, 7)), "JPEG")])
    assert loaded.serve_bytes(files).numpy().argmax(axis=1).tolist() == [0, 2]
    assert [name.decode() for name in loaded.class_names().numpy()] == list(CLASSES)
    assert loaded.image_size().numpy().tolist() == [8, 6]


def test_serve_takes_raw_pixels_of_any_size(exported):
    loaded = tf.saved_model.load(str(exported))
    large = np.random.default_rng(0).integers(0, 256, (1, 40, 50, 3), dtype=np.uint8)
    from kfg.data.decode_in_graph import resize

    np.testing.assert_allclose(loaded.serve(large), colour_model()(resize(large, (8, 6))), atol=1e-6)


def test_an_export_that_answers_otherwise_is_refused_and_the_old_one_stays(exported, monkeypatch):
    before = sorted(p.name for p in exported.iterdir())
    samples = np.full((1, 8, 6, 3), (60, 20, 0), np.uint8)
    write = saved_model._write
    monkeypatch.setattr(saved_model, "_write", lambda model, path, *rest: write(colour_model(1 / 50), path, *rest))
    with pytest.raises(
        saved_model.ParityError, match=r"export-failed: the export differs from the model by 0.* only .* is allowed"
    ):
        saved_model.save(colour_model(), exported, classes=CLASSES, samples=samples)
    assert sorted(p.name for p in exported.iterdir()) == before
    assert classifiers.load(exported).classes == CLASSES
    with pytest.raises(InputError, match=r"export-failed: this export failed its check.*use model\.keras"):
        classifiers.load(exported.parent / "export-failed")
    monkeypatch.undo()
    saved_model.save(colour_model(), exported, classes=CLASSES, samples=samples)  # mended: what failed goes
    assert [path.name for path in exported.parent.iterdir()] == ["export"]


def test_only_an_export_is_replaced(exported, tmp_path):
    """A folder called "models" may hold a thesis."""
    samples = np.zeros((1, 8, 6, 3), np.uint8)
    models, copied = tmp_path / "models", tmp_path / "copied"
    models.mkdir()
    (models / "thesis.tex").write_text("years of work")
    shutil.copytree(exported, copied)
    (copied / "notes.txt").write_text("mine")
    for place, said in ((models, "holds thesis.tex, which kfg did not write"), (copied, "holds notes.txt, which")):
        before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        with pytest.raises(InputError, match=said):
            saved_model.save(colour_model(), place, classes=CLASSES, samples=samples)
        assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    (copied / "notes.txt").unlink()
    (copied / ".DS_Store").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(copied)
    for place in (copied, tmp_path / "empty", tmp_path / "link"):
        saved_model.save(colour_model(), place, classes=("a", "b", "c"), samples=samples)
        assert classifiers.load(place).classes == ("a", "b", "c")
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="file: is a file, but kfg has to write a folder here"):
        saved_model.save(colour_model(), tmp_path / "file", classes=CLASSES, samples=samples)
    assert not list(tmp_path.glob(".*"))


def test_a_folder_of_any_name_holds_an_export(tmp_path):
    """TensorFlow takes the path of a SavedModel's variables for a pattern."""
    model = keras.Sequential([keras.Input((8, 6, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    samples = np.random.default_rng(0).integers(0, 3, (2, 8, 6, 3), dtype=np.uint8)
    run = tmp_path / "my runs [v2]" / "a*b?c" / "back\\slash" / "ümläut {1,2}"
    saved_model.save(model, run / "export", classes=CLASSES, samples=samples)
    saving.save_keras(model, CLASSES, run)
    (run / "classes.json").write_text(json.dumps(CLASSES))
    assert sorted(path.name for path in run.iterdir()) == ["classes.json", "export", "model.keras"]
    moved = (tmp_path / name for name in ("[v2]", "a*b", "a?b", "back\\slash", "-ümläut {1,2}"))
    for path in (run / "model.keras", run, *moved):
        run = run if path.exists() else run.rename(path)
        np.testing.assert_allclose(np.asarray(classifiers.load(path).serve(samples)), model(samples), atol=1e-5)


@pytest.mark.parametrize(
    "capability, enabled, wanted",
    [
        ((8, 6), True, 1e-2),
        ((8, 6), False, 1e-4),
        ((7, 5), True, 1e-4),
        (None, True, 1e-4),
    ],
)
def test_the_tolerance_knows_the_device(capability, enabled, wanted, monkeypatch):
    gpus = [] if capability is None else ["GPU:0"]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    monkeypatch.setattr(tf.config.experimental, "tensor_float_32_execution_enabled", lambda: enabled)
    assert parity.tolerance() == wanted


@pytest.mark.parametrize("capability, passed", [((8, 6), True), ((7, 5), False)])
def test_what_a_gpu_rounds_in_tf32_is_no_fault_of_an_export(capability, passed, monkeypatch):
    model, samples = colour_model(), np.zeros((1, 8, 6, 3), np.uint8)
    rounded = np.asarray(model(samples.astype(np.float32))) + 0.005
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    served = types.SimpleNamespace(serve=lambda images: tf.constant(rounded))
    monkeypatch.setattr(parity, "load_saved_model", lambda path: served)
    found = parity.measure(model, "export", samples, {})
    assert found.passed is passed and found.allowed == (1e-2 if passed else 1e-4)
    assert found.serve == pytest.approx(0.005, rel=1e-3)


def test_an_answer_that_is_no_number_is_no_export():
    assert not parity.Parity(float("nan"), {}, 1e-4).passed and parity.Parity(1e-5, {}, 1e-4).passed


def test_a_file_that_comes_out_otherwise_is_told_and_kills_no_run(tmp_path):
    samples = np.zeros((1, 8, 6, 3), np.uint8)
    foreign = {0: encoded(picture((255, 255, 0)))}  # not the image of `samples`
    parity = saved_model.save(colour_model(), tmp_path / "export", classes=CLASSES, samples=samples, encoded=foreign)
    assert parity.serve <= parity.allowed < parity.serve_bytes[0] == parity.largest


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    monkeypatch.setattr(saved_model, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        saving.save_keras(colour_model(), CLASSES, tmp_path)
    with pytest.raises(OSError, match="No space"):
        saved_model.save(colour_model(), tmp_path / "export", classes=CLASSES, samples=np.zeros((1, 8, 6, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def photographs(root, names):
    """Write a red, a green and a blue picture of each name; return their Index."""
    for name, options in names.items():
        for kind, colour in zip(CLASSES, np.eye(3, dtype=int) * 200, strict=True):
            (root / kind).mkdir(parents=True, exist_ok=True)
            mode, format = options.get("mode", "RGB"), options.get("format", "JPEG")
            picture(tuple(colour), options.get("size", (20, 30))).convert(mode).save(root / kind / name, format)
    return folder.scan(root, CLASSES)


def test_a_run_compares_images_of_every_class_as_pixels_and_as_files(tmp_path, capsys):
    names = {"1.jpg": {}, "2.jpg": {"mode": "CMYK"}, "3.webp": {"format": "WEBP"}, "4.png": {"format": "PNG"}}
    check = saving.save(colour_model(), photographs(tmp_path / "data", names), tmp_path)
    assert check["images"] == check["serve"]["images"] == 8 and check["largest_difference"] < 1e-6
    # by turns: the first and second of each class, the third of two
    assert check["serve_bytes"]["images"] == 3 and check["serve_bytes"]["left_out"] == {"CMYK": 3, "WEBP": 2}
    assert "gives the same answers as the model (compared on 8 test photographs;" in capsys.readouterr().out
    told = saving.told(check)
    assert " on 8 images as pixels, " in told and " on 3 as files; not compared as files: 3 CMYK, 2 WEBP" in told


def test_a_file_that_the_export_decodes_otherwise_shows(tmp_path, monkeypatch, caplog):
    real = decode_in_graph.decode

    def inverts_the_wide(data):
        image = real(data)
        return tf.cond(tf.shape(image)[1] == 31, lambda: 255 - image, lambda: image)

    monkeypatch.setattr(decode_in_graph, "decode", inverts_the_wide)
    index = photographs(tmp_path / "data", {"1.jpg": {}, "2.jpg": {"size": (31, 30)}})
    check = saving.save(colour_model(), index, tmp_path)
    assert check["serve"]["largest_difference"] < 1e-6 and check["serve_bytes"]["images"] == 6
    assert check["largest_difference"] == check["serve_bytes"]["largest_difference"] > 0.5
    assert [message.split(":")[0].rpartition("/")[2] for message in caplog.messages] == ["2.jpg"] * 3


def test_a_file_that_the_export_refuses_counts_as_wholly_different(tmp_path):
    samples = np.zeros((2, 8, 6, 3), np.uint8)
    files = {0: encoded(Image.fromarray(samples[0])), 1: b"\xff\xd8\xff no JPEG"}
    parity = saved_model.save(colour_model(), tmp_path / "export", classes=CLASSES, samples=samples, encoded=files)
    assert parity.serve_bytes[0] < 1e-6 and parity.serve_bytes[1] == parity.largest == 1


def test_the_classifier_goes_on_after_a_bad_file(exported, tmp_path):
    for name, colour in (("a.png", (200, 0, 0)), ("c.png", (0, 200, 0))):
        picture(colour).save(tmp_path / name)
    (tmp_path / "b.png").write_text("not an image")
    answers = list(classifiers.load(exported).predict(sorted(tmp_path.iterdir()), batch_size=2))
    assert [answer.top(1)[0][0] if not answer.error else "error" for answer in answers] == ["red", "error", "green"]
    assert "b.png" in answers[1].error


@pytest.mark.parametrize("kind", [str, pathlib.Path, lambda path: [path], lambda path: iter((str(path),))])
def test_a_single_path_is_one_image_and_not_its_letters(exported, tmp_path, kind):
    picture((0, 200, 0)).save(tmp_path / "a.png")
    (answer,) = classifiers.load(exported).predict(kind(tmp_path / "a.png"))
    assert (answer.path, answer.top(1)[0][0]) == (str(tmp_path / "a.png"), "green")


@pytest.mark.parametrize(
    "paths, said",
    [
        ("https://host/a.png", "https://host/a.png: is a web address"),
        (b"a.png", "b'a.png': expected a path"),
        ([3], "3: expected a path, got int"),
        (["a.png", None], "None: expected a path"),
    ],
)
def test_what_is_no_path_is_refused_as_it_was_given(exported, paths, said):
    with pytest.raises(InputError, match=said):
        list(classifiers.load(exported).predict(paths))
    with pytest.raises(InputError, match="s3://bucket/run: is a web address"):
        classifiers.load("s3://bucket/run")


def test_any_format_and_a_rotated_photograph_are_classified(exported, tmp_path):
    classifier = classifiers.load(exported)
    for name, mode, format in (("g.jpg", "RGB", "GIF"), ("w.jpg", "RGB", "WEBP"), ("p.png", "RGBA", "PNG")):
        picture((0, 0, 200)).convert(mode).save(tmp_path / name, format)
        assert classifier.top1(tmp_path / name)[0] == "blue"


def test_top_is_sorted_and_no_longer_than_the_classes(exported, tmp_path):
    picture((200, 100, 0)).save(tmp_path / "a.png")
    (answer,) = classifiers.load(exported).predict([tmp_path / "a.png"])
    assert [name for name, _ in answer.top(9)] == ["red", "green", "blue"]
    assert sum(p for _, p in answer.top(9)) == pytest.approx(1, abs=1e-5)


def test_classes_beside_the_model_must_be_those_inside(exported, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    (copy / "classes.json").write_text(json.dumps(["green", "red", "blue"]))
    with pytest.raises(InputError, match=r"classes\.json"):
        classifiers.load(copy)


def test_what_is_no_export_is_named(exported, tmp_path):
    with pytest.raises(InputError, match="no model here"):
        classifiers.load(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"broken")
    with pytest.raises(InputError, match="not a complete kfg export"):
        classifiers.load(tmp_path)


def test_a_run_without_export_answers_from_its_keras_model(tmp_path):
    picture((0, 200, 0)).save(tmp_path / "a.png")
    colour_model().save(tmp_path / "model.keras")
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES))
    assert classifiers.load(tmp_path).top1(tmp_path / "a.png")[0] == "green"
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES[:2]))
    with pytest.raises(InputError, match="has 2 classes, but the model has 3"):
        classifiers.load(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"broken")
    with pytest.raises(InputError, match="not a complete Keras model"):
        classifiers.load(tmp_path)


def test_classes_in_another_order_than_inside_the_keras_model_are_refused(tmp_path):
    saving.save_keras(colour_model(), CLASSES, tmp_path)
    for classes, said in ((CLASSES, None), (CLASSES[::-1], "its classes are not those inside model.keras")):
        (tmp_path / "classes.json").write_text(json.dumps(classes))
        if said is None:
            assert run_models.load_keras(tmp_path)[1] == list(CLASSES)
        else:
            with pytest.raises(InputError, match=said):
                classifiers.load(tmp_path)
    assert keras.saving.load_model(tmp_path / "model.keras").output_shape == (None, 3)
    assert [path.name for path in tmp_path.glob("*.keras")] == ["model.keras"]
