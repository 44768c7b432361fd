"""What goes wrong before the first content of an answer never reaches the caller: another model answers, whole."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.faults.dispatch.conftest import PRIMARY_PRICE, SPARE, SPARE_PRICE, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS
from tests.support.misbehaving import Play
from tests.support.three_wires import COMPLETION, PROMPT, TEXT

__all__: list[str] = []


class Case(NamedTuple):
    """A fault, and what the record calls it; streamed and whole, if that differs."""

    play: Play
    whole: str
    """"-": this one comes in streams only."""
    streamed: str = ""
    """"": the same; "-": when it comes, content was there."""
    manner: str = "calm"


CASES = {
    "429": Case(faults.refusing("rate limit"), "provider_rate_limited"),
    "429 with Retry-After": Case(faults.refusing("rate limit", b"retry-after: 7"), "provider_rate_limited"),
    "quota": Case(faults.refusing("quota"), "provider_quota_spent"),
    "connection refused": Case(faults.silence, "connect_failed", manner="unreachable"),
    "401": Case(faults.refusing("key"), "provider_auth_failed"),
    "500": Case(faults.refusing("failed"), "provider_failed"),
    "503": Case(faults.refusing("overloaded"), "provider_overloaded"),
    "reset": Case(faults.reset, "upstream_reset"),
    "silence": Case(faults.silence, "headers_timeout", "headers_timeout", "quick"),
    "slow first token": Case(faults.slow_first_token, "between_timeout", "first_content_timeout", "quick"),
    "cut before content": Case(faults.cut_before_content, "upstream_cut"),
    "malformed first": Case(faults.malformed_first, "upstream_malformed"),
    "empty": Case(faults.empty, "upstream_malformed", "upstream_cut"),
    "error first": Case(faults.error_first, "provider_failed"),
    "error after opening": Case(faults.error_after_opening, "provider_failed", "provider_overloaded"),
    "JSON error in 200": Case(faults.json_error_in_200, "provider_failed"),
    "HTML": Case(faults.html, "upstream_malformed"),
    "no HTTP": Case(faults.no_http, "upstream_malformed"),
    "no terminator nor content": Case(faults.no_terminator_nor_content, "-", "upstream_cut"),
    "broken chunk first": Case(faults.broken_chunk_first, "-", "upstream_malformed"),
    "cut": Case(faults.cut, "upstream_cut", "-"),
    "closed early": Case(faults.closed_early, "upstream_cut", "-"),
    "stall": Case(faults.stall, "between_timeout", "-", "quick"),
    "malformed": Case(faults.malformed, "upstream_malformed", "-"),
    "no terminator": Case(faults.no_terminator, "upstream_cut", "-"),
    "broken chunk": Case(faults.broken_chunk, "upstream_malformed", "-"),
}
MATRIX = [
    pytest.param(name, mode == "stream", dialect, id=f"{name}-{mode}-{dialect}")
    for name, case in CASES.items()
    for mode in ("whole", "stream")
    for dialect in DIALECTS
    if (case.whole if mode == "whole" else case.streamed) != "-"
]
OPENED = {"slow first token", "cut before content", "error after opening", "no terminator nor content"}
BEGUN = {
    "slow first token",
    "cut",
    "closed early",
    "stall",
    "no terminator",
    "broken chunk",
    "cut before content",
} | {"empty", "no terminator nor content"}
"""Something of an answer was there: what is not told by the provider is estimated."""


@pytest.mark.parametrize(("name", "stream", "dialect"), MATRIX)
def test_another_model_answers(stage: Stage, name: str, stream: bool, dialect: str) -> None:
    """Complete, told in the headers, with both attempts on record and only real usage billed."""
    case = CASES[name]
    feature = stage.feature(case.manner, dialect).plays(case.play)
    got = feature.ask(dialect, stream=stream)
    assert (got.status, got.text, got.complete, got.cut, got.error) == (200, TEXT, True, False, "")
    assert got.usage == (PROMPT, COMPLETION)
    assert feature.asked()[1] == 1
    told = {key: value for key, value in got.headers.items() if key.startswith("x-headgate-")}
    assert (told["x-headgate-attempts"], told["x-headgate-fallback"]) == ("2", "true")
    assert (told["x-headgate-model"], told["x-headgate-provider"]) == (feature.spare, SPARE[dialect])

    record, attempts = stage.record(got)
    code = (case.streamed if stream else "") or case.whole
    assert [(one["kind"], one["outcome"], one["error_class"]) for one in attempts] == [
        ("", "failed", code),
        ("failover", "ok", ""),
    ]
    failed, answered = attempts
    assert (record["outcome"], record["status"], record["dialect"]) == ("ok", 200, DIALECTS[dialect][0])
    assert (answered["input_tokens"], answered["output_tokens"]) == (PROMPT, COMPLETION)
    assert answered["cost_nanos"] == (PROMPT + COMPLETION) * SPARE_PRICE and answered["cost_label"] == "exact"
    assert record["cost_nanos"] == answered["cost_nanos"] + failed["cost_nanos"]
    told_usage = stream and dialect == "messages" and name in OPENED
    if told_usage:  # Anthropic says what the prompt costs before it says anything else
        assert (failed["cost_nanos"], failed["cost_label"]) == ((PROMPT + 1) * PRIMARY_PRICE, "estimated")
    elif failed["cost_nanos"]:
        assert name in BEGUN and code != "upstream_malformed" and failed["cost_label"] == "estimated"
