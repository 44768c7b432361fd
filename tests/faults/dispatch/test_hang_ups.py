"""A caller who leaves: nobody's failure, nothing is tried for them, the provider is let go."""

from __future__ import annotations

import pytest

from tests.faults.dispatch.conftest import Feature, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS, request_body
from tests.support.raw_client import RawCaller, attempts_of, record_of, request_bytes, until

__all__: list[str] = []


def leave(feature: Feature, dialect: str, *, stream: bool, after: bytes = b"") -> str:
    """Ask, wait for these bytes or until the provider has been asked, and go. Returns the user's name on record."""
    user = f"left-{feature.name}"
    gateway = feature.stage.gateway
    body = request_body(dialect, feature.name, stream=stream)
    with RawCaller(gateway.url) as caller:
        caller.send(request_bytes(DIALECTS[dialect][1], body, f"x-headgate-user: {user}", key=gateway.key))
        if after:
            caller.until(after)
            feature.stage.provider.saw(feature.first)
        else:
            assert until(lambda: feature.asked()[0] == 1)
        caller.reset()
    return user


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_is_tried_for_a_caller_who_has_left(stage: Stage, dialect: str, stream: bool) -> None:
    """The provider had not answered: it is let go after a bounded time, and the fallback is not asked."""
    feature = stage.feature("calm", dialect).plays(faults.silence)
    user = leave(feature, dialect, stream=stream)
    assert stage.provider.gone[feature.first].wait(10), "the provider's connection is still open"
    record = record_of(stage.gateway, user=user)
    assert (record["outcome"], record["status"]) == ("hung_up", 499)
    assert [one["outcome"] for one in attempts_of(stage.gateway, record)] == ["hung_up"]
    assert feature.asked() == (1, 0)


@pytest.mark.parametrize("manner", ["calm", "resuming"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_that_nobody_reads_is_let_go(stage: Stage, dialect: str, manner: str) -> None:
    """Also where the feature would finish broken streams: there is nobody to finish it for."""
    feature = stage.feature(manner, dialect).plays(faults.stall)
    user = leave(feature, dialect, stream=True, after=b"one ")
    assert stage.provider.gone[feature.first].wait(10), "the provider's connection is still open"
    record = record_of(stage.gateway, user=user)
    assert record["outcome"] == "hung_up" and record["cost_nanos"] > 0
    assert feature.asked() == (1, 0)
