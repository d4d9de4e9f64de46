"""The `kfg` command: what it prints, and its exit codes."""

import json
import os
import pathlib
import shutil
from types import SimpleNamespace

import keras
import pytest
from PIL import Image

from kfg.__main__ import COMMANDS, main
from kfg.commands import predicting
from kfg.errors import InputError
from kfg.recipes import imagenet20


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for name, colours in {"cat": 4, "dog": 5}.items():
        (root / name).mkdir(parents=True)
        for i in range(colours):
            noise = Image.effect_noise((40, 30), 60 + 40 * i).convert("RGB")
            noise.save(root / name / f"{i}.png")
    return root


def test_audit_prints_a_table_writes_json_and_tells_by_its_exit_code(photos, tmp_path, capsys):
    target = tmp_path / "findings.json"
    assert main(["audit", str(photos), "--json", str(target)]) == 0
    assert "cat" in capsys.readouterr().out
    written = json.loads(target.read_text())
    assert written["images"] == 9 and written["classes"] == {"cat": 4, "dog": 5}
    (photos / "cat" / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    assert main(["audit", str(photos), "--json", str(target)]) == 1
    kinds = {(f["kind"], f["severity"]) for f in json.loads(target.read_text())["findings"]}
    assert any(severity == "error" for _, severity in kinds)


def test_audit_takes_the_size_images_should_have(photos, tmp_path):
    target = tmp_path / "findings.json"
    main(["audit", str(photos), "--json", str(target), "--expect-size", "40x30"])
    assert not [f for f in json.loads(target.read_text())["findings"] if f["kind"] == "odd-size"]
    main(["audit", str(photos), "--json", str(target), "--expect-size", "41x30"])
    assert len([f for f in json.loads(target.read_text())["findings"] if f["kind"] == "odd-size"]) == 9


def test_the_exit_code_of_an_audit_is_1_for_what_it_found_and_2_for_wrong_use(photos, tmp_path, capsys):
    assert main(["audit", str(photos)]) == 0
    (tmp_path / "empty").mkdir()
    assert main(["audit", str(tmp_path / "empty")]) == 1  # looked at, and it lacks images
    assert "no images found" in capsys.readouterr().out
    (tmp_path / "parts" / "training" / "cat").mkdir(parents=True)
    assert main(["audit", str(tmp_path / "parts")]) == 1
    assert "looks like a part" in capsys.readouterr().out
    assert main(["audit", str(photos / "cat" / "0.png")]) == 2
    assert main(["audit", str(tmp_path / "nowhere")]) == 2


def test_split_writes_what_the_next_scan_uses(photos, capsys):
    assert main(["split", str(photos), "--out", str(photos / "split.csv"), "--val", "0.2", "--test", "0.2"]) == 0
    printed = capsys.readouterr().out
    from kfg.data import folder
    from kfg.data.part_folders import PARTS

    index = folder.scan(photos)
    assert len(index) == 9 and set(index.parts) == {"train", "val", "test"}
    assert all(f"{part} {len(index.where(part))}" in printed for part in PARTS)


def test_split_says_what_was_decided_already_and_refuses_options_without_effect(photos, tmp_path, capsys):
    root, out = tmp_path / "parts", tmp_path / "split.csv"
    for part in ("train", "test"):
        shutil.copytree(photos, root / part)
    for i, path in enumerate(sorted((root / "test").rglob("*.png"))):
        Image.effect_noise((40, 30), 300 + 40 * i).convert("RGB").save(path)
    assert main(["split", str(root), "--out", str(out), "--val", "0.3", "--seed", "1"]) == 0
    said = "train, test already decided by the part folders, no fraction was used there; val cut out of train"
    assert capsys.readouterr().out.startswith(f"{root}: {said}\n")
    assert main(["split", str(root), "--test", "0.3"]) == 2
    assert capsys.readouterr().err == (
        "error: --test: has no effect, because train, test already decided by the part folders; leave the option out\n"
    )
    shutil.copy(out, root / "split.csv")
    for option in ("--val", "--test", "--seed", "--min-per-class"):
        assert main(["split", str(root), "--out", str(out), option, "0"]) == 2
        assert (
            f"{option}: has no effect, because train, val, test already decided by {root}/split.csv;"
            in capsys.readouterr().err
        )
    assert main(["split", str(root), "--out", str(out)]) == 0 and out.read_text() == (root / "split.csv").read_text()
    assert capsys.readouterr().out.count("no fraction was used there\n") == 1


def test_photographs_in_the_place_of_the_model_are_refused_with_the_right_order(tmp_path, capsys):
    photographs, run = tmp_path / "new", tmp_path / "runs" / "photos" / "folder" / "transfer" / "seed-0"
    photographs.mkdir()
    run.mkdir(parents=True)
    for name in ("config.json", "report.json"):
        (run / name).write_text("{}")
    assert main(["predict", str(photographs), str(tmp_path / "runs")]) == 2
    assert f"the model comes first: kfg predict {tmp_path / 'runs'} {photographs}" in capsys.readouterr().err


def test_predict_prints_names_that_are_not_utf8(tmp_path, capsys):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Softmax()])
    model.save(tmp_path / "model.keras")
    (tmp_path / "classes.json").write_text('["red", "green", "blue"]')
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (4, 4), "red").save(folder / "1.png")
    os.rename(folder / "1.png", os.fsencode(folder) + b"/caf\xe9.png")
    assert main(["predict", str(tmp_path), str(folder)]) == 0
    printed = capsys.readouterr().out
    header, printed = printed.split("\n", 1)
    assert header == "path\tclass\tprobability\tverdict"
    assert printed.startswith(f"{folder}/caf\\xe9.png\tred\t1.0000") and printed.encode()


def test_a_finished_table_is_not_written_again_by_resume(tmp_path, capsys):
    """The second model must not pass for the author of the first one's table."""
    for name in ("old", "new"):
        model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D()])
        model.add(keras.layers.Dense(2, activation="softmax"))
        (tmp_path / name).mkdir()
        model.save(tmp_path / name / "model.keras")
        (tmp_path / name / "classes.json").write_text('["red", "green"]')
    Image.new("RGB", (4, 4), "red").save(tmp_path / "1.png")
    words = [str(tmp_path / "1.png"), "--out", str(tmp_path / "a.csv")]
    assert main(["predict", str(tmp_path / "old"), *words]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "old"), *words, "--resume"]) == 0
    assert "a.csv: is already complete, so nothing was answered; remove it to answer again" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "new"), *words, "--resume"]) == 2
    assert "a.csv: was written with another model; give the table another name, or remove" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--csv"])
def test_a_table_that_is_there_is_refused_before_anything_is_loaded(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 4), "red").save("1.png")
    table = "path,class,probability,verdict,error\n1.png,red,0.9,,\n"
    pathlib.Path("answers.csv").write_text(table)
    assert main(["predict", "no-run", "1.png", option, "answers.csv"]) == 2
    assert capsys.readouterr().err.startswith(
        f"error: answers.csv: exists already; give another {option}, or remove it (--resume completes "
    )
    assert pathlib.Path("answers.csv").read_text() == table
    assert main(["predict", "no-run", "1.png", option, "answers.csv", "--resume"]) == 2
    assert "no-run: no such run" in capsys.readouterr().err  # with --resume the table is no obstacle


def test_a_photograph_that_is_not_there_is_refused_before_anything_is_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new-photos").mkdir()
    Image.new("RGB", (4, 4), "red").save("new-photos/1.png")
    for given, said in (
        ("nowhere", "nowhere: no such file or folder"),
        ("new-fotos", "new-fotos: no such file or folder; did you mean new-photos?"),
        ("new-photos/1.pgn", "new-photos/1.pgn: no such file or folder; did you mean new-photos/1.png?"),
        ("new-photos/1.png/2.png", "new-photos/1.png/2.png: no such file or folder"),
    ):
        assert main(["predict", "no-run", "new-photos", given]) == 2
        told = capsys.readouterr()
        assert (told.out, told.err) == ("", f"error: {said}\n")


def test_models_lists_the_models_named_as_json(capsys):
    assert main(["models", "convnet1", "retail258-cnn", "--classes", "7", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == ["convnet1", "retail258-cnn"]
    assert {"name", "input", "parameters", "trainable", "gmacs"} <= set(rows[0])
    assert rows[0]["parameters"] == 2_153_940 - 13 * 129  # 13 classes fewer: 128 weights and a bias each


def test_compare_shows_the_papers_figures_and_errata_without_any_run(tmp_path, capsys):
    assert main(["compare", "imagenet20", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "51.70" in printed and "not measured" in printed and "patience 2 / patience 3" in printed


def test_compare_needs_no_runs_unless_their_folder_is_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "imagenet20"]) == 0
    printed = capsys.readouterr().out
    assert "51.70" in printed and "not measured yet" in printed
    assert main(["compare", "imagenet20", "--out", "runs"]) == 2
    assert capsys.readouterr().err == "error: runs: no such file or folder\n"


def test_compare_shows_mean_spread_and_count_of_our_runs(tmp_path, capsys):
    def result(seed, top1):
        metrics = {"top1": {"value": top1}, "loss": {"value": 2.0}}
        config = {"width": 0.5, "epochs": 3}
        return {
            "recipe": "imagenet20",
            "row": "convnet1",
            "seed": seed,
            "data": {"name": "mine"},
            "config": config,
            "metrics": metrics,
        }

    rows = [result(0, 0.40), result(1, 0.50)]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["compare", "imagenet20", "--out", str(tmp_path)]) == 0
    assert "45.00 ± 7.07 (n = 2), 2.000, mine, width 0.5, epochs 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["audit", "nowhere"], "nowhere"),
        (["audit", ".", "--expect-size", "300"], "--expect-size"),
        (["split", "nowhere"], "nowhere"),
        (["split", "../photos", "--seed", "-1"], "seed: must be a whole number from 0 up, got -1"),
        (["split", "../photos", "--val", "nan"], "val"),
        (["models", "--classes", "1"], "classes"),
        (["models", "resnet18"], "resnet18"),
        (["compare", "imagenet21"], "imagenet21"),
        (["predict", "nowhere", "nowhere.jpg"], "nowhere"),
        (["predict", "nowhere", "nowhere.jpg", "--top", "0"], "--top"),
        (["predict", "nowhere", "nowhere.jpg", "--top", "1000000000"], "--top"),
        (["predict", "nowhere", "nowhere.jpg", "--out", "notes.csv"], "notes.csv: this file exists and is not a table"),
        (["predict", "nowhere", "nowhere.jpg", "--csv", "."], "--csv .: give a name that ends in .csv"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(arguments, named, capsys, photos, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.csv").write_text("mine")
    monkeypatch.chdir(tmp_path / "here")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and named in error


def test_a_path_that_the_system_refuses_is_one_line_and_exit_2(tmp_path, capsys):
    names = "\n".join(f"{number}.jpg" for number in range(1000))  # as in kfg predict RUN "$(ls photos)"
    assert main(["predict", str(tmp_path), names]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: 0.jpg") and line.endswith(": File name too long") and len(line) < 400


def test_an_error_of_the_system_without_a_path_names_none(monkeypatch, capsys):
    def failing(error):
        def predict(args):
            raise error

        monkeypatch.setattr("kfg.__main__.COMMANDS", ((predict, predicting.predict_options, "classify images"),))

    failing(PermissionError(13, "Permission denied"))
    assert main(["predict", "run", "photos"]) == 2
    assert capsys.readouterr().err == "error: Permission denied\n"
    failing(OSError(5, "Input/output error"))  # of unknown origin: its traceback is needed
    with pytest.raises(OSError, match="Input/output error"):
        main(["predict", "run", "photos"])


def test_without_a_command_all_commands_are_listed(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(f"    {run.__name__} " in said for run, *_ in COMMANDS)


def test_the_errata_of_the_study_are_all_there():
    assert [claim for claim, _ in imagenet20.RECIPE.errata] == [
        "net 2: patience 2",
        "net 4: 84 epochs, training accuracy 89.5%",
        "net 5: net 1's architecture",
        "a validation and a test set",
        "extra images turned and zoomed",
        "extra images of three classes: 51.7% (net 5) instead of 47.2% (net 1)",
    ]


@pytest.mark.parametrize(
    "words, said",
    [
        (["trian", "photos"], "trian: no such command; did you mean train?"),
        (["train", "photos", "--epoch-s", "3"], "did you mean --epochs?"),
        (["audit", "photos", "--jsn", "x"], "did you mean --json?"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_one_that_was_meant(words, said, capsys):
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("stands", [True, False, None])
def test_a_repaired_run_is_exported_too_and_a_refused_format_keeps_nobody_from_the_repair(
    stands, monkeypatch, tmp_path, capsys
):
    from kfg.engine import own_photographs
    from kfg.exporting.formats import exporting
    from kfg.recipes import folder
    from kfg.repairing import repair

    done = []

    def export(run, formats):
        done.append(run)
        if run == "first":
            raise InputError("keras: this export is not kept")

    made = SimpleNamespace(stands=stands, run=None if stands is None else SimpleNamespace(path="repaired"))
    order = SimpleNamespace(out="runs", seeds=[0])
    monkeypatch.setattr(own_photographs, "prepared", lambda *_, **__: order)
    monkeypatch.setattr(folder, "command", lambda *_: 0)
    monkeypatch.setattr(folder, "run_folders", lambda _: ["first", "second"])
    monkeypatch.setattr(repair, "repair", lambda run, **_: done.append("repair") or made)
    monkeypatch.setattr(repair, "told", lambda _: [])
    monkeypatch.setattr(exporting, "export", export)
    assert main(["train", str(tmp_path), "--repair", "--formats", "keras"]) == 2
    assert done == ["first", "second", "repair", *(["repaired"] if stands else [])]
    assert capsys.readouterr().err == "error: first: keras: this export is not kept\n"


def test_a_misspelt_folder_or_setting_is_answered_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert main(["audit", "fotos"]) == 2
    assert capsys.readouterr().err == "error: fotos: no such folder; did you mean photos?\n"
    assert main(["train", "photos", "--set", "lerning_rate=1"]) == 2
    assert "unknown setting lerning_rate; did you mean learning_rate?" in capsys.readouterr().err
