"""Bodies of every dialect, changed: only what was asked for is different, whatever else stands there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.quality.replay.changing import ChangeRefused, Changes, changed_body

__all__: list[str] = []

CHATS = ("openai.chat", "openai.responses", "anthropic.messages")
LIMIT = {
    "openai.chat": "max_completion_tokens",
    "openai.responses": "max_output_tokens",
    "anthropic.messages": "max_tokens",
}
TALK = [{"role": "user", "content": "How high?"}, {"role": "assistant", "content": "High."}]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
OURS = {
    *("model", "messages", "input", "system", "instructions", "temperature", "stream", "stream_options"),
    *LIMIT.values(),
}
others = st.dictionaries(
    st.text(min_size=1, max_size=12).filter(lambda name: name not in OURS), values, max_size=5
)


def body_of(dialect: str, more: dict[str, Any]) -> dict[str, Any]:
    name = "input" if dialect == "openai.responses" else "messages"
    return {"model": "support", **more, name: TALK}


@pytest.mark.parametrize("dialect", [*CHATS, "openai.embeddings"])
@given(more=others, indent=st.sampled_from([None, 1, 4]))
def test_what_is_not_changed_is_the_same_bytes(
    dialect: str, more: dict[str, Any], indent: int | None
) -> None:
    """Spaces, order, escapes and unknown fields included."""
    body = json.dumps(body_of(dialect, more), indent=indent).encode()
    assert changed_body(dialect, body, Changes()) is body
    assert changed_body(dialect, body, Changes(prompt="tone@2")) is body
    assert changed_body(dialect, body, Changes(model="support")) == body


@pytest.mark.parametrize("dialect", CHATS)
@given(more=others)
def test_only_what_was_asked_for_changes(dialect: str, more: dict[str, Any]) -> None:
    """Every other field keeps its value and its place."""
    before = body_of(dialect, more)
    changes = Changes(model="large", temperature=0.25, max_tokens=77, set={"own_field": {"a": [1]}})
    after = json.loads(changed_body(dialect, json.dumps(before).encode(), changes))
    assert after == {
        **before,
        "model": "large",
        "temperature": 0.25,
        LIMIT[dialect]: 77,
        "own_field": {"a": [1]},
    }
    assert [name for name in after if name in before] == list(before)


@given(text=st.text(max_size=40), more=others)
def test_another_model_changes_nothing_but_the_name(text: str, more: dict[str, Any]) -> None:
    """Where it stands once, not even a space."""
    body = json.dumps({**more, "messages": [{"role": "user", "content": text}], "model": "support"}).encode()
    after = changed_body("openai.chat", body, Changes(model="large"))
    assert json.loads(after) == {**json.loads(body), "model": "large"}


def test_a_system_prompt_replaces_the_leading_ones() -> None:
    """The first one keeps its role and its other fields; one in the middle of the conversation stays."""
    system = [{"role": "developer", "content": "old", "name": "n"}, {"role": "system", "content": "older"}]
    late = {"role": "system", "content": "late"}
    body = json.dumps({"model": "m", "messages": [*system, *TALK, late]}).encode()
    after = json.loads(changed_body("openai.chat", body, Changes(system="new")))
    assert after["messages"] == [{"role": "developer", "content": "new", "name": "n"}, *TALK, late]
    none = json.loads(changed_body("openai.chat", body, Changes(system="")))
    assert none["messages"] == [*TALK, late]
    first = json.loads(
        changed_body(
            "openai.chat", json.dumps({"model": "m", "messages": TALK}).encode(), Changes(system="new")
        )
    )
    assert first["messages"] == [{"role": "system", "content": "new"}, *TALK]


def test_a_system_prompt_of_the_responses_api_is_its_instructions() -> None:
    """System messages that lead the input go; a plain text as input stays."""
    body = json.dumps(
        {"model": "m", "instructions": "old", "input": [{"role": "system", "content": "x"}, *TALK]}
    ).encode()
    after = json.loads(changed_body("openai.responses", body, Changes(system="new")))
    assert after == {"model": "m", "instructions": "new", "input": TALK}
    plain = json.loads(
        changed_body("openai.responses", b'{"model":"m","input":"hello"}', Changes(system="new"))
    )
    assert plain == {"model": "m", "input": "hello", "instructions": "new"}
    none = json.loads(changed_body("openai.responses", body, Changes(system="")))
    assert "instructions" not in none


def test_an_anthropic_system_prompt_stays_cached_if_it_was() -> None:
    """The mark of the provider's cache goes along: else the costs could not be compared."""
    mark = {"type": "ephemeral"}
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": mark}]
    body = json.dumps({"model": "m", "max_tokens": 9, "system": blocks, "messages": TALK}).encode()
    after = json.loads(changed_body("anthropic.messages", body, Changes(system="new")))
    assert after["system"] == [{"type": "text", "text": "new", "cache_control": mark}]
    text = json.dumps({"model": "m", "max_tokens": 9, "system": "old", "messages": TALK}).encode()
    assert json.loads(changed_body("anthropic.messages", text, Changes(system="new")))["system"] == "new"
    assert "system" not in json.loads(changed_body("anthropic.messages", body, Changes(system="")))


def test_the_limit_is_written_where_one_stands() -> None:
    """Older servers know only the older name; where both stand, both are changed."""

    def limits(**said: int) -> dict[str, int]:
        body = json.dumps({"model": "m", "messages": TALK, **said}).encode()
        after = json.loads(changed_body("openai.chat", body, Changes(max_tokens=5)))
        return {name: value for name, value in after.items() if name.startswith("max")}

    assert limits(max_tokens=9) == {"max_tokens": 5}
    assert limits(max_tokens=9, max_completion_tokens=9) == {"max_tokens": 5, "max_completion_tokens": 5}
    assert limits() == {"max_completion_tokens": 5}


def test_a_stream_becomes_whole_without_its_options() -> None:
    """OpenAI refuses options of a stream where there is none."""
    body = b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true},"x":1}'
    assert json.loads(changed_body("openai.chat", body, Changes(stream=False))) == {
        "model": "m",
        "messages": [],
        "stream": False,
        "x": 1,
    }
    assert changed_body("openai.chat", body, Changes(stream=True)) is body
    whole = b'{"model":"m","messages":[]}'
    assert json.loads(changed_body("openai.chat", whole, Changes(stream=True)))["stream"] is True
    assert changed_body("openai.chat", whole, Changes(stream=False)) is whole


def test_dots_lead_inwards() -> None:
    """What stands beside stays; what is not there is made."""
    body = b'{"model":"m","reasoning":{"effort":"high","own":1.50},"input":"x"}'
    changes = Changes(set={"reasoning.effort": "low", "text.format.type": "json_object"})
    after = changed_body("openai.responses", body, changes)
    assert b'"own":1.50' in after
    assert json.loads(after)["reasoning"] == {"effort": "low", "own": 1.5}
    assert json.loads(after)["text"] == {"format": {"type": "json_object"}}
    gone = json.loads(changed_body("openai.responses", body, Changes(unset=("reasoning.own", "input"))))
    assert gone == {"model": "m", "reasoning": {"effort": "high"}}


@pytest.mark.parametrize(
    ("dialect", "changes", "words"),
    [
        ("anthropic.count_tokens", Changes(), "cannot be sent again"),
        ("openai.embeddings", Changes(system="x"), "has no system"),
        ("openai.embeddings", Changes(stream=True), "has no stream"),
        ("openai.chat", Changes(set={"model": "x"}), "option of its own"),
        ("openai.chat", Changes(set={"stream": True}), "option of its own"),
        ("openai.chat", Changes(set={"": 1}), "names no field"),
        ("openai.chat", Changes(set={"a..b": 1}), "names no field"),
        ("openai.chat", Changes(set={"messages.x": 1}), "is no object"),
        ("openai.chat", Changes(unset=("temprature",)), "did you mean"),
        ("openai.chat", Changes(set={"x": object()}), "is not JSON"),
    ],
)
def test_what_cannot_be_changed_is_told(dialect: str, changes: Changes, words: str) -> None:
    """In words, and with what is near."""
    with pytest.raises(ChangeRefused, match=words):
        changed_body(dialect, b'{"model":"m","messages":[],"temperature":1}', changes)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    """It may have been refused then, too."""
    with pytest.raises(ChangeRefused):
        changed_body("openai.chat", body, Changes(model="x"))
    with pytest.raises(ChangeRefused):
        changed_body("openai.chat", body, Changes(temperature=1))
