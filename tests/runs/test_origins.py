"""Which photographs a run has used."""

import json

import pytest

from kfg.errors import InputError
from kfg.files import digest
from kfg.runs import origins
from kfg.serving import nearest


@pytest.fixture
def run(tmp_path):
    """Make a run folder with four training photographs, which lie in a folder of their own, and one for the test."""
    (tmp_path / "photos").mkdir()
    rows = ["path,class,part"]
    for number in range(5):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(bytes([number]))
        rows.append(f"{number}.jpg,{'ab'[number % 2]},{'test' if number == 4 else 'train'}")
    (run := tmp_path / "run").mkdir()
    (run / "split.csv").write_text("\n".join([*rows, ""]))
    (run / "env.json").write_text(json.dumps({"photographs": str(tmp_path / "photos")}))
    (run / "classes.json").write_text(json.dumps(["a", "b"]))
    return run


def configured(run, config) -> None:
    (run / "config.json").write_text(json.dumps(config))


def test_the_folder_of_the_photographs_is_the_one_that_the_run_names(run, tmp_path):
    assert origins.photographs_of(run) == origins.photographs_folder(run) == tmp_path / "photos"
    assert origins.photographs_folder(run, str(tmp_path)) == tmp_path
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="photos: no such folder; give the folder of the run's photographs with"):
        origins.photographs_folder(run)


@pytest.mark.parametrize(
    "content", [None, "{}", '{"photographs": ""}', '{"photographs": null}', '{"photographs": [1]}']
)
def test_a_run_that_names_no_photographs_does_not_use_those_of_the_working_folder(run, tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path / "photos")
    (run / "env.json").unlink() if content is None else (run / "env.json").write_text(content)
    assert origins.photographs_of(run) is None and origins.training_files(run) == []
    for refused in (origins.photographs_folder, nearest.training_photographs):
        with pytest.raises(InputError, match="run: does not say where its photographs are"):
            refused(run)


def test_photographs_left_out_of_the_training_are_not_used_and_not_shown_as_neighbours(run):
    configured(run, {"config": {"left_out": ["0.jpg", "3.jpg"]}})
    assert origins.left_out(run) == {"0.jpg", "3.jpg"}
    assert [row["path"] for row in origins.used_rows(run)] == ["1.jpg", "2.jpg", "4.jpg"]
    assert [path.name for path in origins.training_files(run)] == ["1.jpg", "2.jpg"]
    index, gone = nearest.training_photographs(run)
    assert index.paths == ("1.jpg", "2.jpg") and gone == 0
    assert index.sha256 == tuple(digest(path) for path in origins.training_files(run))


@pytest.mark.parametrize("config", [None, {}, {"config": {}}, {"config": {"left_out": []}}, {"config": "of a search"}])
def test_a_run_that_leaves_nothing_out_has_used_all(run, config):
    if config is not None:
        configured(run, config)
    assert origins.left_out(run) == frozenset() and len(origins.used_rows(run)) == 5


@pytest.mark.parametrize("value", [True, -1, "0.jpg", [["0.jpg"]], [1], {"0.jpg": 1}])
def test_a_damaged_setting_is_one_line_that_names_the_file(run, value):
    configured(run, {"config": {"left_out": value}})
    with pytest.raises(InputError, match=r"config\.json: left_out: expected a list of paths, got .*; restore it"):
        origins.used_rows(run)
