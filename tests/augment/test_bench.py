"""The arithmetic behind tools/bench.py; its figures are for people, not for a test."""

import _measure


def test_cases_take_turns_and_the_warm_up_is_not_counted():
    calls, ticks = [], iter(range(100))

    def case(name):
        return lambda: calls.append(name) or float(next(ticks))

    figures = _measure.interleaved({"a": case("a"), "b": case("b")}, repeats=3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert figures == {"a": [2.0, 5.0, 6.0], "b": [3.0, 4.0, 7.0]}


def test_a_bar_is_on_the_ratio_of_the_medians(capsys):
    figures = {"fast": [1.0, 9.0, 8.0], "slow": [2.0, 100.0, 1.0]}
    assert _measure.report("title", figures, unit="images/s", bars=[("fast", "slow", 4)])
    assert "4.00 times  fast / slow; bar 4: met" in capsys.readouterr().out
    assert not _measure.report("title", figures, unit="images/s", bars=[("fast", "slow", 4.1), ("fast", "slow", 1)])
    assert "bar 4.1: MISSED" in capsys.readouterr().out
