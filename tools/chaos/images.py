"""Mutated images through kfg's decoder and the exported graph's: the same pixels, or a refusal, never a traceback."""

import concurrent.futures
import multiprocessing
import os
import resource
import time

import numpy as np

from chaos import mutate
from chaos.image_seeds import seeds
from chaos.tally import Failure, Tally
from kfg.data import jpeg

MINUTES = 30.0
MEMORY = 1 << 30  # bytes that a process may grow by
STUCK = 60.0  # seconds that one image may take
FATES = (
    "shown by both", "refused by both", "known difference", "shown by the graph alone", "other pixels",
    "refused by decode alone", "refused by the graph alone", "traceback",
)  # fmt: skip
BATCH = 20_000  # images of one process: what one leaks or breaks does not spoil the next


def campaign(tally: Tally, _scratch, *, minutes: float = MINUTES, count: int | None = None) -> None:
    """Try images for so many minutes, or `count` of them."""
    end, number = time.monotonic() + 60 * minutes, 0
    total = dict.fromkeys(("images", *FATES), 0)
    seconds = 0.0
    while time.monotonic() < end and (count is None or number < count):
        first, last = number, number + BATCH if count is None else min(count, number + BATCH)
        begun = time.monotonic()
        number = _batch(tally, total, first, last, end)
        seconds += time.monotonic() - begun
        print(f"{number:,} images, {total['images'] / seconds:,.0f} a second", flush=True)
    tally.figures |= {**total, "images_per_second": round(total["images"] / max(seconds, 1e-9), 1)}


def _batch(tally, total, first, last, end) -> int:
    """Try images `first` to `last` in a process of their own; return the number to go on with."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(tally.seed, first, last, sender))
    process.start()
    sender.close()
    number = first
    try:
        while number < last and time.monotonic() < end:
            if not receiver.poll(STUCK + (60 if number == first else 0)):  # the first waits for TensorFlow
                _note(tally, number, Failure("other", f"took longer than {STUCK:.0f} s"))
                return number + 1
            number, name, kind, failures = receiver.recv()
            total["images"] += 1
            total[kind] += 1
            data = [] if not failures else [("input", mutate.mutated(seeds(), seed=tally.seed, number=number)[1])]
            tally.note(_format(name), failures, keep=data, what=f"{number}: {name}")
            number += 1
    except EOFError:
        process.join()
        _note(tally, number, Failure("tracebacks", f"the process died, exit code {process.exitcode}"))
        return number + 1
    finally:
        process.kill()
        process.join()
    return number


def _format(name) -> str:
    """Return the row of the table that an input belongs to."""
    return name.split()[0].split("-")[0]


def _note(tally, number, failure):
    name, data = mutate.mutated(seeds(), seed=tally.seed, number=number)
    tally.note(_format(name), [failure], keep=[("input", data)], what=f"{number}: {name}")


def work(seed, first, last, sender) -> None:
    """Try images and send (number, name, kind, failures) for each."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # libtiff and TensorFlow write a line or two for each image
    known, pair = seeds(), Pair()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(first, last):
        name, data = mutate.mutated(known, seed=seed, number=number)
        kind, failures = pair.compare(data)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        if grown > MEMORY:
            failures = [*failures, Failure("other", f"memory grew by {grown / 2**20:,.0f} MB")]
            before += grown >> 10
        sender.send((number, name, kind, failures))


class Pair:
    """Both decoders of kfg, the one that trains and the one in an export."""

    def __init__(self):
        import tensorflow as tf

        from kfg.data import decode, decode_in_graph

        self.tf, self.graph, self.BadImage = tf, decode_in_graph, decode.BadImage
        self.decode = decode.decode
        self.exported = tf.function(decode_in_graph.decode, input_signature=[tf.TensorSpec((), tf.string)])
        self.exported(tf.constant(seeds()["png-RGB"]))  # traced, before memory is counted
        self.pool = concurrent.futures.ThreadPoolExecutor(1)

    def compare(self, data: bytes) -> tuple[str, list[Failure]]:
        """Return what became of an image, and what is wrong with that."""
        ours, error = self.asked(self.decode, data)
        if error is not None and not isinstance(error, self.BadImage):
            return "traceback", [Failure("tracebacks", f"decode: {_line(error)}")]
        theirs, refusal = self.asked(lambda one: self.exported(self.tf.constant(one)).numpy(), data)
        # TensorFlow repeats bytes of the file in its message, and where these are not UTF-8 that is what is raised
        if refusal is not None and not isinstance(refusal, (self.tf.errors.OpError, UnicodeDecodeError)):
            return "traceback", [Failure("tracebacks", f"graph: {_line(refusal)}")]
        if error is not None and refusal is not None:
            return "refused by both", []
        if error is None and refusal is None and np.array_equal(ours, theirs):
            return "shown by both", []
        why, failed = self.asked(self.graph.known_difference, data)
        if failed is not None and not isinstance(failed, self.BadImage):
            return "traceback", [Failure("tracebacks", f"known_difference: {_line(failed)}")]
        if why:
            return "known difference", []
        if error is not None and graph_shows_more(data):
            return "shown by the graph alone", []
        kind = "refused by decode alone" if error else "refused by the graph alone" if refusal else "other pixels"
        return kind, [
            Failure("other", f"{_differ(ours, theirs, error, refusal)}, and known_difference names no reason")
        ]

    def asked(self, function, data):
        """Return (result, None) or (None, the exception), whatever it is: that is what is looked for."""
        future = self.pool.submit(function, data)
        error = future.exception()
        return (None if error else future.result()), error


def graph_shows_more(data: bytes) -> bool:
    """Return whether a file that is damaged where TensorFlow does not look may be shown by an export alone.

    A BMP's number of colours, how a GIF's pixels end, the frames of an animated PNG, and a JPEG whose segments are in
    disorder: `kfg.data.decode_in_graph.decode` says so, and an export cannot do better, since it has TensorFlow's
    decoder and nothing else.
    """
    if data[:2] == b"\xff\xd8":
        return bool(jpeg.damage(data))
    return data[:2] == b"BM" or data[:4] == b"GIF8" or (data[:4] == b"\x89PNG" and b"acTL" in data)


def _line(error) -> str:
    lines = [
        line for line in str(error).splitlines() if line.strip() and not line.startswith(("Graph exec", "Detected"))
    ]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}"[:200]


def _differ(ours, theirs, error, refusal) -> str:
    if error is not None:
        return f"the graph shows {theirs.shape} of what decode refuses ({_line(error)})"
    if refusal is not None:
        return f"the graph refuses what decode shows {ours.shape} ({_line(refusal)[:100]})"
    if ours.shape != theirs.shape:
        return f"decode shows {ours.shape}, the graph {theirs.shape}"
    off = np.abs(ours.astype(int) - theirs.astype(int))
    return f"pixels differ by up to {off.max()} in {(off > 0).mean():.1%} of the values"
