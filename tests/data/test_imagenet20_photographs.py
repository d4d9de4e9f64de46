"""`kfg data imagenet20` against a local server that has the study's synsets, lacks some, cuts off, and changes them."""

import collections
import http.server
import io
import os
import pathlib
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time

import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.data import formats, imagenet20, synset
from kfg.errors import InputError

SYNSETS = tuple(imagenet20.CLASSES.values())
FIRST = imagenet20.CLASSES["acropolis"]


def photograph(number: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def photographs(synset: str, count: int) -> dict[str, bytes]:
    return {f"{synset}_{i}.JPEG": photograph(i) for i in range(count)}


class Server(http.server.ThreadingHTTPServer):
    """Serves `bodies` by path, with an ETag; `cut` says of which archives only the first bytes are sent, once."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies = {f"/{name}.tar": archive(photographs(name, 5)) for name in SYNSETS}
        self.asked, self.cut, self.longer, self.slow = collections.defaultdict(list), {}, {}, set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(head=True)

    def do_GET(self):
        self.answer(head=False)

    def answer(self, *, head):
        server, asked = self.server, self.headers.get("Range")
        server.asked[self.path].append("HEAD" if head else asked or "GET")
        body = server.bodies.get(self.path)
        if body is None:
            return self.send_error(404)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", f'"{hash(body)}"')
        self.send_header("Content-Length", str(len(body) - start + (0 if head else server.longer.get(self.path, 0))))
        self.end_headers()
        if not head:
            if self.path in server.slow:
                self.wfile.write(body[start : start + 2000])
                time.sleep(30)
            self.wfile.write(body[start : server.cut.pop(self.path, None)])
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as one:
        one.daemon_threads, one.block_on_close = True, False
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def six(monkeypatch):
    """A study of six classes: every file that is written waits for the disk."""
    monkeypatch.setattr(imagenet20, "CLASSES", dict(list(imagenet20.CLASSES.items())[:6]))


@pytest.fixture
def fetch(server, tmp_path):
    def run(*words):
        return main(["data", "imagenet20", str(tmp_path), "--accept-terms", "--from", server.url, *words])

    return run


def tree(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_classes_come_under_the_studys_names_and_a_second_run_asks_for_nothing(server, fetch, tmp_path, capsys):
    assert fetch("--per-class", "3") == 0
    said = capsys.readouterr().out
    assert "non-commercial" in said and "https://image-net.org/download" in said
    assert "each class has the same number" in said
    assert f"{tmp_path / 'imagenet20'}: 20 classes, 60 photographs were downloaded" in said
    files = tree(tmp_path / "imagenet20")
    assert {name.split("/")[0] for name in files} == set(imagenet20.CLASSES) and len(files) == 60
    for name, data in files.items():
        folder, file = name.split("/")
        number = re.fullmatch(rf"{imagenet20.CLASSES[folder]}_(\d)\.JPEG", file)[1]
        assert data == photograph(int(number))
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {
        "imagenet20", "imagenet20.json", *(f"{name}.tar" for name in SYNSETS)
    }  # fmt: skip
    server.asked.clear()
    for name in SYNSETS:
        (tmp_path / f"{name}.tar").unlink()  # what the command says can be removed
    assert fetch("--per-class", "3") == 0
    assert server.asked == {} and "nothing was missing" in capsys.readouterr().out
    assert tree(tmp_path / "imagenet20") == files


@pytest.mark.parametrize("words", [["--accept-terms"], []])
def test_without_the_terms_being_accepted_nothing_is_asked_for(words, server, six, tmp_path, capsys):
    code = main(["data", "imagenet20", str(tmp_path / "new"), "--from", server.url, *words])
    said = capsys.readouterr()
    assert "non-commercial" in said.out and "https://image-net.org/download" in said.out
    if words:
        assert code == 0 and server.asked
    else:
        assert code == 2 and said.err.startswith("error: --accept-terms: ") and said.err.count("\n") == 1
        assert not server.asked and not (tmp_path / "new").exists()


def test_half_an_archive_is_gone_on_with_and_nothing_is_taken_for_whole(server, fetch, six, tmp_path, capsys):
    path = f"/{FIRST}.tar"
    half = len(server.bodies[path]) // 2
    server.cut[path] = half
    assert fetch() == 2
    said = capsys.readouterr()
    assert "1 of 6 classes are missing, as said above: acropolis (n02676938); the same command continues" in said.err
    assert f"interrupted after {half:,} of {len(server.bodies[path]):,} bytes" in said.out
    assert not (tmp_path / "imagenet20").exists() and not (tmp_path / f"{FIRST}.tar").exists()
    assert len(list((tmp_path / "imagenet20.part").iterdir())) == 5
    server.asked.clear()
    assert fetch() == 0
    assert server.asked == {path: ["HEAD", f"bytes={half}-"]}
    assert not (tmp_path / "imagenet20.part").exists()
    assert tree(tmp_path / "imagenet20" / "acropolis") == photographs(FIRST, 5)
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


def test_an_archive_that_changed_meanwhile_is_named_and_loaded_anew(server, fetch, six, tmp_path, capsys):
    path = f"/{FIRST}.tar"
    server.cut[path] = 1000
    assert fetch() == 2
    old, server.bodies[path] = server.bodies[path], archive(photographs(FIRST, 7))
    capsys.readouterr()
    assert fetch() == 2
    assert (
        f"{tmp_path / FIRST}.tar: the server now offers another archive ({len(server.bodies[path]):,} bytes "
        f"instead of {len(old):,})" in capsys.readouterr().out
    )
    assert server.asked[path] == ["HEAD", "GET", "HEAD"]
    assert fetch() == 0
    assert tree(tmp_path / "imagenet20" / "acropolis") == photographs(FIRST, 7)


@pytest.mark.parametrize("more", [512, -512])
def test_an_archive_of_another_size_than_announced_is_refused_and_named(more, server, fetch, six, tmp_path, capsys):
    path = f"/{FIRST}.tar"
    server.longer[path] = more
    assert fetch() == 2
    said, size = capsys.readouterr(), len(server.bodies[path])
    assert "acropolis (n02676938)" in said.err
    assert f"{server.url}{path}: offers {size + more} bytes" in said.out and f"{FIRST}.tar has {size}" in said.out
    assert not (tmp_path / "imagenet20.part" / "acropolis").exists() and not (tmp_path / f"{FIRST}.tar").exists()


def test_a_synset_that_is_nowhere_is_named_and_the_rest_is_kept(server, fetch, six, tmp_path, capsys):
    body = server.bodies.pop(f"/{FIRST}.tar")
    assert fetch() == 2
    said = capsys.readouterr()
    assert f"{server.url}/{FIRST}.tar: the server answered 404" in said.out
    assert said.err == (
        f"error: {tmp_path / 'imagenet20'}: 1 of 6 classes are missing, as said above: acropolis (n02676938)\n"
    )
    assert len(tree(tmp_path / "imagenet20")) == 5 * 5
    server.bodies[f"/{FIRST}.tar"] = body
    server.asked.clear()
    assert fetch() == 0
    assert list(server.asked) == [f"/{FIRST}.tar"] and len(tree(tmp_path / "imagenet20")) == 30


def test_a_call_that_made_no_class_lets_the_next_one_choose_otherwise(server, fetch, six, tmp_path, capsys):
    whole = dict(server.bodies)
    for name in server.bodies:
        server.bodies[name] = spoiled(server.bodies[name], "a page")
    assert fetch("--per-class", "5") == 2
    server.bodies.update(whole)
    assert fetch("--per-class", "3") == 0 and len(tree(tmp_path / "imagenet20")) == 18


def test_no_server_is_said_for_each_class_and_leaves_no_set(six, tmp_path, capsys):
    words = ["data", "imagenet20", str(tmp_path), "--accept-terms", "--from", "http://127.0.0.1:9"]
    assert main(words) == 2  # the discard port: nobody listens
    said = capsys.readouterr()
    assert "6 of 6 classes are missing" in said.err and said.out.count("cannot be reached") == 6
    assert {path.name for path in tmp_path.iterdir()} <= {".imagenet20.lock"}  # another --per-class may follow


def test_no_path_of_an_archive_is_used_and_what_cannot_be_read_is_named(server, fetch, six, tmp_path, capsys):
    outside = {
        f"../../{FIRST}_9.JPEG": photograph(9), "/tmp/kfg-evil.JPEG": photograph(9), "evil.py": b"import os",
        f"sub/{FIRST}_8.JPEG": photograph(8), f"..\\{FIRST}_7.JPEG": photograph(7),
    }  # fmt: skip
    bad = {f"{FIRST}_10.JPEG": photograph(0)[:300], f"{FIRST}_11.JPEG": b"", f"{FIRST}_12.JPEG": b"<html>gone</html>"}
    file = io.BytesIO(archive(outside | bad | photographs(FIRST, 5)))
    with tarfile.open(fileobj=file, mode="a") as tar:
        link = tarfile.TarInfo(f"{FIRST}_13.JPEG")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    server.bodies[f"/{FIRST}.tar"] = file.getvalue()
    cobra = imagenet20.CLASSES["cobra"]
    server.bodies[f"/{cobra}.tar"] = archive(photographs(cobra, 2))
    assert fetch("--jobs", "2") == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / 'imagenet20' / 'acropolis'}: 9 members are left out: " in said
    assert "fewer than the others: cobra 2\n" in said
    for name in (f"../../{FIRST}_9.JPEG", "/tmp/kfg-evil.JPEG", "evil.py", f"{FIRST}_13.JPEG (not a file)"):
        assert name in said
    assert tree(tmp_path / "imagenet20" / "acropolis") == photographs(FIRST, 5)
    assert not list(tmp_path.rglob("*_9.JPEG")) and not pathlib.Path("/tmp/kfg-evil.JPEG").exists()
    assert not list(tmp_path.parent.glob(f"{FIRST}*"))


def test_another_photograph_stands_in_for_one_that_cannot_be_read(tmp_path):
    good = photographs(FIRST, 8)
    (tmp_path / f"{FIRST}.tar").write_bytes(archive(good))
    synset.choose(tmp_path / f"{FIRST}.tar", tmp_path / "a", count=4, seed=0)
    spoilt = sorted(tree(tmp_path / "a"))[0]
    (tmp_path / f"{FIRST}.tar").write_bytes(archive({**good, spoilt: good[spoilt][:300]}))
    chosen = synset.choose(tmp_path / f"{FIRST}.tar", tmp_path / "b", count=4, seed=0)
    before, after = set(tree(tmp_path / "a")), set(tree(tmp_path / "b"))
    assert chosen.kept == len(after) == 4 and before - after == {spoilt}
    assert len(chosen.unreadable) == 1 and chosen.unreadable[0].startswith(f"{spoilt} (")


def test_the_seed_alone_decides_which_photographs_are_kept(tmp_path):
    path = tmp_path / f"{FIRST}.tar"
    made = {}
    for name, turned, seed in (("a", False, 0), ("b", True, 0), ("c", False, 1)):
        members = list(photographs(FIRST, 30).items())
        path.write_bytes(archive(dict(members[::-1] if turned else members)))
        assert synset.choose(path, tmp_path / name, count=10, seed=seed) == synset.Chosen(10, [])
        made[name] = set(tree(tmp_path / name))
    assert made["a"] == made["b"] != made["c"]
    numbers = {int(name.split("_")[1].split(".")[0]) for name in made["a"]}
    assert max(numbers) > 15 and min(numbers) < 15  # drawn from all, not the first of them


def spoiled(body, how) -> bytes:
    """Return an archive cut within its third photograph, or before it, or with a page of a server as its header."""
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        third = archive.getmembers()[2]
    if how == "a page":
        return b"<html>please log in</html>".ljust(tarfile.BLOCKSIZE, b"!") + body[tarfile.BLOCKSIZE :]
    return body[: third.offset_data + 100 if how == "cut within a photograph" else third.offset]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("cut within a photograph", "(its end is missing)"),
        ("cut between two", "(its end is missing)"),
        ("a page", "(invalid header)"),
    ],
)
@pytest.mark.parametrize("by", ["placed by hand", "the server's own"])
def test_what_is_no_whole_archive_is_put_aside_and_loaded_anew(server, fetch, six, tmp_path, capsys, how, why, by):
    whole = server.bodies[f"/{FIRST}.tar"]
    if by == "placed by hand":
        (tmp_path / f"{FIRST}.tar").write_bytes(spoiled(whole, how))
    else:
        server.bodies[f"/{FIRST}.tar"] = spoiled(whole, how)
    assert fetch() == 2
    said = f"{tmp_path / FIRST}.tar.wrong: put aside, because it is not a complete tar archive {why}"
    assert said in capsys.readouterr().out
    server.bodies[f"/{FIRST}.tar"] = whole
    assert fetch() == 0 and len(tree(tmp_path / "imagenet20")) == 30


def test_a_killed_run_leaves_nothing_that_is_taken_for_whole(server, fetch, tmp_path):
    server.slow = {f"/{name}.tar" for name in SYNSETS[10:]}
    words = [sys.executable, "-m", "kfg", "data", "imagenet20", str(tmp_path), "--accept-terms", "--from", server.url]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    slow, until = [tmp_path / f"{name}.tar.part" for name in SYNSETS[10:]], time.monotonic() + 20
    while sum(path.exists() for path in slow) < imagenet20.JOBS and time.monotonic() < until:
        time.sleep(0.02)
    assert sum(path.exists() for path in slow) == imagenet20.JOBS  # at the same time
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "imagenet20").exists()
    made = list((tmp_path / "imagenet20.part").iterdir())
    assert 0 < len(made) <= 10
    (tmp_path / ".palm.1-00000000.partial").mkdir()  # as one that was unpacking leaves it
    for folder in made:
        assert len(tree(folder)) == 5
    for name in SYNSETS:
        data = tmp_path / f"{name}.tar"
        assert not data.exists() or data.read_bytes() == server.bodies[f"/{name}.tar"]
    server.slow = set()
    assert fetch() == 0 and len(tree(tmp_path / "imagenet20")) == 100
    assert not list(tmp_path.glob(".*.partial"))


@pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")
def test_ctrl_c_ends_the_threads_at_once(server, tmp_path):
    server.slow = {f"/{name}.tar" for name in SYNSETS}
    code = "import sys\nfrom kfg.data import imagenet20, download\ndownload.TIMEOUT = (3, 3)\n"
    code += "from kfg.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "data", "imagenet20", str(tmp_path), "--accept-terms", "--from", server.url]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 20
    while not list(tmp_path.glob("n*.part")) and time.monotonic() < until:
        time.sleep(0.02)
    under_way = list(tmp_path.glob("n*.part"))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert under_way and process.returncode == 130 and "Traceback" not in error
    assert time.monotonic() - began < 5
    assert len(list(tmp_path.glob("n*.part"))) <= imagenet20.JOBS  # no other archive was begun


def test_photographs_of_another_choice_are_not_mixed_in(server, fetch, six, tmp_path, capsys):
    del server.bodies[f"/{FIRST}.tar"]
    assert fetch("--per-class", "3") == 2
    capsys.readouterr()
    server.asked.clear()
    for words, said in (
        (["--per-class", "4"], f"--per-class 4: {tmp_path / 'imagenet20'} was started with 3; give another folder"),
        (["--per-class", "3", "--seed", "1"], f"--seed 1: {tmp_path / 'imagenet20'} was started with 0"),
    ):
        assert fetch(*words) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not server.asked


@pytest.mark.parametrize(
    "words, said",
    [
        (["imagenet20", ".", "--accept-terms", "--per-class", "0"], "--per-class 0: must be 1 or more"),
        (["imagenet20", ".", "--accept-terms", "--jobs", "0"], "--jobs 0: must be 1 or more"),
        (["imagenet20", ".", "--accept-terms", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (["imagenet20", ".", "--accept-terms", "--from", "mirror"], "--from mirror: not an http or https address"),
        (["imagenet20", ".", "--accept-terms", "--url", "http://x/a"], "--url: imagenet20 has an archive for each"),
        (["stanford-dogs", ".", "--seed", "1"], "--seed: only works with imagenet20, not with stanford-dogs"),
        (["stanford-dogs", ".", "--from", "http://x"], "--from: only works with imagenet20"),
        (["imagenet", "."], "'imagenet': no published data set has this name; choose from cub-200-2011"),
    ],
)
def test_wrong_use_is_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_counted_over_all_archives(server, six, tmp_path):
    said = []
    imagenet20.get(tmp_path, base=server.url, progress=lambda *what: said.append(what))
    total = sum(len(server.bodies[f"/{name}.tar"]) for name in imagenet20.CLASSES.values())
    assert said[-1] == (total, total, "6 archives") and [one[0] for one in said] == sorted(one[0] for one in said)


def test_a_server_that_says_no_length_is_refused(monkeypatch):
    class Answer:
        status_code, headers = 200, {}

    monkeypatch.setattr(synset.requests, "head", lambda *_, **__: Answer())
    with pytest.raises(InputError, match=r"http://x/a\.tar: the server does not say how long it is"):
        synset.announced("http://x/a.tar")


def test_the_table_has_the_studys_twenty():
    assert len(set(imagenet20.CLASSES)) == len(set(SYNSETS)) == 20
    assert all(re.fullmatch(r"n\d{8}", name) for name in SYNSETS)
    assert formats.FORMATS["JPEG"]  # what the members are
