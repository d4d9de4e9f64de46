"""tools/tried.py: changes to the fine-tuning, measured beside the recipe."""

import keras
import numpy as np
import pytest
import tried

from kfg.augment.mixing import CutMix
from kfg.training import fit
from kfg.training.losses import CrossEntropy


@pytest.mark.parametrize(("aspect", "edge"), [("squashed", 0), ("cropped", 100), ("padded", 0)])
def test_photographs_become_square_in_the_way_asked_for(aspect, edge):
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 20:60] = 100
    made = tried.square(image, 20, aspect)
    assert made.shape == (20, 20, 3) and made[10, 0, 0] == edge and made[10, 10, 0] == 100
    width = (made[10, :, 0] > 50).sum()
    assert width == {"squashed": 10, "cropped": 20, "padded": 10}[aspect]
    assert (made[:, 10, 0] > 50).all()  # what is padded repeats the border


def test_sam_steps_by_the_gradient_of_the_worst_weights_nearby():
    inputs = keras.Input((1,))
    outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(2.0))(inputs)
    model = tried.Sharpness(inputs, outputs)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.train_on_batch(np.ones((4, 1), np.float32), np.zeros((4, 1), np.float32))
    # the loss is w^2: one step of length RHO up, the gradient there, and the step from where it stood
    assert model.get_weights()[0][0, 0] == pytest.approx(2 - 0.1 * 2 * (2 + tried.RHO))


def test_a_teacher_has_its_share_of_the_labels():
    answers = np.array([[0.5, 0.5], [0.2, 0.8], [1, 0]], np.float32)
    images, labels = tried.Taught(answers).apply(
        "as they are", [0, 1], num_classes=2, seed=0, epoch=0, positions=[2, 1]
    )
    assert images == "as they are"
    np.testing.assert_allclose(labels, [[1, 0], [0.1, 0.9]])


def test_fewer_photographs_of_each_class_leave_some_to_learn_from_and_some_to_test(photos):
    index = tried.divided(photos, tried.Config())
    kept = tried.fewer(index, 1)
    assert sorted(zip(kept.labels, kept.parts, strict=True)) == sorted(set(zip(index.labels, index.parts, strict=True)))
    assert tried.fewer(index, 0).paths == index.paths


@pytest.fixture
def small(monkeypatch, tiny_trunk):
    """Let the recipe's settings be those of a small net."""
    config = tried.Config
    settings = {"backbone": tiny_trunk, "image_size": (32, 32), "weights": "none", "head_epochs": 2, "views": 1}
    monkeypatch.setattr(tried, "Config", lambda **given: config(**{**settings, **given}))


def test_without_epochs_the_heads_alone_are_compared(photos, tmp_path, small, monkeypatch):
    monkeypatch.setattr(tried, "tune", lambda *_, **__: pytest.fail("nothing is fine-tuned"))
    index = tried.divided(photos, tried.Config())
    found = tried.tried(index, tmp_path, tried.TRIES["padded"], seed=0, epochs=0)
    assert found["seconds"] == 0 and 0 <= found["top1"] == found["head"] <= 100


def test_tries_that_change_no_head_are_refused_without_epochs(photos, tmp_path, capsys, monkeypatch):
    words = ["tried.py", str(photos), "--cache", str(tmp_path), "--epochs", "0", "--tries", "recipe,sam,mixup"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        tried.main()
    assert ended.value.code == 2 and "no changes: sam, mixup" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["recipe", "cutmix", "sam", "distilled", "last stage on stored outputs"])
def test_a_try_trains_from_a_head_and_says_what_it_reached(name, photos, tmp_path, monkeypatch, small):
    monkeypatch.setattr(
        tried, "teacher", lambda index, _: np.eye(3, dtype=np.float32)[index.take(index.where("train")).labels]
    )
    steps = []
    fitted = fit.train
    monkeypatch.setattr(fit, "train", lambda model, *a, **k: steps.append(model) or fitted(model, *a, **k))
    mixed, fit_on = [], tried.fitting.fit_on
    monkeypatch.setattr(
        tried.fitting, "fit_on", lambda *a, **k: mixed.append((type(k.get("mixing")), k["model"])) or fit_on(*a, **k)
    )
    index = tried.divided(photos, tried.Config())
    found = tried.tried(index, tmp_path, tried.TRIES[name], seed=0, epochs=1)
    assert found.keys() == {"photographs", "seconds", "head", "top1", "macro recall", "mirrored"}
    assert [type(model).__name__ == "Sharpness" for model in steps] == [False, name == "sam"]
    assert all(isinstance(model.loss, CrossEntropy) for model in steps)
    kinds = {"cutmix": CutMix, "distilled": tried.Taught}
    assert mixed[-1][0] is kinds.get(name, type(None))
    on_images = [model.input_shape[1:] == (32, 32, 3) for _, model in mixed]
    assert on_images == [False, name != "last stage on stored outputs"]  # the head learns on features


def test_the_table_shows_the_best_first_with_the_spread_of_its_seeds():
    row = {
        "data": "birds",
        "photographs": 60,
        "epochs": 4,
        "macro recall": 90.0,
        "mirrored": 91.0,
        "seconds": 100,
        "head": 88.0,
    }
    rows = [{**row, "try": name, "top1": top1} for name, top1 in (("sam", 90.0), ("recipe", 92.0), ("recipe", 93.0))]
    *_, best, last = tried.table(rows).splitlines()
    assert best == "| birds | 60 | 4 | recipe | 88.0 ± 0.0 | 92.5 ± 0.7 | 90.0 ± 0.0 | 91.0 ± 0.0 | 100 | 2 |"
    assert last.startswith("| birds | 60 | 4 | sam | 88.0 | 90.0 | ")


def test_heads_answer_from_cached_features_as_their_nets_do_from_pixels(photos, tmp_path, small):
    index = tried.divided(photos, tried.Config())
    test = tried.Part.of(index, tried.pictures(index, 32, "squashed"), "test")
    net = tried.classifier(tried.Config(), len(index.classes))
    for cached, answered in zip(tried.answered_by(net, test, tmp_path), tried.answered_by(net, test), strict=True):
        np.testing.assert_allclose(cached, answered, atol=1e-5)
    own, mirrored = tried.answered_by(net, test)
    assert np.abs(own - mirrored).max() > 1e-4


def test_randaugment_changes_each_image_by_itself_and_alike_for_the_same_seed_and_epoch():
    policy, images = tried.RandAugmented(strength=1.0), np.full((6, 16, 12, 3), (200, 90, 30), np.uint8)
    images[:, 4:9, 3:6] = 20
    drawn = {"seed": 3, "epoch": 1, "positions": np.arange(6)}
    made = policy.apply(images, np.zeros(6, np.int32), **drawn)
    assert made.shape == images.shape and made.dtype == np.uint8
    assert len({one.tobytes() for one in made}) > 3  # of six equal images
    assert np.array_equal(made, policy.apply(images, np.zeros(6, np.int32), **drawn))
    assert not np.array_equal(made, policy.apply(images, np.zeros(6, np.int32), **{**drawn, "epoch": 2}))


@pytest.mark.parametrize("change", tried.CHANGES)
def test_each_change_of_randaugment_keeps_the_size(change):
    image = tried.Image.fromarray(np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3))
    for x in (-1, -0.3, 0, 0.3, 1):
        assert change(image, x).size == (30, 20) and change(image, x).mode == "RGB"


def test_the_changes_of_randaugment_grow_from_nothing():
    image = tried.Image.fromarray(np.random.default_rng(0).integers(30, 220, (20, 30, 3), dtype=np.uint8))
    by_strength = [[np.array_equal(change(image, x), image) for change in tried.CHANGES] for x in (0, 1)]
    levelled = {1, 2}  # autocontrast and equalize, which have no strength
    assert [number for number, same in enumerate(by_strength[0]) if not same] == sorted(levelled)
    assert [number for number, same in enumerate(by_strength[1]) if same] == [0]
    assert np.asarray(tried.CHANGES[3](tried.Image.new("RGB", (2, 2), (200, 0, 255)), 1))[0, 0].tolist() == [55, 0, 0]
