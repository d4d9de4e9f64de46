"""The evidence for the queue: answers of classifiers that have not seen the photographs, features, and the files."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from kfg.data import fingerprints
from kfg.data.fingerprints import Fingerprint
from kfg.data.index import Index
from kfg.engine import photographs
from kfg.errors import InputError
from kfg.files import digest
from kfg.progress import Progress
from kfg.repairing import diagnosis, looks
from kfg.repairing.crossed import Crossed, crossed
from kfg.repairing.looking import Eyes
from kfg.repairing.looks import Looks
from kfg.repairing.manner import Manner
from kfg.training import imbalance

CACHE = pathlib.Path.home() / ".cache" / "kfg"  # the same as for kfg.load


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """N readable photographs of C classes, and the files that cannot be read.

    Args:
        crossed: the index, and answers of classifiers that have seen neither a photograph nor its near-duplicates.
        features: float32 (N, F), of a pretrained trunk.
        prints: fingerprints of the files.
        looks: sharpness, brightness and contrast of the photographs.
        broken: (path, class, sha256, why) of the files that cannot be read as photographs.
    """

    crossed: Crossed
    features: np.ndarray
    prints: Sequence[Fingerprint]
    looks: Looks
    broken: Sequence[tuple[str, str, str, str]] = ()

    @property
    def index(self) -> Index:
        return self.crossed.index


def of_folder(index: Index, *, cache_dir=None) -> Evidence:
    """Judge the photographs of a folder on features of a pretrained trunk; the features are kept for the next time.

    Args:
        index: the photographs, without corrections.
        cache_dir: folder for decoded photographs and features; default ~/.cache/kfg.
    Raises:
        InputError: the photographs are all near-duplicates of each other, or all of one class.
    """
    cache_dir = CACHE if cache_dir is None else pathlib.Path(cache_dir)
    prints = fingerprints.read(index.root, index.paths, progress=Progress("photographs read"))
    whole = np.flatnonzero([not one.problem for one in prints])
    broken = list(_broken(index, prints))
    prints = [prints[at] for at in whole]
    kept = index.take(whole)
    if len(set(kept.labels.tolist())) < 2:
        raise InputError(
            f"{index.root}: photographs of at least two classes must be readable, so that photographs can be judged"
        )
    groups = fingerprints.group(prints, kept.groups.tolist())
    kept = dataclasses.replace(kept, groups=groups, sha256=tuple(one.sha256 for one in prints))
    photographs.be_deterministic()
    eyes = Eyes(kept, diagnosis.TRUNK, diagnosis.VIEWS, cache_dir, kept, np.arange(len(kept)))
    features, counts = eyes.plain(), kept.counts()
    found = crossed(kept, features, Manner.of(imbalance.chosen(imbalance.AUTO, counts)["treatment"], counts))
    return Evidence(found, features, prints, looks.of_store(eyes.images), broken)


def _broken(index, prints):
    """Yield (path, class, sha256, why) of broken photographs; a file without read permission is left to the audit."""
    for one, label in zip(prints, index.labels, strict=True):
        if one.problem:
            with contextlib.suppress(OSError):
                yield one.path, index.classes[label], digest(index.root / one.path), one.reason


def of_run(run, root, *, cache_dir=None) -> Evidence:
    """Judge a run's training and validation photographs as `kfg repair` does, on features of the run's own trunk.

    The test photographs are not judged: correcting labels where a model disagrees makes it look better than it is.

    Args:
        run: folder of a finished run.
        root: folder of the run's photographs.
        cache_dir: folder for features; default the run's own cache.
    Raises:
        InputError: as for kfg.repairing.diagnosis.diagnose.
    """
    found = diagnosis.diagnose(run, data=root, cache_dir=cache_dir)
    judged = found.evidence
    return Evidence(judged.crossed, found.eyes.plain(), judged.prints, judged.looks)
