"""One synset of ImageNet: its archive, loaded with resume, and the photographs that are chosen from it."""

import dataclasses
import os
import pathlib
import re
import shutil
import tarfile
from collections.abc import Callable

import numpy as np
import requests

from kfg.data import decode, download
from kfg.data.bad_image import BadImage
from kfg.data.published import Archive
from kfg.data.to_rgb import to_rgb
from kfg.data.unpack import DAMAGE
from kfg.errors import InputError
from kfg.files import beside, flush, flush_tree, read_json, rename, write_json

READ_SIDE = 256  # px; a large JPEG is decoded no finer than this to see whether it can be read, every byte all the same
END = bytes(2 * tarfile.BLOCKSIZE)  # what a tar archive ends with
GONE = (404, 410)  # what a server answers for what it does not have


class Absent(InputError):
    """An archive that its server does not have: to ask again would not help."""


@dataclasses.dataclass(frozen=True)
class Announced:
    """What a server says of an archive.

    Args:
        bytes: its length.
        etag: a word that changes with its content; "" for a server that gives none.
    """

    bytes: int
    etag: str


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What was taken from an archive.

    Args:
        kept: how many photographs.
        unreadable: members that were looked at and are no photograph, each with the reason.
    """

    kept: int
    unreadable: list[str]


def announced(url: str) -> Announced:
    """Ask a server how long an archive is, without loading it.

    Raises:
        Absent: the server does not have it.
        InputError: it cannot be reached, answers otherwise, or does not say a length.
    """
    try:
        headers = {"Accept-Encoding": "identity"}
        response = requests.head(url, headers=headers, allow_redirects=True, timeout=download.TIMEOUT)
    except requests.RequestException as error:
        raise InputError(f"{url}: cannot be reached ({download.reason(error)})") from error
    if response.status_code != 200:
        kind = Absent if response.status_code in GONE else InputError
        raise kind(f"{url}: the server answered {response.status_code} {response.reason}")
    length = response.headers.get("Content-Length", "")
    if not length.isdigit():
        raise InputError(f"{url}: the server does not say how long it is")
    return Announced(int(length), response.headers.get("ETag", ""))


def fetch(url: str, path, said: Announced, progress: Callable) -> None:
    """Load an archive to `path`, going on where an earlier call stopped if the server still has the same one.

    Until it is whole it is called FILE.part, and FILE.part.json says what was announced of it.

    Args:
        progress: called now and then with (file name, bytes there, bytes in all).
    Raises:
        InputError: interrupted (what came is kept), or another archive than announced.
    """
    part, note = _part(path), _note(path)
    before = _announced_before(part, note)
    if before not in (None, said):
        part.unlink()
        raise InputError(
            f"{path}: the server now offers another archive ({said.bytes:,} bytes instead of {before.bytes:,}); the "
            "part of the old one is removed, and the same command downloads the new one"
        )
    if before is None:
        part.unlink(missing_ok=True)
        write_json(note, dataclasses.asdict(said))
    if there(path) < said.bytes:
        download.load(Archive(url=url, size=said.bytes, digest=""), part, url, progress)
    with open(part, "r+b") as file:
        flush(file)
    rename(part, path)
    note.unlink()


def there(path) -> int:
    """Return how many bytes of an archive have come, as far as they can be gone on from."""
    part = _part(path)
    return part.stat().st_size if part.is_file() and _note(path).is_file() else 0


def _part(path):
    return path.with_name(f"{path.name}.part")


def _note(path):
    return path.with_name(f"{path.name}.part.json")


def _announced_before(part, note):
    if not (part.is_file() and note.is_file()):
        return None
    said = read_json(note, dict)
    return Announced(said["bytes"], said["etag"])


def choose(path, folder, *, count: int, seed: int, check: Callable = lambda: None) -> Chosen:
    """Make `folder` of at most `count` photographs of an archive; it appears whole.

    Only regular members called SYNSET_NUMBER.JPEG are taken, as the archive is called SYNSET.tar: no path of the
    archive is used. Which ones depends on their names and the seed alone, not on their order.

    Args:
        check: called before each photograph; what it raises ends the work.
    Raises:
        InputError: no whole tar archive (it is put aside), or no photograph in it.
    """
    partial = beside(path.with_name(folder.name))
    partial.mkdir()
    try:
        with tarfile.open(path, "r:") as archive:
            chosen = _extract(archive, partial, count=count, seed=seed, check=check)
        if not chosen.kept:
            raise InputError(
                f"{path}: no photograph in it can be read; remove it, and the same command downloads it again"
            )
        flush_tree(partial)
        rename(partial, folder)
    except DAMAGE as error:
        raise _put_aside(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return chosen


def check_end(path) -> None:
    """Put aside an archive whose end is missing, as of one that was copied in part.

    tarfile takes an archive for whole that was cut between two members.

    Raises:
        InputError: the end is missing.
    """
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - len(END)))
        whole = file.read() == END
    if not whole:
        raise _put_aside(path, "its end is missing")


def _extract(archive, folder, *, count, seed, check) -> Chosen:
    synset = pathlib.Path(archive.name).stem
    members, unreadable = _members(archive, synset)
    kept = 0
    for name in _drawn(sorted(members), seed, synset):
        if kept == count:
            break
        check()
        data = archive.extractfile(members[name]).read()
        try:
            to_rgb(decode.load(data, name, at_least=READ_SIDE), name)
        except BadImage as error:
            unreadable.append(f"{name} ({error.reason})")
            continue
        (folder / name).write_bytes(data)
        kept += 1
    return Chosen(kept, unreadable)


def _members(archive, synset):
    """Return file name -> member of what may be a photograph, and what else there is, with the reason."""
    members, strange = {}, []
    form = re.compile(rf"(?:\./)?(?:{synset}/)?({synset}_\d+\.jpe?g)", re.IGNORECASE)
    for member in archive:
        name = form.fullmatch(member.name)
        if name and member.isreg() and not member.issparse():  # a sparse file may claim any length
            members[name[1]] = member
        elif not member.isdir():
            strange.append(f"{member.name} (not a photograph's name)" if not name else f"{member.name} (not a file)")
    return members, strange


def _drawn(names, seed, synset):
    order = np.random.default_rng([seed, int(synset[1:])]).permutation(len(names))
    return [names[at] for at in order]


def _put_aside(path, error) -> InputError:
    aside = path.with_name(f"{path.name}.wrong")
    os.replace(path, aside)
    said = str(error) or type(error).__name__
    return InputError(
        f"{aside}: put aside, because it is not a complete tar archive ({said}); the same command downloads it again"
    )
