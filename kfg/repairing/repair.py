"""The whole of a repair: diagnose, try remedies, train with the proven one, tell."""

import dataclasses
import pathlib
import time

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
        return self.out / page.PAGE


def repair(
    run, *, data=None, target: float | None = None, time_budget: float = BUDGET, out=None, resume: bool = False
) -> Repaired:
    """Find out why classes of a run are weak, try what may help, and train a net with what is proven to.

    Args:
        run: folder of a finished run, of any recipe.
        data: folder of its photographs; default the one it was trained on.
        target: recall in (0, 1] below which a class is weak; default the mean of all.
        time_budget: seconds for all of it, >= 1.
        out: folder of the findings; default `repair` in the run's folder.
        resume: go on with an interrupted training; what was answered before is not asked again in any case.
    Raises:
        InputError: no finished run, photographs that are not there, an argument out of range.
    """
    run, started = pathlib.Path(run).resolve(), time.monotonic()
    out = run / "repair" if out is None else pathlib.Path(out)
    findings.check_out(out)

    def left():
        return time_budget - (time.monotonic() - started)

    step(1, STEPS, "every photograph is answered by classifiers that have not seen it", left=left(), rest="the repair")
    found = diagnosis.diagnose(run, data=data, target=target)
    print(*findings.lines(found), sep="\n")
    findings.write(found, out)
    made = after = tried = None
    if found.weak:
        step(2, STEPS, "remedies are tried on the features of the photographs", left=left(), rest="the repair")
        tried = trial.tried(found, folder=out / ANSWERS, left=lambda: left() - (1 - LOOKING) * time_budget)
        print(*lines(tried), sep="\n")
        findings.write(found, out, remedies=tried.verdicts)
        if tried.best:
            step(
                3, STEPS, f"a net is trained with the proven remedy, {tried.best.name}", left=left(), rest="the repair"
            )
            made = _trained(run, found, tried, max(LEAST, left()), resume)
            after = retraining.compared(run, made, found.weak)
    said = outcome(found, tried, made, after)
    steps = next_steps(found, suspects=quoted(out / findings.SUSPECTS))
    step(4, STEPS, "the page is written")
    name = read_json(run / run_files.CONFIG, dict)["data"]["name"]
    page.write(out, found, title=name, steps=steps, trial=tried, after=after, said=said)
    return Repaired(out, found, tried, Run(made) if made else None, said, steps)


def told(made: Repaired) -> list[str]:
    """Return what came of a repair as lines for the screen."""
    steps = [f"  {number}. {step}" for number, step in enumerate(made.steps, start=1)] or ["  nothing by hand"]
    suspects = made.out / findings.SUSPECTS
    return [*made.said, "What to do next:", *steps, f"labels worth a look: {suspects}", f"page: {made.page}"]


def _trained(run, found, tried, seconds, resume) -> pathlib.Path:
    """Train with the best remedy; return the run's folder."""
    settings = trial.settings(found, tried, tried.best.name)
    root, out = found.crossed.index.root, _folder_of_runs(run)
    return retraining.retrained(run, root, settings, out=out, time_budget=seconds, resume=resume)


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


def outcome(found, tried, made, after) -> list[str]:
    """Say in sentences what came of it; the first stands above the page."""
    if tried is None:
        asked = "the mean" if found.target is None else f"the {found.target:.0%} asked for"
        return [f"No class is weak: the recall of each reaches {asked} as far as its photographs can tell."]
    count = "1 class is" if len(found.weak) == 1 else f"{len(found.weak)} classes are"
    if tried.best is None:
        ranked = [one for one in tried.verdicts if not trial.remedy(one.name).control]
        best = max(ranked, key=lambda one: one.recall["weak"], default=None)
        told = "" if best is None else f" The best of them, {best.name}, is not beyond doubt."
        return [f"{count} weak. Nothing that was tried is proven to help.{told} What helps is listed below."]
    arms = after["groups"]["all"]["arms"]
    weak = after["groups"]["targeted"]["arms"]["after"]["difference"]
    change = arms["after"]["difference"]
    told = (
        f"{count} weak. Proven to help: {tried.best.name} ({trial.remedy(tried.best.name).said}). A net trained so "
        f"names {_percent(arms['after']['recall']['value'])} of the test images right, before "
        f"{_percent(arms['before']['recall']['value'])} ({_points(change)})"
    )
    told += f"; of the weak classes' {_points(weak)}." if weak["value"] is not None else "."
    return [told, f"The new run is {printable(str(made))}."]


def _percent(share) -> str:
    return f"{100 * share:.1f} %"


def _points(difference) -> str:
    return (
        f"{100 * difference['value']:+.1f} points, 95 % interval {100 * difference['low']:+.1f} to "
        f"{100 * difference['high']:+.1f}"
    )
