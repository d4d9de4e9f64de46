"""Locks among processes, and where there are none; what killed processes leave."""

import os

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


def test_what_dead_processes_left_half_written_goes_when_it_is_old(tmp_path):
    dead, own = 999_999_999, os.getpid()  # no system counts that far
    names = [
        f".a.npz.{dead}.partial",
        f".b.{own}.partial",
        f".c.json.{dead}.partial",
        ".d.partial",
        f"e.{dead}.partial",
    ]
    for name in names:
        (tmp_path / name).touch()
    files.sweep(tmp_path)  # of another machine, perhaps, whose processes cannot be asked
    files.sweep(tmp_path / "nowhere")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names[:2]:
        os.utime(tmp_path / name, (0, 0))
    files.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
    files.sweep(tmp_path, "c.json", idle=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[1:2], *names[3:]])
