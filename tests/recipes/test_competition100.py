"""competition100 from the command line on generated photographs; its nets, crops, normalisation and transfer."""

import dataclasses
import hashlib
import json

import keras
import numpy as np
import pytest
from bare import bare_runs

from kfg.engine import runner
from kfg.errors import InputError
from kfg.exporting import classifiers
from kfg.models import attention_nets as nets
from kfg.models import backbones, preprocessing
from kfg.models.transfer import begin_from
from kfg.recipes import competition100
from kfg.runs import run_files
from kfg.training.schedules import Cosine, CyclicCosine, MultiStep

SMALL = dataclasses.replace(
    competition100.ROWS["fbsd-lite0"].config,
    backbone="tiny",
    weights="none",
    image_size=(128, 128),
    head_width=8,
)

pytestmark = pytest.mark.usefixtures("tiny_trunk")


def recipe(photos, out, *options):
    words = ["--data", str(photos), "--out", str(out), "--smoke", "--set", "backbone=tiny"]
    return runner.main(competition100.RECIPE, [*words, *options])


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory, tiny_trunk):
    out = tmp_path_factory.mktemp("runs")
    with bare_runs():
        assert recipe(photos, out, "--rows", "fbsd-lite0") == 0
    assert recipe(photos, out, "--rows", "mmal-lite0") == 0
    return out


def test_every_net_runs_to_its_report_and_one_to_its_export(finished, photos):
    rows = {row["row"]: row for row in map(json.loads, (finished / "results.jsonl").read_text().splitlines())}
    assert {name: [key for key in row["metrics"] if key.endswith("_top1")] for name, row in rows.items()} == {
        "fbsd-lite0": ["stage3_top1", "stage4_top1", "stage5_top1", "concat_top1"],
        "mmal-lite0": ["raw_top1", "object_top1"],
    }
    # MMAL-Net answers with its object branch
    metrics = rows["mmal-lite0"]["metrics"]
    assert metrics["object_top1"]["value"] == metrics["top1"]["value"]
    assert rows["mmal-lite0"]["export_difference"] <= 1e-4
    page = (finished / "competition100" / "fbsd-lite0" / "seed-0" / "report.html").read_text()
    assert "What each branch answers by itself" in page
    answers = classifiers.load(finished / "competition100" / "mmal-lite0" / "seed-0").predict(
        [photos / "red" / "000.jpg"]
    )
    assert {name for name, _ in next(iter(answers)).top(3)} == {"blue", "green", "red"}


def test_a_run_begins_with_anothers_weights_and_its_own_last_layers(finished, photos, tmp_path, monkeypatch, capsys):
    begun, configs = {}, []

    def stop(job, *_, **__):
        configs.append(json.loads((job.workdir / "config.json").read_text()))
        begun.update({layer.name: layer.get_weights() for layer in job.model.layers if layer.weights})
        raise InputError("far enough")

    monkeypatch.setattr(competition100, "fit_on", stop)
    earlier = finished / "competition100" / "fbsd-lite0" / "seed-0"
    assert recipe(photos, tmp_path, "--rows", "fbsd-lite0", "--seeds", "1", "--init-from", str(earlier)) == 2
    assert "far enough" in capsys.readouterr().err
    lent = keras.saving.load_model(earlier / run_files.MODEL, compile=False)
    alike = {
        name: all(map(np.array_equal, values, lent.get_layer(name).get_weights())) for name, values in begun.items()
    }
    assert {name for name in alike if not alike[name]} == {f"head_{vote}_logits" for vote in nets.VOTES["fbsd"]}
    (config,) = configs
    assert config["config"]["init_from"] == str(earlier)
    assert config["init_from_sha256"] == hashlib.sha256((earlier / run_files.MODEL).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "options, named",
    [
        (("--init-from", "no-such-run"), "no-such-run: there is no model.keras"),
        (("--set", "net=bird"), "net: expected one of fbsd, mmal, plain, got 'bird'"),
        (("--rows", "mmal-lite0", "--set", "crop_from=(160, 160)"), "crop_from: mmal cuts from the whole image"),
        (("--set", "crop_from=(32, 32)"), "crop_from: must be at least image_size (128, 128), got (32, 32)"),
        (("--rows", "fbsd-lite0", "--set", "image_size=(96, 96)"), "cannot be split into 8"),
        (("--rows", "mmal-lite0", "--set", "backbone=mobilenet-v3-small"), "taps: are known only for resnet50"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(photos, tmp_path, capsys, options, named):
    assert recipe(photos, tmp_path, *options) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and named in error


def test_another_kind_of_net_lends_no_weights(finished):
    run = finished / "competition100" / "mmal-lite0" / "seed-0"
    model = nets.build(SMALL, 3)
    before = model.get_weights()
    with pytest.raises(InputError, match=r"model\.keras: is another network than fbsd-tiny: it has .* head"):
        begin_from(model, run / run_files.MODEL, replaced=nets.names_classes)
    wider = nets.build(dataclasses.replace(SMALL, head_width=16), 3)
    run = finished / "competition100" / "fbsd-lite0" / "seed-0"
    with pytest.raises(InputError, match=r"head_.* has .* instead of"):
        begin_from(wider, run / run_files.MODEL, replaced=nets.names_classes)
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_the_crop_is_cut_from_the_middle_and_the_weights_stay():
    config = dataclasses.replace(SMALL, net="plain", image_size=(64, 64), crop_from=(80, 72))
    keras.utils.set_random_seed(0)
    whole = nets.trunk(config)
    keras.utils.set_random_seed(0)
    inner = backbones.trunk(config.backbone, image_size=(64, 64), weights="none")
    images = np.random.default_rng(0).integers(0, 256, (2, 80, 72, 3)).astype("float32")
    np.testing.assert_allclose(whole(images), inner(images[:, 8:72, 4:68]), atol=1e-6)


@pytest.mark.parametrize("backbone", ["resnet50", "efficientnet-lite0"])
def test_half_normalisation_reaches_a_trunk_in_its_own_units(backbone):
    """What comes out of the trunk's preprocessing is (x / 255 - 0.5) / 0.5, in units of ImageNet's deviation."""
    pixels = np.array([0.0, 100.0, 255.0])[:, None, None, None] * np.ones((1, 2, 2, 3))
    changed = np.asarray(nets.half(keras.ops.convert_to_tensor(pixels.astype("float32"))))
    mean, std = np.array(preprocessing.IMAGENET_MEAN), np.array(preprocessing.IMAGENET_STD)
    np.testing.assert_allclose((changed / 255 - mean) / std, (pixels / 255 - 0.5) / 0.5, atol=1e-5)
    config = dataclasses.replace(SMALL, net="plain", backbone=backbone, normalisation="half")
    assert [layer.name for layer in nets.trunk(config).layers][1] == "half"


def test_the_untrained_vote_is_not_trained():
    model = nets.build(dataclasses.replace(SMALL, train_last_vote=False), 3)
    trained = {weight.path.split("/")[0] for weight in model.trainable_weights}
    assert "head_concat_logits" not in trained and {"head_concat_hidden", "head_stage3_logits"} <= trained
    assert not any("_bn" in name and not name.startswith("head_") for name in trained)


def test_what_is_frozen_by_name_includes_the_last_vote():
    model = nets.build(dataclasses.replace(SMALL, freeze="re:stage5"), 3)
    assert not model.get_layer("head_concat_logits").trainable


def test_the_studys_rows_have_its_settings():
    def settings(row, *names):
        return {name: getattr(competition100.ROWS[row].config, name) for name in names}

    source = {
        "strip_axis": "height", "alpha": 0.5, "beta": 0.5, "gamma": 1.0, "fdm_scale": 0.001, "pool": "topk5",
        "dropout": 0.2, "head_width": 1024, "image_size": (448, 448), "crop_from": (550, 550), "normalisation": "half",
        "optimizer": "sgd", "learning_rate": 0.002, "trunk_multiplier": 0.1, "momentum": 0.9, "weight_decay": 5e-4,
        "schedule": CyclicCosine(half=200), "batch_size": 20, "epochs": 200, "backbone": "resnet50",
    }  # fmt: skip
    assert settings("fbsd", *source) == settings("fbsd-source", *source) == source
    printed = source | {"strip_axis": "width", "fdm_scale": 1.0, "pool": "gmp", "schedule": Cosine()}
    assert settings("fbsd-as-printed", *printed) == printed
    mmal = {
        "learning_rate": 1e-3, "trunk_multiplier": 1.0, "momentum": 0.9, "weight_decay": 1e-4, "dropout": 0.5,
        "schedule": MultiStep(milestones=(60, 100), gamma=0.1), "batch_size": 6, "epochs": 200,
        "windows": "cars-aircraft", "first_joint_epoch": 1, "image_size": (448, 448), "crop_from": None,
        "normalisation": "backbone",
    }  # fmt: skip
    assert settings("mmal", *mmal) == mmal
    assert competition100.ROWS["fbsd-source"].reported == {"top1": 0.71}
    assert competition100.ROWS["fbsd-source"].config.train_last_vote is False


def test_another_size_of_a_row_without_a_crop_is_of_the_whole_image():
    assert dataclasses.replace(competition100.ROWS["mmal-lite0"].config, image_size=(96, 64)).decoded == (96, 64)


def test_rows_of_ours_differ_in_the_net_alone():
    rows = [dataclasses.asdict(competition100.ROWS[f"{net}-lite0"].config) for net in nets.NETS]
    assert [row.pop("net") for row in rows] == list(nets.NETS)
    assert rows[0] == rows[1] == rows[2]
