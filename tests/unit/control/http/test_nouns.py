"""What is told of changes, requests, costs, the configuration and rehearsals, and to whom."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from headgate.core.ids import request_id_text
from headgate.stores.audit import AuditEntry
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow
from tests.support.aio import aio
from tests.support.operating import Operating

__all__: list[str] = []


def stored(there: Operating, *rows: RequestRow, **more: Any) -> None:
    there.spans.write(Batch(journal="j", position=Position(1, 1), requests=rows, **more))


def request(number: int, **given: Any) -> RequestRow:
    values: dict[str, Any] = {
        "feature": "chat",
        "cost_nanos": 1_500_000,
        "cost_label": "exact",
        "attempts": 1,
    }
    return RequestRow(number << 22, time.time_ns(), "t", **(values | given))


@aio
async def test_everybody_is_told_who_they_are() -> None:
    """A key tells by itself what it may."""
    there = Operating()
    told = (await there.ask("GET", "/api/me", key="service")).json
    assert told["id"] == "key_service" and told["roles"] == ["service"]
    assert "api.me" in told["may"] and "openai.chat" in told["may"] and "api.keys.list" not in told["may"]


@aio
async def test_the_configuration_is_told_in_words_and_without_secrets() -> None:
    """Where something is, and not how one gets in."""
    told = await Operating().ask("GET", "/api/config", key="viewer")
    assert told.json["features"] == [{"name": "chat", "about": "small, then large"}]
    assert told.json["models"] == [{"name": "small", "about": "house/llama in eu"}]
    assert "https://...@models.test/v1" in told.json["providers"][0]["about"]
    assert not any(secret in told.body for secret in (b"sk-secret", b"ann", b"pw@"))


@aio
async def test_changes_come_in_pages_the_latest_first() -> None:
    """Each once, though more are added."""
    there = Operating()
    for number in range(5):
        await there.audit.add(
            AuditEntry(at_ns=number * 10**9, actor="cli:ann", action="key.create", after=f'{{"n":{number}}}')
        )
    first = (await there.ask("GET", "/api/audit?limit=2")).json
    assert [each["after"]["n"] for each in first["items"]] == [4, 3]
    await there.audit.add(AuditEntry(at_ns=time.time_ns(), actor="x", action="y"))
    second = (await there.ask("GET", f"/api/audit?limit=3&cursor={first['next']}")).json
    assert [each["id"] for each in second["items"]] == [3, 2, 1] and second["next"] is None
    recent = (await there.ask("GET", "/api/audit?since=1h")).json["items"]
    assert [(each["actor"], each["before"], each["after"]) for each in recent] == [("x", None, None)]


@aio
async def test_requests_come_in_pages_the_latest_first_and_by_what_is_asked() -> None:
    """Features, users, keys, how they ended."""
    there = Operating()
    stored(
        there,
        request(1),
        request(2, user="ann", tags='{"task":"t"}'),
        request(3, feature="", outcome="failed", error_class="total_timeout", error_detail="secret words"),
        request(4, cost_nanos=None, cost_label="unknown"),
    )
    first = (await there.ask("GET", "/api/requests?limit=3", key="viewer")).json
    assert [each["id"] for each in first["items"]] == [request_id_text(n << 22) for n in (4, 3, 2)]
    assert first["items"][0]["cost_usd"] is None and first["items"][2]["tags"] == {"task": "t"}
    assert first["items"][2]["cost_usd"] == "0.001500000"
    second = (await there.ask("GET", f"/api/requests?limit=3&cursor={first['next']}")).json
    assert [each["id"] for each in second["items"]] == [request_id_text(1 << 22)] and second["next"] is None
    for query, expected in (
        ("user=ann", [2]),
        ("feature=", [3]),
        ("outcome=failed", [3]),
        ("feature=chat&until=1h", []),
        ("since=1h", [4, 3, 2, 1]),
        ("key=key_nobody", []),
    ):
        found = (await there.ask("GET", f"/api/requests?{query}")).json["items"]
        assert [each["id"] for each in found] == [request_id_text(n << 22) for n in expected], query
    assert b"secret words" not in (await there.ask("GET", "/api/requests")).body
    assert (await there.ask("GET", "/api/requests?since=1h&until=2h")).code == "invalid_request"
    assert (await there.ask("GET", "/api/requests?outcome=bad")).code == "invalid_request"


@pytest.mark.parametrize(
    ("role", "reads"),
    [("owner", True), ("operator", False), ("developer", False), ("reviewer", True), ("viewer", False)],
)
def test_prompts_and_answers_are_told_to_those_who_may_read_them(role: str, reads: bool) -> None:
    """The rest of a request to all who see the dashboard; a provider's own words may quote the prompt."""

    @aio
    async def run() -> None:
        there = Operating()
        row = request(
            1, request_content="aa", reply_content="bb", notes='{"route":"why"}', error_detail="SECRET"
        )
        answer = b'{"choices":[{"message":{"content":"SECRET reply"}}]}'
        stored(
            there,
            row,
            attempts=[AttemptRow(9, row.id, 1, "house", "llama", status=500, error_detail="SECRET too")],
            contents=[
                Content(hash="aa", kind="openai.chat", data=b'{"x":"SECRET prompt"}', size=99),
                Content(hash="bb", kind="openai.chat", data=answer, size=len(answer)),
            ],
        )
        told = await there.ask("GET", f"/api/requests/{request_id_text(row.id)}", key=role)
        assert told.status == 200 and told.json["content"] is reads
        assert (b"SECRET" in told.body) is reads
        assert told.json["attempts"][0]["status"] == 500 and told.json["notes"] == {"route": "why"}
        if reads:
            assert told.json["prompt"]["truncated"] and told.json["reply_text"] == "SECRET reply"
        else:
            assert told.json["prompt"] is told.json["reply"] is None

    run()


@aio
async def test_what_is_no_request_is_not_found() -> None:
    """Whether it looks like an id or not."""
    there = Operating()
    for name in ("req_0akrzmj8b5g00", "x", "1", "req_zzzzzzzzzzzzz"):
        assert (await there.ask("GET", f"/api/requests/{name}")).code == "not_found"


@aio
async def test_costs_are_added_up_by_what_is_asked() -> None:
    """As the command does; more sums than asked for are in the total."""
    there = Operating()
    stored(
        there,
        request(1),
        request(2, user="ann", cost_label="estimated"),
        request(3, feature="search", cost_nanos=9_000_000),
        request(4, purpose="shadow"),
    )
    told = (await there.ask("GET", "/api/costs", key="viewer")).json
    assert [(each["group"]["feature"], each["cost_usd"]) for each in told["items"]] == [
        ("search", "0.009000000"),
        ("chat", "0.003000000"),
    ]
    assert told["total"]["requests"] == 3 and told["total"]["estimated_usd"] == "0.001500000"
    assert told["apart"][0]["group"] == {"purpose": "shadow", "feature": "chat"}
    told = (await there.ask("GET", "/api/costs?by=user,day&limit=1&feature=chat")).json
    assert (
        len(told["items"]) == 1
        and told["left_out"] == 1
        and set(told["items"][0]["group"]) == {"user", "day"}
    )
    refused = await there.ask("GET", "/api/costs?by=colour")
    assert refused.json["param"] == "by" and "tag:NAME" in refused.json["detail"]


@aio
async def test_a_rehearsal_is_ordered_listed_and_ended() -> None:
    """By its number, once; both in the log."""
    there = Operating()
    made = await there.ask(
        "POST", "/api/rehearsals", {"endpoint": "small", "fault": "cut", "feature": "chat"}
    )
    assert made.status == 201 and made.json["targets"] == ["house/llama"] and made.json["fault"] == "cut:5"
    assert (await there.ask("GET", "/api/rehearsals", key="viewer")).json["items"] == [made.json]
    ended = await there.ask("DELETE", f"/api/rehearsals/{made.json['id']}")
    assert ended.json["state"] == "stopped"
    again = await there.ask("DELETE", f"/api/rehearsals/{made.json['id']}")
    assert again.code == "not_found" and "running are: none" in again.json["detail"]
    assert (await there.ask("GET", "/api/rehearsals")).json["items"] == []
    assert len((await there.ask("GET", "/api/rehearsals?state=all")).json["items"]) == 1
    log = await there.audit.since(0, 9)
    assert [(each.action, each.subject) for each in log] == [
        ("rehearsal.start", "1"),
        ("rehearsal.stop", "1"),
    ]
    assert msgspec.json.decode(log[1].after)["stopped"] and log[0].actor == "api:key_owner"


@pytest.mark.parametrize(
    ("body", "param", "told"),
    [
        ({"endpoint": "hous"}, "endpoint", "did you mean `house`?"),
        ({"endpoint": "chat"}, "endpoint", "is a feature"),
        ({"fault": "silense"}, "fault", "did you mean `silence`?"),
        ({"feature": "chet"}, "feature", "did you mean `chat`?"),
        ({"duration": "25h"}, "duration", "24 hours"),
        ({"duration": "0s"}, "duration", "more than 0"),
        ({"duration": "soon"}, "duration", "not a duration"),
        ({"share": 0}, "share", ""),
        ({"share": 2}, "share", ""),
    ],
)
def test_a_rehearsal_that_makes_no_sense_is_not_ordered(body: dict[str, Any], param: str, told: str) -> None:
    """A typing error must not look like a rehearsal that everything survived."""

    @aio
    async def run() -> None:
        there = Operating()
        refused = await there.ask("POST", "/api/rehearsals", {"endpoint": "*", "fault": "silence", **body})
        assert (refused.status, refused.json["param"]) == (400, param) and told in refused.json["detail"]
        assert await there.rehearsals.all() == []

    run()


@aio
async def test_rehearsals_come_in_pages() -> None:
    """The latest first."""
    there = Operating()
    for _ in range(3):
        await there.ask("POST", "/api/rehearsals", {"endpoint": "*", "fault": "silence"})
    first = (await there.ask("GET", "/api/rehearsals?limit=2")).json
    assert [each["id"] for each in first["items"]] == [3, 2]
    last = (await there.ask("GET", f"/api/rehearsals?limit=2&cursor={first['next']}")).json
    assert [each["id"] for each in last["items"]] == [1] and last["next"] is None
    assert (await there.ask("GET", "/api/rehearsals?cursor=0")).json["items"] == []
