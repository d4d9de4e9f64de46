"""One Chromium for the tests of the pages: they act as a person would, by mouse, keys and screen reader.

Each test gets a fresh `page`. It fails where the page wrote an error to the console, or asked another machine for
anything. Without a browser the tests are skipped, and say what is missing.
"""

import shutil
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LOCAL = ("", "127.0.0.1", "localhost", "::1")  # hosts; files and data have none
SERIOUS = ("serious", "critical")  # of axe-core's impacts
PATIENCE = 60_000  # milliseconds: a page that is right on a busy machine is right


# Of a module, not of the session: Playwright keeps an event loop running while it is open, in which nothing else
# that this process tests could begin its own.
@pytest.fixture(scope="module")
def browser():
    """Return a headless Chromium; skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install -e '.[test]'")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser, pages are not tested: none of {', '.join(NAMES)} is installed (apt install chromium)")
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def window(browser):
    """Return the function (options of Playwright's new_context) -> page, for tests that want a phone or two tabs."""
    contexts, problems, expected = [], [], []

    def opened(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("console", lambda told: told.type == "error" and problems.append(f"console: {told.text}"))
        context.on("weberror", lambda failed: problems.append(f"exception: {failed.error}"))
        context.on("request", lambda asked: _is_local(asked.url) or problems.append(f"request: {asked.url}"))
        return context.new_page()

    def close():
        """Close all pages, as before a server of theirs is ended: they would ask it in vain."""
        while contexts:
            contexts.pop().close()

    def expect_problems(*words):
        """Let those pass that hold one of the words; asked at the end, as some are told only when the page closes."""
        expected.extend(words)

    opened.problems, opened.close, opened.expect_problems = problems, close, expect_problems
    yield opened
    close()
    assert [problem for problem in problems if not any(word in problem for word in expected)] == []


@pytest.fixture
def page(window):
    """Return an empty page of 1,280 x 800 pixels."""
    return window(viewport={"width": 1280, "height": 800})


@pytest.fixture
def complaints():
    """Return the function page -> lines on what axe-core finds seriously wrong for people with disabilities."""
    sync = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core: pip install -e '.[test]'")

    def found(page):
        violations = sync.Axe().run(page).response["violations"]
        serious = [one for one in violations if one["impact"] in SERIOUS]
        return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in serious]

    return found


def _is_local(address) -> bool:
    parts = urlsplit(address)
    return parts.scheme in ("file", "data", "blob", "about") or (parts.hostname or "") in LOCAL
