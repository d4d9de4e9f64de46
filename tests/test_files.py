"""Files appear whole and stay after a power cut; what killed processes leave goes."""

import errno
import os

import pytest

from kfg import files
from kfg.errors import InputError


def test_what_dead_processes_left_half_written_goes_when_it_is_old(tmp_path):
    tail = "12-0123abcd.partial"
    names = [f".a.npz.{tail}", f".b.{tail}", f".c.json.{tail}", ".d.partial", f"e.{tail}"]
    keras = f".model.{tail}.keras"
    names.insert(0, keras)
    for name in names[:1] + names[2:]:
        (tmp_path / name).touch()
    (tmp_path / names[1]).mkdir()
    (tmp_path / names[1] / "variables").touch()
    files.sweep(tmp_path)  # of a process that writes, perhaps on another machine
    files.sweep(tmp_path / "nowhere")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names[:3]:
        os.utime(tmp_path / name, (0, 0))
    files.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[3:])
    files.sweep(tmp_path, "c.json", idle=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[4:])


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_going_on(tmp_path, monkeypatch):
    """A power cut keeps what was flushed, in any order: content, then name, then the folder."""
    done = []
    real = {"fsync": os.fsync, "replace": os.replace}

    def fsync(handle):
        done.append(f"flush {os.path.basename(os.readlink(f'/proc/self/fd/{handle}')).split('.')[-1]}")
        real["fsync"](handle)

    def replace(one, other):
        done.append(f"rename {os.path.basename(other)}")
        real["replace"](one, other)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    files.write_json(tmp_path / "a.json", [1])
    assert done == ["flush partial", "rename a.json", f"flush {tmp_path.name}"]
    done.clear()
    (tmp_path / "new" / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/data"):
        (tmp_path / "new" / name).touch()
    files.flush_tree(tmp_path / "new")
    files.rename(tmp_path / "new", tmp_path / "export")
    assert done == [
        "flush data",
        "flush variables",
        "flush pb",
        "flush new",
        "rename export",
        f"flush {tmp_path.name}",
    ]


def test_a_file_system_that_cannot_flush_folders_or_at_all_is_written_all_the_same(tmp_path, monkeypatch):
    def refuses(handle):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuses)
    files.write_text(tmp_path / "a.txt", "there")
    assert (tmp_path / "a.txt").read_text() == "there"

    def broken(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(InputError, match=r"a\.txt: Input/output error"):
        files.write_text(tmp_path / "a.txt", "lost")
    assert (tmp_path / "a.txt").read_text() == "there" and os.listdir(tmp_path) == ["a.txt"]


def test_a_file_system_without_renames_is_said(tmp_path, monkeypatch):
    def replace(one, other):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported", str(one))

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(InputError, match=r"a\.txt: its file system cannot rename files \(Operation not supported\)"):
        files.write_text(tmp_path / "a.txt", "text")
    assert not os.listdir(tmp_path)


def test_a_link_stays_and_a_device_is_no_file(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "store" / "real.json")
    files.write_json(tmp_path / "link.json", [1])
    assert (tmp_path / "link.json").is_symlink() and files.read_json(tmp_path / "store" / "real.json") == [1]
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is a device or a pipe"):
        files.write_json(tmp_path / "pipe", [1])


def test_the_longest_name_can_be_written(tmp_path):
    name = "ä" * 125 + ".json"  # 255 bytes
    files.write_json(tmp_path / name, [1])
    assert os.listdir(tmp_path) == [name]
    files.beside(tmp_path / name).touch()
    files.sweep(tmp_path, name, idle=0)
    assert os.listdir(tmp_path) == [name]
