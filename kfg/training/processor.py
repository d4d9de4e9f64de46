"""Find the instruction sets of this machine's processor, as its operating system lists them."""

import functools
import pathlib

CPUINFO = pathlib.Path("/proc/cpuinfo")
# instruction sets that multiply bfloat16 numbers: three of x86 (the third for processors without AVX-512), two of ARM
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16", "svebf16"})


@functools.cache
def instructions() -> frozenset[str] | None:
    """Return Linux's names of the processor's instruction sets; None if the system does not list them."""
    if not CPUINFO.is_file():
        return None
    for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):  # the names on x86 and on ARM
            return frozenset(value.split())
    return None


def may_gain_by_bfloat16() -> bool:
    """Return whether bfloat16 may be faster than float32, which needs instructions that multiply bfloat16 numbers.

    Without them bfloat16 is emulated; on a processor with AVX2 alone, training had an eighth of float32's speed.
    """
    found = instructions()
    return found is None or bool(found & BFLOAT16)


def vectors() -> list[str]:
    """Return, for the record of a run, which instruction sets that matter for speed this processor has."""
    known = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")
    return [name for name in known if name in (instructions() or ())]
