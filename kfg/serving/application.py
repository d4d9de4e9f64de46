"""The application of `kfg serve`: a run's model behind a page and a JSON API."""

import asyncio
import contextlib
import logging
import pathlib

from starlette.applications import Starlette
from starlette.routing import Route

from kfg.errors import InputError
from kfg.files import read_json
from kfg.names import printable
from kfg.runs import run_files, unfinished
from kfg.serving.figures import Counted
from kfg.serving.kept import Kept
from kfg.serving.model import Model
from kfg.serving.openapi import OPEN_TO_ALL
from kfg.serving.service import Service
from kfg.web.guard import Guard
from kfg.web.limits import MB, Limits
from kfg.web.pages import Pages
from kfg.web.refusals import HANDLERS

logger = logging.getLogger(__name__)

HERE = pathlib.Path(__file__).parent


class Application:
    """The web application for one model.

    Args:
        path: a run folder, its export, or its model.keras.
        limits: limits on requests.
        token: secret that a request must bring; None if it needs none.
        on_failure: function (), called if the model cannot be loaded.
    Attributes:
        on_ready: function (), called once the model is loaded and photographs are answered.
        asgi: the application for an ASGI server.
        failure: the exception with which loading the model failed; None if it did not.
    Raises:
        InputError: there is no model.
    """

    def __init__(self, path, *, limits: Limits | None = None, token: str | None = None, on_failure=lambda: None):
        path, limits = pathlib.Path(path), limits or Limits()
        home = home_of(path)
        classes = read_json(home / run_files.CLASSES, list)
        self.model = Model(path, most_pixels=limits.pixels)
        self.failure, self.on_failure, self.on_ready = None, on_failure, lambda: None
        title = title_of(home)
        self.service = Service(
            self.model, Kept(home / run_files.CORRECTED, classes), limits, title=title, token=token is not None
        )
        self.pages, self.figures = Pages(HERE), ", ".join(filter(None, (f"run {printable(str(path))}", tested(home))))
        app = Starlette(routes=self._routes(), exception_handlers=HANDLERS, lifespan=self._lifespan)
        paths = [route.path for route in app.routes if isinstance(route, Route)]
        self.asgi = Counted(Guard(app, token=token, open_to_all=OPEN_TO_ALL), self.service.figures, paths)

    def _routes(self) -> list:
        service = self.service
        return [
            Route("/", self._page),
            Route("/docs", self._docs),
            Route("/health", service.health),
            Route("/state", service.state),
            Route("/classes", service.classes),
            Route("/metrics", service.metrics),
            Route("/openapi.json", service.openapi),
            Route("/predict", service.predict, methods=["POST"]),
            Route("/heat", service.heat, methods=["POST"]),
            Route("/corrections", service.corrections),
            Route("/corrections", service.correct, methods=["POST"]),
            Route("/corrections/{sha256}", service.take_back, methods=["DELETE"]),
            Route("/training/{number:int}", service.training),
            *self.pages.assets(),
        ]

    async def _page(self, _):
        limits = self.service.limits
        return self.pages.page(
            "serve.html",
            title=self.service.title,
            classes=self.service.kept.classes,
            tested=self.figures,
            megabytes=int(limits.photograph_bytes / MB),
        )

    async def _docs(self, request):
        address = str(request.base_url).rstrip("/")
        if request.headers.get("x-forwarded-proto") == "https":  # the command shown must not send the token unencrypted
            address = address.replace("http://", "https://", 1)
        described = self.service.described
        return self.pages.page("docs.html", title=self.service.title, described=described, address=address)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _):
        loading = asyncio.create_task(self._load())
        loading.add_done_callback(self._ended)
        try:
            yield
        finally:
            self.model.stop()
            loading.cancel()

    async def _load(self):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.model.thread, self.model.load)
        self.on_ready()
        await loop.run_in_executor(self.model.thread, self.model.load_keras)
        await asyncio.to_thread(self.model.hasten)
        await asyncio.to_thread(self.service.nearest.prepare)

    def _ended(self, loading):
        """Stop the server if the model could not be loaded, since it would never answer; go on without the rest."""
        failure = None if loading.cancelled() else loading.exception()
        if failure is None:
            return
        if self.model.classifier is None:
            self.failure = failure
            self.on_failure()
        else:
            logger.error("the server goes on without what could not be prepared", exc_info=failure)
            why = "an error, which kfg serve has printed"
            self.service.nearest.said = {"state": "unavailable", "why": why}
            if not self.model.ended_loading:
                self.model.why_not = why


def home_of(path: pathlib.Path) -> pathlib.Path:
    """Return the folder with a model's classes.json: the run folder if there is one, else the export.

    Raises:
        InputError: there is no model.
    """
    home = path.parent if path.is_file() or path.name == run_files.EXPORT else path
    home = home if (home / run_files.CLASSES).is_file() else path
    models = (home / run_files.EXPORT, home / run_files.SAVED_MODEL, home / run_files.MODEL)
    if (home / run_files.CLASSES).is_file() and any(model.exists() for model in models):
        return home
    wanted = f"{run_files.EXPORT}/ or {run_files.MODEL}, and {run_files.CLASSES} beside it"
    hint = unfinished.told(home) if unfinished.is_unfinished(home) else "give the folder of a finished run"
    raise InputError(f"{path}: has no model ({wanted}); {hint}")


def title_of(home: pathlib.Path) -> str:
    """Return the title of a run: the name of its photographs, else that of its folder."""
    config = home / run_files.CONFIG
    name = read_json(config, dict).get("data", {}).get("name") if config.is_file() else None
    return printable(str(name or home.resolve().name))


def tested(home: pathlib.Path) -> str:
    """Return a line on how often the model was right when it was tested; "" if that is not known."""
    if not (home / run_files.REPORT).is_file():
        return ""
    report = read_json(home / run_files.REPORT, dict)
    top1 = report["top1"]
    return f"right on {top1['value']:.1%} of {report['images']:,} test photographs"
