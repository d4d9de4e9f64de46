"""Find the runs from whose weights a run's training began: what they learned from, it has learned from as well."""

import pathlib
from collections.abc import Iterator

from kfg.files import read_json
from kfg.runs import run_files

LENT_BY = ("init_from", "net_of")  # settings that name the run from whose weights another one began


def runs(model) -> Iterator[pathlib.Path]:
    """Yield the folder of a run, then those of the runs from whose weights it began, theirs and so on, each once.

    A folder that is gone, or that holds a model without its run, is yielded as well: the caller decides what it means
    that nothing is known of it.

    Args:
        model: folder of a run, its export or its model.keras.
    Raises:
        InputError: a config.json is damaged.
    """
    waiting, seen = [pathlib.Path(model)], set()
    while waiting:
        named = waiting.pop(0).absolute()  # resolved only as a folder: a model file may be a link into a store
        run = (named.parent if named.is_file() or named.name == run_files.EXPORT else named).resolve()
        if run in seen:
            continue
        seen.add(run)
        yield run
        path = run / run_files.CONFIG
        settings = read_json(path, dict).get("config", {}) if path.is_file() else {}
        waiting += [pathlib.Path(settings[name]) for name in LENT_BY if settings.get(name)]
