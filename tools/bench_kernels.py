"""The case of tools/bench.py for oneDNN, whose kernels kfg lets TensorFlow use on every x86 processor."""

import argparse
import os
import subprocess
import sys
import time

import numpy as np
from _measure import interleaved, report

CLASSES, TRUNK, SIDE = 100, "efficientnet-lite0", 256
LEAST = 0.95  # least ratio to call oneDNN no slower; a smaller difference is noise
ALL, LAST_STAGES, ANSWERS = "all layers learn", "the last two stages learn", "answers"
# net, what it does -> images in a batch
CASES = {
    ("convnet1", ALL): 32,
    ("fruit3-mlp", ALL): 8,
    ("fruit3-cnn", ALL): 8,
    ("resnet50", ALL): 8,
    ("efficientnet-b0", ALL): 16,
    (TRUNK, ALL): 32,
    (TRUNK, LAST_STAGES): 32,
    (TRUNK, ANSWERS): 32,
}


def kernels(args) -> bool:
    """Measure nets with oneDNN's kernels and without them. TensorFlow chooses once, so each way is a process."""
    from kfg.kernels import ONEDNN

    met = True
    for (net, work), batch_size in CASES.items():
        if args.nets and net not in args.nets.split(","):
            continue
        ways = {"with oneDNN": "1", "without": "0"}
        workers = {
            way: subprocess.Popen(
                [sys.executable, __file__, net, work, str(batch_size)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, ONEDNN: value},
            )
            for way, value in ways.items()
        }  # fmt: skip
        figures = interleaved({way: asked(worker) for way, worker in workers.items()}, repeats=args.repeats)
        for worker in workers.values():
            worker.communicate()
        met &= report(f"{net}, {work}", figures, unit="images/s", bars=[("with oneDNN", "without", LEAST)])
    return met


def asked(worker):
    """Return a function that lets a worker do one batch and returns its images/s."""

    def case():
        print(file=worker.stdin, flush=True)
        line = worker.stdout.readline()
        if not line:
            raise SystemExit(f"error: {' '.join(worker.args)} ended with {worker.wait()}")
        return float(line)

    return case


def main() -> int:
    """Be a worker: build a net, then do a batch for each line of standard input and print its images/s."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("net")
    parser.add_argument("work")
    parser.add_argument("batch_size", type=int)
    args = parser.parse_args()
    step = batch_of(args.net, args.work, args.batch_size)
    for _ in sys.stdin:
        began = time.perf_counter()
        step()
        print(args.batch_size / (time.perf_counter() - began), flush=True)
    return 0


def batch_of(net: str, work: str, batch_size: int):
    """Return a function that trains a net on a batch, or computes its answers to it."""
    from kfg.models import backbones, catalogue, freezing, halves
    from kfg.training import fit, optimizers

    if net == TRUNK:  # as in `kfg train`
        model = backbones.classifier(net, num_classes=CLASSES, image_size=(SIDE, SIDE), weights="none")
        freezing.apply(model, "stages:2" if work == LAST_STAGES else "none", batch_norm="fixed")
        model = halves.learning(model)
    else:
        model = catalogue.build(net, num_classes=CLASSES)
    fit.compile_classifier(model, optimizer=optimizers.rates("adamw", learning_rate=1e-4, weight_decay=0.02))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch_size, *model.inputs[0].shape[1:]), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, batch_size).astype(np.int32)
    if work == ANSWERS:
        return lambda: model.predict_on_batch(images)
    return lambda: model.train_on_batch(images, labels)


def add_commands(commands, common) -> None:
    """Add the sub-command `kernels`."""
    command = commands.add_parser("kernels", parents=[common], help="nets with oneDNN's kernels and without")
    command.add_argument("--nets", help="separated by commas; default all")
    command.set_defaults(run=kernels)


if __name__ == "__main__":
    raise SystemExit(main())
