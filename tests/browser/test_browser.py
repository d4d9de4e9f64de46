"""The fixtures of the tests of pages: what they let pass would be missed in all of them."""

import time

import pytest


@pytest.mark.parametrize(
    "body, said",
    [
        ("<script>console.error('spilt')</script>", "console: spilt"),
        ("<script>null.x</script>", "exception"),
        ("<img src='http://192.0.2.1/x.png'>", "request: http://192.0.2.1/x.png"),
    ],
)
def test_an_error_and_a_request_are_noticed(window, body, said):
    page = window()
    page.set_content(body, wait_until="commit")
    deadline = time.monotonic() + 30
    while said not in " ".join(window.problems) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert said in " ".join(window.problems)
    window.expect_problems(said, "Failed to load resource")


def test_what_a_screen_reader_cannot_name_is_complained_of(page, complaints):
    page.set_content("<html lang='en'><title>t</title><main><h1>h</h1><input></main></html>")
    assert complaints(page)[0].startswith("label")
    page.set_content("<html lang='en'><title>t</title><main><h1>h</h1><label>name <input></label></main></html>")
    assert complaints(page) == []
