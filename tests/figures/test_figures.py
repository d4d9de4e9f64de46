import io
import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from kfg.errors import InputError
from kfg.evaluation.paired import paired_recall
from kfg.evaluation.predict import Predictions
from kfg.figures import arms_figure, confusion_figure, curves, drawing, worst


def picture(figure, tmp_path):
    drawing.save(figure, tmp_path / "figure.png")
    return np.asarray(Image.open(tmp_path / "figure.png").convert("RGB"))


def texts(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def test_names_in_other_scripts_are_drawn_without_a_warning_in_fonts_that_are_there(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(drawing, "FALLBACKS", ("No Such Font", "DejaVu Serif"))
    drawing.fallbacks.cache_clear()
    try:
        assert drawing.fallbacks() == ("DejaVu Serif",)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            names = [
                "\u83ca\u82b1",
                "\u3072\u306a\u304e\u304f",
                "\ub370\uc774\uc9c0",
                "\u05d7\u05d9\u05e0\u05e0\u05d9\u05ea",
            ]
            figure = confusion_figure.draw(np.eye(4, dtype=int), names)
            picture(figure, tmp_path)
        assert figure.axes[0].get_yticklabels()[0].get_fontfamily() == ["sans-serif", "DejaVu Serif"]
    finally:
        monkeypatch.undo()
        drawing.fallbacks.cache_clear()
    assert not caplog.messages


@pytest.mark.parametrize("count", [2, 20, 41, 120])
def test_a_confusion_matrix_has_room_for_every_class(tmp_path, count):
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 3, (count, count)) + 9 * np.eye(count, dtype=int)
    figure = confusion_figure.draw(matrix, [f"class_{i}" for i in range(count)])
    labels = figure.axes[0].get_yticklabels()
    assert len(labels) == count
    pixels = figure.get_size_inches()[1] * drawing.DPI / count
    assert pixels >= 12 and labels[0].get_fontsize() * drawing.DPI / 72 <= pixels  # names do not touch
    image = picture(figure, tmp_path)
    assert min(image.shape[:2]) > 300 and image.std() > 10


def test_classes_without_an_image_that_were_never_named_are_left_out_of_a_large_matrix():
    matrix = np.zeros((1000, 1000), int)
    matrix[[1, 1, 7], [1, 990, 7]] = 2  # 990 has no image, but was named
    figure = confusion_figure.draw(matrix, [f"class_{i}" for i in range(1000)])
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["class_1  4", "class_7  2", "class_990  0"]
    said = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert (
        "997 classes without an image that were never predicted are left out" in said and "4 of 6 images right" in said
    )


def test_thousands_of_classes_make_no_larger_picture_and_lose_their_names(monkeypatch):
    monkeypatch.setattr(confusion_figure, "SIDE_LIMIT", 2)
    figure = confusion_figure.draw(np.eye(60, dtype=int), [f"class_{i}" for i in range(60)])
    assert figure.get_size_inches().tolist() == [2, 2]
    assert figure.axes[0].get_yticklabels() == figure.axes[0].get_xticklabels() == []


@pytest.mark.parametrize("name", ["cat", "Louisiana_Waterthrush", "WWWWWWW"])
@pytest.mark.parametrize("count", [2, 3, 6, 9])
def test_names_below_a_confusion_matrix_do_not_touch(name, count):
    figure = confusion_figure.draw(np.eye(count, dtype=int), [f"{name}{i}" for i in range(count)])
    places = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(places))


def test_a_cell_says_count_and_share_and_zero_cells_stay_empty():
    figure = confusion_figure.draw([[9, 1], [0, 5]], ["cat", "dog"])
    cells = texts(figure.axes[0])
    assert cells[:6] == ["9", "90%", "1", "10%", "5", "100%"]
    assert "14 of 15 images right (93.3%)" in cells
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["cat  10", "dog  5"]


def test_many_classes_are_ordered_so_that_confused_ones_are_neighbours():
    rng = np.random.default_rng(0)
    mates = rng.permutation(60).reshape(30, 2)
    matrix = np.eye(60, dtype=int) * 8
    for one, other in mates:
        matrix[one, other] = matrix[other, one] = 4
    order = confusion_figure.similar_together(matrix)
    assert sorted(order) == list(range(60))
    place = np.argsort(order)
    assert all(abs(place[one] - place[other]) == 1 for one, other in mates)
    assert not all(abs(one - other) == 1 for one, other in mates)


@pytest.mark.parametrize("name", ["$5 and $6", "a_b^c", "line\nbreak", "x" * 300, "köket", "<b>"])
def test_any_folder_name_can_be_drawn(tmp_path, name):
    assert picture(confusion_figure.draw([[3, 1], [0, 4]], [name, "other"]), tmp_path).std() > 10


def test_short_keeps_what_fits_and_both_ends_of_what_does_not():
    assert drawing.short("anchor") == "anchor"
    assert drawing.short("a" * 28) == "a" * 28
    cut = drawing.short("Black_footed_Albatross" + "_" * 30 + "juvenile")
    assert len(cut) == 28 and cut.startswith("Black_footed") and cut.endswith("juvenile")


def history_of(epochs=6):
    return {
        "epoch": np.arange(1.0, epochs + 1),
        "loss": np.linspace(3, 1, epochs),
        "val_loss": np.abs(np.arange(epochs) - 3) + 1.0,
        "accuracy": np.linspace(0.1, 0.9, epochs),
        "learning_rate": np.array([1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4])[:epochs],
    }


def test_learning_rates_that_differ_little_are_not_labelled_over_each_other():
    rates = np.array([4.4e-6, 2e-4, 1.9e-4, 1.5e-4, 1.1e-4, 7.2e-5, 3.6e-5, 1.2e-5])
    axis = curves.learning_curves({"learning_rate": rates}).axes[0]
    ticks = np.log(np.sort(axis.get_yticks()))
    assert len(ticks) == 7 and np.exp(ticks[-1]) == pytest.approx(2e-4) and np.exp(ticks[0]) == pytest.approx(4.4e-6)
    assert np.diff(ticks).min() > 0.06 * (ticks[-1] - ticks[0])


def test_learning_curves_mark_the_best_epoch_and_each_cut(tmp_path):
    figure = curves.learning_curves(history_of())
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Loss, best validation 1.000 in epoch 4",
        "Accuracy",
        "Learning rate, 2 cuts",
    ]
    assert picture(figure, tmp_path).std() > 5


@pytest.mark.parametrize("rate", [1e-3 * 0.995 ** np.arange(6), 1e-3 * 0.9 ** np.arange(6)])
def test_a_decay_is_no_cut(rate):
    history = history_of() | {"learning_rate": rate}
    assert curves.learning_curves(history).axes[2].get_title(loc="left") == "Learning rate"


def curves_without(column):
    history = history_of()
    del history[column]
    return curves.learning_curves(history).axes


def labels_of(axes):
    return [line.get_label() for line in axes.lines if not line.get_label().startswith("_")]


def test_what_a_history_lacks_is_not_drawn():
    assert [len(curves_without(column)) for column in ("learning_rate", "val_loss")] == [2, 3]
    lost, whole = curves_without("val_loss")[0], curves.learning_curves(history_of()).axes[0]
    assert (lost.get_title(loc="left"), labels_of(lost)) == ("Loss", ["train"])
    assert labels_of(whole) == ["train", "validation"]
    drawn = next(line for line in curves_without("epoch")[0].lines if line.get_label() == "train")
    assert drawn.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]


def test_one_epoch_is_drawn_and_none_is_an_error(tmp_path):
    assert picture(curves.learning_curves(history_of(1)), tmp_path).std() > 5
    with pytest.raises(InputError, match="history"):
        curves.learning_curves({name: values[:0] for name, values in history_of().items()})


def test_history_csv_is_read_with_empty_cells(tmp_path):
    (tmp_path / "h.csv").write_text("epoch,loss,val_loss\n1,2.5,\n2,2.0,1.5\n")
    history = curves.read_history(tmp_path / "h.csv")
    assert history["loss"].tolist() == [2.5, 2.0] and np.isnan(history["val_loss"][0])
    (tmp_path / "h.csv").write_text("epoch,loss\n1,much\n")
    with pytest.raises(InputError, match=r"h\.csv.*much"):
        curves.read_history(tmp_path / "h.csv")


def row(name, correct, support):
    share = correct / support if support else None
    recall = {"value": share, "low": share and share / 2, "high": share and (1 + share) / 2}
    return {"name": name, "correct": correct, "support": support, "recall": recall}


def test_recall_bars_run_from_worst_to_best_without_untested_classes(tmp_path):
    figure = curves.recall_bars([row("good", 9, 10), row("bad", 1, 10), row("unseen", 0, 0)], macro=0.5)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["bad", "good"]
    assert texts(figure.axes[0]) == ["1/10", "9/10", "macro recall 0.50"]
    assert picture(figure, tmp_path).std() > 5


def test_of_many_classes_the_worst_40_are_shown_and_it_is_said():
    axes = curves.recall_bars([row(f"c{i}", i, 100) for i in range(100)]).axes[0]
    assert "40 worst of 100" in axes.get_title(loc="left")
    assert axes.get_yticklabels()[-1].get_text() == "c39"


def predictions():
    probabilities = np.float32([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    return Predictions(("a.jpg", "b.jpg", "c.jpg"), np.array([0, 0, 1], np.int32), probabilities, ("cat", "dog"))


def test_the_worst_images_come_first_and_an_unreadable_one_is_kept(tmp_path):
    def decode(path):
        if path == "c.jpg":
            raise OSError("gone")
        return np.full((600, 300, 3), 200, np.uint8)

    found = worst.find(predictions(), decode, n=2)
    assert [(one.path, one.true, one.predicted) for one in found] == [("b.jpg", "cat", "dog"), ("c.jpg", "dog", "cat")]
    assert found[0].confidence == pytest.approx(0.8) and found[0].true_probability == pytest.approx(0.2)
    assert found[0].thumbnail.shape == (220, 110, 3) and found[1].thumbnail is None
    figure = worst.sheet(found)
    assert "cannot be read" in texts(figure.axes[1]) and "true: cat" in texts(figure.axes[0])
    assert picture(figure, tmp_path).std() > 5


def comparison(runs=3):
    rng = np.random.default_rng(0)

    def arm(rate):
        guesses = [np.where(rng.random(30) < rate, 0, 1) for _ in range(runs)]
        labels, paths = np.zeros(30, np.int32), tuple(map(str, range(30)))
        return [Predictions(paths, labels, np.eye(2, dtype=np.float32)[guess], ("a", "b")) for guess in guesses]

    return paired_recall({"none": arm(0.3), "uniform": arm(0.4), "targeted": arm(0.8)}, [{0}] * runs)


@pytest.mark.parametrize("runs", [1, 3])
def test_arms_show_recall_and_difference_of_groups_that_have_images(tmp_path, runs):
    figure = arms_figure.draw(comparison(runs))
    left, right = figure.axes
    assert [label.get_text().split()[0] for label in left.get_yticklabels()] == ["targeted", "all"]
    assert len(texts(left)) == 6
    assert len(texts(right)) == 6  # two groups: uniform and targeted to none, targeted to uniform
    assert sum("to uniform" in text for text in texts(right)) == 2
    assert all(text[0] in "+\N{MINUS SIGN}" for text in texts(right))
    assert picture(figure, tmp_path).std() > 5


def test_the_same_figure_is_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        drawing.save(curves.learning_curves(history_of()), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).format == "PNG"


def test_pyplot_and_its_global_state_stay_out():
    code = (
        "import sys, matplotlib;"
        "from kfg.figures import confusion_figure, worst;"
        "confusion_figure.draw([[1, 0], [0, 1]], 'ab');"
        "sys.exit('matplotlib.pyplot' in sys.modules or not matplotlib.rcParams['text.parse_math'])"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
