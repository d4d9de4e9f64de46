"""What every program of kfg does at its beginning and at its end; a library that imports kfg never comes here."""

import contextlib
import os
import sys

from kfg import quiet
from kfg.errors import InputError
from kfg.files import ADDRESS, local

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # in the order of their file descriptors 0, 1, 2


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
    with _any_character(sys.stdout), _any_character(sys.stderr):
        try:
            code = _attempted(work)
        except SystemExit:  # argparse: --help, --version and wrong options
            if _stdout_written():
                raise
            return 2
        return code if _stdout_written() else code or 2


def _attempted(work) -> int:
    try:
        return work()
    except InputError as error:
        say(f"error: {error}")
        return 2
    except BrokenPipeError:  # the reader has seen enough, as in `kfg predict ... | head`
        _silence(sys.stdout)
        return 0
    except OSError:
        if not output_failed():
            raise
        return 2  # `run` says it


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


def output_failed() -> bool:
    """Return whether standard output or standard error refuse what is written to them, as on a full device."""
    return any(_failure(stream) is not None for stream in (sys.stdout, sys.stderr))


def say(line: str) -> None:
    """Print a line on standard error; where that is full or closed, the exit code has to do."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _stdout_written() -> bool:
    """Write out what is buffered; if that cannot be done, say so in a line instead of in the interpreter's words."""
    error = _failure(sys.stdout)
    if error is None:
        return True
    _silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return True
    say(f"error: standard output: {error.strerror}")
    return False


def _failure(stream) -> OSError | None:
    try:
        stream.flush()
    except OSError as error:
        return error
    return None


def _silence(stream) -> None:
    """Send what a stream still holds to nowhere, so that the interpreter's last flush does not fail as well."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


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
