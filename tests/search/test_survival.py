"""kill -9 at any moment, then the same command."""

import os
import signal
import time

import pytest
from reading import state, trials

pytestmark = pytest.mark.usefixtures("without_pictures")


def wait_for(condition, *, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_search_keeps_what_has_ended_and_runs_the_broken_trial_again(start, search, tmp_path, capsys):
    calls, hold, out = tmp_path / "calls", tmp_path / "hold", tmp_path / "out"
    hold.write_text("3")
    words = ("--max-trials", 5, "--set", f"calls={calls}", "--set", f"hold={hold}")
    process = start(*words)
    wait_for(lambda: calls.is_file() and len(calls.read_text().splitlines()) == 3)
    assert search("--max-trials", 5) == 2  # a second search in this folder
    assert "another search is running there" in capsys.readouterr().err
    process.send_signal(signal.SIGKILL)
    process.wait()
    trial, _, pid = calls.read_text().splitlines()[2].split()
    wait_for(lambda: not alive(int(pid)))  # a trial ends with its search
    hold.unlink()
    before = {row["trial_id"]: row for row in state(out)["trials"]}
    assert before[trial]["status"] == "RUNNING"
    assert search(*words) == 0
    begun = [line.split()[0] for line in calls.read_text().splitlines()]
    assert begun == ["0", "1", "2", "2", "3", "4"]
    after = {row["trial_id"]: row for row in state(out)["trials"]}
    assert all(after[name] == before[name] for name in ("0", "1"))
    assert after["2"]["values"] == before["2"]["values"]
    assert len(trials(out)) == 5
    # as an uninterrupted search would have chosen
    assert search("--max-trials", 5, out=tmp_path / "whole") == 0
    assert [row["x"] for row in trials(tmp_path / "whole")] == [row["x"] for row in trials(out)]
