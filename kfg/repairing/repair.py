"""A whole repair: diagnose the classes, try remedies, make a run with a proven one, and write the page."""

import dataclasses
import pathlib
import time
from collections.abc import Callable

from kfg.engine import places
from kfg.engine.options import replaced
from kfg.engine.orders import RUNS
from kfg.files import read_json, sweep
from kfg.locks import exclusive
from kfg.models.freezing import parse_count
from kfg.names import printable, quoted
from kfg.progress import duration, inside, step
from kfg.repairing import diagnosis, findings, page, proof, retraining, trial
from kfg.repairing.findings import Diagnosis
from kfg.repairing.next_steps import next_steps
from kfg.repairing.trial import Trial
from kfg.reporting import card
from kfg.runs import choices, run_files
from kfg.runs.run import Run

STEPS = 4
LOOKING, TRYING = 0.5, 0.75  # of the time budget: when computing features, and when trying remedies, must have ended
ENDING = 0.25  # of the time left for a training: kept for its test, report and export, which take minutes
LEAST = 20.0  # seconds; with less time left, no training is begun
BUDGET = 1200.0  # seconds, the default time budget
ANSWERS = "answers"  # folder in which the remedies' answers are kept


@dataclasses.dataclass(frozen=True, eq=False)
class Repaired:
    """The findings of a repair and what it did.

    Args:
        out: folder of the findings.
        found: the diagnosis.
        trial: the remedies that were tried; None if no class is weak or time was short.
        run: the run with a proven remedy, or None.
        stands: whether that run is to be used, see kfg.repairing.retraining.stands. None without a new run.
        said: sentences on the outcome.
        steps: sentences on what to do by hand.
    """

    out: pathlib.Path
    found: Diagnosis
    trial: Trial | None
    run: Run | None
    stands: bool | None
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
    """Find out why classes of a run are weak, try remedies, and make a run with a proven one.

    If the remedy changes only how the network answers, the run's own network is kept; otherwise a new one is trained.

    Args:
        run: folder of a finished run, of any recipe.
        data: folder of the run's photographs; default the one that it was trained on.
        target: recall in (0, 1] below which a class is weak; default the share of all photographs that is recognised.
        time_budget: seconds for the whole repair, >= 1. After half of it no further features are computed, after three
            quarters no further remedy is tried, and the rest is for the training. Screen and page say what was left out
            for want of time.
        out: folder for the findings; default `repair` in the run's folder.
        max_params: the most parameters that the new net may have; None for any number.
        resume: continue an interrupted training. Remedies' answers that are kept from an earlier repair on the same
            features are used in any case.
    Raises:
        InputError: no finished run; photographs that are not there; an argument out of range; less time than it takes
            to look at the photographs once; another repair that is writing there.
    """
    run, started = pathlib.Path(run).resolve(), time.monotonic()
    max_params = None if max_params is None else parse_count(max_params)
    out = run / "repair" if out is None else pathlib.Path(out)

    def left():
        return time_budget - (time.monotonic() - started)

    root = diagnosis.photographs_folder(run, data)
    diagnosis.check_target(target)
    places.check_beside(root, out)
    findings.check_out(out)
    with exclusive(out / run_files.LOCK, refusal=f"{out}: another kfg repair is writing there"):
        findings.sweep(out)
        sweep(out / ANSWERS, idle=0)
        return _repaired(run, root, out, target, time_budget, left, max_params=max_params, resume=resume)


def _repaired(run, root, out, target, time_budget, left, **options) -> Repaired:
    """Do what `repair` says, after its arguments were checked; `left` is a function () -> seconds that are left."""
    step(
        1, STEPS, "every photograph is classified by classifiers that have not seen it", left=left(), rest="the repair"
    )
    found = diagnosis.diagnose(run, data=root, target=target, left=left)
    print(*findings.lines(found), sep="\n")
    findings.write(found, out)
    work = _Work(
        run, out, found, next_steps(found, run=run, suspects=quoted(out / findings.SUSPECTS)), time_budget, left
    )
    tried, made, late, after, stands = None, None, "", None, None
    if found.weak:
        index = retraining.photographs_of(run, root, known=found.prints)
        tried = work.tried(options["max_params"])
        if tried and tried.best:
            made, late = work.trained(tried, index, **options)
            if made:
                after = retraining.compared(run, made, found.weak)
                stands = retraining.stands(made, after)
                if retraining.note(made, stands):
                    card.write(made)  # the test images have now decided about the run, and its card says so
        elif tried:
            print(f"Step 3 of {STEPS} is left out: no remedy is proven with which a network can be trained.")
    else:
        print(f"Steps 2 and 3 of {STEPS} are left out: no class was found weak, so there is nothing to try.")
    said = outcome(run, found, tried, made, after, stands=stands, late=late)
    step(4, STEPS, "the page is written")
    work.write_page(tried, after, said)
    return Repaired(out, found, tried, Run(made) if made else None, stands, said, work.steps)


@dataclasses.dataclass(frozen=True, eq=False)
class _Work:
    """A repair in progress.

    Args:
        run, out, found, steps: as in `Repaired`, except that `run` is the folder of the run to repair.
        time_budget: seconds for the whole repair.
        left: function () -> seconds of it that are left.
    """

    run: pathlib.Path
    out: pathlib.Path
    found: Diagnosis
    steps: list[str]
    time_budget: float
    left: Callable[[], float]

    def tried(self, max_params) -> Trial | None:
        """Try remedies; return None if there is no time even for the controls."""
        step(2, STEPS, "remedies are tried on the features of the photographs", left=self.left(), rest="the repair")
        tried = trial.tried(
            self.found,
            folder=self.out / ANSWERS,
            to_look=lambda: self.left() - (1 - LOOKING) * self.time_budget,
            left=lambda: self.left() - (1 - TRYING) * self.time_budget,
            max_params=max_params,
        )
        if tried is not None:
            print(*lines(tried), sep="\n")
            findings.write(self.found, self.out, remedies=tried.verdicts, not_tried=tried.not_tried)
        return tried

    def trained(self, tried, index, **options) -> tuple[pathlib.Path | None, str]:
        """Train with the best remedy.

        Returns:
            The new run's folder, and "". The folder is None if the run has the remedy already, or if no time is left;
            in the second case a sentence says so.
        """
        settings = trial.settings(self.found, tried, tried.best.name)
        config = retraining.base(self.run, self.found.eyes.trunk)
        if "left_out" in settings:
            settings["left_out"] = tuple(dict.fromkeys([*config.left_out, *settings["left_out"]]))
        repaired = replaced(config, settings)
        if repaired == config:
            return None, ""
        repaired = retraining.keeping_net(self.run, repaired, settings)
        verb = "a network is trained" if not repaired.net_of else "the run's own network is changed"
        what = f"{verb} with the proven remedy, {tried.best.name}"
        step(3, STEPS, what, left=self.left(), rest="the repair")
        if self.left() < LEAST:
            late = "For lack of time, it was not applied; give a longer --time-budget. The trials are kept."
            print(late)
            return None, late
        # the findings are written now: they must not be lost if the training is interrupted
        begun = f"{_count(self.found)} weak. Proven to help: {tried.best.name}. The run with it is not finished yet."
        self.write_page(tried, None, [begun])
        repaired = dataclasses.replace(repaired, time_budget=(1 - ENDING) * self.left())
        out = _folder_of_runs(self.run)
        with inside(3, STEPS, skipped=1):  # the photographs were looked at already
            return retraining.retrained(self.run, index, repaired, changed=settings, out=out, **options), ""

    def write_page(self, tried, after, said) -> None:
        name = read_json(self.run / run_files.CONFIG, dict)["data"]["name"]
        page.write(
            self.out,
            self.found,
            title=name,
            steps=self.steps,
            trial=tried,
            after=after,
            said=said,
            again=(self.run / run_files.REPAIR_OF).is_file(),
        )


def told(made: Repaired) -> list[str]:
    """Return the outcome of a repair as lines for the screen."""
    steps = [f"  {number}. {step}" for number, step in enumerate(made.steps, start=1)] or ["  nothing to do by hand"]
    suspects = made.out / findings.SUSPECTS
    return [*made.said, "What to do next:", *steps, f"labels worth checking: {suspects}", f"page: {made.page}"]


def _folder_of_runs(run) -> pathlib.Path:
    """Return the folder above a run's recipe folder; for a run that was moved, a folder beside it."""
    settings = read_json(run / run_files.CONFIG, dict)
    names = (run.parent.name, run.parent.parent.name)
    return run.parents[2] if names == (settings.get("row"), settings.get("recipe")) else run.parent / RUNS


def lines(tried: Trial) -> list[str]:
    """Return lines on the remedies that were tried and their effect, the best first."""
    first = tried.cases[0]
    told = [
        f"{len(tried.verdicts)} remedies and controls were tried in "
        f"{duration(tried.seconds)}, with {len(tried.cases)} x {first.folds} folds. Recall in percent; in brackets the "
        "difference to a bias on the weak classes, which costs nothing:"
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


def outcome(run, found, tried, made, after, *, stands: bool | None = None, late: str = "") -> list[str]:
    """Return sentences on the outcome; the first stands at the top of the page.

    Args:
        stands: as in `Repaired`.
        late: a sentence that there was no time for the training, or "".
    """
    if not found.weak:
        return [findings.none_weak(found)]
    if tried is None:
        return [f"{_count(found)} weak. For lack of time, no remedy was tried; give a longer --time-budget."]
    if late:
        return [f"{_count(found)} weak. Proven to help: {tried.best.name}. {late}"]
    if tried.best is None:
        return [f"{_count(found)} weak. {_unproven(tried)} What you can do is listed below."]
    if made is None:
        return [f"{_count(found)} weak. Proven to help: {tried.best.name}, which this run already uses."]
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
        f"{_count(found)} weak. Proven to help: {tried.best.name} ({done}). {net} "
        f"classifies {_percent(arms['after']['recall']['value'])} of the test images correctly, compared with "
        f"{_percent(arms['before']['recall']['value'])} before ({_points(change)})"
    )
    told += f"; on the weak classes the change is {_points(weak)}." if weak["value"] is not None else "."
    return [told, *other_net(run, found), to_use(run, made, stands=stands, left_out=left_out)]


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
    same = before.get("recipe") == "folder" and trained == (trunk.backbone, trunk.weights, trunk.second)
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
            f"Proven to help: {tried.proven.name}, but only on features; kfg train cannot train a network with it yet."
        )
    ranked = [one for one in tried.verdicts if not trial.remedy(one.name).control]
    best = max(ranked, key=lambda one: one.recall["weak"], default=None)
    if best is None:
        return "Nothing was tried."
    why = "takes too much from the other classes" if best.costly else "may help only by chance"
    return f"Nothing that was tried is proven to help: {best.name}, which helped them most, {why}."


def _percent(share) -> str:
    return f"{100 * share:.1f} %"


def _points(difference) -> str:
    return (
        f"{100 * difference['value']:+.1f} points, 95 % interval {100 * difference['low']:+.1f} to "
        f"{100 * difference['high']:+.1f}"
    )
