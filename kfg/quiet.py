"""Programs without TensorFlow's chatter, and without a traceback when they are interrupted.

For programs alone: what is set here holds for the whole process. Nothing happens on import.
"""

import contextlib
import logging
import os
import sys
import warnings

from kfg import keras_settings

INTERRUPTED = "interrupted"


def _no_retracing(record) -> bool:
    """Pass all but the advice against tracing anew: each run of a command has a net of its own to trace."""
    return "triggered tf.function retracing" not in record.getMessage()


@contextlib.contextmanager
def tensorflow_notes():
    """Import TensorFlow and Keras inside this block: quietly, and with the Keras settings that kfg needs.

    TensorFlow's C++ code writes notes to the process's error stream before it reads any setting; what is written
    there inside the block is dropped. Python exceptions pass.

    Raises:
        InputError: Keras was imported before, with settings that kfg cannot work with.
    """
    drop_advice()
    with dropped_errors(), keras_settings.set_aside():
        yield
    keras_settings.check_imported()


def drop_advice() -> None:
    """Drop the messages of TensorFlow and Keras, after their import, that no user of a program can act on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Keras passes shuffle=True to its own validation loop and then warns that it is ignored
    warnings.filterwarnings("ignore", message=".shuffle=True. was passed, but will be ignored")
    logging.getLogger("tensorflow").addFilter(_no_retracing)


@contextlib.contextmanager
def dropped_errors():
    """Drop what is written to the process's error stream inside, by whatever code."""
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
