"""tools/aspect.py: ways to make photographs square, compared on all photographs of a folder."""

import json

import aspect
import pytest
from remedies import divided


@pytest.fixture
def small(monkeypatch, tiny_trunk):
    config = aspect.Config
    settings = {"backbone": tiny_trunk, "image_size": (32, 32), "weights": "none"}
    monkeypatch.setattr(aspect, "Config", lambda: config(**settings))


def test_each_way_is_compared_with_squashing_on_all_photographs(photos, tmp_path, small, monkeypatch, capsys):
    words = ["aspect.py", str(photos), "--cache", str(tmp_path), "--out", str(tmp_path / "rows.jsonl"), "--seeds", "1"]
    monkeypatch.setattr("sys.argv", words)
    assert aspect.main() == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["aspect"] for row in rows] == ["cropped", "padded"]
    count = len(divided(photos, aspect.Config()))
    for row in rows:
        top1 = row["top1"]
        assert row["photographs"] == count and row["divisions"] == 2
        gained = 100 * (row["gained"] - row["lost"]) / count
        assert top1["difference"]["value"] == pytest.approx(gained, abs=0.01)
        assert top1["second"]["value"] - top1["first"]["value"] == pytest.approx(gained, abs=0.02)
    lines = aspect.table(rows).splitlines()
    assert lines[2].startswith("| photos0 | tiny") and "| cropped |" in lines[2] and "| padded |" in lines[3]
