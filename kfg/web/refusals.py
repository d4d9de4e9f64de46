"""The answer to a request that is refused: an HTTP status and one line, as JSON."""

import logging

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from kfg.errors import InputError
from kfg.names import printable

logger = logging.getLogger(__name__)

FRESH = {"Cache-Control": "no-store"}  # headers of an answer that a browser must not show again later


class Refusal(Exception):
    """A request that is refused.

    Args:
        status: HTTP status, 400 or above.
        line: what is wrong and what to do, in one line.
        retry_after: seconds after which the same request may succeed; None if it will not.
        close: whether the connection is closed after the answer, because the rest of the request is not read.
    """

    def __init__(self, status: int, line: str, *, retry_after: int | None = None, close: bool = False):
        super().__init__(line)
        self.status, self.line, self.retry_after, self.close = status, line, retry_after, close

    def response(self) -> JSONResponse:
        headers = dict(FRESH)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.close:
            headers["Connection"] = "close"
        return JSONResponse({"error": printable(self.line)}, self.status, headers)


async def _refused(_, error: Refusal):
    return error.response()


async def _wrong_input(_, error: InputError):
    return Refusal(400, str(error)).response()


async def _by_router(_, error: HTTPException):
    lines = {404: "there is no such page", 405: "this address does not allow this method"}
    return Refusal(error.status_code, lines.get(error.status_code, error.detail)).response()


HANDLERS = {Refusal: _refused, InputError: _wrong_input, HTTPException: _by_router}  # of Starlette applications
