"""Long steps: a bar of rich on a terminal, a few lines with the time left elsewhere."""

import io
import sys

import pytest

from kfg import progress
from kfg.progress import Progress


class Clock:
    """Seconds that pass only where the test says so."""

    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def counted(clock, *, seconds_each, total=8):
    """Do a step of `total` parts; the first call comes after the first of them."""
    shown = Progress("photographs", clock=clock)
    for done in range(1, total + 1):
        shown(done, total, note=f"class {done}")
        clock.now += seconds_each


def test_off_a_terminal_each_quarter_is_a_line_with_the_time_left(capsys):
    counted(Clock(), seconds_each=12)
    assert capsys.readouterr().out.splitlines() == [
        "photographs: 2 of 8, 1.2 min left, class 2",
        "photographs: 4 of 8, 48 s left, class 4",
        "photographs: 6 of 8, 24 s left, class 6",
        "photographs: 8 of 8, took 1.4 min, class 8",
    ]


def test_off_a_terminal_a_quick_step_is_quiet(capsys):
    counted(Clock(), seconds_each=1)
    assert capsys.readouterr().out == ""


def test_what_an_earlier_session_did_is_no_measure_of_speed(capsys):
    clock = Clock()
    shown = Progress("training steps", clock=clock)
    for done in (80, 85, 90):
        shown(done, 100)
        clock.now += 20
    assert capsys.readouterr().out == ""  # the next quarter ends at 100
    shown(100, 100)
    assert capsys.readouterr().out == "training steps: 100 of 100, took 1.0 min\n"


@pytest.fixture
def on_terminal(monkeypatch):
    """Return a function that puts a terminal in the place of standard output, which pytest sets before each test."""

    def put():
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stdout", Terminal())
        return sys.stdout

    yield put
    progress.end()


def test_on_a_terminal_it_is_one_bar_that_ends_with_the_step(on_terminal):
    terminal = on_terminal()
    counted(Clock(), seconds_each=1)
    assert sys.stdout is terminal  # rich stands in for it as long as a bar is shown
    last = terminal.getvalue().split("\r")[-1]
    assert "8/8" in last and "class 8" in last and last.count("photographs") == 1
    assert terminal.getvalue().endswith("\x1b[?25h")  # the cursor is back


@pytest.mark.parametrize("leave", [progress.end, lambda: counted(Clock(), seconds_each=1)])
def test_a_bar_that_was_left_half_way_gives_the_screen_back(on_terminal, leave):
    terminal = on_terminal()
    Progress("features")(3, 8)
    assert sys.stdout is not terminal
    leave()
    assert sys.stdout is terminal and terminal.getvalue().endswith("\x1b[?25h")
