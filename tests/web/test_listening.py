"""Ports, hosts, and clients that take their time."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from kfg.errors import InputError
from kfg.web import listening
from kfg.web.limits import receive
from kfg.web.refusals import HANDLERS

ARRIVED = threading.Event()  # a request that waits for the server's end


async def echo(request):
    body = bytearray()
    await receive(request, body.extend, most=1000, seconds=0.5)
    if "until_the_end" in request.query_params:
        ARRIVED.set()
        while not request.app.state.server.should_exit:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # the server looks ten times a second
    return PlainTextResponse(str(len(body)))


@contextlib.contextmanager
def running():
    place = listening.bound("127.0.0.1", 0)
    app = Starlette(routes=[Route("/", echo, methods=["POST"])], exception_handlers=HANDLERS)
    server = app.state.server = listening.server(app, sending=0.5)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[place])))
    address = place.getsockname()
    thread.start()
    try:
        yield address, server
    finally:
        server.should_exit = True
        thread.join()


def said(address, *pieces, pause=0.0) -> bytes:
    """Send pieces and return all that comes until the server closes."""
    with socket.create_connection(address, timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        found = b""
        while chunk := connection.recv(4096):
            found += chunk
        return found


POST = b"POST /%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"


def test_slow_large_and_broken_requests_are_told_in_one_line():
    with running() as (address, _):
        assert said(address, POST % (b"", 3), b"abc").endswith(b"\r\n\r\n3")
        assert b" 413 " in said(address, POST % (b"", 10_000_000), bytes(5000))
        slow = said(address, POST % (b"", 3), b"a")
        assert b" 408 " in slow and b"did not arrive within 0.5 seconds" in slow
        assert b" 408 " in said(address, b"POST / HT")  # a head that never ends
        assert b" 408 " in said(address)
        assert b" 400 " in said(address, b"\x16\x03\x01\x02 this is no HTTP\r\n\r\n")
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(POST % (b"", 50_000_000))
            with contextlib.suppress(OSError):
                for _ in range(50):
                    connection.sendall(bytes(1_000_000))  # who is refused early and goes on hears it all the same
            assert b" 413 " in connection.recv(4096)
        chunked = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 413 " in said(address, chunked, b"800\r\n" + bytes(0x800) + b"\r\n")


def test_a_request_under_way_is_answered_before_the_server_ends():
    answers = []
    with running() as (address, server):
        request = POST % (b"?until_the_end", 3), b"abc"
        asking = threading.Thread(target=lambda: answers.append(said(address, *request)))
        asking.start()
        arrived = ARRIVED.wait(30)
        server.should_exit = True
        asking.join()
    assert arrived and answers[0].endswith(b"\r\n\r\n3")


def test_a_busy_port_a_host_without_token_and_wrong_words_are_refused():
    with contextlib.closing(listening.bound("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"--port {port}: another program uses this port; give another"):
            listening.bound("127.0.0.1", port)
    with pytest.raises(InputError, match=r"--host 0\.0\.0\.0: other machines .* give --token WORD"):
        listening.check("0.0.0.0", 8000, None)
    for token in ("", " ", "two words", "wörd"):
        with pytest.raises(InputError, match="--token: give one long word"):
            listening.check("127.0.0.1", 8000, token)
    with pytest.raises(InputError, match="--port 70000: must be from 1 to 65535"):
        listening.check("127.0.0.1", 70000, None)
    with pytest.raises(InputError, match="--host no such host: not an address of this machine"):
        listening.check("no such host", 8000, None)
    with pytest.raises(InputError, match=r"--host 192\.0\.2\.1: not an address of this machine"):
        listening.bound("192.0.2.1", 0)
    listening.check("0.0.0.0", 8000, "word")
    listening.check("localhost", 8000, None)
    listening.check("::1", 0, None)
