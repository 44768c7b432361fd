"""A request of the records becomes spans that say what it said."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.ids import request_id_text
from headgate.records.export.spans import UNKNOWN_PLACE, Place, attempt_span, request_span
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.telemetry.otlp import names

__all__: list[str] = []

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MARKER = "a prompt that a provider repeated"


def places(name: str) -> Place:
    return Place("openai", "api.openai.com", 443) if name == "open" else UNKNOWN_PLACE


def request(**given: Any) -> RequestRow:
    values: dict[str, Any] = {
        "id": 77,
        "started_ns": 1_000_000_000,
        "trace_id": TRACE,
        "operation": "chat",
        "dialect": "openai.chat",
        "requested_model": "support",
        "routed_model": "open/m",
        "provider": "open",
        "total_us": 250_000,
        "status": 200,
        "attempts": 1,
    }
    return RequestRow(**(values | given))


def attempt(**given: Any) -> AttemptRow:
    values: dict[str, Any] = {
        "id": 78,
        "request_id": 77,
        "number": 1,
        "provider": "open",
        "model": "m",
        "started_us": 10_000,
        "ended_us": 200_000,
        "status": 200,
    }
    return AttemptRow(**(values | given))


def test_a_span_stands_where_the_callers_traceparent_says():
    """Its trace and parent are the caller's, an attempt's parent is its request, and times are those of the record."""
    whole = request_span(request(parent_id="00f067aa0ba902b7"), places)
    part = attempt_span(request(), attempt(), places)
    assert (whole.trace_id.hex(), whole.parent_id.hex()) == (TRACE, "00f067aa0ba902b7")
    assert (part.trace_id, part.parent_id) == (whole.trace_id, whole.span_id)
    assert (whole.kind, whole.name) == ("server", "chat support")
    assert (part.kind, part.name) == ("client", "chat m")
    assert (whole.start_ns, whole.end_ns) == (1_000_000_000, 1_250_000_000)
    assert (part.start_ns, part.end_ns) == (1_010_000_000, 1_200_000_000)


def test_a_hit_names_the_request_whose_answer_it_was_given():
    """And what was saved; nobody is said to have answered."""
    row = request(
        cache="semantic", origin_id=76, similarity=973_000, avoided_nanos=1_500_000, avoided_us=2_300_000,
        attempts=0, provider="", prompt="greeting@7", variables='{"name":"Ada"}',
    )  # fmt: skip
    found = dict(request_span(row, places).attributes)
    wanted = {
        names.CACHE: "semantic",
        names.CACHE_ORIGIN: request_id_text(76),
        names.CACHE_SIMILARITY: 0.973,
        names.AVOIDED_USD: 0.0015,
        names.AVOIDED_SECONDS: 2.3,
        names.PROMPT: "greeting@7",
        names.PROVIDER: None,
        "headgate.prompt.variable.name": None,
    }
    assert {name: found.get(name) for name in wanted} == wanted
    # What variables were is told with contents alone.
    assert dict(request_span(row, places, full=True).attributes)["headgate.prompt.variable.name"] == "Ada"
    assert not [name for name, _ in request_span(request(), places).attributes if "cache" in name]


@pytest.mark.parametrize("trace_id", ["", "0" * 32, "nonsense", "ab"])
def test_a_request_without_a_trace_gets_the_same_one_whoever_exports_it(trace_id):
    """It was cut off before it had one: sent twice, it must be one trace."""
    row = request(trace_id=trace_id)
    assert request_span(row, places).trace_id == (77).to_bytes(16, "big")
    assert attempt_span(row, attempt(), places).trace_id == (77).to_bytes(16, "big")


def test_tokens_are_counted_as_the_conventions_count():
    """Cached ones are part of the input and reasoning is part of the output; ours are apart."""
    given = {
        "input_tokens": 100,
        "cache_read_tokens": 20,
        "cache_write_tokens": 3,
        "cache_write_1h_tokens": 4,
        "output_tokens": 50,
        "reasoning_tokens": 6,
    }
    for span in (request_span(request(**given), places), attempt_span(request(), attempt(**given), places)):
        found = dict(span.attributes)
        assert found[names.INPUT_TOKENS] == 127
        assert found[names.OUTPUT_TOKENS] == 56
        assert found[names.CACHE_READ_TOKENS] == 20
        assert found[names.CACHE_CREATION_TOKENS] == 7
        assert found[names.REASONING_TOKENS] == 6


def test_what_is_known_is_told_under_the_conventions_names():
    """And the rest under ours."""
    row = request(
        feature="support", session="s1", stream=True, reported_model="m-2026", finish_reason="max_tokens",
        cost_nanos=1_500_000, cost_label="exact", first_content_us=40_000, tags='{"tier":"gold"}',
    )  # fmt: skip
    found = dict(request_span(row, places).attributes)
    wanted = {
        names.OPERATION: "chat",
        names.PROVIDER: "openai",
        names.OWN_PROVIDER: "open",
        names.REQUEST_MODEL: "support",
        names.RESPONSE_MODEL: "m-2026",
        names.ROUTED_MODEL: "open/m",
        names.CONVERSATION: "s1",
        names.REQUEST_STREAM: True,
        names.STATUS_CODE: 200,
        names.COST_USD: 0.0015,
        names.REQUEST_ID: request_id_text(77),
        names.FEATURE: "support",
        "headgate.tag.tier": "gold",
        names.FIRST_CONTENT_SECONDS: 0.04,
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert found[names.RESPONSE_FINISH_REASONS] == ["length"]
    part = dict(attempt_span(row, attempt(first_content_us=40_000, kind="retry"), places).attributes)
    assert part[names.RESPONSE_FIRST_CHUNK] == pytest.approx(0.03)
    assert (part[names.SERVER_ADDRESS], part[names.SERVER_PORT]) == ("api.openai.com", 443)
    assert part[names.ATTEMPT_KIND] == "retry"


def test_the_users_name_and_the_words_of_errors_are_told_only_if_that_is_wanted():
    """Providers repeat prompts in their errors."""
    row = request(
        user="ann", outcome="failed", error_class="provider_refused", error_detail=MARKER, status=502
    )
    part = attempt(outcome="failed", error_class="provider_refused", error_detail=MARKER, status=400)
    quiet = (request_span(row, places), attempt_span(row, part, places))
    assert MARKER not in repr(quiet) and "ann" not in repr(quiet)
    assert [span.error for span in quiet] == ["provider_refused"] * 2
    loud = (request_span(row, places, full=True, users=True), attempt_span(row, part, places, full=True))
    assert [span.error for span in loud] == [MARKER] * 2
    assert dict(loud[0].attributes)[names.USER_ID] == "ann"


@pytest.mark.parametrize(
    ("outcome", "whole_failed", "part_failed"),
    [
        ("ok", False, False),
        ("refused", False, True),  # a server's span is no failure for its caller's mistake, a client's is
        ("failed", True, True),
        ("hung_up", False, False),
        ("cut_off", True, True),
        ("abandoned", False, False),
    ],
)
def test_who_failed_is_who_is_to_blame(outcome, whole_failed, part_failed):
    """As the conventions have it for HTTP."""
    whole = request_span(request(outcome=outcome, error_class="e"), places)
    part = attempt_span(request(), attempt(outcome=outcome, error_class="e"), places)
    assert (whole.error is not None, part.error is not None) == (whole_failed, part_failed)
    assert dict(whole.attributes)[names.ERROR_TYPE] == "e"


def test_a_copy_of_ours_is_nobodys_request():
    """It is told, and as what it is."""
    span = request_span(request(purpose="shadow"), places)
    assert span.kind == "internal"
    assert dict(span.attributes)[names.PURPOSE] == "shadow"


def test_nothing_ends_before_it_begins():
    """An attempt that was cut off has no end."""
    span = attempt_span(request(), attempt(ended_us=0), places)
    assert span.end_ns == span.start_ns
