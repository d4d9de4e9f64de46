"""Give mutated images to kfg's decoder and to the exported graph: same pixels, or a refusal, but never a traceback."""

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
MEMORY = 1 << 30  # most bytes by which a process may grow
STUCK = 60.0  # most seconds that one image may take
FATES = (
    "shown by both", "refused by both", "known difference", "shown by the graph alone", "other pixels",
    "refused by decode alone", "refused by the graph alone", "traceback",
)  # fmt: skip
BATCH = 20_000  # images per process, so that a leak or damage in one process does not affect the next


def campaign(tally: Tally, _scratch, *, minutes: float = MINUTES, count: int | None = None) -> None:
    """Try images for `minutes` minutes, or `count` images."""
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
    """Try images `first` to `last` - 1 in a process of their own; return the number of the next image to try."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(tally.seed, first, last, sender))
    process.start()
    sender.close()
    number = first
    try:
        while number < last and time.monotonic() < end:
            if not receiver.poll(STUCK + (60 if number == first else 0)):  # for the first image TensorFlow is loaded
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
    """Return the image format in an input's name, which is its row in the table."""
    return name.split()[0].split("-")[0]


def _note(tally, number, failure):
    name, data = mutate.mutated(seeds(), seed=tally.seed, number=number)
    tally.note(_format(name), [failure], keep=[("input", data)], what=f"{number}: {name}")


def work(seed, first, last, sender) -> None:
    """Try images and send (number, name, kind, failures) for each; this runs in a process of its own."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # drops the lines that libtiff and TensorFlow write for each image
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
    """Both decoders of kfg: the one used in training, and the one in an exported graph."""

    def __init__(self):
        import tensorflow as tf

        from kfg.data import decode, decode_in_graph
        from kfg.data.bad_image import BadImage

        self.tf, self.graph, self.BadImage = tf, decode_in_graph, BadImage
        self.decode = decode.decode
        self.exported = tf.function(decode_in_graph.decode, input_signature=[tf.TensorSpec((), tf.string)])
        self.exported(tf.constant(seeds()["png-RGB"]))  # traced now, before memory is measured
        self.pool = concurrent.futures.ThreadPoolExecutor(1)

    def compare(self, data: bytes) -> tuple[str, list[Failure]]:
        """Decode an image with both decoders; return the kind of result, one of FATES, and the failures."""
        ours, error = self.asked(self.decode, data)
        if error is not None and not isinstance(error, self.BadImage):
            return "traceback", [Failure("tracebacks", f"decode: {_line(error)}")]
        theirs, refusal = self.asked(lambda one: self.exported(self.tf.constant(one)).numpy(), data)
        # TensorFlow repeats bytes of the file in its message; if they are not UTF-8, a UnicodeDecodeError is raised
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
        """Call a function on an image; return (result, None), or (None, the exception) for an exception of any kind."""
        future = self.pool.submit(function, data)
        error = future.exception()
        return (None if error else future.result()), error


def graph_shows_more(data: bytes) -> bool:
    """Return whether an export alone may show a file, because its damage is such that TensorFlow does not notice it.

    This is so for the number of colours in a BMP, the end of the pixels in a GIF, the frames of an animated PNG, and
    for a JPEG with segments in the wrong order. `kfg.data.decode_in_graph.decode` says so, and an export cannot do
    better, since it has only TensorFlow's decoder.
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
