"""Whatever is sent, the provider answers as the vendor would: it never raises."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.providers.port import Headers
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.providers.simulated.simulation import PATHS, Simulation
from tests.support.simulated import FakeTime, chat, messages, responses
from tests.support.wires import JSON_VALUES, UNHURRIED

__all__: list[str] = []

PROVIDER = Simulation(SimulatedSettings(speed=0), FakeTime())
ROLES = st.sampled_from(["system", "user", "assistant"])
ODD = st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=3)
PARTS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["text", "image_url", "image", "tool_result", "tool_use", "input_text", "odd"]
            )
        },
        optional={
            "text": st.text(),
            "content": JSON_VALUES,
            "name": JSON_VALUES,
            "cache_control": JSON_VALUES,
        },
    ),
    max_size=3,
)
TURNS = st.lists(st.fixed_dictionaries({"role": ROLES, "content": st.text() | PARTS}), min_size=1, max_size=3)
TOOLS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["function", "custom"]), "name": st.text(min_size=1)},
        optional={
            "function": st.fixed_dictionaries({"name": st.text(min_size=1)}, optional={"parameters": ODD})
            | ODD,
            "description": JSON_VALUES,
            "parameters": ODD,
            "input_schema": ODD,
        },
    ),
    max_size=2,
)
SCHEMA = st.fixed_dictionaries(
    {"type": st.sampled_from(["json_schema", "text"])}, optional={"schema": ODD, "json_schema": ODD}
)
WELL_FORMED = st.fixed_dictionaries(
    {
        "model": st.just("m"),
        "messages": TURNS,
        "input": TURNS | st.text(min_size=1),
        "max_tokens": st.integers(1, 50),
    },
    optional={
        "stream": st.booleans(),
        "stop": st.text() | st.lists(st.text(), max_size=3),
        "stop_sequences": st.lists(st.text(), max_size=3),
        "n": st.integers(1, 3),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "tools": TOOLS,
        "tool_choice": st.sampled_from([{"type": "any"}, {"type": "tool", "name": "x"}]) | ODD,
        "response_format": SCHEMA,
        "text": ODD | SCHEMA.map(lambda form: {"format": form}),
        "output_config": ODD | SCHEMA.map(lambda form: {"format": form}),
        "thinking": ODD | st.just({"type": "adaptive"}),
        "reasoning": ODD,
        "system": st.text() | PARTS,
        "instructions": st.text(),
    },
)
FIELDS = [
    "model",
    "messages",
    "input",
    "max_tokens",
    "stream",
    "stop",
    "n",
    "tools",
    "tool_choice",
    "text",
    "thinking",
    "system",
]
BODIES = st.builds(
    dict.__or__, WELL_FORMED, st.just({}) | st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=1)
)


def statuses_of(path: str, body: bytes) -> int:
    """Status of the reply, after all of it was made; its body must be JSON or a stream."""
    script = PROVIDER.respond("POST", path.encode(), [(b"x-headgate-fault", b"none")], body)
    if script.whole is not None:
        json.loads(script.whole)
    else:
        assert b"".join(data for _, data in script.pieces)
    return script.status


@pytest.mark.parametrize("path", PATHS.values())
@settings(UNHURRIED, max_examples=60)
@given(BODIES)
def test_nearly_right_requests_are_answered_or_refused(path: str, body: dict[str, Any]) -> None:
    """200 or 400, never an exception."""
    assert statuses_of(path, json.dumps(body).encode()) in {200, 400}


@pytest.mark.parametrize("path", PATHS.values())
@UNHURRIED
@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused(path: str, body: bytes) -> None:
    """Bytes that are no JSON, and JSON that is no request."""
    assert statuses_of(path, body) == 400


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/chat/completions", chat() | {"messages": []}, "messages"),
        ("/v1/chat/completions", chat(n=0), "n"),
        ("/v1/chat/completions", chat(max_tokens=0), "max_tokens"),
        ("/v1/chat/completions", chat(stream="yes"), "stream"),
        ("/v1/chat/completions", {"messages": []}, None),
        ("/v1/responses", responses() | {"input": ""}, "input"),
        ("/v1/responses", responses(max_output_tokens=0), "max_output_tokens"),
    ],
)
def test_openais_refusal_names_the_field(path: str, body: dict[str, Any], param: str | None) -> None:
    """In the vendor's shape, with `param`."""
    script = PROVIDER.respond("POST", path.encode(), [], json.dumps(body).encode())
    error = json.loads(script.whole or b"")["error"]
    assert (script.status, error["type"], error["param"]) == (400, "invalid_request_error", param)


@pytest.mark.parametrize(
    "body", [messages() | {"messages": []}, {"model": "m", "messages": []}, messages(max_tokens=0)]
)
def test_anthropics_refusal_has_its_shape(body: dict[str, Any]) -> None:
    """type, error, request_id."""
    script = PROVIDER.respond("POST", b"/v1/messages", [], json.dumps(body).encode())
    told = json.loads(script.whole or b"")
    assert (script.status, told["type"], told["error"]["type"]) == (400, "error", "invalid_request_error")
    assert told["request_id"] == (script.headers.get(b"request-id") or b"").decode()


@pytest.mark.parametrize(
    ("method", "target"), [("GET", b"/v1/messages"), ("POST", b"/v1/none"), ("POST", b"\xff")]
)
def test_an_unknown_path_is_not_found(method: str, target: bytes) -> None:
    """With a body that says so."""
    script = PROVIDER.respond(method, target, [], b"{}")
    assert script.status == 404
    assert isinstance(script.headers, Headers)
    assert msgspec.json.decode(script.whole or b"")["error"]


def test_a_query_is_no_part_of_the_path() -> None:
    """Anthropic's SDK sends `?beta=true`."""
    raw = json.dumps(messages()).encode()
    assert PROVIDER.respond("POST", b"/v1/messages?beta=true", [], raw).status == 200
