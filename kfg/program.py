"""What every program of kfg does at its start and at its end; code that imports kfg as a library never runs this."""

import argparse
import contextlib
import errno
import io
import os
import re
import sys

from kfg import progress, quiet
from kfg.errors import InputError
from kfg.files import ADDRESS, local
from kfg.names import printable, suggestion

# errors of a full disk or missing permission, wherever they occur: the user can mend them, they are no defect of kfg
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # in the order of their file descriptors 0, 1, 2


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests a similar option or command for one that it does not know."""

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

    def _print_message(self, message, file=None):
        """Print a message; where it cannot be written, only the exit code shows it, as in newer releases of Python."""
        with contextlib.suppress(OSError):
            super()._print_message(message, file)

    def options(self) -> list[str]:
        """Return the options of this parser, and of the sub-command that was called."""
        found = [option for action in self._actions for option in action.option_strings]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                called = next((action.choices[word] for word in self._words if word in action.choices), None)
                found += called.options() if called else []
        return sorted(set(found))


def begin() -> None:
    """Start a program that imports TensorFlow first, which takes seconds, such as `python -m kfg.recipes.NAME`.

    TensorFlow's notes are dropped, Ctrl-C during the import ends the program with one line, and Keras does not see
    settings that the user made for other work.
    """
    open_missing_streams()
    quiet.end_on_interrupt()
    with quiet.tensorflow_notes():
        import keras  # noqa: F401


def run(work) -> int:
    """Do a program's work and return its exit code; errors in the input or in writing the output print one line.

    Args:
        work: function () -> exit code; if it raises InputError, the exit code is 2.
    """
    try:
        return _run(work)
    finally:
        _leave_full_errors()


def _run(work) -> int:
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
        try:
            return work()
        finally:
            progress.end()  # before an error message is printed
    except InputError as error:
        say(f"error: {error}")
        return 2


def continuable(work, *, out, again: str, interrupted) -> int:
    """Do work that the same command can continue, and return the exit code.

    It is 2 after one of MACHINE_ERRORS and 130 after Ctrl-C; for both, one or two lines are printed.

    Args:
        work: function () -> exit code.
        out: the folder that is named if an error names no file.
        again: how to continue after an error, as the end of a sentence.
        interrupted: function () -> the lines to print after Ctrl-C.
    """
    try:
        return work()
    except OSError as error:
        if error.errno not in MACHINE_ERRORS or _stdout_failed():
            raise
        say(f"error: {error.filename or out}: {error.strerror}; {again}")
        return 2
    except KeyboardInterrupt:
        progress.end()
        say(*interrupted())
        return 130


class _Output(io.FileIO):
    """A file that remembers its first failed write and drops everything written after it.

    The interpreter flushes its streams when it ends, and that flush must not fail as well.
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
    """Replace sys.stdout by a stream that remembers a failed write and can show any character.

    Yields a function () -> the OSError of the first failed write, or None.
    """
    before = sys.stdout
    if type(_raw(before)) is not io.FileIO:  # the stream of a notebook, a test or a Windows console, or an _Output
        with _any_character(before):
            yield lambda: None
        return
    with contextlib.suppress(OSError):
        before.flush()
    raw = _Output(before.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        raw if before.write_through else io.BufferedWriter(raw),  # stays unbuffered under python -u
        encoding=before.encoding,
        errors="backslashreplace",
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )
    try:
        yield lambda: raw.failure
    finally:
        with contextlib.suppress(OSError):  # raw.failure holds the error
            sys.stdout.flush()
        sys.stdout = before


def _raw(stream):
    """Return the unbuffered stream that a text stream writes its bytes to; None if it is not known."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


def refuse_addresses(words, *, but=()) -> None:
    """Refuse internet addresses among the words of a command line.

    kfg reads folders and files. The words are checked as they were typed: once made a path, "https://host/x" would be
    shown as "https:/host/x".

    Args:
        words: the words of the command line.
        but: options whose values may be addresses.
    Raises:
        InputError: there is an address; the message names the first one.
    """
    option = ""
    for word in words:
        if word.startswith("--"):
            option, _, value = word.partition("=")
        else:
            value = word
        if option not in but and ADDRESS.match(value):
            local(value)  # raises InputError for an address
        if not word.startswith("--") or "=" in word:
            option = ""


def _stdout_failed() -> bool:
    """Return whether a write to standard output has failed, for example because the disk is full."""
    raw = _raw(sys.stdout)
    return isinstance(raw, _Output) and raw.failure is not None


def say(*lines: str) -> None:
    """Print lines on standard error; if that fails, they are dropped and only the exit code shows the error."""
    with contextlib.suppress(OSError):
        for line in lines:
            print(printable(line), file=sys.stderr, flush=True)


def _leave_full_errors() -> None:
    """Leave standard error if what it still holds cannot be written.

    The interpreter flushes sys.stderr when it ends; a failure there would replace the program's exit code by 120.
    """
    try:
        sys.stderr.flush()
    except (OSError, ValueError):  # ValueError: it is closed
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends


def open_missing_streams() -> None:
    """Open standard streams that the caller has closed.

    Otherwise the next file that is opened would get the stream's file descriptor, and printed text would go into it.
    """
    for name, mode in STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the process ends


@contextlib.contextmanager
def _any_character(stream):
    r"""Print characters that the stream's encoding lacks as \u escapes instead of raising UnicodeEncodeError."""
    if not hasattr(stream, "reconfigure"):  # not an io.TextIOWrapper, for example in a notebook
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # reconfigure flushes, which can fail
            stream.reconfigure(errors=before)
