import pathlib

import numpy as np
import pytest
from PIL import Image

from kfg import export, parity

COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (210, 50, 40)}


def write_photos(root: pathlib.Path, per_class=12) -> pathlib.Path:
    """Write small noisy JPEGs, one colour per class."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            noise = rng.normal(0, 40, (50, 40, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:03d}.jpg")
    return root


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def without_export(monkeypatch):
    """Write no export, which is a third of a run's time, where a test looks at what was decided, trained or reported.

    Each recipe's nets are exported and checked by the tests that do without this.
    """

    def alike(*_, encoded, **__):
        return parity.Parity(0.0, dict.fromkeys(encoded, 0.0), parity.tolerance())

    monkeypatch.setattr(export, "save", alike)
