"""Requests, conversations and exports over HTTP, and a user who is forgotten: to whom what is told, and within which bounds."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from headgate.core.ids import request_id_text
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import Content, RequestRow
from tests.support.aio import aio
from tests.support.operating import Operating

__all__: list[str] = []


def there(*given: dict[str, Any]) -> Operating:
    """Requests of this moment, the newest last."""
    found = Operating()
    rows, contents = [], []
    for number, each in enumerate(given, start=1):
        words = each.pop("said", "Hello")
        data = msgspec.json.encode({"messages": [{"role": "user", "content": words}]})
        contents.append(Content(hash=f"{number:032x}", kind="openai.chat", data=data, size=len(data)))
        rows.append(RequestRow(number << 22, time.time_ns(), "t", request_content=f"{number:032x}", **each))
    found.spans.write(Batch(journal="j", position=Position(1, 1), requests=rows, contents=contents))
    return found


def ids(told: Any) -> list[int]:
    return [int(each["routed_model"]) for each in told.json["items"]]


@aio
async def test_text_is_found_by_whoever_may_read_it_and_refused_to_others() -> None:
    """To find it would tell that it is there."""
    gate = there({"said": "the blue whale", "routed_model": "1"}, {"said": "nothing", "routed_model": "2"})
    assert ids(await gate.ask("GET", "/api/requests?text=Blue", key="owner")) == [1]
    for role in ("viewer", "operator", "developer"):
        for path in ("/api/requests", "/api/exports/requests"):
            assert (await gate.ask("GET", f"{path}?text=Blue", key=role)).code == "not_allowed"


@pytest.mark.parametrize(
    "query",
    ["slower=soon", "status=6xx", "tag=x", "score=%3C1", "stream=perhaps", "replay_of=7", "cursor=7", "cursor=req_zzzzzzzzzzzzz", "since=x"],
)  # fmt: skip
@aio
async def test_what_cannot_be_looked_for_is_said_with_its_name(query: str) -> None:
    """In the words of the command line."""
    for path in ("/api/requests", "/api/exports/requests"):
        told = await there({}).ask("GET", f"{path}?{query}")
        assert (told.status, told.code, told.json["param"]) == (
            400,
            "invalid_request",
            query.partition("=")[0],
        )


@aio
async def test_pages_of_an_export_hold_whole_requests() -> None:
    """With contents only for whoever asks for them and may have them."""
    gate = there(
        *(
            {"feature": "chat", "error_detail": "their words", "said": f"words {number}"}
            for number in range(5)
        )
    )
    first = (await gate.ask("GET", "/api/exports/requests?limit=3&content=true", key="owner")).json
    assert [each["prompt"]["text"][-10:] for each in first["items"]] == [
        f'ords {number}"}}]}}'[-10:] for number in (4, 3, 2)
    ]
    assert first["items"][0]["request"]["id"] == request_id_text(5 << 22)
    rest = (await gate.ask("GET", f"/api/exports/requests?limit=3&cursor={first['next']}", key="owner")).json
    assert len(rest["items"]) == 2 and rest["next"] is None and rest["items"][0]["prompt"] is None
    plain = await gate.ask("GET", "/api/exports/requests", key="viewer")
    assert b"words" not in plain.body and len(plain.json["items"]) == 5
    assert (await gate.ask("GET", "/api/exports/requests?content=true", key="viewer")).code == "not_allowed"


@aio
async def test_a_conversation_is_told_turn_by_turn() -> None:
    """In order; what was said only to whoever may read it."""
    gate = there({"session": "s/1", "said": "one?"}, {"session": "x"}, {"session": "s/1", "said": "two?"})
    told = (await gate.ask("GET", "/api/conversation?session=s%2F1", key="owner")).json
    assert (
        [turn["asked"] for turn in told["turns"]] == ["one?", "two?"]
        and told["content"]
        and told["next"] is None
    )
    told = (await gate.ask("GET", "/api/conversation?session=s%2F1&limit=1", key="owner")).json
    assert [turn["asked"] for turn in told["turns"]] == ["two?"]
    told = (
        await gate.ask("GET", f"/api/conversation?session=s%2F1&cursor={told['next']}", key="viewer")
    ).json
    assert [turn["asked"] for turn in told["turns"]] == [""] and not told["content"]
    assert (await gate.ask("GET", "/api/conversation?session=none")).code == "not_found"
    assert (await gate.ask("GET", "/api/sessions?cursor=x")).code == "invalid_request"
    assert (await gate.ask("GET", "/api/sessions")).json == {"items": [], "next": None}


@aio
async def test_what_belongs_to_the_same_doing_stands_beside_a_request() -> None:
    """Of its trace, its session, and what repeats it."""
    gate = there(
        {"session": "s", "parent_id": "p"},
        {"session": "s"},
        {"parent_id": "p"},
        {"replay_of": 1 << 22, "purpose": "replay"},
    )
    shown = (await gate.ask("GET", f"/api/requests/{request_id_text(1 << 22)}", key="viewer")).json
    names = [request_id_text(number << 22) for number in range(1, 5)]
    assert [each["id"] for each in shown["same_session"]] == [names[1]]
    assert [each["id"] for each in shown["same_trace"]] == [names[2]]
    assert [(each["id"], each["replay_of"]) for each in shown["replays"]] == [(names[3], names[0])]
    assert shown["waterfall"][0]["number"] == 0


@aio
async def test_an_owner_has_a_user_forgotten_and_nobody_else_does() -> None:
    """Under the actor's own name; a user whose key is valid is not forgotten yet."""
    gate = there()
    told = await gate.ask("DELETE", "/api/users/ann@x?whole=true", key="owner")
    assert (told.status, told.json["requests"]) == (200, 2)
    assert gate.forgotten == [("ann@x", "api:key_owner", True)]
    assert (await gate.ask("DELETE", "/api/users/has-a-key", key="owner")).status == 409
    for role in ("operator", "developer", "reviewer", "viewer", "service"):
        assert (await gate.ask("DELETE", "/api/users/ann", key=role)).code == "not_allowed"
    assert len(gate.forgotten) == 2
