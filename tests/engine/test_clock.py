"""The time of a run over all its sessions."""

import json
import time

import pytest

from kfg.engine import clock
from kfg.engine.clock import Clock
from kfg.errors import InputError


def test_the_time_of_a_killed_session_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "EVERY", 0.01)
    path = tmp_path / "clock.json"
    with Clock(path, go_on=False):
        deadline = time.monotonic() + 10
        while not path.is_file() and time.monotonic() < deadline:  # noted while the run is busy: a kill may come now
            time.sleep(0.01)
        assert path.is_file()
    path.write_text('{"seconds": 100.0}')
    with Clock(path, go_on=True) as running:
        assert 100 <= running.spent() < 200
    assert 100 <= json.loads(path.read_text())["seconds"] < 200
    with Clock(path, go_on=False) as running:
        assert running.spent() < 100


DAMAGED = ["[]", "{}", "nonsense", *(f'{{"seconds": {one}}}' for one in ("null", '"x"', "NaN", -1))]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_note_is_one_line(text, tmp_path):
    path = tmp_path / "clock.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"clock\.json"):
        Clock(path, go_on=True)


@pytest.mark.parametrize("text", [one.replace("seconds", "closing") for one in DAMAGED if "seconds" in one])
def test_a_damaged_note_of_the_end_is_one_line(text, tmp_path):
    path = tmp_path / "clock.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"clock\.json"):
        clock.closing(path)


def test_a_full_disk_stops_neither_the_clock_nor_hides_what_ended_the_run(tmp_path, monkeypatch):
    tries = []

    def full(*_):
        tries.append(1)
        raise InputError("disk full")

    monkeypatch.setattr(clock, "EVERY", 0.01)
    monkeypatch.setattr(clock, "write_json", full)
    with pytest.raises(InputError, match="what ended it"), Clock(tmp_path / "clock.json", go_on=False):
        deadline = time.monotonic() + 10
        while len(tries) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        raise InputError("what ended it")
    assert len(tries) >= 4


def test_a_full_disk_does_not_fail_a_run_that_is_finished(tmp_path, monkeypatch):
    with Clock(tmp_path / "clock.json", go_on=False) as running:
        pass

    def full(*_):
        raise InputError("disk full")

    monkeypatch.setattr(clock, "write_json", full)
    running.closed(5.0)


def test_the_time_of_test_report_and_export_stands_beside_that_of_the_training(tmp_path):
    path = tmp_path / "clock.json"
    assert clock.closing(path) == 0
    with Clock(path, go_on=False) as running:
        assert running.spent() < 60
    running.closed(12.34)
    assert clock.closing(path) == 12.3
    with Clock(path, go_on=True) as running:
        assert 0 <= running.spent() < 60  # the training's alone
