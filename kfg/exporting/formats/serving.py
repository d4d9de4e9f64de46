"""TensorFlow Serving's layout: a folder named after the model, and in it a numbered folder for each version."""

import pathlib
import shutil

from kfg import files
from kfg.errors import InputError


def add(saved_model, folder) -> pathlib.Path:
    """Copy a SavedModel as the next version: one more than the highest existing number, 1 in a new folder.

    The server may look for new versions at any time and serves the highest, so a version must appear complete.

    Args:
        saved_model: folder of the SavedModel; None if the run has none.
        folder: folder of the model; it is made if it does not exist. Its contents besides versions are left alone.
    Returns:
        The folder of the version.
    Raises:
        InputError: no SavedModel, or a damaged one; a folder that cannot be written.
    """
    from kfg.exporting import parity

    if saved_model is None:
        raise InputError("--serving: this run has no export, because the export failed its check or is not written yet")
    parity.check_digests(saved_model)
    folder, partial = pathlib.Path(folder), None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal() and entry.is_dir()]
        version = folder / str(max(taken, default=0) + 1)
        partial = files.beside(version)
        shutil.copytree(saved_model, partial)
        files.flush_tree(partial)
        files.rename(partial, version)
    except OSError as error:
        raise InputError(f"--serving {folder}: {error.strerror or error}") from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return version
