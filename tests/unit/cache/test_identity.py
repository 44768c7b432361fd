"""Which requests are the same for the cache: equal in all that changes the answer, whatever else differs."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from headgate.cache.canonical import packed, tree
from headgate.cache.identity import Identities, Identity, _context, identity_of
from headgate.cache.policy import CachePolicy
from headgate.core.errors import InvalidRequest
from headgate.core.messages import ChatRequest
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Dialect
from headgate.exchange.exchange import Exchange
from headgate.providers.adapters.openai import adapter as openai
from headgate.providers.simulated import adapter as simulated
from tests.support.identities import (
    APP,
    CHAT,
    COUNT,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    asks,
    chat,
    policy,
    turn,
)

__all__: list[str] = []

FAQ = policy()
SYSTEM = turn("Be brief.", "system")


def identity(body: Any, dialect: Dialect = CHAT, policy: CachePolicy = FAQ, **more: Any) -> Identity:
    return identity_of(asks(body, dialect, **more), policy)


def key(body: Any, dialect: Dialect = CHAT, policy: CachePolicy = FAQ, **more: Any) -> bytes:
    return identity(body, dialect, policy, **more).key


# What makes no difference


@pytest.mark.parametrize(
    "instead",
    [
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"metadata": {"trace": "1"}},
        {"prompt_cache_key": "x"},
        {"max_tokens": None},
    ],
)
def test_how_it_is_told_and_where_it_is_noted_makes_no_other_answer(instead: dict[str, Any]) -> None:
    """A streamed and a whole request share entries."""
    assert key(chat(**instead)) == key(chat())


def test_order_and_white_space_of_json_make_no_difference() -> None:
    """In the body and in schemas."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    one = chat(response_format=wanted)
    turned = {**one, "response_format": json.loads(json.dumps(wanted, sort_keys=True)[::1])}
    turned["response_format"]["json_schema"]["schema"] = {
        "properties": {"b": {"type": "number"}, "a": {"type": "string"}},
        "type": "object",
    }
    assert key(json.dumps(dict(reversed(turned.items())), indent=3).encode()) == key(one)


def test_tools_are_compared_as_json_too() -> None:
    """Their schemas are passed on as they are, and mean the same in any order."""
    function = {"name": "f", "parameters": {"type": "object", "required": ["a"]}}
    other = {"parameters": {"required": ["a"], "type": "object"}, "name": "f"}
    loose = policy(let=["tools"])
    one = chat(tools=[{"type": "function", "function": function}])
    two = chat(tools=[{"function": other, "type": "function"}])
    assert key(one, policy=loose) == key(two, policy=loose)


def test_a_simple_conversation_is_the_same_in_every_dialect() -> None:
    """Its answer can be told in any of them."""
    said = [turn("Hello"), turn("Hi!", "assistant"), turn("Why?")]
    one = key(chat(messages=[SYSTEM, *said], max_tokens=50))
    two = key(
        {"model": "faq", "temperature": 0, "max_tokens": 50, "system": "Be brief.", "messages": said},
        MESSAGES,
    )
    three = key(
        {
            "model": "faq",
            "temperature": 0,
            "max_output_tokens": 50,
            "instructions": "Be brief.",
            "input": said,
        },
        RESPONSES,
    )
    assert one == two == three


def test_the_version_that_every_client_of_a_dialect_sends_is_no_difference() -> None:
    """Another version, or a beta, is one: the provider is told of it."""
    body = {"model": "faq", "temperature": 0, "max_tokens": 50, "messages": [turn("Hello")]}
    usual = key(body, MESSAGES, headers=[(b"anthropic-version", b"2023-06-01")])
    assert usual == key(body, MESSAGES)
    assert usual != key(body, MESSAGES, headers=[(b"anthropic-version", b"2023-01-01")])
    assert usual != key(body, MESSAGES, headers=[(b"anthropic-beta", b"x")])


def test_headers_that_providers_are_told_are_compared() -> None:
    """All of them: whoever adds one to an adapter is reminded here."""
    for name in {openai._PASSED_ON} | simulated._PASSED_ON | {b"x-headgate-tier"}:
        assert key(chat(), headers=[(name, b"1")]) != key(chat()), name


# What does


@pytest.mark.parametrize(
    "instead",
    [
        {"model": "faq2"},
        {"messages": [SYSTEM, turn("How does a sluice work?")]},
        {"messages": [turn("How does a sluice work? ")]},
        {"messages": [turn("how does a sluice work?")]},
        {"messages": [turn("How does a sluice work?"), turn("", "assistant")]},
        {"messages": [turn("How does a"), turn("sluice work?")]},
        {"messages": [turn("How does a sluice work?", "assistant")]},
        {"messages": [turn("How does a sluice work?", "system")]},
        {"messages": [turn("How does a sluice work?", "developer")]},
        {"messages": [{**turn("How does a sluice work?"), "name": "Ann"}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "How does a"},
                        {"type": "text", "text": " sluice work?"},
                    ],
                }
            ]
        },
        {"temperature": 0.0001},
        {"top_p": 0.5},
        {"seed": 1},
        {"stop": ["."]},
        {"max_tokens": 10},
        {"n": 2},
        {"presence_penalty": 0.1},
        {"frequency_penalty": 0.1},
        {"reasoning_effort": "low"},
        {"response_format": {"type": "json_object"}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "object"}},
            }
        },
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
        {"logit_bias": {"5": 1}},
        {"verbosity": "low"},
        {"a_field_of_tomorrow": 1},
    ],
    ids=str,
)
def test_everything_that_changes_the_answer_is_compared(instead: dict[str, Any]) -> None:
    """Also what only a vendor knows, and what nobody knows yet."""
    loose = policy(when="always", let=["tools"])
    assert key(chat(**instead), policy=loose) != key(chat(), policy=loose)


def test_what_reading_a_body_loses_is_compared_all_the_same() -> None:
    """Providers of the same dialect get the body as it came: where a system message stood, and what its name was."""
    first = chat(messages=[SYSTEM, turn("Hello")])
    last = chat(messages=[turn("Hello"), SYSTEM])
    named = chat(messages=[{**SYSTEM, "name": "rules"}, turn("Hello")])
    assert asks(first).request == asks(last).request == asks(named).request
    assert len({key(first), key(last), key(named)}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"x":1}', b'{"x":1.0}'),
        (b'{"x":1e0}', b'{"x":1}'),
        (b'{"x":9007199254740993}', b'{"x":9007199254740992}'),
        (b'{"x":100000000000000000000000001}', b'{"x":100000000000000000000000000}'),
        (b'{"x":0.1}', b'{"x":0.10000000000000001}'),
        (b'{"x":"1"}', b'{"x":1}'),
        (b'{"x":null}', b'{"x":"null"}'),
        (b'{"x":null}', b"{}"),
        (b'{"x":[]}', b'{"x":{}}'),
        (b'{"x":true}', b'{"x":1}'),
        (b'{"x":["a","b"]}', b'{"x":["b","a"]}'),
        (b'{"x":"\\u00e9"}', b'{"x":"e\\u0301"}'),
    ],
)
def test_json_that_only_looks_alike_is_not(one: bytes, other: bytes) -> None:
    """Numbers that a reader of floats takes for the same, empty things of different kinds, texts of other code points."""
    body = b'{"model":"faq","temperature":0,"messages":[{"role":"user","content":"?"}],"extra":%b}'
    assert key(body % one) != key(body % other)


def test_the_way_a_feature_is_answered_is_compared() -> None:
    """Feature, model, route, prompt, index, tier, and the arm of an experiment."""
    found = {key(chat())}
    for other in (policy(feature="b"), policy(model="b"), policy(route=b"b" * 16)):
        found.add(key(chat(), policy=other))
    for name in ("prompt", "index_version", "route_as", "tier"):
        exchange = asks(chat())
        setattr(exchange, name, "b")
        found.add(identity_of(exchange, FAQ).key)
    for tag in ("prompt", "experiment", "arm"):
        found.add(key(chat(), headers=[(b"x-headgate-tags", tag.encode() + b"=b")]))
    assert len(found) == 11


def test_other_tags_and_the_session_make_no_difference() -> None:
    """They say where a request came from."""
    labels = [
        (b"x-headgate-tags", b"page=home, team=b"),
        (b"x-headgate-session", b"s1"),
        (b"traceparent", b"x"),
    ]
    assert key(chat(), headers=labels) == key(chat())


def test_what_is_found_out_on_the_way_makes_no_other_request() -> None:
    """After routing, an exchange has a tier that nobody asked for; the request is still the same."""
    exchange = asks(chat())
    exchange.tier, exchange.candidates = "simple", [None]  # type: ignore[list-item]
    assert identity_of(exchange, FAQ).key == key(chat())


def test_a_limit_that_the_gateway_puts_on_the_answer_is_compared() -> None:
    """A shorter answer is another answer."""
    exchange = asks(chat())
    exchange.limit_answer(5)
    assert identity_of(exchange, FAQ).key not in (key(chat()), key(chat(max_tokens=6)))


def test_an_edited_request_is_what_it_was_edited_to() -> None:
    """The body is no longer what the provider gets."""
    exchange = asks(chat("Which weir?"))
    request = exchange.request
    assert isinstance(request, ChatRequest)
    wanted = asks(chat()).request
    assert isinstance(wanted, ChatRequest)
    exchange.edit(msgspec.structs.replace(request, messages=wanted.messages))
    assert Identities().of(exchange, FAQ).key == key(chat())


# Vectors and counts


def test_vectors_are_compared_by_text_and_size() -> None:
    """Not by how they are written, and one text is a list of one."""
    base = {"model": "faq", "input": "a"}
    same = [base, {**base, "input": ["a"]}, {**base, "encoding_format": "base64"}, {**base, "user": "u"}]
    # A user in the body is somebody else: shared by the feature, they are the same.
    shared = policy(scope="feature")
    assert len({key(each, EMBEDDINGS, shared) for each in same}) == 1
    others = [
        {**base, "input": "b"},
        {**base, "dimensions": 8},
        {**base, "input": [1]},
        {**base, "input": [[1], [2]]},
    ]
    assert len({key(each, EMBEDDINGS, shared) for each in [base, *others]}) == 5


def test_counting_tokens_is_not_answering() -> None:
    """The same body asks for two things."""
    body = {"model": "faq", "temperature": 0, "max_tokens": 9, "messages": [turn("Hello")]}
    assert key(body, COUNT) != key(body, MESSAGES)
    assert identity(body, COUNT).question == ""


# What is the same but for the question


def test_the_last_question_is_apart_from_all_the_rest() -> None:
    """Neighbours are looked for among requests that differ in nothing else."""
    one, two = identity(chat("One?")), identity(chat("Two?"))
    assert (one.question, two.question) == ("One?", "Two?")
    assert one.compat == two.compat != one.key != two.key
    assert identity(chat(messages=[SYSTEM, turn("One?")])).compat != one.compat
    assert identity(chat("One?", max_tokens=5)).compat != one.compat
    assert identity(chat(messages=[turn("a"), turn("b", "assistant"), turn("One?")])).compat != one.compat


def test_the_question_is_found_where_the_body_itself_is_compared() -> None:
    """As with tools."""
    loose, tools = policy(let=["tools"]), [{"type": "function", "function": {"name": "f"}}]
    one = identity(chat("One?", tools=tools), policy=loose)
    two = identity(chat("Two?", tools=tools), policy=loose)
    assert one.question == "One?"
    assert one.compat == two.compat != one.key


@pytest.mark.parametrize(
    "messages",
    [
        [turn("a"), turn("b", "assistant")],
        [turn("a"), SYSTEM],
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "https://x.test/a"}},
                ],
            }
        ],
        [],
    ],
)
def test_without_a_question_in_words_there_is_nothing_to_compare_by_likeness(messages: list[Any]) -> None:
    """Then only equal requests are the same."""
    found = identity(chat(messages=messages))
    assert found.question == ""
    assert found.compat == found.key


def test_parts_of_a_question_are_counted() -> None:
    """Three short texts are not one long one."""
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    found = identity(chat(messages=[{"role": "user", "content": parts}]))
    assert found.question == "One\nTwo"
    assert found.compat != identity(chat("One\nTwo")).compat


# What cannot be compared


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"faq","temperature":0,"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}',
        b'{"model":"faq","temperature":0,"messages":[{"role":"user","content":"a","content":"b"}]}',
        b'{"model":"faq","temperature":0,"messages":[{"role":"user","content":"a"}],"x":{"y":1,"y":2}}',
    ],
)
def test_json_that_says_a_thing_twice_is_not_compared(body: bytes) -> None:
    """One reader takes the first, another the last: an answer to the one would be kept as an answer to the other."""
    found = Identities().look(asks(body), FAQ)
    assert found.identity is None
    assert "twice" in found.why_not
    with pytest.raises(InvalidRequest):
        identity_of(asks(body), FAQ)


def test_what_cannot_be_read_goes_its_way_without_the_cache() -> None:
    """The provider may understand it, or says what is wrong."""
    exchange = asks(chat(temperature="hot"))
    assert Identities().look(exchange, FAQ) == (None, "it cannot be read whole")


def test_what_is_very_long_is_not_compared() -> None:
    """It hardly comes twice."""
    found = Identities().look(asks(chat("a" * 1_000_001)), FAQ)
    assert (found.identity, found.why_not) == (None, "it is too long to be compared")


@pytest.mark.parametrize("depth", [100, 500, 900])
def test_deep_nesting_is_no_way_to_break_it(depth: int) -> None:
    """As deep as the edge lets through: it is compared, or goes its way."""
    nested = b"[" * depth + b"]" * depth
    body = b'{"model":"faq","temperature":0,"messages":[{"role":"user","content":"a"}],"x":%b}' % nested
    found = Identities().look(asks(body), FAQ)
    assert (found.identity is None) == bool(found.why_not)


def test_text_that_is_no_unicode_is_told_apart() -> None:
    """Half a surrogate pair, in fields that are passed on unread."""
    one, two = tree(b'{"x":"\\ud800"}'), tree(b'{"x":"\\ud801"}')
    assert packed(one) == packed(tree(b'{ "x": "\\ud800" }')) != packed(two)
    assert packed(tree(b'{"\\ud800":1}')) != packed(tree(b'{"\\ud801":1}'))


# What is remembered


def test_what_is_remembered_is_what_would_be_found() -> None:
    """For every body and every circumstance: the short way and the long way agree."""
    identities = Identities()
    cases = [
        (asks(chat(text), headers=headers, caller=caller), each)
        for text in ("a", "b")
        for headers in (
            [],
            [(b"x-headgate-user", b"u")],
            [(b"x-headgate-data", b"sensitive")],
            [(b"openai-beta", b"1")],
        )
        for caller in (
            APP,
            replace(APP, tenant="other"),
            replace(APP, key_id="key_2"),
            replace(APP, team="b"),
        )
        for each in (
            FAQ,
            policy(scope="team"),
            policy(scope="feature"),
            policy(sensitive=True),
            policy(feature="b"),
        )
    ]
    for _ in range(2):
        for exchange, each in cases:
            assert identities.look(exchange, each).identity == identity_of(exchange, each)


def test_what_is_remembered_is_bounded() -> None:
    """In number and in bytes; a long question is not remembered at all."""
    identities = Identities(most=3, most_bytes=1_000_000)
    for number in range(10):
        identities.look(asks(chat(str(number))), FAQ)
    assert len(identities._seen) == 3
    assert 0 < identities.bytes <= 1_000_000
    before = identities.bytes
    identities.look(asks(chat("x" * 10_000)), FAQ)
    assert identities.bytes == before
    identities.clear()
    assert identities.bytes == 0


def test_a_reason_against_it_makes_it_another_request() -> None:
    """Once the rules forbid it, nothing is found that was kept before."""
    body = chat("What is the weather today?")
    allowed, forbidden = policy(let=["time"]), FAQ
    assert Identities().look(asks(body), allowed).why_not == ""
    look = Identities().look(asks(body), forbidden)
    assert "now" in look.why_not
    assert look.identity is not None
    assert look.identity.key != identity(body, policy=allowed).key


def test_exchanges_are_not_held() -> None:
    """What is remembered outlives the request."""
    identities = Identities()

    class Watched(Exchange):
        __slots__ = ("__weakref__",)

    made = asks(chat())
    watched = Watched(id=2, dialect=CHAT, body=made.body, headers=[], received_at=0.0, started_ns=0)
    watched.peek, watched.caller = made.peek, made.caller
    identities.look(watched, FAQ)
    gone = weakref.ref(watched)
    del watched
    gc.collect()
    assert gone() is None


def test_what_matters_besides_the_body_is_in_its_place() -> None:
    """It is filled by position: a value in a neighbour's place would go unnoticed by whoever compares keys alone."""
    who = Caller("key", team="team", tenant="tenant", user="owner", roles=("service",))
    said = [(b"openai-beta", b"beta"), (b"x-headgate-user", b"u" * 300), (b"accept", b"*/*")]
    exchange = asks(chat(), caller=who, headers=said)
    exchange.route_as, exchange.tier, exchange.prompt = "as", "tier", "prompt"
    exchange.index_version, exchange.answer_limit = "index", 7
    exchange.tags = {"arm": "b", "other": "x"}
    rules = policy(feature="feature", route=b"route", model="model", scope="team")
    assert _context(exchange, rules)._asdict() == {
        "wire": "openai.chat",
        "operation": "chat",
        "feature": "feature",
        "model": "model",
        "route": b"route",
        "route_as": "as",
        "tier": "tier",
        "prompt": "prompt",
        "index_version": "index",
        "arm": (("arm", "b"),),
        "said": ((b"openai-beta", b"beta"),),
        "scope": "team",
        "tenant": "tenant",
        "team": "team",
        "key_id": "key",
        "key_user": "owner",
        "user": "u" * 256,
        "user_as_it_came": b"u" * 300,
        "answer_limit": 7,
    }
