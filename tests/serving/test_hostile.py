"""Uploads that want to break the server: each is refused in one line, and none reaches the disk."""

import logging
import tempfile

import hostile
import pytest
from served_run import served, when

from kfg.web.limits import MB, Limits

SENDING = 0.75  # seconds, so that a slow sender is soon refused


@pytest.fixture(scope="module")
def target(colour_run):
    from kfg.serving.application import Application

    with served(Application(colour_run, limits=Limits(sending=SENDING, request_bytes=8 * MB))) as client:
        when(client, lambda state: state["nearest"]["state"] == "ready")
        yield client.base_url.host, client.base_url.port


@pytest.mark.parametrize("path", ["/predict", "/corrections?class=red"])
def test_hostile_uploads_are_refused_in_one_line(target, colour_run, path, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = {file for file in colour_run.rglob("*") if file.is_file()}
    cases = hostile.cases(200, path=path)
    if path != "/predict":  # where the time goes is the same for both
        cases = [case for case in cases if not case.pause and case.kind != "100 MB"][::4]
    with caplog.at_level(logging.WARNING):
        for case in cases:
            status, answer = hostile.sent(target, case, timeout=240)
            assert 400 <= status < 500 and hostile.is_one_line(answer), f"{case.kind}: {status} {answer[:300]!r}"
    assert not [record.getMessage() for record in caplog.records if record.exc_info]
    assert {file for file in colour_run.rglob("*") if file.is_file()} == before and not list(tmp_path.iterdir())
    good = hostile.once(hostile.body(path, hostile.picture("PNG")))
    assert hostile.sent(target, hostile.Case("good", good))[0] == 200
    for file in {file for file in colour_run.rglob("*") if file.is_file()} - before:  # other tests share the run
        file.unlink()


def test_cases_are_of_all_kinds_and_repeat():
    cases = hostile.cases(200)
    assert len(cases) == 200 and [case.kind for case in cases] == [case.kind for case in hostile.cases(200)]
    kinds = {case.kind.partition(",")[0] for case in cases}
    assert {"bomb", "truncated", "SVG", "web page", "100 MB", "slow sender", "path in the name", "wrong type"} <= kinds
