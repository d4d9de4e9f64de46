"""Programs without TensorFlow's chatter, and without a traceback when they are interrupted."""

import contextlib
import logging
import os
import sys
import warnings

INTERRUPTED = "interrupted"


def _no_retracing(record) -> bool:
    """Pass all but the advice against tracing anew: each run of a command has a net of its own to trace."""
    return "triggered tf.function retracing" not in record.getMessage()


@contextlib.contextmanager
def tensorflow_notes():
    """Drop what is written to the process's error stream inside; for the import of TensorFlow.

    Its C++ code writes there before it reads any setting. Python exceptions pass.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for what it says later
    # Keras passes shuffle=True to its own validation loop and then warns that it is ignored
    warnings.filterwarnings("ignore", message=".shuffle=True. was passed, but will be ignored")
    logging.getLogger("tensorflow").addFilter(_no_retracing)
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def end_on_interrupt() -> None:
    """Let Ctrl-C end the program with one line and exit code 130, wherever no one else sees to it.

    For programs alone: it holds until the process ends.
    """

    def ended(kind, error, traceback):
        if not issubclass(kind, KeyboardInterrupt):
            return sys.__excepthook__(kind, error, traceback)
        print(INTERRUPTED, file=sys.stderr)
        raise SystemExit(130)

    sys.excepthook = ended
