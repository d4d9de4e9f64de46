"""kfg predict by the fastest engine: the same answers, and the answer says which engine."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.engine import saving
from kfg.exporting import classifiers, saved_model
from kfg.inference import engines, fastest

CLASSES = ("red", "green", "blue")


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    net = [keras.Input((8, 6, 3)), keras.layers.Rescaling(1 / 25), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([*net, keras.layers.Dense(3, kernel_initializer="identity"), keras.layers.Softmax()])
    samples = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    saved_model.save(model, path / "export", classes=CLASSES, samples=samples)
    saving.save_keras(model, CLASSES, path)
    (path / "classes.json").write_text(json.dumps(CLASSES))
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(40):
        Image.new("RGB", (20, 30), (number * 4, 100, 40)).save(photographs / f"{number:02}.png")
    (photographs / "03.png").write_text("no image")
    return path


def test_the_fastest_engine_gives_the_answers_of_the_model(run, monkeypatch, capsys):
    if "openvino" not in engines.at_hand():
        pytest.skip("openvino is not installed")
    photographs = str(run.parent / "photographs")
    assert main(["predict", str(run), photographs, "--top", "3", "--csv", str(run.parent / "plain.csv")]) == 1
    assert "computes the answers" not in capsys.readouterr().err  # nothing was timed, so nothing is of interest
    assert not (run / "engines").exists()  # 40 photographs are not worth a look
    monkeypatch.setattr(fastest, "FEWEST", 40)
    monkeypatch.setattr(fastest, "_rates", lambda answers, samples: {"tensorflow": 25.2, "openvino": 57.4})
    for model in (run, run / "export", run / "model.keras"):
        told = str(run.parent / "quick.csv")
        (run.parent / "quick.csv").unlink(missing_ok=True)
        assert main(["predict", str(model), photographs, "--top", "3", "--csv", told]) == 1
        assert (
            "OpenVINO computes the answers: 57 images/s when timed on this machine, TensorFlow 25."
            in capsys.readouterr().err
        )
        assert (run.parent / "quick.csv").read_text() == (run.parent / "plain.csv").read_text()
    assert [path.name.partition("-")[0] for path in sorted((run / "engines").iterdir()) if path.is_dir()][
        -1
    ] == "openvino"


def test_an_export_alone_is_computed_by_tensorflow(run, monkeypatch):
    monkeypatch.setattr(fastest, "FEWEST", 1)
    alone = (run / "export").rename(run.parent / "alone")
    classifier = classifiers.load(alone)
    classifiers.hasten(classifier, alone, sorted((run.parent / "photographs").iterdir()))
    assert classifier.engine == "TensorFlow computes the answers." and classifier.serve is classifier.by_tensorflow
