"""kfg review from the command line down: a queue with and without a run, careless input, ends and beginnings."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import httpx
import numpy as np
import pytest

from kfg.__main__ import main
from kfg.data import corrections, folder, splitcsv
from kfg.errors import InputError
from kfg.reviewing import evidence, review


@pytest.fixture
def root(photos, tmp_path):
    """Three colours; two photographs lie in the wrong folder, and one is no picture."""
    root = shutil.copytree(photos, tmp_path / "photos")
    (root / "blue/000.jpg").rename(root / "red/wrong.jpg")
    (root / "green/000.jpg").rename(root / "blue/wrong.jpg")
    (root / "green/broken.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture
def small(tiny_trunk, monkeypatch):
    """Judge by the mean colour in place of a net's features."""
    from kfg.repairing import diagnosis
    from kfg.repairing.trunks import Trunk

    def colours(eyes):
        return (eyes.images.gather(np.arange(len(eyes.index))).mean(axis=(1, 2)) - 128).astype(np.float32) / 8

    monkeypatch.setattr(evidence.Eyes, "plain", colours)
    monkeypatch.setattr(diagnosis, "TRUNK", Trunk(tiny_trunk, (32, 32), "none"))


def finished_run(root, where):
    """Return a folder that says of a run what a review asks."""
    index = folder.scan(root, corrections=False)
    rows = ["path,class,part,sha256"]
    for at, path in enumerate(index.paths):
        part = "test" if at % 4 == 3 else "train"
        digest = hashlib.sha256((root / path).read_bytes()).hexdigest()
        rows.append(f"{path},{index.classes[index.labels[at]]},{part},{digest}")
    where.mkdir()
    (where / "split.csv").write_text("\n".join(rows) + "\n")
    (where / "classes.json").write_text(json.dumps(list(index.classes)))
    (where / "config.json").write_text(json.dumps({"data": {"name": "photos"}, "config": {}}))
    (where / "env.json").write_text(json.dumps({"photographs": str(root)}))
    (where / "report.json").write_text("{}")
    return where


def test_wrong_labels_and_broken_files_come_first_and_what_is_decided_ends_in_the_training_data(root, small, tmp_path):
    desk = review.prepared(root, cache_dir=tmp_path / "cache")
    assert desk.items[0].path == "green/broken.jpg"
    found = {item.path: item for item in desk.items}
    assert (found["red/wrong.jpg"].other, found["blue/wrong.jpg"].other) == ("blue", "green")
    numbers = {item.path: number for number, item in enumerate(desk.items)}
    desk.decide(numbers["red/wrong.jpg"], "blue", was=None)
    desk.decide(numbers["blue/wrong.jpg"], "green", was=None)
    with pytest.raises(InputError, match="cannot be read, so it can only be left out"):
        desk.decide(numbers["green/broken.jpg"], "green", was=None)
    desk.decide(numbers["green/broken.jpg"], "left out", was=None)
    index = folder.scan(root)
    assert index.counts().tolist() == [12, 12, 12] and index.corrected.applied == 3
    again = review.prepared(root, cache_dir=tmp_path / "cache")  # the queue is the same, so one goes on where one was
    assert [item.path for item in again.items] == [item.path for item in desk.items]
    assert len(again.decisions()) == 3


def test_all_photographs_of_a_class_are_shown_after_the_suspicious_ones_where_asked_for(root, small, tmp_path):
    plain = review.prepared(root, cache_dir=tmp_path / "cache")
    desk = review.prepared(root, classes=["red", "red"], cache_dir=tmp_path / "cache")
    paths = [item.path for item in desk.items]
    assert paths[: len(plain.items)] == [item.path for item in plain.items]
    more = desk.items[len(plain.items) :]
    assert {item.path for item in more} == {p for p in desk.before if p.startswith("red/")} - set(paths[: -len(more)])
    assert {item.reason for item in more} == {"all photographs of red were asked for"}
    with pytest.raises(InputError, match="--class rad: no such class; did you mean red"):
        review.prepared(root, classes=["rad"], cache_dir=tmp_path / "cache")


def test_a_run_judges_its_own_training_photographs_and_leaves_its_test_alone(root, small, tmp_path):
    (root / "green/broken.jpg").unlink()
    run = finished_run(root, tmp_path / "run")
    desk = review.prepared(root, run=run, cache_dir=tmp_path / "cache")
    rows, _ = splitcsv.split_rows(run / "split.csv")
    test = {row["path"] for row in rows if row["part"] == "test"}
    assert {"red/wrong.jpg", "blue/wrong.jpg"} - test <= {item.path for item in desk.items}
    assert not test & {item.path for item in desk.items}
    assert "test photographs are not in this queue" in desk.told


def test_a_page_without_a_server_is_written_beside_the_photographs_never_among_them(root, small, tmp_path, capsys):
    out = tmp_path / "page"
    assert main(["review", str(root), "--static", str(root / "page")]) == 2
    assert "is inside the data folder" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert main(["review", str(root), "--static", str(tmp_path / "mine")]) == 2
    assert "letter.txt, which kfg did not write" in capsys.readouterr().err
    for _ in range(2):  # the second replaces the first
        assert main(["review", str(root), "--static", str(out)]) == 0
    assert f"page: {out / 'index.html'}" in capsys.readouterr().out
    assert len(list((out / "pictures").glob("large-*.jpg"))) >= 3
    assert "The file replaces an earlier one of that name." in (out / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words, said",
    [
        (["nowhere"], "nowhere: no such folder"),
        (["PHOTOS", "--port", "70000"], "--port 70000: must be from 1 to 65535"),
        (["PHOTOS", "--port", "BUSY"], "another program uses this port; give another"),
        (["PHOTOS", "--run", "nowhere"], "nowhere"),
        (["PHOTOS", "--corrections", "nowhere/mine.csv"], "does not exist"),
    ],
)
def test_careless_words_are_answered_in_a_line(root, capsys, words, said):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        real = {"PHOTOS": str(root), "BUSY": str(busy.getsockname()[1])}
        assert main(["review", *(real.get(word, word) for word in words)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and said in error


def test_a_table_of_another_folder_or_half_a_line_is_refused_before_anything_is_judged(root, capsys):
    table = root / "corrections.csv"
    row = f"cats/1.jpg,{'0' * 64},cats,dogs,looks like it,2026-11-29T03:55:00+00:00\n"
    table.write_text(",".join(corrections.COLUMNS) + "\n" + row)
    for text, said in (
        (table.read_text(), "there is no class 'dogs'"),
        (table.read_text()[:-70], ":2: this line is incomplete"),
    ):
        table.write_text(text)
        assert main(["review", str(root), "--port", "0"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and said in error and table.read_text() == text


SERVER = """
import sys
sys.path.insert(0, sys.argv[2])
from queues import desk_of
from kfg.reviewing.application import Application
from kfg.web import listening
import pathlib
root = pathlib.Path(sys.argv[1])
queue = [(f"{name}/{i:03d}.jpg", "label", "looks like red", "red") for name in ("blue", "green") for i in range(1, 11)]
place = listening.bound("127.0.0.1", 0)
print(listening.address_of(place), flush=True)
listening.run(listening.server(Application(desk_of(root, queue=queue)).asgi, sending=60), place)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_what_was_answered_before_a_kill_is_there_once(root):
    (root / "green/broken.jpg").unlink()
    helpers = os.path.join(os.path.dirname(__file__), os.pardir, "browser")
    number = 0
    while number < 20:
        with subprocess.Popen(
            [sys.executable, "-c", SERVER, str(root), helpers], stdout=subprocess.PIPE, text=True
        ) as process:
            address = process.stdout.readline().strip()
            with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
                for _ in range(10):
                    body = {"number": number, "after": "red", "was": None}
                    assert client.post("/decisions", json=body).json()["problem"] == ""
                    number += 1
            process.send_signal(signal.SIGKILL)
    found = [one.path for one in corrections.read(root / "corrections.csv", root)]
    assert len(found) == len(set(found)) == 20
