"""Run recipes: rows x seeds x folds, each in its own run folder, with a command line that all recipes share."""

import logging
import pathlib
import sys

from kfg import overwrite, program
from kfg.engine import demonstration, lenders, orders, places, run_folder, selection
from kfg.engine.orders import Order
from kfg.engine.pace import Pace
from kfg.engine.recipe import Recipe
from kfg.errors import InputError
from kfg.evaluation import baseline
from kfg.names import percent
from kfg.runs import comparison, results_file, run_files

MOST_FOLDS = 1_000


def main(recipe: Recipe, argv=None) -> int:
    """Run a recipe from the command line and return the exit code.

    It is 0 if all runs finished, 2 for wrong input (one line on stderr), and 130 after Ctrl-C.

    Args:
        argv: words of the command line; default those of this process.
    """
    words = sys.argv[1:] if argv is None else argv
    return program.run(lambda: _read_and_answered(recipe, words))


def _read_and_answered(recipe: Recipe, words) -> int:
    if not words and recipe.demo:
        return _demonstrated(recipe)
    program.refuse_addresses(words)
    return answered(recipe, orders.read(recipe, words))


def _demonstrated(recipe: Recipe) -> int:
    """Do a recipe's main job on drawn images: it was called without arguments."""
    code = answered(recipe, demonstration.order(recipe))
    if not code:
        print(demonstration.real_data(recipe))
    return code


def answered(recipe: Recipe, order: Order) -> int:
    """Perform an order, print the outcome and return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    current = []

    def performed() -> int:
        perform(recipe, order, current=current)
        return 0

    return program.continuable(
        performed, out=order.out, again="then run again with --resume", interrupted=lambda: _interrupted(current)
    )


def _interrupted(current) -> tuple[str, str]:
    """Return lines on what an interrupted job, if one was running, has left, and on how to continue."""
    left = f"; {_left(current[0])}" if current else ""
    return f"interrupted{left}", "to continue, give the same command with --resume"


def _left(job) -> str:
    """Return half a sentence on what an interrupted job has left."""
    from kfg.engine import unfinished

    held = unfinished.held(job)
    return f"{job.workdir} {f'holds {held}' if held else 'has no finished epoch'}"


def perform(recipe: Recipe, order: Order, *, current: list | None = None) -> list[pathlib.Path]:
    """Perform an order and return the run folders.

    Args:
        current: list that holds the running job, so that the caller can report where it was interrupted.
    Raises:
        InputError: wrong input; the message names the argument or path.
    """
    from kfg.training import features

    current = [] if current is None else current
    results, runs, pace = [], [], Pace(earlier=_earlier(order.out))
    made = jobs(recipe, order)
    for number, job in enumerate(made, start=1):
        current[:] = [job]
        with pace.measured(trains=not job.finished()):
            results.append(run_one(recipe, job, begun=pace.said(number, made)))
        runs.append(job.workdir)
        job.forget()
        features.forget()
        current.clear()
    tell_spread(results)
    recipe.summarise(order.out, runs)
    return runs


def _earlier(out) -> dict[tuple[str, str], float]:
    """Return (recipe, row) -> the seconds for which its last run in a folder of runs trained."""
    rows = results_file.read(out) if out.is_dir() else []
    trained = {(row["recipe"], row["row"]): _seconds(row) for row in rows}
    return {row: seconds for row, seconds in trained.items() if isinstance(seconds, (int, float))}


def _seconds(row) -> float | None:
    """Return the seconds of all stages of a run, where it recorded them, else those of its last stage."""
    return row.get("metrics", {}).get("seconds_to_trained", {}).get("value", row.get("seconds"))


def jobs(recipe: Recipe, order: Order):
    """Return the Jobs of an order, each one after the jobs that it depends on."""
    from kfg.tracking import logs

    track = logs.names(order.track)
    rows = selection.configured(recipe, order)
    if not 1 <= order.folds <= MOST_FOLDS:
        raise InputError(f"--folds: must be from 1 to {MOST_FOLDS:,}, got {order.folds}")
    out = order.out
    if order.data is not None:
        places.check_beside(order.data, out)
    from kfg.engine import photographs, weights_at_hand
    from kfg.engine.job import Job
    from kfg.models.freezing import parse_count
    from kfg.training import devices
    from kfg.training.precision import CHOICES

    weights_at_hand.check_names(row.config for row in rows.values())
    shared_by = devices.chosen(order.devices)
    for row in rows.values():
        devices.check_batch(shared_by, getattr(row.config, "batch_size", len(shared_by)))
    overwrite.check_writable("--out", out)
    max_params = None if order.max_params is None else parse_count(order.max_params)
    if order.precision not in CHOICES:
        raise InputError(f"--precision: {order.precision!r} is not one of {', '.join(CHOICES)}")
    data = photographs.open_data(
        order.data,
        out=out,
        cache_dir=order.cache,
        memory_budget=order.memory_budget,
        index=order.index,
        corrections=order.corrections,
    )
    made = [
        Job(
            recipe=recipe.name,
            row=name,
            config=rows[name].config,
            seed=seed,
            first_seed=order.seeds[0],
            fold=fold,
            folds=order.folds,
            data=data,
            out=out,
            precision=order.precision,
            resume=order.resume,
            note=rows[name].note,
            max_params=max_params,
            track=track,
            devices=shared_by,
            options=order.options,
            says_steps=not recipe.own_steps,
        )
        for seed in order.seeds
        for fold in (range(order.folds) if order.folds > 1 else [None])
        for name in rows
    ]
    lenders.check_lenders(recipe, made)
    weights_at_hand.check_files(made)
    recipe.check(made)
    return made


def run_one(recipe: Recipe, job, *, begun: str = "") -> dict:
    """Run one job unless it is finished; return its row in results.jsonl. A missing row or log is written in any case.

    `begun` is a line to print if the job is run.
    """
    from kfg.engine.recording import record
    from kfg.files import read_json
    from kfg.tracking import logs

    with run_folder.owned(job.workdir):
        job.open()
        with logs.opened(job.track, job.workdir, name=str(job.workdir.relative_to(job.out))) as job.logs:
            if job.finished():
                print(f"{job.workdir}: already finished, so it is not repeated")
            else:
                if begun:
                    print(begun, flush=True)
                _run_kept(recipe, job)
            result = record(job)
            job.logs.results(read_json(job.workdir / run_files.REPORT, dict))
    return result


def tell_spread(results) -> None:
    """Print mean and standard deviation, over all seeds and folds, of each row that ran more than once."""
    for name in dict.fromkeys(result["row"] for result in results):
        runs = [result for result in results if result["row"] == name]
        if len(runs) > 1:
            groups = comparison.by_settings(runs)
            for group, chosen in zip(groups, comparison.differences(groups), strict=True):
                trained_in = ", ".join(filter(None, (group[0]["trained_in"], chosen)))
                print(f"{name}, {trained_in}: test top-1 in percent, mean ± sd of all runs: {comparison.spread(group)}")


def _run_kept(recipe: Recipe, job) -> None:
    """Run a job; after Ctrl-C, write the model of its last finished epoch while this process still owns the run."""
    try:
        _run_unfinished(recipe, job)
    except KeyboardInterrupt:
        job.keep_interrupted()
        raise


def _run_unfinished(recipe: Recipe, job) -> None:
    try:
        result = recipe.run(job.config, job)
    except InputError:
        job.withdraw()
        raise
    top1, low, high = (percent(result["top1"][name]) for name in ("value", "low", "high"))
    said = f"right on {top1} (95% interval {low} to {high}) of the {result['images']:,} test images"
    print(f"{job.workdir}: {said}")
    if warning := baseline.warning(result["baseline"]):
        print(f"WARNING: {warning}")
    print(f"report: {job.workdir / run_files.PAGE}", flush=True)
