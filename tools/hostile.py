"""Send 200 hostile uploads to a server of `kfg serve`: each must be refused in one line, and none may reach the disk.

Run       python tools/hostile.py RUN [--count 200]
Prints    how many uploads of each kind were answered with which status, and the longest time that an answer took
Exit      0 if every upload got a 4xx of one line, the server wrote nothing on its error stream, no file was made in the
          run folder or the temporary folder, and a good photograph was still answered afterwards; else 1
"""

import argparse
import collections
import dataclasses
import io
import itertools
import json
import os
import pathlib
import random
import re
import socket
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

BOUNDARY = b"----kfghostile"
PAGES = {
    "web page": b"<!doctype html><html><script>alert(1)</script></html>",
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "SVG that reads a file": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "zip": b"PK\x03\x04" + bytes(60),
    "program": b"\x7fELF\x02\x01\x01" + bytes(200),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (r) file\n",
    "pickle": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "text": b"photograph? which photograph?",
    "nothing": b"",
}
NAMES = (
    "../../../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/cron.d/x",
    "a\x00.jpg", "x" * 3000, "CON", "\u202egpj.exe",
    "<img src=x onerror=alert(1)>.jpg", "=cmd|' /C calc'!A0.jpg", "%2e%2e%2fpasswd", "\x1b[31mred.jpg", ".", "",
)  # fmt: skip
TYPES = (
    "application/json", "text/html", "application/x-www-form-urlencoded", "video/mp4", "multipart/mixed; boundary=x",
    "multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'b' * 3000}",
    "text/plain", "\xff",
)  # fmt: skip
SLOW = 0.4  # seconds between the bytes of a slow sender


@dataclasses.dataclass(frozen=True)
class Case:
    """One upload: `pieces` yields the bytes to send piece by piece, with pauses of `pause` seconds between them."""

    kind: str
    pieces: Callable[[], Iterator[bytes]]
    pause: float = 0.0


def picture(format: str, *, seed: int = 0) -> bytes:
    """Return the bytes of an image file with a noisy picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """Return a small PNG file whose header claims width x height pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1_000_000), 9))
        + chunk(b"IEND", b"")
    )


def gif_bomb(width: int, height: int) -> bytes:
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00;"


def tiff_bomb(width: int, height: int) -> bytes:
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, width)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


def jpeg_bomb(width: int, height: int) -> bytes:
    """Return a JPEG whose header claims width x height pixels, which its data do not have."""
    data = bytearray(picture("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp_bomb(width: int, height: int) -> bytes:
    data = bytearray(picture("BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def float_tiff() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ones((8, 8), np.float32)).save(file, "TIFF")
    return file.getvalue()


BOMBS = {"PNG": png_bomb, "GIF": gif_bomb, "TIFF": tiff_bomb, "JPEG": jpeg_bomb, "BMP": bmp_bomb}


def head(path: str, *lines: str | bytes) -> bytes:
    made = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *lines]
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode("latin-1") for line in made) + b"\r\n\r\n"


def body(path: str, data: bytes, kind: str = "image/jpeg") -> bytes:
    return head(path, f"Content-Type: {kind}", f"Content-Length: {len(data)}") + data


def part(data: bytes, name: str = "a.jpg") -> bytes:
    said = b'Content-Disposition: form-data; name="photograph"; filename="' + name.encode() + b'"'
    return b"--" + BOUNDARY + b"\r\n" + said + b"\r\nContent-Type: image/jpeg\r\n\r\n" + data + b"\r\n"


def form(path: str, *parts: bytes, end: bytes = b"--" + BOUNDARY + b"--\r\n") -> bytes:
    return body(path, b"".join(parts) + end, f"multipart/form-data; boundary={BOUNDARY.decode()}")


def large(path: str, *, chunked: bool) -> Iterator[bytes]:
    """Yield the pieces of an upload of 100 MB."""
    piece = bytes(1_000_000)
    if chunked:
        yield head(path, "Content-Type: image/jpeg", "Transfer-Encoding: chunked")
        yield from itertools.repeat(b"f4240\r\n" + piece + b"\r\n", 100)
        yield b"0\r\n\r\n"
    else:
        yield head(path, "Content-Type: image/jpeg", "Content-Length: 100000000")
        yield from itertools.repeat(piece, 100)


def broken_forms(path: str) -> list[bytes]:
    """Return requests with invalid forms, and invalid requests."""
    good = part(picture("JPEG"))
    multipart = f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}"
    return [
        form(path, good, end=b""),
        form(path, good[: len(good) // 2], end=b""),
        form(path, b"--other\r\n\r\nx\r\n", end=b"--other--\r\n"),
        form(path),
        form(path, b"--" + BOUNDARY + b"\r\n" + b"X-Header: " + b"y" * 20_000 + b"\r\n\r\nx\r\n"),
        form(path, b"--" + BOUNDARY + b"\r\n" + b"A: b\r\n" * 500 + b"\r\nx\r\n"),
        form(path, b"--" + BOUNDARY + b"\r\nno colon here\r\n\r\nx\r\n"),
        form(path, b"--" + BOUNDARY + b"\r\n\r\nno headers at all\r\n"),
        form(
            path,
            b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="class"\r\n\r\n' + b"z" * 50_000 + b"\r\n",
        ),
        form(path, *[b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'] * 100),
        form(path, *[good] * 40),
        form(path, bytes(range(256)) * 40),
        head(path, multipart, "Content-Length: -5"),
        head(path, multipart, "Content-Length: 5", "Content-Length: 6") + b"abcde",
        head(path, multipart, "Transfer-Encoding: chunked") + b"zz\r\nnonsense\r\n",
        head(path, multipart, "Transfer-Encoding: gzip") + b"x",
        head(path, "X-Long: " + "x" * 100_000),
        f"BREW {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode(),
        f"POST {path} HTTP/9.9\r\nConnection: close\r\n\r\n".encode(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n",
        body(path, picture("JPEG")).replace(b"Host: 127.0.0.1", b"Host: evil.example"),
        body(path, picture("JPEG")).replace(b"Connection", b"Origin: http://evil.example\r\nConnection"),
    ]


def cases(count: int = 200, *, seed: int = 0, path: str = "/predict") -> list[Case]:
    """Return hostile uploads of all kinds in a mixed order; equal seeds give equal uploads.

    Args:
        count: number of uploads; with fewer than 100 some kinds are missing.
        seed: seed of contents and order.
        path: path of the URL to which they are sent.
    """
    chance = random.Random(seed)
    found = [
        Case(f"{name}, {way}", once(send(data))) for name, data in PAGES.items() for way, send in both(path).items()
    ]
    for format, bomb in BOMBS.items():
        sizes = [(60_000, 60_000), (65_500, 900), (20_000, 65_000)]
        found += [Case(f"bomb, {format}", once(body(path, bomb(*size)))) for size in sizes]
    for format in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"):
        data = picture(format)
        cuts = [chance.randrange(20, len(data) * 6 // 10) for _ in range(6)]
        found += [Case(f"truncated, {format}", once(body(path, data[:cut]))) for cut in cuts]
    found += [Case("path in the name", once(form(path, part(PAGES["web page"], name)))) for name in NAMES]
    found += [Case("wrong type", once(body(path, picture("JPEG"), kind))) for kind in TYPES]
    found += [Case("multipart nonsense", once(request)) for request in broken_forms(path)]
    found += [Case("not colours", once(body(path, float_tiff())))]
    found += [Case("100 MB", lambda chunked=chunked: large(path, chunked=chunked)) for chunked in (False, True)]
    slow = [body(path, picture("JPEG")), form(path, part(picture("PNG"))), head(path, "X: y")[:-4]]
    found += [Case("slow sender", lambda data=data: drops(data), pause=SLOW) for data in slow]
    while len(found) < count:
        junk = chance.choice(
            (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"RIFF\x40\0\0\0WEBP", b"P6 ")
        )
        found.append(Case("noise", once(body(path, junk + chance.randbytes(chance.randrange(1, 5000))))))
    chance.shuffle(found)
    return found[:count]


def both(path) -> dict:
    """Return the two ways to send a file: a dict name -> function data -> request."""
    return {"bare": lambda data: body(path, data), "in a form": lambda data: form(path, part(data))}


def once(data: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([data])


def drops(data: bytes) -> Iterator[bytes]:
    """Return an iterator over the data, ten bytes at a time."""
    return (data[at : at + 10] for at in range(0, len(data), 10))


def sent(address, case: Case, *, timeout: float = 60) -> tuple[int, bytes]:
    """Send a case and return the status and the body of the answer.

    Raises:
        OSError: the server closed the connection without an answer.
    """
    with socket.create_connection(address, timeout=timeout) as connection:
        found = b""
        try:
            for piece in case.pieces():
                connection.sendall(piece)
                if case.pause and _answered(connection, case.pause):
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server refused before all was sent, and its answer can be read
        while chunk := connection.recv(65_536):
            found += chunk
    top, _, rest = found.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", top)
    if status is None:
        raise OSError(f"{case.kind}: no answer but {found[:80]!r}")
    if b"transfer-encoding: chunked" in top.lower():
        rest = b"".join(rest.split(b"\r\n")[1:-3:2])  # the chunks, without their lengths
    return int(status[1]), rest


def _answered(connection, seconds) -> bool:
    """Wait up to `seconds`, and return whether the server has answered meanwhile."""
    import select

    return bool(select.select([connection], [], [], seconds)[0])


def is_one_line(answer: bytes) -> bool:
    """Return whether a refusal is one readable line: as JSON, or as plain text if the request was not valid HTTP."""
    try:
        text = json.loads(answer)["error"] if answer.startswith(b"{") else answer.decode()
    except (ValueError, KeyError):
        return False
    return "\n" not in text and "Traceback" not in text and len(text) < 1000


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_folder", type=pathlib.Path, metavar="RUN")
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args(arguments)
    import server_process

    met, wrong, longest = collections.Counter(), [], 0.0
    with tempfile.TemporaryDirectory() as scratch:
        with server_process.started(args.run_folder, scratch=scratch) as server:
            server.settle()
            before = server_process.files_below(args.run_folder, scratch)
            for case in cases(args.count):
                began = time.perf_counter()
                status, answer = sent(server.address, case, timeout=120)
                longest = max(longest, time.perf_counter() - began)
                met[case.kind.partition(",")[0], status] += 1
                if not (400 <= status < 500 and is_one_line(answer)):
                    wrong.append(f"{case.kind}: {status} {answer[:200]!r}")
            good, _ = sent(server.address, Case("good", once(body("/predict", picture("JPEG")))))
            made = server_process.files_below(args.run_folder, scratch) - before
        said = server.errors()
    for (kind, status), number in sorted(met.items()):
        print(f"{number:4} {status} {kind}")
    print(f"{sum(met.values())} uploads, the longest answer after {longest:.1f} s; a good photograph then: {good}")
    for line in [*wrong, *(f"made: {path}" for path in sorted(made)), *said]:
        print(line)
    return 0 if not (wrong or made or said) and good == 200 else 1


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
