"""The reader of PyTorch weights: tensors come back with their strides, and nothing in a file is run."""

import collections
import io
import pickle
import struct
import typing

import numpy as np
import pytest

from kfg.errors import InputError
from kfg.models import torchfile


class _Global:
    """Pickles as a reference to module.name, called with `args` if there are any."""

    def __init__(self, module, name, *args):
        self.module, self.name, self.args = module, name, args


class _Storage:
    def __init__(self, kind, key, count):
        self.pid = ("storage", _Global("torch", kind), key, "cpu", count, None)


class _Writer(pickle._Pickler):
    """Writes the opcodes of a file that names functions of modules that are not here."""

    def persistent_id(self, thing):
        return thing.pid if isinstance(thing, _Storage) else None

    def save_global_call(self, thing):
        if not thing.args:
            self.write(pickle.GLOBAL + f"{thing.module}\n{thing.name}\n".encode())
            return
        self.save_global_call(_Global(thing.module, thing.name))
        self.save(thing.args)
        self.write(pickle.REDUCE)

    dispatch: typing.ClassVar = {**pickle._Pickler.dispatch, _Global: save_global_call}


def tensor(key, count, *, offset=0, size, stride, kind="FloatStorage"):
    rebuilt = (_Storage(kind, key, count), offset, size, stride, False, collections.OrderedDict())
    return _Global("torch._utils", "_rebuild_tensor_v2", *rebuilt)


def write(path, state, storages, *, magic=torchfile.MAGIC):
    with open(path, "wb") as file:
        for part in (magic, torchfile.PROTOCOL, {"little_endian": True}, state, list(storages)):
            _Writer(file, protocol=2).dump(part)
        for values in storages.values():
            file.write(struct.pack("<q", len(values)) + values.tobytes())
    return path


def test_tensors_are_rebuilt_with_offset_and_strides(tmp_path):
    values = np.arange(10, dtype="<f4")
    state = {
        "plain": tensor("0", 10, size=(2, 3), stride=(3, 1)),
        "transposed": tensor("0", 10, offset=4, size=(3, 2), stride=(1, 3)),
        "scalar": tensor("1", 1, size=(), stride=(), kind="LongStorage"),
    }
    found = torchfile.read(write(tmp_path / "w.pth", state, {"0": values, "1": np.array([7], "<i8")}))
    assert found["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["transposed"].tolist() == [[4, 7], [5, 8], [6, 9]]  # by reshape it would be 4 5 / 6 7 / 8 9
    assert found["scalar"] == 7
    assert found["scalar"].dtype == np.int64


def test_a_file_that_wants_something_called_is_refused_and_nothing_is_called(tmp_path):
    marker = tmp_path / "called"
    path = write(tmp_path / "evil.pth", {"w": _Global("os", "mkdir", str(marker))}, {})
    with pytest.raises(InputError, match=r"evil\.pth: not a readable PyTorch weights file \(it refers to os\.mkdir"):
        torchfile.read(path)
    assert not marker.exists()


def test_the_ordinary_unpickler_would_have_called_it(tmp_path):
    stream = io.BytesIO()
    _Writer(stream, protocol=2).dump(_Global("os", "mkdir", str(tmp_path / "called")))
    pickle.loads(stream.getvalue())
    assert (tmp_path / "called").is_dir()


@pytest.mark.parametrize(
    ("size", "stride", "offset"), [((3, 4), (4, 1), 0), ((2,), (1,), 9), ((2,), (-1,), 5), ((2,), (1,), -1)]
)
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, size, stride, offset):
    state = {"w": tensor("0", 10, offset=offset, size=size, stride=stride)}
    path = write(tmp_path / "w.pth", state, {"0": np.zeros(10, "<f4")})
    with pytest.raises(InputError, match="reaches beyond its storage"):
        torchfile.read(path)


def test_a_file_cut_at_any_place_is_refused(tmp_path):
    whole = write(
        tmp_path / "w.pth", {"w": tensor("0", 5, size=(5,), stride=(1,))}, {"0": np.zeros(5, "<f4")}
    ).read_bytes()
    path = tmp_path / "cut.pth"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut\.pth"):
            torchfile.read(path)
    path.write_bytes(whole)
    assert torchfile.read(path)["w"].tolist() == [0] * 5


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), b"\x80\x02K\x01.", b"\x89HDF\r\n"])
def test_foreign_files_are_named(tmp_path, content):
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"other\.bin: not a readable PyTorch weights file"):
        torchfile.read(path)
    with pytest.raises(InputError, match=r"none\.pth: No such file"):
        torchfile.read(tmp_path / "none.pth")
