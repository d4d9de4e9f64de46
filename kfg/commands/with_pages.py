"""`kfg serve`: a page and a JSON API that answer with a run's model."""

import pathlib
import warnings

from kfg import program
from kfg.web import installed

NEEDED = ("starlette", "uvicorn", "jinja2", "python_multipart", "prometheus_client")


def serve_options(p):
    """Add the options of `kfg serve`."""
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="a run folder, its export, or its model.keras")
    p.add_argument("--port", type=int, default=8000, metavar="N", help="default: %(default)s; 0 takes any free port")
    p.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, for this machine only); 0.0.0.0 lets other machines in",
    )
    p.add_argument(
        "--token", metavar="WORD", help="password that browsers must give; required if other machines are let in"
    )


def serve(args) -> int:
    """Try a model in the browser, or ask it by its JSON API, until Ctrl-C.

    Photographs are dropped, pasted, chosen or taken with the camera. For each, the page shows the likeliest classes,
    the most similar training photographs and, on request, a heat map. Answers that you correct are kept with their
    photographs in RUN/corrected, which kfg evaluate --on and kfg train can read. Nothing else that is sent is written
    to disk.
    """
    installed.check("kfg serve", NEEDED)
    warnings.filterwarnings("ignore", module="PIL")  # Pillow warns of damaged files; the sender is told instead
    from kfg.runs import found
    from kfg.serving.application import Application
    from kfg.web import listening

    run = found.only(args.run_folder)
    listening.check(args.host, args.port, args.token)

    def failed():
        server.should_exit = True

    application = Application(run, token=args.token, on_failure=failed)
    server = listening.server(application.asgi, sending=application.service.limits.sending)
    place = listening.bound(args.host, args.port)
    address = listening.address_of(place)
    application.on_ready = lambda: program.say(f"ready: open {address} in a browser; press Ctrl-C to stop")
    program.say(f"{run}: the model is being loaded; the page will be at {address}; press Ctrl-C to stop")
    try:
        listening.run(server, place)
    except KeyboardInterrupt:
        program.say("kfg serve has stopped")
    if application.failure is not None:
        raise application.failure
    return 0
