"""What the processor can compute, read from what Linux tells of it."""

import pytest

from kfg.training import processor

X86 = "processor\t: 0\nmodel name\t: {name}\nflags\t\t: fpu sse2 {flags}\nbugs\t\t: spectre_v1\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {flags}\nCPU part\t: 0xd40\n"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Return a function that puts a text in the place of /proc/cpuinfo."""

    def put(text):
        (tmp_path / "cpuinfo").write_text(text)
        monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
        processor.instructions.cache_clear()

    yield put
    processor.instructions.cache_clear()


@pytest.mark.parametrize(
    ("text", "gains", "vectors"),
    [
        (X86.format(name="an older one", flags="avx avx2"), False, ["avx2"]),
        (X86.format(name="Skylake", flags="avx2 avx512f avx512bw"), False, ["avx2", "avx512f"]),
        (X86.format(name="Cooper Lake", flags="avx2 avx512f avx512_bf16"), True, ["avx2", "avx512f", "avx512_bf16"]),
        (X86.format(name="Sapphire Rapids", flags="avx2 avx512f amx_bf16"), True, ["avx2", "avx512f", "amx_bf16"]),
        (ARM.format(flags="fphp"), False, ["asimd"]),
        (ARM.format(flags="sve bf16"), True, ["asimd", "sve", "bf16"]),
    ],
)
def test_bfloat16_may_gain_where_the_processor_multiplies_it(told, text, gains, vectors):
    told(text)
    assert processor.may_gain_by_bfloat16() == gains
    assert processor.vectors() == vectors


def test_where_the_system_does_not_tell_formats_are_timed(told, tmp_path):
    told("processor\t: 0\n")
    assert processor.instructions() is None and processor.may_gain_by_bfloat16() and processor.vectors() == []
    (tmp_path / "cpuinfo").unlink()
    processor.instructions.cache_clear()
    assert processor.instructions() is None
