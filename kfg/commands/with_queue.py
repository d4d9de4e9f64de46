"""`kfg review`: show the photographs that are worth a look, the most suspicious first, and record what you decide."""

import os
import pathlib

from kfg import program, quiet
from kfg.errors import InputError
from kfg.names import printable
from kfg.runs import run_files
from kfg.web import installed

HOST = "127.0.0.1"
NEEDED = ("starlette", "uvicorn", "jinja2")
SENDING = 60.0  # seconds a browser may take to send the head of a request


def review_options(p):
    """Add the options of `kfg review`."""
    p.add_argument(
        "folder", type=pathlib.Path, metavar="DIR", help="class folders, or another layout that kfg audit reads"
    )
    p.add_argument(
        "--run",
        dest="run_folder",
        type=pathlib.Path,
        metavar="RUN",
        help="a finished run on these photographs; its trunk and the labels that it learned are used to find what is "
        "suspicious",
    )
    p.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="NAME",
        help="also show all other photographs of this class (with --run, not its test photographs); may be given more "
        "than once",
    )
    p.add_argument("--port", type=int, default=8001, metavar="N", help="default: %(default)s; 0 takes any free port")
    p.add_argument(
        "--static", type=pathlib.Path, metavar="OUT", help="write the page into a folder instead of serving it"
    )
    p.add_argument(
        "--corrections",
        type=pathlib.Path,
        metavar="FILE",
        help="file for the decisions (default: DIR/corrections.csv); give another if DIR cannot be written",
    )


def review(args) -> int:
    """Look through suspicious photographs: wrong labels, odd photographs, copies in two classes, bad pictures.

    A page shows each photograph large, beside typical ones of its class and of the class that it looks like. By mouse
    or key you keep it, relabel it or leave it out. Each decision is written at once to corrections.csv, which kfg
    audit, split, train, evaluate --on and kfg.load honour. No photograph is moved, changed or deleted. Ctrl-C ends the
    session; the same command continues where you stopped.
    """
    installed.check("kfg review", NEEDED)
    from kfg.data import listing

    listing.checked_root(args.folder)
    table = args.corrections or args.folder / run_files.CORRECTIONS
    place = _checked_out(args) if args.static else _checked_place(args.port, table)
    try:
        return _reviewed(args, table, place)
    finally:
        if not args.static:
            place.close()


def _reviewed(args, table, place) -> int:
    from kfg.runs import found

    run = found.only(args.run_folder) if args.run_folder else None
    if run is not None:
        found.file_of(run, run_files.REPORT)
    with quiet.tensorflow_notes():
        from kfg.reviewing import review as reviewing

    desk = reviewing.prepared(args.folder, run=run, table=table, classes=args.classes)
    if not desk.items:
        print(f"{printable(str(args.folder))}: nothing is suspicious; continue with: {desk.command}")
        return 0
    items, decided = desk.items, desk.decisions()
    done = sum(item.path in decided for item in items)
    print(f"{len(items):,} photographs are worth a look; {done:,} of them are already decided. {desk.told}")
    if args.static:
        from kfg.reviewing import static

        print(f"page: {static.write(desk, place)}; save the corrections.csv that you download there as {table}")
        return 0
    _serve(desk, place)
    print(f"The decisions are in {printable(str(table))}. Next command: {desk.command}")
    return 0


def _serve(desk, place):
    from kfg.reviewing.application import Application
    from kfg.web import listening

    server = listening.server(Application(desk).asgi, sending=SENDING)
    program.say(f"open {listening.address_of(place)} in a browser; press Ctrl-C to stop")
    try:
        listening.run(server, place)
    except KeyboardInterrupt:
        program.say("")


def _checked_out(args):
    """Return the folder for the page without a server (--static), after checking that it can be written."""
    from kfg.engine import places
    from kfg.reviewing import static

    places.check_beside(args.folder, args.static)
    static.check_out(args.static)
    return args.static


def _checked_place(port, table):
    """Return a socket bound to the port, so that a taken port fails at once; refuse an unwritable corrections table."""
    from kfg.web import listening

    listening.check(HOST, port, None)
    folder = table.absolute().parent
    if not folder.is_dir():
        raise InputError(f"--corrections {table}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise InputError(
            f"{table}: its folder cannot be written; keep the decisions elsewhere with --corrections FILE, and give "
            "the same option to kfg train"
        )
    return listening.bound(HOST, port)
