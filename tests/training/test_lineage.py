"""From whose weights a run began, through all runs between."""

import json

import pytest

from kfg.errors import InputError
from kfg.training import lineage


def run(folder, **lent_by):
    folder.mkdir()
    config = {name: str(one) for name, one in lent_by.items()}
    (folder / "config.json").write_text(json.dumps({"config": {"net_of": "", **config}}))
    return folder


def test_all_runs_are_found_by_both_settings_and_each_once(tmp_path):
    first = run(tmp_path / "first", init_from=tmp_path / "gone")
    second = run(tmp_path / "second", net_of=first / "model.keras")
    (first / "model.keras").touch()
    third = run(tmp_path / "third", init_from=second, net_of=first)
    found = [third, second, first, tmp_path / "gone"]
    assert sorted(lineage.runs(third)) == sorted(found) and next(lineage.runs(third)) == third
    (third / "export").mkdir()
    assert sorted(lineage.runs(third / "export")) == sorted(found)


def test_a_model_file_that_is_a_link_is_of_the_run_that_it_lies_in(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "ab12").touch()
    (run(tmp_path / "run") / "model.keras").symlink_to(tmp_path / "store" / "ab12")
    assert list(lineage.runs(tmp_path / "run" / "model.keras")) == [tmp_path / "run"]


def test_two_runs_that_name_each_other_come_to_an_end(tmp_path):
    run(tmp_path / "one", init_from=tmp_path / "other")
    run(tmp_path / "other", init_from=tmp_path / "one")
    assert list(lineage.runs(tmp_path / "one")) == [tmp_path / "one", tmp_path / "other"]


def test_damaged_settings_are_one_line(tmp_path):
    (run(tmp_path / "run") / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json: damaged"):
        list(lineage.runs(tmp_path / "run"))
