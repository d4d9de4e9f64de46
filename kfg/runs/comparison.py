"""A study's reported figures beside the runs found in a results file, and what its report got wrong."""

import json
import statistics

from kfg.runs import results_file

NONE_YET = "not measured yet"
SHOWN = ("width", "epochs", "batch_size", "learning_rate")  # settings named beside a figure
WHOLE_NET_EPOCHS = "epochs of the whole net"


def study_table(recipe, results=None) -> str:
    """Return paper and ours, a line per row of the study and data set, with errata below.

    Args:
        recipe: a study's module.
        results: results.jsonl, or the folder of runs that holds it; one without results leaves "not measured yet", and
            so does None.
    """
    found = [] if results is None else results_file.read_all(results)
    ours = [row for row in found if row["recipe"] == recipe.NAME and "metrics" in row]
    width = max(22, *map(len, recipe.ROWS))
    lines = [f"{'row':<{width}} {'paper top-1':>11} {'paper loss':>10}   ours: top-1 mean ± sd (n), loss, data"]
    for name, row in recipe.ROWS.items():
        top1, loss = (row.reported.get(key) for key in ("top1", "loss"))
        paper = ["-" if top1 is None else f"{100 * top1:.2f}", "-" if loss is None else f"{loss:.3f}"]
        groups = by_settings([result for result in ours if result["row"] == name])
        measured = [_cell(group, words) for group, words in zip(groups, differences(groups), strict=True)]
        lines.append(f"{name:<{width}} {paper[0]:>11} {paper[1]:>10}   {measured[0] if measured else NONE_YET}")
        lines += [f"{'':<{width + 23}}   {more}" for more in measured[1:]]
    lines += ["", "Ours are on the data named: beside the study's figures, which are on its own."]
    lines += [recipe.CAVEAT]
    if recipe.ERRATA:
        lines += ["", "The report says / its code does:"]
        lines += [f"- {said} / {did}" for said, did in recipe.ERRATA]
    return "\n".join(lines)


def by_settings(results) -> list[list[dict]]:
    """Return the results in lists of equal data, settings and choices, seeds and folds apart; only those are averaged.

    A choice is what a run decided for itself (`choices`). Rows of earlier versions do not hold them; there a run with a
    time budget, whose number of epochs the clock decides, is told by the epochs it took.
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
    """Say for each of these groups what its runs chose, as far as that differs from group to group; "" for nothing.

    Args:
        groups: of `by_settings`, of one row.
    """
    made = [results_file.choices(group[0]) for group in groups]
    names = [name for name in dict.fromkeys(name for one in made for name in one) if len(_values(made, name)) > 1]
    return [
        ", ".join(f"{name} {one[name]}{_by(group, name)}" for name in names if name in one)
        for group, one in zip(groups, made, strict=True)
    ]


def _values(made, name) -> set:
    return {json.dumps(one.get(name)) for one in made}


def _by(group, name) -> str:
    """Say that the clock decided, where each run of a group says so."""

    def reasons(result):
        made = result.get("choices", {})
        return [one.get("why", "") for stage, one in made.items() if results_file.named(stage, "epochs") == name]

    told = [reasons(result) for result in group]
    return " (decided by the clock)" if all(any("time budget" in why for why in whys) for whys in told) else ""


def spread(results) -> str:
    """Return mean and standard deviation of the test top-1 of results of equal settings, in percent."""
    top1 = [100 * result["metrics"]["top1"]["value"] for result in results]
    deviation = f" ± {statistics.stdev(top1):.2f}" if len(top1) > 1 else ""
    return f"{statistics.fmean(top1):.2f}{deviation} (n = {len(top1)})"


def _cell(results, chosen: str) -> str:
    loss = statistics.fmean(result["metrics"]["loss"]["value"] for result in results)
    config, data = results[0]["config"], results[0]["data"]["name"]
    known = results_file.choices(results[0])
    shown = {key: config[key] for key in SHOWN if key in config}
    if WHOLE_NET_EPOCHS in known:  # the setting is the most there might have been
        of_net = {WHOLE_NET_EPOCHS: known[WHOLE_NET_EPOCHS]} if WHOLE_NET_EPOCHS not in chosen else {}
        shown = of_net | {key: value for key, value in shown.items() if key != "epochs"}
    settings = [f"{key} {value:g}" for key, value in shown.items()] + ([chosen] if chosen else [])
    return f"{spread(results)}, {loss:.3f}, {data}, {', '.join(settings)}"
