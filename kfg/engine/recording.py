"""Record a finished run as a row of results.jsonl."""

from kfg.data.part_folders import PARTS
from kfg.engine.job import Job
from kfg.files import read_json
from kfg.runs import origins, results_file, run_files
from kfg.training import callbacks, precision

METRICS = ("loss", "top1", "top5", "macro_recall", "macro_f1", "auc")


def record(job: Job) -> dict:
    """Add a finished run's row to results.jsonl, unless it is there; return the row.

    This is called for every finished run, old or new, because a kill may have come between its report and its row.
    """
    settings = read_json(job.workdir / run_files.CONFIG, dict)  # the run's settings, not today's, which may be more
    choices = settings.pop("choices", {})
    result, made = (read_json(job.workdir / name, dict) for name in (run_files.REPORT, run_files.ENVIRONMENT))
    used = origins.used_rows(job.workdir)
    history = job.workdir / run_files.HISTORY
    row = {
        "commit": made["commit"],
        **settings,
        "parts": {part: sum(part in one["part"].split("+") for one in used) for part in PARTS},
        "metrics": {**{name: result[name] for name in METRICS}, **result.get("figures", {})},
        "parameters": made.get("parameters"),  # None in folders of earlier versions
        "export_difference": read_json(job.workdir / run_files.EXPORT_CHECK, dict)["largest_difference"],
        "epochs": callbacks.epochs(history),
        "seconds": round(callbacks.seconds(history), 1),
        "trained_in": precision.label(made["precision"], made["jit_compile"]),
        **{name: made[name] for name in ("device", "versions")},
        **({"treatment": choices["classes"]["treatment"]} if "classes" in choices else {}),  # of unequal classes
        "choices": choices,  # decided by the clock or by the validation images
    }
    results_file.append(job.out / run_files.RESULTS, row)
    return row
