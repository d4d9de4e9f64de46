"""`tools/bench.py serve`: measure the server beside `kfg predict`, and whether its memory stays constant."""

import asyncio
import io
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import server_process
from PIL import Image

CLIENTS = 4
BYTES = 100_000  # size of a photograph
PHOTOGRAPHS = 256  # number of different photographs
BAR = 0.8  # least images/s of the server, as a multiple of those of `kfg predict`
GROWTH = 1.05  # most memory in the end, as a multiple of that after the first tenth of the requests


def add_commands(commands, common):
    command = commands.add_parser("serve", parents=[common], help="kfg serve against kfg predict, images/s")
    command.add_argument("--run", type=pathlib.Path, required=True, dest="run_folder", metavar="RUN")
    command.add_argument("--seconds", type=float, default=60, help="of load (default: %(default)s)")
    command.add_argument("--requests", type=int, default=0, help="then as many, to see whether memory stays flat")
    command.set_defaults(run=bench)


def bench(args) -> bool:
    """Put load on the server with 4 clients, between two runs of `kfg predict` on the same photographs."""
    from kfg.runs import found

    run = found.only(args.run_folder)
    with tempfile.TemporaryDirectory() as scratch:
        photographs = drawn(pathlib.Path(scratch) / "photographs")
        predicted(run, photographs)  # converts the model for the fastest engine and times it, if this is not yet done
        before = predicted(run, photographs)
        with server_process.started(run, scratch=scratch) as server:
            ready = "already" if server.was_ready else "not yet"
            print(
                f"/health answers after {server.seconds[0]:.1f} s, the model {ready} loaded; "
                f"it is after {server.seconds[1]:.1f} s"
            )
            server.settle()
            load(server, photographs, seconds=5)  # warms up
            times = load(server, photographs, seconds=args.seconds)
            flat = memory(server, photographs, args.requests) if args.requests else True
        after = predicted(run, photographs)
    served, alone = len(times) / args.seconds, statistics.mean([before, after])
    p50, p99 = np.percentile(times, [50, 99])
    print(f"{len(times):,} requests of {CLIENTS} clients in {args.seconds:g} s, none failed; {os.cpu_count()} cores")
    print(
        f"  kfg predict {before:.1f} and {after:.1f} images/s, kfg serve {served:.1f}: {served / alone:.2f} times; "
        f"bar {BAR}"
    )
    print(f"  p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms, longest {1000 * max(times):.0f} ms")
    return served >= BAR * alone and flat


def memory(server, photographs, requests: int) -> bool:
    """Send many requests, and print the memory after each tenth of them; return whether it stayed constant."""
    found = []
    for _ in range(10):
        load(server, photographs, requests=requests // 10)
        found.append(server.memory())
    print(f"memory after each tenth of {requests:,} requests, MB: {', '.join(f'{one:.0f}' for one in found)}")
    print(f"  {found[-1] / found[0]:.3f} times the first; bar {GROWTH}")
    return found[-1] <= GROWTH * found[0]


def drawn(folder: pathlib.Path) -> pathlib.Path:
    """Draw JPEGs of about 100 kB, smooth with some noise, like photographs."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(PHOTOGRAPHS):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(
            (640, 480), Image.Resampling.BICUBIC
        )
        pixels = np.clip(np.asarray(coarse) + rng.normal(0, 12, (480, 640, 3)), 0, 255).astype(np.uint8)
        (folder / f"{number:03d}.jpg").write_bytes(_of_size(pixels))
    return folder


def _of_size(pixels) -> bytes:
    low, high = 30, 98
    while low < high:
        quality = (low + high) // 2
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        low, high = (quality + 1, high) if len(file.getvalue()) < BYTES else (low, quality)
    return file.getvalue()


def predicted(run, photographs) -> float:
    """Return the images/s of `kfg predict` after its model is loaded, measured in a process of its own."""
    code = (
        "import sys, time; from kfg import quiet\n"
        "with quiet.tensorflow_notes():\n    from kfg.exporting import classifiers\n"
        "model = classifiers.load(sys.argv[1]); paths = sys.argv[2:]\n"
        "classifiers.hasten(model, sys.argv[1], paths * 4)\n"  # as for the thousand photographs of a usual folder
        "list(model.predict(paths[:32])); began = time.perf_counter()\n"
        "answers = [answer.error for _ in range(3) for answer in model.predict(paths)]\n"
        "assert not any(answers); print(len(answers) / (time.perf_counter() - began))\n"
    )
    words = [sys.executable, "-c", code, str(run), *map(str, sorted(photographs.iterdir()))]
    answer = subprocess.run(words, cwd=server_process.ROOT, check=True, capture_output=True, text=True)
    return float(answer.stdout.split()[-1])


def load(server, photographs, *, seconds: float = 0, requests: int = 0) -> list[float]:
    """Let clients in a process of their own send photographs, one after the other; return the seconds of each answer.

    Raises:
        SystemExit: a request failed or was not answered with a prediction.
    """
    host, port = server.address
    words = [sys.executable, __file__, host, str(port), str(photographs), str(seconds), str(requests)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(f"a client failed: {answer.stderr or answer.stdout}")
    return [float(one) for one in answer.stdout.split()]


async def clients(host, port, photographs, seconds, requests) -> list[float]:
    bodies = [path.read_bytes() for path in sorted(pathlib.Path(photographs).iterdir())]
    deadline, left, times = time.perf_counter() + seconds, [requests], []

    def more() -> bool:
        left[0] -= 1
        return left[0] >= 0 if requests else time.perf_counter() < deadline

    async def one(number):
        reader, writer = await asyncio.open_connection(host, port)
        while more():
            number = (number + CLIENTS) % len(bodies)
            began = time.perf_counter()
            await _ask(reader, writer, bodies[number])
            times.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*map(one, range(CLIENTS)))
    return times


async def _ask(reader, writer, data):
    writer.write(
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
        % len(data)
    )
    writer.write(data)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200 ") or b'"class"' not in body:
        raise SystemExit(f"{head[:40]!r} {body[:200]!r}")


if __name__ == "__main__":
    host, port, photographs, seconds, requests = sys.argv[1:]
    print(*asyncio.run(clients(host, int(port), photographs, float(seconds), int(requests))), sep="\n")
