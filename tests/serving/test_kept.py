"""The folder of photographs that were put right: never lost, never half a row, read by training and testing."""

import concurrent.futures
import csv
import hashlib

import numpy as np
import pytest
from served_run import COLOURS, jpeg

from kfg.data import folder
from kfg.errors import InputError
from kfg.serving.kept import Kept
from kfg.serving.uploads import Upload

CLASSES = ("red", "green", "blue", "a/b", "con")


def add(kept, data, label, name="a.jpg"):
    return kept.add(Upload(name, data), hashlib.sha256(data).hexdigest(), label, answered="red", probability=0.5)


def test_training_and_testing_read_the_folder(colour_run, tmp_path):
    from kfg.runs import new_photographs

    kept = Kept(tmp_path / "corrected", COLOURS)
    for label, colour in COLOURS.items():
        for seed in (50, 51):
            add(kept, jpeg(colour, seed=seed), label)
    add(kept, jpeg(COLOURS["red"], seed=50), "green")  # thought better of
    index = folder.scan(tmp_path / "corrected")
    assert index.classes == ("blue", "green", "red") and index.counts().tolist() == [2, 3, 1]
    assert set(index.parts) == {""}
    assert new_photographs.score(colour_run, tmp_path / "corrected", out=tmp_path / "report") == 0
    with open(tmp_path / "report" / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6


def test_nothing_is_lost_where_many_write_at_once(tmp_path):
    photographs = [jpeg((0, 0, 0), size=(8, 8), seed=seed) for seed in range(24)]

    def one(number):
        add(Kept(tmp_path, CLASSES), photographs[number % 24], CLASSES[number % 3])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(48)))
    rows = Kept(tmp_path, CLASSES).rows()
    assert sorted(row["sha256"] for row in rows) == sorted(hashlib.sha256(data).hexdigest() for data in photographs)
    copies = list(tmp_path.rglob("*.jpg"))
    assert sorted(str(path.relative_to(tmp_path)) for path in copies) == sorted(row["path"] for row in rows)
    for row in rows:
        assert hashlib.sha256((tmp_path / row["path"]).read_bytes()).hexdigest() == row["sha256"]


def test_names_from_outside_never_become_paths(tmp_path):
    kept, data = Kept(tmp_path / "in", CLASSES), jpeg((9, 9, 9))
    assert add(kept, data, "a/b")["path"] == f"{hashlib.sha256(data).hexdigest()[:20]}.jpg"
    assert add(kept, data, "con", "=1+1")["name"] == "'=1+1" and "/" not in kept.rows()[0]["path"]
    with pytest.raises(InputError, match=r"class: '\.\./x' is not one of"):
        add(kept, data, "../x")
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_what_somebody_wrote_into_the_table_stays_and_misleads_nobody(tmp_path):
    kept, data = Kept(tmp_path / "in", CLASSES), jpeg((9, 9, 9))
    row = add(kept, data, "red")
    (tmp_path / "precious.jpg").write_bytes(b"mine")
    text = kept.table.read_text().replace("\n", ",\n").replace("time,\n", "time,line\n", 1)
    kept.table.write_text(f"{text}../precious.jpg,red,,{row['sha256']},,,,,look\nhand.jpg,blue,,,,,,,by hand\n")
    assert kept.label_of(row["sha256"]) == "red"
    assert kept.remove(row["sha256"]) and (tmp_path / "precious.jpg").read_bytes() == b"mine"
    assert [(one["path"], one["class"], one["line"]) for one in kept.rows()] == [("hand.jpg", "blue", "by hand")]


def test_a_table_that_is_none_any_more_is_refused_and_left_alone(tmp_path):
    kept = Kept(tmp_path, CLASSES)
    kept.table.write_text("photograph,species\na.jpg,red\n")
    with pytest.raises(InputError, match=r"split\.csv: one of its columns path, class and part is missing"):
        add(kept, jpeg((1, 2, 3)), "red")
    assert kept.table.read_text() == "photograph,species\na.jpg,red\n" and kept.label_of("x") is None


def test_a_batcher_answers_together_what_comes_together():
    import asyncio

    from kfg.serving.batcher import Batcher

    passes = []

    def work(items):
        if "bad" in items:
            raise ValueError("bad")
        return [item * 2 for item in items]

    async def ask():
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            batcher = Batcher(work, thread, most=4, told=passes.append)
            found = await asyncio.gather(*map(batcher, np.arange(10).tolist()))
            given_up = asyncio.create_task(batcher(1))
            await asyncio.sleep(0)
            given_up.cancel()
            with pytest.raises(ValueError, match="bad"):
                await batcher("bad")
            return found, await batcher(21)

    assert asyncio.run(ask()) == ([2 * one for one in range(10)], 42)
    assert passes == [4, 4, 2, 1, 1]
