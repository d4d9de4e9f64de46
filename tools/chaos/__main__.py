"""Try to make kfg lose something: kills, pairs of commands, full disks, damaged files, odd folders.

Run       python tools/chaos CAMPAIGN [--count N] [--minutes M] [--seed S]; CAMPAIGN is kills, repairs, pairs, disk,
          permissions, clock, review, images or files
          python tools/chaos cases DIR
Prints    a table: checks done, results lost, rows doubled, tracebacks, other failures
Exit      0 if all numbers but the checks done are 0, something was checked, and a campaign that kills has killed;
          else 1. What failed is kept in a folder, which is printed.
"""

import argparse
import importlib
import os
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CAMPAIGNS = {  # name -> help text
    "kills": "kill -9 at random moments of a training, a recipe and a search, then go on",
    "repairs": "kill -9 at random moments of a repair, then go on",
    "pairs": "two commands at once on one --out",
    "disk": "a disk that is full, at many sizes, then made larger",
    "permissions": "folders that cannot be written or read",
    "clock": "a clock that is set back between kill and resume",
    "review": "kill -9 while decisions of a review are written, then go on",
    "images": "mutated images through the decoder and the exported graph, side by side",
    "files": "mutated files of a run folder through the commands that read them",
    "cases": "folders as users have them, built by the makers in DIR",
}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python tools/chaos", description=__doc__.splitlines()[0])
    subparsers = p.add_subparsers(dest="campaign", required=True, metavar="CAMPAIGN")
    for name, text in CAMPAIGNS.items():
        one = subparsers.add_parser(name, help=text, description=text)
        if name == "cases":
            one.add_argument("folder", type=pathlib.Path, metavar="DIR", help="holds `make` and NN-name/make.py")
            one.add_argument("--only", default="", metavar="A,B", help="cases whose name begins so")
        else:
            one.add_argument("--count", type=int, metavar="N", help="how many (default: the campaign's own)")
            one.add_argument("--minutes", type=float, metavar="M", help="stop after so long")
        one.add_argument("--seed", type=int, default=0, help="repeats a campaign (default: 0)")
        one.add_argument("--out", type=pathlib.Path, metavar="FILE", help="append the figures as a line of JSON")
        one.add_argument("--kept", type=pathlib.Path, metavar="DIR", help="for what failed (default: chaos-NAME-SEED)")
        one.add_argument(
            "--scratch", type=pathlib.Path, metavar="DIR", help="working folder (default: a temporary one)"
        )
    return p


def main(argv=None) -> int:
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["kfg"]:  # the campaigns start kfg in this way, so that it knows the tiny trunk
        from chaos import served

        return served.command(words)
    args = parser().parse_args(words)
    from chaos.tally import Tally, append

    tally = Tally(args.campaign, kept=args.kept or f"chaos-{args.campaign}-{args.seed}", seed=args.seed)
    tally.kept = tally.kept.resolve()
    print(f"{args.campaign}: seed {args.seed}; what fails is kept in {tally.kept}", flush=True)
    module = importlib.import_module(f"chaos.{args.campaign}")
    own = {"folder": args.folder.resolve(), "only": args.only} if args.campaign == "cases" else {}
    own |= {name: value for name in ("count", "minutes") if (value := getattr(args, name, None)) is not None}
    scratch = args.scratch or pathlib.Path(tempfile.mkdtemp(prefix="chaos-"))
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        module.campaign(tally, scratch.resolve(), **own)
    finally:
        if args.scratch is None:
            shutil.rmtree(scratch, ignore_errors=True)
        print(tally.table())
    if args.out:
        append(args.out, tally.line())
    return 1 if tally.failed() else 0


if __name__ == "__main__":
    sys.path[0] = str(ROOT / "tools")  # in place of this folder, whose module names would shadow others
    sys.path.insert(1, str(ROOT))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    raise SystemExit(main())
