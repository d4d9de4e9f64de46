"""A chief and its workers as processes on the loopback address."""

import contextlib
import json
import os
import socket
import threading
import time

import pytest
from reading import state, trials
from test_survival import wait_for

from kfg.errors import InputError
from kfg.search import definition, distributed

pytestmark = pytest.mark.usefixtures("without_pictures")


def listens(where):
    host, port = where.split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def test_two_workers_share_a_search_and_one_is_killed_half_way(start, search, where, tmp_path):
    calls, out = tmp_path / "calls", tmp_path / "out"
    words = ("--max-trials", 12, "--space", "failing", "--seed", 1, "--patience", 3, "--chief", where)
    words += ("--set", f"calls={calls}", "--set", "seconds=0.5")
    chief = start(*words)
    wait_for(lambda: listens(where))  # two has little patience
    two = start(*words, "--worker", "two", out=tmp_path / "two")

    def begun(worker):
        return [line.split()[0] for line in calls.read_text().splitlines() if line.split()[1] == worker]

    wait_for(lambda: calls.is_file() and len(begun("two")) == 2)

    def kill_in_a_trial():
        before = len(begun("two"))
        wait_for(lambda: len(begun("two")) > before)
        two.kill()

    threading.Thread(target=kill_in_a_trial, daemon=True).start()
    assert search(*words, "--worker", "one", out=tmp_path / "one") == 0
    said, complaint = chief.communicate(timeout=60)
    assert chief.returncode == 0
    broken = begun("two")[-1]
    assert f"trial {broken}: worker two does not answer; another worker runs this trial" in complaint
    rows = trials(out)
    assert len(rows) == 12
    assert {row["worker"] for row in rows} == {"one", "two"}
    assert begun("one").count(broken) == 1  # the broken one was run again, none else was
    everything = begun("one") + begun("two")
    assert len(everything) == 13
    assert len(set(everything)) == 12
    assert "12 trials, " in said
    # reasons and tracebacks come over the wire
    raised = [one for one in state(out)["records"].values() if one["settings"]["kind"] == "raises"]
    assert raised
    assert all("in run\n" in one["traceback"] and one["reason"] == "RuntimeError: a defect" for one in raised)
    assert json.loads((out / "best.json").read_text())["settings"]["kind"] == "good"


def test_a_chief_can_be_killed_and_started_again_and_a_worker_that_loses_it_ends_with_a_line(
    start, search, where, tmp_path, capsys
):
    calls = tmp_path / "calls"
    words = ("--max-trials", 500, "--chief", where, "--set", f"calls={calls}", "--set", "seconds=0.2")
    chief = start(*words)
    worker = start(*words, "--worker", "one", out=tmp_path / "one")
    wait_for(lambda: calls.is_file() and len(calls.read_text().splitlines()) == 2)
    chief.kill()
    chief.wait()
    again = start(*words)
    wait_for(lambda: len(calls.read_text().splitlines()) == 5)
    # the worker did not notice: no trial was begun twice
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["000", "001", "002", "003", "004"]
    assert search(*words, "--seed", 3, "--worker", "other", out=tmp_path / "other") == 2
    assert "leads another search" in capsys.readouterr().err

    def kill_once_it_works():
        wait_for(lambda: " hasty " in calls.read_text())
        again.kill()

    threading.Thread(target=kill_once_it_works, daemon=True).start()
    assert search(*words, "--patience", 1, "--worker", "hasty", out=tmp_path / "hasty") == 2
    complaint = f"error: --chief {where}: no answer for 1 s, so this worker stops; the chief keeps the trials\n"
    assert capsys.readouterr().err == complaint
    assert worker.poll() is None  # it has more patience


def test_trainings_shorter_than_a_sign_of_life_keep_their_trial(start, where, tmp_path):
    calls = tmp_path / "calls"
    words = ("--max-trials", 2, "--executions", 8, "--patience", 3, "--chief", where)
    words += ("--set", f"calls={calls}", "--set", "seconds=0.5")  # 0.75 s between two signs, 4 s and more in all
    all_three = [start(*words), *(start(*words, "--worker", name, out=tmp_path / name) for name in ("one", "two"))]
    assert [one.wait(240) for one in all_three] == [0, 0, 0]  # a worker that waited hears of the end
    assert len(calls.read_text().splitlines()) == 16


def test_two_workers_of_one_name_in_one_folder(search, where, tmp_path, capsys):
    with definition.held(tmp_path / "w" / "trials" / "one"):
        assert search("--chief", where, "--worker", "one", out=tmp_path / "w") == 2
    complaint = f"error: --out {tmp_path}/w/trials/one: another worker one is running there (process {os.getpid()} on "
    assert capsys.readouterr().err.startswith(complaint)


def test_a_busy_port_and_an_unreachable_chief_are_one_line(search, where, tmp_path, capsys):
    host, port = where.split(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        assert search("--chief", where) == 2
        assert capsys.readouterr().err.startswith(f"error: --chief {where}: the port is in use")
    begun = time.monotonic()
    assert search("--chief", where, "--worker", "one", "--patience", 0.5, out=tmp_path / "w") == 2
    assert time.monotonic() - begun < 10
    assert f"--chief {where}: no answer for 0.5 s" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["", "localhost", ":80", "host:", "host:0", "host:70000", "host:eighty", "https://host:80"]
)
def test_addresses_that_are_none(text):
    with pytest.raises(InputError, match="--chief"):
        distributed.address(text)


@pytest.mark.parametrize("text", ["", "a/b", "..", "a b", "x" * 65])
def test_names_that_are_none(text):
    with pytest.raises(InputError, match="--worker"):
        distributed.worker_name(text)


def test_a_worker_needs_a_chief(search, capsys):
    assert search("--worker", "one") == 2
    assert "--worker one: also needs --chief" in capsys.readouterr().err
