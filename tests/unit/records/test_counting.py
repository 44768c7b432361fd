"""What is counted of a request, whatever its end."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from headgate.core.errors import ProviderOverloaded
from headgate.core.messages import Answer, Choice, Text
from headgate.core.usage import Usage
from headgate.exchange.attempt import AttemptKind
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.providers.catalog.charging import cost_nanos
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.telemetry.metrics import Counter
from headgate.telemetry.names import MOST_UNKNOWN, OTHER
from tests.support.aio import aio
from tests.support.recording import Recording

__all__: list[str] = []

KINDS: tuple[AttemptKind, ...] = ("", "retry", "hedge")
OWN = own_rates(PriceSettings(input=Decimal(1), output=Decimal(2)))


@pytest.fixture
def recording(tmp_path: Path):
    made = Recording(tmp_path)
    yield made
    made.close()


def asked(recording: Recording, **fields) -> Exchange:
    exchange = recording.desk.exchange()
    exchange.caller, exchange.feature = Caller("key_1"), "chat"
    for name, value in fields.items():
        setattr(exchange, name, value)
    return exchange


def answering(recording: Recording, kinds=KINDS, error=None):
    async def proceed(exchange: Exchange) -> Reply:
        for kind in kinds:
            attempt = recording.desk.attempt(exchange)
            attempt.kind, attempt.abandoned = kind, kind == "hedge"
            attempt.status = 200
        if error is not None:
            raise error
        return whole(Answer(choices=[Choice(parts=[Text(text="yes")])]))

    return proceed


async def serve(recording: Recording, exchange: Exchange, proceed) -> None:
    """To its end, and to the end of that turn of the event loop, when it is counted."""
    try:
        await recording.serve(exchange, proceed)
    finally:
        recording.journal.flush()
        recording.stage.counting.catch_up()


def numbers(counter: Counter) -> dict[str, int]:
    return {" ".join(labels): number for labels, number in counter.values.items()}


@aio
async def test_what_memory_answered_is_counted_with_what_it_saved(recording: Recording) -> None:
    """By how it answered; and no model was as fast as that."""
    hit = {"cache": "exact", "origin_id": 5, "avoided_nanos": 2_000_000, "avoided_us": 500_000}
    for _ in range(2):
        await serve(recording, asked(recording, routed_model="small", **hit), answering(recording, ()))
    await serve(recording, asked(recording, cache="miss", routed_model="small"), answering(recording, ("",)))
    metrics = recording.stage.metrics
    assert numbers(metrics.cache_requests) == {"chat exact": 2, "chat miss": 1}
    assert metrics.measures.saved == {"chat": (4_000_000, 1_000_000)}
    assert {key[1]: sum(one.took) for key, one in metrics.measures.requests.items()} == {
        "cache": 2,
        "small": 1,
    }
    assert not any(metrics.measures.requests["chat", "cache", "ok"].speed)
    text = metrics.text().decode()
    assert 'headgate_cache_saved_usd_total{feature="chat"} 0.004' in text
    assert 'headgate_cache_saved_seconds_total{feature="chat"} 1.0' in text


@aio
async def test_how_long_memory_was_asked_is_shown(recording: Recording) -> None:
    """By key and by nearness apart."""
    metrics = recording.stage.metrics
    metrics.measures.looked_up("exact", 0.00004)
    metrics.measures.looked_up("semantic", 0.012)
    text = metrics.text().decode()
    assert 'headgate_cache_lookup_seconds_bucket{kind="exact",le="5e-05"} 1' in text
    assert 'headgate_cache_lookup_seconds_bucket{kind="semantic",le="0.01"} 0' in text
    assert 'headgate_cache_lookup_seconds_sum{kind="semantic"} 0.012' in text


@aio
async def test_a_request_and_its_attempts_are_counted_once(recording: Recording) -> None:
    """Attempts by why they were made; the second of two side by side is a hedge."""
    exchange = asked(recording)
    await serve(recording, exchange, answering(recording))
    metrics = recording.stage.metrics
    endpoint = exchange.attempts[0].endpoint
    place = f"{endpoint.provider} {endpoint.model}"
    assert numbers(metrics.requests) == {"chat ok": 1}
    assert numbers(metrics.attempts) == {
        f"{place} first ok": 1,
        f"{place} retry ok": 1,
        f"{place} hedge abandoned": 1,
    }
    assert numbers(metrics.hedges) == {"chat": 1}
    assert not metrics.degraded.values and not metrics.resumed.values


@aio
async def test_degraded_and_resumed_answers_are_counted_beside(recording: Recording) -> None:
    """They have ended well, and are marked."""
    exchange = asked(recording, degraded="model:small", notes={"resumed": "after 7 characters"})
    await serve(recording, exchange, answering(recording, ()))
    metrics = recording.stage.metrics
    assert numbers(metrics.requests) == {"chat ok": 1}
    assert numbers(metrics.degraded) == {"chat model:small": 1} and numbers(metrics.resumed) == {"chat": 1}


@aio
async def test_a_failure_is_counted_as_one(recording: Recording) -> None:
    """With nothing degraded."""
    failing = answering(recording, ("",), ProviderOverloaded("x"))
    with pytest.raises(ProviderOverloaded):
        await serve(recording, asked(recording), failing)
    metrics = recording.stage.metrics
    assert numbers(metrics.requests) == {"chat failed": 1} and not metrics.degraded.values


@aio
async def test_of_a_shadow_copy_only_the_attempts_count(recording: Recording) -> None:
    """Nobody asked."""
    await serve(recording, asked(recording, purpose="shadow", degraded="say"), answering(recording, ("",)))
    metrics = recording.stage.metrics
    assert sum(metrics.attempts.values.values()) == 1
    assert not metrics.requests.values and not metrics.degraded.values


@aio
async def test_without_a_key_there_is_no_feature(recording: Recording) -> None:
    """Whatever the header says."""
    await serve(recording, asked(recording, caller=None), answering(recording, ()))
    assert numbers(recording.stage.metrics.requests) == {" ok": 1}


@aio
async def test_what_a_request_took_and_used_is_measured(recording: Recording) -> None:
    """Per feature, model and outcome; what each call has used stands under who was asked."""
    exchange = asked(recording, routed_model="small", queued_seconds=0.25)
    await serve(recording, exchange, answering(recording, ("",)))
    measures = recording.stage.metrics.measures
    measured = measures.requests["chat", "small", "ok"]
    assert sum(measured.took) == sum(measured.overhead) == sum(measured.queued) == 1
    assert measured.queued_sum == 250_000 and not sum(measured.first)
    ((feature, model, provider, _label),) = measures.spent
    assert (feature, model, provider) == ("chat", "small", exchange.attempts[0].endpoint.provider)
    assert not measures.errors


@aio
async def test_failures_are_counted_by_what_was_the_matter(recording: Recording) -> None:
    """Of the request, and of each call."""
    exchange = asked(recording, routed_model="small")
    with pytest.raises(ProviderOverloaded):
        await serve(recording, exchange, answering(recording, ("",), ProviderOverloaded("too busy")))
    metrics = recording.stage.metrics
    assert metrics.measures.errors == {("chat", "small", "provider_error"): 1}
    assert sum(metrics.measures.requests["chat", "small", "failed"].took) == 1


@aio
async def test_copies_cost_and_are_no_requests(recording: Recording) -> None:
    """Their tokens and dollars count where the feature's do, their times nowhere."""
    exchange = asked(recording, routed_model="small", purpose="shadow")
    await serve(recording, exchange, answering(recording, ("",)))
    measures = recording.stage.metrics.measures
    assert len(measures.spent) == 1 and not measures.requests


@aio
async def test_hits_are_counted_together_as_each_by_itself(recording: Recording) -> None:
    """Those that failed, or that nobody asked for, are none of them."""
    for how in ("exact", "exact", "semantic"):
        hit = {
            "cache": how,
            "origin_id": 5,
            "avoided_nanos": 1_000,
            "avoided_us": 2_000,
            "queued_seconds": 0.5,
        }
        await serve(recording, asked(recording, routed_model="small", **hit), answering(recording, ()))
    broken = asked(recording, cache="exact", error=ProviderOverloaded("busy"))
    await serve(recording, broken, answering(recording, ()))
    await serve(recording, asked(recording, cache="exact", purpose="shadow"), answering(recording, ()))
    metrics = recording.stage.metrics
    assert numbers(metrics.requests) == {"chat ok": 3, "chat failed": 1}
    assert numbers(metrics.cache_requests) == {"chat exact": 3, "chat semantic": 1}
    assert metrics.measures.saved == {"chat": (3_000, 6_000)}
    of_hits = metrics.measures.requests["chat", "cache", "ok"]
    assert sum(of_hits.took) == 3 and of_hits.queued_sum == 1_500_000 and not any(of_hits.first)


@aio
async def test_requests_of_one_kind_are_counted_together_as_each_by_itself(recording: Recording) -> None:
    """Others, and those that somebody looks between, are told apart as ever."""
    metrics = recording.stage.metrics
    exchanges = []
    for number, feature in enumerate(("chat", "chat", "faq", "chat"), 1):
        exchange = asked(recording, feature=feature, routed_model="small", queued_seconds=0.25 * number)

        async def proceed(exchange: Exchange, number: int = number) -> Reply:
            attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
            attempt.ended_at, attempt.status = recording.clock.monotonic(), 200
            attempt.usage = Usage(
                input=number, cache_read=2, cache_write=3, output=4 * number, reasoning=5, cache_write_1h=6
            )
            exchange.answering = attempt
            return whole(Answer(choices=[Choice(parts=[Text(text="yes")])]))

        await recording.serve(exchange, proceed)
        recording.journal.flush()
        exchanges.append(exchange)
        if number == 2:
            assert 'headgate_requests_total{feature="chat",outcome="ok"} 2' in metrics.text().decode()
    recording.stage.counting.catch_up()
    recording.stage.counting.catch_up()
    endpoint = exchanges[0].attempts[0].endpoint
    assert numbers(metrics.requests) == {"chat ok": 3, "faq ok": 1}
    assert numbers(metrics.attempts) == {f"{endpoint.provider} {endpoint.model} first ok": 4}
    spent = metrics.measures.spent["chat", "small", endpoint.provider, "exact"]
    assert (spent.calls, spent.input, spent.output) == (3, 1 + 2 + 4, 4 * (1 + 2 + 4))
    assert (spent.cache_read, spent.cache_write, spent.reasoning) == (6, 27, 15)
    usages = [one.attempts[0].usage for one in exchanges if one.feature == "chat"]
    assert spent.nanos == sum(cost_nanos(OWN, usage) for usage in usages if usage is not None)
    measured = metrics.measures.requests["chat", "small", "ok"]
    assert measured.queued_sum == 250_000 * (1 + 2 + 4) and sum(measured.took) == 3


@aio
async def test_what_waits_to_be_counted_is_counted_before_names_are_learned(recording: Recording) -> None:
    """By the names of then: a name that was one of too many stays so for what it was asked for."""
    metrics = recording.stage.metrics
    for number in range(MOST_UNKNOWN):
        metrics.requests.add((f"feature {number}", "ok"))
    await recording.serve(asked(recording, feature="new"), answering(recording, ()))
    recording.journal.flush()
    metrics.know(["new"], [], {})
    assert metrics.requests.values[OTHER, "ok"] == 1 and metrics.requests.values["new", "ok"] == 0
