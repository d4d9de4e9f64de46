"""`kfg evaluate`, `repair`, `needs`, `runs` and `compare`: the commands for finished runs."""

import pathlib

from kfg import program, progress, quiet, time_budgets
from kfg.commands import choosing
from kfg.errors import InputError
from kfg.runs import run_files

COMPARED = pathlib.Path("compared.html")
EVALUATED = pathlib.Path("evaluated")


def evaluate_options(p):
    """Add the options of `kfg evaluate`."""
    p.add_argument(
        "folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run; with --on also an export"
    )
    p.add_argument("--on", type=pathlib.Path, metavar="DIR", help="test the model on the labelled photographs in DIR")
    p.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="DIR",
        help="folder for the report of --on (default: evaluated, in the current folder)",
    )
    choosing.photograph_options(p)
    p.add_argument(
        "--posthoc",
        action="store_true",
        help="compare the figures before and after logit adjustment and tau-normalisation",
    )
    p.add_argument(
        "--tau",
        type=float,
        metavar="T",
        help="strength of these corrections (default: chosen on the validation images)",
    )
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's images, which tau-normalisation needs")


def evaluate(args) -> int:
    """Print a finished run's test figures; with --posthoc also what corrections for rare classes would change.

    With --on, test the model on other labelled photographs: one folder for each of its classes, or a table of labels.
    Photographs that are listed in the run's split.csv are left out. Exit 1 if a photograph could not be read.
    """
    if not args.posthoc and (args.tau is not None or args.data is not None):
        raise InputError("--tau, --data: only work with --posthoc; add it")
    if args.on is None and args.out is not None:
        raise InputError("--out: only works with --on; add --on DIR")
    if args.on is None and (args.corrections or args.no_corrections):
        raise InputError("--corrections, --no-corrections: only work with --on; add --on DIR")
    labels = choosing.labels(args)
    if args.on is None and labels is not None:
        raise InputError("--csv: only works with --on; add --on DIR")
    if args.on is not None and args.posthoc:
        raise InputError("--on: cannot be combined with --posthoc, which corrects a run on its own test images")
    from kfg.runs import found

    run = found.only(args.folder)
    if args.on is not None:
        with quiet.tensorflow_notes():
            from kfg.runs import new_photographs

        out = args.out or EVALUATED
        chosen = {"corrections": choosing.corrections(args), "labels": labels}
        failed = new_photographs.score(run, args.on, out=out, **chosen)
        print(found.summary(out))
        print(f"report: {(out / run_files.PAGE).resolve()}")
        return 1 if failed else 0
    print(found.summary(run))
    if args.posthoc:
        with quiet.tensorflow_notes():
            from kfg.runs import corrected_answers

        print(corrected_answers.table(corrected_answers.correct(run, data_dir=args.data, tau=args.tau)))
        print(f"written: {run / run_files.POSTHOC}")
    return 0


def repair_options(p):
    """Add the options of `kfg repair`."""
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's photographs (default: where they were)")
    p.add_argument(
        "--target",
        type=float,
        metavar="R",
        help="recall to reach: a class is weak if the whole 95%% interval of its recall lies below it (default: the "
        "share of all photographs that is recognised)",
    )
    p.add_argument(
        "--time-budget",
        default=time_budgets.REPAIR,
        metavar="T",
        help="how long the whole repair may take (default: %(default)s)",
    )
    p.add_argument("--out", type=pathlib.Path, metavar="DIR", help="folder for the findings (default: RUN/repair)")
    p.add_argument("--resume", action="store_true", help="continue a repair that was interrupted")


def repair(args) -> int:
    """Say which classes of a finished run are weak and why, try remedies, and make a new run with a proven one.

    Each training and validation photograph is answered by classifiers that have not seen it, on features of a
    pretrained trunk, so that a class is judged on all its photographs. Remedies are tried in the same way, and each is
    compared with a control that costs nothing. If the proven remedy changes only how the network answers, the run's own
    network is kept; otherwise a new one is trained. The test photographs are used once, when both are compared. If
    they speak against the new run, the command says so, and other commands go on with the earlier run.
    """
    from kfg.runs import found

    run, seconds = found.only(args.run_folder), time_budgets.seconds_of(args.time_budget)
    found.file_of(run, run_files.REPORT)  # fails for an unfinished run before anything is written into its folder
    with quiet.tensorflow_notes():
        from kfg.repairing import repair as whole

    asked = {"data": args.data, "target": args.target, "out": args.out, "resume": args.resume}
    try:
        made = whole.repair(run, time_budget=seconds, **asked)
    except KeyboardInterrupt:
        progress.end()
        program.say("interrupted; what is known so far is kept, and the same command with --resume continues")
        return 130
    print(*whole.told(made), sep="\n")
    return 0


def needs_options(p):
    """Add the options of `kfg needs`."""
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's photographs (default: where they were)")


def needs(args) -> int:
    """Say for which classes more photographs would help most.

    The table has each class's recall in percent, for classifiers that learn from 20, 40, 60, 80 and 100% of every
    class's training and validation photographs, whether it clearly rises, and the range in which it would lie with
    twice as many. The test photographs are not used.
    """
    from kfg.runs import found

    run = found.only(args.run_folder)
    found.file_of(run, run_files.REPORT)
    with quiet.tensorflow_notes():
        from kfg.repairing import diagnosis, findings
        from kfg.repairing import needs as measured

    progress.step(1, 2, "every photograph is classified by classifiers that have not seen it")
    found = diagnosis.diagnose(run, data=args.data)
    progress.step(2, 2, "recall is measured for classifiers that learn from 20 to 100% of the photographs")
    print(*findings.left_out_lines(found), measured.table(found.needs or diagnosis.curves(found)), sep="\n")
    print(measured.NOTE)
    return 0


def runs_options(p):
    """Add the options of `kfg runs`."""
    p.add_argument(
        "folder", type=pathlib.Path, nargs="?", default=run_files.RUNS, metavar="DIR", help="default: %(default)s"
    )


def runs(args) -> int:
    """List the finished runs, the newest first, and write a page with links to their reports."""
    from kfg.runs import found, page

    if not args.folder.is_dir():
        raise InputError(f"{args.folder}: no such folder; `kfg train` creates it")
    listed = [found.read(run) for run in found.below(args.folder)]
    if not listed:
        print(f"{args.folder}: there is no finished run here")
        return 0
    print(found.runs_table(listed))
    print(f"page: {page.write(args.folder, listed)}")
    return 0


def compare_options(p):
    """Add the options of `kfg compare`."""
    p.add_argument("what", nargs="+", metavar="RUN RUN|RECIPE", help="two run folders, or the name of a study")
    p.add_argument(
        "--html",
        action="store_true",
        help="for two runs: also write a page with the photographs whose answers changed, see --out",
    )
    p.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="FILE|DIR",
        help="for two runs: file of the page (default: compared.html, in the current folder); for a study: folder of "
        f"the runs (default: {run_files.RUNS})",
    )
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the runs' photographs (default: where they were)")


def compare(args) -> int:
    """Print a study's figures beside those of the runs in --out; or what changed from one run to another, by class.

    Two runs are compared on the test photographs that both have answered, with paired 95% intervals. With --html, a
    page in one file shows the photographs of which one run is right and the other wrong.
    """
    if len(args.what) > 2:
        raise InputError(f"compare: expected a recipe or two runs, got {len(args.what)} words")
    if len(args.what) == 2:
        return _compare_runs(args)
    if args.html or args.data is not None:
        raise InputError(f"--html, --data: only work with two runs, as in kfg compare {args.what[0]} OTHER_RUN --html")
    from kfg import recipes
    from kfg.runs import comparison

    if pathlib.Path(args.what[0]).is_dir() and args.what[0] not in recipes.NAMES:
        raise InputError(
            f"{args.what[0]}: is a folder and not the name of a recipe; to compare two runs, give both folders"
        )
    no_runs_yet = args.out is None and not run_files.RUNS.exists()
    with quiet.tensorflow_notes():  # importing the study's module imports TensorFlow
        table = comparison.study_table(recipes.named(args.what[0]), None if no_runs_yet else args.out or run_files.RUNS)
    print(table)
    return 0


def _compare_runs(args) -> int:
    if not args.html and (args.out is not None or args.data is not None):
        raise InputError("--out, --data: when two runs are compared, these only work with --html; add it")
    from kfg.runs import two_runs

    pair = two_runs.compare(*args.what)
    if args.html:
        out = args.out or COMPARED
        gone = two_runs.write(pair, out, data=args.data)
    print(two_runs.table(pair))
    if args.html and gone:
        print(f"{gone} of the photographs have been changed or removed since; the page shows no picture of them")
    if args.html:
        print(f"page: {out.resolve()}")
    return 0
