"""Unpack a tar or zip archive that may be broken or hostile."""

import lzma
import pathlib
import shutil
import stat
import tarfile
import zipfile
import zlib

from kfg.errors import InputError

RATIO = 100  # most unpacked bytes per packed byte; photographs have about 1, text 10, a bomb 1,000
MAX_MEMBERS = 1_000_000
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


def unpack(path, folder) -> None:
    """Unpack the archive `path` into `folder`, which is created.

    A member is refused before it is written if it has an absolute name or "..", is a link or a device file, or brings
    the total above RATIO times the archive's size or above MAX_MEMBERS members. Earlier members may have been written
    by then, so unpack into a folder that is removed on failure.

    Raises:
        InputError: the archive is damaged, a member is refused, or the disk is full.
    """
    path, folder = pathlib.Path(path), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(path):
            _unzip(path, folder)
        else:
            _untar(path, folder)
    except DAMAGE as error:
        raise InputError(f"{path}: not a complete tar or zip archive ({str(error) or type(error).__name__})") from error
    except OSError as error:
        if error.errno is None:  # gzip raises such an OSError for a damaged file
            raise InputError(f"{path}: not a complete tar or zip archive ({error})") from error
        raise InputError(f"{error.filename or folder}: {error.strerror}; unpacking {path.name} stopped") from error


class _Budget:
    """Counts the members and bytes of one archive, and checks the names of members."""

    def __init__(self, path):
        self.path, self.bytes, self.members = path, RATIO * path.stat().st_size, MAX_MEMBERS

    def spend(self, name, size):
        parts = pathlib.PureWindowsPath(name)  # understands both kinds of slashes, and drives
        if parts.anchor or ".." in parts.parts:
            raise InputError(f"{self.path}: refused to unpack: {name!r} leads out of the folder")
        self.bytes, self.members = self.bytes - size, self.members - 1
        if self.bytes < 0 or self.members < 0:
            raise InputError(
                f"{self.path}: refused to unpack: it unpacks to more than {RATIO} times its size "
                f"or to more than {MAX_MEMBERS:,} files (at {name!r})"
            )


def _untar(path, folder):
    # Some Python versions still in use (3.11.2) lack tarfile's own filters, so this code does not rely on them: it
    # takes only plain files and folders, and of these only the content, without owner, mode or time.
    budget = _Budget(path)
    with tarfile.open(path) as archive:
        for member in archive:
            budget.spend(member.name, member.size)
            if not (member.isfile() or member.isdir()):
                raise InputError(f"{path}: refused to unpack: {member.name!r} is a link or a device")
            target = folder / member.name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                _write(archive.extractfile(member), target)


def _write(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, open(target, "wb") as file:
        shutil.copyfileobj(source, file)


def _unzip(path, folder):
    budget = _Budget(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            budget.spend(member.filename, member.file_size)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or member.flag_bits & 1:
                raise InputError(f"{path}: refused to unpack: {member.filename!r} is a link, a device or encrypted")
        for member in members:
            target = folder / member.filename
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                _write(archive.open(member), target)
