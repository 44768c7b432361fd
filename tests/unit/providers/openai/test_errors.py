"""What OpenAI-like providers say when they refuse, read into our errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderRefusal
from headgate.providers.port import Headers
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_embeddings import OpenAIEmbeddings
from headgate.providers.wires.openai_errors import RULES, stream_refusal
from headgate.providers.wires.openai_responses import OpenAIResponses
from tests.support.wires import JSON_VALUES, UNHURRIED, cases, headers

__all__: list[str] = []

WIRES = [OpenAIChat(), OpenAIResponses(), OpenAIEmbeddings()]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("case", cases("openai", "errors.json"), ids=lambda case: case["about"])
def test_an_error_reply_becomes_its_class(case, wire):
    """By code, then words, then status; the same on all three wires, and the body is kept."""
    body = case["text"].encode() if "text" in case else json.dumps(case["body"]).encode()
    error = wire.decode_error(case["status"], headers(**case.get("headers", {})), body)
    assert isinstance(error, ProviderRefusal)
    found = (type(error).__name__, error.retry_after, error.param)
    assert found == (case["error"], case.get("retry_after"), case.get("param"))
    assert (error.wire, error.upstream_status, error.body) == (wire.name, case["status"], body)


def test_a_huge_error_page_is_cut():
    """Neither detail nor kept body grows with what a broken proxy sends."""
    error = OpenAIChat().decode_error(502, Headers(), b"<p>" + b"gone " * 200_000)
    assert isinstance(error, ProviderRefusal)
    assert len(error.detail) <= 300 and len(error.body) <= 65536


def test_our_credentials_do_not_reach_the_callers_message():
    """OpenAI repeats a part of a wrong key; that is for the record."""
    body = b'{"error":{"message":"Incorrect API key provided: sk-abc***xyz","code":"invalid_api_key"}}'
    error = OpenAIChat().decode_error(401, Headers(), body)
    assert "sk-" not in str(error) and error.fault == "provider"


def test_the_callers_own_mistake_is_explained_in_the_providers_words():
    """Whoever has to change the request must learn what is wrong with it."""
    body = b'{"error":{"message":"temperature must be below 2","type":"invalid_request_error","param":"temperature"}}'
    error = OpenAIChat().decode_error(400, Headers(), body)
    assert "temperature must be below 2" in str(error) and error.fault == "caller"


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.kind], ids=lambda rule: f"{rule.kind}-{rule.status}"
)
def test_every_rule_by_kind_can_decide(rule):
    """No earlier rule hides it."""
    body = {"error": {"message": "", "code": rule.kind}}
    status = rule.status or 400
    error = OpenAIChat().decode_error(status, Headers(), json.dumps(body).encode())
    assert type(error) is rule.error


ERROR_LIKE: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("message", "detail", "object", "code"), JSON_VALUES),
        "error": JSON_VALUES
        | st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(("message", "type", "code", "param", "status", "innererror"), JSON_VALUES),
        ),
    },
)


@UNHURRIED
@given(
    st.binary(max_size=100) | (JSON_VALUES | ERROR_LIKE).map(lambda value: json.dumps(value).encode()),
    st.integers(300, 600),
)
def test_any_body_makes_an_error(body, status):
    """Reading an error never fails itself."""
    assert isinstance(OpenAIChat().decode_error(status, Headers(), body), ProviderRefusal)
    assert isinstance(stream_refusal("openai.chat", body), ProviderRefusal)
