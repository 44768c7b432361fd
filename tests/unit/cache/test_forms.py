"""Answers in a form that was asked for are kept if they have it: in every dialect's way of asking, and for what tools are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.cache.schemas import MOST_SCHEMA
from headgate.testing.scripted import Script
from tests.support.aio import aio
from tests.support.recalling import Remembering, body, remembering, settled
from tests.support.small_gateway import answer

__all__: list[str] = []

SCHEMA = {
    "type": "object",
    "properties": {"gates": {"type": "array", "items": {"type": "object", "required": ["name"]}}},
    "required": ["gates"],
    "additionalProperties": False,
}
GOOD, BAD = '{"gates": [{"name": "north"}]}', '{"gates": [{"nome": "north"}]}'
FITS_NOT = "it does not fit the schema that was asked for"


def chat(schema: Any) -> tuple[str, bytes]:
    form = {"type": "json_schema", "json_schema": {"name": "gates", "strict": True, "schema": schema}}
    return "/v1/chat/completions", body(response_format=form)


def responses(schema: Any) -> tuple[str, bytes]:
    form = {"format": {"type": "json_schema", "name": "gates", "schema": schema}}
    return "/v1/responses", json.dumps(
        {"model": "small", "temperature": 0, "input": "hello", "text": form}
    ).encode()


def messages(schema: Any) -> tuple[str, bytes]:
    form = {"format": {"type": "json_schema", "schema": schema}}
    return "/v1/messages", body(max_tokens=100, output_config=form)


def older_messages(schema: Any) -> tuple[str, bytes]:
    return "/v1/messages", body(max_tokens=100, output_format={"type": "json_schema", "schema": schema})


def calling(name: str, arguments: str) -> Script:
    made = json.loads(answer().pieces[0])  # type: ignore[arg-type]
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}
    made["choices"][0] |= {
        "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": None, "tool_calls": [call]},
    }
    return Script(pieces=[json.dumps(made).encode()], headers=answer().headers)


async def ask_twice(one: Remembering, path: str, content: bytes) -> int:
    """How many calls it took."""
    for _ in range(2):
        told = await one.ask(content, path=path)
        assert told.status == 200, told.body
        await settled()
    return one.calls


@pytest.mark.parametrize("asking", [chat, responses, messages, older_messages])
@aio
async def test_an_answer_that_does_not_fit_is_asked_for_again(asking: Any) -> None:
    """It goes out as it is: what is done with it is the caller's business. It is not given to the next one."""
    path, content = asking(SCHEMA)
    assert await ask_twice(remembering(answer(GOOD)), path, content) == 1
    one = remembering(answer(BAD))
    assert await ask_twice(one, path, content) == 2
    assert (await one.store.sizes()).entries == 0
    first, second = one.seen
    assert "cache" not in first.notes
    assert second.notes["cache"] == f"the last answer to this was not kept: {FITS_NOT}"


@aio
async def test_a_good_answer_after_a_bad_one_is_kept() -> None:
    """And nothing is said of the bad one any more."""
    path, content = chat(SCHEMA)
    one = remembering(answer(BAD), answer(GOOD))
    assert await ask_twice(one, path, content) == 2
    assert (await one.ask(content, path=path)).headers["x-cache"] == "HIT (exact)"
    again = await one.ask(content, path=path, headers={"cache-control": "no-cache"})
    assert again.headers["x-cache"] == "REFRESH" and "cache" not in one.seen[-1].notes


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize(
    ("name", "arguments", "calls"),
    [("report", GOOD, 1), ("report", BAD, 2), ("report", "{", 2), ("other", GOOD, 2)],
)
@aio
async def test_what_a_tool_is_told_has_to_fit_too(path: str, name: str, arguments: str, calls: int) -> None:
    """Where answers that call tools are kept at all. Forms were asked for by a tool before there was another way."""
    tool: dict[str, Any] = {"name": "report", "parameters": SCHEMA}
    asked: dict[str, Any] = json.loads(body(max_tokens=100))
    if path == "/v1/messages":
        asked["tools"] = [{"name": "report", "input_schema": SCHEMA}]
        asked["tool_choice"] = {"type": "tool", "name": "report"}
    elif path == "/v1/responses":
        asked = {
            "model": "small",
            "temperature": 0,
            "input": "hello",
            "tools": [{"type": "function", **tool}],
        }
    else:
        asked["tools"] = [{"type": "function", "function": tool}]
    one = remembering(calling(name, arguments), let=["tools"])
    for _ in range(2):
        await one.ask(json.dumps(asked).encode(), path=path)
        await settled()
    assert one.calls == calls


@aio
async def test_a_schema_that_is_too_large_is_a_reason_against_memory() -> None:
    """Said on the record of the very request, and nothing is looked for or kept."""
    path, content = chat({**SCHEMA, "description": "x" * MOST_SCHEMA})
    one = remembering(answer(GOOD))
    assert await ask_twice(one, path, content) == 2
    assert {each.cache for each in one.seen} == {"bypass"}
    assert one.seen[0].notes["cache"] == "the schema that was asked for is too large to be checked"


@aio
async def test_a_schema_that_cannot_be_checked_is_one_from_the_second_time_on() -> None:
    """Whether it can be is found out after the first answer, so that nobody waits for it."""
    path, content = chat({"$ref": "https://example.com/schema.json"})
    one = remembering(answer(GOOD))
    assert await ask_twice(one, path, content) == 2
    assert [each.cache for each in one.seen] == ["miss", "bypass"]
    assert one.seen[1].notes["cache"].endswith("is not in it, and nothing is fetched")
