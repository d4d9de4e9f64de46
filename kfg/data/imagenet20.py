"""Fetch the photographs of the study imagenet20: 20 synsets of ImageNet's Winter 2021 release, an archive each."""

import concurrent.futures
import dataclasses
import pathlib
import threading
import urllib.parse
from collections.abc import Callable

from kfg.data import published, synset
from kfg.errors import InputError
from kfg.files import read_json, rename, sweep, write_json
from kfg.locks import exclusive

NAME = published.OF_SYNSETS
BASE = "https://image-net.org/data/winter21_whole"  # BASE/SYNSET.tar
PAGE = "https://image-net.org/download"
TERMS = (
    "These photographs come from ImageNet. If you download them, you agree with its terms of access: you may use them",
    "only for non-commercial research and education, at your own responsibility; ImageNet does not own the "
    "photographs,",
    f"gives no warranty and may end the access. The full terms are at {PAGE}",
)
PER_CLASS = 800  # photographs that the study asked for of each class
JOBS = 4  # archives at a time

# The study's label order, with the synset each class came from.
CLASSES = {
    "acropolis": "n02676938", "aircraft": "n02686568", "anchor": "n02709367", "armchair": "n02738535",
    "cobra": "n01747885", "computer keyboard": "n03085013", "cow": "n02403454", "cultivated land": "n09260907",
    "delivery truck": "n03173929", "aigrette": "n02685082", "jellyfish": "n01910747", "Chinese lantern": "n03018712",
    "motorcycling": "n00451635", "pay-phone": "n03902125", "pygmy chimpanzee": "n02482650",
    "rhinoceros beetle": "n02174001", "snowdrift": "n09438940", "ski jumping": "n00441073",
    "giant panda": "n02510455", "palm": "n12582231",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What there is after a call of `get`.

    Args:
        folder: of the class folders; called imagenet20 once no class is left that could still come.
        came: class name -> what was chosen from its archive, of the classes that this call made.
        missing: class name -> why it is not there.
    """

    folder: pathlib.Path
    came: dict[str, synset.Chosen]
    missing: dict[str, str]


def get(
    root, *, per_class: int = PER_CLASS, seed: int = 0, jobs: int = JOBS, base: str = BASE, progress=None
) -> Fetched:
    """Make the classes of `root/imagenet20` that are not there yet; a class folder appears whole.

    The archives are kept in `root`; one that is there already is used. Until every class is there, or is known to
    be nowhere, the folder is called imagenet20.part, so that no part of the set is taken for all of it.

    Args:
        root: folder, made where missing.
        per_class: photographs of each class, at most.
        seed: decides which.
        jobs: archives loaded and unpacked at a time.
        base: address below which the archives lie.
        progress: called now and then with (bytes there, bytes in all, a note).
    Raises:
        InputError: a wrong argument, another choice than that of an earlier call, a folder that cannot be written.
    """
    root = pathlib.Path(root)
    _check(per_class, seed, jobs, base)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with exclusive(root / f".{NAME}.lock", refusal=f"{root}: another kfg data {NAME} is writing there"):
            work = _Work(root, per_class, seed, jobs, base.rstrip("/"), progress or (lambda *_: None))
            _check_same(root, work.choice)
            return _made(root, work)
    except OSError as error:
        raise InputError(f"{error.filename or root}: {error.strerror or error}") from error


def _check(per_class, seed, jobs, base):
    for option, value, least in (("--per-class", per_class, 1), ("--seed", seed, 0), ("--jobs", jobs, 1)):
        if value < least:
            raise InputError(f"{option} {value}: must be {least} or more")
    address = urllib.parse.urlsplit(base)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InputError(f"--from {base}: not an http or https address")


def _check_same(root, choice):
    """Refuse to add classes for which photographs are chosen otherwise than for those that are there."""
    path = root / f"{NAME}.json"
    there = any(folder.is_dir() and any(folder.iterdir()) for folder in (root / NAME, root / f"{NAME}.part"))
    if not there:
        path.unlink(missing_ok=True)  # of a call that made no class
    before = read_json(path, dict) if path.exists() else choice
    for key, value in choice.items():
        if before[key] != value:
            option = f"--{key.replace('_', '-')} {value}"
            raise InputError(f"{option}: {root / NAME} was started with {before[key]}; give another folder")


def _made(root, work) -> Fetched:
    whole, partial = root / NAME, root / f"{NAME}.part"
    folder = whole if whole.is_dir() else partial
    wanted = [name for name in CLASSES if not (folder / name).is_dir()]
    for name in wanted:
        sweep(root, name, idle=0)  # of a run that was killed; the lock says that there is no other
    came, problems = work.classes(wanted, folder)
    settled = all(isinstance(error, synset.Absent) for error in problems.values())
    if folder == partial and settled and len(problems) < len(CLASSES):
        rename(partial, whole)
        folder = whole
    return Fetched(
        folder,
        {name: came[name] for name in wanted if name in came},
        {name: str(problems[name]) for name in wanted if name in problems},
    )


@dataclasses.dataclass
class _Work:
    """What the threads of one call share."""

    root: pathlib.Path
    per_class: int
    seed: int
    jobs: int
    base: str
    progress: Callable
    # class -> what the server says of its archive, for the archives that are not there yet
    said: dict[str, synset.Announced] = dataclasses.field(default_factory=dict)
    there: dict[str, int] = dataclasses.field(default_factory=dict)  # file -> bytes
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def classes(self, wanted, folder):
        """Return class -> Chosen, and class -> InputError of those that could not be made."""
        lacking = [name for name in wanted if not self.archive(name).is_file()]
        self.said, unsaid = self.each(lacking, lambda name: synset.announced(self.url(name)))
        self.there = {self.archive(name).name: synset.there(self.archive(name)) for name in self.said}
        ready = [name for name in wanted if name not in unsaid]
        came, problems = self.each(ready, lambda name: self.one(name, folder / name))
        return came, unsaid | problems

    def each(self, names, do):
        """Do something for each class, some at a time; return class -> result, and class -> InputError."""
        results, problems = {}, {}
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            futures = {pool.submit(do, name): name for name in names}
            try:
                for future in concurrent.futures.as_completed(futures):
                    try:
                        results[futures[future]] = future.result()
                    except InputError as error:
                        problems[futures[future]] = error
            finally:
                if len(results) + len(problems) < len(names):  # Ctrl-C: the threads end at the next piece
                    self.stop.set()
                    pool.shutdown(cancel_futures=True)
        return results, problems

    def one(self, name, target) -> synset.Chosen:
        """Load the archive of a class, where it is not there, and make the class's folder."""
        path = self.archive(name)
        try:
            if name in self.said:
                synset.fetch(self.url(name), path, self.said[name], self.show)
            synset.check_end(path)
            self.begin(target.parent)
            return synset.choose(path, target, count=self.per_class, seed=self.seed, check=self.check)
        except OSError as error:
            raise InputError(f"{error.filename or path}: {error.strerror or error}") from error

    @property
    def choice(self) -> dict:
        """What decides which photographs are chosen."""
        return {"per_class": self.per_class, "seed": self.seed}

    def begin(self, folder):
        """Make the folder of the classes, and write down how their photographs are chosen."""
        with self.lock:
            if not (note := self.root / f"{NAME}.json").exists():
                write_json(note, self.choice)
            folder.mkdir(exist_ok=True)

    def archive(self, name) -> pathlib.Path:
        return self.root / f"{CLASSES[name]}.tar"

    def url(self, name) -> str:
        return f"{self.base}/{CLASSES[name]}.tar"

    def show(self, file, there, _):
        """Show how much of all archives has come."""
        self.check()
        with self.lock:
            self.there[file] = there
            total = sum(one.bytes for one in self.said.values())
            self.progress(sum(self.there.values()), total, f"{len(self.said)} archives")

    def check(self):
        """End a thread whose call was interrupted."""
        if self.stop.is_set():
            raise concurrent.futures.CancelledError
