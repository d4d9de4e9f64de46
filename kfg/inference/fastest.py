"""Find the fastest engine for a net on this machine by a short timing, which is kept beside the converted nets.

An engine counts only if its answers equal TensorFlow's. A timing holds for the same net, processor and versions.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import platform
import shutil
import time
from collections.abc import Callable

import numpy as np

from kfg import files
from kfg.errors import InputError
from kfg.files import read_json, write_json
from kfg.inference.engines import ENGINES, TENSORFLOW, Answer, at_hand, titled
from kfg.kernels import ONEDNN
from kfg.locks import exclusive

FILE = "engines.json"
FEWEST = 800  # images; with fewer, converting and timing (some 15 s on two cores) take longer than they save
TOLERANCE = 1e-3  # largest allowed difference from TensorFlow's answers, relative to the largest answer if above 1
TIMED = 16  # images in a timed batch; with 64, three engines together hold 4 GB of EfficientNet-Lite0's maps
ROUNDS = 3  # timed batches for each engine
CLEARLY = 1.2  # times as fast as the preferred engine: only then is another one chosen, as less may be chance


@dataclasses.dataclass(frozen=True)
class Net:
    """A net that has to answer on many images.

    Args:
        key: identifies the net with its weights.
        build: function () -> Keras model, called only if the net must be converted.
        answer: function () -> TensorFlow's function uint8 (B, H, W, 3) -> float32 (B, ...), called only if it is
            needed.
    """

    key: str
    build: Callable[[], object]
    answer: Callable[[], Answer]


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The engine that computes the answers.

    Args:
        name: key of ENGINES, or "tensorflow".
        answer: function uint8 (B, H, W, 3) -> float32 (B, ...).
        rates: engine -> images/s, for the engines that were timed; empty if none was.
    """

    name: str
    answer: Answer
    rates: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def told(self) -> str:
        """A sentence that says which engine answers, and why.

        Example:
            >>> Chosen("openvino", None, {"tensorflow": 25.2, "openvino": 57.4}).told
            'OpenVINO computes the answers: 57 images/s when timed on this machine, TensorFlow 25.'
        """
        if self.name not in self.rates:
            return f"{titled(self.name)} computes the answers."
        others = ", ".join(f"{titled(name)} {rate:.0f}" for name, rate in self.rates.items() if name != self.name)
        compared = f": {self.rates[self.name]:.0f} images/s when timed on this machine, {others}" if others else ""
        return f"{titled(self.name)} computes the answers{compared}."


def choose(net: Net, folder, *, count: int, samples: Callable[[int], np.ndarray]) -> Chosen:
    """Return the fastest engine for a net; TensorFlow if none was timed yet and too few images make it worthwhile.

    Args:
        net: the net.
        folder: folder for timings and converted nets.
        count: number of images on which the net will have to answer.
        samples: function (number) -> at most so many images as the net will get them, uint8 (B, H, W, 3), for comparing
            and timing.
    Raises:
        InputError: engines.json is damaged.
    """
    folder = pathlib.Path(folder)
    there = at_hand()
    if not there:
        return Chosen(TENSORFLOW, net.answer())
    made = _known(folder / FILE).get(_key(net, there))
    if made is None:
        if count < FEWEST or not _writable(folder):
            return Chosen(TENSORFLOW, net.answer())
        with exclusive(folder / ".engines.lock"):
            made = _known(folder / FILE).get(_key(net, there)) or _timed(net, folder, there, samples(TIMED))
    return _opened(net, folder, made)


def known(net: Net, folder) -> str:
    """Return the engine that was chosen for a net before; TensorFlow if none was."""
    path = pathlib.Path(folder) / FILE
    made = _known(path).get(_key(net, at_hand())) if path.is_file() else None
    return made["engine"] if made else TENSORFLOW


def _key(net: Net, there: dict[str, str]) -> str:
    """Return a key for a net on this machine with these versions of engines."""
    machine = [os.cpu_count(), platform.machine(), platform.processor(), _processor(), sorted(there.items())]
    machine += [os.environ[ONEDNN]] if ONEDNN in os.environ else []  # it decides how fast TensorFlow is
    return hashlib.sha256(json.dumps([net.key, machine]).encode()).hexdigest()[:32]


def _processor() -> str:
    """Return Linux's name of the processor; "" on other systems, where `platform` knows it."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    return ""


def _known(path) -> dict:
    found = read_json(path, dict) if path.is_file() else {}
    if not all(isinstance(one, dict) and {"engine", "images_per_second"} <= one.keys() for one in found.values()):
        raise InputError(f"{path}: damaged, it is not a list of timed engines; remove it, and they are timed again")
    return found


def _writable(folder) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _timed(net: Net, folder, there, samples) -> dict:
    """Convert the net for each engine, compare and time them; keep and return the result."""
    answers = {TENSORFLOW: net.answer()}
    expected, model, left_out = answers[TENSORFLOW](samples), net.build(), {}
    for name in there:
        try:
            answer = _converted(net, model, folder, name)
        except InputError as error:
            left_out[name] = str(error)
            continue
        difference = _difference(answer(samples), expected)
        if difference <= TOLERANCE:
            answers[name] = answer
        else:
            left_out[name] = f"its answers differ from TensorFlow's by {difference:.2g}"
    rates = _rates(answers, samples)
    made = {
        "engine": preferred(rates),
        "images_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "left_out": left_out,
        "versions": there,
    }
    write_json(folder / FILE, {**_known(folder / FILE), _key(net, there): made})
    return made


def preferred(rates: dict[str, float]) -> str:
    """Return the engine to use: the first in order of preference to which none is clearly superior in speed.

    Args:
        rates: images/s of "tensorflow" and of the engines.
    Example:
        >>> preferred({"tensorflow": 25, "openvino": 50, "onnxruntime": 55})
        'openvino'
        >>> preferred({"tensorflow": 9, "openvino": 7})
        'tensorflow'
    """
    order = [*(name for name in ENGINES if name in rates), TENSORFLOW]
    return next(name for name in order if rates[name] * CLEARLY >= max(rates.values()))


def _difference(given, expected) -> float:
    """Return the largest difference, relative to the largest answer if that is above 1; NaN counts as infinite.

    Args:
        given, expected: float (B, ...), or a list of such arrays.
    """
    if isinstance(expected, (list, tuple)):
        return max(_difference(one, other) for one, other in zip(given, expected, strict=True))
    expected = np.asarray(expected)
    gap = float(np.abs(np.asarray(given) - expected).max() / max(1.0, float(np.abs(expected).max())))
    return gap if np.isfinite(gap) else float("inf")


def _rates(answers: dict[str, Answer], samples) -> dict[str, float]:
    """Return engine -> images/s; the engines take turns, so that other load slows all of them alike."""
    seconds = {name: [] for name in answers}
    for _ in range(ROUNDS):
        for name, answer in answers.items():
            started = time.perf_counter()
            answer(samples)
            seconds[name].append(time.perf_counter() - started)
    return {name: len(samples) / min(taken) for name, taken in seconds.items()}


def _place(net: Net, folder, name) -> pathlib.Path:
    """Return the folder of a converted net; its name depends on the engine's version, so a new one converts anew."""
    made_by = f"{net.key} {at_hand()[name]}"
    return folder / f"{name}-{hashlib.sha256(made_by.encode()).hexdigest()[:16]}"


def _converted(net: Net, model, folder, name) -> Answer:
    """Return the function of a net converted for an engine; convert it now if that was not done before."""
    path = _place(net, folder, name)
    if not path.is_dir():
        partial = files.beside(path)
        try:
            partial.mkdir()
            ENGINES[name].write(model, partial)
            files.flush_tree(partial)
            files.rename(partial, path)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return ENGINES[name].opened(path)


def _opened(net: Net, folder, made: dict) -> Chosen:
    name = made["engine"]
    if name == TENSORFLOW:
        return Chosen(name, net.answer(), made["images_per_second"])
    path = _place(net, folder, name)
    if path.is_dir():  # otherwise somebody removed it to make room
        with contextlib.suppress(InputError):  # it is damaged: it is removed and made again
            return Chosen(name, ENGINES[name].opened(path), made["images_per_second"])
        shutil.rmtree(path, ignore_errors=True)
    return Chosen(name, _converted(net, net.build(), folder, name), made["images_per_second"])
