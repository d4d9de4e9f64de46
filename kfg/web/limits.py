"""Limits on requests: how much each may bring, how long it may take, and how many may be in progress."""

import contextlib
import dataclasses

import anyio
from starlette.requests import ClientDisconnect, Request

from kfg.web.refusals import Refusal

MB = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a server.

    Args:
        request_bytes: the most bytes in the body of a request.
        photograph_bytes: the most bytes in a photograph.
        photographs: the most photographs in a request.
        pixels: the most pixels in a photograph.
        requests: the most requests in progress at the same time; further ones are asked to come back.
        sending: seconds in which a client must send a request's head, and again seconds in which it must send the body.
        answering: seconds in which a request must be answered once it has been received.
    """

    request_bytes: int = 64 * MB
    photograph_bytes: int = 32 * MB
    photographs: int = 32
    pixels: int = 50_000_000
    requests: int = 32
    sending: float = 60.0
    answering: float = 60.0


class Gate:
    """Counts the requests in progress, and refuses a request if there are too many.

    Args:
        most: the most requests at the same time.
        busy: seconds after which a refused request may be tried again.
    """

    def __init__(self, most: int, *, busy: int = 2):
        self.most, self.busy, self.inside = most, busy, 0

    @contextlib.contextmanager
    def entered(self):
        """Count one request for a `with` block.

        Raises:
            Refusal: 503, if there are too many requests.
        """
        if self.inside >= self.most:
            raise Refusal(
                503, f"{self.most} requests are already waiting; try again in a moment", retry_after=self.busy
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


async def receive(request: Request, take, *, most: int, seconds: float) -> None:
    """Receive a request's body, and pass it on piece by piece.

    Args:
        take: function (bytes) -> None that takes a piece.
        most: the most bytes.
        seconds: time in which the whole body must arrive.
    Raises:
        Refusal: 408 if it is too slow, 413 if it is too large, 400 if it ends early.
    """
    refusal = Refusal(413, f"too large: a request may have at most {most / MB:,.0f} MB", close=True)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise refusal
    size = 0
    try:
        with anyio.fail_after(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise refusal
                take(chunk)
    except TimeoutError as error:
        raise Refusal(408, f"too slow: the request did not arrive within {seconds:g} seconds", close=True) from error
    except ClientDisconnect as error:
        raise Refusal(400, "the connection ended before the request did", close=True) from error


@contextlib.asynccontextmanager
async def answered_within(seconds: float):
    """Give up waiting in an `async with` block after some seconds.

    Raises:
        Refusal: 504, if time is up.
    """
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        raise Refusal(504, f"too slow: no answer within {seconds:g} seconds; try again", retry_after=5) from error
