"""What a person has decided about a label is not asked again."""

import dataclasses

import numpy as np
import pytest
from test_repair import CLASSES, EACH, TRUE, index_of, told
from test_time import PLAIN, Job

from kfg.data import corrected, corrections
from kfg.data.corrections import LEFT_OUT, Correction
from kfg.data.stores import Images
from kfg.repairing import after_training, causes, decided, findings, page, weakness
from kfg.repairing.next_steps import next_steps

WRONG = (0, 1, 2, 3, 4)  # ants that are taken for bees


def written(index, *rows):
    """Write a corrections.csv with (position, class after) and return its path."""
    table = index.root / "corrections.csv"
    for at, after in rows:
        path, now = index.paths[at], corrections.now()
        made = Correction(path, index.sha256[at], path.split("/")[0], after, "looks like bee", now)
        corrections.decide(table, index.root, path, made, was=None)
    return table


@pytest.fixture
def index(tmp_path):
    digests = [f"{at:064x}" for at in range(len(TRUE))]
    return dataclasses.replace(index_of(TRUE), root=tmp_path, sha256=tuple(digests))


def diagnosed(index, known):
    seen = told(index, np.where(np.isin(np.arange(len(index)), WRONG), 1, index.labels))
    found = causes.Evidence(seen, None, None, decided=known)
    return findings.Diagnosis(found, weakness.recalls(seen), causes.of_all(found), [], None, None, PLAIN)


def test_a_decision_confirms_the_label_of_an_index_or_has_changed_it_since(index):
    table = written(index, (0, "ant"), (1, "bee"), (2, LEFT_OUT), (3, "ant"))
    found = decided.of(index, table)
    assert found == decided.Decided(frozenset({0, 3}), frozenset({1, 2}))
    after = dataclasses.replace(index, labels=np.where(np.arange(len(index)) == 1, 1, index.labels))
    assert decided.of(after, table).confirmed == {0, 1, 3}  # trained again: it has the label that a person gave it
    other = dataclasses.replace(index, sha256=("f" * 64, *index.sha256[1:]))
    assert 0 not in decided.of(other, table).confirmed  # another photograph lies there now
    assert decided.of(index, index.root / "none.csv") == decided.NOTHING


def test_only_undecided_labels_are_asked_for(index):
    nothing = diagnosed(index, decided.NOTHING)
    assert "Look at 5 photographs whose label is contradicted" in next_steps(nothing, run="runs/a")[0]
    assert nothing.causes[0][0].kind == "labels"
    some = diagnosed(index, decided.Decided(confirmed=frozenset({0, 1, 2})))
    assert some.suspects().tolist() == [3, 4]
    assert "Look at 2 photographs whose label is contradicted" in next_steps(some, run="runs/a")[0]
    assert "labels" not in [cause.kind for cause in some.causes[0]]  # two of 40, when three are confirmed
    assert findings.write(some, index.root / "out") == 2
    assert len((index.root / "out" / "suspects.csv").read_text().splitlines()) == 3
    every = diagnosed(index, decided.Decided(confirmed=frozenset(WRONG)))
    assert not any("contradicted" in step for step in next_steps(every, run="runs/a")) and not page._suspects(every)


def test_a_run_from_before_the_corrections_is_to_be_trained_again(index):
    found = diagnosed(index, decided.Decided(confirmed=frozenset({0}), changed=frozenset({1, 2, 3, 4})))
    assert next_steps(found, run="runs/a")[0] == (
        "Train again: 4 photographs of this run have been relabelled or left out in corrections.csv, and the run has "
        "learned from the earlier labels."
    )
    assert not any("Look at" in step for step in next_steps(found, run="runs/a"))
    assert found.causes[0][0].advice == "train again"


def test_the_end_of_a_training_knows_what_was_kept(index, tmp_path):
    colours = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [90, 90, 90]], np.uint8)
    shown = np.where(np.isin(np.arange(len(TRUE)), WRONG), 1, TRUE)
    pictures = Images(np.repeat(colours[shown], 16, axis=0).reshape(-1, 4, 4, 3))
    table = written(index, *((at, "ant") for at in WRONG[:3]))
    known = dataclasses.replace(index, corrected=corrected.Corrected(table, {}, frozenset(), {}))
    for one, asked in ((known, WRONG[3:]), (index, WRONG)):
        judged = after_training.diagnosed(Job(tmp_path), one, pictures, PLAIN, limit=600)
        assert sorted(judged.found.suspects().tolist()) == list(asked)
    table.write_text("edited by hand\n")
    judged = after_training.diagnosed(Job(tmp_path), known, pictures, PLAIN, limit=600)
    assert len(judged.found.suspects()) == len(WRONG) and "is not known here, because of" in judged.why[-1]
    assert len(CLASSES) * EACH == len(index)
