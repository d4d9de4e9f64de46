"""Who is let in."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from kfg.web.guard import Guard
from kfg.web.refusals import HANDLERS


def client(token=None, base="http://127.0.0.1:8000"):
    async def said(request):
        return PlainTextResponse(request.method)

    routes = [Route("/", said, methods=["GET", "POST"]), Route("/health", said)]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    return TestClient(Guard(app, token=token, open_to_all=("/health",)), base_url=base, follow_redirects=False)


@pytest.mark.parametrize(
    "base", ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:80", "http://127.0.1.1:8000"]
)
def test_this_machine_needs_no_token(base):
    answer = client(base=base).post("/")
    assert (answer.status_code, answer.text) == (200, "POST")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1", "192.0.2.7"]
)
def test_a_name_that_was_led_here_is_refused(host):
    answer = client().get("/", headers={"Host": host})
    assert answer.status_code == 421 and "localhost" in answer.json()["error"]
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
     {"Origin": "http://127.0.0.1:9999"}, {"Sec-Fetch-Site": "same-site"},
     {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
     {"Origin": "chrome-extension://abc", "Sec-Fetch-Site": "none"}],
)  # fmt: skip
def test_a_page_of_another_site_cannot_post_here(headers):
    assert client().post("/", headers=headers).status_code == 403
    assert client().get("/", headers=headers).status_code == 200


def test_a_page_of_this_server_can_post_here():
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert client().post("/", headers=own).status_code == 200


def test_behind_a_proxy_the_browser_says_whether_the_page_is_of_this_server():
    """nginx passes its own name for this server as Host, unless it is told to pass the browser's."""
    there = client("s3cret", base="http://127.0.0.1:8000")
    own = {"Authorization": "Bearer s3cret", "Origin": "https://kfg.example"}
    assert there.post("/", headers={**own, "Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert there.post("/", headers={**own, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert there.post("/", headers=own).status_code == 403  # a browser that does not say
    open_to_all = client(base="http://127.0.0.1:8000")  # the proxy would let in whoever reaches it
    page = {"Origin": "https://kfg.example", "Sec-Fetch-Site": "same-origin"}
    assert open_to_all.post("/", headers=page).status_code == 403


def test_a_token_is_asked_for_whatever_the_name():
    there = client("s3cret", base="http://camera-box:8000")
    assert there.get("/").status_code == there.get("/?token=other").status_code == 401
    for given in ("Bearer wrong", "Bearer ", "s3cret", "Basic s3cret", "Bearer s3cret\u00e9".encode()):
        assert there.get("/", headers={"Authorization": given}).status_code == 401
    assert there.get("/health").status_code == 200
    assert there.post("/", headers={"Authorization": "Bearer s3cret"}).status_code == 200
    assert there.post("/?token=s3cret").status_code == 401  # a link may not act


def test_a_link_with_the_token_is_remembered_and_leaves_the_address_bar():
    there = client("s3cret", base="http://camera-box:8000")
    answer = there.get("/?token=s3cret")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "s3cret" not in answer.headers["set-cookie"] and "HttpOnly" in answer.headers["set-cookie"]
    assert there.get("/").status_code == 200
    stranger = client("s3cret", base="http://camera-box:8000")
    assert stranger.get("/", headers={"Cookie": answer.headers["set-cookie"]}).status_code == 401  # another process


def test_the_cookies_of_other_programs_lock_nobody_out():
    there = client("s3cret", base="http://camera-box:8000")
    own = there.get("/?token=s3cret").headers["set-cookie"].partition(";")[0]
    assert own.startswith("kfg-token-8000=")
    there.cookies.clear()
    assert there.get("/", headers={"Cookie": f'prefs={{"a":1}}; {own}'}).status_code == 200
    other = client("other", base="http://camera-box:8001")
    given = own, other.get("/?token=other").headers["set-cookie"].partition(";")[0]
    kept = "; ".join(map("=".join, dict(one.split("=") for one in given).items()))  # by a browser, for all ports
    there.cookies.clear()
    other.cookies.clear()
    assert there.get("/", headers={"Cookie": kept}).status_code == 200
    assert other.get("/", headers={"Cookie": kept}).status_code == 200
