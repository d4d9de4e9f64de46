"""kfg: train, examine, repair and ship image classifiers for look-alike classes and few images.

The names below are what the package offers; each is looked up when it is first used, so that `import kfg` takes no time
and TensorFlow is loaded by those that need it.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {  # name -> the module it is defined in, and after a colon its name there where that is another
    "InputError": "kfg.errors",
    "Part": "kfg.data.part",
    "load": "kfg.data.loading",
    "split": "kfg.data.loading",
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
