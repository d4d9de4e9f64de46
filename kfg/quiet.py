"""Keep programs quiet: no messages of TensorFlow, and no traceback when the user interrupts them.

Only for programs, because these functions change settings of the whole process. Nothing happens on import.
"""

import contextlib
import gc
import logging
import os
import sys
import warnings

from kfg import keras_settings

INTERRUPTED = "interrupted"


def _no_retracing(record) -> bool:
    """Let all log records pass except the warning about retracing: a command builds new nets, which must be traced."""
    return "triggered tf.function retracing" not in record.getMessage()


@contextlib.contextmanager
def tensorflow_notes():
    """Import TensorFlow and Keras inside this block: quietly, and with the Keras settings that kfg needs.

    TensorFlow's C++ code writes notes to the process's error stream before it reads any setting, so everything written
    there inside the block is dropped. Python exceptions pass through.

    Raises:
        InputError: Keras was imported before, with settings that kfg cannot work with.
    """
    drop_advice()
    with _no_collecting(), dropped_errors(), keras_settings.set_aside():
        yield
    keras_settings.check_imported()


@contextlib.contextmanager
def _no_collecting():
    """Turn the garbage collector off while modules are imported, and exempt their objects from later collections.

    These objects live until the process ends. Checking them again and again took 1.3 of the 8.3 s that the import of
    TensorFlow and Keras took on two cores with AVX2.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def drop_advice() -> None:
    """Drop messages that TensorFlow and Keras print after their import and that the user of a program cannot act on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Keras passes shuffle=True to its own validation loop and then warns that it is ignored
    warnings.filterwarnings("ignore", message=".shuffle=True. was passed, but will be ignored")
    logging.getLogger("tensorflow").addFilter(_no_retracing)


@contextlib.contextmanager
def dropped_errors():
    """Drop everything that any code writes to the process's error stream inside a `with` block."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def end_on_interrupt() -> None:
    """Let Ctrl-C end the program with one line and exit code 130 wherever the code does not handle it itself.

    Only for programs: the setting holds until the process ends.
    """

    def ended(kind, error, traceback):
        if not issubclass(kind, KeyboardInterrupt):
            return sys.__excepthook__(kind, error, traceback)
        print(INTERRUPTED, file=sys.stderr)
        raise SystemExit(130)

    sys.excepthook = ended
