"""tools/bench.py near: what is planted is found, by kfg's index at least."""

import bench
import bench_near
import numpy as np
import pytest


def test_each_planted_copy_is_met():
    hashes = bench_near.planted(2000)
    found = bench_near.ours(hashes)
    assert found == {(place - 1, place) for place in range(1, 2000, bench_near.COPIES)}
    distances = np.bitwise_count(hashes[:-1:100] ^ hashes[1::100])
    assert distances.max() == 8 and distances.min() == 0


def test_without_faiss_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setattr(bench_near.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="pip install faiss-cpu"):
        bench.main(["near"])


def test_indexes_that_find_other_pairs_are_no_rivals(monkeypatch):
    monkeypatch.setattr(bench_near.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(bench_near, "theirs", lambda hashes: {(0, 1)})
    with pytest.raises(SystemExit, match="the pairs differ: 20 and 1"):
        bench.main(["near", "--count", "2000", "--repeats", "1"])
