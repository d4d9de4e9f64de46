"""Read the tensors of a PyTorch weights file without PyTorch, and without running code from it.

The format is that of `torch.save` before version 1.6: three header pickles (magic number, protocol, machine), a pickle
of the state dict in which tensors refer to storages by key, a pickle of the list of keys, then the storages, each an
int64 count and raw values. A pickle may name any function to call; this module accepts only the five names in PLAIN and
DTYPES, all of which make plain data.
"""

import collections
import dataclasses
import math
import pathlib
import pickle
import struct

import numpy as np

from kfg.errors import InputError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
DTYPES = {
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "HalfStorage"): np.dtype("<f2"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


@dataclasses.dataclass(frozen=True)
class _Storage:
    dtype: np.dtype
    key: str
    count: int


@dataclasses.dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    size: tuple
    stride: tuple


def _tensor(storage, offset, size, stride, *_):
    return _Tensor(storage, offset, size, stride)


PLAIN = {("collections", "OrderedDict"): collections.OrderedDict, ("torch._utils", "_rebuild_tensor_v2"): _tensor}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        known = {**PLAIN, **DTYPES}
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}, which is not allowed")
        return known[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _, count, _ = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"it holds a {kind!r}, not a storage")
        return _Storage(dtype, key, count)


def read(path) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict by name, as arrays of their own dtype and shape.

    Tensors are views with strides into their storage (the axes of convolution kernels often lie in another order than
    in their shape), so each is rebuilt from offset, size and stride, then copied.

    Args:
        path: a file of `torch.save(state_dict)` in the format before PyTorch 1.6.
    Raises:
        InputError: the file is not of this format, is damaged or incomplete, or refers to anything but tensors.
    """
    path = pathlib.Path(path)
    try:
        with open(path, "rb") as file:
            return _tensors(file, path.stat().st_size)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    # A damaged pickle can raise any of these, depending on its bytes.
    except (
        pickle.UnpicklingError,
        struct.error,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        EOFError,
        OverflowError,
        ImportError,
        MemoryError,
    ) as error:
        raise InputError(f"{path}: not a readable PyTorch weights file ({error})") from error


def _tensors(file, file_size) -> dict[str, np.ndarray]:
    if _load(file) != MAGIC or _load(file) != PROTOCOL:
        raise ValueError("not the format of torch.save before version 1.6")
    _load(file)  # skips byte order and sizes of the writing machine; the raw values below are little-endian
    state, keys = _load(file), _load(file)
    wanted = {tensor.storage.key: tensor.storage for tensor in state.values()}
    storages = {}
    for key in keys:
        storage = wanted[key]
        (count,) = struct.unpack("<q", file.read(8))
        size = count * storage.dtype.itemsize
        if count != storage.count or not 0 <= size <= file_size - file.tell():
            raise ValueError(f"storage {key} is cut short")
        storages[key] = np.frombuffer(file.read(size), storage.dtype)
    return {name: _view(storages[tensor.storage.key], tensor) for name, tensor in state.items()}


def _load(file):
    return _Unpickler(file).load()


def _view(values, tensor) -> np.ndarray:
    size, stride = tuple(tensor.size), tuple(tensor.stride)
    last = tensor.offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = math.prod(size)  # checked, because a tensor that repeats values could need any amount of memory
    if min((tensor.offset, *size, *stride)) < 0 or count > len(values) or (count and last >= len(values)):
        raise ValueError(f"a tensor of size {size} reaches beyond its storage of {len(values)} values")
    steps = [step * values.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], size, steps).copy()
