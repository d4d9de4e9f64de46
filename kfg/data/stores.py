"""Decoded images that a pipeline reads by position: in memory, in a file, or some of another store."""

import numpy as np

from kfg.errors import InputError


class Images:
    """N records in an array: decoded uint8 images of one size, or features; `gather(positions)` gives (B, ...)."""

    def __init__(self, array: np.ndarray):
        self.array = array

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def gather(self, positions) -> np.ndarray:
        return self.array[positions]


class ImageFile:
    """Decoded uint8 images, in one file of equal records.

    Read with plain file reads, not a memory map: mapped pages count as the process's memory, so streaming a
    large set through a map looks, and under a memory limit acts, as if it had been loaded.
    """

    def __init__(self, path, shape: tuple[int, ...]):
        self.path, self.shape = str(path), shape

    def __len__(self) -> int:
        return self.shape[0]

    def gather(self, positions) -> np.ndarray:
        positions = np.asarray(positions)
        out = np.empty((len(positions), *self.shape[1:]), dtype=np.uint8)
        size = out[0].nbytes if len(out) else 0
        with open(self.path, "rb", buffering=0) as file:
            for row, position in zip(out, positions, strict=True):
                file.seek(int(position) * size)
                if file.readinto(memoryview(row).cast("B")) != size:
                    raise InputError(f"{self.path}: ends early; remove it, the same command makes it again")
        return out


class Chosen:
    """Some images of a store, followed by extra ones held in memory; the store is not copied."""

    def __init__(self, store, positions, extra: np.ndarray | None = None):
        self.store = store
        self.positions = np.asarray(positions, dtype=np.int64)
        self.extra = extra if extra is not None else np.empty((0, *store.shape[1:]), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.positions) + len(self.extra)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.store.shape[1:])

    def gather(self, positions) -> np.ndarray:
        positions = np.asarray(positions)
        own = positions < len(self.positions)
        if own.all():
            return self.store.gather(self.positions[positions])
        out = np.empty((len(positions), *self.shape[1:]), dtype=np.uint8)
        out[own] = self.store.gather(self.positions[positions[own]])
        out[~own] = self.extra[positions[~own] - len(self.positions)]
        return out
