"""Start commands of kfg, end them, and judge how they ended."""

import atexit
import contextlib
import dataclasses
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import time

from chaos.tally import Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]  # the checkout whose code is tested
TRACEBACK = "Traceback (most recent call last)"
LIMIT = 900  # seconds after which a command counts as hung


@dataclasses.dataclass(frozen=True)
class Ended:
    """The end of a command.

    Args:
        words: its command line.
        code: exit code, negative if a signal ended it; None: it hung and was killed.
        out, err: text that it printed on standard output and standard error.
        seconds: how long it ran.
    """

    words: tuple[str, ...]
    code: int | None
    out: str
    err: str
    seconds: float = 0.0

    @property
    def errors(self) -> list[str]:
        """The lines on standard error that begin with "error: "."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    @property
    def told(self) -> str:
        """The most important line that was printed, for tables."""
        lines = self.errors or [line for line in (self.err + self.out).splitlines() if line.strip()][-1:]
        return lines[0] if lines else ""


class Process:
    """A running command, in a session of its own, so that a kill also reaches the processes that it has started."""

    def __init__(self, words, folder: pathlib.Path):
        self.words, self.folder, self.begun = tuple(map(str, words)), folder, time.monotonic()

    def wait(self, timeout: float = LIMIT) -> Ended:
        code = self._join(timeout)
        if code is None:
            self.kill()
            self._join(30)
        seconds = time.monotonic() - self.begun
        return Ended(self.words, code, _text(self.folder / "out.txt"), _text(self.folder / "err.txt"), seconds)

    def kill(self, number: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class Fresh(Process):
    """A command in a new interpreter, as a user starts it."""

    def __init__(self, words, folder, *, cwd, env=None, prefix=()):
        super().__init__(words, folder)
        path = search_path((env or {}).get("PYTHONPATH", ""))
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {}), "PYTHONPATH": path}
        with open(folder / "out.txt", "wb") as out, open(folder / "err.txt", "wb") as err:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, *self.words],
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                cwd=cwd,
                start_new_session=True,
                env=env,
            )
        self.pid = self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def _join(self, timeout):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(timeout)
        return None


class Forked(Process):
    """A command in a process forked from a server that has already imported TensorFlow, so that it starts at once."""

    def __init__(self, words, folder, *, cwd, env=None):
        super().__init__(words, folder)
        from chaos import served

        os.environ["PYTHONPATH"] = search_path()  # the fork server inherits it
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["chaos.served"])
        self.process = context.Process(target=served.serve, args=(self.words, str(folder), str(cwd), env or {}))
        self.process.start()
        self.pid = self.process.pid

    def running(self) -> bool:
        return self.process.is_alive()

    def _join(self, timeout):
        self.process.join(timeout)
        return self.process.exitcode


class Runner:
    """Starts commands, each with a folder for its output.

    Args:
        folder: scratch folder.
        fork: whether to fork commands from a server that has imported TensorFlow, instead of starting new interpreters.
        prefix: program and words before the interpreter, for example setpriv; not used with `fork`.
        env: environment variables that every command has besides its own.
    """

    def __init__(self, folder, *, fork: bool, prefix=(), env=None):
        self.folder, self.fork, self.prefix, self.count = pathlib.Path(folder), fork, tuple(prefix), 0
        self.env = dict(env or {})
        self.started: list[Process] = []
        atexit.register(self.stop)  # Ctrl-C does not reach processes in their own sessions

    def stop(self) -> None:
        """Kill all commands that still run."""
        for process in self.started:
            if process.running():
                process.kill()

    def start(self, *words, cwd=None, env=None) -> Process:
        """Start a command: `kfg` and its words, or `-m` and a module with its words."""
        self.count += 1
        folder = self.folder / f"command-{self.count:05d}"
        folder.mkdir(parents=True)
        self.started = [process for process in self.started if process.running()]
        self.started.append(self._process(words, folder, cwd or self.folder, {**self.env, **(env or {})}))
        return self.started[-1]

    def _process(self, words, folder, cwd, env):
        if self.fork:
            return Forked(words, folder, cwd=cwd, env=env)
        if words[0] == "kfg":
            tiny = "backbone=tiny" in words or words[1] == "repair"  # a trunk that only this tool knows
            words = (*((str(ROOT / "tools" / "chaos"), "kfg") if tiny else ("-m", "kfg")), *words[1:])
        return Fresh(words, folder, cwd=cwd, env=env, prefix=self.prefix)

    def run(self, *words, cwd=None, env=None, timeout: float = LIMIT) -> Ended:
        """Start a command and wait for its end."""
        return self.start(*words, cwd=cwd, env=env).wait(timeout)


def search_path(first: str = "") -> str:
    """Return the PYTHONPATH for a new process: `first`, this checkout, and the present PYTHONPATH."""
    wanted = [*first.split(os.pathsep), str(ROOT / "tools"), str(ROOT)]
    wanted += os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys(filter(None, wanted)))


def judged(ended: Ended, *, codes=(0,), names=()) -> list[Failure]:
    """Return the failures in the way a command ended.

    Args:
        ended: the end of the command.
        codes: exit codes that are right. With a code other than 0 and 1, there must be exactly one line that begins
            with "error: ".
        names: texts of which the error line must contain one; empty: it may say anything.
    """
    command = " ".join(ended.words)
    if ended.code is None:
        return [Failure("other", f"hung, killed after {ended.seconds:.0f} s: {command}")]
    if TRACEBACK in ended.err or TRACEBACK in ended.out:
        last = [line for line in (ended.err or ended.out).splitlines() if line.strip()][-1]
        return [Failure("tracebacks", f"{last} ({command})")]
    if ended.code not in codes:
        return [Failure("other", f"exit {ended.code}, not {' or '.join(map(str, codes))}: {ended.told} ({command})")]
    if ended.code in (0, 1):
        return []
    if len(ended.errors) != 1:
        said = f"exit {ended.code} with {len(ended.errors)} lines that say why"
        return [Failure("other", f"{said}: {' | '.join(ended.err.splitlines()[-3:])} ({command})")]
    if names and not any(str(name) in ended.errors[0] for name in names):
        return [Failure("other", f"names none of {', '.join(map(str, names))}: {ended.errors[0]} ({command})")]
    return []


def _text(path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
