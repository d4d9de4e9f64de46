"""Archives that are whole are unpacked; hostile and broken ones are one line."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from kfg.data.unpack import unpack
from kfg.errors import InputError


def tar(path, *members, mode="w:gz", data=b"GIF89a"):
    with tarfile.open(path, mode) as archive:
        for name, options in members:
            member = tarfile.TarInfo(name)
            for key, value in options.items():
                setattr(member, key, value)
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w:gz", "w", "w:bz2", "w:xz"])
def test_a_tar_is_unpacked(tmp_path, mode):
    path = tar(tmp_path / "a.tgz", ("set/a/1 é.gif", {}), ("set/b/2.gif", {}), mode=mode)
    unpack(path, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.gif")) == ["1 é.gif", "2.gif"]
    assert (tmp_path / "out/set/b/2.gif").read_bytes() == b"GIF89a"


def test_a_zip_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("set/", "")
        archive.writestr("set/a/1.gif", b"GIF89a" * 100)
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out/set/a/1.gif").read_bytes() == b"GIF89a" * 100


LINK = {"type": tarfile.SYMTYPE}


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("../evil", {}, "'../evil' leads out of the folder"),
        ("set/../../evil", {}, "leads out of the folder"),
        ("/evil", {}, "'/evil' leads out of the folder"),
        ("C:\\evil", {}, "leads out of the folder"),
        ("..\\evil", {}, "leads out of the folder"),
        ("link", {**LINK, "linkname": "../../etc/passwd"}, "refused to unpack: 'link' is a link or a device"),
        ("link", {**LINK, "linkname": "/etc/passwd"}, "refused to unpack: 'link' is a link or a device"),
        (
            "hard",
            {"type": tarfile.LNKTYPE, "linkname": "../outside"},
            "refused to unpack: 'hard' is a link or a device",
        ),
        ("tty", {"type": tarfile.CHRTYPE}, "refused to unpack: 'tty' is a link or a device"),
        ("pipe", {"type": tarfile.FIFOTYPE}, "refused to unpack: 'pipe' is a link or a device"),
    ],
)
def test_a_member_that_is_dangerous_is_refused(tmp_path, name, options, said):
    path = tar(tmp_path / "a.tgz", (name, options))
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=said):
        unpack(path, tmp_path / "in" / "out")
    assert list((tmp_path / "in").rglob("*")) == [tmp_path / "in" / "out"]


@pytest.mark.parametrize("name, attributes", [("../evil", 0), ("/evil", 0), ("link", 0o120777 << 16)])
def test_a_zip_is_no_way_around(tmp_path, name, attributes):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("fine.gif", b"GIF89a")
        member = zipfile.ZipInfo(name)
        member.external_attr = attributes
        archive.writestr(member, "../outside")
    with pytest.raises(InputError, match=rf"refused to unpack: '{name}'"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_bombs_are_refused_before_they_are_written(tmp_path):
    zeros = bytes(5_000_000)
    bomb = tar(tmp_path / "bomb.tgz", ("zeros", {}), data=zeros)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", zeros)
    for path in (bomb, tmp_path / "bomb.zip"):
        with pytest.raises(InputError, match="it unpacks to more than 100 times its size"):
            unpack(path, tmp_path / "out")
        assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ["tgz", "zip", "text", "empty"])
def test_a_broken_archive_is_named(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    data = np.random.default_rng(0).bytes(10_000)
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a", data)
        broken = bytearray(path.read_bytes())
        broken[200:300] = bytes(100)
        path.write_bytes(broken)
    else:
        path.write_bytes(
            {"text": b"<html>", "empty": b""}.get(kind) or tar(path, ("a", {}), data=data).read_bytes()[:-700]
        )
    with pytest.raises(InputError, match=rf"a\.{kind}: not a complete tar or zip archive"):
        unpack(path, tmp_path / "out")
