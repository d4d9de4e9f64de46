"""tools/row_costs.py: what rows cost on a GPU, and rows that run once."""

import dataclasses
import json

import pytest
import row_costs

from kfg.errors import InputError
from kfg.recipes import competition100, cub200, fruit3, imagenet20, retail258


def test_a_net_is_counted_with_the_classes_of_its_study(monkeypatch):
    config = cub200.ROWS["lite0"].config
    fewer = dataclasses.replace(row_costs.STUDIES["cub200"], classes=100)
    with_all = row_costs.macs("cub200", config)
    monkeypatch.setitem(row_costs.STUDIES, "cub200", fewer)
    assert with_all - row_costs.macs("cub200", config) == 1280 * 100  # weights of the last layer


def test_mmal_net_learns_from_seven_parts_of_half_the_side_too():
    plain, mmal = (
        row_costs.macs("competition100", competition100.ROWS[f"{net}-lite0"].config) for net in ("plain", "mmal")
    )
    assert mmal / plain == pytest.approx(2 + 7 / 4, rel=0.01)


@pytest.mark.parametrize(
    ("recipe", "row", "images"),
    [
        ("fruit3", "cnn", 8 * round(4141 * 0.7)),  # eight copies of each
        ("fruit3", "cnn-no-copies", round(4141 * 0.7)),
        ("fruit3", "cnn-val-is-test", 8 * round(4141 * 0.8)),
        ("fruit3", "cnn-all-sizes", 8 * round(4195 * 0.7)),
        ("imagenet20", "convnet5", round(13543 * 0.65) + 500),
        ("imagenet20", "arm-none", round(13543 * 0.65)),
        ("cub200", "b0", round(5994 * 0.9)),  # its test images are others
    ],
)
def test_an_epoch_has_copies_and_extra_images_and_leaves_other_parts_out(recipe, row, images):
    config = row_costs.rows_of(recipe)[row].config
    assert row_costs.STUDIES[recipe].training_images(config) == images


@pytest.mark.parametrize(
    ("config", "passes"),
    [
        (cub200.ROWS["b0"].config, 3 * 20),  # forward, to inputs and to weights, 20 epochs
        (cub200.ROWS["b0-frozen"].config, 2 * 20),
        (cub200.ROWS["lite0-head"].config, 1),  # features are computed once
        (retail258.ROWS["lite0"].config, 1),
        (fruit3.ROWS["vgg16"].config, 10),  # pictures are new in each epoch
        (imagenet20.ROWS["convnet1"].config, 3 * 32),
    ],
)
def test_what_does_not_learn_costs_less(config, passes):
    assert row_costs.passes(config, config.epochs) == passes


def test_the_rate_is_that_of_the_minutes_that_the_study_printed(monkeypatch):
    monkeypatch.setattr(row_costs, "macs", lambda *_: 1_000)
    rates = row_costs.rates()
    # VGG16, whose head alone learned: 6 epochs of 8 copies of four fifths of 4,141 photographs, in 39.77 minutes
    assert rates["vgg"] == pytest.approx(1_000 * 6 * 8 * round(4141 * 0.8) / (39.77 * 60), rel=1e-6)
    # EfficientNet-B2, all of which learned, takes three times as many in an image
    assert rates["efficientnet"] == pytest.approx(3_000 * 7 * 8 * round(4141 * 0.8) / (73.52 * 60), rel=1e-6)


@pytest.mark.parametrize(
    ("recipe", "row", "like"),
    [
        ("fruit3", "cnn", "lenet"), ("retail258", "cnn5", "lenet"), ("imagenet20", "convnet2", "convnet"),
        ("retail258", "vgg19", "vgg"), ("retail258", "inception-v3", "resnet"), ("cub200", "lite2", "efficientnet"),
        ("competition100", "mmal", "resnet"), ("competition100", "mmal-lite0", "efficientnet"),
    ],
)  # fmt: skip
def test_a_row_goes_by_the_most_similar_net(recipe, row, like):
    assert row_costs.kind(row_costs.rows_of(recipe)[row].config) == like


def test_a_row_that_ran_is_not_said_to_be_measured(monkeypatch):
    names = ("lite0", "vgg16", "vgg19")
    known = row_costs.rows_of
    monkeypatch.setattr(row_costs, "macs", lambda *_: 10**9)
    monkeypatch.setattr(
        row_costs,
        "rows_of",
        lambda recipe: {name: known(recipe)[name] for name in names} if recipe == "retail258" else known(recipe),
    )
    monkeypatch.setattr(row_costs, "ran_once", lambda _: {"lite0", "vgg16"})
    told = row_costs.table("retail258").splitlines()[2:]
    assert [line.split(" | ")[-1] for line in told] == ["measured |", "runs |", "not tried |"]


def test_few_photographs_are_links_to_the_first_of_each_class(photos, tmp_path):
    count = row_costs.few(photos, tmp_path, classes=2, per_class=3)
    links = sorted(tmp_path.rglob("*.*"))
    assert count == len(links) == 6 and all(link.is_symlink() and link.exists() for link in links)
    assert {link.parent.name for link in links} == {"blue", "green"}
    assert sorted(link.resolve().name for link in links) == sorted(["000.jpg", "001.jpg", "002.jpg"] * 2)


def test_a_row_that_does_not_run_is_named_and_the_others_get_their_line(photos, tmp_path, monkeypatch):
    def run(_, row, *__):
        if row == "vgg16":
            raise InputError("retail258 vgg16 did not run: too large")

    monkeypatch.setattr(row_costs, "run", run)
    monkeypatch.setattr(row_costs, "RECIPES", tmp_path)
    (tmp_path / "retail258").mkdir()
    told = row_costs.run_all("retail258", ["vgg16", "vgg19"], photos, classes=3, per_class=2)
    assert told == ["retail258 vgg16 did not run: too large"] and row_costs.ran_once("retail258") == {"vgg19"}
    line = json.loads((tmp_path / "retail258" / "ran.jsonl").read_text())
    assert (line["photographs"], line["epochs"], line["data"]) == (6, 1, photos.name)


def test_what_a_row_said_last_is_its_reason(tmp_path):
    with pytest.raises(InputError, match=r"retail258 vgg16 did not run: error: .*nowhere"):
        row_costs.run("retail258", "vgg16", tmp_path / "nowhere", tmp_path / "runs")


@pytest.mark.parametrize("recipe", row_costs.STUDIES)
def test_every_row_of_a_recipe_is_measured_or_has_run_once(recipe):
    assert set(row_costs.rows_of(recipe)) <= row_costs.measured(recipe) | row_costs.ran_once(recipe)


@pytest.mark.parametrize(("value", "text"), [(0.0123, "0.012"), (1.26, "1.3"), (9.96, "10"), (1234, "1,200")])
def test_hours_have_two_digits(value, text):
    assert row_costs.rounded(value) == text
