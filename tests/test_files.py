"""Locks among processes, and where there are none."""

import pytest

from kfg import files
from kfg.errors import InputError


def test_a_lock_is_held_until_its_file_is_closed(tmp_path):
    path = tmp_path / "lock"
    with open(path, "w") as one, open(path, "w") as other:
        assert files.locked(one)
        assert not files.locked(other)
        one.close()
        assert files.locked(other)


def test_a_system_without_locks_is_said_in_one_line_and_only_where_one_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)  # as on Windows
    files.write_json(tmp_path / "a.json", [1])
    said = r"lock: this system has no POSIX file locks; on Windows run kfg under WSL$"
    with pytest.raises(InputError, match=said), files.exclusive(tmp_path / "lock"):
        pass
