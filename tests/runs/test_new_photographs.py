"""kfg evaluate RUN --on DIR: a model that names the strongest colour, on squares of known colours."""

import csv
import json
import pathlib
import re
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.data import audit, decode, folder, splits
from kfg.data.index import make_index
from kfg.exporting import saved_model
from kfg.files import write_json
from kfg.reporting import thumbnails
from kfg.runs import new_photographs, two_runs

pytestmark = pytest.mark.usefixtures("untraced", "undrawn")
COLOURS = {"blue": (30, 30, 220), "green": (30, 220, 30), "red": (220, 30, 30)}


def square(path, colour, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), tuple(abs(value - shade) for value in colour)).save(path)


@pytest.fixture
def photographs(tmp_path):
    """Ten squares of each colour; one of class green looks blue."""
    root = tmp_path / "photographs"
    for number in range(10):
        for name, colour in COLOURS.items():
            square(root / name / f"{number}.png", colour, number)
    square(root / "green" / "9.png", COLOURS["blue"], 20)
    return root


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    run = tmp_path_factory.mktemp("exported")
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 25)(images))
    model = keras.Model(images, keras.layers.Dense(3, activation="softmax", use_bias=False)(x))
    model.layers[-1].set_weights([np.eye(3)[::-1].astype(np.float32)])  # channels are red, green, blue
    samples = np.zeros((1, 8, 8, 3), np.uint8)
    saved_model.save(model, run / "export", classes=sorted(COLOURS), samples=samples)
    return run


@pytest.fixture
def run(exported, photographs, tmp_path):
    """A run that knows the squares 0 to 6 of each class: 0 as val, 1 and 2 as test, the others as train."""
    run = shutil.copytree(exported, tmp_path / "run")
    parts = {0: "val", 1: "test", 2: "test"}
    write_split(run, photographs, {number: parts.get(number, "train") for number in range(7)})
    return run


def write_split(run, photographs, parts):
    index = folder.scan(photographs)
    numbers = [int(pathlib.Path(path).stem) for path in index.paths]
    index = index.take([at for at, number in enumerate(numbers) if number in parts])
    parts = [parts[int(pathlib.Path(path).stem)] for path in index.paths]
    index = make_index(index.root, index.paths, index.labels, index.classes, parts=parts)
    splits.write_csv(audit.duplicate_groups(index), run / "split.csv")
    write_json(run / "config.json", {"config": {}})


def evaluate(model, root, out):
    return main(["evaluate", str(model), "--on", str(root), "--out", str(out)])


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_runs_own_images_are_left_out_and_the_rest_is_reported(run, photographs, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copy(photographs / "red" / "3.png", photographs / "red" / "another-name.png")
    shutil.copy(photographs / "red" / "8.png", photographs / "red" / "8-again.png")
    (photographs / "red" / "raw.jxl").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n")
    assert evaluate(run, photographs, out) == 0
    said = capsys.readouterr().out
    assert not said.startswith("\n")
    assert "not used: 1 .jxl file, which kfg does not read (red/raw.jxl)" in said
    assert (
        "Copies of others in this folder, which were left out: 2 photographs." in said
        and "21 photographs belong to the run itself" in said
    )
    assert f"{out}: 9 test photographs of 3 classes" in said and f"report: {out / 'report.html'}" in said
    found = json.loads((out / "report.json").read_text())
    assert found["top1"]["value"] == pytest.approx(8 / 9)
    assert found["confusion"] == [[3, 0, 0], [1, 2, 0], [0, 0, 3]]
    assert found["evaluated"] == {
        "model": str(run),
        "photographs": str(photographs),
        "images": 32,
        "left_out": 23,
        "unread": 0,
    }
    answers = rows_of(out / "predictions.csv")
    assert [row["path"] for row in answers if row["correct"] == "0"] == ["green/9.png"]
    listed = rows_of(out / "split.csv")
    assert [row["path"] for row in listed] == [row["path"] for row in answers]
    assert {row["part"] for row in listed} == {"test"} and len({row["group"] for row in listed}) == 9


def test_near_duplicates_among_the_new_photographs_share_a_group(run, tmp_path):
    """So that a comparison of two such reports, which says that their groups are resampled, has looked for them."""
    noise = np.random.default_rng(0).integers(0, 90, (6, 8, 8), dtype=np.uint8)
    for name, channel in (("red", 0), ("blue", 2)):
        (tmp_path / "new" / name).mkdir(parents=True)
        for number, grid in enumerate(noise[:3] if channel else noise[3:]):
            pixels = np.repeat(grid[..., None], 3, axis=2)
            pixels[..., channel] += 120
            Image.fromarray(pixels).resize((96, 96)).save(tmp_path / "new" / name / f"{number}.png")
    Image.open(tmp_path / "new" / "red" / "0.png").save(tmp_path / "new" / "red" / "again.jpg", quality=90)
    assert evaluate(run, tmp_path / "new", tmp_path / "out") == 0
    group = {row["path"]: row["group"] for row in rows_of(tmp_path / "out" / "split.csv")}
    assert len(group) == 7 and group["red/0.png"] == group["red/again.jpg"] and len(set(group.values())) == 6
    assert json.loads((tmp_path / "out" / "report.json").read_text())["intervals"]["effective_images"] == 49 / 9
    assert "Kish" in (tmp_path / "out" / "report.html").read_text()


def test_a_photograph_for_the_page_is_small_whatever_its_format(tmp_path):
    large = Image.fromarray(np.random.default_rng(0).integers(0, 255, (600, 900, 3), dtype=np.uint8))
    for name in ("a.png", "a.tif", "a.jpg"):
        large.save(tmp_path / name)
        assert new_photographs._small(tmp_path / name).shape == (147, 220, 3)
        assert two_runs._as_it_was(tmp_path / name, None).shape == (107, 160, 3)
    read = thumbnails.reader(["a.png"], tmp_path, decode.decode)
    assert read(0).shape == (107, 160, 3)


def test_the_page_is_of_the_photographs_and_not_of_a_run(run, photographs, tmp_path):
    assert evaluate(run, photographs, tmp_path / "out") == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"{run} on {photographs}" in page and "21 photographs belong to the run itself" in page
    assert "all 9 images of part test" in page and (tmp_path / "out" / "worst.png").is_file()
    for of_a_run in ("history.csv", "Use the model", "does not give a seed", ">trained<"):
        assert of_a_run not in page


@pytest.mark.parametrize("part", ["train", "val", "test", "val+test"])
def test_an_image_of_any_part_of_the_run_is_not_new(run, photographs, tmp_path, capsys, part):
    write_split(run, photographs, {number: part if number else "train" for number in range(9)})
    assert evaluate(run, photographs, tmp_path / "out") == 0
    assert "27 photographs belong to the run itself" in capsys.readouterr().out


def test_the_run_is_found_from_its_export_and_from_inside_it(run, photographs, tmp_path, capsys, monkeypatch):
    assert evaluate(run / "export", photographs, tmp_path / "one") == 0
    monkeypatch.chdir(run / "export")
    assert evaluate(".", photographs, tmp_path / "two") == 0
    assert capsys.readouterr().out.count("21 photographs belong to the run itself") == 2


@pytest.mark.parametrize("lent_by", ["init_from", "net_of"])
def test_a_run_that_began_from_another_knows_that_ones_images(exported, run, photographs, tmp_path, capsys, lent_by):
    later = shutil.copytree(exported, tmp_path / "later")
    write_split(later, photographs, {7: "train"})
    write_json(later / "config.json", {"config": {lent_by: str(run)}})
    assert evaluate(later, photographs, tmp_path / "out") == 0
    assert "24 photographs belong to the run itself" in capsys.readouterr().out
    shutil.rmtree(run)
    assert evaluate(later, photographs, tmp_path / "unknown") == 0
    told = capsys.readouterr().out
    assert "3 photographs belong to the run itself" in told and "is not known which other photographs" in told


def spoil_digests(run):
    text = (run / "split.csv").read_text().splitlines()
    (run / "split.csv").write_text("".join(line.rpartition(",")[0] + "\n" for line in text))


def spoil_classes(run):
    (run / "split.csv").write_text((run / "split.csv").read_text().replace("red,", "yellow,"))


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_digests,
        spoil_classes,
        lambda run: (run / "split.csv").unlink(),
        lambda run: (run / "config.json").unlink(),
    ],
)
def test_what_was_trained_on_is_never_guessed(run, photographs, tmp_path, capsys, spoil):
    spoil(run)
    assert evaluate(run, photographs, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "is not known" in said and "belong to the run" not in said and "30 test photographs" in said


def test_new_images_in_a_divided_folder_are_used_wherever_they_are(run, photographs, tmp_path, capsys):
    shutil.move(photographs, tmp_path / "divided" / "train")
    for name, colour in COLOURS.items():
        square(tmp_path / "divided" / "test" / name / "new.png", colour, 12)
    assert evaluate(run, tmp_path / "divided", tmp_path / "out") == 0
    assert "12 test photographs" in capsys.readouterr().out


def test_a_single_photograph_is_told_as_one(run, tmp_path, monkeypatch, capsys):
    square(tmp_path / "new" / "red" / "1.png", COLOURS["red"], 11)
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", str(run), "--on", "new"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("evaluated: 1 test photograph of 1 of the 3 classes; figures with 95% intervals\n")
    assert re.search(r"right \(top-1\) +100\.0%  \(20\.7% to 100\.0%\)", said)
    assert "WARNING: The only test photograph is of the class 'red', so it cannot show" in said
    assert said.splitlines()[-1] == f"report: {tmp_path.resolve() / 'evaluated' / 'report.html'}"


def test_one_class_will_do(run, tmp_path, capsys):
    for number in range(4):
        square(tmp_path / "new" / "red" / f"{number}.png", COLOURS["red"], 11 + number)
    assert evaluate(run, tmp_path / "new", tmp_path / "out") == 0
    assert "4 test photographs of 1 of the 3 classes" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (found["macro_recall"]["value"], found["auc"]) == (1, None)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "There is no test image of blue, green; the means" in page


def test_an_image_that_cannot_be_read_is_a_line_and_the_others_are_scored(run, photographs, tmp_path, capsys):
    (photographs / "red" / "8.png").write_bytes((photographs / "red" / "8.png").read_bytes()[:40])
    (photographs / "red" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert evaluate(run, photographs, tmp_path / "out") == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 2 and "red/8.png" in printed.err and "red/gone.png" in printed.err
    assert "8 test photographs" in printed.out
    assert "2 could not be read" in (tmp_path / "out" / "report.html").read_text()


def test_the_folder_of_the_report_is_named_evaluated_and_never_filled_twice(run, photographs, capsys, monkeypatch):
    monkeypatch.chdir(run.parent)
    words = ["evaluate", str(run), "--on", str(photographs)]
    assert main(words) == 0
    before = (run.parent / "evaluated" / "report.html").read_bytes()
    assert main(words) == 2
    assert capsys.readouterr().err == "error: evaluated: is not empty; give another folder with --out\n"
    assert (run.parent / "evaluated" / "report.html").read_bytes() == before


def test_wrong_use_is_a_line_and_leaves_everything_as_it_was(run, photographs, tmp_path, capsys):
    square(tmp_path / "foreign" / "yellow" / "1.png", (200, 200, 0), 0)
    own = tmp_path / "own"
    shutil.copytree(photographs / "red", own / "red", ignore=shutil.ignore_patterns("7*", "8*", "9*"))
    twice = tmp_path / "twice"
    for name in ("red", "green"):
        square(twice / name / "1.png", COLOURS["red"], 15)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "out"
    cases = [
        (["--on", photographs, "--out", run], "is not empty"),
        (["--on", photographs, "--out", run / "split.csv"], "is not empty"),
        (["--on", photographs, "--out", run / "split.csv" / "x"], "split.csv"),
        (["--on", photographs, "--out", tmp_path / "link"], "link"),
        (["--on", photographs, "--out", tmp_path / ("x" * 300)], "name too long"),
        (["--on", photographs, "--out", tmp_path / "caf\udce9"], "not UTF-8"),
        (["--on", photographs, "--out", photographs / "out"], "is inside the folder of photographs"),
        (
            ["--on", tmp_path / "foreign", "--out", out],
            "'yellow' is not among the 3 classes expected (blue",
        ),
        (["--on", tmp_path / "nowhere", "--out", out], "no such folder"),
        (["--on", own, "--out", out], "has no new photograph"),
        (["--on", twice, "--out", out], "red/1.png: is the same image as green/1.png in another class"),
        (["--on", photographs, "--posthoc"], "--posthoc"),
        (["--out", out], "--out: only works with --on; add --on"),
    ]
    for words, named in cases:
        assert main(["evaluate", str(run), *map(str, words)]) == 2, words
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and named in error
        assert sorted(tmp_path.rglob("*")) == before
