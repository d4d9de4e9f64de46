"""kfg: train, examine, repair and ship image classifiers for look-alike classes and few images.

The names below are the package's public interface. Each is imported when it is first used, so that `import kfg` is fast
and TensorFlow is loaded only by the functions that need it. Unless
TensorFlow is imported already, the import sets one environment variable, which makes it compute with oneDNN's kernels
(kfg.kernels). It changes nothing else.
"""

import importlib

from kfg.kernels import take_onednn

take_onednn()  # here, because anything of kfg may be the first to import TensorFlow

__version__ = "0.1.0"

_HOMES = {  # name -> module that defines it; after a colon its name in that module, if it differs
    "InputError": "kfg.errors",
    "Part": "kfg.data.part",
    "load": "kfg.data.loading",
    "split": "kfg.data.loading",
    "from_datasets": "kfg.data.foreign_sets",
    "from_tfds": "kfg.data.foreign_sets",
    "Policy": "kfg.augment.policies",
    "audit": "kfg.data.audit",
    "weak_classes": "kfg.face",
    "extra_images": "kfg.face",
    "features": "kfg.face",
    "evaluate": "kfg.face",
    "report": "kfg.face",
    "export": "kfg.exporting.checked",
    "train": "kfg.face",
    "repair": "kfg.face",
    "open": "kfg.runs.run:open_run",
    "Run": "kfg.runs.run",
}
__all__ = sorted(_HOMES.keys() - {"open"})  # `from kfg import *` leaves Python's own open alone


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'kfg' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    globals()[name] = value = getattr(importlib.import_module(module), attribute or name)
    return value


def __dir__():
    return sorted({*globals(), *_HOMES})
