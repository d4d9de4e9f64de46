"""The command line that all recipes share: rows x seeds x folds, each in its run folder."""

import dataclasses
import errno
import logging
import pathlib
import sys

from kfg import overwrite, program
from kfg.data.folder import Index
from kfg.engine import lenders, orders, places
from kfg.engine.options import OF_RECIPES, epochs, replaced
from kfg.engine.orders import Order
from kfg.engine.pace import Pace
from kfg.errors import InputError
from kfg.evaluation import baseline
from kfg.names import suggestion
from kfg.runs import comparison, run_files

# what a full disk or a withdrawn permission looks like wherever it strikes: the user's to mend, not a defect
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a study's tables.

    Args:
        config: the recipe's Config.
        reported: the study's figures, {"top1": ..., "loss": ...}; empty for rows of ours.
        after: rows whose runs this one starts from; they are run first.
        note: what a reader must know about it.
    """

    config: object
    reported: dict = dataclasses.field(default_factory=dict)
    after: tuple[str, ...] = ()
    note: str = ""


def main(recipe, argv=None) -> int:
    """Run a recipe from the command line; return the exit code.

    0 all runs finished, 2 wrong input (one line on stderr), 130 interrupted with Ctrl-C.

    Args:
        recipe: its module.
        argv: words of the command line; default the process's own.
    """
    words = sys.argv[1:] if argv is None else argv
    return program.run(lambda: _read_and_answered(recipe, words))


def _read_and_answered(recipe, words) -> int:
    program.refuse_addresses(words)
    return answered(recipe, orders.read(recipe, words))


def answered(recipe, order: Order, *, index: Index | None = None, options=OF_RECIPES) -> int:
    """Run what was ordered and say on the screen how it went; return the exit code.

    Args:
        recipe: its module.
        index: the images, where they have been read and grouped already.
        options: of Job, where another program than the recipe's own was called.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    current = []
    try:
        perform(recipe, order, index=index, options=options, current=current)
    except OSError as error:
        if error.errno not in MACHINE_ERRORS or program.stdout_failed():
            raise
        program.say(f"error: {error.filename or order.out}: {error.strerror}; then run again with --resume")
        return 2
    except KeyboardInterrupt:
        kept = current[0].kept if current else ""
        where = current[0].workdir if current else order.out
        program.say("")  # ends a line of progress
        program.say(f"interrupted; {where} {f'holds {kept}' if kept else 'has no finished epoch'}")
        program.say("go on with the same command and --resume")
        return 130
    return 0


def perform(
    recipe, order: Order, *, index: Index | None = None, options=OF_RECIPES, current: list | None = None
) -> list[pathlib.Path]:
    """Run what was ordered; return the run folders.

    Args:
        recipe: its module.
        index, options: as for `answered`.
        current: gets the job that is being run, for who must say where it was interrupted.
    Raises:
        InputError: wrong input; the argument or path is named.
    """
    current = [] if current is None else current
    results, runs, pace = [], [], Pace()
    made = jobs(recipe, order, index=index, options=options)
    for number, job in enumerate(made, start=1):
        current[:] = [job]
        with pace.measured(trains=not job.finished()):
            results.append(run_one(recipe, job, begun=pace.said(number, made)))
        runs.append(job.workdir)
        job.forget()
        current.clear()
    tell_spread(results)
    if hasattr(recipe, "summarise"):
        recipe.summarise(order.out, runs)
    return runs


def jobs(recipe, order: Order, *, index: Index | None = None, options=OF_RECIPES):
    """Return the Jobs of an order, each after those it depends on."""
    from kfg.tracking import logs

    track = logs.names(order.track)
    rows = configured_rows(recipe, order)
    if order.folds < 1:
        raise InputError(f"--folds: at least 1, got {order.folds}")
    out = order.out
    if order.data is not None:
        places.check_beside(order.data, out)
    from kfg.engine import photographs, weights_at_hand
    from kfg.engine.job import Job
    from kfg.models.freezing import parse_count
    from kfg.training.precision import CHOICES

    weights_at_hand.check_names(row.config for row in rows.values())
    overwrite.check_writable("--out", out)
    max_params = None if order.max_params is None else parse_count(order.max_params)
    if order.precision not in CHOICES:
        raise InputError(f"--precision: {order.precision!r} is none of {', '.join(CHOICES)}")
    data = photographs.open_data(
        order.data, out=out, cache_dir=order.cache, memory_budget=order.memory_budget, index=index
    )
    made = [
        Job(
            recipe=recipe.NAME,
            row=name,
            config=rows[name].config,
            seed=seed,
            fold=fold,
            folds=order.folds,
            data=data,
            out=out,
            precision=order.precision,
            resume=order.resume,
            note=rows[name].note,
            max_params=max_params,
            track=track,
            options=options,
        )
        for seed in order.seeds
        for fold in (range(order.folds) if order.folds > 1 else [None])
        for name in rows
    ]
    lenders.check_lenders(recipe, made)
    weights_at_hand.check_files(made)
    if hasattr(recipe, "check"):
        recipe.check(made)
    return made


def run_one(recipe, job, *, begun: str = "") -> dict:
    """Run one job unless it is finished, and return its row in results.jsonl; that and its logs are made up for.

    `begun` is printed where it is run.
    """
    from kfg.engine.recording import record
    from kfg.files import read_json
    from kfg.tracking import logs

    with job.owned():
        job.open()
        with logs.opened(job.track, job.workdir, name=str(job.workdir.relative_to(job.out))) as job.logs:
            if job.finished():
                print(f"{job.workdir}: finished before, not repeated")
            else:
                if begun:
                    print(begun, flush=True)
                _run_kept(recipe, job)
            result = record(job)
            job.logs.results(read_json(job.workdir / run_files.REPORT, dict))
    return result


def tell_spread(results) -> None:
    """Print mean and standard deviation, over seeds and folds alike, of each row that ran more than once."""
    for name in dict.fromkeys(result["row"] for result in results):
        runs = [result for result in results if result["row"] == name]
        if len(runs) > 1:
            groups = comparison.by_settings(runs)
            for group, chosen in zip(groups, comparison.differences(groups), strict=True):
                trained_in = ", ".join(filter(None, (group[0]["trained_in"], chosen)))
                print(f"{name}, {trained_in}: test top-1 in percent, mean ± sd of all runs: {comparison.spread(group)}")


def _run_kept(recipe, job) -> None:
    """Run a job; after Ctrl-C keep its last finished epoch's model, while the run is still this process's."""
    try:
        _run_unfinished(recipe, job)
    except KeyboardInterrupt:
        job.kept = job.keep_interrupted()
        raise


def _run_unfinished(recipe, job) -> None:
    try:
        result = recipe.run(job.config, job)
    except InputError:
        job.withdraw()
        raise
    top1 = "{value:.4f} [{low:.4f}, {high:.4f}]".format(**result["top1"])
    print(f"{job.workdir}: test top-1 {top1} on {result['images']} images")
    if warning := baseline.warning(result["baseline"]):
        print(f"WARNING: {warning}")
    print(f"report: {job.workdir / 'report.html'}", flush=True)


def configured_rows(recipe, order: Order) -> dict[str, Row]:
    """Return the rows to run, in order, with `quick`, `smoke`, `settings` and `epochs` applied, in that order."""
    changes = {**(recipe.QUICK if order.quick else {}), **(recipe.SMOKE if order.smoke else {}), **order.settings}
    fields = [field.name for field in dataclasses.fields(next(iter(recipe.ROWS.values())).config)]
    if order.weights is not None and "weights" not in fields:
        raise InputError(f"--weights: {recipe.NAME} has no pretrained trunk")
    if order.init_from is not None:
        if "init_from" not in fields:
            raise InputError(f"--init-from: not for {recipe.NAME}, its rows begin with ImageNet's weights or none")
        changes["init_from"] = order.init_from
    if "init_from" in changes:  # by --set too
        changes["init_from"] = lenders.resolved(str(changes["init_from"]))
    rows = {}
    for name in ordered(recipe.ROWS, recipe.DEFAULT_ROWS if order.rows is None else order.rows):
        row = recipe.ROWS[name]
        config = replaced(row.config, changes)
        if order.weights is not None and row.config.weights != "none":  # the row's own: --smoke has none anywhere
            config = dataclasses.replace(config, weights=order.weights)
        if order.epochs is not None:
            config = replaced(config, {"epochs": epochs(order.epochs, config.epochs)})
        rows[name] = dataclasses.replace(row, config=config)
    return rows


def ordered(rows, names) -> list[str]:
    """Return `names` with the rows they need, each after those it needs."""
    order = []

    def visit(name):
        if name not in rows:
            raise InputError(f"--rows: unknown row {name!r}; {suggestion(name, rows)}")
        for earlier in rows[name].after:
            visit(earlier)
        if name not in order:
            order.append(name)

    for name in names:
        visit(name)
    return order
