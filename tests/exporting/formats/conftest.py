"""A run folder of a small net, made by hand: no training."""

import json

import numpy as np
import pytest
from small_run import CLASSES, SIZE, photographs, small_net

from kfg.data import splits
from kfg.engine import saving
from kfg.exporting import saved_model
from kfg.exporting.formats import exporting, known
from kfg.models import calibrated


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The folder of a finished run; tests write into copies, or give --out."""
    root = tmp_path_factory.mktemp("formats")
    index = splits.split(photographs(root / "photographs"), val=0.1, test=0.4, seed=0)
    path, model = root / "run", calibrated.with_temperature(small_net(), 1.5)
    path.mkdir()
    splits.write_csv(index, path / "split.csv")
    (path / "classes.json").write_text(json.dumps(CLASSES))
    (path / "env.json").write_text(json.dumps({"photographs": str(root / "photographs")}))
    bank = calibrated.unit_rows([[3, 1, 1], [1, 3, 1], [1, 1, 3], [2, 3, 1]])
    np.savez(path / "strangeness.npz", bank=bank)
    held_out = {"probability": [0.9], "true": [0.9], "right": [1], "weights": [1]}
    told = {"temperature": 1.5, "model": calibrated.fingerprint(model, bank), "held_out": held_out}
    thresholds = {"unsure": {"threshold": 0.6, "precision": 0.95}, "none_of_these": {"threshold": 0.9}}
    (path / "confidence.json").write_text(json.dumps({**told, **thresholds}))
    saving.save_keras(model, CLASSES, path)
    samples = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    saved_model.save(model, path / "export", classes=CLASSES, samples=samples, bank=bank)
    return path


@pytest.fixture(scope="session")
def exported(run, tmp_path_factory):
    """A folder of all formats that can be written here."""
    out = tmp_path_factory.mktemp("exported")
    names = [name for name, one in known.FORMATS.items() if not known.not_installed(one.MODULES)]
    assert [check.format for check in exporting.export(run, names, out=out)] == names
    return out
