"""`kfg predict --ray`: let the machines of a Ray cluster answer pieces of a table, with one model in each worker."""

import contextlib
import importlib.util
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence

from kfg.errors import InputError
from kfg.exporting import answer_table

PATIENCE = 10  # seconds to wait for a machine that is asked for its cluster


class Worker:
    """A process of the cluster that holds a model. Ray Data hands it pieces; if it dies, another gets its piece."""

    def __init__(self, model: str, top: int):
        from kfg.exporting import classifiers

        self.classifier, self.top = classifiers.load(model), top

    def __call__(self, batch: Mapping) -> dict:
        """Answer a batch of pieces: each has a "number" and, as JSON lists, its "paths" and, answered, its "rows"."""
        rows = []
        for paths in map(json.loads, batch["paths"]):
            answers = self.classifier.predict(paths)
            rows.append(json.dumps([answer_table.values(one, self.top) for one in answers]))
        return {"number": batch["number"], "rows": rows}


def answers(
    model, pieces: Mapping[int, Sequence[str]], *, top: int, address: str = ""
) -> Iterator[tuple[int, list[dict]]]:
    """Yield (number, rows) for each piece, in the order in which they are finished.

    The workers read the model and the photographs by path, so both must lie on a disk that all machines share, and all
    machines need kfg. Each machine has one worker, which uses all its cores.

    Args:
        model: any path that `kfg.exporting.classifiers.load` takes.
        pieces: number of a piece -> its photographs.
        top: number of classes for each photograph.
        address: address of the cluster, such as "auto" or "head:6379"; "" for the cluster that runs on this machine, or
            a new one.
    Raises:
        InputError: Ray is not installed; no cluster answers; a worker fails.
    """
    if not pieces:
        return
    _check_installed()
    import ray
    import ray.data

    with _connected(address):
        items = [
            {"number": number, "paths": json.dumps([os.path.abspath(path) for path in paths])}
            for number, paths in pieces.items()
        ]
        cores = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        cores = [count for count in cores if count]
        given = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            Worker,
            fn_constructor_args=(os.path.abspath(model), top),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(len(cores), len(items))),
            num_cpus=min(cores),
        )
        try:
            for row in given.iter_rows():
                yield row["number"], _renamed(json.loads(row["rows"]), pieces[row["number"]])
        except ray.exceptions.RayError as error:
            raise InputError(f"--ray: a worker failed: {_said(error)}") from error


def _renamed(rows, paths) -> list[dict]:
    """Return rows with the paths as the user gave them; the workers know them as absolute paths."""
    named = []
    for row, path in zip(rows, paths, strict=True):
        error = row["error"].replace(os.path.abspath(path), str(path))
        named.append({**row, "path": path, "error": error})
    return named


def _said(error) -> str:
    """Return the last line of a worker's error, which names the reason."""
    return [line for line in str(error).splitlines() if line.strip()][-1].strip()


def _check_installed():
    if importlib.util.find_spec("ray") is None:
        raise InputError("--ray: Ray is not installed; install it with pip install 'ray[data]'")


def _check_answers(address):
    """Refuse an address where nothing listens; Ray would go on trying for minutes."""
    if ":" not in address:  # "auto" or ""
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"--ray {address}: no Ray cluster answers at this address ({error})") from error


@contextlib.contextmanager
def _connected(address):
    """Connect to a cluster for a `with` block; a connection that existed before is left open."""
    import ray
    import ray.data

    own = not ray.is_initialized()
    if own:
        _check_answers(address)
        try:
            ray.init(address=address or None, log_to_driver=False, logging_level="error")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"--ray {address}: no Ray cluster answers at this address ({_said(error)})") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    try:
        yield
    finally:
        if own:
            ray.shutdown()
