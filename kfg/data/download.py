"""Fetch a published data set: download with resume, check, unpack; whole or not at all."""

import os
import pathlib
import shutil
import time
from collections.abc import Callable, Sequence

import requests
import urllib3

from kfg.data import published
from kfg.data.published import Archive
from kfg.data.unpack import unpack
from kfg.errors import InputError
from kfg.files import beside, digest, flush, flush_tree, rename, sweep

CHUNK = 1 << 20  # bytes
TIMEOUT = (15, 60)  # seconds to connect, and without a byte
SAY_EVERY = 1.0  # seconds between two calls of `progress`


def get(name: str, root, *, urls: Sequence[str] = (), progress: Callable | None = None) -> pathlib.Path:
    """Make `root/name`, the published set `name`, unless it is there.

    The archives are kept in `root`; one that is there already, placed by hand, is used.

    Args:
        name: a key of `published.SETS`.
        root: folder, made where missing.
        urls: other addresses of the archives, one each, in their order; default the published ones.
        progress: called now and then with (file name, bytes there, bytes in all).
    Returns:
        the folder to give to other commands, at or below `root/name`.
    Raises:
        InputError: an unknown name, no network, an interrupted download (what came is kept, and the same call goes
            on from there), wrong bytes (the file is put aside), an archive that is refused, a full disk.
    """
    wanted, root = published.find(name), pathlib.Path(root)
    target = root / name
    if target.exists():
        if (target / wanted.folder).is_dir():
            return target / wanted.folder
        raise InputError(f"{target}: is there, but is not what kfg unpacks; remove it or give another folder")
    if urls and len(urls) != len(wanted.archives):
        files = ", ".join(archive.file for archive in wanted.archives)
        raise InputError(f"--url: {name} has {len(wanted.archives)} archives ({files}), got {len(urls)} addresses")
    partial = beside(target)
    try:
        root.mkdir(parents=True, exist_ok=True)
        sweep(root, name)  # of an unpacking that was killed
        addresses = urls or [archive.url for archive in wanted.archives]
        pairs = zip(wanted.archives, addresses, strict=True)
        files = [fetch(archive, root, url=url, progress=progress) for archive, url in pairs]
        for file in files:
            unpack(file, partial)
        for inner in wanted.nested:
            unpack(partial / inner, (partial / inner).parent)
            (partial / inner).unlink()
        for folder in wanted.left_out:
            shutil.rmtree(partial / folder)
        if not (partial / wanted.folder).is_dir():
            raise InputError(f"{files[0]}: holds no folder {wanted.folder}")
        flush_tree(partial)
        rename(partial, target)
    except OSError as error:
        raise InputError(f"{error.filename or root}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target / wanted.folder


def fetch(archive: Archive, folder, *, url: str, progress: Callable | None = None) -> pathlib.Path:
    """Download one archive to `folder`, going on where an earlier call stopped, and check its digest.

    Until it is whole it is called FILE.part.

    Raises:
        InputError: as `get`.
    """
    path = pathlib.Path(folder) / archive.file
    part = path.with_name(f"{path.name}.part")
    if not path.is_file():
        if _size(part) != archive.size:
            _download(archive, part, url, progress or (lambda *_: None))
        _check(archive, part)
        with open(part, "r+b") as file:
            flush(file)
        rename(part, path)
    else:
        _check(archive, path)
    return path


def _download(archive, part, url, progress):
    by_hand = f"; or load {archive.file} by other means and place it in {part.parent}"
    try:
        response, start = _open(url, _size(part) if _size(part) < archive.size else 0, archive, by_hand)
        with response, open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            done, said = start, 0.0
            for chunk in response.raw.stream(CHUNK, decode_content=False):  # the bytes as they are stored
                done += len(chunk)
                if done > archive.size:
                    raise InputError(f"{url}: sends more than the {archive.size:,} bytes of {archive.file}{by_hand}")
                file.write(chunk)
                if time.monotonic() - said >= SAY_EVERY or done == archive.size:
                    progress(archive.file, done, archive.size)
                    said = time.monotonic()
        problem = "the connection ended early"
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema) as e:
        raise InputError(f"--url {url}: not an http or https address") from e
    except requests.exceptions.ConnectionError as error:
        raise InputError(f"{url}: cannot be reached ({_reason(error)}){by_hand}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        problem = _reason(error)
    if _size(part) < archive.size:
        raise InputError(
            f"{url}: interrupted after {_size(part):,} of {archive.size:,} bytes ({problem}); {part} is kept, "
            "the same command goes on from there"
        )


def _open(url, start, archive, by_hand):
    """Ask for the bytes from `start` on; return the response and where its bytes begin, 0 if it would not skip."""
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
    response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    part_sent = response.status_code == 206
    content_range = response.headers.get("Content-Range", "")
    if start and (response.status_code == 416 or (part_sent and not content_range.startswith(f"bytes {start}-"))):
        response.close()
        return _open(url, 0, archive, by_hand)
    if response.status_code != (206 if part_sent and start else 200):
        response.close()
        raise InputError(f"{url}: the server answers {response.status_code} {response.reason}{by_hand}")
    total = content_range.rpartition("/")[2] if part_sent else response.headers.get("Content-Length", "")
    kind = response.headers.get("Content-Type", "unknown type")
    if kind.startswith("text/html") or (total.isdigit() and int(total) != archive.size):
        response.close()
        raise InputError(
            f"{url}: offers {total or 'unsaid'} bytes of {kind}, {archive.file} has {archive.size}; "
            f"another file, or a page that asks to log in{by_hand}"
        )
    return response, start if part_sent else 0


def _reason(error) -> str:
    """Return the innermost cause in a few words; requests wraps it several times over."""
    while error.__context__ is not None or (error.args and isinstance(error.args[0], Exception)):
        error = error.__context__ or error.args[0]
    return getattr(error, "strerror", None) or str(error).splitlines()[0][:120]


def _check(archive, path):
    """Raise, and put the file aside, unless its size and digest are the published ones."""
    found = digest(path, algorithm=archive.algorithm)
    if path.stat().st_size == archive.size and found == archive.digest:
        return
    aside = path.with_name(f"{archive.file}.wrong")
    os.replace(path, aside)
    raise InputError(
        f"{aside}: put aside, it is not the published {archive.file}: {_size(aside):,} bytes with {archive.algorithm} "
        f"{found}, published are {archive.size:,} with {archive.digest}; the same command loads it anew"
    )


def _size(path) -> int:
    return path.stat().st_size if path.is_file() else 0
