"""Pictures of what a model looks at: in a report, and by `kfg explain`."""

import json

import numpy as np
import pytest
from PIL import Image

from kfg import explain
from kfg.__main__ import main
from kfg.data.stores import Images
from kfg.evaluation.predict import Predictions
from kfg.exporting import classifiers
from kfg.models import attention_nets as nets
from kfg.models import baselines
from kfg.recipes import competition100
from kfg.reporting import sections

CLASSES = ("auk", "bee", "cod")


def answers(probabilities, labels):
    paths = tuple(f"{i}.png" for i in range(len(labels)))
    return Predictions(paths, np.array(labels, np.int32), np.array(probabilities, np.float32), CLASSES)


FIVE = answers(
    [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.9, 0.0, 0.1], [0.8, 0.2, 0.0]], labels=[0, 1, 0, 2, 0]
)


@pytest.fixture
def images():
    return Images(np.random.default_rng(0).integers(0, 256, (5, 128, 128, 3), dtype=np.uint8))


def test_shown_are_the_surest_right_and_the_surest_wrong():
    assert explain.telling(FIVE, count=2).tolist() == [1, 4, 3, 2]  # 0.8 twice: ties by place
    assert explain.telling(FIVE).tolist() == [1, 4, 0, 3, 2]
    assert explain.telling(answers([[0.5, 0.4, 0.1]], labels=[0])).tolist() == [0]


def test_a_right_image_is_compared_with_the_runner_up_a_wrong_one_with_the_truth(images):
    class Asked:
        def cams(self, images, labels, titles):
            return list(zip(labels.tolist(), titles, strict=True))

    right, wrong = explain._compared(Asked(), images.array[[0, 3]], np.array([0, 3]), FIVE)
    assert right[0].title == "is auk" and right[1:] == [(0, "auk 60%"), (1, "bee 30%")]
    assert wrong[0].title == "is cod" and wrong[1:] == [(0, "auk 90%"), (2, "cod 10%")]
    assert (wrong[0].image == images.array[3]).all()


@pytest.mark.parametrize(
    "name, drawn", [("plain", {"gradcam"}), ("fbsd", {"gradcam", "strips"}), ("mmal", {"gradcam", "boxes"})]
)
def test_a_report_has_the_pictures_that_its_model_has(name, drawn, attentive_net, images, tmp_path):
    ((title, body),) = explain.looks(attentive_net(name), FIVE, images, tmp_path).sections
    assert {path.stem for path in tmp_path.iterdir()} == drawn
    assert set(body[1:]) == {path.read_bytes() for path in tmp_path.iterdir()}
    shown = sections._extra(title, body)
    assert shown.count("<img") == len(drawn) and "Grad-CAM" in shown and f'alt="{title}"' in shown
    assert explain.CROPPED not in body[0]
    with Image.open(tmp_path / "gradcam.png") as picture:
        assert 1300 < picture.width < 1500  # two images abreast, each with two maps: 6 x 1.6 inches of 150 pixels


def test_a_report_says_that_a_model_has_no_maps(images, tmp_path):
    mlp = baselines.fruit3_mlp(num_classes=3, image_size=(8, 8), units=4)
    assert explain.looks(mlp, FIVE, images, tmp_path).sections == [
        ("What the model looks at", "fruit3-mlp has no feature maps, so no Grad-CAM heat maps can be drawn.")
    ]
    assert not list(tmp_path.iterdir())


def test_attention_is_the_models_own(attentive_net, images):
    image = images.array[:1]
    strips = explain.Explainer(attentive_net("fbsd", strip_axis="width")).attention(image)[0]
    assert [len(panel.outlines) for panel in strips] == [8, 4, 2]
    assert strips[0].outlines[1].box == (0, 16, 127, 31)
    whole, parts = explain.Explainer(attentive_net("mmal")).attention(image)[0]
    assert len(whole.outlines) == len(parts.outlines) + 1
    y0, x0, y1, x1 = whole.outlines[-1].box
    assert parts.image.shape == (y1 - y0 + 1, x1 - x0 + 1, 3)
    assert explain.Explainer(attentive_net("plain")).attention(image) == [[]]


def test_a_net_that_begins_with_a_crop_has_its_strips_in_the_middle_and_the_report_says_so(tmp_path):
    settings = {**competition100.RECIPE.smoke, "crop_from": (160, 160), "normalisation": "half"}  # image_size 128
    model = nets.build(competition100.Config(**settings), 3)
    explainer = explain.Explainer(model)
    images = Images(np.random.default_rng(0).integers(0, 256, (5, 160, 160, 3), dtype=np.uint8))
    last = explainer.attention(images.array[:1])[0][-1]
    assert [outline.box for outline in last.outlines] == [(16, 16, 79, 143), (80, 16, 143, 143)]
    ((_, body),) = explain.looks(model, FIVE, images, tmp_path).sections
    assert explainer.cropped and body[0].endswith(explain.CROPPED)


@pytest.fixture
def run(attentive_net, tmp_path):
    """A folder as a run leaves it, and another of photographs, one broken."""
    attentive_net("mmal").save(tmp_path / "model.keras")
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES))
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "saved_model.pb").touch()
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.effect_noise((40, 50), 80).convert("RGB").save(tmp_path / "photos" / name / "1.png")
    return tmp_path


@pytest.mark.parametrize("model", [".", "model.keras"])
def test_kfg_explain_draws_each_image_and_names_it_as_the_model_does(run, model, capsys):
    out = run / "out"
    assert main(["explain", str(run / model), str(run / "photos"), "--out", str(out), "--classname", "cod"]) == 0
    printed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    files = [run / "photos" / name / "1.png" for name in ("a", "b")]
    expected = [answer.top(1)[0] for answer in classifiers.load(run / "model.keras").predict(files)]
    assert [line[:3] for line in printed] == [
        [str(path), name, f"{p:.4f}"] for path, (name, p) in zip(files, expected, strict=True)
    ]
    targets = [out / "1.png.explained.png", out / "1.png.explained-2.png"]
    assert [line[3] for line in printed] == list(map(str, targets)) and set(out.iterdir()) == set(targets)


def test_kfg_explain_names_an_unreadable_image_and_draws_the_others(run, capsys):
    (run / "photos" / "a" / "0.png").write_bytes(b"nothing")
    assert main(["explain", str(run), str(run / "photos"), "--out", str(run / "out")]) == 1
    captured = capsys.readouterr()
    assert "0.png" in captured.err and captured.err.count("\n") == 1
    assert captured.out.count("\n") == 2 == len(list((run / "out").iterdir()))


@pytest.mark.parametrize(
    "words, named",
    [
        (("export", "photos"), "model.keras"),
        (("photos", "photos"), "no Keras model"),
        (("classes.json", "photos"), "no Keras model"),
        ((".", "photos", "--classname", "eel"), "'eel' is not one of the classes auk, bee, cod"),
        ((".", "nowhere.png"), "nowhere.png"),
    ],
)
def test_what_cannot_be_explained_is_one_line(run, monkeypatch, capsys, words, named):
    monkeypatch.chdir(run)
    assert main(["explain", *words]) == (1 if "nowhere.png" in words else 2)
    error = capsys.readouterr().err
    assert named in error and error.count("\n") == 1


def test_names_of_255_bytes_and_control_characters_are_drawn_and_told_in_one_line(tmp_path, capsys, attentive_net):
    attentive_net("plain").save(tmp_path / "model.keras")
    (tmp_path / "classes.json").write_text(json.dumps(["a\tb", "c\nd", "e\x1b[31mf"]))
    names = ["x" * 251 + ".png", "é" * 125 + ".png", "x" * 250 + "y.png", "a\nb.png", "tab\tx.png", "esc\x1b[31m.png"]
    root = tmp_path / "photos"
    root.mkdir()
    for name in names:
        Image.new("RGB", (8, 8), "red").save(root / name)
    assert main(["explain", str(tmp_path), str(root), "--out", str(tmp_path / "out")]) == 0
    drawn = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(drawn) == len(names) and all(len(name.encode()) <= 255 for name in drawn)
    assert "a\nb.png.explained.png" in drawn
    lines = capsys.readouterr().out.split("\n")[:-1]
    assert len(lines) == len(names) and all(line.count("\t") == 3 and "\x1b" not in line for line in lines)
