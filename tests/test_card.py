"""The model card of a run: fields that the Hub reads, figures that are the report's, and what is not known said so."""

import json

import numpy as np
import pytest

import kfg
from kfg.errors import InputError
from kfg.evaluation import metrics
from kfg.evaluation.predict import Predictions
from kfg.reporting import card, card_fields

CLASSES = ("ant", "bee_2", "rare|one")
yaml = pytest.importorskip("yaml", reason="PyYAML, which reads the card's fields, is not installed")


@pytest.fixture
def run(tmp_path):
    """Make a finished run: ant 9 of 10 right, bee_2 4 of 10 (six taken for ants), one photograph of a rare class."""
    labels = np.array([0] * 10 + [1] * 10 + [2], np.int32)
    said = [0] * 9 + [1] + [0] * 6 + [1] * 4 + [2]
    answers = Predictions(tuple(f"{i}.jpg" for i in range(21)), labels, np.eye(3, dtype=np.float32)[said], CLASSES)
    config = {
        "recipe": "folder",
        "row": "transfer",
        "seed": 3,
        "data": {"name": "insects: mine", "images": 84, "classes": 3},
        "config": {"backbone": "resnet50", "weights": "imagenet", "image_size": [224, 224]},
    }
    rows = [
        f"{name}/{part}{i}.jpg,{name},{part}" for name in CLASSES for part in ("train", "val", "test") for i in (1, 2)
    ]
    contents = {"report.json": metrics.evaluate(answers), "config.json": config, "classes.json": list(CLASSES)}
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "split.csv").write_text("\n".join(["path,class,part", *rows, ""]))
    return tmp_path


def test_the_fields_are_what_the_hub_reads_and_the_report_says(run):
    path = kfg.open(run).write_card()
    _, fields, text = path.read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(fields)
    assert found["license"] == "mit" and found["library_name"] == "keras"
    assert found["pipeline_tag"] == "image-classification" and found["metrics"] == ["accuracy", "recall", "f1"]
    assert {"image-classification", "keras", "resnet50"} <= set(found["tags"])
    (result,) = found["model-index"][0]["results"]
    assert result["dataset"]["name"] == "insects: mine" and result["task"]["type"] == "image-classification"
    assert {one["type"]: one["value"] for one in result["metrics"]}["accuracy"] == round(14 / 21, 4)
    for heading in ("What it is for", "Data", "Figures", "Calibration", "What it confuses", "Limits found", "Licence"):
        assert f"## {heading}\n" in text
    assert "## How to load it\n" in text and 'kfg.open(".")' in text  # without an export


def test_the_text_says_figures_with_intervals_by_class_and_what_is_weak_or_not_judged(run):
    text = card.text(run)
    assert (
        "84 photographs of 3 classes; the data set is called insects: mine." in text
        and "Of these, 6 for training, 6 for choosing" in text
    )
    assert r"| bee\_2 | 2 | 10 | 0.400 [0.168, 0.687] | 0.800 [0.376, 0.964] | ant (6) |" in text
    assert r"| bee\_2 | ant | 6 | 60% |" in text
    assert "is recognised (0.667): none." in text  # four of ten could be chance
    assert r"Not judged, because they have fewer than 10 test photographs: rare\|one." in text
    assert "which Kaiming He and others (deep residual networks) published under mit" in text


@pytest.mark.parametrize("times, chance", [(1, ""), (10, "If all 20 classes that were judged were equally good")])
def test_weak_on_the_card_is_what_the_report_calls_weak_with_its_interval(run, times, chance):
    labels = np.repeat(np.arange(2 * times), 100).astype(np.int32)
    said = np.where((np.arange(len(labels)) % 100 < 60) & (labels == 0), 1, labels)  # 40 of 100 of the first class
    names = ("bee_2", *(f"ant{n}" for n in range(1, 2 * times)))
    paths = tuple(map(str, range(len(labels))))
    answers = Predictions(paths, labels, np.eye(2 * times, dtype=np.float32)[said], names)
    (run / "report.json").write_text(json.dumps(metrics.evaluate(answers)))
    text = card.text(run)
    share = np.mean(said == labels)
    assert rf"is recognised ({share:.3f}): bee\_2 (0.400 [0.309, 0.498] of 100)." in text
    assert ("by chance" in text or "chance alone" in text) == bool(chance) and chance in text


@pytest.mark.parametrize(
    "grouped, separated, said",
    [
        (False, None, "Whether near-duplicates of a photograph lie in different parts is not known."),
        (True, None, "are in the same part, unless the photographs were divided before kfg got them"),
        (True, 0, "Copies and near-duplicates of a photograph are always in the same part."),
        (True, 3, "This division separates near-duplicates: 3 groups of them lie in several parts, so the figures may"),
    ],
)
def test_the_card_claims_no_more_about_near_duplicates_than_the_run_knows(run, grouped, separated, said):
    if grouped:
        header, *rows = (run / "split.csv").read_text().split()
        (run / "split.csv").write_text("\n".join([f"{header},group", *(f"{row},{n}" for n, row in enumerate(rows))]))
    result = json.loads((run / "report.json").read_text())
    result |= {} if separated is None else {"separated_groups": separated}
    (run / "report.json").write_text(json.dumps(result))
    text = card.text(run)
    assert said in text and ("are always in the same part" in text) == (separated == 0)


def test_the_card_of_a_repair_says_what_the_test_photographs_have_decided(run):
    assert card.REPAIRED not in card.text(run)
    (run / "repair_of.json").write_text("{}")
    assert card.REPAIRED in card.text(run)


def test_photographs_from_which_nothing_was_learned_are_not_counted_for_training(run):
    assert "Of these, 6 for training" in card.text(run) and "did not learn from" not in card.text(run)
    settings = json.loads((run / "config.json").read_text())
    settings["config"]["left_out"] = [f"{CLASSES[0]}/train1.jpg"]
    (run / "config.json").write_text(json.dumps(settings))
    assert "Of these, 5 for training" in card.text(run)
    assert "The run did not learn from 1 further training photograph, which its settings leave out" in card.text(run)


def test_calibration_is_told_where_the_run_has_it(run):
    assert "The probabilities are not calibrated: 0.9" in card.text(run)
    error = {"value": 0.081, "low": 0.06, "high": 0.1}
    content = {
        "temperature": 1.4,
        "calibration": {"before": error, "after": {"value": 0.012, "low": 0.005, "high": 0.03}},
        "found_on": {"images": 40, "kind": "validation images"},
        "unsure": {
            "precision": 0.95,
            "threshold": 0.61,
            "unanswered": error,
            "test": {"unanswered": error, "right": {"value": 0.97, "low": 0.9, "high": 0.99}},
        },
        "none_of_these": {"threshold": 3.2, "false_alarms": 0.05, "images": 40, "test": {"false_alarms": error}},
        "sets": {"coverage": 0.9, "threshold": 0.02, "test": {"covered": error, "classes": 1.2, "empty": 0.0}},
    }
    (run / "confidence.json").write_text(json.dumps(content))
    text = card.text(run)
    assert "with a temperature of 1.40" in text and "| after calibration | 0.012 [0.005, 0.030] |" in text
    assert "- Unsure: answers with a probability below 0.61, so that at least 95% of the others are right." in text
    assert "- None of these: photographs whose features" in text and "- Prediction sets for 90%" in text


@pytest.mark.parametrize(
    "settings, licence, said",
    [
        ({"weights": "none", "backbone": "vgg16"}, "other", "All weights started from random values"),
        (
            {"backbone": "vgg16", "weights": "imagenet"},
            "cc-by-4.0",
            "the Visual Geometry Group, Oxford published under",
        ),
        (
            {"backbone": "vgg16", "weights": "mine.keras"},
            "other",
            "the weights in a file; kfg does not know their licence",
        ),
        (
            {"backbone": "vgg16", "second_backbone": "vgg19", "weights": "imagenet"},
            "cc-by-4.0",
            "weights of vgg16, which the Visual Geometry Group, Oxford published under cc-by-4.0, and of vgg19, which",
        ),
        ({"backbone": "vgg16", "second_backbone": "resnet50", "weights": "imagenet"}, "other", "published under mit"),
        ({"backbone": "vgg16", "second_opinion": "resnet50", "weights": "imagenet"}, "other", "published under mit"),
        ({"init_from": "runs/other"}, "other", "the weights of another run, whose model card says"),
    ],
)
def test_the_licence_is_that_of_the_weights_training_began_with(run, settings, licence, said):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "config": settings}))
    text = card.text(run)
    assert said in text and yaml.safe_load(text.split("---\n")[1])["license"] == licence


def test_a_run_of_an_earlier_version_has_a_card_and_a_folder_without_a_report_none(run):
    for name in ("config.json", "split.csv"):
        (run / name).unlink()
    assert f'name: "{run.name}"' in card.text(run)
    (run / "report.json").unlink()
    with pytest.raises(InputError, match=r"has no report\.json"):
        card.write(run)
    assert not (run / "model_card.md").exists()


@pytest.mark.parametrize(
    "value",
    [{"a": {"b": ["x: y", 'q"', "é🐱", "#1", "yes", "1e5"], "c": 0.5}, "d": [{"e": 1, "f": ["g"]}]}, {"x": ["-"]}],
)
def test_yaml_reads_what_was_written(value):
    assert yaml.safe_load(card_fields.as_yaml(value)) == value
