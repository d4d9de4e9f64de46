import hashlib
import json
import re

import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.errors import InputError
from kfg.evaluation import predict
from kfg.evaluation.predict import Predictions
from kfg.runs import run_files, two_runs

CLASSES = ("cod", "<b>eel", "ray")
LABELS = [0] * 8 + [1] * 8 + [2] * 4
BEFORE = [0] * 8 + [1] * 4 + [0] * 4 + [2] * 4
AFTER = [0] * 7 + [1] + [1] * 7 + [2] + [2] * 4  # loses one cod, gains three eels, another answer for the last eel


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for at, label in enumerate(LABELS):
        path = root / str(label) / f"{at:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (50, 40), (12 * at, 0, 0)).save(path)
    return root


def run_of(folder, photos, guesses, *, classes=CLASSES, labels=LABELS, leave_out=0, seed=0):
    """Write what a finished run leaves behind of its test photographs."""
    folder.mkdir(parents=True)
    paths = tuple(f"{label}/{at:02}.png" for at, label in enumerate(LABELS))[leave_out:]
    labels = [classes.index(CLASSES[label]) for label in labels[leave_out:]]
    probabilities = np.full((len(paths), len(classes)), 0.2 / (len(classes) - 1), np.float32)
    for row, guess in zip(probabilities, guesses[leave_out:], strict=True):
        row[classes.index(CLASSES[guess])] = 0.8
    answers = Predictions(paths, np.int32(labels), probabilities, classes)
    predict.write_csv(answers, folder / run_files.PREDICTIONS)
    digests = [hashlib.sha256((photos / path).read_bytes()).hexdigest() for path in paths]
    rows = [
        f'{path},"{classes[label]}",test,{at},{digest}'
        for at, (path, label, digest) in enumerate(zip(paths, labels, digests, strict=True))
    ]
    (folder / run_files.SPLIT).write_text("\n".join(["path,class,part,group,sha256", *rows]) + "\n")
    (folder / run_files.CONFIG).write_text(json.dumps({"seed": seed, "config": {"epochs": 3}}))
    (folder / run_files.ENVIRONMENT).write_text(json.dumps({"photographs": str(photos)}))
    (folder / run_files.REPORT).write_text("{}")
    return folder


@pytest.fixture
def both(tmp_path, photos):
    return run_of(tmp_path / "runs/a", photos, BEFORE), run_of(tmp_path / "runs/b", photos, AFTER, seed=1)


def test_the_screen_says_what_changed(both, capsys):
    assert main(["compare", *map(str, both)]) == 0
    told = capsys.readouterr().out
    verdict = "No difference between a and b can be seen on these 20 test photographs"
    assert told.splitlines()[0] == f"{verdict}: b is right on 2 more, which may be chance."
    assert "Right only in the first: 1; only in the second: 3. Wrong in both, but as another class: 1." in told
    assert "counts at least as uneven would have the probability p = 0.62 (sign test, in which near-dup" in told
    assert re.search(r"top-1, %\s+80\.0\s+90\.0\s+\+10\.0 \[", told)
    assert re.search(r"<b>eel\s+50\.0\s+87\.5\s+\+37\.5 \[.*\]\s+0\s+3 ", told)
    assert "ray" not in told  # nothing changed


def test_the_page_shows_the_photographs_that_flipped(both, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["compare", *map(str, both), "--html", "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"page: {out}"
    page = out.read_text(encoding="utf-8")
    assert "<title>Two runs: a and b</title>" in page and "<b>eel" not in page
    assert "a difference of +10.0 points" in page and "1 photograph." in page
    sheets = {name: page.partition(f'id="{name}"')[2].partition("</section>")[0] for name in two_runs.versus_page.KINDS}
    shown = {name: re.findall(r"<small>(.*?)</small>", sheet) for name, sheet in sheets.items()}
    assert shown == {"lost": ["0/07.png"], "gained": ["1/12.png", "1/13.png", "1/14.png"], "otherwise": ["1/15.png"]}
    assert page.count("<img") == 5 and "<td>seed</td><td>0</td><td>1</td>" in page
    assert main(["compare", *map(str, both), "--html", "--out", str(out)]) == 0  # its own page is replaced


def test_what_changed_or_went_is_counted_and_shown_as_such(both, photos, tmp_path, capsys):
    Image.new("RGB", (50, 40)).save(photos / "0/07.png")
    (photos / "1/12.png").unlink()
    out = tmp_path / "page.html"
    assert main(["compare", *map(str, both), "--html", "--out", str(out)]) == 0
    assert "2 of the photographs have been changed or removed since" in capsys.readouterr().out
    page = out.read_text(encoding="utf-8")
    assert page.count("<img") == 3 and page.count("cannot be read</div>") == 2


def test_only_photographs_of_both_are_compared_and_that_is_said(both, tmp_path, photos):
    fewer = run_of(tmp_path / "runs/c", photos, AFTER, leave_out=3)
    relabelled = run_of(tmp_path / "runs/d", photos, AFTER, labels=[1, *LABELS[1:]])
    pair = two_runs.compare(both[0], fewer)
    assert pair.compared["images"] == 17
    assert pair.remarks[0].startswith(f"Of the test photographs (20 of {both[0]} and 17 of {fewer}), 17 are the same")
    assert pair.remarks[1] == (
        "Left out: 3 photographs that only the first run has tested (0/00.png, 0/01.png, 0/02.png)."
    )
    pair = two_runs.compare(both[0], relabelled)
    assert pair.compared["images"] == 19 and pair.remarks[1:] == (
        "Left out: 1 photograph that the second run has in another class (0/00.png from cod to <b>eel).",
    )
    split = both[1] / run_files.SPLIT
    split.write_text(re.sub(r"(0/05\.png,.*,)\w+", r"\g<1>" + "0" * 64, split.read_text()))
    assert two_runs.compare(*both).remarks[1:] == (
        "Left out: 1 photograph whose file changed between the two runs (0/05.png).",
    )


def test_the_verdict_in_words_names_the_better_run(both, tmp_path, photos):
    worst = run_of(tmp_path / "runs/c", photos, [1] * 8 + [0] * 12)
    pair = two_runs.compare(both[0], worst)
    assert two_runs.table(pair).startswith(
        "a is right on 16 more of these 20 test photographs than c, which chance does not explain.\n"
    )
    same = run_of(tmp_path / "runs/d", photos, BEFORE)
    assert two_runs.table(two_runs.compare(both[0], same)).startswith(
        "No difference between a and d can be seen on these 20 test photographs: both are right equally often.\n"
    )


def test_everything_is_compared_without_a_remark(both):
    assert two_runs.compare(*both).remarks == ()


def test_another_order_of_the_classes_is_no_other_classes(both, tmp_path, photos):
    turned = run_of(tmp_path / "runs/c", photos, AFTER, classes=CLASSES[::-1])
    assert two_runs.compare(both[0], turned).compared == two_runs.compare(*both).compared


def test_what_cannot_be_compared_is_refused_in_a_line(both, tmp_path, photos, capsys):
    a, b = map(str, both)
    other = run_of(tmp_path / "other", photos, BEFORE, classes=(*CLASSES, "shark"))
    text = (both[1] / run_files.PREDICTIONS).read_text()
    apart = run_of(tmp_path / "apart", photos, BEFORE)
    (apart / run_files.PREDICTIONS).write_text(re.sub(r"(?m)^(\d)/", r"new/\1/", text))
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    for words, said in (
        ([a, a], "is the same run as the first"),
        ([a, str(tmp_path)], "holds 4 finished runs"),
        ([a, str(photos)], "has no predictions.csv"),
        ([a, str(other)], "only one of them has shark"),
        ([a, str(apart)], "has no test photograph in common"),
        ([a], "is a folder and not the name of a recipe; to compare"),
        ([a, b, b], "expected a recipe or two runs"),
        ([a, b, "--out", "x.html"], "only work with --html"),
        (["cub200", "--html"], "only work with two runs"),
        ([a, b, "--html", "--out", str(mine)], "is not a comparison written by kfg"),
        ([a, b, "--html", "--data", str(tmp_path / "gone")], "no such folder; give the folder of the test photographs"),
    ):
        assert main(["compare", *words]) == 2, words
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and said in lines[0], lines
    assert mine.read_text() == "mine"


def test_a_run_that_does_not_say_where_its_photographs_are_wants_their_folder(both, photos, tmp_path):
    for run in both:
        (run / run_files.ENVIRONMENT).unlink()
    pair = two_runs.compare(*both)
    with pytest.raises(InputError, match="does not say where its photographs are; give"):
        two_runs.write(pair, tmp_path / "page.html")
    assert two_runs.write(pair, tmp_path / "page.html", data=photos) == 0
