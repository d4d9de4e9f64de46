"""tools/row_costs.py: what rows cost on a GPU, and rows that run once."""

import dataclasses

import pytest
import row_costs

from kfg.recipes import cub200, fruit3, retail258

NETS = [("fruit3", "cnn"), ("fruit3", "vgg16"), ("fruit3", "resnet50"), ("fruit3", "efficientnet-b2")]


def test_a_net_is_counted_with_the_classes_of_its_study(monkeypatch):
    config = cub200.ROWS["lite0"].config
    fewer = dataclasses.replace(row_costs.STUDIES["cub200"], classes=100)
    with_all = row_costs.macs("cub200", config)
    monkeypatch.setitem(row_costs.STUDIES, "cub200", fewer)
    assert with_all - row_costs.macs("cub200", config) == 1280 * 100  # weights of the last layer


@pytest.mark.parametrize(
    ("config", "images"),
    [
        (fruit3.ROWS["cnn"].config, 8 * round(4141 * 0.7)),  # eight copies of each
        (fruit3.ROWS["cnn-no-copies"].config, round(4141 * 0.7)),
    ],
)
def test_copies_belong_to_an_epoch_and_other_parts_do_not(config, images):
    assert row_costs.STUDIES["fruit3"].training_images(config) == images


def test_the_rate_is_that_of_the_minutes_that_the_study_printed():
    costs = dict.fromkeys([("imagenet20", "convnet1"), *NETS], 1000)
    rates = row_costs.rates(costs)
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
    rows = {"lite0": retail258.ROWS["lite0"], "vgg16": retail258.ROWS["vgg16"], "vgg19": retail258.ROWS["vgg19"]}
    known = row_costs.rows_of
    monkeypatch.setattr(row_costs, "rows_of", lambda recipe: rows if recipe == "retail258" else known(recipe))
    lines = [{"recipe": "retail258", "row": name, "macs": 10**9, "ran": None} for name in rows]
    lines[1]["ran"] = {"photographs": 96}
    rated = [{"recipe": recipe, "row": row, "macs": 10**9, "ran": None} for recipe, row in NETS]
    rated.append({"recipe": "imagenet20", "row": "convnet1", "macs": 10**9, "ran": None})
    told = row_costs.table("retail258", lines, lines + rated).splitlines()[2:]
    assert [line.split(" | ")[-1] for line in told] == ["measured |", "runs |", "not tried |"]


def test_few_photographs_are_links_to_the_first_of_each_class(photos, tmp_path):
    count = row_costs.few(photos, tmp_path, classes=2, per_class=3)
    links = sorted(tmp_path.rglob("*.*"))
    assert count == len(links) == 6 and all(link.is_symlink() and link.exists() for link in links)
    assert len({link.parent for link in links}) == 2


def test_a_row_that_does_not_run_is_named_with_its_reason(tmp_path):
    with pytest.raises(SystemExit, match=r"retail258 vgg16 did not run: error: .*nowhere"):
        row_costs.ran("retail258", "vgg16", tmp_path / "nowhere", tmp_path / "runs")


@pytest.mark.parametrize("recipe", row_costs.STUDIES)
def test_every_row_of_a_recipe_has_its_cost(recipe):
    lines = row_costs.read_lines(recipe)
    assert {line["row"] for line in lines} == set(row_costs.rows_of(recipe))
    assert all(line["macs"] > 0 for line in lines)


@pytest.mark.parametrize(("value", "text"), [(0.0123, "0.012"), (1.26, "1.3"), (9.96, "10"), (1234, "1,200")])
def test_hours_have_two_digits(value, text):
    assert row_costs.rounded(value) == text
