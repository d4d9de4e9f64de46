"""tools/scale.py: known slopes are carried on to large numbers, and what is timed is what it says."""

import keras
import numpy as np
import pytest
import scale
from PIL import Image
from scale import Measured

from kfg.data import fingerprints
from kfg.errors import InputError
from kfg.inference import engines
from kfg.repairing.trunks import Trunk


def test_a_line_and_a_parabola_are_found_again():
    line = Measured("a", (100, 200, 400), tuple(3 + 0.5 * n for n in (100, 200, 400)))
    assert line.expected(1_000_000) == pytest.approx(500_003)
    square = Measured("b", (100, 200, 400), tuple(1 + 2e-3 * n + 1e-4 * n * n for n in (100, 200, 400)), (0, 1, 2))
    assert square.expected(100_000) == pytest.approx(1 + 200 + 1e6)
    assert Measured("c", (32,), (8.0,), powers=(1,)).expected(100_000) == pytest.approx(25_000)


def test_times_that_fall_by_chance_are_carried_on_as_no_gain():
    assert Measured("a", (100, 200), (2.0, 1.0)).expected(1_000_000) > 0


def test_the_table_says_what_was_measured_and_what_that_makes():
    assert scale.HEAD[0] == "| step | measured: n, seconds | 100,000 | 1,000,000 | 10,000,000 |"
    assert (
        scale.row(Measured("audit", (1000, 2000), (10.0, 20.0)))
        == "| audit | 1,000: 10.00; 2,000: 20.00 | 16.7 min | 2.8 h | 27.8 h |"
    )


def test_each_hundredth_hash_has_its_copy():
    prints = scale.prints_of(1000)
    assert [tuple(pair) for pair in fingerprints.near_pairs(prints).tolist()] == [
        (i, i + 1, 3) for i in range(0, 1000, 100)
    ]


def test_as_many_photographs_as_asked_for_are_audited(tmp_path, monkeypatch):
    for i in range(40):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    counts, audit = [], scale.audit.audit
    monkeypatch.setattr(scale.audit, "audit", lambda root: counts.append(audit(root).images))
    measured = scale.audited(tmp_path / "photos", (20, 40))
    assert counts == [20, 20, 40] and measured.sizes == (20, 40) and len(measured.seconds) == 2
    with pytest.raises(InputError, match="41 were asked for"):
        scale.audited(tmp_path / "photos", (41,))


def test_heads_of_all_sizes_are_trained_for_the_epochs_of_kfg_train(monkeypatch):
    ticks = iter(range(0, 1000, 10))
    fitted = []
    fit = keras.Model.fit
    monkeypatch.setattr(
        keras.Model, "fit", lambda model, x, *a, epochs, **k: fitted.append((len(x), epochs)) or fit(model, x, *a, **k)
    )
    measured = scale.heads((80, 160), lambda: next(ticks))
    assert fitted == [(scale.BATCH, 40), (80, 40), (160, 40)]
    assert measured.sizes == (80, 160) and measured.seconds == (10, 10)  # the first is not counted


def test_every_engine_that_is_installed_computes_features(photos, monkeypatch):
    images = keras.Input((256, 256, 3))
    trunk = keras.Model(images, keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(images)))
    monkeypatch.setattr(Trunk, "built", lambda _: trunk)
    monkeypatch.setattr(scale, "BATCH", 4)
    found = list(scale.looked_at(photos, (4, 8)))
    names = ["TensorFlow", *map(engines.titled, engines.at_hand())]
    assert [one.what for one in found] == ["decoding and resizing", *(f"features, {name}" for name in names)]
    assert all(len(one.seconds) == 2 and min(one.seconds) > 0 for one in found)
