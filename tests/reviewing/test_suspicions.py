"""What the queue takes for suspicious, on photographs of which it is known."""

import dataclasses

import numpy as np
import pytest

from kfg.data.fingerprints import of_pixels
from kfg.data.index import make_index
from kfg.data.signs import Signs
from kfg.repairing.crossed import Crossed
from kfg.repairing.looks import Looks
from kfg.reviewing import suspicions
from kfg.reviewing.evidence import Evidence
from kfg.reviewing.review import typical

CLASSES = ("ant", "bee", "cat")
EACH = 10


def evidence(**changes):
    """Return thirty photographs of three classes that nothing speaks against, with `changes`."""
    rng, count = np.random.default_rng(0), EACH * len(CLASSES)
    labels = np.repeat(np.arange(3), EACH)
    answers = np.full((count, 3), 0.05, np.float32)
    answers[np.arange(count), labels] = 0.9
    pictures = [rng.integers(0, 256, (4, 4, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8) for _ in range(count)]
    made = {
        "labels": labels,
        "answers": answers,
        "features": np.eye(3)[labels] * 5 + rng.normal(0, 1, (count, 3)),
        "pictures": pictures,
        "looks": {
            "sharpness": np.full(count, 0.05),
            "brightness": np.full(count, 120.0),
            "contrast": np.full(count, 50.0),
        },
        "broken": (),
    }
    for name, change in changes.items():
        made[name] = change(made[name])
    paths = [f"{CLASSES[label]}/{number}.jpg" for number, label in enumerate(labels)]
    prints = [
        dataclasses.replace(of_pixels(pixels, path), signs=Signs())
        for pixels, path in zip(made["pictures"], paths, strict=True)
    ]
    index = make_index("photos", paths, made["labels"], CLASSES, sha256=[one.sha256 for one in prints])
    crossed = Crossed(index, made["answers"], made["answers"])
    return Evidence(crossed, made["features"], prints, Looks(**made["looks"]), made["broken"])


def contradicted(at, other, probability):
    def change(answers):
        answers[at] = (1 - probability) / 2
        answers[at, other] = probability
        return answers

    return change


def test_nothing_is_suspicious_where_nothing_is():
    assert suspicions.queue(evidence()) == []


def test_contradicted_labels_come_the_worst_first_with_the_class_they_look_like():
    def change(answers):
        return contradicted(12, 2, 0.92)(contradicted(3, 1, 0.98)(answers))

    first, second = suspicions.queue(evidence(answers=change))
    assert (first.path, first.name, first.other) == ("ant/3.jpg", "ant", "bee")
    assert (second.path, second.other) == ("bee/12.jpg", "cat") and first.score > second.score
    assert first.reason == "looks like bee; the probability of its own class is 1.0%"


def test_the_same_picture_in_two_classes_is_shown_from_both_sides_the_less_believable_first():
    def change(pictures):
        pictures[14] = pictures[2]
        return pictures

    first, second = suspicions.queue(evidence(pictures=change, answers=contradicted(14, 0, 0.5)))
    assert (first.path, first.other, first.beside) == ("bee/14.jpg", "ant", "ant/2.jpg")
    assert (second.path, second.other, second.beside) == ("ant/2.jpg", "bee", "bee/14.jpg")
    assert first.reason == "is the same file as ant/2.jpg in ant"


def test_a_photograph_unlike_all_others_is_found_and_a_pair_of_them_too():
    def change(features):
        features[[5, 25]] = [-30, -30, 2]
        return features

    found = suspicions.queue(evidence(features=change))
    assert {"ant/5.jpg", "cat/25.jpg"} <= {one.path for one in found}
    assert {one.suspicions[0].kind for one in found} == {"outlier"}


@pytest.mark.parametrize(
    "what, value, said",
    [("sharpness", 0.001, "blurred"), ("contrast", 4, "washed out"), ("brightness", 0, None)],
)
def test_bad_pictures_are_found_and_a_dark_background_is_none(what, value, said):
    def change(looks):
        looks[what][7] = value
        return looks

    assert [one.reason for one in suspicions.queue(evidence(looks=change))] == ([said] if said else [])


def test_a_photograph_in_the_dark_is_found():
    def change(looks):
        looks["brightness"][7], looks["contrast"][7] = 12, 15
        return looks

    assert [one.reason for one in suspicions.queue(evidence(looks=change))] == ["dark"]


def test_files_that_cannot_be_read_come_first_and_several_suspicions_are_one_item():
    def dark(looks):
        looks["brightness"][3], looks["contrast"][3] = 12, 15
        return looks

    broken = ("cat/x.jpg", "cat", "0" * 64, "no picture")
    first, second = suspicions.queue(evidence(answers=contradicted(3, 1, 0.98), looks=dark, broken=lambda _: (broken,)))
    assert (first.path, first.reason) == ("cat/x.jpg", "cannot be read: no picture")
    assert second.reason == "looks like bee; the probability of its own class is 1.0%; dark"


def test_typical_photographs_are_those_that_are_most_clearly_of_their_class():
    def change(answers):
        answers[4] = [0.98, 0.01, 0.01]
        return answers

    found = typical(evidence(answers=change))
    assert found["ant"][0] == "ant/4.jpg" and len(found["ant"]) == 4
    assert all(path.startswith(f"{name}/") for name, paths in found.items() for path in paths)
