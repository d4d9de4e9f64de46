"""Correct a finished run, after its training, for unequal class counts: before and after on its test images."""

import pathlib

import keras
import numpy as np

from kfg.data import decoded, folder, splitcsv
from kfg.errors import InputError
from kfg.evaluation import posthoc, predict
from kfg.files import read_json, write_json
from kfg.models import calibrated, saved
from kfg.names import counted, percent
from kfg.runs import origins, run_files
from kfg.runs.found import file_of
from kfg.training import losses

PREDICTIONS = {"val": run_files.VAL_PREDICTIONS, "test": run_files.PREDICTIONS}
TRAINED = {  # value of a run's setting imbalance, loss or sampling -> what was done
    "adjusted": "with the loss adjusted to the class counts",
    "weighted": "with classes weighted in the loss",
    "balanced": "with every class shown equally often",
    "square-root": "with classes shown in proportion to the square root of their size",
}
SAME = 1e-3  # largest difference of a probability between the run's predictions and its model asked again
CHUNK = 256  # images in memory at a time
COLUMNS = {
    "top1": "top-1",
    "macro_recall": "macro recall",
    "rare": "rare < 20",
    "medium": "20 to 100",
    "many": "many > 100",
}


def correct(run, *, data_dir=None, tau: float | None = None) -> dict:
    """Correct a run's answers by logit adjustment and, if images are given, tau-normalisation; write posthoc.json.

    tau is chosen on the validation images; the figures are for the test images. The prior is the class distribution of
    the training images in split.csv, without extra images and without those that were left out.

    Args:
        run: folder of a finished run.
        data_dir: folder of the images that the run was trained on; None leaves out tau-normalisation.
        tau: float >= 0 to use; None to choose it.
    Returns:
        The content of posthoc.json: `train_counts`, `val_images`, `val_rare_images`, `test_images`; `remarks`, lines on
        what the corrections mean for this run; `before`; and `corrections`, each with `method`, `tau`,
        `val_macro_recall` (by tau), `after`, `gain`.
    Raises:
        InputError: a missing file; tau below 0; images or a model that are not the run's; a head that is not dense.
    """
    if tau is not None and not tau >= 0:
        raise InputError(f"--tau: must be at least 0, got {tau}")
    answers = {part: predict.read_csv(file_of(run, name)) for part, name in PREDICTIONS.items()}
    val, test = answers["val"], answers["test"]
    if val.classes != test.classes:
        raise InputError(f"{run}: {PREDICTIONS['val']} and {PREDICTIONS['test']} have different classes")
    counts = _train_counts(run, val.classes)
    prior = losses.log_prior(counts)
    methods = {"logit adjustment": lambda part, tau: posthoc.adjusted(answers[part], prior, tau=tau)}
    if data_dir is not None:
        methods["tau-normalisation"] = _head_method(run, data_dir, answers)
    taus = posthoc.GRID if tau is None else (tau,)
    result = {
        "train_counts": counts.tolist(),
        "val_images": len(val),
        "val_rare_images": int(posthoc.GROUPS["rare"](counts)[val.labels].sum()),
        "test_images": len(test),
        "remarks": _remarks(run, data_dir),
        "before": posthoc.figures(test, counts),
        "corrections": [_corrected(name, method, test, counts, taus) for name, method in methods.items()],
    }
    write_json(pathlib.Path(run) / run_files.POSTHOC, result)
    return result


def table(result: dict) -> str:
    """Return the result of `correct` as a table of figures before and after."""

    def line(name, tau, figures):
        cells = ["-" if figures[key] is None else percent(figures[key]) for key in COLUMNS]
        return f"{name:<18} {tau:>5}" + "".join(f"{cell:>14}" for cell in cells)

    lines = [
        f"{'on the test set':<18} {'tau':>5}" + "".join(f"{title:>14}" for title in COLUMNS.values()),
        line("as trained", "", result["before"]),
    ]
    for one in result["corrections"]:
        lines.append(line(one["method"], f"{one['tau']:g}", one["after"]))
    for one in result["corrections"]:
        value, low, high = (f"{100 * one['gain'][key]:+.1f}" for key in ("value", "low", "high"))
        tested = counted(result["test_images"], "test photograph")
        lines.append(f"{one['method']}: macro recall {value} points (95% interval {low} to {high}) on {tested}")
    chosen = "given" if len(result["corrections"][0]["val_macro_recall"]) == 1 else "chosen"
    lines.append(
        f"tau {chosen}; {counted(result['val_images'], 'validation photograph')}, {result['val_rare_images']} of them "
        "of rare classes"
    )
    return "\n".join([*result["remarks"], *lines])


def _remarks(run, data_dir) -> list[str]:
    """Say what was already done for rare classes, what cannot be tried, and if tau is chosen on the test images."""
    remarks, settings = [], _settings(run)
    config = settings.get("config", {})
    if config.get("imbalance") == "auto":
        config["imbalance"] = settings["choices"]["classes"]["treatment"]
    for name in ("imbalance", "loss", "sampling"):
        if config.get(name) in TRAINED:
            remarks.append(
                f"note: the model was trained {TRAINED[config[name]]} ({name}={config[name]}), so its answers are "
                "already adjusted and no longer follow the class counts; expect a tau near 0"
            )
    if data_dir is None:
        remarks.append("note: tau-normalisation is left out, because it needs the run's photographs: add --data DIR")
    if any(row["part"] == splitcsv.BOTH for row in splitcsv.split_rows(file_of(run, run_files.SPLIT))[0]):
        remarks.append(
            "note: the validation images are also the test images, so the figures of the best tau are too good"
        )
    return remarks


def _corrected(name, method, test, counts, taus):
    """Return one entry of `corrections`; `method` is a function (part, tau) -> predictions."""
    on_val = {tau: method("val", tau) for tau in taus}
    tau = posthoc.choose(on_val)
    after = method("test", tau)
    return {
        "method": name,
        "tau": tau,
        "val_macro_recall": {f"{tau:g}": posthoc.macro_recall(answers) for tau, answers in on_val.items()},
        "after": posthoc.figures(after, counts),
        "gain": posthoc.gain(test, after),
    }


def _train_counts(run, classes) -> np.ndarray:
    """Return int (C,), the images of each class that a run learned from."""
    path, counts = file_of(run, run_files.SPLIT), dict.fromkeys(classes, 0)
    for row in origins.used_rows(run):
        if row["class"] not in counts:
            raise InputError(f"{path}: class {row['class']!r} is not in the run's predictions")
        counts[row["class"]] += row["part"] == "train"
    return np.array(list(counts.values()))


def _settings(run) -> dict:
    path = pathlib.Path(run) / run_files.CONFIG
    return read_json(path, dict) if path.is_file() else {}


def _head_method(run, data_dir, answers):
    """Return a function (part, tau) -> tau-normalised predictions; the features are computed only once."""
    model = saved.load(file_of(run, run_files.MODEL))
    trunk, kernel, bias = dense_head(model)
    index = folder.read_split(file_of(run, run_files.SPLIT), data_dir, classes=answers["val"].classes)
    features = {}

    def method(part, tau):
        return posthoc.tau_normalised(answers[part], features[part], kernel, bias, tau=tau)

    for part, predictions in answers.items():
        images = index.take(index.where(part))
        if images.paths != predictions.paths:
            raise InputError(f"{run}: {run_files.SPLIT} and {PREDICTIONS[part]} list different images")
        features[part] = _features(trunk, images, model.input_shape[1:3])
        off = np.abs(method(part, 0).probabilities - predictions.probabilities).max()
        if off > SAME:
            raise InputError(
                f"--data {data_dir}: these are not the run's images, as its model gives other answers (by up to "
                f"{off:.2g})"
            )
    return method


def _features(trunk, index, image_size) -> np.ndarray:
    rows = []
    for start in range(0, len(index), CHUNK):
        images = decoded.load(index.take(np.arange(start, min(start + CHUNK, len(index)))), image_size=image_size)
        rows += [trunk.predict_on_batch(images.array[i : i + 32]) for i in range(0, len(images), 32)]
    return np.concatenate(rows)


def dense_head(model):
    """Split a model that ends in softmax(features @ kernel + bias) into trunk and head.

    If a temperature follows, kernel and bias are divided by it.

    Returns:
        Keras model images -> features (B, F), kernel (F, C), bias (C,).
    Raises:
        InputError: the model ends in another way, for instance with an activation or dropout on the logits.
    """
    divisor = calibrated.temperature_of(model) or 1.0
    *_, before, last = calibrated.without_temperature(model).layers
    if isinstance(last, keras.layers.Dense):
        head, fits = last, last.activation is keras.activations.softmax
    else:
        head = before
        softmax = isinstance(last, keras.layers.Softmax) or getattr(last, "activation", 0) is keras.activations.softmax
        fits = softmax and isinstance(head, keras.layers.Dense) and head.activation is keras.activations.linear
    if not fits:
        raise InputError(
            f"{model.name}: tau-normalisation needs a model that ends in a single dense layer and a softmax"
        )
    kernel, *bias = head.get_weights()
    bias = bias[0] if bias else np.zeros(head.units)
    return keras.Model(inputs=model.inputs, outputs=head.input), kernel / divisor, bias / divisor
