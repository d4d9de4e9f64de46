"""tools/kept.py: how often a rule keeps the better of two nets."""

import kept
import numpy as np
import pytest

from kfg.evaluation.predict import Predictions


def answers(right, sure):
    """Return the answers of a net to images of one class: right or not, and how sure it is of what it says."""
    chance = np.where(right, sure, 1 - np.asarray(sure))
    both = np.stack([chance, 1 - chance], axis=1).astype(np.float32)
    paths = tuple(f"{i}.jpg" for i in range(len(both)))
    return Predictions(paths, np.zeros(len(both), np.int32), both, ("a", "b"))


def test_a_rule_keeps_the_better_net_in_the_share_of_samples_that_show_it(monkeypatch):
    monkeypatch.setattr(kept, "DRAWS", 200)
    numbers = np.arange(400)
    head = answers(numbers % 10 > 1, 0.6)  # 80% right and unsure
    net = answers(numbers % 40 > 6, 0.9)  # 82.5% right and sure
    few, many = (kept.kept_better(head, net, size) for size in (30, 300))
    assert 0.5 < few["accuracy"] < few["loss"] <= 1
    assert many["accuracy"] > few["accuracy"] and many["loss"] == 1
    worse = kept.kept_better(net, head, 30)
    assert worse == pytest.approx(few, abs=0.03)  # the same of the two is better, wherever it stands


def test_the_table_has_a_column_for_each_rule_and_size():
    shares = {str(size): {"accuracy": 0.8, "loss": 0.985, "calibrated loss": 0.99} for size in kept.SIZES}
    row = {"data": "birds", "seed": 1, "head": {"score": 0.914}, "net": {"score": 0.93}, "kept the better": shares}
    *head, earlier, last = kept.table([row, row | {"average": {"score": 0.925}}]).splitlines()
    assert earlier.startswith("| birds | 1 | 91.4 | 93.0 |  | 80.0 |")  # rows of earlier versions have no average
    assert last == "| birds | 1 | 91.4 | 93.0 | 92.5 | 80.0 | 98.5 | 99.0 | 80.0 | 98.5 | 99.0 | 80.0 | 98.5 | 99.0 |"
    assert all(line.count("|") == last.count("|") for line in [*head, earlier])
