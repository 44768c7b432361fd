"""Errors in each dialect: the table is total, and the vendors' SDKs read the bodies."""

from __future__ import annotations

import json
from typing import get_args

import anthropic
import openai
import pytest
from anthropic._error_classes import ERROR_CLASSES
from anthropic.types.shared.error_type import ErrorType
from openai.types.responses.response_error import ResponseError

from headgate.core import errors
from headgate.core.errors import (
    Category,
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    NotAuthenticated,
    ProviderOverloaded,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRefusal,
    ProviderRejected,
    ShuttingDown,
    TransportFault,
    UpstreamCut,
)
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from headgate.edge.dialects.models import AnthropicModels, OpenAIModels
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.edge.problems import CATEGORIES, plain_response, should_retry
from headgate.exchange.dialect import Dialect, Peek
from tests.unit.edge.dialects.sdk import anthropic_client, openai_client

OPENAI: list[Dialect] = [OpenAIChat(), OpenAIResponses(), OpenAIEmbeddings(), OpenAIModels()]
ANTHROPIC: list[Dialect] = [AnthropicMessages(), AnthropicCountTokens(), AnthropicModels()]
STREAMING: list[Dialect] = [OpenAIChat(), OpenAIResponses(), AnthropicMessages()]


def all_errors(kind: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    """Every class of core/errors, walked down from its root."""
    found = [kind]
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found += all_errors(child)
    return found


def made(kind: type[GatewayError]) -> GatewayError:
    return kind(detail="what happened") if issubclass(kind, TransportFault) else kind("what happened")


ERRORS = sorted(set(all_errors()), key=lambda kind: kind.__name__)


def test_the_walk_finds_all_classes() -> None:
    """Every error that the module exports is walked, so none can be forgotten."""
    exported = {getattr(errors, name) for name in errors.__all__}
    assert {one for one in exported if isinstance(one, type)} == set(ERRORS)


def test_the_table_has_every_category_and_no_other() -> None:
    """A new category without words does not pass."""
    assert set(CATEGORIES) == set(get_args(Category))


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dialect", OPENAI, ids=lambda dialect: dialect.name)
def test_openai_dialects_say_every_error(dialect: Dialect, kind: type[GatewayError]) -> None:
    """Status, code, type and message in OpenAI's body; the request id in its header."""
    error = made(kind)
    status, headers, body = dialect.problem(error, "req_1")
    assert status == error.status
    said = json.loads(body)["error"]
    assert said == {
        "message": error.message,
        "type": CATEGORIES[error.category].openai,
        "param": None,
        "code": error.code,
    }
    assert dict(headers)[b"x-request-id"] == b"req_1"
    assert dict(headers)[b"content-type"] == b"application/json"


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dialect", ANTHROPIC, ids=lambda dialect: dialect.name)
def test_anthropic_dialects_say_every_error(dialect: Dialect, kind: type[GatewayError]) -> None:
    """Anthropic's body, a type its SDK knows, our code in the details; the request id in both headers."""
    error = made(kind)
    status, headers, body = dialect.problem(error, "req_1")
    said = json.loads(body)
    assert (said["type"], said["request_id"]) == ("error", "req_1")
    assert said["error"]["type"] in get_args(ErrorType)
    assert said["error"]["message"] == error.message
    assert said["error"]["details"] == {"error_code": error.code}
    assert dict(headers)[b"request-id"] == dict(headers)[b"x-request-id"] == b"req_1"
    assert status in (error.status, 402, 529)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dialect", STREAMING, ids=lambda dialect: dialect.name)
def test_every_error_can_end_a_stream(dialect: Dialect, kind: type[GatewayError]) -> None:
    """One or two complete events, whatever the error, also before the answer began."""
    written = dialect.encoder(Peek(model="m")).fail(made(kind), "req_1")
    assert written.endswith(b"\n\n")
    assert b"what happened" in written


def test_response_codes_are_openais() -> None:
    """The list of codes of a failed response is closed."""
    known = set(get_args(ResponseError.model_fields["code"].annotation))
    assert {words.response for words in CATEGORIES.values()} <= known


def test_our_codes_are_none_of_anthropics() -> None:
    """Else its SDK would raise the class of another error."""
    theirs = {code for _, code in ERROR_CLASSES if code}
    assert not theirs & {kind.code for kind in ERRORS}


@pytest.mark.parametrize(
    ("error", "status", "raised"),
    [
        (NotAuthenticated("no"), 401, anthropic.AuthenticationError),
        (InvalidRequest("no"), 400, anthropic.BadRequestError),
        (ProviderOverloaded("no"), 529, anthropic._exceptions.OverloadedError),
        (ProviderQuotaSpent("no"), 402, anthropic._exceptions.PaymentRequiredError),
        (ProviderRateLimited("no", retry_after=1.5), 429, anthropic.RateLimitError),
        (UpstreamCut(detail="no"), 502, anthropic.InternalServerError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else "",
)
def test_anthropics_sdk_raises_its_own_class(error: GatewayError, status: int, raised: type) -> None:
    """With our code and the request id; the statuses are the vendor's."""
    code, headers, body = AnthropicMessages().problem(error, "req_1")
    assert code == status
    with pytest.raises(anthropic.APIStatusError) as caught:
        anthropic_client(body, code, headers).messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "?"}]
        )
    assert type(caught.value) is raised
    assert (caught.value.error_code, caught.value.request_id) == (error.code, "req_1")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (NotAuthenticated("no"), openai.AuthenticationError),
        (InvalidRequest("no", param="messages[0].role"), openai.BadRequestError),
        (ProviderRateLimited("no", retry_after=1.5), openai.RateLimitError),
        (UpstreamCut(detail="no"), openai.InternalServerError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else "",
)
def test_openais_sdk_raises_its_own_class(error: GatewayError, raised: type) -> None:
    """With our code, the parameter and the request id."""
    code, headers, body = OpenAIChat().problem(error, "req_1")
    with pytest.raises(openai.APIStatusError) as caught:
        openai_client(body, code, headers).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "?"}]
        )
    assert type(caught.value) is raised
    assert (caught.value.code, caught.value.param) == (error.code, error.param)
    assert caught.value.request_id == "req_1"


def test_retry_headers_round_up() -> None:
    """Whole seconds for all, milliseconds for those who read them; never too early."""
    _, headers, _ = OpenAIChat().problem(ProviderRateLimited("no", retry_after=1.2345), "r")
    assert (dict(headers)[b"retry-after"], dict(headers)[b"retry-after-ms"]) == (b"2", b"1235")
    _, headers, _ = OpenAIChat().problem(ProviderRateLimited("no", retry_after=-3), "r")
    assert dict(headers)[b"retry-after"] == b"0"
    for unsaid in (None, float("inf"), float("nan")):
        _, headers, _ = OpenAIChat().problem(ProviderRateLimited("no", retry_after=unsaid), "r")
        assert b"retry-after" not in dict(headers)


def test_sdks_retry_only_what_we_have_not_retried() -> None:
    """A provider's fault has had our retries; our own pause is worth another try."""
    assert should_retry(ShuttingDown("a moment"))
    assert not should_retry(ProviderOverloaded("no"))
    assert not should_retry(InvalidRequest("no"))
    _, headers, _ = OpenAIChat().problem(ProviderOverloaded("no"), "r")
    assert dict(headers)[b"x-should-retry"] == b"false"


REFUSED = b'{"error":{"message":"their words","type":"invalid_request_error","their":"field"}}'


def test_a_providers_refusal_passes_to_its_own_dialect() -> None:
    """Body and status untouched, if the caller is to blame and speaks that wire."""
    error = ProviderRejected("no", upstream_status=422, body=REFUSED, wire="openai.chat")
    status, headers, body = OpenAIChat().problem(error, "req_1")
    assert (status, body) == (422, REFUSED)
    assert dict(headers)[b"x-request-id"] == b"req_1"
    error = ContextTooLong("no", upstream_status=400, body=REFUSED, wire="anthropic.messages")
    assert AnthropicMessages().problem(error, "req_1")[2] == REFUSED


@pytest.mark.parametrize(
    "error",
    [
        ProviderRejected("ours", upstream_status=400, body=REFUSED, wire="anthropic.messages"),
        ProviderRejected("ours", upstream_status=400, body=b"<html>", wire="openai.chat"),
        ProviderRejected("ours", upstream_status=200, body=REFUSED, wire="openai.chat"),
        ProviderRateLimited("ours", upstream_status=429, body=REFUSED, wire="openai.chat"),
    ],
    ids=["other wire", "html", "in a stream", "not the caller's fault"],
)
def test_all_else_is_said_in_our_words(error: ProviderRefusal) -> None:
    """What the provider said stays in the record."""
    _, _, body = OpenAIChat().problem(error, "r")
    assert json.loads(body)["error"]["message"] == "ours"


def test_a_plain_response_is_http_both_families_read() -> None:
    """For connections refused before any dialect is known."""
    head, _, body = plain_response(errors.HeadersTooLarge("too many headers")).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 431 Request Header Fields Too Large"
    assert f"content-length: {len(body)}" in lines
    assert "connection: close" in lines
    said = json.loads(body)
    assert (said["type"], said["error"]["code"]) == ("error", "headers_too_large")
