"""One search on several machines: KerasTuner's oracle server on the chief, its client on every worker.

KerasTuner's own start_server is not used: it never ends once a worker was killed, and shares a busy port with
whoever has it. The service, its messages and the client are KerasTuner's.
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

ENVIRONMENT = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")  # read by its client
GOODBYE = 10.0  # seconds at most that a finished chief waits for its workers to ask once more
TICK = 0.2  # seconds between two looks at the trials
RETRY = 1.0  # seconds between two tries to reach the chief


def address(text: str) -> tuple[str, int]:
    """Return host and port of "HOST:PORT".

    Raises:
        InputError: no such thing.
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
    """Keep KerasTuner 1.4.8 from printing each condition that it sends."""
    conditions.print = lambda *_: None  # the module's own name, found before the built-in one
    try:
        yield
    finally:
        vars(conditions).pop("print", None)  # another thread may have been quicker


def worker_name(text: str) -> str:
    """Return a worker's name, which is a folder's too; raise InputError if it cannot be one on every system."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", text) or overwrite.is_reserved(text):
        raise InputError(
            f"--worker: up to 64 letters, digits, '.', '-' and '_', no name of a Windows device, got {text!r}"
        )
    return text


def serve(oracle, where: str, *, ended) -> None:
    """Answer workers until all trials have ended and the workers know it.

    Args:
        oracle: attached oracle of kfg.search.algorithms.
        where: "HOST:PORT" to listen at.
        ended: called from time to time, to show the trials that have ended.
    Raises:
        InputError: the address is taken, or not this machine's.
    """
    host, port = address(where)
    # one thread, as KerasTuner's own: its lock goes by the thread's name
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)])
    service = oracle_chief.OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(service, server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        raise InputError(f"--chief {where}: the port is taken, or the address is not this machine's")
    server.start()
    # a chief that was killed after the last trial and begun again: its workers still wait to hear of the end
    listen_until = time.monotonic() + (2 * RETRY if oracle.done() else 0.0)
    print(f"chief at {where}; start workers with --worker ID --chief {where}", flush=True)
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
    """The chief's oracle, as a worker sees it.

    Args:
        where: "HOST:PORT" of the chief.
        worker: this worker's name.
        patience: seconds to wait for a chief that does not answer.
    Raises:
        InputError: of every method, when the chief is gone for longer.
    """

    def __init__(self, where: str, worker: str, *, patience: float):
        host, port = address(where)
        words = dict(zip(ENVIRONMENT, (host, str(port), worker), strict=True))
        os.environ |= words
        self.where, self.patience, self.client = where, patience, oracle_client.OracleClient(None)
        for name in words:  # they would turn every tuner of this process into a worker
            del os.environ[name]
        oracle_client.TIMEOUT = patience  # KerasTuner waits an hour

    def create_trial(self, worker):
        return self._asked(self.client.create_trial, worker)

    def end_trial(self, trial):
        self._asked(self.client.end_trial, trial)

    def get_trial(self, trial_id):
        return self._asked(self.client.get_trial, trial_id)

    def check(self, digest: str) -> None:
        """Raise InputError unless the chief's search is this one."""
        space = self._asked(self.client.get_space)
        if space.values.get(DIGEST) != digest:
            raise InputError(f"--chief {self.where}: leads another search; recipe, data and options must be the same")

    def _asked(self, question, *words):
        end = time.monotonic() + self.patience
        while True:
            try:
                with without_printed_conditions():
                    return question(*words)
            except grpc.RpcError as error:
                # asking twice does no harm: the chief knows who has which trial, and which have ended
                if error.code() == grpc.StatusCode.UNAVAILABLE and time.monotonic() < end:
                    time.sleep(RETRY)
                    continue
                raise InputError(self._lost(error)) from error

    def _lost(self, error) -> str:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return (
                f"--chief {self.where}: no answer for {self.patience:g} s; this worker ends, the chief keeps the trials"
            )
        return f"--chief {self.where}: {(error.details() or error.code().name).splitlines()[0]}"
