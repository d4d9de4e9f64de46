"""Access control: the token, and protection from pages of other sites that act through a visitor's browser.

A page elsewhere can let its name resolve to this machine (DNS rebinding). The browser then takes this server for part
of that page. So without a token, a request must name this machine by a name that no page elsewhere can have. A page
elsewhere can also post to this server. So a request that changes something, or is costly, must come from a page of this
server, or from no page at all.
"""

import hashlib
import hmac
import ipaddress
import secrets
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse

from kfg.web.refusals import FRESH, Refusal

READING = ("GET", "HEAD", "OPTIONS")
COOKIE = "kfg-token"
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
WRONG_TOKEN = (
    "this server needs its token: open it as /?token=TOKEN, or send the header Authorization: Bearer TOKEN; the token "
    "is the word that was given with --token"
)


class Guard:
    """ASGI middleware that lets requests in or refuses them, and adds security headers to every answer.

    Args:
        app: the ASGI application.
        token: secret that a request must bring; None for a server that only its own machine can reach.
        open_to_all: paths that need no token.
    """

    def __init__(self, app, *, token: str | None, open_to_all: tuple[str, ...] = ()):
        self.app, self.token, self.open_to_all = app, token, open_to_all
        self._secret = secrets.token_bytes(32)  # cookies of an earlier process are not valid

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def secured(message):
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in SECURITY.items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in own)]
            await send(message)

        app = self._let_in(scope) or self.app
        return await app(scope, receive, secured)

    def _let_in(self, scope):
        """Return an application that answers in place of the guarded one; None to let the request in."""
        headers = Headers(scope=scope)
        if refusal := self._stranger(scope, headers):
            return refusal.response()
        if self.token is None or scope["path"] in self.open_to_all:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]
        if given is not None and scope["method"] in READING and self._is_token(given):
            return self._remembered(scope)
        return None if self._has_token(scope, headers) else Refusal(401, WRONG_TOKEN).response()

    def _stranger(self, scope, headers) -> Refusal | None:
        host = headers.get("host", "")
        if self.token is None and not _is_this_machine(_name(host)):
            return Refusal(421, "this server answers only to localhost and 127.0.0.1; open it under one of these names")
        if scope["method"] in READING:
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if site == "same-origin" and self.token is not None:  # the browser has compared; a proxy may change Host
            return None
        if site not in ("same-origin", "none") or (origin is not None and urlsplit(origin).netloc != host):
            return Refusal(403, "refused: the request comes from a page of another website")
        return None

    def _has_token(self, scope, headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(given.strip()):
            return True
        cookie = cookie_parser(headers.get("cookie", "")).get(_cookie_name(scope))
        return cookie is not None and _same(cookie, self._cookie())

    def _is_token(self, given: str) -> bool:
        return _same(given, self.token)

    def _cookie(self) -> str:
        return hmac.new(self._secret, self.token.encode(), hashlib.sha256).hexdigest()

    def _remembered(self, scope) -> RedirectResponse:
        """Return a redirect that stores a cookie in place of the token, to an address without the token."""
        path = "/" + scope["path"].lstrip("/\\")
        response = RedirectResponse(path, status_code=303, headers=FRESH)
        response.set_cookie(_cookie_name(scope), self._cookie(), httponly=True, samesite="strict")
        return response


def _same(given: str, expected: str) -> bool:
    """Compare in a time that does not depend on how much is equal."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, expected)]
    return hmac.compare_digest(*digests)


def _cookie_name(scope) -> str:
    """Return the name of the cookie, with the server's port: a browser keeps one cookie of a name for all ports."""
    _, port = scope.get("server") or (None, None)
    return f"{COOKIE}-{port}"


def _is_this_machine(name: str) -> bool:
    """Return whether a name can only be this machine's: no page elsewhere can have "localhost" or an address."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """Return the name in a Host header, without the port; "" if there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
