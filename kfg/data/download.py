"""Fetch a published data set: download (an interrupted download can be resumed), check and unpack.

The unpacked folder appears complete or not at all.
"""

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
TIMEOUT = (15, 60)  # seconds to connect, and seconds without receiving a byte
SAY_EVERY = 1.0  # seconds between two calls of `progress`


def get(name: str, root, *, urls: Sequence[str] = (), progress: Callable | None = None) -> pathlib.Path:
    """Download the published data set `name` to `root/name`, unless it is there.

    The archives are kept in `root`. An archive that is already there, for example placed by hand, is used.

    Args:
        name: a key of `published.SETS`.
        root: folder; it is created if it does not exist.
        urls: other addresses of the archives, one for each, in their order; default the published ones.
        progress: called now and then with (file name, bytes downloaded, bytes in all).
    Returns:
        The folder to give to other commands, at or below `root/name`.
    Raises:
        InputError: the name is unknown, there is no network, the download was interrupted (its bytes are kept, and the
            same call goes on from there), the bytes are wrong (the file is renamed), an archive is refused, or the disk
            is full.
    """
    wanted, root = published.find(name), pathlib.Path(root)
    target = root / name
    if target.exists():
        if (target / wanted.folder).is_dir():
            return target / wanted.folder
        raise InputError(f"{target}: exists, but is not what kfg unpacks; remove it or give another folder")
    if urls and len(urls) != len(wanted.archives):
        files = ", ".join(archive.file for archive in wanted.archives)
        raise InputError(f"--url: {name} has {len(wanted.archives)} archives ({files}), got {len(urls)} addresses")
    partial = beside(target)
    try:
        root.mkdir(parents=True, exist_ok=True)
        sweep(root, name)  # removes what a killed process left half unpacked
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
            raise InputError(f"{files[0]}: has no folder {wanted.folder}")
        flush_tree(partial)
        rename(partial, target)
    except OSError as error:
        raise InputError(f"{error.filename or root}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target / wanted.folder


def fetch(archive: Archive, folder, *, url: str, progress: Callable | None = None) -> pathlib.Path:
    """Download one archive to `folder`, going on where an earlier call stopped, and check its digest.

    Until it is complete, the file is called FILE.part.

    Raises:
        InputError: as `get`.
    """
    path = pathlib.Path(folder) / archive.file
    part = path.with_name(f"{path.name}.part")
    if not path.is_file():
        if _size(part) != archive.size:
            load(archive, part, url, progress or (lambda *_: None))
        _check(archive, part)
        with open(part, "r+b") as file:
            flush(file)
        rename(part, path)
    else:
        _check(archive, path)
    return path


def load(archive: Archive, part: pathlib.Path, url: str, progress: Callable) -> None:
    """Load the bytes of an archive that `part` lacks, into it; only `archive`'s name and size are looked at.

    Args:
        part: what came of it before, or nothing yet; kept whatever happens.
        progress: as of `get`.
    Raises:
        InputError: as `get`.
    """
    by_hand = f"; or download {archive.file} in another way and put it into {part.parent}"
    try:
        response, start = _open(url, _size(part) if _size(part) < archive.size else 0, archive, by_hand)
        with response, open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            done, said = start, 0.0
            for chunk in response.raw.stream(CHUNK, decode_content=False):  # False: the bytes as the server stores them
                done += len(chunk)
                if done > archive.size:
                    raise InputError(f"{url}: sent more than the {archive.size:,} bytes of {archive.file}{by_hand}")
                file.write(chunk)
                if time.monotonic() - said >= SAY_EVERY or done == archive.size:
                    progress(archive.file, done, archive.size)
                    said = time.monotonic()
        problem = "the connection ended early"
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema) as e:
        raise InputError(f"--url {url}: not an http or https address") from e
    except requests.exceptions.ConnectionError as error:
        raise InputError(f"{url}: cannot be reached ({reason(error)}){by_hand}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        problem = reason(error)
    if _size(part) < archive.size:
        raise InputError(
            f"{url}: interrupted after {_size(part):,} of {archive.size:,} bytes ({problem}); {part} is kept, and "
            "the same command continues from there"
        )


def _open(url, start, archive, by_hand):
    """Request the bytes from `start` on; return the response and the position of its first byte.

    That position is 0 if the server cannot begin at `start`.
    """
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
    response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    part_sent = response.status_code == 206
    content_range = response.headers.get("Content-Range", "")
    if start and (response.status_code == 416 or (part_sent and not content_range.startswith(f"bytes {start}-"))):
        response.close()
        return _open(url, 0, archive, by_hand)
    if response.status_code != (206 if part_sent and start else 200):
        response.close()
        raise InputError(f"{url}: the server answered {response.status_code} {response.reason}{by_hand}")
    total = content_range.rpartition("/")[2] if part_sent else response.headers.get("Content-Length", "")
    kind = response.headers.get("Content-Type", "unknown type")
    if kind.startswith("text/html") or (total.isdigit() and int(total) != archive.size):
        response.close()
        raise InputError(
            f"{url}: offers {total or 'an unknown number of'} bytes of {kind}, but {archive.file} has {archive.size}; "
            f"this is another file, or a page that asks you to log in{by_hand}"
        )
    return response, start if part_sent else 0


def reason(error) -> str:
    """Return the innermost cause of an error in a few words; requests wraps it in several exceptions."""
    while error.__context__ is not None or (error.args and isinstance(error.args[0], Exception)):
        error = error.__context__ or error.args[0]
    return getattr(error, "strerror", None) or str(error).splitlines()[0][:120]


def _check(archive, path):
    """Rename the file to FILE.wrong and raise InputError unless its size and digest are the published ones."""
    found = digest(path, algorithm=archive.algorithm)
    if path.stat().st_size == archive.size and found == archive.digest:
        return
    aside = path.with_name(f"{archive.file}.wrong")
    os.replace(path, aside)
    raise InputError(
        f"{aside}: put aside, because it is not the published {archive.file}: it has {_size(aside):,} bytes with "
        f"{archive.algorithm} {found} instead of {archive.size:,} with {archive.digest}; the same command downloads it "
        "again"
    )


def _size(path) -> int:
    return path.stat().st_size if path.is_file() else 0
