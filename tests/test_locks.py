"""Locks among processes: who holds one, what a kill leaves, systems without any."""

import errno
import logging
import os
import signal
import subprocess
import sys
import textwrap

import filelock
import pytest

from kfg import locks
from kfg.errors import InputError

HOLD = """
import sys, time
from kfg import locks
with locks.exclusive(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds `tmp_path`/lock until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "lock"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_told_who_holds_it_and_a_kill_lets_go(other, tmp_path):
    said = rf"^runs/a: busy \(process {other.pid} on \S+, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d\)$"
    with pytest.raises(InputError, match=said), locks.exclusive(tmp_path / "lock", refusal="runs/a: busy"):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / "lock.json").is_file()  # the note of a dead process blocks nobody
    with locks.exclusive(tmp_path / "lock", refusal="busy"):
        assert locks.holder(tmp_path / "lock").startswith(f"process {os.getpid()} on ")
    assert not (tmp_path / "lock.json").exists()


def test_a_damaged_note_is_no_reason_to_fail(other, tmp_path):
    (tmp_path / "lock.json").write_bytes(b'{"host": "\xff')
    said = r"^busy \(a process that left no note\)$"
    with pytest.raises(InputError, match=said), locks.exclusive(tmp_path / "lock", refusal="busy"):
        pass


@pytest.mark.parametrize("number", locks.WITHOUT_LOCKS)
def test_a_file_system_without_locks_is_told_once_and_work_goes_on(number, tmp_path, monkeypatch, caplog):
    def refuses(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuses)
    monkeypatch.setattr(locks, "WARNED", set())
    done = []
    with caplog.at_level(logging.WARNING):
        for name in ("one", "one", "two"):
            with locks.exclusive(tmp_path / name, refusal="busy"), locks.exclusive(tmp_path / "inner"):
                done.append(name)
    assert done == ["one", "one", "two"]
    assert [message.split(":")[1] for message in caplog.messages] == [
        " this file system has no locks; kfg continues without them"
    ]


def test_any_other_error_of_a_lock_is_told(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", refuses)
    with pytest.raises(InputError, match="lock: Input/output error"), locks.exclusive(tmp_path / "lock"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"), locks.exclusive(tmp_path / "file" / "lock"):
        pass


def test_nothing_posix_only_is_needed(tmp_path):
    """As on Windows: no fcntl, no os.kill, folders that cannot be opened."""
    code = """
        import sys, os, pathlib
        sys.modules["fcntl"] = None
        def gone(*_): raise AssertionError("needs POSIX")
        os.kill = os.fork = gone
        real = os.open
        def no_folders(path, *rest, **more):
            if os.path.isdir(path): raise PermissionError(13, "Permission denied", path)
            return real(path, *rest, **more)
        os.open = no_folders
        from kfg import files, locks, overwrite
        from kfg.runs import results_file
        root = pathlib.Path(sys.argv[1])
        with locks.exclusive(root / "a.lock"):
            files.write_json(root / "a.json", [1])
            (root / ".b.json.1-2.partial").touch()
            files.sweep(root, idle=0)
            row = {"recipe": "r", "row": "x", "data": {}, "config": {}, "metrics": {}}
            results_file.append(root / "results.jsonl", row)
        overwrite.check_writable("--out", root / "runs")
        new, old = root / "new", root / "export"
        for folder in (new, old):
            folder.mkdir()
            (folder / "mark").touch()
        overwrite.replace_folder(new, old, marks=("mark",), parts=())
        assert len(results_file.read(root)) == 1
        print(sorted(path.name for path in root.iterdir() if not path.name.startswith(".")))
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), tmp_path]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.stderr == "" and "'a.json'" in answer.stdout and "'export', 'results.jsonl', 'runs'" in answer.stdout


def test_the_lock_is_the_systems_own(tmp_path, monkeypatch):
    made, acquired = [], locks._acquired
    monkeypatch.setattr(locks, "_acquired", lambda lock, *rest: made.append(lock) or acquired(lock, *rest))
    with locks.exclusive(tmp_path / "lock"):
        (lock,) = made
        assert isinstance(lock, (filelock.UnixFileLock, filelock.WindowsFileLock)) and lock.is_locked
    assert not lock.is_locked
