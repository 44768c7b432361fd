"""Whose contents are kept, and what becomes of the words of errors where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.core.errors import (
    ConnectFailed,
    GatewayError,
    InternalFault,
    InvalidRequest,
    LimitReached,
    ProviderFailed,
    ProviderRejected,
    UpstreamCut,
    UpstreamMalformed,
)
from headgate.core.messages import Answer, Choice, Text
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.records.settings import RecordSettings
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.aio import aio
from tests.support.recording import Recording

__all__: list[str] = []

SECRET = "planted"


@pytest.fixture
def recording(tmp_path: Path):
    made = Recording(tmp_path)
    yield made
    made.close()


async def answered(recording: Recording, *, feature: str = "", model: str = "small") -> RequestRow:
    """A request with one attempt that went well."""
    exchange = recording.desk.exchange()
    exchange.feature, exchange.peek = feature, Peek(model=model)
    exchange.variables = {"name": SECRET}

    async def proceed(exchange: Exchange) -> Reply:
        recording.desk.attempt(exchange).status = 200
        return whole(Answer(choices=[Choice(parts=[Text(text=SECRET)])]))

    await recording.serve(exchange, proceed)
    row, _ = await recording.stored(exchange)
    return row


async def failed(recording: Recording, error: GatewayError) -> tuple[RequestRow, AttemptRow]:
    """A request whose only attempt met this."""
    exchange = recording.desk.exchange()

    async def proceed(exchange: Exchange) -> Reply:
        recording.desk.attempt(exchange).error = error
        raise error

    with pytest.raises(type(error)):
        await recording.serve(exchange, proceed)
    row, (attempt,) = await recording.stored(exchange)
    return row, attempt


@aio
async def test_a_feature_may_keep_none_where_others_do(recording: Recording) -> None:
    """By its name, known or only asked for; where nobody can tell, nothing is kept as soon as one feature keeps none."""
    recording.stage.unkept = frozenset({"private"})
    for feature, model, kept in (
        ("chat", "small", True),
        ("", "small", True),
        ("private", "small", False),
        ("", "private", False),
        ("", "", False),
    ):
        row = await answered(recording, feature=feature, model=model)
        assert bool(row.request_content) == bool(row.reply_content) == bool(row.variables) == kept, (
            feature,
            model,
        )
    recording.stage.unkept = frozenset()
    assert (await answered(recording, model="")).request_content, "as ever where no feature says so"


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (ProviderRejected("no", detail=SECRET, upstream_status=400), "status 400; "),
        (ProviderFailed(f"it said {SECRET}", upstream_status=500), "status 500; "),
        (UpstreamMalformed(detail=f"an event that is none: {SECRET}"), "the words"),
        (UpstreamCut(detail=SECRET), "the words"),
        (InvalidRequest(f"`messages` is {SECRET}"), "the words"),
        (InternalFault("oops", detail=f"ValueError({SECRET!r})"), "the words"),
        (ConnectFailed(detail="10.0.0.1:443: refused"), "10.0.0.1:443: refused"),
        (LimitReached("limit `day` is reached"), "limit `day` is reached"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
@aio
async def test_words_that_may_repeat_a_prompt_go_with_it(
    tmp_path_factory, error: GatewayError, left: str
) -> None:
    """Of the request and of the attempt; our own words about what is nobody's content stay."""
    for content in (False, True):
        recording = Recording(tmp_path_factory.mktemp("j"), settings=RecordSettings(content=content))
        for row in await failed(recording, error):
            assert row.error_class == error.code
            if content:
                assert row.error_detail == (error.detail or error.message)
            else:
                assert SECRET not in row.error_detail and row.error_detail.startswith(left)
        recording.close()
