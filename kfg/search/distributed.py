"""One search on several machines, with KerasTuner's oracle server on the chief and its client on every worker.

KerasTuner's own start_server is not used: it never ends after a worker was killed, and it shares a port that is in use
with the process that uses it. The service, its messages and the client are KerasTuner's.
"""

import contextlib
import os
import re
import time
from concurrent import futures

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_chief, oracle_client
from keras_tuner.src.engine import conditions

from kfg import overwrite
from kfg.errors import InputError
from kfg.search.definition import DIGEST

ENVIRONMENT = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")  # read by KerasTuner's client
GOODBYE = 10.0  # seconds, at most, that a finished chief waits for its workers to ask once more
TICK = 0.2  # seconds between two checks of the trials
RETRY = 1.0  # seconds between two attempts to reach the chief


def address(text: str) -> tuple[str, int]:
    """Return host and port from text like "HOST:PORT".

    Raises:
        InputError: the text is not like that.
    Example:
        >>> address("10.0.0.5:8000")
        ('10.0.0.5', 8000)
    """
    host, _, port = text.rpartition(":")
    if not host or "/" in host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--chief: expected HOST:PORT with a port from 1 to 65535, got {text!r}")
    return host, int(port)


@contextlib.contextmanager
def without_printed_conditions():
    """Keep KerasTuner 1.4.8 from printing each condition that it sends, in a `with` block."""
    conditions.print = lambda *_: None  # the module's own `print`, found before the built-in
    try:
        yield
    finally:
        vars(conditions).pop("print", None)  # another thread may have removed it already


def worker_name(text: str) -> str:
    """Return a worker's name; InputError if it cannot be the name of a folder on every system."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", text) or overwrite.is_reserved(text):
        raise InputError(
            "--worker: expected up to 64 letters, digits, '.', '-' and '_', and not the name of a Windows device, got "
            f"{text!r}"
        )
    return text


def serve(oracle, where: str, *, ended) -> None:
    """Answer workers until all trials have ended and the workers know it.

    Args:
        oracle: attached oracle of kfg.search.algorithms.
        where: "HOST:PORT" to listen at.
        ended: function (), called now and then to show the trials that have ended.
    Raises:
        InputError: the address is taken, or not this machine's.
    """
    host, port = address(where)
    # one thread, as in KerasTuner's own server: its lock depends on the thread's name
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)])
    service = oracle_chief.OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(service, server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        raise InputError(
            f"--chief {where}: the port is in use, or this is not an address of this machine; give another"
        )
    server.start()
    # If a chief was killed after the last trial and is started again, its workers still wait to hear of the end.
    listen_until = time.monotonic() + (2 * RETRY if oracle.done() else 0.0)
    print(f"the chief runs at {where}; start workers with --worker ID --chief {where}", flush=True)
    try:
        with without_printed_conditions():
            _wait(service, oracle, ended, listen_until)
    finally:
        server.stop(grace=1.0).wait()


def _wait(service, oracle, ended, listen_until):
    while not service.stop_triggered and not oracle.done():
        time.sleep(TICK)
        ended()
    end = time.monotonic() + GOODBYE
    while time.monotonic() < listen_until or (oracle.tuner_ids and time.monotonic() < end):
        time.sleep(TICK)


class Client:
    """The chief's oracle, as seen from a worker.

    Args:
        where: "HOST:PORT" of the chief.
        worker: this worker's name.
        patience: seconds to wait for a chief that does not answer.
    Raises:
        InputError: from every method, if the chief does not answer for that long.
    """

    def __init__(self, where: str, worker: str, *, patience: float):
        host, port = address(where)
        words = dict(zip(ENVIRONMENT, (host, str(port), worker), strict=True))
        os.environ |= words
        self.where, self.patience, self.client = where, patience, oracle_client.OracleClient(None)
        for name in words:  # left there, they would turn every tuner of this process into a worker
            del os.environ[name]
        oracle_client.TIMEOUT = patience  # KerasTuner would wait an hour

    def create_trial(self, worker):
        return self._asked(self.client.create_trial, worker)

    def end_trial(self, trial):
        self._asked(self.client.end_trial, trial)

    def get_trial(self, trial_id):
        return self._asked(self.client.get_trial, trial_id)

    def check(self, digest: str) -> None:
        """Raise InputError unless the chief's search has the same definition as this worker's."""
        space = self._asked(self.client.get_space)
        if space.values.get(DIGEST) != digest:
            raise InputError(f"--chief {self.where}: leads another search; give the same recipe, data and options")

    def _asked(self, question, *words):
        end = time.monotonic() + self.patience
        while True:
            try:
                with without_printed_conditions():
                    return question(*words)
            except grpc.RpcError as error:
                # asking twice does no harm: the chief knows which worker has which trial, and which trials have ended
                if error.code() == grpc.StatusCode.UNAVAILABLE and time.monotonic() < end:
                    time.sleep(RETRY)
                    continue
                raise InputError(self._lost(error)) from error

    def _lost(self, error) -> str:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            away = f"--chief {self.where}: no answer for {self.patience:g} s"
            return f"{away}, so this worker stops; the chief keeps the trials"
        return f"--chief {self.where}: {(error.details() or error.code().name).splitlines()[0]}"
