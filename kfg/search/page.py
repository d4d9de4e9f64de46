"""Write the results of a search: pictures, and one self-contained search.html."""

import pathlib

from kfg.evaluation.intervals import wilson
from kfg.figures import drawing
from kfg.files import write_text
from kfg.reporting import markup
from kfg.reporting.markup import Number, Safe, Section, tag
from kfg.search import importance, pictures, table
from kfg.search.table import short

PAGE = "search.html"
TIE = (
    "{} trials are equally good ({}): these validation images cannot tell them apart. Below are the settings of trial "
    "{}, the first of them."
)
PARALLEL, IMPORTANCE, PROGRESS = "parallel.png", "importance.png", "progress.png"


def write(folder: pathlib.Path) -> pathlib.Path:
    """Write the pictures and the page of a search, running or ended, into its folder; return the path of the page.

    Raises:
        InputError: there is no search; the folder cannot be written.
    """
    head, state = table.read(folder)
    found, (objective, direction) = table.rows(state), head["settings"]["objective"]
    along = importance.axes(state, found)
    judged = importance.importance(found, along)
    drawn = {}
    if along:
        drawn[PARALLEL] = pictures.parallel(found, along, objective, direction)
    if judged:
        drawn[IMPORTANCE] = pictures.mattered(judged[0])
    if table.best(found, direction):
        drawn[PROGRESS] = pictures.progress(found, objective, direction)
    for name, figure in drawn.items():
        drawing.save(figure, folder / name)
    write_text(folder / PAGE, page(head, found, judged, {name: (folder / name).read_bytes() for name in drawn}))
    return folder / PAGE


def page(head: dict, found: list[dict], judged, drawn: dict[str, bytes]) -> str:
    """Return the search as one HTML document.

    Args:
        head: definition of the search, from `table.read`.
        found: trials, from `table.rows`.
        judged: the result of `importance.importance`.
        drawn: name -> bytes, the pictures that were drawn.
    """
    settings = head["settings"]
    sections = [("Result", "result", _result(settings, found))]
    if PARALLEL in drawn:
        text = (
            "Each line is a trial, from its settings to its score. The best trial and all that equal it are thick; "
            "failed trials are dotted."
        )
        body = [markup.paragraph(text), markup.picture(drawn[PARALLEL], "Trials as lines", zoom=True)]
        sections.append(("Trials as lines", "lines", markup.joined(body)))
    sections.append(("What mattered", "importance", _mattered(judged, drawn)))
    if PROGRESS in drawn:
        sections.append(("Score by trial", "progress", markup.picture(drawn[PROGRESS], "Score by trial")))
    sections.append(("Trials", "trials", _trials(found, settings)))
    failed = [row for row in found if row["status"] == "FAILED"]
    if failed:
        sections.append(("Failed trials", "failed", _failed(failed)))
    sections.append(("How it was searched", "method", _method(head)))
    lead = (
        f"{settings['algorithm']} search over the space {settings['space']} of {settings['recipe']} on {head['data']}."
    )
    warnings = table.warnings(found, settings["objective"][1])
    return markup.page("Search: " + settings["space"], lead, [Section(*one) for one in sections], warnings=warnings)


def _result(settings, found) -> Safe:
    parts = [markup.paragraph(table.summary(found, settings) + ".")]
    leaders = table.equals(found, settings["objective"][1])
    if leaders:
        winner, objective = leaders[0], settings["objective"][0]
        hidden = (objective, table.LEARNED)
        others = ", ".join(f"{name} {short(value)}" for name, value in winner["metrics"].items() if name not in hidden)
        command = f"python -m kfg.recipes.{settings['recipe']} --data DIR --rows {settings['row']} --set @best.json"
        which = f"trial {winner['trial']}"
        if len(leaders) > 1:
            parts.append(markup.paragraph(TIE.format(len(leaders), table.tied(leaders), winner["trial"])))
            which = f"{len(leaders)} trials are equal"
        parts += [
            markup.tiles([markup.tile(objective, f"{winner['score']:.4f}", which)]),
            markup.paragraph("Score on validation images; ", others, ".", _precision(objective, winner), note=True),
            markup.pairs((name, short(value)) for name, value in winner["values"].items()),
            markup.code(command),
        ]
        text = (
            "The best of many scores on the same images is too optimistic, because it was chosen for being the best. A "
            "full run with --finish measures it on test images that no trial has seen."
        )
        parts.append(markup.paragraph(text, note=True))
    return markup.joined(parts)


def _precision(objective, winner) -> str:
    """Return a sentence on how precise a score from so few validation images is; "" if that is unknown."""
    count, share = winner["metrics"].get("val_images"), winner["score"]
    if not count or objective == "val_loss":
        return ""
    low, high = wilson(share * count, count)
    return (
        f" A share of {share:.3f} measured on {count:,.0f} images has a 95% interval from {low:.3f} to {high:.3f}, so "
        "smaller differences between trials say little."
    )


def _mattered(judged, drawn) -> Safe:
    if judged is None:
        return markup.paragraph(
            f"Not judged, because this needs {importance.FEWEST} completed trials and two settings that differ."
        )
    text = (
        f"Permutation importance in a random forest ({importance.TREES} trees) fitted to the completed trials. On "
        f"held-out trials the forest explains R² = {judged[1]:.2f} of the variance of the scores. "
        + ("This is almost nothing, so ignore the bars." if judged[1] < 0.1 else "The closer to 1, the more reliable.")
    )
    return markup.joined([markup.paragraph(text), markup.picture(drawn[IMPORTANCE], "Importance of settings")])


def _trials(found, settings) -> Safe:
    names = list(dict.fromkeys(name for row in found for name in row["values"]))
    so_far, rows = None, []
    for at, row in enumerate(found):
        so_far = table.best(found[: at + 1], settings["objective"][1])
        score = Number("" if row["score"] is None else f"{row['score']:.4f}", row["score"])
        sd = table.deviation(row["scores"])
        rows.append(
            [
                Number(row["trial"], int(row["trial"])),
                row["status"].lower(),
                score,
                Number("" if sd is None else f"{sd:.4f}", sd),
                Number(f"{so_far['score']:.4f}" if so_far else "", so_far and so_far["score"]),
                Number("" if row["seconds"] is None else f"{row['seconds']:.1f}", row["seconds"]),
                row["worker"] or "",
                *(_cell(row["values"].get(name)) for name in names),
            ]
        )
    headers = ["trial", "status", "score", "sd", "best so far", "seconds", "worker", *names]
    return markup.table(headers, rows, sortable=True, tall=True)


def _cell(value):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Number(short(value), value)
    return "" if value is None else short(value)


def _failed(failed) -> Safe:
    parts = []
    for row in failed:
        values = ", ".join(f"{name} {short(value)}" for name, value in row["values"].items())
        parts += [tag("h3", f"Trial {row['trial']}: {row['reason']}"), markup.paragraph(values, note=True)]
        if row["traceback"]:
            parts.append(tag("details", tag("summary", "traceback"), markup.code(row["traceback"])))
    return markup.joined(parts)


def _method(head) -> Safe:
    settings = head["settings"]
    told = ("algorithm", "seed", "executions", "max_params", "trial_time")
    pairs = [("data", f"{head['data']}, {settings['data']['images']:,} images, {settings['data']['classes']} classes")]
    pairs += [(name.replace("_", " "), "none" if settings[name] is None else settings[name]) for name in told]
    text = (
        "KerasTuner chooses the settings of each trial; the first trial uses the recipe's own settings, except for "
        "those that the space fixes. Each training runs in its own process on training images and is scored on "
        "validation images. Test images are not used."
    )
    return markup.joined([markup.paragraph(text), markup.pairs(pairs)])
