"""A limit on the answer is put into a caller's body where it is certain to count, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.edge.dialects.openai_chat import OpenAIChat as ChatDialect
from headgate.edge.dialects.openai_responses import OpenAIResponses as ResponsesDialect
from headgate.providers.port import Limiting
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_responses import OpenAIResponses

__all__: list[str] = []

KEYS = st.sampled_from(["max_tokens", "max_completion_tokens", "max_output_tokens", "x", "ü", 'a"b', "model"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, JSON, max_size=5), st.booleans(), st.integers(1, 10**6))
def test_the_limit_is_the_only_thing_that_is_added(fields: dict[str, Any], ascii_: bool, most: int) -> None:
    """Or nothing is, because the body may say one already, at any depth."""
    fields = {"model": "m", **fields}
    body = json.dumps(fields, ensure_ascii=ascii_, indent=1).encode()
    for wire, name in ((OpenAIChat(), "max_tokens"), (OpenAIResponses(), "max_output_tokens")):
        assert isinstance(wire, Limiting)
        limited = wire.limit(body, most)
        if limited is None:
            assert "max_" in json.dumps(fields)
        else:
            assert name not in fields
            assert json.loads(limited) == {**fields, name: most}


@pytest.mark.parametrize(
    "field",
    [
        '"max_tokens":null',
        '"max_completion_tokens":null',
        '"max\\u005ftokens":null',
        '"\\u006dax_tokens":null',
        '"tools":[{"max_tokens":{}}]',
    ],
)
def test_a_body_that_may_say_one_is_left_alone(field: str) -> None:
    """Of two fields of one name servers take the first or the last."""
    body = f'{{"model":"m","messages":[],{field}}}'.encode()
    assert OpenAIChat().limit(body, 5) is None


def test_the_name_is_the_one_that_the_server_knows() -> None:
    """Older servers overlook the newer name, newer models refuse the older one."""
    body = b'{"model":"m","messages":[]} '
    newer = OpenAIChat(max_tokens_field="max_completion_tokens")
    assert newer.limit(body, 5) == b'{"model":"m","messages":[],"max_completion_tokens":5} '
    for wire in (OpenAIChat(), newer):
        assert ChatDialect().peek(wire.limit(body, 5) or b"").max_tokens == 5
    limited = OpenAIResponses().limit(b'{"model":"m","input":"x"}', 5)
    assert ResponsesDialect().peek(limited or b"").max_tokens == 5
