"""Run `kfg serve` in a process of its own, for the tools that measure it or attack it."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[1]
PATIENCE = 900  # most seconds to wait until the model is loaded and its training photographs are processed


class Server:
    """A running server process.

    Attributes:
        address: (host, port).
        seconds: two times from the start of the process: to the first answer of /health, and until the model was ready.
    """

    def __init__(self, process, log: pathlib.Path, began: float):
        self.process, self._log = process, log
        while not (found := re.search(r"http://([\d.]+):(\d+)/", log.read_text())):
            if process.poll() is not None:
                raise SystemExit(f"the server did not begin: {log.read_text()}")
            time.sleep(0.02)
        self.address = found[1], int(found[2])
        first = self.health()
        self.seconds = [time.perf_counter() - began]
        self.was_ready = '"ready":true' in first
        self.wait('"ready":true')
        self.seconds.append(time.perf_counter() - began)

    def get(self, path: str) -> str:
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            found = b""
            while chunk := connection.recv(65_536):
                found += chunk
        return found.partition(b"\r\n\r\n")[2].decode()

    def health(self) -> str:
        return self.get("/health")

    def wait(self, said: str) -> None:
        """Wait until the text `said` is in the server's answer to /health."""
        deadline = time.monotonic() + PATIENCE
        while said not in self.health():
            if time.monotonic() > deadline:
                raise SystemExit(f"the server does not say {said}: {self.health()}")
            time.sleep(0.1)

    def settle(self) -> None:
        """Wait until the server has finished its preparations in the background."""
        deadline = time.monotonic() + PATIENCE
        while not re.search('"state":"(ready|unavailable)"', self.get("/state")):
            if time.monotonic() > deadline:
                raise SystemExit(f"the server still prepares: {self.get('/state')}")
            time.sleep(0.1)

    def memory(self) -> float:
        """Return the memory that the process uses at this moment, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def errors(self) -> list[str]:
        """Return the lines that the server wrote on its streams, without those that give its address."""
        return [line for line in self.lines() if not line.endswith("press Ctrl-C to stop")]

    def lines(self) -> list[str]:
        """Return the lines that the server wrote on its streams."""
        return [line for line in self._log.read_text().splitlines() if line]


@contextlib.contextmanager
def started(run: pathlib.Path, *, scratch) -> Iterator[Server]:
    """Serve a run on a free port of this machine during a `with` block, then end the server with SIGTERM.

    Args:
        run: the run folder.
        scratch: a folder for the log and for the server's temporary files.
    """
    scratch = pathlib.Path(scratch)
    log, temporary = scratch / "server.log", scratch / "tmp"
    temporary.mkdir()
    began = time.perf_counter()
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "kfg", "serve", str(run), "--port", "0"],
            cwd=ROOT,
            stdout=file,
            stderr=file,
            env={**os.environ, "TMPDIR": str(temporary), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    try:
        yield Server(process, log, began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)
    if process.returncode:
        raise SystemExit(f"the server ended with {process.returncode}: {log.read_text()}")


def files_below(*folders) -> set[pathlib.Path]:
    """Return all files in some folders, except for the log and for files of functions that TensorFlow traces."""
    found = (path for folder in folders for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {path for path in found if path.name != "server.log" and not path.name.startswith("__autograph")}
