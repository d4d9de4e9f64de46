"""The kernels by which TensorFlow computes on processors: oneDNN's, unless the user has said otherwise."""

import os
import platform
import sys

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads this variable when it is imported


def take_onednn() -> None:
    """Let TensorFlow compute by oneDNN's kernels on every x86 processor, unless it is imported already.

    By itself TensorFlow 2.21 takes them on Linux only where the processor has instructions for neural networks, such as
    AVX-512 VNNI or AMX. With them, the last two stages of EfficientNet-Lite0 are trained 1.65 times as fast on two
    cores with AVX2 (`python tools/bench.py kernels`). What the user has set in the environment is kept.
    """
    if platform.machine() in ("x86_64", "AMD64") and "tensorflow" not in sys.modules:
        os.environ.setdefault(ONEDNN, "1")
