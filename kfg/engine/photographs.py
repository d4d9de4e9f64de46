"""The images of one command, shared by all rows, seeds and folds that are run on them."""

import dataclasses
import pathlib

import tensorflow as tf

from kfg.data import audit, class_names, corrected, decoded, demo, folder, remarks, stores, told
from kfg.data.index import Index
from kfg.names import printable
from kfg.progress import Progress
from kfg.runs import run_files
from kfg.training import precision


@dataclasses.dataclass(kw_only=True)
class Data:
    """The images of one command: shared by its runs, and decoded once for each size.

    Args:
        index: all images, groups and digests filled in.
        name: the name of this data in results.
        cache_dir: folder for decoded images that exceed `memory_budget`.
        memory_budget: bytes of memory for decoded images of all sizes together.
    """

    index: Index
    name: str
    cache_dir: pathlib.Path
    memory_budget: int = stores.MEMORY_BUDGET
    by_size: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self.budget = stores.Budget(self.memory_budget)

    def images(self, image_size):
        if image_size not in self.by_size:
            self.by_size[image_size] = decoded.load(
                self.index,
                image_size=image_size,
                cache_dir=self.cache_dir,
                memory_budget=self.budget,
                progress=Progress("photographs decoded"),
            )
        return self.by_size[image_size]


def open_data(
    where: pathlib.Path | None,
    *,
    out: pathlib.Path,
    cache_dir=None,
    memory_budget: int = stores.MEMORY_BUDGET,
    index: Index | None = None,
    corrections=True,
) -> Data:
    """Scan, fingerprint and group the images, and make TensorFlow deterministic.

    Args:
        where: folder of images; None for drawn images, which are made in `out` if they are missing.
        out: folder of the runs.
        cache_dir: folder for decoded images and features; default `out/cache`.
        index: the images, if they are already read and grouped.
        corrections: as for `folder.scan`.
    Raises:
        InputError: as `folder.scan` and `audit.duplicate_groups`; a name that is not UTF-8.
    """
    index, name = open_index(where, out=out, index=index, corrections=corrections)
    be_deterministic()
    print(f"device: {precision.device()}")
    return Data(index=index, name=name, cache_dir=cache_dir or out / run_files.CACHE, memory_budget=memory_budget)


def open_index(
    where: pathlib.Path | None, *, out: pathlib.Path, index: Index | None = None, corrections=True
) -> tuple[Index, str]:
    """Scan, fingerprint and group the images; return them and the data's name. Arguments as for `open_data`."""
    root = out / "demo-data" if where is None else where
    if where is None:
        if pathlib.Path("demo").is_dir():
            print(f"--data demo: uses drawn images, in {root}; for your own folder of this name give --data ./demo")
        demo.write(root)
    if index is None:
        index = folder.scan(root, corrections=corrections)
        if said := corrected.said(index.corrected):
            print(said)
        class_names.check_names(index)
        index = audit.duplicate_groups(index, progress=Progress("photographs read"))
    print(f"{root}: {len(index)} images in {len(index.classes)} classes")
    if parts := told.parts_read(index):
        print(f"{printable(str(root))}: {parts}")
    if remark := remarks.remark(told.passed_over(index)):
        print(f"{printable(str(root))}: {remark}")
    if alike := class_names.look_alikes(index.classes):
        print(f"{printable(str(root))}: {alike}")
    return index, "demo" if where is None else root.resolve().name


def be_deterministic() -> None:
    """Prepare the devices and make TensorFlow deterministic to the last bit; call this before computing anything."""
    precision.prepare_devices()
    tf.config.experimental.enable_op_determinism()
