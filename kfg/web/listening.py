"""Listen on a port, and answer requests until the process is told to end."""

import asyncio
import errno
import ipaddress
import logging
import signal
import socket

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from kfg.errors import InputError

CONNECTIONS = 512  # most open connections; a browser keeps several open
IDLE = 30  # seconds after which an idle connection is closed
LINGER, LINGER_AT_MOST = 1.0, 30.0  # seconds to wait after the answer: with nothing more coming in, and in all
LAST_WORDS = 60  # seconds for requests in progress once the process is told to end
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host.

    Raises:
        InputError: the host is not one of this machine.
    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
        (True, False)
    """
    return all(ipaddress.ip_address(where[4][0].partition("%")[0]).is_loopback for where in _addresses(host, 0))


def check(host: str, port: int, token: str | None) -> None:
    """Check the options; without a token, refuse a host that other machines can reach.

    Raises:
        InputError: a missing or empty token; a port out of range; an unknown host.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"--port {port}: must be from 1 to 65535, or 0 for any free port")
    if token is not None and not (token and token.isascii() and token.isprintable() and " " not in token):
        raise InputError("--token: give one long word that nobody can guess, made of ASCII letters, digits and signs")
    if token is None and not is_loopback(host):
        raise InputError(
            f"--host {host}: other machines could reach this server; also give --token WORD, a long word that they "
            "must give"
        )


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the port; connections are accepted once a server uses it.

    Raises:
        InputError: the port is taken or not permitted; the host is not one of this machine.
    """
    family, kind, protocol, _, address = _addresses(host, port)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen()  # another program that binds with SO_REUSEADDR notices this
    except OSError as error:
        made.close()
        raise InputError(_why_not(host, port, error)) from error
    return made


def _addresses(host, port):
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"--host {host}: not an address of this machine; give 127.0.0.1, or 0.0.0.0 with --token"
        ) from error


def _why_not(host, port, error) -> str:
    if error.errno == errno.EADDRINUSE:
        another = port + 1 if port < 65535 else 8000
        return f"--port {port}: another program uses this port; give another, for example --port {another}"
    if error.errno == errno.EACCES:
        return f"--port {port}: this user may not use this port; give a port above 1023"
    return f"--host {host}: not an address of this machine ({error.strerror}); give 127.0.0.1, or 0.0.0.0 with --token"


def address_of(listening: socket.socket) -> str:
    """Return the address at which a browser on this machine finds the server."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Lingering:
    """A transport that stays open while the other side is still sending; closing it would lose the last answer.

    After `close`, nothing more is written, and incoming data is dropped until the other side stops or time is up.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop):
        self._transport, self._loop, self._end, self._last = transport, loop, None, 0.0

    def __getattr__(self, name):
        return getattr(self._transport, name)

    @property
    def lingers(self) -> bool:
        return self._end is not None

    def is_closing(self) -> bool:
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self._end = self._loop.time() + LINGER_AT_MOST
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self.drop()
        self._look()

    def drop(self) -> None:
        """Note that data arrived; nobody reads it."""
        self._last = self._loop.time()

    def _look(self):
        if self._loop.time() >= min(self._end, self._last + LINGER):
            self._transport.close()
        elif not self._transport.is_closing():
            self._loop.call_later(LINGER / 4, self._look)


class Protocol(H11Protocol):
    """HTTP protocol that does not wait forever for the head of a request; `sending` is the limit in seconds."""

    sending = 60.0
    _late = None

    def connection_made(self, transport):
        super().connection_made(Lingering(transport, self.loop))
        self._expect()

    def data_received(self, data):
        if self.transport.lingers:
            return self.transport.drop()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # the head is complete
            self._forget()
        elif self.conn.trailing_data[0]:
            self._expect()

    def connection_lost(self, exc):
        self._forget()
        super().connection_lost(exc)

    def _expect(self):
        if self._late is None:
            self._late = self.loop.call_later(self.sending, self._give_up)

    def _forget(self):
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self):
        if not self.transport.is_closing():
            self.transport.write(TOO_SLOW)
            self.transport.close()


def server(app, *, sending: float) -> uvicorn.Server:
    """Return a server for an application. Setting its `should_exit` ends it once requests in progress are answered.

    Args:
        app: the ASGI application.
        sending: seconds in which a client must send a request's head.
    """
    for library in ("uvicorn", "python_multipart"):
        logging.getLogger(library).setLevel(logging.ERROR)  # otherwise strangers could fill the screen
    config = uvicorn.Config(
        app,
        http=type("Protocol", (Protocol,), {"sending": sending}),
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=LAST_WORDS,
    )
    return uvicorn.Server(config)


def run(server: uvicorn.Server, listening: socket.socket) -> None:
    """Answer requests until SIGTERM or Ctrl-C, and finish the requests in progress.

    Args:
        server: the result of `server`.
        listening: the socket, from `bound`.
    Raises:
        KeyboardInterrupt: after Ctrl-C.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again at the end
    try:
        asyncio.run(server.serve(sockets=[listening]))
    finally:
        signal.signal(signal.SIGTERM, before)
