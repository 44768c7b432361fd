"""From the exchange to the request's row: what is known when a call leaves, and what is known at the end. Runs on the event loop.

Rows are lists, their values in the order of the fields; the last ones may be missing, as `Plain` says. A test gives every field a
value of its own and finds it in its place.
"""

from __future__ import annotations

from typing import Final, final

import msgspec

from headgate.core.errors import GatewayError
from headgate.core.ids import trace_id
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.records.attempts import NO_TOKENS, Ended, Tokens, detail, since
from headgate.records.entries import Plain
from headgate.stores.spans import GIVEN, Outcome

__all__ = ["Over", "closed_request", "open_request"]

_LONGEST_USER: Final = 256
"""Characters, as admission has it of those whom it lets in."""
_NOBODY: Final = Caller(key_id="")

_json: Final = msgspec.json.encode
_given: Final = GIVEN


@final
class Over:
    """A request that is over: its row, and of it what the metrics are made of."""

    __slots__ = (
        "error_class",
        "first_content_us",
        "given",
        "outcome",
        "output_tokens",
        "overhead_us",
        "queued_us",
        "reasoning_tokens",
        "row",
        "stream",
        "total_us",
    )

    def __init__(
        self, outcome: Outcome, error_class: str, total_us: int, queued_us: int, *, given: bool, stream: bool
    ) -> None:
        self.outcome: Outcome = outcome
        self.error_class = error_class
        self.total_us = total_us
        self.queued_us = queued_us
        self.stream = stream
        self.given = given
        """It got its answer from memory."""
        self.overhead_us = 0
        self.first_content_us = 0
        self.output_tokens = 0
        self.reasoning_tokens = 0
        self.row: Plain = []


def open_request(exchange: Exchange, config_hash: str, *, words: bool = True) -> Plain:
    """The request as it is known when a call leaves. words: may the prompt's variables be written down?"""
    caller = exchange.caller or _NOBODY
    peek, dialect = exchange.peek, exchange.dialect
    parent = exchange.trace_parent
    # A list that is made whole costs half of one that is begun and added to.
    row: Plain = [
        exchange.id,
        exchange.started_ns,
        parent[3:35] if parent else "",
        parent[36:52] if parent else "",
        caller.key_id,
        caller.team,
        caller.tenant,
        exchange.user or peek.user[:_LONGEST_USER],
        exchange.session,
        exchange.feature,
        _text(exchange.tags) if exchange.tags else "",
        dialect.operation,
        dialect.name,
        peek.stream,
        peek.model,
        exchange.routed_model,
        "",  # reported_model
        "",
        "",
        config_hash,
        0,  # status
        "ok",
        "",
        "",
        "",
        0,
        int(exchange.queued_seconds * 1e6),
        0,  # first_upstream_us
        0,
        0,
        0,
        0,  # input_tokens
        0,
        0,
        0,
        0,
        0,
        None,
        "",
        len(exchange.body),
    ]
    if exchange.cache or _is_special(exchange):
        variables, prompt = exchange.variables if words else None, _prompt(exchange)
        said = _text(variables) if variables else ""
        row += [0, "", "", "", exchange.tier, "", exchange.purpose, 0, prompt, exchange.replay_of]
        row += [exchange.cache, 0, 0, 0, said]
    return row


def closed_request(
    exchange: Exchange,
    attempts: list[Ended],
    *,
    config_hash: str,
    status: int,
    outcome: Outcome,
    error: GatewayError | None,
    ended_at: float,
    bytes_out: int,
    words: bool = True,
    begun_at: float = 0.0,
) -> Over:
    """The request as it ended; without its cost and the hashes of its contents, which the writer fills in.

    words: may what others said about the error be written down, and the prompt's variables? begun_at: when a stream that no attempt
    has made had its first content; 0.0: there was none."""
    cache = exchange.cache
    given = not attempts and cache in _given
    received = exchange.received_at
    total = int((ended_at - received) * 1e6)
    queued = int(exchange.queued_seconds * 1e6)
    peek = exchange.peek
    error_class = error.code if error is not None else ""
    over = Over(outcome, error_class, total, queued, given=given, stream=peek.stream)
    reported = provider = region = finish = ""
    first_byte = first_content = waited = 0
    tokens = NO_TOKENS
    if attempts:
        answering = exchange.answering
        last = attempts[answering.number - 1 if answering is not None else -1]
        place = last.place
        reported, provider, region = last.attempt.reported_model, place.provider, place.region
        finish = last.attempt.finish_reason or ""
        first_byte, first_content = last.first_byte_us, last.first_content_us
        tokens = last.tokens if len(attempts) == 1 else _sum(attempts)
        waited = last.ended_us - last.started_us if len(attempts) == 1 else _waited(attempts)
    elif given:
        first_content = since(begun_at, received)
        # Who shares a call waits for it, and what is streamed at a natural pace takes its time: neither is work.
        waited = total - (queued if cache == "joined" else first_content or total)
    over.overhead_us = overhead = max(total - queued - waited, 0)
    over.first_content_us = first_content
    over.output_tokens, over.reasoning_tokens = tokens[4], tokens[5]
    caller = exchange.caller or _NOBODY
    dialect, parent = exchange.dialect, exchange.trace_parent
    row: Plain = [
        exchange.id,
        exchange.started_ns,
        parent[3:35] if parent else trace_id(exchange.id),
        parent[36:52] if parent else "",
        caller.key_id,
        caller.team,
        caller.tenant,
        exchange.user or peek.user[:_LONGEST_USER],
        exchange.session,
        exchange.feature,
        _text(exchange.tags) if exchange.tags else "",
        dialect.operation,
        dialect.name,
        over.stream,
        peek.model,
        exchange.routed_model,
        reported,
        provider,
        region,
        config_hash,
        status,
        outcome,
        error_class,
        detail(error, words=words) if error is not None else "",
        finish,
        len(attempts),
        queued,
        first_byte,
        first_content,
        total,
        overhead,
        tokens[0],
        tokens[1],
        tokens[2],
        tokens[3],
        tokens[4],
        tokens[5],
        # What is given again costs nothing, and that is certain.
        0 if given else None,
        "",
        len(exchange.body),
        bytes_out,
    ]
    if exchange.notes or cache or _is_special(exchange):
        variables = exchange.variables if words else None
        row += [
            "",
            "",
            _text(exchange.notes) if exchange.notes else "",
            exchange.tier,
            exchange.degraded,
            exchange.purpose,
            exchange.avoided_nanos,
            _prompt(exchange),
            exchange.replay_of,
            cache,
            exchange.origin_id,
            exchange.avoided_us,
            int(exchange.similarity * 1e6) if exchange.similarity else 0,
            _text(variables) if variables else "",
        ]
    over.row = row
    return over


def _sum(attempts: list[Ended]) -> Tokens:
    input_ = cache_read = cache_write = cache_write_1h = output = reasoning = 0
    for one in attempts:
        tokens = one.tokens
        input_ += tokens[0]
        cache_read += tokens[1]
        cache_write += tokens[2]
        cache_write_1h += tokens[3]
        output += tokens[4]
        reasoning += tokens[5]
    return input_, cache_read, cache_write, cache_write_1h, output, reasoning


def _waited(attempts: list[Ended]) -> int:
    """For providers, in microseconds; two side by side count once."""
    waited = until = 0
    for one in attempts:
        waited += max(one.ended_us - max(one.started_us, until), 0)
        until = max(until, one.ended_us)
    return waited


def _is_special(exchange: Exchange) -> bool:
    """Is there anything to be said in the last fields of its row, but for notes and memory?"""
    return bool(
        exchange.tier
        or exchange.degraded
        or exchange.purpose
        or exchange.avoided_nanos
        or exchange.replay_of
        or exchange.origin_id
        or exchange.avoided_us
        or exchange.similarity
        or exchange.variables
        or _prompt(exchange)
    )


def _prompt(exchange: Exchange) -> str:
    """Who keeps prompts elsewhere says which it was by a tag."""
    return exchange.prompt or (exchange.tags.get("prompt", "") if exchange.tags else "")


def _text(words: dict[str, str]) -> str:
    return _json(words).decode()
