"""How many requests may wait, and for how long."""

import asyncio

import anyio
import pytest

from kfg.web.limits import Gate, answered_within
from kfg.web.refusals import Refusal


def test_those_that_are_too_many_are_told_when_to_come_back():
    gate = Gate(2, busy=7)
    with gate.entered(), gate.entered():
        with pytest.raises(Refusal, match="2 requests are already waiting") as refused, gate.entered():
            pass
        answer = refused.value.response()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    with gate.entered():
        assert gate.inside == 1


def test_a_place_is_free_again_after_a_failure():
    gate = Gate(1)
    with pytest.raises(ZeroDivisionError), gate.entered():
        _ = 1 / 0
    assert gate.inside == 0


def test_what_takes_too_long_is_given_up():
    async def slow():
        async with answered_within(0.05):
            await anyio.sleep(10)

    with pytest.raises(Refusal, match=r"no answer within 0\.05 seconds") as refused:
        asyncio.run(slow())
    assert refused.value.response().status_code == 504
