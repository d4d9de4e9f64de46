"""A whole repair: diagnose the classes, try remedies, make a run with a proven one, and write the page."""

import dataclasses
import pathlib
import time
from collections.abc import Callable

from kfg import time_budgets
from kfg.engine import clock, places
from kfg.engine.options import replaced
from kfg.files import read_json, sweep
from kfg.locks import exclusive
from kfg.models.freezing import parse_count
from kfg.names import quoted
from kfg.progress import inside, step
from kfg.repairing import diagnosis, findings, outcome, page, retraining, trial
from kfg.repairing.findings import Diagnosis
from kfg.repairing.next_steps import next_steps
from kfg.repairing.trial import Trial
from kfg.reporting import card
from kfg.runs import choices, origins, run_files
from kfg.runs.run import Run

STEPS = 4
LOOKING = 2 / 3  # of the time for trying remedies: for computing the features that they need
LAST, MOST = 0.25, 0.5  # of the time budget: kept for the new run, at least and at most
CLOSINGS = 3  # test, report and export of two averaged networks take two to three times as long as those of one
ENDING = 0.25  # of the time left for a training, at least: kept for its test, report and export, which take minutes
LEAST = 20.0  # seconds; with less time left, no training is begun
ANSWERS = "answers"  # folder in which the remedies' answers are kept


@dataclasses.dataclass(frozen=True, eq=False)
class Repaired:
    """The findings of a repair and what it did.

    Args:
        out: folder of the findings.
        found: the diagnosis.
        run: the run with a proven remedy, or None.
        stands: whether that run is to be used, see kfg.repairing.retraining.stands. None without a new run.
        said: sentences on the outcome.
        steps: sentences on what to do by hand.
    """

    out: pathlib.Path
    found: Diagnosis
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
    time_budget: float = time_budgets.seconds_of(time_budgets.REPAIR),
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
            quarters no further remedy is tried, and the rest is for the new run. Both end earlier if the test, the
            report and the export of the run took so long that the rest would be too short for those of the new one.
            Screen and page say what was left out for want of time.
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
    out = run / run_files.REPAIR if out is None else pathlib.Path(out)

    def left():
        return time_budget - (time.monotonic() - started)

    root = origins.photographs_folder(run, data)
    diagnosis.check_target(target)
    places.check_beside(root, out)
    findings.check_out(out)
    with exclusive(out / run_files.LOCK, refusal=f"{out}: another kfg repair is writing there"):
        findings.sweep(out)
        sweep(out / ANSWERS, idle=0)
        return _repaired(run, root, out, target, time_budget, left, max_params=max_params, resume=resume)


def _repaired(run, root, out, target, time_budget, left, **options) -> Repaired:
    """Do what `repair` says, after its arguments were checked; `left` is a function () -> seconds that are left."""
    closing = _closing(run)
    step(
        1, STEPS, "every photograph is classified by classifiers that have not seen it", left=left(), rest="the repair"
    )
    found = diagnosis.diagnose(run, data=root, target=target, left=left)
    print(*findings.lines(found), sep="\n")
    findings.write(found, out)
    steps = next_steps(found, run=run, suspects=quoted(out / findings.SUSPECTS))
    work = _Work(run, out, found, steps, time_budget, closing, left)
    tried, made, late, after, stands = None, None, "", None, None
    if found.weak:
        known = dict(zip(found.crossed.index.paths, found.evidence.prints, strict=True))
        index = retraining.photographs_of(run, root, known=known)
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
    said = outcome.sentences(run, found, tried, made, after, stands=stands, late=late)
    step(4, STEPS, "the page is written")
    work.write_page(tried, after, said)
    return Repaired(out, found, Run(made) if made else None, stands, said, work.steps)


@dataclasses.dataclass(frozen=True, eq=False)
class _Work:
    """A repair in progress.

    Args:
        run, out, found, steps: as in `Repaired`, except that `run` is the folder of the run to repair.
        time_budget: seconds for the whole repair.
        closing: seconds that the test, the report and the export of the new run will take, at most.
        left: function () -> seconds of it that are left.
    """

    run: pathlib.Path
    out: pathlib.Path
    found: Diagnosis
    steps: list[str]
    time_budget: float
    closing: float
    left: Callable[[], float]

    def tried(self, max_params) -> Trial | None:
        """Try remedies; return None if there is no time even for the controls."""
        step(2, STEPS, "remedies are tried on the features of the photographs", left=self.left(), rest="the repair")
        kept = _kept_for_a_run(self.time_budget, self.closing)
        tried = trial.tried(
            self.found,
            folder=self.out / ANSWERS,
            to_look=lambda: self.left() - kept - (1 - LOOKING) * (self.time_budget - kept),
            left=lambda: self.left() - kept,
            max_params=max_params,
        )
        if tried is not None:
            print(*outcome.lines(tried), sep="\n")
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
        self.write_page(tried, None, [outcome.begun(self.found, tried)])
        repaired = dataclasses.replace(repaired, time_budget=_for_training(self.left(), self.closing))
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


def _closing(run) -> float:
    """Return how many seconds the test, the report and the export of a repaired run will take, at most.

    Raises:
        InputError: the run's clock.json is damaged.
    """
    settings = read_json(run / run_files.CONFIG, dict)
    averages = choices.heard(settings) or settings.get("config", {}).get("mirror_averaged")
    return clock.closing(run / run_files.CLOCK) * (1 if averages else CLOSINGS)


def _kept_for_a_run(time_budget: float, closing: float) -> float:
    """Return the seconds of a repair's time that are kept for making the new run.

    Args:
        time_budget: seconds for the whole repair.
        closing: seconds that the new run's test, report and export will take, at most.
    Example:
        >>> [_kept_for_a_run(720, closing) for closing in (0, 60, 180, 600)]
        [180.0, 180.0, 200.0, 360.0]
    """
    return min(MOST * time_budget, max(LAST * time_budget, LEAST + closing))


def _for_training(left: float, closing: float) -> float:
    """Return for how many of the seconds that are left the new run may train, before its test, report and export.

    Example:
        >>> [_for_training(200, closing) for closing in (0, 60, 180, 600)]
        [150.0, 140, 50.0, 50.0]
    """
    return left - min((1 - ENDING) * left, max(ENDING * left, closing))


def told(made: Repaired) -> list[str]:
    """Return the outcome of a repair as lines for the screen."""
    steps = [f"  {number}. {step}" for number, step in enumerate(made.steps, start=1)] or ["  nothing to do by hand"]
    return [*made.said, "What to do next:", *steps, f"page: {made.page}"]


def _folder_of_runs(run) -> pathlib.Path:
    """Return the folder above a run's recipe folder; for a run that was moved, a folder beside it."""
    settings = read_json(run / run_files.CONFIG, dict)
    names = (run.parent.name, run.parent.parent.name)
    named = names == (settings.get("row"), settings.get("recipe"))
    return run_files.out_of(run) if named else run.parent / run_files.RUNS
