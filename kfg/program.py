"""What every program of kfg does at its beginning and at its end; a library that imports kfg never comes here."""

import argparse
import contextlib
import io
import os
import re
import sys

from kfg import quiet
from kfg.errors import InputError
from kfg.files import ADDRESS, local
from kfg.names import printable, suggestion

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # in the order of their file descriptors 0, 1, 2


class Parser(argparse.ArgumentParser):
    """A parser that asks, of a word that it does not know, whether another one was meant."""

    def error(self, message):
        unknown = re.match(r"unrecognized arguments: (--?[\w-]+)", message)
        if unknown:
            message += f"; {suggestion(unknown[1], self.options())}"
        choice = re.match(r"argument \w+: invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if choice:
            message = f"{choice[1]}: no such command; {suggestion(choice[1], re.findall(r'[a-z-]+', choice[2]))}"
        super().error(message)

    def parse_known_args(self, args=None, namespace=None):
        self._words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def options(self) -> list[str]:
        """Return the options of this parser, and of the sub-command that was called."""
        found = [option for action in self._actions for option in action.option_strings]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                called = next((action.choices[word] for word in self._words if word in action.choices), None)
                found += called.options() if called else []
        return sorted(set(found))


def begin() -> None:
    """Begin a program whose first act is to import TensorFlow, which takes seconds: `python -m kfg.recipes.NAME`.

    Ctrl-C during the import ends the program with one line, TensorFlow's notes are dropped, and Keras does not see
    settings that the user made for other work.
    """
    open_missing_streams()
    quiet.end_on_interrupt()
    with quiet.tensorflow_notes():
        import keras  # noqa: F401


def run(work) -> int:
    """Do a program's work and return its exit code; wrong input and output that cannot be written are one line each.

    Args:
        work: function () -> exit code; an InputError from it means 2.
    """
    open_missing_streams()
    code, ended = 2, None
    with _checked_stdout() as failure, _any_character(sys.stderr):
        try:
            code = _attempted(work)
        except OSError as error:
            if error is not failure():
                raise
        except SystemExit as error:  # argparse: --help, --version and wrong options
            ended = error
    error = failure()
    if isinstance(error, BrokenPipeError):  # the reader has seen enough, as in `kfg predict ... | head`
        return 0
    if error is not None:
        say(f"error: standard output: {error.strerror}")
        return 2
    if ended is not None:
        raise ended
    return code


def _attempted(work) -> int:
    try:
        return work()
    except InputError as error:
        say(f"error: {error}")
        return 2


class _Output(io.FileIO):
    """A file that remembers its first failure, and from then on takes what it is given to nowhere.

    So the interpreter's last flush does not fail as well.
    """

    failure = None

    def write(self, data):
        if self.failure is not None:
            return len(data)
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


@contextlib.contextmanager
def _checked_stdout():
    """Put a stream in place of sys.stdout that tells of its failure, and shows any character; yield what tells it."""
    before = sys.stdout
    if type(_raw(before)) is not io.FileIO:  # a notebook's, a test's, a Windows console's, or one that is checked
        with _any_character(before):
            yield lambda: None
        return
    with contextlib.suppress(OSError):
        before.flush()
    raw = _Output(before.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        raw if before.write_through else io.BufferedWriter(raw),  # unbuffered as with python -u
        encoding=before.encoding,
        errors="backslashreplace",
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )
    try:
        yield lambda: raw.failure
    finally:
        with contextlib.suppress(OSError):  # kept in raw.failure
            sys.stdout.flush()
        sys.stdout = before


def _raw(stream):
    """Return what a text stream writes its bytes to in the end, None where that is not known."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


def refuse_addresses(words, *, but=()) -> None:
    """Refuse addresses of the net among a command line's words, as they were typed.

    kfg reads folders and files; taken for a path, "https://host/x" would be shown as "https:/host/x".

    Args:
        but: options whose values may be addresses.
    Raises:
        InputError: naming the first one.
    """
    option = ""
    for word in words:
        if word.startswith("--"):
            option, _, value = word.partition("=")
        else:
            value = word
        if option not in but and ADDRESS.match(value):
            local(value)  # which refuses it
        if not word.startswith("--") or "=" in word:
            option = ""


def stdout_failed() -> bool:
    """Return whether standard output has refused what was written to it, as a full device does."""
    raw = _raw(sys.stdout)
    return isinstance(raw, _Output) and raw.failure is not None


def say(*lines: str) -> None:
    """Print lines on standard error; where that is full or closed, the exit code has to do."""
    with contextlib.suppress(OSError):
        for line in lines:
            print(printable(line), file=sys.stderr, flush=True)


def open_missing_streams() -> None:
    """Open standard streams that the caller has closed.

    Otherwise the next file that is opened gets such a stream's descriptor, and whatever is printed goes into it.
    """
    for name, mode in STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the process ends


@contextlib.contextmanager
def _any_character(stream):
    r"""Print characters that the stream's encoding lacks as \u escapes instead of raising UnicodeEncodeError."""
    if not hasattr(stream, "reconfigure"):  # not a text file of Python's, as in a notebook
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it flushes
            stream.reconfigure(errors=before)
