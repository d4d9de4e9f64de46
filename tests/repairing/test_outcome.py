"""What the screen and the page say of a repair: what was tried, what is proven, and which run to use from now on."""

import dataclasses
import json

import pytest

from kfg.repairing import outcome
from kfg.repairing.proof import GROUPS, Verdict
from kfg.repairing.trial import Trial
from tests.repairing.test_remedies import case_of
from tests.repairing.test_repair import diagnosis_of

OWN = {"backbone": "efficientnet-lite0", "weights": "imagenet", "image_size": [32, 32]}


@pytest.fixture(scope="module")
def found():
    """Return a Diagnosis with one weak class."""
    return diagnosis_of([60, 95, 95, 95], [100] * 4)


def verdict(name, *, weak, kept=False, gained=0.0):
    recall, change = {"weak": weak, "others": 0.9, "all": None}, {group: {"mean": gained} for group in GROUPS}
    return Verdict(name, recall, {"bias": change, "none": change}, {}, {}, kept)


TRIED = Trial(
    [case_of()], [verdict("bias", weak=0.6), verdict("second opinion", weak=0.75, kept=True, gained=0.15)], 90.0
)


NAMED = '"second opinion" (the answers are averaged with those of a second network)'


def made_with(folder, *, choices=None, net_of="", second="", **settings):
    """Return a run folder that has nothing but its settings."""
    folder.mkdir()
    config = {**OWN, "second_opinion": second, "net_of": net_of}
    told = {"recipe": "folder", "config": config, "choices": choices or {}, **settings}
    (folder / "config.json").write_text(json.dumps(told))
    return folder


def compared(*, weak=0.1):
    after = {"recall": {"value": 0.92}, "difference": {"value": 0.02, "low": -0.01, "high": 0.05}}
    targeted = {"value": weak, "low": 0.05, "high": 0.15}
    return {
        "groups": {
            "all": {"arms": {"before": {"recall": {"value": 0.9}}, "after": after}},
            "targeted": {"arms": {"after": {"difference": targeted}}},
        }
    }


def test_each_remedy_has_a_line_the_best_first():
    head, best, control = outcome.lines(TRIED)
    assert head.startswith("2 remedies and controls were tried in 1.5 min. The photographs were divided into ")
    assert " parts in 1 way; each part was answered by a classifier trained on the others." in head
    assert best.split() == ["second", "opinion", "weak", "75.0", "(+15.0)", "others", "90.0", "(+15.0)", "proven"]
    assert control.split() == ["bias", "weak", "60.0", "(+0.0)", "others", "90.0", "(+0.0)", "control"]


def test_what_there_was_no_time_for_is_said_first(found, tmp_path):
    assert outcome.sentences(tmp_path, found, None, None, None) == [
        "1 class is weak. For lack of time, no remedy was tried; give a longer --time-budget."
    ]
    late = "For lack of time, it was not applied."
    assert outcome.sentences(tmp_path, found, TRIED, None, None, late=late) == [
        f"1 class is weak. Proven to help: {NAMED}. {late}"
    ]


def test_the_name_of_a_remedy_stands_in_quotes_with_what_it_is(found, tmp_path):
    tried = dataclasses.replace(
        TRIED, verdicts=[verdict("bias", weak=0.6), verdict("second opinion, raised", weak=0.7)]
    )
    (said,) = outcome.sentences(tmp_path, found, tried, None, None)
    assert (
        'What helped most, "second opinion, raised" (the answers are averaged with those of a second network, and the '
        "probabilities of weak classes are raised), may help only by chance."
    ) in said


def test_while_the_run_is_trained_the_page_says_that_it_is_not_finished(found):
    said = f"1 class is weak. Proven to help: {NAMED}. The run with it is not finished yet."
    assert outcome.begun(found, TRIED) == said


@pytest.mark.parametrize(
    ("choices", "why"),
    [
        ({"second opinion": {"trunk": "lite"}, "weight of the second opinion": {"share": 0.3}}, ""),
        ({"second opinion": {"trunk": "lite"}, "weight of the second opinion": {"share": 0}}, "would count too little"),
        ({"second opinion": {"trunk": "", "why": "the head makes too few errors"}}, "the head makes too few errors"),
    ],
)
def test_a_second_opinion_that_was_left_out_is_said_and_the_earlier_run_kept(choices, why, found, tmp_path):
    run, made = made_with(tmp_path / "old"), made_with(tmp_path / "new", choices=choices, second="lite")
    told, use = outcome.sentences(run, found, TRIED, made, compared(), stands=not why)
    assert "classifies 92.0% of the test images correctly, compared with 90.0% before (+2.0 points, 95%" in told
    assert told.endswith("; on the weak classes the change is +10.0 points, 95% interval +5.0 to +15.0.")
    if why:
        assert "but the second opinion was left out (" in told and why in told
        assert "A network trained without it classifies" in told
        assert use.startswith("The remedy is not complete") and f"`kfg predict {run} new-photographs`" in use
    else:
        assert "left out" not in told and "A network trained in this way classifies" in told
        assert use == f"The new run is {made}; use it with `kfg predict {made} new-photographs`."


def test_a_remedy_that_fails_on_the_network_is_told_apart_from_one_that_is_not_complete(found, tmp_path):
    run, made = made_with(tmp_path / "old"), made_with(tmp_path / "new", net_of="old")
    told, use = outcome.sentences(run, found, TRIED, made, compared(weak=None), stands=False)
    assert "The run's own network, changed in this way, classifies" in told and "on the weak classes" not in told
    assert use.startswith("The remedy helped heads, but not this network, so go on with the earlier run: `kfg predict")


def test_a_new_network_of_another_kind_is_said_to_be_one(found, tmp_path):
    same = made_with(tmp_path / "same")
    assert outcome.other_net(same, found) == []
    (said,) = outcome.other_net(made_with(tmp_path / "other", recipe="fruit3"), found)
    assert said.startswith("The earlier network was of another kind; the new one is trained as by kfg train, on eff")
