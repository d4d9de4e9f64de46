"""A study's reported figures beside the runs in a results file, and the errors found in its report."""

import json
import statistics

from kfg.runs import results_file
from kfg.runs.choices import TUNING, WHOLE_NET

NONE_YET = "not measured yet"
SHOWN = ("width", "epochs", "batch_size", "learning_rate")  # settings shown beside a figure
EPOCHS = [results_file.named(stage, "epochs") for stage in (TUNING, WHOLE_NET)]  # chosen by the clock, also earlier


def study_table(recipe, results=None) -> str:
    """Return a table of the paper's figures and ours, with a line for each row of the study and data set, and errata.

    Args:
        recipe: the study's kfg.engine.recipe.Recipe.
        results: results.jsonl, or the folder of runs that holds it; None, or one without results, gives "not measured
            yet".
    """
    found = [] if results is None else results_file.read_all(results)
    ours = [row for row in found if row["recipe"] == recipe.name and "metrics" in row]
    width = max(22, *map(len, recipe.rows))
    lines = [f"{'row':<{width}} {'paper top-1':>11} {'paper loss':>10}   ours: top-1 mean ± sd (n), loss, data"]
    for name, row in recipe.rows.items():
        top1, loss = (row.reported.get(key) for key in ("top1", "loss"))
        paper = ["-" if top1 is None else f"{100 * top1:.2f}", "-" if loss is None else f"{loss:.3f}"]
        groups = by_settings([result for result in ours if result["row"] == name])
        measured = [_cell(group, words) for group, words in zip(groups, differences(groups), strict=True)]
        lines.append(f"{name:<{width}} {paper[0]:>11} {paper[1]:>10}   {measured[0] if measured else NONE_YET}")
        lines += [f"{'':<{width + 23}}   {more}" for more in measured[1:]]
    lines += ["", "Our figures are on the data named in each line, the study's figures on its own data."]
    lines += [recipe.caveat] if recipe.caveat else []
    if recipe.errata:
        lines += ["", "What the study's report says / what its code does:"]
        lines += [f"- {said} / {did}" for said, did in recipe.errata]
    return "\n".join(lines)


def by_settings(results) -> list[list[dict]]:
    """Group results that differ only in seed and fold; only the results in a group may be averaged.

    Results with other data, settings or choices are in other groups. A choice is something that a run decided for
    itself (`choices`). Rows of earlier versions do not hold choices; among them, runs with a time budget, where the
    clock decides the number of epochs, are distinguished by the epochs they took.
    """
    groups = {}
    for result in results:
        own = (
            result.get("folds", 1),
            result.get("trained_in"),
            result.get("weights_sha256"),
            result.get("init_from_sha256"),
            result.get("treatment"),
            results_file.choices(result),
        )
        key = [result["data"], result["config"], *own]
        groups.setdefault(json.dumps(key, sort_keys=True), []).append(result)
    return list(groups.values())


def differences(groups) -> list[str]:
    """Return, for each group, what its runs decided for themselves, if the groups differ in it; "" for no difference.

    Args:
        groups: groups from `by_settings`, all of one row.
    """
    made = [results_file.choices(group[0]) for group in groups]
    names = [name for name in dict.fromkeys(name for one in made for name in one) if len(_values(made, name)) > 1]
    return [
        ", ".join(f"{name} {_shown(one[name])}{_by(group, name)}" for name in names if name in one)
        for group, one in zip(groups, made, strict=True)
    ]


def _values(made, name) -> set:
    return {json.dumps(one.get(name)) for one in made}


def _shown(value) -> str:
    return "none" if value == "" else str(value)


def _by(group, name) -> str:
    """Return " (decided by the clock)" if each run of a group says so, else ""."""

    def reasons(result):
        made = result.get("choices", {})
        return [
            one.get("why", "")
            for stage, one in made.items()
            if any(results_file.named(stage, key) == name for key in results_file.CHOSEN.keys() & one.keys())
        ]

    told = [reasons(result) for result in group]
    return " (decided by the clock)" if all(any(map(results_file.CLOCK.search, whys)) for whys in told) else ""


def spread(results) -> str:
    """Return mean and standard deviation of the test top-1, in percent, over results of equal settings."""
    top1 = [100 * result["metrics"]["top1"]["value"] for result in results]
    deviation = f" ± {statistics.stdev(top1):.2f}" if len(top1) > 1 else ""
    return f"{statistics.fmean(top1):.2f}{deviation} (n = {len(top1)})"


def _cell(results, chosen: str) -> str:
    loss = statistics.fmean(result["metrics"]["loss"]["value"] for result in results)
    config, data = results[0]["config"], results[0]["data"]["name"]
    known = results_file.choices(results[0])
    shown = {key: config[key] for key in SHOWN if key in config}
    for epochs in filter(known.__contains__, EPOCHS):  # the setting is only the most there might have been
        of_net = {epochs: known[epochs]} if epochs not in chosen else {}
        shown = of_net | {key: value for key, value in shown.items() if key != "epochs"}
    settings = [f"{key} {value:g}" for key, value in shown.items()] + ([chosen] if chosen else [])
    return f"{spread(results)}, {loss:.3f}, {data}, {', '.join(settings)}"
