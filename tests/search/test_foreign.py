"""A search writes over no file, and removes no folder, that is not its own."""

import pytest

from kfg.errors import InputError
from kfg.search import definition, distributed, table, work


@pytest.mark.parametrize("name", table.WRITTEN)
def test_a_folder_that_holds_such_a_file_but_no_search_is_refused(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"holds {name} but no search.json, so it is not the folder of a search"):
        definition.claim(tmp_path, {"seed": 0}, "photos")
    assert (tmp_path / name).read_text() == "mine" and not (tmp_path / "search.json").exists()
    (tmp_path / name).unlink()
    (tmp_path / "photos.txt").write_text("any other file may lie there")
    definition.claim(tmp_path, {"seed": 0}, "photos")
    assert table.head(tmp_path)["settings"] == {"seed": 0}


def test_only_what_a_trial_wrote_is_removed_before_it_is_tried_again(tmp_path):
    trial = work._Trial(None, {}, tmp_path / "trials" / "local" / "0", None)
    trial._clear()
    (trial.folder / "seed-0" / "checkpoint").mkdir(parents=True)
    trial._clear()
    assert not trial.folder.exists()
    (trial.folder / "seed-0").mkdir(parents=True)
    (trial.folder / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds diary\.txt, which was not written by a trial"):
        trial._clear()
    assert (trial.folder / "diary.txt").exists() and (trial.folder / "seed-0").exists()


@pytest.mark.parametrize("name", ["con", "NUL", "aux.1", "com1", "LPT9.x", "a."])
def test_a_worker_is_not_called_as_a_device_of_windows(name):
    with pytest.raises(InputError, match=r"--worker: .* not the name of a Windows device"):
        distributed.worker_name(name)
    assert distributed.worker_name(f"my-{name.strip('.')}") == f"my-{name.strip('.')}"
