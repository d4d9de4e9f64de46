"""kfg repair from a finished run to a new one: what is proven is trained with, on the same parts, and told."""

import dataclasses
import itertools
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from bare import bare_runs
from PIL import Image

import kfg
from kfg.__main__ import main
from kfg.data import decoded, stores
from kfg.engine import second_opinion
from kfg.errors import InputError
from kfg.repairing import diagnosis, looking, needs, proof, retraining, trial
from kfg.repairing.remedies import REMEDIES
from kfg.repairing.trunks import Trunk

EACH = 30


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    """Return a folder of two classes that half of the photographs do not tell apart, and one that all do."""
    root, rng = tmp_path_factory.mktemp("alike"), np.random.default_rng(0)
    for name, colour in (("rust", (170, 60, 30)), ("brick", (160, 70, 40)), ("sky", (40, 90, 220))):
        (root / name).mkdir()
        for number in range(EACH):
            noise = rng.normal(0, 25, (24, 24, 3)) + rng.normal(0, 14, 3)
            picture = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(picture).resize((48, 48), Image.Resampling.BICUBIC).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def finished(alike, tiny_trunk, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    settings = ["image_size=(32,32)", "head_epochs=1", "epochs=0", "views=0", "test_fraction=0.3"]
    settings.append(f"backbone={tiny_trunk}")
    words = ["--out", str(out), "--weights", "none", *(f"--set={one}" for one in settings)]
    with bare_runs():
        assert main(["train", str(alike), *words]) == 0
    return out / "folder" / "transfer" / "seed-0"


@pytest.fixture
def few_remedies(tiny_trunk, monkeypatch):
    """Try three remedies, on a small trunk with random weights, and call the last one proven."""
    chosen = [one for one in REMEDIES if one.name in ("none", "bias", "flip-averaged")]
    monkeypatch.setattr(trial, "REMEDIES", tuple(chosen))
    monkeypatch.setattr(diagnosis, "trunk_of", lambda _: Trunk(tiny_trunk, (32, 32), "none"))
    monkeypatch.setattr(looking, "look", lambda eyes, **_: looking.Seen(eyes.plain(), mirrored=eyes.plain()))

    def verdicts(*arguments, **options):
        found = real(*arguments, **options)
        return [proof.Verdict(**{**vars(one), "kept": one.name == "flip-averaged"}) for one in found]

    real = proof.verdicts
    monkeypatch.setattr(proof, "verdicts", verdicts)


@pytest.mark.usefixtures("without_export")
def test_a_proven_remedy_becomes_a_run_on_the_same_parts(finished, alike, few_remedies, tmp_path, capsys, monkeypatch):
    words = ["repair", str(finished), "--out", str(tmp_path / "found"), "--target", "1", "--time-budget", "2m"]
    judged, stands = [], retraining.stands  # which of the two it says of a net that has learned so little is chance
    monkeypatch.setattr(retraining, "stands", lambda *given: judged.append(stands(*given)) or True)
    assert main(words) == 0
    said = capsys.readouterr().out
    new = finished.parents[1] / "repaired" / "seed-0"
    assert (new / "report.json").is_file() and f"The new run is {new}; use it with `kfg predict" in said
    assert 'Proven to help: "flip-averaged" (' in said and "What to do next:" in said
    assert (new / "split.csv").read_text() == (finished / "split.csv").read_text()
    told = json.loads((new / "repair_of.json").read_text())
    assert told == {"run": "../../transfer/seed-0", "changed": ["mirror_averaged"], "stands": True}
    config = json.loads((new / "config.json").read_text())["config"]
    assert config["mirror_averaged"] is True and config["image_size"] == [32, 32] and config["head_epochs"] == 1
    # only the answers are changed: nothing is trained anew
    assert config["net_of"] == str(finished) and "the run's own network is changed" in said
    before, after = (kfg.open(run).model.get_layer("head").kernel.numpy() for run in (finished, new))
    np.testing.assert_array_equal(before, after)
    page = (tmp_path / "found" / "repair.html").read_text()
    assert "On the test photographs" in page and "flip-averaged" in page and "proven" in page
    assert "These were not used before." in page
    assert "have also decided whether this repair" in (new / "model_card.md").read_text(encoding="utf-8")
    remedies = json.loads((tmp_path / "found" / "repair.json").read_text())["remedies"]
    assert [one["name"] for one in remedies] == ["none", "bias", "flip-averaged"]
    image = resized(np.asarray(Image.open(alike / "sky" / "0.png")))
    both = [kfg.open(new).model.predict(one[None], verbose=0) for one in (image, image[:, ::-1])]
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)  # an image and its mirror image are answered alike
    code = f"import kfg; print(kfg.open({str(new)!r}).model.name)"  # in a process that has trained nothing
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    retraining.note(new, False)
    noted = []
    monkeypatch.setattr(retraining, "note", lambda made, stands: noted.append(stands))
    assert main([*words]) == 0  # again: the same remedy, nothing is trained twice
    assert "already finished, so it is not repeated" in capsys.readouterr().out
    assert not (finished.parents[1] / "repaired-2").exists()
    assert len(judged) == 2 and noted == [True]
    assert json.loads((new / "repair_of.json").read_text())["stands"] is False  # what was known is not forgotten


def resized(image):
    from kfg.data import resizing

    return resizing.resize(image, (32, 32))


def test_where_nothing_is_proven_that_is_said_and_no_net_is_trained(finished, few_remedies, tmp_path, monkeypatch):
    monkeypatch.setattr(proof, "best", lambda found: None)
    made = kfg.repair(finished, target=1.0, out=tmp_path / "found", time_budget="2m")
    assert made.run is None and 'What helped most, "flip-averaged" (' in made.said[0]
    assert "On the test photographs" not in made.page.read_text()


def test_where_no_class_is_weak_no_remedy_is_tried_and_what_a_killed_repair_left_half_written_is_removed(
    finished, few_remedies, tmp_path
):
    out = tmp_path / "found"
    (out / "answers").mkdir(parents=True)
    left = [out / ".repair.json.17-0123abcd.partial", out / "answers" / ".a.int32.17-0123abcd.partial"]
    other = out / ".mine.csv.17-0123abcd.partial"  # of another command that writes there
    for path in (*left, other):
        path.write_text("half")
    made = kfg.repair(finished, target=0.01, out=out, time_budget="2m")
    assert other.is_file() and not any(path.exists() for path in left)
    assert list((out / "answers").iterdir()) == [] and made.said == [
        "No class is weak: as far as the photographs can tell, the recall of each reaches the 1% asked for."
    ]
    with pytest.raises(InputError, match="time_budget: expected a time with its unit"):
        kfg.repair(finished, time_budget=20)


def test_a_shared_test_part_is_refused_before_anything_is_tried(finished, alike, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "split.csv", "classes.json"):
        (run / name).write_text((finished / name).read_text())
    (run / "split.csv").write_text((run / "split.csv").read_text().replace(",val,", ",val+test,"))
    with pytest.raises(InputError, match="its validation images are also its test images"):
        retraining.photographs_of(run, alike)


def test_a_run_of_another_recipe_gives_its_parts_and_no_settings(finished, tmp_path):
    (tmp_path / "config.json").write_text(
        (finished / "config.json").read_text().replace('"recipe": "folder"', '"recipe": "fruit3"')
    )
    trunk = Trunk("efficientnet-lite0", (64, 96))
    of_another, own = retraining.base(tmp_path, trunk), retraining.base(finished, trunk)
    assert (of_another.head_epochs, own.head_epochs) == (40, 1)
    for config in (of_another, own):  # what remedies were tried on is what is trained
        assert (config.backbone, config.image_size, config.weights) == ("efficientnet-lite0", (64, 96), "imagenet")


def test_a_repair_finds_the_features_of_a_second_trunk(finished, alike, few_remedies, monkeypatch, tmp_path):
    eyes = diagnosis.diagnose(finished, target=1.0).eyes
    monkeypatch.setattr(looking.Eyes, "see", lambda self, trunk, images, *_, **__: images)
    vars(eyes)["other_trunk"] = None
    looked_at = eyes.second(1.0)
    index = retraining.photographs_of(finished, alike)
    at = second_opinion._learned(index)
    images = stores.Chosen(decoded.load(index, image_size=(32, 32), cache_dir=tmp_path), at)
    assert looked_at.key == images.key and looked_at.shape == images.shape
    np.testing.assert_array_equal(looked_at.gather(np.arange(5)), images.gather(np.arange(5)))


def test_the_trained_net_is_kept_only_if_nothing_but_its_answers_changes(finished, tmp_path):
    own = retraining.base(finished, Trunk("tiny", (32, 32), "none", "efficientnet-lite2"))
    own = dataclasses.replace(own, second_backbone="", second_opinion="efficientnet-lite2")
    answers = ("second_opinion", "class_bias")
    assert retraining.keeping_net(finished, own, answers).net_of == str(finished)
    for config, changed in (
        (own, (*answers, "left_out")),
        (dataclasses.replace(own, image_size=(64, 64)), answers),
        (dataclasses.replace(own, second_backbone="efficientnet-lite1"), answers),
    ):
        assert retraining.keeping_net(finished, config, changed).net_of == ""
    (tmp_path / "config.json").write_text(json.dumps({"recipe": "fruit3", "config": {}}))
    assert retraining.keeping_net(tmp_path, own, answers).net_of == ""
    before = json.loads((finished / "config.json").read_text())
    before["config"]["second_opinion"] = "efficientnet-lite2"
    (tmp_path / "config.json").write_text(json.dumps(before))
    before["config"]["net_of"] = "an earlier run"  # it was repaired before
    (tmp_path / "config.json").write_text(json.dumps(before))
    again = retraining.base(tmp_path, Trunk("tiny", (32, 32), "none", "efficientnet-lite2"))
    assert (again.second_backbone, again.second_opinion, again.net_of) == ("", "efficientnet-lite2", "")
    assert retraining.keeping_net(tmp_path, again, ("left_out",)).net_of == ""
    before["choices"]["second opinion"] = {"trunk": "", "why": "for lack of time"}
    (tmp_path / "config.json").write_text(json.dumps(before))
    assert retraining.base(tmp_path, Trunk("tiny", (32, 32), "none")).second_opinion == ""
    swapped = Trunk("efficientnet-lite2", (32, 32), "none")  # judged on the trunk that was its second opinion
    before["choices"].pop("second opinion")
    (tmp_path / "config.json").write_text(json.dumps(before))
    assert retraining.base(tmp_path, swapped).second_opinion == ""


def test_photographs_that_changed_or_are_damaged_are_not_trained_on(finished, alike, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(alike, moved)
    rows = [line.split(",")[0] for line in (finished / "split.csv").read_text().splitlines()[1:]]
    (moved / rows[0]).write_bytes(b"no image")
    (moved / rows[1]).write_bytes((moved / rows[2]).read_bytes())
    index = retraining.photographs_of(finished, moved)
    assert len(index) == len(rows) - 2 and not {rows[0], rows[1]} & set(index.paths)
    for path in (moved / "sky").iterdir():
        path.unlink()
    assert not any(path.startswith("sky/") for path in retraining.photographs_of(finished, moved).paths)


def test_what_more_photographs_would_bring_is_a_range_or_at_most_a_value(finished, few_remedies, capsys):
    assert main(["needs", str(finished)]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[next(at for at, line in enumerate(lines) if line.startswith("class ")) :]
    shares = ["20%", "40%", "60%", "80%", "100%"]
    assert table[0].split() == ["class", "images", *shares, "clear", "rise", "with", "twice", "as", "many"]
    assert {line.split()[0] for line in table[1:4]} == {"rust", "brick", "sky"}
    for line in table[1:4]:
        *_, now, rise, low, to, high = line.split()
        assert rise in ("yes", "no") and int(now) <= int(high) <= 100
        assert (low, to) == ("at", "most") or (to == "to" and int(now) < int(low) <= int(high))
    assert table[4:] == [needs.NOTE]


def test_smaller_shares_are_parts_of_larger_ones_and_hold_every_class():
    labels, fold_of = np.repeat(np.arange(3), [3, 10, 40]), np.arange(53) % 5
    found = needs.ranks(labels, fold_of, seed=0)
    for fold in range(5):
        seen = [set(np.flatnonzero((found[:, fold] < share) & (fold_of != fold))) for share in needs.SHARES]
        assert all(one <= other for one, other in itertools.pairwise(seen))
        assert all({0, 1, 2} == set(labels[list(one)].tolist()) for one in seen)
        assert len(seen[-1]) == int((fold_of != fold).sum())


def test_the_steps_say_what_to_do_for_each_cause():
    from kfg.repairing import causes
    from kfg.repairing.next_steps import next_steps
    from tests.repairing.test_repair import answers, diagnosed

    answered = answers([60, 95, 95, 4], [100, 100, 100, 6])
    why = {label: [] for label in range(4)}
    why[0] = [causes.Cause("one-class", 0, "nothing tells it", "merge", (), 1)]
    why[1] = [causes.Cause("one-class", 1, "nothing tells it", "merge", (), 0)]
    why[2] = [causes.Cause("shortcut", 2, "all are grey", "add colour")]
    why[3] = [causes.Cause("look-alike", 3, "a third is taken", "look", (), 0)]
    found = diagnosed(answered, why)
    steps = next_steps(found, run="runs/a", suspects="suspects.csv")
    assert steps[0].startswith("Look at ") and "kfg review" in steps[0] and "suspects.csv" in steps[0]
    assert steps[1].startswith("Merge ant and bee, or photograph what distinguishes them")
    assert steps[2] == "Photograph cat in the same way as the other classes: all are grey."
    assert steps[3] == (
        "Photograph what distinguishes dog from ant: 33% of the photographs of dog are taken for ant, and 0% the other "
        "way round."
    )
    assert steps[4] == "Add photographs of dog: these classes have too few photographs to be judged."
    assert len(steps) == 5
    bare = dataclasses.replace(found, causes={**why, 0: []})
    assert (
        "Add photographs of ant: no cause was found why they are recognised less often than the others."
        in next_steps(bare, run="runs/a", suspects="suspects.csv")
    )


def test_the_pairs_confused_most_get_a_sentence_each_and_all_others_one(monkeypatch):
    from kfg.repairing import causes, next_steps
    from tests.repairing.test_repair import answers, diagnosed

    monkeypatch.setattr(next_steps, "PAIRS", 1)
    answered = answers([60, 95, 95, 4], [100, 100, 100, 6])
    why = {label: [] for label in range(4)}
    why[1] = [causes.Cause("look-alike", 1, "some are taken", "look", (), 2)]
    why[3] = [causes.Cause("look-alike", 3, "a third is taken", "look", (), 0)]
    found = diagnosed(answered, why)
    said = [one for one in next_steps.next_steps(found, run="runs/a") if "bee" in one or "dog from ant" in one]
    assert len(said) == 2 and said[0].startswith("Photograph what distinguishes dog from ant: 33% of the photographs")
    assert said[1] == "Photograph also what distinguishes 1 more pair of classes: bee and cat."
