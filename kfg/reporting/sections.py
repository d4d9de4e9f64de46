"""The sections of a run's report page."""

import json
from collections import Counter

import numpy as np

from kfg.evaluation import baseline, metrics
from kfg.evaluation.predict import Predictions
from kfg.names import percent, shortened
from kfg.reporting import by_class, markup, photographs, training
from kfg.reporting.markup import Number, Safe, Section, tag
from kfg.reporting.run import left_out_told
from kfg.runs import run_files

RUN_ONLY = ("training", "use", "settings")  # sections on how a model was made and where it is
LAST = "last-"  # prefix of the anchors of the last sections
NO_EXPORT = "This folder has no export/. If its training is still running, kfg is making it now."


def page(
    run, result: dict, predictions: Predictions, pictures: dict[str, bytes], worst, extra, last=(), *, end: Safe
) -> str:
    """Return the report as one HTML document.

    Args:
        run: kfg.reporting.run.Run.
        result: the result of metrics.evaluate, with `parts`, and with `evaluated` if the report is not about a run.
        pictures: name -> PNG bytes.
        worst: list of Worst; None if no images were given.
        extra: (title, body) of additional sections.
        last: the same, for sections at the end of the report.
        end: HTML after the sections, from kfg.reporting.photographs.
    """
    parts = [
        ("Result", "result", _result(result, predictions, run)),
        ("Data", "data", _data(run, result)),
        ("Training", "training", training.section(run, result, pictures)),
        ("Confusion", "confusion", by_class.confusion(result, predictions.classes)),
        ("Classes", "classes", by_class.class_table(result, run, pictures)),
        ("Worst images", "worst", by_class.worst_images(worst, own=_own(run) and "evaluated" not in result)),
        *((title, f"extra-{i}", _extra(title, body)) for i, (title, body) in enumerate(extra, start=1)),
        ("Use the model", "use", _use(run)),
        ("Settings", "settings", _settings(run)),
        ("How the figures are made", "method", _method(result)),
        *((title, f"{LAST}{i}", _extra(title, body)) for i, (title, body) in enumerate(last, start=1)),
    ]
    evaluated = result.get("evaluated")
    left_out = () if evaluated is None else (*RUN_ONLY, *([] if run.split else ["data"]))
    shown = [Section(*part) for part in parts if part[1] not in left_out]
    heading = title(run, result) if evaluated is None else f"{evaluated['model']} on {evaluated['photographs']}"
    warning = baseline.warning(result["baseline"])
    which = [] if evaluated is not None else [tag("small", f"Run: {which_run(run)}.")]
    ends = [
        tag("a", f"{one.title} is at the end of the page.", href=f"#{one.anchor}")
        for one in shown
        if one.anchor.startswith(LAST)
    ]
    lead = markup.joined([_lead(result), *ends, *which], " ")
    return markup.page(
        heading,
        lead,
        shown,
        warnings=[warning] if warning else [],
        styles=photographs.STYLES,
        scripts=photographs.SCRIPTS,
        end=end,
    )


def _own(run) -> bool:
    """Return whether a run is of `kfg train`, on somebody's own photographs."""
    return (run.config or {}).get("recipe") == run_files.TRAIN_RECIPE


def title(run, result) -> str:
    """Return a title: the name of the photographs, the number of classes, and the share that is right."""
    data = ((run.config or {}).get("data") or {}).get("name")
    right = f"{result['classes']} classes, {percent(result['top1']['value'])} right"
    return f"{data}: {right}" if data else f"{which_run(run)}: {right}"


def which_run(run) -> str:
    """Say by what a run was made, with its seed and fold; the folder's name if there is no config.json with them."""
    config = run.config or {}
    recipe, row = config.get("recipe"), config.get("row")
    if (recipe, row) == (run_files.TRAIN_RECIPE, run_files.TRAIN_ROW):
        words = ["kfg train"]
    else:
        words = [f"{kind} {name}" for kind, name in (("recipe", recipe), ("row", row)) if name]
    words += [f"seed {config['seed']}"] if words and config.get("seed") is not None else []
    words += [f"fold {config['fold'] + 1} of {config.get('folds')}"] if words and config.get("fold") is not None else []
    return ", ".join(words) or run.name


def _lead(result) -> Safe:
    top1 = result["top1"]
    right = sum(row["correct"] for row in result["per_class"])
    return markup.joined(
        [
            f"{right:,} of {result['images']:,} test images are classified correctly: ",
            tag("b", percent(top1["value"])),
            f" (95% interval {100 * top1['low']:.1f} to {percent(top1['high'])}), {metrics.classes_tested(result)}. ",
            f"Always naming the most common class would give {percent(result['majority_share'])}.",
        ],
        "",
    )


def _result(result, predictions, run) -> Safe:
    names = [("top1", "Top-1"), ("macro_recall", "Macro recall"), ("macro_f1", "Macro F1"), ("top5", "Top-5")]
    tiles = []
    for key, label in names:
        figure = result[key]
        if key == "top5" and result["classes"] <= 5:
            continue  # always 1, so no finding
        detail = f"{100 * figure['low']:.1f} to {percent(figure['high'])}"
        bar = (figure["value"], figure["low"], figure["high"])
        tiles.append(markup.tile(label, percent(figure["value"]), detail, bar))
    if result["auc"]:
        area = result["auc"]
        detail = f"{area['low']:.3f} to {area['high']:.3f}"
        bar = (area["value"], area["low"], area["high"])
        tiles.append(markup.tile("AUC, macro", f"{area['value']:.3f}", detail, bar))
    loss = result["loss"]
    tiles.append(markup.tile("Loss", f"{loss['value']:.3f}", f"{loss['low']:.3f} to {loss['high']:.3f}"))
    notes = [markup.tiles(tiles), markup.paragraph(_seen(predictions, run), note=True)]
    if absent := [row["name"] for row in result["per_class"] if not row["support"]]:
        said = f"There is no test image of {shortened(absent)}; the means over classes leave these out."
        notes.append(markup.paragraph(said, note=True))
    return markup.joined(notes)


def _seen(predictions, run) -> str:
    """Say how many images were tested, and whether they are a whole part of the split."""
    count = len(predictions)
    ranges = "Ranges are 95% intervals."
    if run.split is None:
        return f"The figures come from {count:,} images, each counted once. {ranges}"
    part_of = {row["path"]: row["part"] for row in run.split}
    sizes, seen = Counter(part_of.values()), Counter(part_of.get(path, "") for path in predictions.paths)
    told = [_covered(number, part, sizes.get(part, 0)) for part, number in seen.items()]
    return f"The figures come from {' and '.join(told)}, each counted once. {ranges}"


def _covered(number, part, size) -> str:
    if not part:
        return f"{number:,} image{'s' * (number != 1)} that split.csv does not list"
    all_of = f"all {number:,}" if number == size else f"{number:,} of the {size:,}"
    return f"{all_of} images of part {part}"


def _data(run, result) -> Safe:
    described = (run.config or {}).get("data")
    name = described.get("name") if isinstance(described, dict) else described
    told = [markup.paragraph(f"Data set: {name}.")] if name else []
    if run.split is None:
        told.append(markup.paragraph("The parts are not known, because split.csv is not in this folder.", note=True))
        return markup.joined(told)
    rows = []
    for part, total in result["parts"].items():
        counts = np.array(list(Counter(row["class"] for row in run.split if row["part"] == part).values()))
        numbers = (total, len(counts), counts.min(), float(np.median(counts)), counts.max())
        rows.append([part or "(none)", *(Number(f"{number:,g}", float(number)) for number in numbers)])
    headers = ["part", "images", "classes", "fewest in a class", "median of the classes", "most in a class"]
    if run.left_out:
        told.append(markup.paragraph(left_out_told(run.left_out)))
    return markup.joined([*told, markup.table(headers, rows)])


def _extra(title, body) -> Safe:
    if isinstance(body, tuple):
        return markup.joined(_extra(title, part) for part in body)
    if isinstance(body, Safe):
        return body
    if isinstance(body, bytes):
        return markup.picture(body, title)
    if isinstance(body, str):
        return markup.joined(markup.paragraph(part) for part in body.split("\n\n"))
    headers, *rows = ([str(cell) for cell in row] for row in body)
    return markup.table(headers, rows)


def _use(run) -> Safe:
    told = [markup.paragraph(f"{run.export_told[0].upper()}{run.export_told[1:]}.")] if run.export_told else []
    if run.export_failed:
        code, about = ["kfg predict . photo.jpg"], "predictions.csv holds the model's answers for all test images."
    else:
        told += [] if run.exported else [markup.paragraph(NO_EXPORT, note=True)]
        code = ["kfg predict . photo.jpg", "kfg predict export photo.jpg folder/ --top 5 --json"]
        about = (
            "The SavedModel in export/ takes photographs of any size as uint8 pixels or as encoded bytes, and "
            "holds its class names; predictions.csv holds its answers for all test images."
        )
    inside = "Run this inside the run folder, the one that holds this page:"
    use = [markup.paragraph(inside), markup.code(*code), markup.paragraph(about, note=True)]
    return markup.joined([*told, *use])


def _settings(run) -> Safe:
    blocks = [tag("h3", "Seed and determinism")]
    seed = (run.config or {}).get("seed")
    blocks.append(
        markup.paragraph(
            f"The seed is {seed}. It decides the initial weights, the order of the images, augmentation and dropout. "
            "On a CPU, the same machine and versions give the same weights to the last bit, even after an interruption."
            if seed is not None
            else "config.json does not give a seed."
        )
    )
    for heading, values, file in (
        ("Settings", run.config, run_files.CONFIG),
        ("Environment", _without_paths(run.env), run_files.ENVIRONMENT),
    ):
        blocks.append(tag("h3", heading))
        told = markup.paragraph(f"{file} is not in this folder.", note=True)
        if heading == "Settings" and values is not None:
            said = training.ASKED + (f" {OWN_SETTINGS}" if _own(run) else "")
            blocks.append(markup.paragraph(markup.sentence(said), note=True))
        values = _of_own(values) if heading == "Settings" and _own(run) else values
        blocks.append(told if values is None else markup.pairs(_given(values)))
    return markup.joined(blocks)


OWN_SETTINGS = (
    "A setting can be changed by its name, as in `kfg train DIR --set epochs=4`. What the run chose by itself is in "
    "the section How it was trained."
)


def _of_own(config: dict) -> dict:
    """Return the settings of a run on one's own photographs by the names that `kfg train --set` takes.

    What the page has elsewhere is left out (seed, data, choices), and so is what a study's run is known by.
    """
    return config["config"] if isinstance(config.get("config"), dict) else {}


def _given(values: dict) -> list[tuple[str, str]]:
    """Return nested settings as (name with dots, text), without those that have no value."""
    return [(name, text) for name, text in flattened(values) if text not in ("", "null", "[]", "{}")]


def flattened(values: dict, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as (name with dots, text).

    Example:
        >>> flattened({"seed": 0, "config": {"epochs": 3, "sizes": [1, 2]}})
        [('seed', '0'), ('config.epochs', '3'), ('config.sizes', '[1, 2]')]
    """
    rows = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            rows += flattened(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return rows


def _method(result) -> Safe:
    made = result["intervals"]
    lines = [
        "Top-1, top-5, precision and recall of a class: Wilson score intervals.",
        _grouped(result["images"], made.get("effective_images")),
        "Macro recall and macro F1: Wilson's interval with the effective number of images, which is the number that "
        "would give a single share the same variance as the mean over classes. AUC: the same, with DeLong's variance "
        "of the mean over classes. Even where every answer is right, these intervals allow for the errors that so few "
        "images may have missed.",
        f"Loss: percentile bootstrap over images, {made['resamples']:,} resamples, seed {made['seed']}. Its upper end "
        "is at least the loss that would result if as many more answers were slightly wrong as the interval of top-1 "
        "allows.",
        "Macro figures are means over the classes that have test images; each class counts the same.",
        "Loss is the mean of -ln of the true class's probability, clipped to [1e-7, 1 - 1e-7].",
        "The intervals describe this one trained model and say how much another test set of this size could differ. "
        "Only several seeds can show how much another training could differ.",
    ]
    return tag("ul", *(tag("li", line) for line in lines), class_="note")


def _grouped(images: int, effective: float | None) -> str:
    """Say how near-duplicates among the test images count in the intervals."""
    if effective is None:
        return "Near-duplicates among the test images are not known here, so each image counts singly."
    worth = (
        "No two of these test images are known to be near-duplicates."
        if effective == images
        else f"These {images:,} test images are worth {effective:,.0f} that are all different."
    )
    return (
        "Near-duplicates are mostly right or wrong together. In these intervals and in those of macro recall and macro "
        "F1, a group of them therefore counts about as one photograph. Where one group is far larger than the others, "
        "it decides much of the figure alone, so the interval is wider still (Kish's effective number of images). "
        f"{worth} AUC, loss and calibration error count each image singly, so with many near-duplicates their "
        "intervals are too narrow."
    )


def _without_paths(env: dict | None) -> dict | None:
    """Leave out the path of the photographs: the page may be passed on, and equal runs must have equal pages."""
    return None if env is None else {key: value for key, value in env.items() if key != "photographs"}
