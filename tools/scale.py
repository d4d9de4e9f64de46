"""Measure how long kfg's steps take as photographs become more, and what that makes of 100,000 to 10 million.

    python tools/scale.py DIR [--only audit,near,features,heads,training] [--audit 500,1000,2000]
                              [--hashes 20000,40000,80000] [--images 128,256,512] [--features 1000,4000]

audit      `kfg audit` of so many photographs of DIR, copied class by class into a folder of their own
near       near-duplicates and groups among so many random hashes, of which each hundredth has a near copy
features   decoding and resizing of so many photographs of DIR, and the trunk of `kfg train` by each engine installed
heads      training of a head on stored features
training   steps of the fine-tuning of `kfg train`, of the last two stages and of all

A line is fitted, and for near-duplicates a parabola, by least squares of relative errors with no negative factor; what
stands under the larger numbers is computed from it and not measured. Two to five minutes.
"""

import argparse
import dataclasses
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterator

import numpy as np
from scipy.optimize import nnls

from kfg import program
from kfg.data import audit, decoded, fingerprints, folder
from kfg.errors import InputError
from kfg.progress import duration

LARGE = (100_000, 1_000_000, 10_000_000)  # photographs
BATCH = 64  # images per forward pass
STEPS, CLASSES, FEATURES = 4, 100, 1280  # of training
CLOCKS = {"clock": time.perf_counter, "processor": time.process_time}
COPIES = 100  # one hash in so many is a near copy of another


@dataclasses.dataclass(frozen=True)
class Measured:
    """Seconds of one step at several sizes.

    Args:
        what: the step.
        sizes: photographs.
        seconds: for each size.
        powers: of n, whose sum the time is taken for.
    """

    what: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    powers: tuple[int, ...] = (0, 1)

    def expected(self, count: int) -> float:
        """Return the seconds of `count` photographs, by a fit whose factors are not negative."""
        rows = np.array(self.sizes, dtype=float)[:, None] ** np.array(self.powers)
        scale = 1 / np.array(self.seconds)  # relative errors count, not those of the largest size alone
        factors, _ = nnls(rows * scale[:, None], np.ones(len(self.sizes)))
        return float(factors @ float(count) ** np.array(self.powers))


def audited(root, sizes, clock=time.perf_counter) -> Measured:
    """Time an audit of some of a folder's photographs, the files just written, so that no disk is waited for."""
    index = folder.scan(root)
    seconds = []
    for size in (min(sizes[0], 100), *sizes):  # the first one warms up
        with tempfile.TemporaryDirectory() as scratch:
            for at in _spread(index, size):
                source = index.root / index.paths[at]
                target = pathlib.Path(scratch, index.classes[index.labels[at]], f"{at}-{source.name}")
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(source, target)
            seconds.append(_time(clock, lambda scratch=scratch: audit.audit(scratch)))
    return Measured("audit", sizes, tuple(seconds[1:]))


def _spread(index, size):
    """Return positions, evenly spread over the classes."""
    if size > len(index):
        raise InputError(f"{index.root}: has {len(index):,} photographs, {size:,} were asked for")
    return np.linspace(0, len(index) - 1, size).astype(int)


def compared(sizes, clock=time.perf_counter) -> Measured:
    """Time the search for near-duplicates and the groups that are made of them."""
    prints_of(1000)
    seconds = []
    for size in sizes:
        prints = prints_of(size)
        seconds.append(_time(clock, lambda prints=prints: fingerprints.group(prints, range(len(prints)))))
    return Measured("near-duplicates", sizes, tuple(seconds), powers=(0, 1, 2))


def prints_of(count: int) -> list[fingerprints.Fingerprint]:
    """Return fingerprints of random hashes, all with one thumbnail; each COPIES-th hash is near the one before."""
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 1 << 64, count, dtype=np.uint64)
    hashes[1::COPIES] = hashes[0 : count - 1 : COPIES] ^ np.uint64(0b1011)
    thumb = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return [
        fingerprints.Fingerprint(str(i), sha256=str(i), phash=one, thumb=thumb) for i, one in enumerate(hashes.tolist())
    ]


def looked_at(root, sizes, clock=time.perf_counter) -> Iterator[Measured]:
    """Time decoding, and on the decoded photographs the trunk of `kfg train` by each engine."""
    from kfg.inference.engines import ENGINES, TENSORFLOW, at_hand, titled
    from kfg.recipes.folder_settings import Config
    from kfg.repairing.trunks import Trunk

    config = Config()
    decoding, images = resized(folder.scan(root), sizes, config.image_size, clock)
    yield decoding
    trunk = Trunk(config.backbone, config.image_size).built()
    with tempfile.TemporaryDirectory() as scratch:
        for name in (TENSORFLOW, *at_hand()):
            answer = trunk.predict_on_batch if name == TENSORFLOW else _converted(ENGINES[name], trunk, scratch, name)
            answer(images.gather(np.arange(BATCH)))  # traces and allocates
            seconds = tuple(
                _time(clock, lambda size=size, answer=answer: _pass(answer, images, size)) for size in sizes
            )
            yield Measured(f"features, {titled(name)}", sizes, seconds)


def resized(index, sizes, image_size, clock):
    """Time the decoding and resizing of photographs; return that, and the last of them."""
    seconds = []
    for size in (BATCH, *sizes):  # the first one warms up
        began = clock()
        images = decoded.load(index.take(_spread(index, size)), image_size=image_size)
        seconds.append(clock() - began)
    return Measured("decoding and resizing", sizes, tuple(seconds[1:])), images


def _converted(engine, trunk, scratch, name):
    made = pathlib.Path(scratch, name)
    made.mkdir()
    engine.write(trunk, made)
    return engine.opened(made)


def _pass(answer, images, size):
    for start in range(0, size, BATCH):
        answer(images.gather(np.arange(start, min(start + BATCH, size))))


def trained(clock=time.perf_counter) -> Iterator[Measured]:
    """Time steps of the fine-tuning of `kfg train` on drawn images, as by default and of all stages."""
    from kfg.recipes.folder_settings import Config

    for what, freeze in (("fine-tuning, an epoch", "auto"), ("the same of all stages", "none")):
        yield _steps(dataclasses.replace(Config(), freeze=freeze), what, clock)


def _steps(config, what, clock) -> Measured:
    from kfg.models import halves
    from kfg.recipes.folder_parts import classifier, fine_tuning_optimizer
    from kfg.training import fit

    model = halves.learning(classifier(config, CLASSES))
    fit.compile_classifier(model, optimizer=fine_tuning_optimizer(config)())
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (config.batch_size, *config.image_size, 3), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, config.batch_size).astype(np.int32)
    model.train_on_batch(images, labels)  # traces and allocates
    seconds = _time(clock, lambda: [model.train_on_batch(images, labels) for _ in range(STEPS)])
    return Measured(what, (STEPS * config.batch_size,), (seconds,), powers=(1,))


def heads(sizes, clock=time.perf_counter) -> Measured:
    """Time the training of a head on drawn features, with the epochs that it has in `kfg train`."""
    import keras

    from kfg.models.heads import linear
    from kfg.recipes.folder_parts import head_optimizer
    from kfg.recipes.folder_settings import Config
    from kfg.training import fit

    config, seconds = Config(), []
    for size in (BATCH, *sizes):  # the first one warms up
        rng = np.random.default_rng(0)
        features, labels = rng.normal(size=(size, FEATURES)).astype(np.float32), rng.integers(0, CLASSES, size)
        inputs = keras.Input((FEATURES,))
        model = keras.Model(inputs, keras.layers.Softmax()(linear(dropout=config.dropout)(inputs, CLASSES)))
        fit.compile_classifier(model, optimizer=head_optimizer(config)())
        batches = {"batch_size": config.head_batch_size, "verbose": 0}
        began = clock()
        model.fit(features, labels, epochs=config.head_epochs, **batches)
        seconds.append(clock() - began)
    return Measured(f"a head, {config.head_epochs} epochs", sizes, tuple(seconds[1:]))


def _time(clock, work) -> float:
    began = clock()
    work()
    return clock() - began


HEAD = (
    f"| step | measured: n, seconds | {' | '.join(f'{count:,}' for count in LARGE)} |",
    "|---" * (2 + len(LARGE)) + "|",
)


def row(one: Measured) -> str:
    """Return a row of the table: what was measured, and what that makes of larger numbers."""
    seen = "; ".join(f"{size:,}: {seconds:.2f}" for size, seconds in zip(one.sizes, one.seconds, strict=True))
    return f"| {one.what} | {seen} | {' | '.join(duration(one.expected(count)) for count in LARGE)} |"


def _sizes(text) -> tuple[int, ...]:
    return tuple(sorted(int(word) for word in text.split(",")))


def main(argv=None) -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", type=pathlib.Path, metavar="DIR", help="photographs in class folders")
    p.add_argument("--only", default="audit,near,features,heads,training", metavar="NAMES", help="default: all")
    p.add_argument("--audit", type=_sizes, default=(500, 1000, 2000), metavar="N,N", help="default: 500,1000,2000")
    p.add_argument(
        "--hashes", type=_sizes, default=(20_000, 40_000, 80_000), metavar="N,N", help="default: 20,000 to 80,000"
    )
    p.add_argument("--images", type=_sizes, default=(128, 256, 512), metavar="N,N", help="default: 128,256,512")
    p.add_argument("--features", type=_sizes, default=(1000, 4000), metavar="N,N", help="default: 1,000 and 4,000")
    p.add_argument(
        "--by", choices=CLOCKS, default="clock", help="processor: seconds of all cores together, for a busy machine"
    )
    args = p.parse_args(argv)
    clock = CLOCKS[args.by]
    work = {
        "audit": lambda: [audited(args.data, args.audit, clock)],
        "near": lambda: [compared(args.hashes, clock)],
        "features": lambda: looked_at(args.data, args.images, clock),
        "heads": lambda: [heads(args.features, clock)],
        "training": lambda: trained(clock),
    }
    chosen = args.only.split(",")
    if unknown := set(chosen) - set(work):
        p.error(f"--only: {', '.join(sorted(unknown))}: none of {', '.join(work)}")
    from remedies import processor  # imports TensorFlow

    print(
        f"{processor()}, {os.cpu_count()} cores, {args.data}; measured once, seconds by the {args.by}\n",
        *HEAD,
        sep="\n",
    )
    for name in chosen:
        for one in work[name]():
            print(row(one), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(program.run(main))
