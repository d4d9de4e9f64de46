"""Damage the bytes of files as bad cables, memory cards, broken downloads and faulty programs do."""

import struct
import zlib

import numpy as np

LENGTHS = (0, 1, 2, 3, 4, 8, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
PNG = b"\x89PNG\r\n\x1a\n"


def cut(data, rng, _other):
    """Keep only the beginning, as in a download or copy that broke off."""
    return data[: int(rng.integers(0, len(data) + 1))]


def flip_bits(data, rng, _other):
    changed = bytearray(data)
    for at in rng.integers(0, len(data), int(rng.integers(1, 9))) if data else ():
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def flip_in_header(data, rng, _other):
    changed = bytearray(data)
    for at in rng.integers(0, min(len(data), 64), int(rng.integers(1, 4))) if data else ():
        changed[at] = int(rng.integers(256))
    return bytes(changed)


def length(data, rng, _other):
    """Write a critical number somewhere in the first bytes, where sizes, offsets and lengths are stored."""
    if len(data) < 8:
        return data
    number, at = LENGTHS[int(rng.integers(len(LENGTHS)))], int(rng.integers(0, min(len(data) - 4, 300)))
    form = (">I", "<I", ">H", "<H")[int(rng.integers(4))]
    raw = struct.pack(form, number % 65536 if form[1] == "H" else number)
    return data[:at] + raw + data[at + len(raw) :]


def zero(data, rng, _other):
    """Set a range of bytes to zero, as for a block of a memory card that could not be read."""
    at = int(rng.integers(0, len(data) + 1))
    size = int(rng.integers(1, 1 + max(1, len(data) // 4)))
    return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]


def garbage(data, rng, _other):
    at = int(rng.integers(0, len(data) + 1))
    return data[:at] + rng.bytes(int(rng.integers(1, 65))) + data[at + int(rng.integers(0, 65)) :]


def splice(data, rng, other):
    """Join the beginning of one file and the end of another."""
    return data[: int(rng.integers(0, len(data) + 1))] + other[int(rng.integers(0, len(other) + 1)) :]


def repeat(data, rng, _other):
    at = int(rng.integers(0, len(data) + 1))
    return data[:at] + data[at // 2 : at] + data[at:]


def mend(data, rng, _other):
    """Flip bits of a PNG and correct its checksums, so that the code after the checks is reached, too."""
    if not data.startswith(PNG):
        return flip_bits(data, rng, _other)
    at, changed = len(PNG), [PNG]
    chosen = int(rng.integers(6))
    number = 0
    while at + 12 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        if number == chosen and body:
            body = flip_bits(body, rng, b"")
        changed.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
        at, number = at + 12 + size, number + 1
    return b"".join(changed)


MUTATIONS = (cut, flip_bits, flip_in_header, length, zero, garbage, splice, repeat, mend)


def mutated(seeds: dict[str, bytes], *, seed: int, number: int) -> tuple[str, bytes]:
    """Return the name and the bytes of input `number` of a campaign, a pure function of (seed, number).

    The first inputs are the undamaged seeds.
    """
    names = sorted(seeds)
    if number < len(names):
        return names[number], seeds[names[number]]
    rng = np.random.default_rng([seed, number])
    name, other = names[int(rng.integers(len(names)))], names[int(rng.integers(len(names)))]
    data, said = seeds[name], [name]
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        data = mutation(data, rng, seeds[other])
        said.append(mutation.__name__)
    return " ".join(said), data
