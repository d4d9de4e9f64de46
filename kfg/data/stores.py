"""Stores: decoded images that are read by position, from memory, from a file, or as a selection of another store."""

import hashlib
import weakref

import numpy as np

from kfg.errors import InputError
from kfg.files import whole
from kfg.locks import exclusive

MEMORY_BUDGET = 2_000_000_000  # bytes of decoded images kept in memory; further images go to disk


class Images:
    """A store of N records in an array: decoded uint8 images of one size, or features.

    `gather(positions)` returns the records at some positions, (B, ...).

    Args:
        array: (N, ...) of any dtype.
        key: text that identifies the contents, to be given only if nobody changes them; default none.
    """

    def __init__(self, array: np.ndarray, *, key: str | None = None):
        self.array, self.key = array, key
        self.shape, self.dtype = array.shape, array.dtype
        self.file = None

    def __len__(self) -> int:
        return self.shape[0]

    def gather(self, positions) -> np.ndarray:
        array = self.array  # kept here, because another thread may move the array to a file in the meantime
        return self.file.gather(positions) if array is None else array[positions]

    def move_to(self, path) -> None:
        """Free the array's memory: write it to a file, unless that exists, and read from the file from now on.

        Raises:
            InputError: the file cannot be written.
        """
        if not has_size(path, self.array.nbytes):
            with exclusive(path.with_suffix(".lock")):  # its holder removes half-written files of this path
                if not has_size(path, self.array.nbytes):
                    with whole(path, "wb") as file:
                        file.write(memoryview(np.ascontiguousarray(self.array)).cast("B"))
        self.file = ImageFile(path, self.shape, dtype=self.dtype, key=self.key)
        self.array = None


class ImageFile:
    """A store of decoded images in one file of records of equal size.

    The file is read with plain file reads and not through a memory map: mapped pages count as the process's memory, so
    under a memory limit, reading a large set through a map would be like loading all of it.

    Args:
        path: path of the file.
        shape: (N, ...).
        dtype: dtype of its values.
        key: as for Images.
    """

    def __init__(self, path, shape: tuple[int, ...], *, dtype=np.uint8, key: str | None = None):
        self.path, self.shape, self.dtype, self.key = str(path), shape, np.dtype(dtype), key

    def __len__(self) -> int:
        return self.shape[0]

    def gather(self, positions) -> np.ndarray:
        positions = np.asarray(positions)
        out = np.empty((len(positions), *self.shape[1:]), dtype=self.dtype)
        size = out[0].nbytes if len(out) else 0
        with open(self.path, "rb", buffering=0) as file:
            for row, position in zip(out, positions, strict=True):
                file.seek(int(position) * size)
                if file.readinto(memoryview(row).cast("B")) != size:
                    raise InputError(f"{self.path}: ends early; remove it, and the same command makes it again")
        return out


class Chosen:
    """A selection of the images of a store, followed by extra images held in memory; the store is not copied.

    Args:
        store: N images.
        positions: int (M,), positions of the selected images in the store.
        extra: (E, ...), further images of the store's dtype and shape; default none.
    Raises:
        InputError: the extra images have another dtype or shape. The images are not converted, because that
            would change them unnoticed.
    """

    def __init__(self, store, positions, extra: np.ndarray | None = None):
        self.store = store
        self.positions = np.asarray(positions, dtype=np.int64)
        self.dtype = dtype_of(store)
        self.extra = np.empty((0, *store.shape[1:]), dtype=self.dtype) if extra is None else np.asarray(extra)
        if self.extra.dtype != self.dtype or self.extra.shape[1:] != tuple(store.shape[1:]):
            raise InputError(
                f"extra: expected images of {self.dtype} and shape {tuple(store.shape[1:])} as in the store, got "
                f"{self.extra.dtype} and {self.extra.shape[1:]}"
            )

    def __len__(self) -> int:
        return len(self.positions) + len(self.extra)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.store.shape[1:])

    @property
    def key(self) -> str | None:
        """Text that identifies the contents, made from the store's key; None if the store has no key."""
        of_store = getattr(self.store, "key", None)
        if of_store is None:
            return None
        found = hashlib.sha256(of_store.encode())
        found.update(self.positions.tobytes())
        found.update(np.ascontiguousarray(self.extra).data)
        return found.hexdigest()

    def gather(self, positions) -> np.ndarray:
        positions = np.asarray(positions)
        own = positions < len(self.positions)
        if own.all():
            return self.store.gather(self.positions[positions])
        out = np.empty((len(positions), *self.shape[1:]), dtype=self.dtype)
        out[own] = self.store.gather(self.positions[positions[own]])
        out[~own] = self.extra[positions[~own] - len(self.positions)]
        return out


def chosen(store, positions, extra: np.ndarray | None = None) -> Chosen:
    """Return a store with some images of `store` and with extra ones.

    If `store` is itself a selection from another store, the result reads directly from that other store.
    """
    if isinstance(store, Chosen) and not len(store.extra):
        return Chosen(store.store, store.positions[np.asarray(positions, dtype=np.int64)], extra)
    return Chosen(store, positions, extra)


class Budget:
    """Limits the memory that the decoded images of all stores in this process may take together.

    If a new store does not fit beside the others, the oldest ones are moved to files; they can still be read as before.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._held = []  # (weak reference to a store, path of its file), oldest first

    def used(self) -> int:
        """Return the bytes of the stores that are in memory."""
        self._held = [(store, path) for store, path in self._held if getattr(store(), "array", None) is not None]
        return sum(store().array.nbytes for store, _ in self._held)

    def admits(self, size: int) -> bool:
        """Make room for a store of `size` bytes and return True; return False if it exceeds the budget by itself."""
        if size > self.limit:
            return False
        while self.used() + size > self.limit:
            store, path = self._held.pop(0)
            store().move_to(path)
        return True

    def hold(self, store: Images, path) -> None:
        """Count the memory of a store from now on; when its memory is needed, it is moved to the file `path`."""
        self._held.append((weakref.ref(store), path))


def dtype_of(store) -> np.dtype:
    """Return the dtype of a store's records: its attribute `dtype`, or uint8 if it has none."""
    return np.dtype(getattr(store, "dtype", np.uint8))


def contents(images) -> dict:
    """Return a dict that identifies the images of a training without reading them."""
    store, positions = images, None
    while hasattr(store, "store"):
        positions = getattr(store, "positions", None) if positions is None else positions
        store = store.store
    key = getattr(store, "key", None)
    files = key and key.partition("-")[0]  # without the digest of the decoder, which may be updated during a long run
    return {
        "shape": list(images.shape),
        "dtype": str(dtype_of(images)),
        "files": files,
        "positions": None if positions is None else hashlib.sha256(positions.tobytes()).hexdigest(),
    }


def has_size(path, size) -> bool:
    """Return whether a file exists and has `size` bytes."""
    return path.is_file() and path.stat().st_size == size
