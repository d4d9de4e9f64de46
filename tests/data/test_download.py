"""`kfg data` against a local server that supports Range, cuts connections, ignores Range, and lies."""

import hashlib
import http.server
import io
import pathlib
import tarfile
import threading

import numpy as np
import pytest

from kfg.__main__ import main
from kfg.data import download, published
from kfg.data.published import Archive, Published
from kfg.errors import InputError


def packed() -> bytes:
    """A small published set: class folders of 2 images each, in a .tgz."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in ("set/a/1.gif", "set/a/2.gif", "set/b/1.gif", "set/b/2.gif", "readme.txt"):
            data = b"GIF89a" + np.random.default_rng(len(name)).bytes(100_000)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """Serves `body`; `behaviour` is a list of what to do at each request, the last one stays."""

    body = b""
    behaviour = ("range",)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/set.tgz"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        how = self.server.behaviour[min(len(self.server.requests), len(self.server.behaviour) - 1)]
        asked = self.headers.get("Range")
        self.server.requests.append(asked)
        body, start = self.server.body, 0
        if how == "gone":
            return self.send_error(404)
        if "page" in how:
            body = b"<html>please log in</html>"
        if asked and how == "unsatisfiable":
            return self.send_error(416)
        if asked and how != "ignores" and "page" not in how:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            said = 0 if how == "lies" else start
            self.send_header("Content-Range", f"bytes {said}-{len(body) - 1}/{len(body)}")
        if "page" in how:
            self.send_header("Content-Type", "text/html; charset=utf-8")
        if "no length" not in how:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        self.wfile.write(rest[: len(rest) // 2] if how == "cuts" else rest)
        if how == "endless":
            self.wfile.write(b"more")
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as one:
        one.body = packed()
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def small_set(server, monkeypatch):
    digest = hashlib.sha256(server.body).hexdigest()
    archive = Archive(url=server.url, size=len(server.body), digest=digest)
    monkeypatch.setitem(published.SETS, "small", Published(archives=(archive,), folder="set", page=server.url))
    return archive


def test_a_set_is_fetched_checked_unpacked_and_not_fetched_twice(server, small_set, tmp_path, capsys):
    assert main(["data", "small", str(tmp_path)]) == 0
    assert f"{tmp_path / 'small' / 'set'}: 4 images in 2 classes" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.tgz", "small"]
    assert (tmp_path / "small" / "readme.txt").is_file()
    assert main(["data", "small", str(tmp_path)]) == 0
    assert server.requests == [None]


def test_an_interrupted_download_is_one_line_and_goes_on(server, small_set, tmp_path, capsys):
    server.behaviour = ("cuts", "cuts", "range")
    for kept in (len(server.body) // 2, len(server.body) // 2 + (len(server.body) + 1) // 2 // 2):
        assert main(["data", "small", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and f"interrupted after {kept:,} of {len(server.body):,} bytes" in error
        assert (tmp_path / "set.tgz.part").stat().st_size == kept
        assert not (tmp_path / "small").exists()
    assert main(["data", "small", str(tmp_path)]) == 0
    assert server.requests == [None, f"bytes={len(server.body) // 2}-", f"bytes={kept}-"]
    assert not (tmp_path / "set.tgz.part").exists()


@pytest.mark.parametrize("how", ["ignores", "lies", "unsatisfiable"])
def test_a_server_that_cannot_skip_starts_anew(server, small_set, tmp_path, how):
    server.behaviour = (how, "ignores")
    (tmp_path / "set.tgz.part").write_bytes(b"x" * 1000)
    assert download.get("small", tmp_path) == tmp_path / "small" / "set"


def test_a_part_of_other_bytes_is_found_out_put_aside_and_named(server, small_set, tmp_path):
    (tmp_path / "set.tgz.part").write_bytes(b"x" * 1000)
    with pytest.raises(InputError, match=r"set\.tgz\.wrong: put aside, because it is not the published set\.tgz"):
        download.get("small", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["set.tgz.wrong"]
    assert download.get("small", tmp_path).is_dir()


def test_an_archive_placed_by_hand_is_used_and_checked(server, small_set, tmp_path):
    (tmp_path / "set.tgz").write_bytes(server.body)
    assert download.get("small", tmp_path).is_dir() and server.requests == []
    other = tmp_path / "other"
    other.mkdir()
    (other / "set.tgz").write_bytes(server.body[:-1] + b"x")
    with pytest.raises(InputError, match="put aside"):
        download.get("small", other)
    assert (other / "set.tgz.wrong").is_file()


@pytest.mark.parametrize(
    "how, said",
    [
        ("gone", "the server answered 404 Not Found; or download set.tgz in another way and put it into"),
        ("page", "offers 26 bytes of text/html"),
        ("page of no length", "offers an unknown number of bytes of text/html"),
    ],
)
def test_another_answer_than_the_file_leaves_the_part_alone(server, small_set, tmp_path, how, said):
    server.behaviour = (how,)
    (tmp_path / "set.tgz.part").write_bytes(server.body[:1000])
    with pytest.raises(InputError, match=said):
        download.get("small", tmp_path)
    assert (tmp_path / "set.tgz.part").read_bytes() == server.body[:1000]


def test_a_length_that_is_not_said_is_counted(server, small_set, tmp_path):
    server.behaviour = ("no length",)
    assert download.get("small", tmp_path).is_dir()
    server.body += b"and more than was published"
    with pytest.raises(InputError, match="sent more than"):
        download.get("small", tmp_path / "again")


def test_no_network_names_the_address_and_where_to_place_the_file(small_set, server, tmp_path, capsys):
    url = "http://127.0.0.1:9/set.tgz"  # the discard port: nobody listens
    assert main(["data", "small", str(tmp_path), "--url", url]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and url in error and f"put it into {tmp_path}" in error
    assert "refused" in error


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["data", "imagenet", "."], "'imagenet': no published data set has this name; choose from cub-200-2011"),
        (["data", "small", ".", "--url", "set.tgz"], "--url set.tgz: not an http or https address"),
        (["data", "oxford-iiit-pet", ".", "--url", "http://x/a"], "has 2 archives (images.tar.gz, annotations.tar.gz)"),
    ],
)
def test_wrong_use_is_one_line(arguments, said, small_set, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_folder_that_is_something_else_is_left_alone(small_set, tmp_path):
    (tmp_path / "small").mkdir()
    with pytest.raises(InputError, match="exists, but is not what kfg unpacks"):
        download.get("small", tmp_path)


def test_progress_ends_with_the_whole_size(server, small_set, tmp_path):
    said = []
    download.fetch(small_set, tmp_path, url=server.url, progress=lambda *what: said.append(what))
    assert said[-1] == ("set.tgz", len(server.body), len(server.body))


def test_the_published_sets_are_filled_in():
    for name, one in published.SETS.items():
        files = [archive.file for archive in one.archives]
        assert len(set(files)) == len(files) and all(pathlib.PurePath(file).suffix for file in files), name
        for archive in one.archives:
            assert len(archive.digest) == {"sha256": 64, "md5": 32}[archive.algorithm] and archive.size > 100_000
            assert archive.url.startswith(("https://", "http://vision.stanford.edu"))
