"""The whole of a repair: diagnose, try remedies, train with the proven one, tell."""

import dataclasses
import pathlib
import time

from kfg.engine import places
from kfg.engine.options import replaced
from kfg.engine.orders import RUNS
from kfg.files import read_json
from kfg.names import printable, quoted
from kfg.progress import duration, step
from kfg.repairing import diagnosis, findings, page, proof, retraining, trial
from kfg.repairing.findings import Diagnosis
from kfg.repairing.next_steps import next_steps
from kfg.repairing.trial import Trial
from kfg.runs import run_files
from kfg.runs.run import Run

STEPS = 4
LOOKING = 0.5  # of the time budget, for features of what remedies show
LEAST = 60.0  # seconds that a training gets, whatever the rest has taken
BUDGET = 1200.0  # seconds
ANSWERS = "answers"  # folder of what remedies answered


@dataclasses.dataclass(frozen=True, eq=False)
class Repaired:
    """What a repair found and did.

    Args:
        out: folder of its findings.
        found: the diagnosis.
        trial: what was tried; None where no class is weak.
        run: the run that was trained with a proven remedy, or None.
        said: sentences on what came of it.
        steps: sentences on what to do by hand.
    """

    out: pathlib.Path
    found: Diagnosis
    trial: Trial | None
    run: Run | None
    said: list[str]
    steps: list[str]

    @property
    def page(self) -> pathlib.Path:
        return self.out / findings.PAGE


def repair(
    run,
    *,
    data=None,
    target: float | None = None,
    time_budget: float = BUDGET,
    out=None,
    max_params: int | str | None = None,
    resume: bool = False,
) -> Repaired:
    """Find out why classes of a run are weak, try what may help, and train a net with what is proven to.

    Args:
        run: folder of a finished run, of any recipe.
        data: folder of its photographs; default the one it was trained on.
        target: recall in (0, 1] below which a class is weak; default the mean of all.
        time_budget: seconds, >= 1. Half of it is for the features of what remedies show, and what is left at the end
            for the training, a minute at least; the classifiers in between take what they take.
        out: folder of the findings; default `repair` in the run's folder.
        max_params: parameters that the new net may have; None for any number.
        resume: go on with an interrupted training. What was answered on the same features is not asked again in any
            case.
    Raises:
        InputError: no finished run, photographs that are not there, an argument out of range.
    """
    run, started = pathlib.Path(run).resolve(), time.monotonic()
    out = run / "repair" if out is None else pathlib.Path(out)

    def left():
        return time_budget - (time.monotonic() - started)

    root = diagnosis.photographs_folder(run, data)
    diagnosis.check_target(target)
    places.check_beside(root, out)
    findings.check_out(out)
    step(1, STEPS, "every photograph is answered by classifiers that have not seen it", left=left(), rest="the repair")
    found = diagnosis.diagnose(run, data=root, target=target)
    print(*findings.lines(found), sep="\n")
    findings.write(found, out)
    made = after = tried = None
    name = read_json(run / run_files.CONFIG, dict)["data"]["name"]
    steps = next_steps(found, suspects=quoted(out / findings.SUSPECTS))
    if found.weak:
        index, config = retraining.photographs_of(run, root), retraining.base(run, found.eyes.trunk)
        step(2, STEPS, "remedies are tried on the features of the photographs", left=left(), rest="the repair")
        tried = trial.tried(found, folder=out / ANSWERS, left=lambda: left() - (1 - LOOKING) * time_budget)
        print(*lines(tried), sep="\n")
        findings.write(found, out, remedies=tried.verdicts)
        if tried.best:  # what was found must not be lost with a training that is interrupted
            said = [f"{_count(found)} weak. Proven to help: {tried.best.name}. The training with it is not finished."]
            page.write(out, found, title=name, steps=steps, trial=tried, after=None, said=said)
            what = f"a net is trained with the proven remedy, {tried.best.name}"
            step(3, STEPS, what, left=left(), rest="the repair")
            made = _trained(run, found, tried, index, config, left=left(), max_params=max_params, resume=resume)
            after = made and retraining.compared(run, made, found.weak)
    said = outcome(run, found, tried, made, after)
    step(4, STEPS, "the page is written")
    page.write(out, found, title=name, steps=steps, trial=tried, after=after, said=said)
    return Repaired(out, found, tried, Run(made) if made else None, said, steps)


def _trained(run, found, tried, index, config, *, left, **options) -> pathlib.Path | None:
    """Train with the best remedy; return the new run's folder, or None where the run has the remedy already."""
    settings = trial.settings(found, tried, tried.best.name)
    repaired = replaced(config, settings)
    if repaired == config:
        return None
    repaired = dataclasses.replace(repaired, time_budget=max(LEAST, left))
    return retraining.retrained(run, index, repaired, changed=settings, out=_folder_of_runs(run), **options)


def told(made: Repaired) -> list[str]:
    """Return what came of a repair as lines for the screen."""
    steps = [f"  {number}. {step}" for number, step in enumerate(made.steps, start=1)] or ["  nothing by hand"]
    suspects = made.out / findings.SUSPECTS
    return [*made.said, "What to do next:", *steps, f"labels worth a look: {suspects}", f"page: {made.page}"]


def _folder_of_runs(run) -> pathlib.Path:
    """Return the folder that a run's recipe folder lies in, or one beside a run that was moved."""
    settings = read_json(run / run_files.CONFIG, dict)
    names = (run.parent.name, run.parent.parent.name)
    return run.parents[2] if names == (settings.get("row"), settings.get("recipe")) else run.parent / RUNS


def lines(tried: Trial) -> list[str]:
    """Say what was tried and what it brought, the best first."""
    first = tried.cases[0]
    told = [
        f"{len(tried.verdicts)} remedies and controls were tried in "
        f"{duration(tried.seconds)}, {len(tried.cases)} x {first.folds} folds. Recall in percent; against a bias on "
        "the weak classes, which costs nothing:"
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


def outcome(run, found, tried, made, after) -> list[str]:
    """Say in sentences what came of it; the first stands above the page."""
    if tried is None:
        asked = "the mean" if found.target is None else f"the {found.target:.0%} asked for"
        return [f"No class is weak: the recall of each reaches {asked} as far as its photographs can tell."]
    if tried.best is None:
        return [f"{_count(found)} weak. {_unproven(tried)} What helps is listed below."]
    if made is None:
        return [f"{_count(found)} weak. Proven to help is {tried.best.name}, which this run has already."]
    arms = after["groups"]["all"]["arms"]
    weak = after["groups"]["targeted"]["arms"]["after"]["difference"]
    change = arms["after"]["difference"]
    done = trial.remedy(tried.best.name).said
    told = (
        f"{_count(found)} weak. Proven to help: {tried.best.name} ({done}). A net trained so "
        f"names {_percent(arms['after']['recall']['value'])} of the test images right, before "
        f"{_percent(arms['before']['recall']['value'])} ({_points(change)})"
    )
    told += f"; of the weak classes' {_points(weak)}." if weak["value"] is not None else "."
    new = f"The new run is {printable(str(made))}: `kfg predict {quoted(made)} new-photographs`."
    return [told, *other_net(run, found), new]


def other_net(run, found) -> list[str]:
    """Say so where the new net differs from the run's by more than the remedy, whose the gain is not alone then."""
    before, trunk = read_json(pathlib.Path(run) / run_files.CONFIG, dict), found.eyes.trunk
    config = before.get("config", {})
    same = before.get("recipe") == "folder" and (config.get("backbone"), config.get("weights")) == (
        trunk.backbone,
        trunk.weights,
    )
    if same and tuple(config.get("image_size", ())) == tuple(trunk.image_size):
        return []
    size = f"{trunk.image_size[0]} x {trunk.image_size[1]}"
    return [
        f"The net before was another one; the new one is trained as kfg train does, on {trunk.backbone} at {size} "
        "pixels. The difference is of both, the net and the remedy."
    ]


def _count(found) -> str:
    return "1 class is" if len(found.weak) == 1 else f"{len(found.weak)} classes are"


def _unproven(tried) -> str:
    """Say why no net is trained: what is proven cannot be trained by, or nothing is proven, and what came nearest."""
    if tried.proven:
        return f"Proven to help is {tried.proven.name}, but only on features; kfg train cannot do it to a net yet."
    ranked = [one for one in tried.verdicts if not trial.remedy(one.name).control]
    best = max(ranked, key=lambda one: one.recall["weak"], default=None)
    if best is None:
        return "Nothing was tried."
    why = "takes too much from the other classes" if best.costly else "is not beyond doubt"
    return f"Nothing that was tried is proven to help; {best.name}, which did most for them, {why}."


def _percent(share) -> str:
    return f"{100 * share:.1f} %"


def _points(difference) -> str:
    return (
        f"{100 * difference['value']:+.1f} points, 95 % interval {100 * difference['low']:+.1f} to "
        f"{100 * difference['high']:+.1f}"
    )
