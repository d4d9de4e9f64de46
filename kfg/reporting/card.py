"""A run's model card: what a stranger must know about the model, as Markdown with the Hugging Face Hub's fields.

It is made from the run's own files, so a run of an earlier version can have one too.
"""

import collections
import pathlib

import numpy as np

from kfg import files
from kfg.data.part_folders import PARTS
from kfg.errors import InputError
from kfg.evaluation import baseline, weak
from kfg.names import shortened
from kfg.reporting import card_fields, doubt
from kfg.reporting.card_fields import FIGURES, licence_of
from kfg.reporting.card_fields import plain as _plain
from kfg.reporting.run import left_out_told
from kfg.runs import choices, origins, run_files

NAMED = 40  # most classes named in a sentence
CONFUSED = 10  # most pairs in the table of confused classes
OWNERS = "kfg does not know what the owners of the photographs allow: add it before you pass the model on."
NOT_CALIBRATED = "The probabilities are not calibrated: 0.9 need not mean that 90% of such answers are right."
USES = ("for training", "for choosing settings and when to stop", "for one test at the end")
REPAIRED = "The test photographs have also decided whether this repair of an earlier run is used."


def write(run) -> pathlib.Path:
    """Write model_card.md into the folder of a run, and return its path.

    Args:
        run: the run folder, with a report. Runs of earlier versions may lack other files; the card then lacks what
            these would say.
    Raises:
        InputError: there is no report; a file is damaged.
    Example:
        kfg.open("runs/photos").write_card()
    """
    run = pathlib.Path(run)
    path = run / run_files.CARD
    files.write_text(path, text(run))
    return path


def text(run: pathlib.Path) -> str:
    """Return the text of a run's card. Arguments and errors as for `write`."""
    told = _read(run)
    result, config = told["result"], told["config"]
    name = (config.get("data") or {}).get("name") or run.name
    parts = [
        f"---\n{card_fields.as_yaml(card_fields.of(name, told['result'], told['config']))}---\n",
        f"# {_plain(name)}: which of {result['classes']} classes a photograph shows\n",
        _purpose(result),
        _data(told),
        _figures(told),
        _classes(told),
        _calibration(told["confidence"]),
        _confusions(result),
        _limits(told),
        _licence(config),
        _loading(run),
        _training(told),
    ]
    return "\n".join(parts)


def _read(run) -> dict:
    """Return the contents of the run's files; {} or None for a file that does not exist."""
    if not (run / run_files.REPORT).is_file():
        raise InputError(f"{run}: has no {run_files.REPORT}, but a model card needs a finished run; give one")

    def content(name):
        return files.read_json(run / name, dict) if (run / name).is_file() else {}

    rows = origins.used_rows(run) if (run / run_files.SPLIT).is_file() else None
    return {
        "result": content(run_files.REPORT),
        "config": content(run_files.CONFIG),
        "env": content(run_files.ENVIRONMENT),
        "confidence": content(run_files.CONFIDENCE),
        "rows": rows,
        "left_out": len(origins.left_out(run)),
        "repaired": (run / run_files.REPAIR_OF).is_file(),
    }


def _table(headers, rows) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _interval(figure) -> str:
    """Return a share with its 95% interval; "-" if there is none."""
    if not figure or figure["value"] is None:
        return "-"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def _listed(names) -> str:
    return shortened([_plain(name) for name in names], count=NAMED)


def _purpose(result) -> str:
    names = [row["name"] for row in result["per_class"]]
    return f"""## What it is for

It tells which of these classes a photograph shows, with a probability for each: {_listed(names)}.

It is not for photographs that show none of these classes: it would still name one of them, unless its answer is
marked as doubtful (see Calibration). It was tested on photographs from the collection that it was trained on; on
photographs from other cameras, places or seasons it may do worse. Where a mistake would harm someone, a person has to
decide.
"""


def _data(told) -> str:
    data, rows = told["config"].get("data") or {}, told["rows"]
    lines = ["## Data\n"]
    if data:
        lines.append(
            f"{data['images']:,} photographs of {data['classes']} classes; the data set is called "
            f"{_plain(data['name'])}."
        )
    if rows:
        counts = collections.Counter(part for row in rows for part in row["part"].split("+"))
        share = ", ".join(f"{counts[part]:,} {what}" for part, what in zip(PARTS, USES, strict=True))
        left_out = f" {left_out_told(told['left_out'])}" if told["left_out"] else ""
        lines.append(f"Of these, {share}.{left_out} {_apart(rows, told['result'])}")
    if told["repaired"]:
        lines.append(REPAIRED)
    return "\n".join(lines) + "\n"


def _apart(rows, result) -> str:
    """Say whether near-duplicates of a photograph can lie in different parts, as far as the run knows."""
    if "group" not in rows[0]:
        return "Whether near-duplicates of a photograph lie in different parts is not known."
    separated = result.get("separated_groups")
    if separated is None:  # not recorded, as in runs of earlier versions
        return (
            "Copies and near-duplicates of a photograph are in the same part, unless the photographs were divided "
            "before kfg got them: such a division is kept, even if it separates near-duplicates."
        )
    if not separated:
        return "Copies and near-duplicates of a photograph are always in the same part."
    lie = "1 group of them lies" if separated == 1 else f"{separated:,} groups of them lie"
    return (
        f"The photographs were divided before kfg got them. This division separates near-duplicates: {lie} in several "
        "parts, so the figures may be too good."
    )


def _figures(told) -> str:
    result = told["result"]
    rows = [(called, _interval(result.get(key))) for key, called, _ in FIGURES if result.get(key)]
    rows += [("AUC, one class against the rest", _interval(result["auc"]))] if result.get("auc") else []
    said = baseline.warning(result["baseline"]) if "baseline" in result else ""
    return f"""## Figures

These figures are from {result["images"]:,} test photographs, each counted once, with 95% intervals. The intervals say
how much another test set of this size could differ, not how much another training could.

{_table(("figure", "value"), rows)}{f"{chr(10)}{said}{chr(10)}" if said else ""}"""


def _classes(told) -> str:
    result = told["result"]
    trained = collections.Counter(row["class"] for row in told["rows"] or () if row["part"] == "train")
    matrix = np.array(result["confusion"])
    np.fill_diagonal(matrix, 0)
    rows = []
    for number, row in enumerate(result["per_class"]):
        taken = int(matrix[number].argmax())
        mistake = (
            f"{_plain(result['per_class'][taken]['name'])} ({matrix[number, taken]})" if matrix[number].any() else ""
        )
        rows.append(
            (
                _plain(row["name"]),
                trained[row["name"]] if told["rows"] else "-",
                row["support"],
                _interval(row["recall"]),
                _interval(row["precision"]),
                mistake,
            )
        )
    headers = ("class", "trained on", "tested on", "recall", "precision", "most often taken for")
    return f"### By class\n\n{_table(headers, rows)}"


def _calibration(confidence) -> str:
    if not confidence:
        return f"## Calibration\n\n{NOT_CALIBRATED}\n"
    made = confidence.get("calibration") or {}
    rows = [
        (f"{when} calibration", _interval(made[when]))
        for when in ("before", "after")
        if isinstance(made.get(when), dict)
    ]
    lines = [
        f"The probabilities are calibrated with a temperature of {confidence['temperature']:.2f}, which is part of the "
        "model; it does not change the most likely class.\n"
    ]
    lines += [_table(("expected calibration error on the test photographs", "value"), rows)] if rows else []
    lines.append("".join(f"- {line}\n" for line in doubt.lines(confidence)))
    return "\n".join(["## Calibration\n", *lines])


def _confusions(result) -> str:
    pairs = result["most_confused"][:CONFUSED]
    if not pairs:
        return "## What it confuses\n\nIt made no mistake on the test photographs.\n"
    rows = [(_plain(one["true"]), _plain(one["predicted"]), one["count"], f"{one['rate']:.0%}") for one in pairs]
    return f"## What it confuses\n\n{_table(('true class', 'taken for', 'photographs', 'share of the class'), rows)}"


def _limits(told) -> str:
    rows, target = told["result"]["per_class"], told["result"]["top1"]["value"]
    judged = [row for row in rows if row["support"] >= weak.JUDGED]
    found = [row for row in judged if weak.weak(row["recall"]["high"], row["support"], target)]
    found.sort(key=lambda row: row["recall"]["value"])
    unjudged = [row["name"] for row in rows if row["support"] < weak.JUDGED]
    named = [f"{_plain(row['name'])} ({_interval(row['recall'])} of {row['support']})" for row in found]
    lines = [
        "- Weak classes, whose recall lies with its whole 95% interval below the share of all test photographs that "
        f"is recognised ({target:.3f}): {shortened(named, count=NAMED) if found else 'none'}."
    ]
    lines += [f"- {chance}"] if found and (chance := weak.by_chance([row["support"] for row in judged], target)) else []
    if unjudged:
        lines.append(f"- Not judged, because they have fewer than {weak.JUDGED} test photographs: {_listed(unjudged)}.")
    lines.append("- The figures are from one training run; another seed gives a slightly different model.")
    return "\n".join(["## Limits found\n", *lines]) + "\n"


def _licence(config) -> str:
    _, said = licence_of({**(config.get("config") or {}), "second_opinion": choices.heard(config)})
    return f"## Licence\n\n{said} {OWNERS}\n"


def _loading(run) -> str:
    exported = (run / run_files.EXPORT / run_files.SAVED_MODEL).is_file()
    return f"""## How to load it

```bash
kfg predict . photo.jpg  # in this folder
```

```python
{SAVED_MODEL if exported else KERAS}
```
"""


SAVED_MODEL = """import tensorflow as tf

model = tf.saved_model.load("export")
names = [name.decode() for name in model.class_names().numpy()]
probabilities = model.serve_bytes(tf.constant([open("photo.jpg", "rb").read()]))  # float32 (1, classes)
print(names[int(tf.argmax(probabilities[0]))])"""
KERAS = """import kfg

print(kfg.open(".").predict("photo.jpg")[0].class_name)"""


def _training(told) -> str:
    config, env = told["config"], told["env"]
    settings = config.get("config") or {}
    asked = {
        "recipe": f"{config['recipe']}, row {config['row']}, seed {config['seed']}" if "recipe" in config else None,
        "trunk": settings.get("backbone"),
        "image size": settings.get("image_size"),
        "parameters": f"{env['parameters']['total']:,}" if "parameters" in env else None,
        "made with": f"kfg {env.get('kfg')}, Keras {env['versions']['keras']}" if "versions" in env else None,
        "commit": env.get("commit") or None,
    }
    rows = [(name, _plain(str(value))) for name, value in asked.items() if value is not None]
    return f"## How it was trained\n\n{_table(('what', 'value'), rows)}"
