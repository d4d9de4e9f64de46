"""`kfg evaluate`, `runs` and `compare`: what is done with finished runs."""

import pathlib

from kfg import quiet
from kfg.errors import InputError
from kfg.runs import run_files

RUNS = pathlib.Path(run_files.RUNS)
EVALUATED = pathlib.Path("evaluated")


def evaluate(args) -> int:
    """Print a finished run's test figures; with --posthoc what corrections for rare classes would change.

    With --on the model is tested on labelled photographs that are new to it, class folders of its classes; what its
    run has in its split.csv is left out. Exit 1 if one could not be read.
    """
    if not args.posthoc and (args.tau is not None or args.data is not None):
        raise InputError("--tau, --data: are for --posthoc")
    if args.on is None and args.out is not None:
        raise InputError("--out: is for --on")
    if args.on is not None and args.posthoc:
        raise InputError("--on: not with --posthoc, which corrects a run on its own test images")
    from kfg.runs import found

    run = found.only(args.folder)
    if args.on is not None:
        with quiet.tensorflow_notes():
            from kfg.runs import new_photographs

        out = args.out or EVALUATED
        failed = new_photographs.score(run, args.on, out=out)
        print(found.summary(out))
        print(f"report: {out / 'report.html'}")
        return 1 if failed else 0
    print(found.summary(run))
    if args.posthoc:
        with quiet.tensorflow_notes():
            from kfg.runs import corrections

        print(corrections.corrections_table(corrections.posthoc_corrections(run, data_dir=args.data, tau=args.tau)))
        print(f"written: {run / run_files.POSTHOC}")
    return 0


def repair(args) -> int:
    """Say which classes of a finished run are weak and why, try what may help, and train a net with what is proven.

    Each training and validation photograph is answered by classifiers that have not seen it, on features of a
    pretrained trunk, so that a class is judged on all its photographs. Remedies are tried in the same way, each against
    a control that costs nothing. The test photographs are looked at once, when the new net is compared with the run.
    """
    from kfg.engine.own_photographs import seconds_of
    from kfg.runs import found

    run, seconds = found.only(args.run_folder), seconds_of(args.time_budget)
    found.file_of(run, run_files.REPORT)  # before anything is written below it
    with quiet.tensorflow_notes():
        from kfg.repairing import repair as whole

    made = whole.repair(run, data=args.data, target=args.target, time_budget=seconds, out=args.out, resume=args.resume)
    print(*whole.told(made), sep="\n")
    return 0


def needs(args) -> int:
    """Say of which classes more photographs would bring most.

    Recall in percent where a classifier learns from 20, 40, 60, 80 and 100 % of each class's training and validation
    photographs, and the range in which it would lie with twice as many. The test photographs are not looked at.
    """
    from kfg.runs import found

    run = found.only(args.run_folder)
    found.file_of(run, run_files.REPORT)
    with quiet.tensorflow_notes():
        from kfg.repairing import diagnosis
        from kfg.repairing import needs as measured

    print(measured.table(measured.needs(diagnosis.diagnose(run, data=args.data))))
    return 0


def runs(args) -> int:
    """List the finished runs, the newest first, and write a page with links to their reports."""
    from kfg.runs import found, page

    if not args.folder.is_dir():
        raise InputError(f"{args.folder}: no such folder; `kfg train` makes it")
    listed = [found.read(run) for run in found.below(args.folder)]
    if not listed:
        print(f"{args.folder}: no finished run")
        return 0
    print(found.runs_table(listed))
    print(f"page: {page.write(args.folder, listed)}")
    return 0


def compare(args) -> int:
    """Print a study's figures beside ours."""
    from kfg import recipes
    from kfg.runs import comparison

    no_runs_yet = args.out is None and not RUNS.exists()
    with quiet.tensorflow_notes():  # the study's module imports it
        table = comparison.study_table(recipes.named(args.recipe), None if no_runs_yet else args.out or RUNS)
    print(table)
    return 0
