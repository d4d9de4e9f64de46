"""`kfg data imagenet20`: the photographs of a study, class by class, under ImageNet's terms."""

from kfg.errors import InputError
from kfg.names import printable, shortened
from kfg.progress import Progress

OPTIONS = ("accept_terms", "per_class", "seed", "jobs", "base")


def imagenet20_options(p):
    """Add the options of `kfg data imagenet20`, whose classes are chosen from an archive each."""
    group = p.add_argument_group("only for imagenet20", "20 classes of ImageNet, as in the study of this name")
    group.add_argument("--accept-terms", action="store_true", help="agree to ImageNet's terms, which are shown first")
    group.add_argument(
        "--per-class", type=int, metavar="N", help="maximum number of photographs of each class (default: 800)"
    )
    group.add_argument(
        "--seed", type=int, metavar="N", help="random seed that decides which photographs are taken (default: 0)"
    )
    group.add_argument(
        "--jobs", type=int, metavar="N", help="number of archives downloaded at the same time (default: 4)"
    )
    group.add_argument(
        "--from", dest="base", metavar="URL", help="download the archives SYNSET.tar from below this address instead"
    )


def refuse_options_of_imagenet20(args):
    """Refuse what only `kfg data imagenet20` takes."""
    for name in OPTIONS:
        if getattr(args, name) not in (None, False):
            raise InputError(f"{_option(name)}: only works with imagenet20, not with {args.name}; leave the option out")


def imagenet20(args) -> int:
    """Fetch the study's 20 classes of ImageNet; the same command goes on with an interrupted download."""
    from kfg.data import imagenet20 as study

    if args.url:
        raise InputError("--url: imagenet20 has an archive for each class; give the address of all of them with --from")
    print("\n".join(study.TERMS))
    if not args.accept_terms:
        raise InputError("--accept-terms: is missing, so nothing is downloaded; add it if you agree with the terms")
    chosen = {name: getattr(args, name) for name in OPTIONS[1:] if getattr(args, name) is not None}
    bar = Progress("megabytes")
    fetched = study.get(
        args.folder, **chosen, progress=lambda *done: bar(done[0] // 1_000_000, max(1, done[1] // 1_000_000), done[2])
    )
    bar.close()
    _say(fetched, args)
    return 0


def _say(fetched, args):
    """Say what came and what did not.

    Raises:
        InputError: a class is missing.
    """
    from kfg.data import imagenet20 as study

    for name, chosen in fetched.came.items():
        if chosen.unreadable:
            told = printable(shortened(chosen.unreadable))
            print(f"{fetched.folder / name}: {len(chosen.unreadable)} members are left out: {told}")
    for why in fetched.missing.values():
        print(printable(why))
    if missing := [f"{name} ({study.CLASSES[name]})" for name in fetched.missing]:
        unfinished = "" if fetched.folder.name == study.NAME else "; the same command continues the download"
        raise InputError(
            f"{fetched.folder}: {len(missing)} of {len(study.CLASSES)} classes are missing, as said above: "
            f"{', '.join(missing)}{unfinished}"
        )
    count = sum(chosen.kept for chosen in fetched.came.values())
    what = f"{count:,} photographs were downloaded" if fetched.came else "nothing was missing"
    print(f"{printable(str(fetched.folder))}: {len(study.CLASSES)} classes, {what}")
    if fetched.came:
        counts = {name: chosen.kept for name, chosen in fetched.came.items()}
        fewer = [f"{name} {count:,}" for name, count in counts.items() if count < max(counts.values())]
        print("each class has the same number" if not fewer else f"fewer than the others: {shortened(fewer)}")
        print(f"{printable(str(args.folder))}: the archives in it can be removed")


def _option(name) -> str:
    return "--from" if name == "base" else f"--{name.replace('_', '-')}"
