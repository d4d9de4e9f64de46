"""tools/collect_results.py: which rows are one run."""

import json

import collect_results
import pytest

ROW = {
    "recipe": "competition100", "row": "plain", "seed": 0, "fold": None, "folds": 1, "precision": "float32",
    "data": {"name": "birds"}, "config": {"init_from": "earlier"}, "seconds": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("key", ["weights_sha256", "init_from_sha256"])
def test_runs_that_began_from_other_files_are_kept_beside_each_other(tmp_path, key):
    (tmp_path / "competition100").mkdir()
    rows = [ROW, {**ROW, key: "a"}, {**ROW, key: "b"}, {**ROW, key: "b", "seconds": 2.0}]
    assert collect_results.collect(rows[:2], tmp_path) == {"competition100": 2}
    assert collect_results.collect(rows[2:], tmp_path) == {"competition100": 3}
    kept = list(map(json.loads, (tmp_path / "competition100" / "results.jsonl").read_text().splitlines()))
    assert kept == [rows[0], rows[1], rows[3]]  # the later of the same run


def test_runs_that_chose_otherwise_by_the_clock_are_kept_beside_each_other(tmp_path):
    (tmp_path / "competition100").mkdir()
    rows = [
        {**ROW, "choices": {"whole net": {"epochs": epochs, "why": "as many as the time budget holds"}}}
        for epochs in (2, 3, 3)
    ]
    assert collect_results.collect(rows, tmp_path) == {"competition100": 2}
    assert len(collect_results.results_file.read(tmp_path / "competition100" / "results.jsonl")) == 2  # and stay
