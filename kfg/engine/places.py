"""Where the runs on a folder of photographs go, where no --out says it: a folder of their own for each state of it.

No TensorFlow here: what is said is said before seconds are spent on loading it.
"""

import pathlib

from kfg.data.folder import Index, fingerprint
from kfg.engine import changes
from kfg.engine.orders import RUNS
from kfg.errors import InputError
from kfg.files import read_json
from kfg.names import printable
from kfg.runs import run_files

PATTERN = f"*/*/seed-*/{run_files.CONFIG}"  # below the folder of the runs: recipe, row, run
MOST = 1000  # states of one folder


def folder_of_runs(index: Index, *, home: pathlib.Path = RUNS) -> tuple[pathlib.Path, str]:
    """Return the folder for runs on these photographs, and a line on what has changed since the last ones.

    It is `home`/NAME, named after the photographs' folder. Where that holds runs on other photographs, which stay as
    they are, it is NAME-2, and so on.

    Args:
        index: the photographs, digests filled.
        home: folder of all runs.
    Returns:
        the folder, and "" where nothing has changed.
    Raises:
        InputError: a damaged config.json.
    """
    name, now, said = index.root.resolve().name or "photos", fingerprint(index), ""
    for number in range(1, MOST):
        out = pathlib.Path(home) / (name if number == 1 else f"{name}-{number}")
        runs = sorted(out.glob(PATTERN))
        begun_on = [read_json(path, dict).get("data", {}).get("fingerprint") for path in runs]
        if not runs or now in begun_on:
            return out, said
        last = runs[0].parent
        said = f"{printable(str(last))} stays as it is: {changes.since(last, index)}. This is a new run"
    raise InputError(f"{home}: holds {MOST} folders of runs on {name} already; give another folder with --out")
