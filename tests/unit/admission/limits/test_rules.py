"""Which counts a request is about, and how much of each it asks for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.admission.limits.rules import Plan, plan_of
from headgate.admission.limits.settings import LimitSettings
from headgate.core.section import decode_value
from headgate.core.tokens import tokens_of_body
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.subjects import SUBJECTS, subject_problem
from tests.support.exchanges import BODY, Desk

__all__: list[str] = []


def plan(*limits: dict[str, Any]) -> Plan:
    found = msgspec.convert(list(limits), list[LimitSettings], dec_hook=decode_value)
    return plan_of(found, {})


def exchange(operation: str = "chat", *, max_tokens: int | None = None, **tags: str) -> Exchange:
    made = Desk().exchange(operation=operation)
    made.caller = Caller("key_1", "app", team="canal")
    made.user, made.tags = "ada", tags
    made.peek.max_tokens = max_tokens
    return made


def asked(limits: Plan, one: Exchange) -> list[tuple[str, str, int]]:
    return [(gauge.name, whom, units) for gauge, whom, units in limits.asks(one, "chatting", "small")]


@pytest.mark.parametrize(
    ("of", "whom"),
    [
        ("key", "key_1"),
        ("user", "ada"),
        ("team", "canal"),
        ("feature", "chatting"),
        ("model", "small"),
        ("tag:desk", "west"),
        ("tag:floor", ""),
    ],
)
def test_a_limit_is_counted_for_whom_it_says(of: str, whom: str) -> None:
    """Who names none shares a count with all others who name none; `each = false` has one count for all."""
    one = exchange(desk="west")
    assert asked(plan({"name": "a", "of": of, "requests": 5}), one) == [("a:requests", whom, 1)]
    assert asked(plan({"name": "a", "of": of, "each": False, "requests": 5}), one) == [("a:requests", "*", 1)]


def test_a_key_of_a_person_counts_for_that_person() -> None:
    """Whatever name the request brings: otherwise a header would be a way around the limit."""
    one = exchange()
    one.caller = Caller("key_1", "app", user="grace")
    assert asked(plan({"name": "a", "of": "user", "requests": 5}), one) == [("a:requests", "grace", 1)]


@pytest.mark.parametrize(
    ("only", "is_about"),
    [
        ({"feature": ["chatting", "x"]}, True),
        ({"feature": ["x"]}, False),
        ({"key": ["app"]}, True),
        ({"key": ["key_1"]}, True),
        ({"key": ["other"]}, False),
        ({"team": ["canal"], "user": ["ada"]}, True),
        ({"team": ["canal"], "user": ["grace"]}, False),
        ({"model": ["small"]}, True),
        ({"tags": {"desk": "west"}}, True),
        ({"tags": {"desk": "east"}}, False),
        ({"tags": {"desk": "west", "floor": "2"}}, False),
    ],
)
def test_a_limit_is_about_the_requests_it_names(only: dict[str, Any], is_about: bool) -> None:
    """One of the names in everything that is named."""
    limits = plan({"name": "a", "requests": 5, "only": only})
    assert bool(asked(limits, exchange(desk="west"))) is is_about


def test_tokens_are_set_aside_by_estimate_and_by_the_most_the_answer_may_have() -> None:
    """The prompt by its bytes; the answer by `max_tokens`, or by what the limit assumes."""
    limits = plan(
        {"name": "a", "input_tokens": 1000, "output_tokens": 900, "tokens": 2000, "assume_output": 70}
    )
    prompt = tokens_of_body(BODY)
    assert prompt > 10
    said = [("a:input_tokens", prompt), ("a:output_tokens", 300), ("a:tokens", prompt + 300)]
    assert [(name, units) for name, _, units in asked(limits, exchange(max_tokens=300))] == said
    assumed = [("a:input_tokens", prompt), ("a:output_tokens", 70), ("a:tokens", prompt + 70)]
    assert [(name, units) for name, _, units in asked(limits, exchange())] == assumed


def test_what_is_assumed_of_an_answer_always_has_room() -> None:
    """A small limit must not refuse every request that does not limit its answer."""
    limits = plan({"name": "a", "output_tokens": 40, "burst": 0.5})
    assert asked(limits, exchange()) == [("a:output_tokens", "key_1", 20)]


def test_operations_without_an_answer_of_tokens_ask_for_none() -> None:
    """Vectors are no answer tokens, and counting tokens costs none; both are requests."""
    limits = plan({"name": "a", "requests": 9, "output_tokens": 99, "input_tokens": 99})
    assert [name for name, *_ in asked(limits, exchange("embeddings"))] == ["a:requests", "a:input_tokens"]
    assert [name for name, *_ in asked(limits, exchange("count_tokens"))] == ["a:requests"]


def test_burst_is_the_part_that_may_come_at_once() -> None:
    """At least one unit, whatever it says."""
    gauges = plan({"name": "a", "requests": 60, "burst": 0.1, "concurrency": 7}).rules[0].gauges
    assert [(one.most, one.interval) for one in gauges] == [(6.0, 1.0), (7.0, 0.0)]
    assert plan({"name": "a", "requests": 2, "burst": 0.1}).rules[0].gauges[0].most == 1.0


def test_a_subject_that_is_none_is_told() -> None:
    """With those that are."""
    assert not any(subject_problem(of) for of in (*SUBJECTS, "tag:desk"))
    for wrong in ("keys", "tag:", "tag: ", ""):
        assert "`team`" in subject_problem(wrong)
