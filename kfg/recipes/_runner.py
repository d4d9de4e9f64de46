"""The command line that all recipes share: rows x seeds x folds, each in its run folder."""

import argparse
import dataclasses
import errno
import logging
import math
import pathlib
import sys

from kfg import ledger, overwrite, program
from kfg.errors import InputError
from kfg.evaluation import baseline
from kfg.recipes import _init_from
from kfg.recipes._options import OF_RECIPES, assigned, epochs, replaced, seeds

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


def parser(recipe) -> argparse.ArgumentParser:
    """Make the argument parser of a recipe module, which has NAME, ROWS, QUICK, run, perhaps check and summarise."""
    known = ", ".join(recipe.ROWS)
    p = argparse.ArgumentParser(
        prog=f"python -m kfg.recipes.{recipe.NAME}", description=recipe.__doc__.splitlines()[0], epilog=f"rows: {known}"
    )
    p.add_argument("--data", required=True, help="folder of class folders, or 'demo' for drawn images")
    p.add_argument("--out", default="runs", type=pathlib.Path, help="where run folders go (default: runs)")
    p.add_argument(
        "--rows", default=",".join(recipe.DEFAULT_ROWS), help="comma-separated (default: %(default)s), or 'all'"
    )
    p.add_argument("--seeds", default="0", help="comma-separated, one run each (default: 0)")
    p.add_argument("--folds", type=int, default=1, metavar="K", help="run K times so that every image is tested once")
    p.add_argument("--epochs", metavar="N", help="replace every row's number of epochs; 50%% halves each row's own")
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE|@FILE",
        help="replace a setting of every row; @FILE takes all that a search found, from its best.json",
    )
    p.add_argument(
        "--precision", default="float32", help="float32, bfloat16, float16, or auto: time and take the fastest"
    )
    p.add_argument(
        "--weights",
        metavar="imagenet|none|PATH",
        help="what rows with a pretrained trunk begin from, instead of ImageNet",
    )
    p.add_argument(
        "--init-from", metavar="RUN", help="a run of the same net on other data, whose weights all but the last begin"
    )
    p.add_argument("--max-params", metavar="N", help="refuse a model of more parameters; 10M is ten million")
    p.add_argument("--quick", action="store_true", help="smaller nets and fewer epochs: minutes, not hours")
    p.add_argument("--smoke", action="store_true", help="the least that runs through everything: seconds")
    p.add_argument("--resume", action="store_true", help="go on with interrupted runs")
    p.add_argument("--track", action="append", default=[], metavar="LOG", help="log to tensorboard or wandb, or both")
    p.add_argument(
        "--cache", type=pathlib.Path, help="folder for decoded images too many for memory (default: OUT/cache)"
    )
    p.add_argument(
        "--memory-budget",
        type=float,
        default=2.0,
        metavar="GB",
        help="decoded images kept in memory, all sizes together (default: 2)",
    )
    return p


def main(recipe, argv=None, *, known=(), options=OF_RECIPES) -> int:
    """Run a recipe from the command line; return the exit code.

    0 all runs finished, 2 wrong input (one line on stderr), 130 interrupted with Ctrl-C.

    Args:
        recipe: its module.
        argv: words of the command line; default the process's own.
        known: fingerprints of the images that an audit has read just before.
        options: of Job, where another program than the recipe's own was called.
    """
    return program.run(lambda: _answered(recipe, sys.argv[1:] if argv is None else argv, known, options))


def _answered(recipe, words, known, options) -> int:
    program.refuse_addresses(words)
    args = parser(recipe).parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    current, results, runs = [], [], []
    try:
        for job in jobs(recipe, args, known=known, options=options):
            current[:] = [job]
            results.append(run_one(recipe, job))
            runs.append(job.workdir)
            job.forget()
            current.clear()
        tell_spread(results)
        if hasattr(recipe, "summarise"):
            recipe.summarise(args.out, runs)
    except OSError as error:
        if error.errno not in MACHINE_ERRORS or program.stdout_failed():
            raise
        program.say(f"error: {error.filename or args.out}: {error.strerror}; then run again with --resume")
        return 2
    except KeyboardInterrupt:
        kept = current[0].kept if current else ""
        where = current[0].workdir if current else args.out
        program.say("")  # ends a line of progress
        program.say(f"interrupted; {where} {f'holds {kept}' if kept else 'has no finished epoch'}")
        program.say("go on with the same command and --resume")
        return 130
    return 0


def jobs(recipe, args, *, known=(), options=OF_RECIPES):
    """Yield the Jobs of a command, each after those it depends on."""
    from kfg.tracking import logs

    track = logs.names(args.track)
    rows = configured_rows(recipe, args)
    seed_numbers, budget = seeds(args.seeds), _bytes(args.memory_budget)
    if args.folds < 1:
        raise InputError(f"--folds: at least 1, got {args.folds}")
    if args.data != "demo" and pathlib.Path(args.data).resolve() in (args.out.resolve(), *args.out.resolve().parents):
        raise InputError(f"--out {args.out}: lies inside the data folder, its pictures would be taken for photographs")
    from kfg.models.freezing import parse_count
    from kfg.recipes import _data, _weights
    from kfg.recipes._job import Job
    from kfg.training.precision import CHOICES

    _weights.check_names(row.config for row in rows.values())
    overwrite.check_writable("--out", args.out)
    max_params = None if args.max_params is None else parse_count(args.max_params)
    if args.precision not in CHOICES:
        raise InputError(f"--precision: {args.precision!r} is none of {', '.join(CHOICES)}")
    data = _data.open_data(args.data, out=args.out, cache_dir=args.cache, memory_budget=budget, known=known)

    made = [
        Job(
            recipe=recipe.NAME, row=name, config=rows[name].config, seed=seed, fold=fold, folds=args.folds,
            data=data, out=args.out, precision=args.precision, resume=args.resume,
            note=rows[name].note, max_params=max_params, track=track, options=options,
        )
        for seed in seed_numbers
        for fold in (range(args.folds) if args.folds > 1 else [None])
        for name in rows
    ]  # fmt: skip
    _init_from.check(recipe, made)
    _weights.check(made)
    if hasattr(recipe, "check"):
        recipe.check(made)
    yield from made


def run_one(recipe, job) -> dict:
    """Run one job unless it is finished, and return its row in results.jsonl; that and its logs are made up for."""
    from kfg import reporting
    from kfg.files import read_json
    from kfg.recipes._record import record
    from kfg.tracking import logs

    with job.owned():
        job.open()
        with logs.opened(job.track, job.workdir, name=str(job.workdir.relative_to(job.out))) as job.logs:
            if job.finished():
                print(f"{job.workdir}: finished before, not repeated")
            else:
                _run_kept(recipe, job)
            result = record(job)
            job.logs.results(read_json(job.workdir / reporting.REPORT_FILE, dict))
    return result


def tell_spread(results) -> None:
    """Print mean and standard deviation, over seeds and folds alike, of each row that ran more than once."""
    for name in dict.fromkeys(result["row"] for result in results):
        runs = [result for result in results if result["row"] == name]
        if len(runs) > 1:
            groups = ledger.by_settings(runs)
            for group, chosen in zip(groups, ledger.differences(groups), strict=True):
                trained_in = ", ".join(filter(None, (group[0]["trained_in"], chosen)))
                print(f"{name}, {trained_in}: test top-1 in percent, mean ± sd of all runs: {ledger.spread(group)}")


def _run_kept(recipe, job) -> None:
    """Run a job; after Ctrl-C keep its last finished epoch's model, while the run is still this process's."""
    try:
        _run_unfinished(recipe, job)
    except KeyboardInterrupt:
        job.kept = job.keep_interrupted()
        raise


def _run_unfinished(recipe, job) -> None:
    fold = "" if job.fold is None else f", fold {job.fold + 1} of {job.folds}"
    print(f"== {job.recipe} {job.row}, seed {job.seed}{fold}", flush=True)
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


def configured_rows(recipe, args) -> dict[str, Row]:
    """Return the rows to run, in order, with --quick, --smoke, --set and --epochs applied, in that order."""
    changes = {**(recipe.QUICK if args.quick else {}), **(recipe.SMOKE if args.smoke else {})}
    fields = [field.name for field in dataclasses.fields(next(iter(recipe.ROWS.values())).config)]
    changes |= assigned(args.set, fields)
    if args.weights is not None and "weights" not in fields:
        raise InputError(f"--weights: {recipe.NAME} has no pretrained trunk")
    if args.init_from is not None:
        if "init_from" not in fields:
            raise InputError(f"--init-from: not for {recipe.NAME}, its rows begin with ImageNet's weights or none")
        changes["init_from"] = args.init_from
    if "init_from" in changes:  # by --set too
        changes["init_from"] = _init_from.resolved(str(changes["init_from"]))
    rows = {}
    for name in ordered(recipe.ROWS, list(recipe.ROWS) if args.rows == "all" else _names(args.rows)):
        row = recipe.ROWS[name]
        config = replaced(row.config, changes)
        if args.weights is not None and row.config.weights != "none":  # the row's own: --smoke has none anywhere
            config = dataclasses.replace(config, weights=args.weights)
        if args.epochs is not None:
            config = replaced(config, {"epochs": epochs(args.epochs, config.epochs)})
        rows[name] = dataclasses.replace(row, config=config)
    return rows


def ordered(rows, names) -> list[str]:
    """Return `names` with the rows they need, each after those it needs."""
    order = []

    def visit(name):
        if name not in rows:
            raise InputError(f"--rows: unknown row {name!r}; known are {', '.join(rows)}")
        for earlier in rows[name].after:
            visit(earlier)
        if name not in order:
            order.append(name)

    for name in names:
        visit(name)
    return order


def _names(text) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError("--rows: names no row")
    return names


def _bytes(gigabytes) -> int:
    if not 0 <= gigabytes < math.inf:  # refuses nan too
        raise InputError(f"--memory-budget: gigabytes from 0 up, got {gigabytes}")
    return int(gigabytes * 1e9)
