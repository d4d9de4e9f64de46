"""`kfg review` as a server: the page, its pictures, and decisions, which are on the disk before they are answered."""

import functools
import json
import pathlib

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kfg.data import corrections
from kfg.errors import InputError
from kfg.names import printable
from kfg.reviewing import pictures
from kfg.reviewing.desk import Desk, rows
from kfg.web.guard import Guard
from kfg.web.limits import receive
from kfg.web.pages import Pages
from kfg.web.refusals import FRESH, HANDLERS, Refusal

HERE = pathlib.Path(__file__).parent
MOST, SECONDS = 100_000, 30  # most bytes of a decision; most seconds in which it must arrive
PAGE = "review.html"
KEPT = 200  # most pictures kept in memory


class Application:
    """The web application for one review.

    Args:
        desk: the queue and the decisions.
    Attributes:
        asgi: the application for an ASGI server.
    """

    def __init__(self, desk: Desk):
        self.desk, self.pages, self.shown = desk, Pages(HERE), desk.pictures
        self.data = desk.shown(large=lambda number: f"/large/{number}", small=lambda number: f"/small/{number}")
        self.jpeg = functools.lru_cache(KEPT)(pictures.jpeg)
        routes = [
            Route("/", self._page),
            Route("/decisions", self._decisions),
            Route("/decisions", self._decide, methods=["POST"]),
            Route("/large/{number:int}", functools.partial(self._picture, pictures.LARGE)),
            Route("/small/{number:int}", functools.partial(self._picture, pictures.SMALL)),
            *self.pages.assets(),
        ]
        self.asgi = Guard(Starlette(routes=routes, exception_handlers=HANDLERS), token=None)

    def _page(self, _):
        desk = self.desk
        return self.pages.page(
            PAGE,
            title=desk.name,
            told=desk.told,
            table=str(desk.table),
            command=desk.command,
            data=self.data,
            rows=rows(desk.decisions()),
            inline=None,
        )

    def _decisions(self, _):
        return self._answer(self.desk.decisions)

    async def _decide(self, request: Request):
        body = bytearray()
        await receive(request, body.extend, most=MOST, seconds=SECONDS)
        number, after, was = self._read(body)
        return await anyio.to_thread.run_sync(self._answer, functools.partial(self.desk.decide, number, after, was=was))

    def _answer(self, work) -> JSONResponse:
        """Answer with all decisions, and with the reason if this decision could not be made.

        The reason is no HTTP error: another tab was faster, or a file has changed; the page shows the reason.
        """
        found, problem = None, ""
        try:
            found = rows(work())
        except corrections.Changed as error:
            said = "undone" if error.now is None else f"changed to {error.now.after}"
            problem = f"the decision on this photograph was {said} in the meantime, in another tab or by hand"
            found = rows(self.desk.decisions())
        except InputError as error:
            problem = printable(str(error))
        return JSONResponse({"rows": found, "problem": problem}, headers=FRESH)

    def _read(self, body) -> tuple[int, str | None, str | None]:
        try:
            found = json.loads(body)
            number, after, was = found["number"], found["after"], found["was"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refusal(400, "expected JSON with number, after and was") from error
        if type(number) is not int or not 0 <= number < len(self.desk.items):
            raise Refusal(404, "there is no such photograph in this queue")
        if not all(text is None or isinstance(text, str) for text in (after, was)):
            raise Refusal(400, "after and was: expected text or null")
        return number, after, was

    def _picture(self, side: int, request: Request):
        number = request.path_params["number"]
        if number >= len(self.shown):
            raise Refusal(404, "there is no such photograph in this queue")
        found = self.jpeg(self.desk.root / self.shown[number], side)
        # another queue, served under the same address later, has other photographs under these numbers
        return Response(found, media_type="image/jpeg", headers=FRESH)
