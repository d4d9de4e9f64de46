"""The case of tools/bench.py that looks for near-duplicates with kfg's index beside that of the library Faiss.

Faiss is no dependency of kfg: `pip install faiss-cpu` before.
"""

import importlib.util

import numpy as np
from _measure import interleaved, rate, report

from kfg.data import near
from kfg.data.fingerprints import NEAR_BITS

OURS, THEIRS = "kfg.data.near.pairs", "faiss.IndexBinaryMultiHash.range_search"
COPIES = 100  # one hash in so many is a near copy of another


def near_duplicates(args) -> bool:
    """Measure hashes/s of both indexes among random hashes with planted near copies; both have to find the same pairs.

    Both cut a hash into near.BANDS pieces and flip as many bits of each as it takes to meet every pair.
    """
    if not importlib.util.find_spec("faiss"):
        raise SystemExit("error: faiss is not installed; pip install faiss-cpu")
    hashes = planted(args.count)
    found, cases = {}, {}
    for name, search in ((OURS, ours), (THEIRS, theirs)):
        cases[name] = rate(lambda name=name, search=search: found.update({name: search(hashes)}), len(hashes))
    figures = interleaved(cases, repeats=args.repeats, warm_up=False)
    if found[OURS] != found[THEIRS]:
        raise SystemExit(f"error: the pairs differ: {len(found[OURS]):,} and {len(found[THEIRS]):,}")
    print(f"Both find the same {len(found[OURS]):,} pairs.")
    return report(f"{len(hashes):,} hashes", figures, unit="hashes/s", bars=[(OURS, THEIRS, 1.0)])


def planted(count: int) -> np.ndarray:
    """Return random hashes, uint64 (count,), of which each COPIES-th differs from the one before in up to NEAR_BITS."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 1 << 64, count, dtype=np.uint64)
    for place in range(1, count, COPIES):
        bits = rng.choice(64, rng.integers(NEAR_BITS + 1), replace=False).astype(np.uint64)
        hashes[place] = hashes[place - 1] ^ np.bitwise_or.reduce(np.uint64(1) << bits, initial=0)
    return hashes


def ours(hashes) -> set:
    """Return the pairs that kfg's index finds, as (earlier position, later position)."""
    blocks = list(near.pairs(hashes, bits=NEAR_BITS, most=len(hashes)))
    return set(map(tuple, np.concatenate(blocks)[:, :2].tolist()))


def theirs(hashes) -> set:
    """Return the pairs that Faiss finds, as (earlier position, later position)."""
    import faiss

    rows = hashes.view(np.uint8).reshape(-1, 8)
    index = faiss.IndexBinaryMultiHash(64, near.BANDS, near.WIDTH)
    index.nflip = NEAR_BITS // near.BANDS
    index.add(rows)
    ends, _, earlier = index.range_search(rows, NEAR_BITS + 1)  # it finds what is nearer than this
    later = np.repeat(np.arange(len(hashes)), np.diff(ends.astype(np.int64)))
    kept = earlier < later
    return set(zip(earlier[kept].tolist(), later[kept].tolist(), strict=True))


def add_commands(commands, common) -> None:
    """Add the sub-command `near`."""
    command = commands.add_parser("near", parents=[common], help="near-duplicates by kfg's index and by Faiss")
    command.add_argument("--count", type=int, default=200_000, help="number of hashes (default: %(default)s)")
    command.set_defaults(run=near_duplicates)
