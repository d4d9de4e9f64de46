"""Cached features: the trunk's own answers, computed once, whatever is killed or runs at the same time."""

import dataclasses
import gc
import logging
import multiprocessing
import time
import weakref

import keras
import numpy as np
import pytest

from kfg.augment.policies import Policy
from kfg.data import pipeline, stores
from kfg.errors import InputError
from kfg.inference import engines, fastest
from kfg.locks import exclusive
from kfg.training import features
from kfg.training.features import AnyView, Views

FLIP = Views(count=2, policy=Policy(horizontal_flip=True, rotation=20))


def make_trunk(seed=0):
    keras.utils.set_random_seed(seed)
    images = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D(name="features")(x))


def store(count=150, seed=1):
    return stores.Images(np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8))


class Counting:
    """A store that counts how many images of it were read after hashing."""

    def __init__(self, images, key=None):
        self.images, self.shape, self.key, self.reads = images, images.shape, key, 0

    def __len__(self):
        return len(self.images)

    def gather(self, positions):
        self.reads += len(positions)
        return self.images.gather(positions)


def test_features_are_the_trunks_answers_and_computed_once(tmp_path):
    trunk, images = make_trunk(), Counting(store())
    first = features.cached(trunk, images, cache_dir=tmp_path)
    np.testing.assert_allclose(first, trunk.predict(store().array, verbose=0), atol=1e-6)
    assert images.reads == 300  # once for the hash, once for the trunk
    again = features.cached(trunk, images, cache_dir=tmp_path)
    assert images.reads == 450  # the hash alone: pixels that have no key may have changed
    same = Counting(store())
    np.testing.assert_array_equal(first, features.cached(trunk, same, cache_dir=tmp_path))
    assert same.reads == 150
    np.testing.assert_array_equal(first, again)
    assert isinstance(again, np.memmap)
    assert not again.flags.writeable


def test_a_trunk_is_hashed_once_for_each_call_and_traced_once_for_all(tmp_path, monkeypatch):
    trunk, images, hashed, traced = make_trunk(), store(), [], []
    plain = features.weights_hash
    monkeypatch.setattr(features, "weights_hash", lambda model: hashed.append(1) or plain(model))
    monkeypatch.setattr(trunk, "call", lambda *a, **k: traced.append(1) or type(trunk).call(trunk, *a, **k))
    features.seconds(trunk, images, cache_dir=tmp_path)
    features.cached(trunk, images, cache_dir=tmp_path)
    features.cached(trunk, store(20), cache_dir=tmp_path)
    assert len(hashed) == 3 and len(traced) == 1


def test_a_trunk_is_released_when_it_is_asked_for():
    trunk = make_trunk()
    features.of(trunk, store(3))
    held = weakref.ref(trunk)
    del trunk
    features.forget()
    gc.collect()
    assert held() is None


def test_images_whose_key_names_their_pixels_are_not_read_for_a_hash(tmp_path):
    images = Counting(store(), key="the files' digests")
    features.cached(make_trunk(), images, cache_dir=tmp_path)
    assert features.ready(make_trunk(), images, cache_dir=tmp_path)
    assert images.reads == 150  # for the trunk
    some = stores.Chosen(images, np.arange(3))
    assert not features.ready(make_trunk(), some, cache_dir=tmp_path)
    assert features.cache_key(make_trunk(), some, None) != features.cache_key(make_trunk(), images, None)
    assert images.reads == 150


def test_pixels_that_change_in_place_have_other_features(tmp_path):
    trunk, images = make_trunk(), store()
    before = np.array(features.cached(trunk, images, cache_dir=tmp_path))
    images.array[149] = 255 - images.array[149]
    after = features.cached(trunk, images, cache_dir=tmp_path)
    assert np.abs(before[149] - after[149]).max() > 1e-3
    np.testing.assert_array_equal(before[:149], after[:149])


def test_another_weight_pixel_setting_or_view_is_another_file(tmp_path):
    trunk, images = make_trunk(), store()
    keys = {features.cache_key(trunk, images, None), features.cache_key(trunk, images, FLIP)}
    keys.add(features.cache_key(trunk, images, dataclasses.replace(FLIP, seed=1)))
    changed = images.array.copy()
    changed[149, 5, 5, 2] ^= 1
    keys.add(features.cache_key(trunk, stores.Images(changed), None))
    keys.add(features.cache_key(make_trunk(seed=1), images, None))
    keys.add(features.cache_key(trunk, images, FLIP, np.zeros(150, np.int32)))
    keys.add(features.cache_key(trunk, images, FLIP, np.ones(150, np.int32)))
    other = make_trunk()
    other.get_layer("conv").activation = keras.activations.tanh
    keys.add(features.cache_key(other, images, None))
    assert len(keys) == 8
    assert features.cache_key(make_trunk(), store(), None) in keys  # built anew, the same


def wired(crossed):
    """Make a net of one convolution whose maps are subtracted from the image, or the image from them."""
    keras.utils.set_random_seed(0)
    images = keras.Input((6, 6, 3))
    maps = keras.layers.Conv2D(3, 1)(images)
    difference = keras.layers.Subtract()([images, maps] if crossed else [maps, images])
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(difference))


def test_the_same_layers_wired_otherwise_are_another_trunk():
    assert features.weights_hash(wired(False)) == features.weights_hash(wired(False))  # whatever Keras calls them
    assert features.weights_hash(wired(False)) != features.weights_hash(wired(True))


def test_what_is_ready_is_known_and_the_rate_is_measured(tmp_path):
    trunk, images = make_trunk(), store()
    assert not features.ready(trunk, images, cache_dir=tmp_path)
    features.cached(trunk, images, cache_dir=tmp_path)
    assert features.ready(trunk, images, cache_dir=tmp_path)
    assert not features.ready(trunk, images, np.zeros(150, np.int32), cache_dir=tmp_path, views=FLIP)
    assert features.rate(trunk, images, np.zeros(150, np.int32), views=FLIP) > 0


def test_views_are_the_augmented_images(tmp_path):
    trunk, images, labels = make_trunk(), store(), np.zeros(150, np.int32)
    found = features.cached(trunk, images, labels, cache_dir=tmp_path, views=FLIP)
    assert found.shape == (2, 150, 4)
    seen = FLIP.policy.apply(images.array, labels, seed=0, epoch=1, positions=np.arange(150))
    np.testing.assert_allclose(found[1], trunk.predict(seen, verbose=0), atol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_a_killed_fill_goes_on_where_it_stopped(tmp_path):
    trunk, whole = make_trunk(), features.cached(make_trunk(), store(), cache_dir=tmp_path / "whole")

    def kill(done, total):
        if done >= 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features.cached(trunk, store(), cache_dir=tmp_path / "cut", progress=kill)
    images, told = Counting(store()), []
    resumed = features.cached(
        trunk, images, cache_dir=tmp_path / "cut", progress=lambda done, total: told.append((done, total))
    )
    assert images.reads == 150 + 86  # the hash, and what was missing
    assert told == [(128, 150), (150, 150)]
    np.testing.assert_array_equal(resumed, whole)
    assert sorted(path.suffix for path in (tmp_path / "cut").iterdir()) == [".float32", ".lock"]


def hold(path, started, release):
    with exclusive(path):
        started.set()
        release.wait(20)


def test_a_second_process_waits_for_the_first_and_for_no_dead_one(tmp_path, caplog):
    context = multiprocessing.get_context("fork")
    started, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "x.lock", started, release))
    other.start()
    assert started.wait(20)
    with caplog.at_level(logging.WARNING):
        begun = time.monotonic()
        other_ends = context.Process(target=lambda: (time.sleep(0.3), release.set()))
        other_ends.start()
        with exclusive(tmp_path / "x.lock"):
            assert time.monotonic() - begun > 0.2
    assert "in use by another process; waiting for it (process" in caplog.text
    other.join()
    other_ends.join()
    with exclusive(tmp_path / "x.lock"):
        pass


def test_damage_and_folders_that_cannot_be_are_named(tmp_path):
    features.cached(make_trunk(), store(), cache_dir=tmp_path)
    (path,) = tmp_path.glob("*.float32")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"features-\w+\.float32: has 2,396 bytes instead of 2,400; remove it"):
        features.cached(make_trunk(), store(), cache_dir=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"):
        features.cached(make_trunk(), store(), cache_dir=tmp_path / "file" / "cache")


def test_batches_of_features_show_every_view(tmp_path):
    own = np.arange(40, dtype=np.float32).reshape(20, 2)
    views = np.stack([own + 100, own + 200])
    seen = []
    batches = pipeline.training_batches(
        stores.Images(own), np.arange(20), batch_size=8, seed=3, policy=AnyView(views), epochs=30
    )
    for batch, labels in batches:
        base = own[labels.numpy()]
        offset = batch.numpy() - base
        assert (offset == offset[:, :1]).all()
        seen += offset[:, 0].tolist()
    counts = {value: seen.count(value) for value in set(seen)}
    assert set(counts) == {0.0, 100.0, 200.0}
    assert len(seen) == 600
    assert min(counts.values()) > 150  # 200 expected of each
    (first, _), *_ = pipeline.evaluation_batches(stores.Images(own), np.arange(20), batch_size=8)
    np.testing.assert_array_equal(first, own[:8])


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"done": "x"}', '{"done": -1}', '{"done": 1000}', '{"done": 150}'])
def test_a_damaged_count_of_an_interrupted_fill_costs_the_work_and_no_pixel(state, tmp_path):
    """A power cut may keep the count and lose what it counted: zeros must not pass for features."""
    trunk, whole = make_trunk(), features.cached(make_trunk(), store(), cache_dir=tmp_path / "whole")
    (path,) = (tmp_path / "whole").glob("*.float32")
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / path.with_suffix(".done.json").name).write_text(state)
    (cut / path.with_suffix(".partial").name).write_bytes(bytes(100))
    np.testing.assert_array_equal(features.cached(trunk, store(), cache_dir=cut), whole)


class Shifted:
    """An engine whose answers are TensorFlow's but for rounding, and that is faster than anything."""

    title, modules, package = "Shifted", (), "numpy"

    def write(self, model, folder):
        model.save(folder / "net.keras")

    def opened(self, folder):
        net = keras.saving.load_model(folder / "net.keras")
        return lambda images: np.asarray(net(images.astype(np.float32))) + np.float32(1e-5)


def test_the_fastest_engine_computes_and_the_file_is_called_after_it(tmp_path, monkeypatch):
    trunk = make_trunk()
    plain = np.array(features.cached(trunk, store(), cache_dir=tmp_path / "plain"))
    monkeypatch.setattr(fastest, "ENGINES", {"shifted": Shifted()})
    monkeypatch.setattr(engines, "ENGINES", {"shifted": Shifted()})
    monkeypatch.setattr(fastest, "FEWEST", 150)
    monkeypatch.setattr(fastest, "_rates", lambda answers, samples: {"tensorflow": 1.0, "shifted": 2.0})
    np.testing.assert_array_equal(features.cached(trunk, store(), cache_dir=tmp_path / "plain"), plain)  # is there
    assert not features.ready(trunk, store(), cache_dir=tmp_path)
    found = features.cached(trunk, store(), cache_dir=tmp_path)
    np.testing.assert_allclose(found, plain + 1e-5, atol=1e-7)
    assert features.ready(trunk, store(), cache_dir=tmp_path)
    few = features.cached(trunk, store(10), cache_dir=tmp_path)  # what was found for many holds for few
    np.testing.assert_allclose(few, trunk(store(10).array.astype(np.float32)) + 1e-5, atol=1e-7)
    assert len(list(tmp_path.glob("*.float32"))) == 2
    assert not list(tmp_path.glob(f"features-{features.cache_key(trunk, store(), None)}*"))
