"""Post-hoc corrections of a run folder, from the command line down."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.data import decoded, folder, pipeline, splits, stores
from kfg.errors import InputError
from kfg.evaluation import metrics, posthoc, predict
from kfg.files import write_json
from kfg.runs import corrected_answers

LEVELS = {"bright": 200, "dark": 60, "middle": 130}
IMAGES = {"bright": 120, "dark": 40, "middle": 12}


def model_of(head):
    """Return a model whose features are (mean level, mean level, 1) and whose head favours the class of many images."""
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Dense(3, name="features")(keras.layers.GlobalAveragePooling2D()(x))
    outputs = head(x)
    model = keras.Model(inputs, outputs)
    model.get_layer("features").set_weights([np.full((3, 3), 1 / 3) * [1, 1, 0], np.array([0, 0, 1.0])])
    # class scores are parabolas 2 m x - m^2 of the mean level, opened by 20, plus what the counts add
    m = np.array(list(LEVELS.values())) / 255
    kernel = 20 * np.stack([m, m, -(m**2)])
    model.get_layer("head").set_weights([kernel, np.log([120, 40, 12]) - np.log(12)])
    return model


def split_softmax(x):
    return keras.layers.Activation("softmax")(keras.layers.Dense(3, name="head")(x))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the images' folder and a finished run on them."""
    root, run = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    for name, count in IMAGES.items():
        (root / name).mkdir()
        for i in range(count):
            level = np.clip(LEVELS[name] + rng.normal(0, 25), 0, 255)
            Image.new("RGB", (4, 4), (int(level),) * 3).save(root / name / f"{i:03d}.png")
    index = splits.split(folder.scan(root), val=0.3, test=0.3, seed=0)
    splits.write_csv(index, run / "split.csv")
    model = model_of(split_softmax)
    model.save(run / "model.keras")
    images = decoded.load(index, image_size=(4, 4))
    for part, name in corrected_answers.PREDICTIONS.items():
        at = index.where(part)
        batches = pipeline.evaluation_batches(stores.Chosen(images, at), index.labels[at], batch_size=16)
        answers = predict.predict(model, batches, index=index.take(at))
        predict.write_csv(answers, run / name)
    write_json(run / "report.json", metrics.evaluate(answers))
    return root, run, index


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made[1], tmp_path / "run")


def test_both_corrections_are_written_and_shown_before_and_after(made, run, capsys):
    root, _, index = made
    assert main(["evaluate", str(run), "--posthoc", "--data", str(root)]) == 0
    printed = capsys.readouterr().out
    result = json.loads((run / "posthoc.json").read_text())
    train = index.take(index.where("train"))
    assert result["train_counts"] == train.counts().tolist()
    before = predict.read_csv(run / "predictions.csv")
    assert result["before"] == posthoc.figures(before, train.counts())
    assert [one["method"] for one in result["corrections"]] == ["logit adjustment", "tau-normalisation"]
    adjusted = result["corrections"][0]
    assert adjusted["after"]["macro_recall"] > result["before"]["macro_recall"]
    prior = np.log(train.counts() / len(train))
    again = posthoc.adjusted(before, prior, tau=adjusted["tau"])
    assert adjusted["after"] == posthoc.figures(again, train.counts())
    assert adjusted["tau"] == float(max(adjusted["val_macro_recall"], key=adjusted["val_macro_recall"].get)) > 0
    for one in (result["before"], *(each["after"] for each in result["corrections"])):
        assert f"{100 * one['macro_recall']:.1f}%" in printed
    assert "right (top-1)" in printed and "rare < 20" in printed and str(run / "posthoc.json") in printed


def test_images_that_were_left_out_of_training_are_not_in_the_prior(run, made):
    index = made[2]
    left_out = [index.paths[at] for at in index.where("train")[:3]]
    write_json(run / "config.json", {"config": {"left_out": left_out}})
    expected = index.take(index.where("train")[3:]).counts().tolist()
    assert corrected_answers.correct(run)["train_counts"] == expected


def test_the_normalised_head_is_the_model_with_its_kernel_divided(made, run):
    root, _, index = made
    result = corrected_answers.correct(run, data_dir=root, tau=1.0)
    model = keras.saving.load_model(run / "model.keras")
    kernel, bias = model.get_layer("head").get_weights()
    lengths = np.linalg.norm(kernel, axis=0)
    model.get_layer("head").set_weights([kernel / lengths * np.exp(np.log(lengths).mean()), bias])
    test = index.take(index.where("test"))
    batches = pipeline.evaluation_batches(decoded.load(test, image_size=(4, 4)), test.labels, batch_size=7)
    expected = posthoc.figures(predict.predict(model, batches, index=test), result["train_counts"])
    assert result["corrections"][1]["after"] == expected
    assert expected != result["before"]


def test_a_given_tau_is_used_and_without_images_only_logits_are_adjusted(run, capsys):
    assert main(["evaluate", str(run), "--posthoc", "--tau", "0.5"]) == 0
    printed = capsys.readouterr().out
    (one,) = json.loads((run / "posthoc.json").read_text())["corrections"]
    assert one["tau"] == 0.5 and "tau given" in printed
    assert "note: tau-normalisation is left out" in printed


@pytest.mark.parametrize(
    "setting, said",
    [
        ({"imbalance": "auto"}, "every class shown equally often (imbalance=balanced)"),
        ({"imbalance": "adjusted"}, "adjusted to the class counts (imbalance=adjusted)"),
        ({"loss": "plain", "sampling": "balanced"}, "every class shown equally often (sampling=balanced)"),
        ({"loss": "plain", "sampling": None}, ""),
        ({}, ""),
    ],
)
def test_a_run_that_was_adjusted_in_training_says_what_a_correction_then_means(run, capsys, setting, said):
    write_json(run / "config.json", {"config": setting, "choices": {"classes": {"treatment": "balanced"}}})
    assert main(["evaluate", str(run), "--posthoc"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("add --data DIR" in line for line in lines) == 1
    notes = [line for line in lines if line.startswith("note: the model was trained")]
    assert len(notes) == bool(said) and said in "".join(notes)


def test_a_tau_chosen_on_the_test_images_is_said(run, made):
    splits.write_csv(splits.with_test_as_val(made[2]), run / "split.csv")
    assert "validation images are also the test images" in corrected_answers.table(corrected_answers.correct(run))


def test_without_posthoc_the_runs_figures_are_printed_and_nothing_is_written(run, capsys):
    assert main(["evaluate", str(run)]) == 0
    top1 = json.loads((run / "report.json").read_text())["top1"]
    value, low, high = (f"{100 * top1[key]:.1f}%" for key in ("value", "low", "high"))
    assert f"right (top-1)  {value:>7}  ({low} to {high})" in capsys.readouterr().out
    assert not (run / "posthoc.json").exists()


@pytest.mark.parametrize(
    "missing", ["report.json", "val_predictions.csv", "predictions.csv", "split.csv", "model.keras"]
)
def test_a_file_that_is_missing_is_named(made, run, missing, capsys):
    (run / missing).unlink()
    assert main(["evaluate", str(run), "--posthoc", "--data", str(made[0])]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"has no {missing}" in error


@pytest.mark.parametrize(
    "options, named",
    [
        (["--posthoc", "--tau", "-1"], "--tau"),
        (["--tau", "1"], "--posthoc"),
        (["--posthoc", "--data", "nowhere"], "nowhere"),
    ],
)
def test_wrong_use_is_one_line(run, options, named, capsys):
    assert main(["evaluate", str(run), *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and named in error


def test_other_images_under_the_same_names_are_refused(made, run, tmp_path):
    other = shutil.copytree(made[0], tmp_path / "other")
    for path in other.rglob("*.png"):
        Image.new("RGB", (4, 4), (90, 90, 90)).save(path)
    with pytest.raises(InputError, match="not the run's images"):
        corrected_answers.correct(run, data_dir=other)


def test_a_damaged_model_is_a_line(made, run):
    whole = (run / "model.keras").read_bytes()
    (run / "model.keras").write_bytes(whole[:2000] + bytes(2000) + whole[4000:])
    with pytest.raises(InputError, match=r"model\.keras: not a complete Keras model"):
        corrected_answers.correct(run, data_dir=made[0])


@pytest.mark.parametrize(
    "head, fits",
    [
        (split_softmax, True),
        (lambda x: keras.layers.Dense(3, activation="softmax", name="head")(x), True),
        (lambda x: keras.layers.Softmax()(keras.layers.Dense(3, use_bias=True, name="head")(x)), True),
        (lambda x: keras.layers.Softmax()(keras.layers.ReLU()(keras.layers.Dense(3, name="head")(x))), False),
        (lambda x: keras.layers.Softmax()(keras.layers.Dense(3, activation="relu", name="head")(x)), False),
        (lambda x: keras.layers.Activation("relu")(keras.layers.Dense(3, name="head")(x)), False),
    ],
)
def test_a_dense_head_is_split_off_and_another_is_refused(head, fits):
    model = model_of(head)
    if not fits:
        with pytest.raises(InputError, match="a single dense layer and a softmax"):
            corrected_answers.dense_head(model)
        return
    trunk, kernel, bias = corrected_answers.dense_head(model)
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    logits = trunk.predict_on_batch(images) @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_on_batch(images), expected, rtol=1e-4, atol=1e-6)
