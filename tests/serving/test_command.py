"""`kfg serve` as a command: what it refuses, how it begins and ends."""

import contextlib
import shutil
import signal
import socket
import threading
import time

import pytest
import server_process
from served_run import COLOURS, jpeg

from kfg.__main__ import main
from kfg.web import listening


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: other machines could reach this server; also give --token WORD"),
        (["--port", "99999"], "--port 99999: must be from 1 to 65535"),
        (["--token", ""], "--token: give one long word"),
        (["--host", "nowhere.invalid"], "--host nowhere.invalid: not an address of this machine"),
    ],
)
def test_wrong_words_are_one_line(colour_run, capsys, words, said):
    assert main(["serve", str(colour_run), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}")


def test_a_busy_port_is_one_line(colour_run, capsys):
    with contextlib.closing(listening.bound("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", str(colour_run), "--port", port]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --port {port}: another program uses this port; give another")


def test_what_is_no_run_is_one_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["serve", str(tmp_path / "gone")]) == main(["serve", str(tmp_path / "empty")]) == 2
    gone, empty = capsys.readouterr().err.splitlines()
    assert (
        gone
        == f"error: {tmp_path / 'gone'}: no such run; `kfg runs` lists the finished ones, and `kfg train` makes one"
    )
    assert empty.startswith(f"error: {tmp_path / 'empty'}: has no model (export/ or model.keras, and classes.json")


def test_a_damaged_model_ends_the_server_with_one_line(colour_run, tmp_path, capsys):
    run = shutil.copytree(colour_run, tmp_path / "run")
    with open(run / "export" / "saved_model.pb", "r+b") as file:
        file.write(b"damage")
    assert main(["serve", str(run), "--port", "0"]) == 2
    begun, line = capsys.readouterr().err.splitlines()
    assert "the model is being loaded" in begun and line.startswith("error: ") and "saved_model.pb" in line


def test_a_run_without_export_answers_by_its_keras_model(colour_run, tmp_path):
    """Begins soon, says so before the model is there, and answers what is under way before SIGTERM ends it."""
    run = shutil.copytree(colour_run, tmp_path / "run", ignore=shutil.ignore_patterns("export"))
    photograph = jpeg(COLOURS["blue"])
    with server_process.started(run, scratch=tmp_path) as server:
        assert not server.was_ready
        answers, under_way, ending = [], threading.Event(), threading.Event()
        asking = threading.Thread(target=lambda: answers.append(_asked(server, photograph, under_way, ending)))
        asking.start()
        under_way.wait(60)
        server.process.send_signal(signal.SIGTERM)
        ending.set()
        asking.join()
    assert b" 200 OK" in answers[0] and b'"class":"blue"' in answers[0]
    assert server.process.returncode == 0 and server.errors() == []
    loading, ready = server.lines()
    assert "the model is being loaded; the page will be at http://127.0.0.1:" in loading and ready.startswith(
        "ready: open http://127.0.0.1:"
    )
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=5)


def _asked(server, photograph, under_way, ending) -> bytes:
    """Send a photograph, its second half when the server is ending, and return the whole answer."""
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n"
    half = len(photograph) // 2
    with socket.create_connection(server.address, timeout=60) as connection:
        connection.sendall(head % len(photograph) + b"Expect: 100-continue\r\n\r\n" + photograph[:half])
        found = connection.recv(65_536)  # "100 Continue", when the server asks for the body
        under_way.set()
        ending.wait(60)
        time.sleep(0.2)
        connection.sendall(photograph[half:])
        while chunk := connection.recv(65_536):
            found += chunk
    return found
