"""A checkpoint knows what it was made from: a resumed training goes on with the same, or is refused."""

import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kfg.augment.mixing import Mixup
from kfg.augment.policies import Policy
from kfg.data import pipeline, stores
from kfg.errors import InputError
from kfg.training import checkpoint, fit, losses
from kfg.training.made_from import first_difference
from kfg.training.schedules import Cosine, StepLR

COUNT = 9
LABELS = np.repeat([0, 1, 2], 3).astype(np.int32)
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 4, 4, 3), dtype=np.uint8)
FLIP = Policy(horizontal_flip=True)


def compiled(loss=None, rate=0.01, units=(5, 3), batch_norm=False):
    layers = [keras.Input((4, 4, 3)), keras.layers.Flatten()]
    layers += [keras.layers.Dense(n, activation="softmax" if n == 3 else None) for n in units]
    if batch_norm:
        layers.insert(2, keras.layers.BatchNormalization())
    model = keras.Sequential(layers)
    fit.compile_classifier(model, optimizer=keras.optimizers.Adam(learning_rate=rate), loss=loss)
    return model


def train(
    workdir,
    *,
    epochs,
    model=None,
    labels=LABELS,
    policy=FLIP,
    seed=1,
    batch_size=4,
    sampling=None,
    mixing=None,
    images=None,
    schedule=None,
    **settings,
):
    def batches(first_epoch):
        return pipeline.training_batches(
            images or stores.Images(PIXELS),
            labels,
            batch_size=batch_size,
            seed=seed,
            policy=policy,
            sampling=sampling,
            mixing=mixing,
            num_classes=3,
            first_epoch=first_epoch,
            epochs=epochs,
        )

    return fit.train(
        model or compiled(),
        batches,
        pipeline.evaluation_batches(stores.Images(PIXELS), LABELS, batch_size=9),
        workdir=workdir,
        epochs=epochs,
        steps_per_epoch=pipeline.steps(COUNT, batch_size),
        schedule=schedule,
        resume=True,
        verbose=0,
        **settings,
    )


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Return the folder of a training after its first epoch."""
    folder = tmp_path_factory.mktemp("begun")
    train(folder, epochs=1)
    return folder


CHANGED = {
    "batches labels": {"labels": LABELS[::-1]},
    "batches policy horizontal_flip (True, now False)": {"policy": Policy(vertical_flip=True)},
    "batches policy": {"policy": None},
    "batches seed (1, now 2)": {"seed": 2},
    "batches batch_size (4, now 5)": {"batch_size": 5},
    "batches sampling (None, now balanced)": {"sampling": "balanced"},
    "batches mixing": {"mixing": Mixup()},
    "batches images positions": {"images": stores.Chosen(stores.Images(PIXELS), np.arange(COUNT)[::-1])},
    "loss kind (SparseCategoricalCrossentropy, now CrossEntropy)": {"model": losses.CrossEntropy},
    "optimizer learning_rate": {"model": 0.02},
    "schedule": {"schedule": StepLR(step=1, gamma=0.5)},
    "monitor (val_loss, now val_accuracy)": {"monitor": "val_accuracy"},
    "keep_best (False, now True)": {"keep_best": True},
}


@pytest.mark.parametrize("name", CHANGED)
def test_another_setting_is_refused_by_name_and_the_checkpoint_stays(name, begun):
    changes = dict(CHANGED[name])
    if changes.get("model") is losses.CrossEntropy:
        changes["model"] = compiled(loss=losses.CrossEntropy())
    elif "model" in changes:
        changes["model"] = compiled(rate=changes["model"])
    path = begun / "checkpoint" / "last.npz"
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"last\.npz: this training was started with another .*{re.escape(name)}"):
        train(begun, epochs=2, **changes)
    assert path.read_bytes() == before


def test_other_labels_in_a_data_set_of_ones_own_are_refused(tmp_path):
    def run(labels, epochs):
        def batches(first_epoch):
            return tf.data.Dataset.from_tensor_slices((PIXELS, labels)).batch(9).repeat(epochs - first_epoch)

        settings = {"epochs": epochs, "steps_per_epoch": 1, "resume": True, "verbose": 0, "workdir": tmp_path}
        return fit.train(compiled(), batches, batches(0).take(1), **settings)

    run(LABELS, 1)
    assert len(run(LABELS, 2)) == 2
    with pytest.raises(InputError, match=r"last\.npz: this training was started with another .*batches first labels;"):
        run(LABELS[::-1], 3)


def test_a_finished_training_is_not_handed_out_for_other_labels(begun):
    with pytest.raises(InputError, match="batches labels"):
        train(begun, epochs=1, labels=LABELS[::-1])


def test_more_epochs_are_the_same_training_but_for_a_rate_that_falls_over_all_of_them(tmp_path):
    train(tmp_path / "even", epochs=1)
    assert len(train(tmp_path / "even", epochs=2)) == 2
    train(tmp_path / "cosine", epochs=1, schedule=Cosine())
    with pytest.raises(InputError, match=r"schedule epochs \(1, now 2\)"):
        train(tmp_path / "cosine", epochs=2, schedule=Cosine())


def test_variables_are_matched_by_name_and_the_first_that_does_not_fit_is_named(begun):
    with pytest.raises(InputError, match=r"another model, which has sequential/dense/kernel.*\(48, 5\).*\(48, 3\)"):
        train(begun, epochs=2, model=compiled(units=(3, 3)))
    with pytest.raises(InputError, match=r"which has sequential/dense/kernel.*sequential/batch_normalization/gamma"):
        train(begun, epochs=2, model=compiled(batch_norm=True))
    with pytest.raises(InputError, match=r"another model, which has sequential/dense/kernel \(2\) of shape \(5, 3\)"):
        train(begun, epochs=2, model=compiled(units=(5, 5, 3)))
    with pytest.raises(InputError, match=r"only this one has sequential/dense/kernel \(3\)"):
        train(begun, epochs=2, model=compiled(units=(5, 3, 3)))


def test_layers_of_one_shape_that_changed_places_are_not_mistaken(tmp_path):
    def net(*names):
        layers = [keras.layers.Dense(4, name=name) for name in names]
        model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3, activation="softmax")])
        fit.compile_classifier(model, optimizer=keras.optimizers.SGD(learning_rate=0.1))
        model.optimizer.build(model.trainable_variables)
        return model

    checkpoint.save(tmp_path / "last.npz", net("narrow", "wide"), epoch=1)
    state = checkpoint.read(tmp_path / "last.npz")
    assert checkpoint.restore(net("narrow", "wide"), state) == 1
    with pytest.raises(InputError, match=r"narrow/kernel .* where this one has .*wide/kernel"):
        checkpoint.restore(net("wide", "narrow"), state)


def test_a_checkpoint_fits_the_same_model_in_another_process(begun):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); import test_made_from as made\n"
        "made.compiled(); made.compiled()\n"  # so that Keras counts on
        "print(len(made.train(made.pathlib.Path(sys.argv[1]), epochs=1)))"
    )
    code = code.replace("made.pathlib.Path(sys.argv[1])", "sys.argv[1]")
    words = [sys.executable, "-c", code, str(begun), str(__file__).rpartition("/")[0]]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[-1] == "1"


def test_a_checkpoint_of_an_earlier_version_is_gone_on_from(begun, tmp_path):
    with np.load(begun / "checkpoint" / "last.npz") as file:
        arrays = dict(file)
    state = json.loads(str(arrays.pop("state")))
    del state["names"], state["callbacks"]["MadeFrom"]
    (tmp_path / "checkpoint").mkdir()
    np.savez(tmp_path / "checkpoint" / "last.npz", state=np.array(json.dumps(state)), **arrays)
    assert len(train(tmp_path, epochs=2)) == 2


def test_settings_that_only_one_version_lists_are_passed_over():
    assert first_difference({"a": 1, "old": 2}, {"a": 1, "new": 3}) is None
    assert first_difference({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}) == ("a b", [1, 2], [1, 3])
