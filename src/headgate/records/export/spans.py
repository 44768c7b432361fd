"""A request of the records as OpenTelemetry spans: one for the request, and under it one for each of its attempts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import msgspec

from headgate.core.ids import request_id_text
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.telemetry.otlp import names
from headgate.telemetry.otlp.signals import Span, Value

__all__ = ["UNKNOWN_PLACE", "Place", "Places", "attempt_span", "finish_reasons", "request_span"]

_US = 1_000
_FIRST = "first"


@dataclass(frozen=True, slots=True)
class Place:
    """What the conventions want to know of a provider."""

    provider: str
    """As the conventions call it."""
    address: str = ""
    port: int = 0


UNKNOWN_PLACE = Place(names.OTHER)
Places = Callable[[str], Place]
"""The operator's name of a provider -> what it is."""

_tags = msgspec.json.Decoder(dict[str, str])

# What is told if it is not empty: attribute and field.
_REQUEST: tuple[tuple[str, str], ...] = (
    (names.REQUEST_MODEL, "requested_model"),
    (names.RESPONSE_MODEL, "reported_model"),
    (names.ROUTED_MODEL, "routed_model"),
    (names.FEATURE, "feature"),
    (names.KEY_ID, "key_id"),
    (names.TEAM, "team"),
    (names.TENANT, "tenant"),
    (names.CONVERSATION, "session"),
    (names.REGION, "region"),
    (names.ERROR_TYPE, "error_class"),
    (names.TIER, "tier"),
    (names.DEGRADED, "degraded"),
    (names.PURPOSE, "purpose"),
    (names.NOTES, "notes"),
    (names.PROMPT, "prompt"),
    (names.CACHE, "cache"),
    (names.COST_LABEL, "cost_label"),
    (names.STATUS_CODE, "status"),
    (names.REQUEST_STREAM, "stream"),
)
_ATTEMPT: tuple[tuple[str, str], ...] = (
    (names.RESPONSE_MODEL, "reported_model"),
    (names.REGION, "region"),
    (names.ERROR_TYPE, "error_class"),
    (names.CREDENTIAL, "credential"),
    (names.UPSTREAM_ID, "upstream_request_id"),
    (names.COST_LABEL, "cost_label"),
    (names.STATUS_CODE, "status"),
)
_OF_REQUEST, _OF_ATTEMPT = ([name for name, _ in each] for each in (_REQUEST, _ATTEMPT))
_of_request, _of_attempt = (attrgetter(*[field for _, field in each]) for each in (_REQUEST, _ATTEMPT))


def request_span(row: RequestRow, places: Places, *, content: Sequence[tuple[str, Value]] = (), full: bool = False,
                 users: bool = False) -> Span:  # fmt: skip
    """The span of a request. content: what was asked and answered, if that is to be told. full: an error's own words, too,
    which may repeat a prompt, and what the prompt's variables were."""
    found: list[tuple[str, Value]] = [
        (names.OPERATION, row.operation),
        (names.REQUEST_ID, request_id_text(row.id)),
        (names.OUTCOME, row.outcome),
        (names.DIALECT, row.dialect),
        (names.CONFIG_HASH, row.config_hash),
        (names.ATTEMPTS, row.attempts),
        (names.OVERHEAD_SECONDS, row.overhead_us / 1e6),
    ]
    add = found.append
    if row.provider:
        add((names.PROVIDER, places(row.provider).provider))
        add((names.OWN_PROVIDER, row.provider))
    found += [pair for pair in zip(_OF_REQUEST, _of_request(row), strict=True) if pair[1]]
    if users and row.user:
        add((names.USER_ID, row.user))
    if row.queued_us:
        add((names.QUEUE_SECONDS, row.queued_us / 1e6))
    if row.first_content_us:
        add((names.FIRST_CONTENT_SECONDS, row.first_content_us / 1e6))
    if row.avoided_nanos:
        add((names.AVOIDED_USD, row.avoided_nanos / 1e9))
    if row.avoided_us:
        add((names.AVOIDED_SECONDS, row.avoided_us / 1e6))
    if row.origin_id:
        add((names.CACHE_ORIGIN, request_id_text(row.origin_id)))
    if row.similarity:
        add((names.CACHE_SIMILARITY, row.similarity / 1e6))
    _add_answer(found, row)
    if row.tags:
        found += _texts(names.TAG, row.tags)
    if full and row.variables:
        found += _texts(names.VARIABLE, row.variables)
    found += content
    return Span(
        _trace_id(row),
        row.id.to_bytes(8, "big"),
        _hex(row.parent_id, 8),
        f"{row.operation} {row.requested_model}".strip(),
        # Nobody outside asked for a copy of ours.
        "internal" if row.purpose else "server",
        row.started_ns,
        row.started_ns + row.total_us * _US,
        found,
        _error(row.error_class, row.error_detail, full=full)
        if row.outcome in ("failed", "cut_off")
        else None,
    )


def attempt_span(request: RequestRow, row: AttemptRow, places: Places, *, full: bool = False) -> Span:
    """The span of an attempt. full: as above."""
    place = places(row.provider)
    found: list[tuple[str, Value]] = [
        (names.OPERATION, request.operation),
        (names.PROVIDER, place.provider),
        (names.REQUEST_MODEL, row.model),
        (names.OWN_PROVIDER, row.provider),
        (names.OUTCOME, row.outcome),
        (names.ATTEMPT_NUMBER, row.number),
        (names.ATTEMPT_KIND, row.kind or _FIRST),
        (names.WIRE, row.wire),
    ]
    add = found.append
    found += [pair for pair in zip(_OF_ATTEMPT, _of_attempt(row), strict=True) if pair[1]]
    if request.feature:
        add((names.FEATURE, request.feature))
    if place.address:
        add((names.SERVER_ADDRESS, place.address))
    if place.port:
        add((names.SERVER_PORT, place.port))
    if row.connected_us:
        add((names.CONNECT_SECONDS, (row.connected_us - row.started_us) / 1e6))
    if request.stream:
        add((names.REQUEST_STREAM, True))
        if row.first_content_us:
            add((names.RESPONSE_FIRST_CHUNK, (row.first_content_us - row.started_us) / 1e6))
    _add_answer(found, row)
    started = request.started_ns + row.started_us * _US
    return Span(
        _trace_id(request),
        row.id.to_bytes(8, "big"),
        request.id.to_bytes(8, "big"),
        f"{request.operation} {row.model}",
        "client",
        started,
        max(request.started_ns + row.ended_us * _US, started),
        found,
        _error(row.error_class, row.error_detail, full=full)
        if row.outcome in ("failed", "refused", "cut_off")
        else None,
    )


def finish_reasons(reason: str) -> str:
    """Why an answer ended, as the conventions say it."""
    return names.FINISH_REASONS.get(reason, reason)


def _add_answer(found: list[tuple[str, Value]], row: RequestRow | AttemptRow) -> None:
    """What both kinds of row say of the answer."""
    add = found.append
    if row.finish_reason:
        add((names.RESPONSE_FINISH_REASONS, [finish_reasons(row.finish_reason)]))
    # The conventions count cached tokens as part of the input, and reasoning as part of the output.
    prompt = row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.cache_write_1h_tokens
    completion = row.output_tokens + row.reasoning_tokens
    if prompt or completion:
        add((names.INPUT_TOKENS, prompt))
        add((names.OUTPUT_TOKENS, completion))
    if row.cache_read_tokens:
        add((names.CACHE_READ_TOKENS, row.cache_read_tokens))
    if row.cache_write_tokens or row.cache_write_1h_tokens:
        add((names.CACHE_CREATION_TOKENS, row.cache_write_tokens + row.cache_write_1h_tokens))
    if row.reasoning_tokens:
        add((names.REASONING_TOKENS, row.reasoning_tokens))
    if row.cost_nanos is not None:
        add((names.COST_USD, row.cost_nanos / 1e9))


def _texts(before: str, text: str) -> list[tuple[str, Value]]:
    try:
        return [(before + name, value) for name, value in _tags.decode(text).items()]
    except msgspec.DecodeError:
        return []


def _error(error_class: str, detail: str, *, full: bool) -> str:
    return detail if full and detail else error_class


def _trace_id(row: RequestRow) -> bytes:
    # A request that was cut off before its end was known may have none; whoever sends it again must make the same one.
    return _hex(row.trace_id, 16) or row.id.to_bytes(16, "big")


def _hex(text: str, size: int) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return b""
    return found if len(found) == size and any(found) else b""
