"""tools/gains.py: paired gains of recorded runs."""

import gains
import pytest

from kfg.errors import InputError


def row(name, seed, top1, *, fold=None, folds=1):
    metrics = {"top1": {"value": top1}}
    return {
        "row": name,
        "seed": seed,
        "fold": fold,
        "folds": folds,
        "data": {"name": "d"},
        "config": {},
        "metrics": metrics,
    }


def test_runs_of_one_seed_are_compared_and_the_rest_is_left_out():
    rows = [row("a", 0, 0.5), row("a", 1, 0.6), row("a", 2, 0.9), row("b", 1, 0.4), row("b", 0, 0.4)]
    found = gains.gains(rows, "a", "b", metric="top1")
    assert found["gains"] == {(0, None): pytest.approx(10), (1, None): pytest.approx(20)}
    assert found["mean"] == pytest.approx(15) and found["n"] == 2


def test_folds_widen_the_interval():
    def width(folds):
        rows = [
            row(name, 0, gain, fold=fold, folds=folds)
            for fold, (a, b) in enumerate([(0.5, 0.4), (0.7, 0.4)])
            for name, gain in (("a", a), ("b", b))
        ]
        found = gains.gains(rows, "a", "b", metric="top1")
        return found["high"] - found["low"]

    assert width(2) > 1.5 * width(1)


def test_the_number_of_folds_is_that_of_the_runs_compared():
    single = [row(name, seed, 0.5 + seed / 10) for name in "ab" for seed in (0, 1)]
    folded = [
        row(name, seed, top1, fold=fold, folds=3)
        for seed in (0, 1)
        for fold in range(3)
        for name, top1 in (("a", 0.6 + fold / 10), ("b", 0.5))
    ]
    assert gains.gains([*single, *folded], "a", "b", metric="top1")["folds"] == 3


def test_rows_without_a_common_run_are_refused():
    with pytest.raises(InputError, match="no run of both"):
        gains.gains([row("a", 0, 0.5), row("b", 1, 0.5)], "a", "b", metric="top1")


def test_of_several_settings_those_that_differ_least_are_compared():
    def at(width, one):
        return {**one, "config": {"width": width, "arm": one["row"]}}

    wide = [at(0.25, row("b", seed, 0.8)) for seed in (0, 1)]
    rows = [*wide, *(at(0.125, row(name, seed, top1)) for name, top1 in (("a", 0.5), ("b", 0.4)) for seed in (0, 1))]
    assert gains.gains(rows, "a", "b", metric="top1")["mean"] == pytest.approx(10)
