"""Report a comparison of arms: lines for the screen, arms.json, arms.png and one self-contained arms.html."""

import pathlib

from kfg import files
from kfg.evaluation.paired import still_needed
from kfg.names import percent
from kfg.reporting import arms_words, markup
from kfg.reporting.markup import Number, Safe, Section, tag


def write_arms(out_dir, comparison: dict) -> None:
    """Write the result of `kfg.evaluation.paired.paired_recall` into a folder; arms.json is written last.

    Args:
        out_dir: an existing folder.
        comparison: the result of `paired_recall`.
    """
    from kfg.figures import arms_figure, drawing

    out_dir = pathlib.Path(out_dir)
    drawing.save(arms_figure.draw(comparison), out_dir / "arms.png")
    files.write_text(out_dir / "arms.html", arms_page(comparison, (out_dir / "arms.png").read_bytes()))
    files.write_json(out_dir / "arms.json", comparison)


def arms_table(comparison: dict) -> str:
    """Return the comparison as lines for the screen: recall per group and arm, paired differences, percent."""
    kind = comparison["settings"]
    split = "one split" if kind["folds"] == 1 else f"{kind['folds']} folds"
    lines = [
        f"arms over {_runs(comparison)} ({kind['data']['name']}, {split}, {kind['trained in']}), "
        f"{comparison['images']} test images; percent [95% interval over images]"
    ]
    lines += [f"WARNING: {said}" for said in arms_words.chance(comparison)]
    for group, content in comparison["groups"].items():
        if not content["answers"]:  # every class is targeted
            continue
        lines.append(f"{group} classes, {content['answers']} answers per arm")
        width = max(map(len, content["arms"]))
        lines += [
            f"  {name:<{width}} recall {_figure(arm['recall'], 'value')}" for name, arm in content["arms"].items()
        ]
        for name, other, compared in _comparisons(content["arms"], comparison["control"]):
            over_images = _figure(compared["difference"], "value", "+")
            over_runs = _over_runs(compared["over_runs"], comparison["folds"])
            lines.append(f"  {name} against {other} {over_images}; {over_runs}")
    lines.append(
        "The weak classes are those on which the arm none did badly, so this arm is low there by selection, and any "
        "new training gains over it. The comparison of targeted with uniform does not have this bias."
    )
    return "\n".join(lines)


def _runs(comparison) -> str:
    return "1 run" if comparison["runs"] == 1 else f"{comparison['runs']} runs"


def _over_runs(runs, folds) -> str:
    if runs["low"] is None:
        why = "only one run" if runs["n"] < 2 else f"{100 * runs['mean']:+.1f} in each of {runs['n']} runs"
        return f"{why}, so there is no interval over runs"
    needed = still_needed(runs, folds=folds)
    return f"over {runs['n']} runs: {_figure(runs, 'mean', '+')}{needed and '; '}{needed}"


def _figure(interval, centre, sign="") -> str:
    shown, low, high = (f"{100 * interval[key]:{sign}.1f}" for key in (centre, "low", "high"))
    return f"{shown} [{low}, {high}]"


def arms_page(comparison: dict, picture: bytes) -> str:
    """Return the comparison as one HTML document; `picture` is the bytes of arms.png."""
    from kfg.reporting.sections import flattened

    names = list(comparison["groups"]["all"]["arms"])
    aimed = [[row["name"], Number(str(row["runs"]), row["runs"])] for row in comparison["targeted_classes"]]
    table = markup.table(["class", "runs that targeted it"], aimed, sortable=True)
    sections = [
        ("Result", "result", markup.joined([_findings(comparison), markup.picture(picture, "Recall and differences")])),
        ("Figures", "figures", _groups(comparison)),
        ("Targeted classes", "classes", markup.joined([table, _not_judged(comparison)])),
        ("Run by run", "runs", _by_run(comparison, names)),
        ("Settings", "settings", markup.pairs(flattened(comparison.get("settings", {})))),
        ("How the figures are made", "method", arms_words.method(comparison)),
    ]
    lead = (
        f"{len(names)} arms, {_runs(comparison)} each, {comparison['images']:,} different test images of "
        f"{comparison['classes']} classes. Each arm is compared with {comparison['control']} on the same images."
    )
    return markup.page(
        "Arms: " + ", ".join(names), lead, [Section(*one) for one in sections], warnings=arms_words.chance(comparison)
    )


def _findings(comparison) -> Safe:
    learned = {name for name, count in comparison.get("beaten", {}).items() if count} or None
    lines = []
    for group in ("targeted", "other"):
        for name, other, compared in _comparisons(comparison["groups"][group]["arms"], comparison["control"]):
            if "beaten" in comparison and not (learned and learned & {name, other}):
                continue  # neither net has learned anything
            if compared["difference"]["value"] is not None:
                lines.append(tag("li", *finding(name, other, group, compared)))
    return tag("ul", *lines) if lines else Safe("")


def _comparisons(arms, control):
    """Yield (arm, other arm, {"difference", "over_runs"}): first each arm against the control, then arm against arm."""
    for name, arm in arms.items():
        if arm["difference"]:
            yield name, control, arm
    for name, arm in arms.items():
        for other, compared in arm["against"].items():
            yield name, other, compared


def finding(name: str, other: str, group: str, compared: dict) -> list:
    """Say what an arm changed in a group of classes, and whether its intervals exclude zero."""
    difference, runs = compared["difference"], compared["over_runs"]
    more = "more" if difference["value"] >= 0 else "fewer"
    text = (
        f" recalls {abs(100 * difference['value']):.1f} points {more} than {other} on the {group} classes "
        f"(interval over images: {points(difference['low'])} to {points(difference['high'])}"
    )
    if runs["low"] is None:
        why = "with only one run" if runs["n"] < 2 else f"as the {runs['n']} runs agree exactly"
        return [tag("b", name), f"{text}; {why}, nothing is known about training again)."]
    text += f"; interval over {runs['n']} runs: {points(runs['low'])} to {points(runs['high'])}): "
    clear = [clear_of_zero(difference), clear_of_zero(runs)]
    verdict = {
        (True, True): "neither interval includes zero.",
        (True, False): "the interval over images excludes zero, the one over runs does not.",
        (False, True): "the interval over runs excludes zero, the one over images does not.",
        (False, False): "both intervals include zero.",
    }
    return [tag("b", name), text + verdict[tuple(clear)]]


def clear_of_zero(interval: dict) -> bool:
    return interval["low"] > 0 or interval["high"] < 0


def points(share: float) -> str:
    """Return a share as signed percentage points, with a true minus sign.

    Example:
        >>> points(0.081), points(0.0)
        ('+8.1', '0.0')
    """
    value = round(100 * share, 1)
    return f"{value:+.1f}".replace("-", "\N{MINUS SIGN}") if value else "0.0"


def _groups(comparison) -> Safe:
    return markup.joined(_group(name, group, comparison["control"]) for name, group in comparison["groups"].items())


def _group(name, group, control) -> Safe:
    heading = tag("h3", f"{name} classes: {group['images']:,} images, {group['answers']:,} answers per arm")
    if not group["answers"]:
        return markup.joined([heading, markup.paragraph("There are no test images of these classes.")])
    recalls = [
        [arm_name, Number(percent(arm["recall"]["value"]), arm["recall"]["value"]), _bounds(arm["recall"], percent)]
        for arm_name, arm in group["arms"].items()
    ]
    differences = []
    for arm_name, other, compared in _comparisons(group["arms"], control):
        difference, runs = compared["difference"], compared["over_runs"]
        sd = Number("" if runs["sd"] is None else f"{100 * runs['sd']:.1f}", runs["sd"])
        row = [f"{arm_name} to {other}", Number(points(difference["value"]), difference["value"])]
        row += [_bounds(difference, points), Number(points(runs["mean"]), runs["mean"]), sd, _bounds(runs, points)]
        differences.append(row)
    headers = ["difference in points", "pooled", "95% over images", "mean over runs", "sd", "95% over runs"]
    return markup.joined(
        [heading, markup.table(["arm", "recall", "95% over images"], recalls), markup.table(headers, differences)]
    )


def _bounds(interval, shown) -> Number:
    if interval["low"] is None:
        return Number("", None)
    return Number(f"{shown(interval['low'])} to {shown(interval['high'])}", interval["low"])


def _not_judged(comparison) -> Safe:
    classes = comparison.get("not_judged")
    if not classes:
        return Safe("")
    named = ", ".join(f"{one['name']} ({one['runs']})" for one in classes)
    return markup.paragraph(
        f"Not judged and so never targeted, because of too few validation images (number of runs in brackets): {named}."
    )


def _by_run(comparison, names) -> Safe:
    rows = []
    for run in range(comparison["runs"]):
        row = [Number(str(run + 1), run)]
        for group in ("targeted", "other"):
            for name in names:
                recall = comparison["groups"][group]["arms"][name]["by_run"][run]
                row.append(Number("" if recall is None else percent(recall), recall))
        rows.append(row)
    headers = ["run", *(f"{name}, {group}" for group in ("targeted", "other") for name in names)]
    return markup.table(headers, rows)
