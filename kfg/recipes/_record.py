"""The row of a finished run in results.jsonl."""

import json

from kfg import ledger, report
from kfg.data import folder
from kfg.data.folder import PARTS
from kfg.files import read_json, write_text
from kfg.recipes._exporting import EXPORT_CHECK
from kfg.recipes._job import Job
from kfg.training import callbacks, precision

METRICS = ("loss", "top1", "top5", "macro_recall", "macro_f1", "auc")


def record(job: Job) -> dict:
    """Put a finished run into results.jsonl, in the place of an older row of the same settings; return its row.

    Called for every finished run, new or not: a kill may have come between its report and its row.
    """
    path = job.out / ledger.RESULTS
    settings = json.loads(json.dumps(job.settings()))
    result, made = read_json(job.workdir / report.REPORT_FILE), read_json(job.workdir / "env.json")
    classes = read_json(job.workdir / "classes.json")
    index = folder.read_split(job.workdir / "split.csv", job.data.index.root, classes=classes)
    history = job.workdir / "history.csv"
    choices = read_json(job.workdir / "config.json").get("choices", {})
    row = {
        "commit": made["commit"],
        **settings,
        "parts": {part: len(index.where(part)) for part in PARTS},
        "metrics": {**{name: result[name] for name in METRICS}, **result.get("figures", {})},
        "parameters": made.get("parameters"),  # none in folders of earlier versions
        "export_difference": read_json(job.workdir / EXPORT_CHECK)["largest_difference"],
        "epochs": callbacks.epochs(history),
        "seconds": round(callbacks.seconds(history), 1),
        "trained_in": precision.label(made["precision"], made["jit_compile"]),
        **{name: made[name] for name in ("device", "versions")},
        **({"treatment": choices["classes"]["treatment"]} if "classes" in choices else {}),  # of unequal classes
        "choices": choices,  # what the run decided for itself, by the clock or by its validation images
    }
    others = [other for other in ledger.read_results(job.out) if not settings.items() <= other.items()]
    write_text(path, "".join(json.dumps(one) + "\n" for one in [*others, row]))
    return row
