import csv
import html.parser
import json
import re
import tracemalloc
import types

import numpy as np
import pytest
from PIL import Image

from kfg import reporting
from kfg.data.decode import decode
from kfg.errors import InputError
from kfg.evaluation import metrics
from kfg.evaluation.paired import paired_recall, still_needed
from kfg.evaluation.predict import Predictions, read_csv
from kfg.reporting import arms, arms_words, doubt, markup, sections
from kfg.reporting import photographs as page_photographs
from kfg.runs import run_files

NASTY = "<script>alert('x')</script>"


def predictions_of(classes, count=60, signal=2.0) -> Predictions:
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % len(classes)).astype(np.int32)
    scores = rng.normal(size=(count, len(classes)))
    scores[np.arange(count), labels] += signal
    scores = np.exp(scores)
    paths = tuple(f"{classes[c]}/{i:03}.jpg".replace("</", "<-") for i, c in enumerate(labels))
    return Predictions(paths, labels, np.float32(scores / scores.sum(axis=1, keepdims=True)), tuple(classes))


def fill(run_dir, predictions):
    """Write the files of a run folder that a report reads."""
    config = {"recipe": "imagenet20", "row": "convnet1", "seed": 7, "config": {"epochs": 3, "note": NASTY}}
    (run_dir / "config.json").write_text(json.dumps(config))
    (run_dir / "env.json").write_text(json.dumps({"device": "CPU", "versions": {"keras": "3.15"}}))
    (run_dir / "classes.json").write_text(json.dumps(predictions.classes))
    (run_dir / "history.csv").write_text(
        "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n"
        "1,2.0,0.2,2.1,0.2,0.001,3\n2,1.5,0.4,1.7,0.3,0.001,3\n3,1.2,0.5,1.8,0.3,0.0005,3\n"
    )
    rows = [
        (path, predictions.classes[c], "test") for path, c in zip(predictions.paths, predictions.labels, strict=True)
    ]
    rows += [(f"train-{path}", name, "train") for path, name, _ in rows]
    with open(run_dir / "split.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "class", "part"), *rows])


def photographs(root, predictions):
    for path in predictions.paths:
        (root / path).parent.mkdir(exist_ok=True, parents=True)
        Image.new("RGB", (40, 30), (200, 90, 10)).save(root / path)


class Page(html.parser.HTMLParser):
    """Reads a page: tags with their attributes, and the text a reader sees."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "input", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag  # well nested

    def handle_data(self, data):
        if "style" not in self.open and "script" not in self.open:
            self.text += data


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run folder with its report, of four classes, one of which has a hostile name."""
    root = tmp_path_factory.mktemp("run")
    images = tmp_path_factory.mktemp("images")
    predictions = predictions_of(["anchor", "köket", "a & b", NASTY])
    fill(root, predictions)
    photographs(images, predictions)
    sections = [("Paper & ours", [["row", "paper"], [NASTY, 47.2]]), ("Note", f"one\n\n{NASTY}")]
    result = reporting.write(root, predictions, image_root=images, decode=decode, extra_sections=sections)
    return root, predictions, result, Page((root / "report.html").read_text(encoding="utf-8"))


def test_every_file_is_there_and_whole(finished):
    root, predictions, result, _ = finished
    names = {path.name for path in root.iterdir()}
    assert {"report.html", "report.json", "predictions.csv", "confusion.csv"} <= names
    assert {"confusion.png", "recall.png", "learning_curves.png", "worst.png"} <= names
    assert not [name for name in names if "partial" in name]
    assert json.loads((root / "report.json").read_text()) == result
    assert read_csv(root / "predictions.csv").paths == predictions.paths
    rows = list(csv.reader((root / "confusion.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["true", *predictions.classes] and rows[1][0] == "anchor"
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == result["confusion"]
    for name in names:
        if name.endswith(".png"):
            Image.open(root / name).verify()


def test_the_json_has_the_metrics_and_the_parts(finished):
    _, predictions, result, _ = finished
    assert result["images"] == 60 and result["classes"] == 4
    assert result["parts"] == {"train": 60, "test": 60}
    expected = metrics.evaluate(predictions)
    for name in ("loss", "top1", "top5", "macro_recall", "macro_f1", "auc"):
        assert set(result[name]) == {"value", "low", "high"} and result[name] == expected[name]


def test_the_page_fetches_nothing(finished):
    page = finished[3]
    links = [attrs[key] for _, attrs in page.tags for key in ("src", "href") if key in attrs]
    assert len(links) > 20
    assert all(link.startswith(("data:image/", "#")) for link in links)
    assert not re.search(r"https?://|@import|url\(", (finished[0] / "report.html").read_text(encoding="utf-8"))
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy


def test_names_and_settings_are_text_not_markup(finished):
    root, _, _, page = finished
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "answers"}, {}]  # what the page knows, and its own script
    assert NASTY not in (root / "report.html").read_text(encoding="utf-8")
    assert page.text.count(NASTY) >= 5  # in tables, captions, settings and the extra sections


def test_the_page_says_what_a_reader_asks(finished):
    _, _, result, page = finished
    anchors = {attrs.get("id") for _, attrs in page.tags}
    assert all(attrs["href"][1:] in anchors for tag, attrs in page.tags if tag == "a")
    right = sum(row["correct"] for row in result["per_class"])
    for text in (
        "recipe imagenet20, row convnet1, seed 7",
        f"{right} of 60 test images are classified correctly",
        f"{100 * result['top1']['value']:.1f}%",
        "all 60 images of part test",
        "3 epochs",
        "versions.keras",
        "The seed is 7",
        "kfg predict",
        "Paper & ours",
    ):
        assert text in page.text, text
    assert "is not in this folder" not in page.text
    assert sum(tag == "figure" for tag, _ in page.tags) == 2 + 24  # two figures, 24 worst images


def test_with_four_classes_top_5_is_no_headline(finished, tmp_path):
    assert "Top-5" not in re.sub(r"How the figures.*", "", finished[3].text, flags=re.S)
    reporting.write(tmp_path, predictions_of([f"c{i}" for i in range(6)]))
    assert "Top-5" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_an_empty_folder_gets_a_report_that_says_what_is_missing(tmp_path):
    result = reporting.write(tmp_path, predictions_of(["a", "b"]))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    for name in ("split.csv", "history.csv", "config.json", "env.json"):
        assert f"{name} is not in this folder" in page.text
    assert "because they were not given" in page.text and "no export/" in page.text
    assert page.text.lstrip().startswith(tmp_path.name)
    assert result["parts"] is None
    assert not (tmp_path / "learning_curves.png").exists()


def test_of_many_photographs_only_those_on_the_page_are_rounded(monkeypatch):
    predictions = predictions_of([f"c{at}" for at in range(100)], count=10_000)
    monkeypatch.setattr("kfg.reporting.photographs.most_telling", lambda predictions: [7, 9_000])
    tracemalloc.start()
    data = page_photographs.block(predictions, None, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data["at"] == [7, 9_000] and peak < 10_000 * 100 * 2
    for truth, top, at in zip(data["truth"], data["top"], data["at"], strict=True):
        row = predictions.probabilities[at]
        assert truth == round(1000 * float(row[predictions.labels[at]]))
        assert top[:2] == [int(row.argmax()), round(1000 * float(row.max()))]


def test_an_unreadable_image_is_shown_as_such(tmp_path):
    reporting.write(tmp_path, predictions_of(["a", "b"]), image_root=tmp_path / "gone", decode=decode)
    assert "cannot be read" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_a_folder_of_images_needs_a_function_that_decodes_them(tmp_path):
    with pytest.raises(TypeError, match="decode"):
        reporting.write(tmp_path, predictions_of(["a", "b"]), image_root=tmp_path)
    assert not any(tmp_path.iterdir())


def test_decode_gets_the_full_path(tmp_path):
    seen = []

    def black(path):
        seen.append(path)
        return np.zeros((4, 4, 3), np.uint8)

    reporting.write(tmp_path, predictions_of(["a", "b"], count=3), image_root=tmp_path / "root", decode=black)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in seen) == [
        "root/a/000.jpg",
        "root/a/002.jpg",
        "root/b/001.jpg",
    ]


def test_photographs_from_which_nothing_was_learned_do_not_count_as_trained_on(tmp_path):
    predictions = predictions_of(["a", "b"], count=10)
    fill(tmp_path, predictions)
    settings = json.loads((tmp_path / "config.json").read_text())
    settings["config"]["left_out"] = ["train-a/000.jpg", "train-a/002.jpg"]
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert reporting.write(tmp_path, predictions)["parts"] == {"train": 8, "test": 10}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "did not learn from 2 further training photographs" in Page(page).text
    trained = re.findall(r"<tr><td[^>]*>(?:<[^>]*>)*([ab])<.*?</td><td[^>]*>5</td><td[^>]*>(\d+)</td>", page)
    assert dict(trained) == {"a": "3", "b": "5"}


def test_images_outside_the_split_are_counted_and_said(tmp_path):
    predictions = predictions_of(["a", "b"], count=10)
    fill(tmp_path, predictions)
    text = (tmp_path / "split.csv").read_text().replace("a/000.jpg", "a/999.jpg")
    (tmp_path / "split.csv").write_text(text)
    reporting.write(tmp_path, predictions)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "9 of the 10 images of part test" in text and "1 image that split.csv does not list" in text


def test_near_duplicates_in_the_split_widen_the_intervals_and_the_method_says_how(tmp_path):
    predictions, tops, told = predictions_of(["a", "b"]), [], []
    for name, groups in (("none", None), ("own", range(60)), ("pairs", [at // 4 for at in range(60)])):
        (folder := tmp_path / name).mkdir()
        header, *rows = list(csv.reader(_split_of(folder, predictions)))
        if groups is not None:
            rows = [[*row, group] for row, group in zip(rows[:60], groups, strict=True)]
            with open(folder / "split.csv", "w", newline="") as file:
                csv.writer(file).writerows([[*header, "group"], *rows])
        tops.append(reporting.write(folder, predictions)["top1"])
        told.append(Page((folder / "report.html").read_text(encoding="utf-8")).text)
    assert tops[0] == tops[1] and tops[2]["low"] < tops[1]["low"] and tops[2]["high"] > tops[1]["high"]
    assert "separated_groups" not in json.loads((folder / "report.json").read_text())
    assert (
        reporting.write(folder, predictions, separated=2)["separated_groups"] == 2
    )  # the model card takes it from here
    assert "Near-duplicates among the test images are not known here" in told[0]
    assert "No two of these test images are known to be near-duplicates." in told[1]
    assert "These 60 test images are worth 15 that are all different." in told[2]


def _split_of(run_dir, predictions) -> list[str]:
    fill(run_dir, predictions)
    return (run_dir / "split.csv").read_text().splitlines()


@pytest.mark.parametrize(
    "file, content, message",
    [
        ("classes.json", '["b", "a"]', "another order"),
        ("split.csv", "path,class\nx,a\n", "no column 'split' or 'part'"),
        ("config.json", "{", "config.json"),
        ("history.csv", "epoch,loss\n1,x\n", "history.csv"),
    ],
)
def test_a_damaged_folder_is_refused_and_stays_unfinished(tmp_path, file, content, message):
    (tmp_path / file).write_text(content)
    with pytest.raises(InputError, match=message):
        reporting.write(tmp_path, predictions_of(["a", "b"]))
    assert not (tmp_path / run_files.REPORT).exists()


@pytest.mark.parametrize("place", ["run._pictures", "sections.page"])
def test_report_json_is_written_last(place, tmp_path, monkeypatch):
    def fail(*_args, **_named):
        raise InputError("the disk is full")

    monkeypatch.setattr(f"kfg.reporting.{place}", fail)
    with pytest.raises(InputError, match="full"):
        reporting.write(tmp_path, predictions_of(["a", "b"]))
    assert not (tmp_path / run_files.REPORT).exists()


def test_without_a_page_there_is_no_report_json(tmp_path):
    (tmp_path / run_files.PAGE).mkdir()  # so that the page cannot be written
    with pytest.raises((InputError, OSError), match=run_files.PAGE):
        reporting.write(tmp_path, predictions_of(["a", "b"]))
    assert not (tmp_path / run_files.REPORT).exists()


def test_a_second_report_is_the_same_bytes(tmp_path):
    predictions, pages = predictions_of(["a", "b"]), []
    for _ in range(2):
        reporting.write(tmp_path, predictions)
        pages.append([path.read_bytes() for path in sorted(tmp_path.iterdir())])
    assert pages[0] == pages[1]


def comparison(gain, runs=3):
    rng = np.random.default_rng(0)
    labels = (np.arange(60) % 3).astype(np.int32)

    def arm(rate):
        rates = np.where(labels == 0, rate, 0.5)
        guesses = [np.where(rng.random(60) < rates, labels, (labels + 1) % 3) for _ in range(runs)]
        eye, names = np.eye(3, dtype=np.float32), ("a", NASTY, "c")
        return [Predictions(tuple(map(str, range(60))), labels, eye[guess], names) for guess in guesses]

    return paired_recall(
        {"none": arm(0.2), "uniform": arm(0.2), "targeted": arm(0.2 + gain)}, [{0, 1}, {0}, {0}][:runs]
    )


def test_arms_are_written_with_their_findings_in_words(tmp_path):
    found = comparison(gain=0.7)
    reporting.write_arms(tmp_path, found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arms.html", "arms.json", "arms.png"]
    assert json.loads((tmp_path / "arms.json").read_text()) == found
    page = Page((tmp_path / "arms.html").read_text(encoding="utf-8"))
    gain = found["groups"]["targeted"]["arms"]["targeted"]["difference"]["value"]
    assert f"targeted recalls {100 * gain:.1f} points more than none on the targeted classes" in page.text
    assert "more than uniform on the targeted classes" in page.text
    assert NASTY in page.text and sum(tag == "script" for tag, _ in page.tags) == 1


def test_the_screen_shows_both_intervals():
    kind = {"settings": {"data": {"name": "mine"}, "folds": 1, "trained in": "float32"}}
    found = comparison(gain=0.7) | kind
    compared = found["groups"]["targeted"]["arms"]["targeted"]["against"]["uniform"]
    images, runs = compared["difference"], compared["over_runs"]
    over = [f"{100 * value:+.1f}" for value in (images["value"], images["low"], images["high"])]
    again = [f"{100 * value:+.1f}" for value in (runs["mean"], runs["low"], runs["high"])]
    line = "  targeted against uniform {} [{}, {}]; over 3 runs: {} [{}, {}]".format(*over, *again)
    line += f"; {still_needed(runs)}"
    assert runs["low"] < 0 < runs["high"] and "runs to show it" in line
    assert line in arms.arms_table(found).splitlines() and over != again
    lines = arms.arms_table(comparison(gain=0.7, runs=1) | kind).splitlines()
    against = [line for line in lines if " against " in line and line.startswith("  ")]
    assert len(against) == 9 and all(
        line.endswith("; only one run, so there is no interval over runs") for line in against
    )


def test_classes_never_judged_stand_on_the_arms_page(tmp_path):
    reporting.write_arms(tmp_path, {**comparison(gain=0.7), "not_judged": [{"name": "moth", "runs": 3}]})
    page = Page((tmp_path / "arms.html").read_text(encoding="utf-8"))
    assert "Not judged" in page.text and "moth (3)" in page.text
    reporting.write_arms(tmp_path, comparison(gain=0.7))
    assert "Not judged" not in (tmp_path / "arms.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "images, runs, verdict",
    [
        ((0.1, 0.2), (0.05, 0.25), "neither interval includes zero"),
        ((-0.2, -0.1), (-0.3, 0.1), "the interval over images excludes zero, the one over runs does not"),
        ((-0.1, 0.3), (0.1, 0.2), "the interval over runs excludes zero, the one over images does not"),
        ((-0.1, 0.3), (-0.1, 0.2), "both intervals include zero"),
        ((0.1, 0.3), (None, None), "nothing is known about training again"),
    ],
)
def test_the_verdict_follows_both_intervals(images, runs, verdict):
    compared = {
        "difference": {"value": sum(images) / 2, "low": images[0], "high": images[1]},
        "over_runs": {"low": runs[0], "high": runs[1], "n": 3},
    }
    assert verdict in arms.finding("targeted", "none", "targeted", compared)[1]


def test_one_run_and_no_weak_class_can_still_be_shown(tmp_path):
    found = comparison(gain=0.3, runs=1)
    reporting.write_arms(tmp_path, found)
    assert "nothing is known about training again" in Page((tmp_path / "arms.html").read_text(encoding="utf-8")).text
    predictions = predictions_of(["a", "b"])
    reporting.write_arms(tmp_path, paired_recall({"none": [predictions], "more": [predictions]}, [set()]))
    assert (
        "There are no test images of these classes" in Page((tmp_path / "arms.html").read_text(encoding="utf-8")).text
    )


def constant(classes, count=24) -> Predictions:
    """A model that names the first class for every image."""
    labels = (np.arange(count) % len(classes)).astype(np.int32)
    probabilities = np.tile(np.eye(len(classes), dtype=np.float32)[0], (count, 1))
    return Predictions(tuple(f"{i}.jpg" for i in range(count)), labels, probabilities, tuple(classes))


def test_a_model_that_knows_nothing_is_called_that_above_everything_else(tmp_path):
    result = reporting.write(tmp_path, constant(["a", "b", "c"]))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    said = "This model is no better than guessing, or always answering 'a': it is right on 8 of 24 test images"
    assert said in page.text and page.text.index(said) < page.text.index("test images are classified correctly")
    assert result["baseline"]["verdict"] == json.loads((tmp_path / "report.json").read_text())["baseline"]["verdict"]
    reporting.write(tmp_path, predictions_of(["a", "b", "c"], signal=6))
    assert "no better than" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def history_of(rates, seconds=3.0) -> str:
    lines = [f"{epoch},2.0,0.2,2.1,0.2,{rate},{seconds}" for epoch, rate in enumerate(rates, start=1)]
    return "\n".join(["epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds", *lines]) + "\n"


def training_text(run_dir, *, rates=(0.1, 0.1), seconds=3.0, choices=None, figures=None) -> str:
    """Return what a reader sees of a run's report on its training."""
    run_dir.mkdir(exist_ok=True)
    predictions = predictions_of(["a", "b"])
    fill(run_dir, predictions)
    (run_dir / "history.csv").write_text(history_of(rates, seconds))
    if choices is not None:
        (run_dir / "config.json").write_text(json.dumps({"config": {"epochs": 8}, "choices": choices}))
    reporting.write(run_dir, predictions, extra_figures=figures)
    return Page((run_dir / "report.html").read_text(encoding="utf-8")).text


@pytest.mark.parametrize(
    "rates, said",
    [
        ((0.1, 0.1, 0.1), None),
        ((0.1, 0.09, 0.08, 0.07), None),  # a decay: no line is drawn
        ((0.1, 0.1, 0.05, 0.05), "A dotted line marks"),
        ((0.1, 0.1, 0.1, 0.05, 0.05, 0.02), "2 dotted lines mark"),
    ],
)
def test_a_dotted_line_is_told_of_where_one_is_drawn(tmp_path, rates, said):
    text = training_text(tmp_path, rates=rates)
    assert ("dotted" in text) == (said is not None) and (said or "") in text


def test_a_head_alone_is_not_said_to_be_followed_by_fine_tuning(tmp_path):
    choices = {"head": {"epochs": 2}, "fine-tuning": {"epochs": 0, "why": "the head errs on 0 of 9 validation images"}}
    text = training_text(tmp_path / "head", choices=choices)
    assert (
        "2 epochs of the head alone. The network was not fine-tuned (number of epochs: the head errs on 0 of 9" in text
    )
    assert "The numbers of epochs are upper limits" in text  # above config.epochs 8
    choices["fine-tuning"] = {"epochs": 2, "why": "as many as the time budget holds"}
    assert "2 epochs of fine-tuning, after 2 of the head alone." in training_text(tmp_path / "whole", choices=choices)


def test_the_time_told_is_that_of_the_run_not_of_its_epochs_alone(tmp_path):
    figures = {"seconds_to_trained": {"value": 96.0, "low": None, "high": None}}
    text = training_text(tmp_path / "all", seconds=0.05, figures=figures)
    assert (
        "The epochs took 0.1 s in all, 0.05 s each (median). "
        "From the start of the run to the end of the training it took 1.6 min" in text
    )
    figures["seconds_to_trained"]["value"] = None  # of a resumed run nobody knows
    assert "This does not include reading images" in training_text(tmp_path / "resumed", seconds=0.05, figures=figures)


def test_each_of_the_three_losses_is_explained(finished):
    for name in ("Training loss in the picture", "Validation loss in the picture", "Loss under Result"):
        assert name in finished[3].text


def test_arms_of_nets_at_chance_announce_nothing(tmp_path):
    eight = [constant([f"c{i}" for i in range(8)], count=48)] * 3
    other = [constant([f"c{i}" for i in range(8)], count=48)] * 3
    for one in other:
        one.probabilities[:] = np.eye(8, dtype=np.float32)[1]
    found = paired_recall({"none": eight, "targeted": other}, [{1, 2, 3}] * 3)
    assert found["groups"]["targeted"]["arms"]["targeted"]["difference"]["value"] == pytest.approx(1 / 3)
    reporting.write_arms(tmp_path, found)
    page = Page((tmp_path / "arms.html").read_text(encoding="utf-8"))
    assert "None of the 6 networks is better than naming one class for every image" in page.text
    assert "33.3 points more" not in page.text
    lines = arms.arms_table(found | {"settings": {"data": {"name": "m"}, "folds": 1, "trained in": "x"}}).splitlines()
    assert lines[1].startswith("WARNING: None of the 6 networks")


def test_an_arm_at_chance_beside_one_that_learned_is_named(tmp_path):
    classes = ["c0", "c1", "c2"]
    idle, learned = constant(classes), constant(classes)
    learned.probabilities[:] = np.eye(3, dtype=np.float32)[learned.labels]
    found = paired_recall({"none": [idle], "more": [learned]}, [{1}])
    said = arms_words.chance(found)
    assert len(said) == 1 and said[0].startswith("The network of arm none is no better")
    reporting.write_arms(tmp_path, found)
    assert "more recalls" in Page((tmp_path / "arms.html").read_text(encoding="utf-8")).text
    assert arms_words.chance(paired_recall({"none": [learned], "more": [learned]}, [{1}])) == []


def test_the_method_says_what_was_drawn_and_how_folds_were_allowed_for(tmp_path):
    found = comparison(gain=0.7)
    assert "All runs share one split" in arms_words.method(found)
    found |= {"clusters": 7, "folds": 3}
    assert "The 7 groups of near-duplicates among the images are resampled" in arms_words.method(found)
    assert "for 3 folds" in arms_words.method(found)


def test_names_written_from_right_to_left_leave_the_numbers_beside_them_in_place(tmp_path):
    hebrew, arabic = "\u05e4\u05e8\u05d7", "\u0648\u0631\u062f"
    predictions = predictions_of(["daisy_x", hebrew, arabic], signal=0.5)
    photographs(tmp_path, predictions)
    reporting.write(tmp_path, predictions, image_root=tmp_path, decode=decode)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in (hebrew, arabic):
        assert f"<bdi>{name}</bdi>" in page  # in tables
        assert f"true class: \u2068{name}\u2069" in page and f"predicted: \u2068{name}\u2069, " in page
    assert any(f"<bdi>\u2068{name}\u2069 (" in page for name in (hebrew, arabic))  # most often taken for
    assert "<bdi>daisy" not in page and markup.isolated("daisy") == "daisy"
    assert data_of(page)["classes"] == ["daisy_x", f"\u2068{hebrew}\u2069", f"\u2068{arabic}\u2069"]


def data_of(page) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="answers">(.*?)</script>', page, re.DOTALL)[1])


@pytest.mark.parametrize(
    "temperature, said",
    [
        (0.8, "makes the model more certain"),
        (1.02, "hardly changes how certain"),
        (0.98, "hardly"),
        (1.3, "less certain"),
    ],
)
def test_a_temperature_of_about_1_is_not_said_to_change_much(temperature, said):
    found = {"images": 40, "kind": "validation images"}
    told = doubt._calibration({"temperature": temperature, "temperature_found_on": found, "found_on": found})
    assert said in told and "It was found on 40 images: validation images." in told


def test_attributes_are_escaped_too():
    assert markup.tag("td", "x", title='"><b>') == '<td title="&quot;&gt;&lt;b&gt;">x</td>'


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"recipe": "folder", "row": "transfer", "seed": 0, "fold": None}, "kfg train, seed 0"),
        ({"recipe": "fruit3", "row": "cnn", "seed": 1}, "recipe fruit3, row cnn, seed 1"),
        ({"recipe": "folder", "row": "head", "fold": 1, "folds": 3}, "recipe folder, row head, fold 2 of 3"),
        ({}, "my-run"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_a_run_is_named_by_what_made_it(settings, told):
    assert sections.which_run(types.SimpleNamespace(config=settings, name="my-run")) == told
