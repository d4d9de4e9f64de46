"""tools/bench.py all: every case is one that the tool knows, and what was missed or left out is said."""

import types

import bench
import bench_all
import pytest


@pytest.mark.parametrize("case", bench_all.CASES)
def test_each_case_is_a_command_of_the_tool(case):
    args = bench.parser().parse_args(case.format(data="photos", run="runs/photos").split())
    assert callable(args.run) and args.repeats > 0


def test_missed_bars_and_cases_that_need_a_name_are_listed(monkeypatch, capsys):
    codes, asked = {"train": bench_all.MISSED, "memory": 1}, []

    def run(words):
        asked.append(list(map(str, words[2:])))
        return types.SimpleNamespace(returncode=codes.get(words[2], 0))

    monkeypatch.setattr(bench_all.subprocess, "run", run)
    args = bench.parser().parse_args(["all", "--data", "my photos", "--repeats", "3"])
    assert not args.run(args)
    said = capsys.readouterr().out
    assert "Cases with missed bars: train, memory (ended with 1)." in said
    assert "Not measured, because what they need was not named: serve (--run)." in said
    assert ["predict", "--images", "400", "--data", "my photos", "--repeats", "3"] in [
        list(map(str, one)) for one in asked
    ]
    assert ["demo", "--repeats", "1"] in asked
    codes.clear()
    assert args.run(args) and "Cases with missed bars: none." in capsys.readouterr().out
