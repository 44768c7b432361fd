"""The ladder as a whole: when it is climbed, in which order, and how its answers are marked."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core import errors
from headgate.core.errors import (
    ConnectFailed,
    ContentFiltered,
    GatewayError,
    NothingAvailable,
    ProviderFailed,
    TotalTimeout,
    TransportFault,
)
from headgate.core.events import AnswerBuilder, TextDelta
from headgate.core.frame import Frame
from headgate.core.messages import Answer, ChatRequest
from headgate.core.usage import Usage
from headgate.dispatch.ladder.answer import Spelled, fits, spoken
from headgate.dispatch.ladder.climb import may_degrade
from headgate.dispatch.ladder.settings import RuleSettings, RulesSettings
from headgate.dispatch.ladder.stale import Kept
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.providers.port import Endpoint
from headgate.testing.clock import FakeClock
from headgate.testing.scripted import ScriptedUpstream
from tests.support.aio import aio
from tests.support.ladders import DOWN, answered, asked, ladder, read, said
from tests.support.small_gateway import endpoint

__all__: list[str] = []

RULES = {"faq": RulesSettings(match=[], otherwise="Read the FAQ.")}
NEVER = RulesSettings(match=[RuleSettings(any=["never"], answer="x")])
EVERY_ERROR = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, GatewayError) and found not in (GatewayError, TransportFault)
]


def an(error: type[GatewayError]) -> GatewayError:
    return error(detail="x") if issubclass(error, TransportFault) else error("x")


# When


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: error.__name__)
@aio
async def test_only_what_a_provider_is_to_blame_for_is_made_good(error: type[GatewayError]) -> None:
    """Never the caller's mistake, a filter's refusal, a rule's, or a hang-up."""
    answer = await said(ladder("say:Later."), asked(), an(error))
    assert (answer == "Later.") == (error.fault == "provider")
    assert may_degrade(an(error)) == (error.fault == "provider")


@aio
async def test_a_filtered_request_is_answered_only_if_the_operator_says_so() -> None:
    """For some products a kind word is better than an error."""
    assert await said(ladder("say:Later."), asked(), ContentFiltered("x")) is None
    assert await said(ladder("say:Later.", filtered=True), asked(), ContentFiltered("x")) == "Later."
    assert await said(ladder("say:Later.", filtered=True), asked(), errors.ContextTooLong("x")) is None


@aio
async def test_nobody_is_answered_who_has_left_and_no_shadow_is() -> None:
    """A shadow shall show what really happened."""
    gone, shadow = asked(), asked()
    gone.hung_up, shadow.purpose = True, "shadow"
    assert await said(ladder("say:Later."), gone) is None
    assert await said(ladder("say:Later."), shadow) is None
    assert gone.degraded == shadow.degraded == ""


@aio
async def test_a_feature_without_a_ladder_fails_as_it_did() -> None:
    """Nothing is noted, nothing is marked."""
    exchange = asked()
    exchange.feature = "other"
    assert await said(ladder("say:Later."), exchange) is None
    assert (exchange.notes, exchange.reply_headers, exchange.degraded) == ({}, [], "")


@aio
async def test_words_come_also_when_all_the_time_is_over() -> None:
    """They take none."""
    assert await said(ladder("say:Later."), asked(), TotalTimeout(detail="x"), deadline=0.0) == "Later."


# In which order


@aio
async def test_rungs_are_tried_in_order_and_what_was_tried_is_on_record() -> None:
    """The first that can, answers."""
    rules = {"faq": RULES["faq"], "shy": NEVER}
    exchange = asked()
    steps = ladder("stale", "rules:shy", "rules:faq", "say:Later.", rules=rules)
    assert await said(steps, exchange, NothingAvailable("x")) == "Read the FAQ."
    assert exchange.degraded == "rules:faq"
    assert exchange.notes["degraded"] == (
        "rules:faq, after nothing_available; before it stale: nothing kept; rules:shy: no rule holds"
    )
    assert exchange.reply_headers == [(b"x-headgate-degraded", b"rules:faq")]


@aio
async def test_if_no_rung_can_the_failure_stands_and_the_record_says_what_was_tried() -> None:
    """The first error goes out, unmarked."""
    exchange = asked()
    assert await said(ladder("stale", "rules:shy", rules={"shy": NEVER}), exchange) is None
    assert exchange.notes["degraded"] == (
        "no rung could answer: stale: nothing kept; rules:shy: no rule holds"
    )
    assert (exchange.degraded, exchange.reply_headers) == ("", [])


@aio
async def test_a_rung_that_breaks_does_not_withhold_the_next() -> None:
    """A fault of ours in the outage of somebody else."""

    class Broken:
        async def last(self, key: bytes) -> Kept | None:
            raise ZeroDivisionError

        def keep(self, key: bytes, answer: bytes, *, seconds: float) -> None:
            raise AssertionError

    exchange = asked()
    assert await said(ladder("stale", "say:Later.", stale=Broken()), exchange) == "Later."
    assert "stale: ZeroDivisionError" in exchange.notes["degraded"]


@aio
async def test_names_in_any_script_fit_into_the_header() -> None:
    """Headers are Latin, names of a configuration need not be."""
    exchange = asked()
    await said(ladder("rules:häufig", rules={"häufig": RULES["faq"]}), exchange)
    assert exchange.reply_headers == [(b"x-headgate-degraded", b"rules:h?ufig")]
    assert exchange.degraded == "rules:häufig"


@aio
async def test_words_may_name_the_feature() -> None:
    """And nothing else."""
    assert await said(ladder("say:{feature} rests."), asked()) == "support-chat rests."


# Models


class Asked:
    """Dispatch's side: tries endpoints."""

    def __init__(self, outcome: GatewayError | Answer | None) -> None:
        self.outcome = outcome
        self.asked: list[Sequence[Endpoint]] = []

    async def __call__(self, exchange: Exchange, endpoints: Sequence[Endpoint]) -> Reply:
        self.asked.append(endpoints)
        exchange.attempts.append(
            Attempt(id=1, number=1, endpoint=endpoints[0], wire="", started_at=0.0, kind="degrade")
        )
        if isinstance(self.outcome, GatewayError):
            raise self.outcome
        if self.outcome is None:
            await asyncio.Event().wait()
        assert self.outcome is not None
        return whole(self.outcome)


@aio
async def test_another_model_is_asked_where_routing_allows_it() -> None:
    """Its answer passes as it came, marked with its name."""
    ask = Asked(answered())
    exchange = asked()
    exchange.reserves = {"small": [endpoint(ScriptedUpstream([]))]}
    reply = await ladder("model:small", "say:Later.", ask=ask).answer(exchange, DOWN, deadline=1060.0)
    assert reply is not None and isinstance(reply.answer, Answer)
    assert reply.answer.model == "gpt-4o-mini"
    assert ask.asked == [exchange.reserves["small"]]
    assert (exchange.degraded, exchange.routed_model) == ("model:small", "small")


@pytest.mark.parametrize(
    "error", [ProviderFailed("x"), ConnectFailed(detail="x"), errors.ContextTooLong("x")]
)
@aio
async def test_a_model_that_fails_too_leaves_the_next_rung_its_turn(error: GatewayError) -> None:
    """Whatever it says: the first failure is what counts."""
    exchange = asked()
    exchange.reserves = {"small": [endpoint(ScriptedUpstream([]))]}
    assert await said(ladder("own:small", "say:Later.", ask=Asked(error)), exchange) == "Later."
    assert f"model:small: {error.code}" in exchange.notes["degraded"]
    assert exchange.routed_model == ""


@aio
async def test_a_model_that_may_not_be_asked_is_passed_over() -> None:
    """Rules on where data may go hold on the ladder, too."""
    assert await said(ladder("model:small", "say:Later."), asked()) == "Later."


@aio
async def test_a_model_has_what_is_left_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """At least a little; then it counts as too late, and its attempt says so."""
    monkeypatch.setattr("headgate.dispatch.ladder.climb.LEAST_MODEL_SECONDS", 0.02)
    exchange = asked()
    exchange.reserves = {"small": [endpoint(ScriptedUpstream([]))]}
    steps = ladder("model:small", "say:Later.", ask=Asked(None), clock=FakeClock())
    assert await said(steps, exchange, deadline=0.0) == "Later."
    assert isinstance(exchange.attempts[0].error, TotalTimeout)


# How it looks


DIALECTS: list[Any] = [OpenAIChat(), OpenAIResponses(), AnthropicMessages()]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@aio
async def test_every_dialect_gets_a_complete_answer(dialect: Any, stream: bool) -> None:
    """With an end, no tokens, and a model that is none. That vendors' SDKs read it: tests/journeys/test_degrade.py."""
    words = "Our assistant is resting; a person will answer by mail."
    exchange = asked(dialect=dialect, stream=stream, input="hello", max_tokens=9)
    reply = await ladder(f"say:{words}").answer(exchange, DOWN, deadline=0.0)
    assert reply is not None and (reply.frames is not None) == stream and reply.wire == ""
    body = (await read(exchange, reply)).decode()
    assert "headgate/degraded" in body
    ends = {"openai.chat": '"stop"', "openai.responses": '"completed"', "anthropic.messages": '"end_turn"'}
    assert ends[dialect.name] in body
    assert "Our assistant" in body
    assert not stream or body.count("delta") > 2, "a stream comes in pieces"


@aio
async def test_every_choice_asked_for_is_there() -> None:
    """Up to a bound."""
    for n, choices in ((1, 1), (3, 3), (100, 16)):
        reply = await ladder("say:Later.").answer(asked(n=n), DOWN, deadline=0.0)
        assert reply is not None and isinstance(reply.answer, Answer)
        assert [choice.stop_reason for choice in reply.answer.choices] == ["end"] * choices


@given(st.text(), st.integers(1, 3))
def test_a_streamed_answer_spells_the_text(text: str, n: int) -> None:
    """In pieces that are small, also without a space in it; nothing is lost, nothing doubled."""

    async def spell() -> None:
        answer = spoken(text, ChatRequest(model="m", messages=[], choices=n))
        builder = AnswerBuilder()
        async for frame in Spelled(answer):
            assert frame.data is None
            for event in frame.events:
                assert not isinstance(event, TextDelta) or 0 < len(event.text) <= 48
                builder.add(event)
        folded = builder.answer()
        assert folded.usage == Usage()
        assert [choice.stop_reason for choice in folded.choices] == ["end"] * n
        assert folded.text == text

    asyncio.run(spell())


@aio
async def test_a_streamed_answer_can_be_pumped_and_left() -> None:
    """A reader who cannot take more now gets the rest later; one who leaves gets nothing more."""
    spelled = Spelled(spoken("one two three " * 20, ChatRequest(model="m", messages=[])))
    taken: list[Frame] = []

    def slow(frame: Frame) -> bool:
        taken.append(frame)
        return False

    assert not await spelled.pump(slow)
    assert not await spelled.pump(slow)
    assert len(taken) == 2
    await spelled.aclose()
    assert await spelled.pump(slow)
    assert len(taken) == 2


# What words are no answer to


JSON = {"type": "json_object"}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "a",
        "schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
}


@pytest.mark.parametrize(
    ("words", "wanted", "given"),
    [
        ("Later.", JSON, False),
        ('"Later."', JSON, False),
        ('{"text": "Later."}', JSON, True),
        ('{"text": "Later."}', SCHEMA, True),
        ('{"words": "Later."}', SCHEMA, False),
        ("Later.", SCHEMA, False),
        ("Later.", {"type": "text"}, True),
    ],
)
@aio
async def test_words_do_not_pretend_to_be_json(words: str, wanted: Any, given: bool) -> None:
    """An application that parses the answer gets JSON, with the keys it needs, or the error."""
    exchange = asked(response_format=wanted)
    assert (await said(ladder(f"say:{words}"), exchange) == words) is given
    if not given:
        assert "say: JSON was asked for" in exchange.notes["degraded"]


def test_a_list_or_a_number_fits_a_schema_that_wants_one() -> None:
    """What cannot be checked quickly is taken for good if it is JSON."""
    request = asked(
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array"}}}
    ).request
    assert isinstance(request, ChatRequest)
    assert fits("[1]", request)
    assert not fits("[1", request)


@aio
async def test_what_a_user_wrote_stays_inside_its_string() -> None:
    """A rule with JSON as its answer cannot be made to say something else."""
    rules = msgspec.convert(
        {"match": [{"regex": "(?P<all>.*)", "answer": '{"text": "{all}", "admin": false}'}]}, RulesSettings
    )
    exchange = asked('", "admin": true, "x": "', response_format=JSON)
    answer = await said(ladder("rules:r", rules={"r": rules}), exchange)
    assert answer is not None
    assert json.loads(answer) == {"text": '", "admin": true, "x": "', "admin": False}


@pytest.mark.parametrize("dialect", [OpenAIEmbeddings(), AnthropicCountTokens()], ids=lambda d: d.operation)
@aio
async def test_words_are_no_vectors_and_no_counts(dialect: Any) -> None:
    """Only an older answer or another model can stand in."""
    exchange = asked(dialect=dialect, input="hello")
    assert await said(ladder("say:Later.", "rules:faq", rules=RULES), exchange) is None
    assert "words are no answer here" in exchange.notes["degraded"]
