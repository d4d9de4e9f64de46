"""What a repair has tried and done, in sentences for the screen and the top of its page."""

import pathlib

from kfg.files import read_json
from kfg.names import counted, printable, quoted
from kfg.progress import duration
from kfg.repairing import findings, proof, trial
from kfg.repairing.trial import Trial
from kfg.runs import choices, run_files


def lines(tried: Trial) -> list[str]:
    """Return lines on the remedies that were tried and their effect, the best first."""
    first = tried.cases[0]
    told = [
        f"{len(tried.verdicts)} remedies and controls were tried in {duration(tried.seconds)}. The photographs were "
        f"divided into {first.folds} parts in {counted(len(tried.cases), 'way')}; each part was answered by a "
        "classifier trained on the others. Mean recall of the weak and of the other classes in percent; in brackets "
        'the difference from the control "bias", which raises the probabilities of weak classes and costs nothing. '
        "The page says in words what each remedy is."
    ]
    width = max(len(one.name) for one in tried.verdicts)
    ranked = sorted(tried.verdicts, key=lambda one: -one.recall["weak"])
    for one in ranked:
        gained = one.against[proof.CONTROL]
        mark = "  proven" if one.kept else ("  control" if trial.remedy(one.name).control else "")
        figures = (f"{group} {_figure(one.recall[group])} {_signed(gained[group])}" for group in ("weak", "others"))
        told.append(f"  {one.name:<{width}}  {'  '.join(figures)}{mark}")
    return told


def _figure(share) -> str:
    return "    -" if share is None else f"{100 * share:5.1f}"


def _signed(difference) -> str:
    return "" if difference["mean"] is None else f"({100 * difference['mean']:+.1f})"


def sentences(run, found, tried, made, after, *, stands: bool | None = None, late: str = "") -> list[str]:
    """Return sentences on the outcome; the first stands at the top of the page.

    Args:
        stands: whether the new run is to be used; None without a new run.
        late: a sentence that there was no time for the training, or "".
    """
    if not found.weak:
        return [findings.none_weak(found)]
    if tried is None:
        return [f"{_count(found)} weak. For lack of time, no remedy was tried; give a longer --time-budget."]
    if late:
        return [f"{_count(found)} weak. Proven to help: {_named(tried.best)}. {late}"]
    if tried.best is None:
        return [f"{_count(found)} weak. {_unproven(tried)} What you can do is listed below."]
    if made is None:
        return [f"{_count(found)} weak. Proven to help: {_named(tried.best)}, which this run already uses."]
    arms = after["groups"]["all"]["arms"]
    weak = after["groups"]["targeted"]["arms"]["after"]["difference"]
    change = arms["after"]["difference"]
    done = trial.remedy(tried.best.name).said
    settings = read_json(made / run_files.CONFIG, dict)
    how = "in this way"
    if left_out := _left_out(settings):
        done, how = f"{done}; {left_out}", "without it"
    net = f"The run's own network, changed {how}," if settings["config"]["net_of"] else f"A network trained {how}"
    told = (
        f"{_count(found)} weak. Proven to help: {_named(tried.best, done)}. {net} "
        f"classifies {_percent(arms['after']['recall']['value'])} of the test images correctly, compared with "
        f"{_percent(arms['before']['recall']['value'])} before ({_points(change)})"
    )
    told += f"; on the weak classes the change is {_points(weak)}." if weak["value"] is not None else "."
    return [told, *other_net(run, found), to_use(run, made, stands=stands, left_out=left_out)]


def begun(found, tried) -> str:
    """Return a sentence for the page while the run with the best remedy is trained."""
    return f"{_count(found)} weak. Proven to help: {_named(tried.best)}. The run with it is not finished yet."


def _left_out(settings) -> str:
    """Return why a run has no second opinion although its settings ask for one, or ""."""
    if choices.heard(settings) == settings["config"]["second_opinion"]:
        return ""
    chosen = settings["choices"][choices.SECOND]
    why = "by the validation images it would count too little" if chosen["trunk"] else chosen["why"]
    return f"but the second opinion was left out ({why})"


def to_use(run, made, *, stands: bool, left_out: str) -> str:
    """Return a sentence that says which run to use from now on."""
    if stands:
        return f"The new run is {printable(str(made))}; use it with `kfg predict {quoted(made)} new-photographs`."
    why = "The remedy is not complete" if left_out else "The remedy helped heads, but not this network"
    return (
        f"{why}, so go on with the earlier run: `kfg predict {quoted(run)} new-photographs`. Where both runs lie in "
        f"one folder, kfg takes the earlier one. The new run is {printable(str(made))}."
    )


def other_net(run, found) -> list[str]:
    """Return a warning if the new net differs from the run's in more than the remedy: then the gain is due to both."""
    before, trunk = read_json(pathlib.Path(run) / run_files.CONFIG, dict), found.eyes.trunk
    config = before.get("config", {})
    second = config.get("second_backbone") or choices.heard(before)
    trained = (config.get("backbone"), config.get("weights"), second)
    same = before.get("recipe") == run_files.TRAIN_RECIPE and trained == (trunk.backbone, trunk.weights, trunk.second)
    if same and tuple(config.get("image_size", ())) == tuple(trunk.image_size):
        return []
    size = f"{trunk.image_size[0]} x {trunk.image_size[1]}"
    return [
        f"The earlier network was of another kind; the new one is trained as by kfg train, on {trunk.told} at {size} "
        "pixels. So the difference comes from both the network and the remedy."
    ]


def _count(found) -> str:
    return "1 class is" if len(found.weak) == 1 else f"{len(found.weak)} classes are"


def _unproven(tried) -> str:
    """Return a sentence on why no net is trained: the proven remedy works only on features, or none is proven."""
    if tried.proven:
        return (
            f"Proven to help: {_named(tried.proven)}, but only on features; kfg train cannot train a network with it "
            "yet."
        )
    ranked = [one for one in tried.verdicts if not trial.remedy(one.name).control]
    best = max(ranked, key=lambda one: one.recall["weak"], default=None)
    if best is None:
        return "Nothing was tried."
    why = "takes too much from the other classes" if best.costly else "may help only by chance"
    return f"Nothing that was tried is proven to help. What helped most, {_named(best)}, {why}."


def _named(verdict, done: str = "") -> str:
    """Return a remedy's name in quotes, with what is done in brackets."""
    return f'"{verdict.name}" ({done or trial.remedy(verdict.name).said})'


def _percent(share) -> str:
    return f"{100 * share:.1f}%"


def _points(difference) -> str:
    return (
        f"{100 * difference['value']:+.1f} points, 95% interval {100 * difference['low']:+.1f} to "
        f"{100 * difference['high']:+.1f}"
    )
