"""What is told of budgets and the ledger, and how money is put in: once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from headgate.core.ids import request_id_text
from headgate.stores.ledger import Entry
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.aio import aio
from tests.support.operating import Operating

__all__: list[str] = []


@aio
async def test_a_deposit_is_made_told_and_in_the_log() -> None:
    """Under the name that its payer gave it, which counts once."""
    there = Operating()
    paid = {
        "budget": "credits",
        "usd": "12.50",
        "subject": "ann",
        "note": "thanks",
        "reference": "invoice-17",
    }
    made = await there.ask("POST", "/api/deposits", paid)
    assert made.status == 201 and "location" not in made.headers
    assert made.json["event"] == "deposit:invoice-17" and made.json["usd"] == "12.500000000"
    again = await there.ask("POST", "/api/deposits", paid)
    assert (again.status, again.code) == (409, "conflict") and "nothing was changed" in again.json["detail"]
    for _ in range(2):
        assert (await there.ask("POST", "/api/deposits", {**paid, "usd": "1", "reference": ""})).status == 201
    assert await there.ledger.deposits() == {("credits", "ann"): 14_500_000_000}
    told = (await there.ask("GET", "/api/budgets?budget=credits", key="viewer")).json
    (state,) = told["items"]
    assert (state["subject"], state["amount_usd"], state["spent_usd"], state["part"]) == (
        "ann",
        "14.500000000",
        "0.000000000",
        0.0,
    )
    assert state["begins_anew"] is None
    log = await there.audit.since(0, 9)
    assert [each.action for each in log] == ["budget.deposit"] * 3 and log[0].actor == "api:key_owner"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"budget": "credit"}, 404, "did you mean `credits`?"),
        ({"budget": "monthly"}, 400, "begins anew each month"),
        ({"subject": ""}, 400, "say whose"),
        ({"usd": "0"}, 400, "other than 0"),
        ({"usd": "1e9"}, 400, "`usd`"),
        ({"usd": "9999999999"}, 400, "a billion at most"),
        ({"usd": 5}, 400, "`usd`"),
        ({"reference": "a b"}, 400, "`reference`"),
    ],
)
def test_a_deposit_that_makes_no_sense_is_not_made(body: dict[str, Any], status: int, told: str) -> None:
    """Money is not put somewhere by a typing error."""

    @aio
    async def run() -> None:
        there = Operating()
        refused = await there.ask(
            "POST", "/api/deposits", {"budget": "credits", "usd": "5", "subject": "ann", **body}
        )
        assert refused.status == status and told in refused.json["detail"], refused.json
        assert await there.ledger.deposits() == {}

    run()


@aio
async def test_budgets_are_told_in_the_order_of_the_configuration() -> None:
    """Those that pay each request for itself by name; unknown ones with the nearest."""
    there = Operating()
    told = (await there.ask("GET", "/api/budgets")).json
    (state,) = told["items"]
    assert (state["budget"], state["subject"], state["of"], state["amount_usd"]) == (
        "monthly",
        "*",
        "",
        "500.000000000",
    )
    assert state["began"].endswith("01T00:00:00Z") and told["alone"] == ["small"] and told["left_out"] == 0
    refused = await there.ask("GET", "/api/budgets?budget=montly")
    assert refused.status == 404 and "`monthly`" in refused.json["detail"]


@aio
async def test_the_ledger_comes_in_pages_oldest_first() -> None:
    """Calls and what people entered, each once, by what is asked."""
    there = Operating()
    now = time.time_ns()
    rows = [RequestRow(n << 22, now + n, "t", feature="chat", user=f"u{n}") for n in range(1, 4)]
    calls = [
        AttemptRow(
            n,
            n << 22,
            1,
            "house",
            "llama",
            cost_nanos=1_000_000 * n,
            cost_label="exact",
            reserved_nanos=5_000_000,
        )
        for n in range(1, 4)
    ]
    there.spans.write(Batch(journal="j", position=Position(1, 1), requests=rows, attempts=calls))
    await there.ledger.add(
        [Entry(event="deposit:x", at_ns=now + 9, kind="deposit", nanos=-7, label="exact", budget="credits")]
    )
    first = (await there.ask("GET", "/api/ledger?limit=2", key="viewer")).json
    assert [each["event"] for each in first["items"]] == ["call:1", "call:2"]
    assert first["items"][0]["usd"] == "0.001000000" and first["items"][0]["reserved_usd"] == "0.005000000"
    assert first["items"][0]["request"] == request_id_text(1 << 22)
    last = (await there.ask("GET", f"/api/ledger?limit=3&cursor={first['next']}")).json
    assert [each["event"] for each in last["items"]] == ["call:3", "deposit:x"] and last["next"] is None
    for query, events in (
        ("kind=deposit", ["deposit:x"]),
        ("user=u2", ["call:2"]),
        ("feature=", ["deposit:x"]),
        ("until=1h", []),
    ):
        found = (await there.ask("GET", f"/api/ledger?{query}")).json["items"]
        assert [each["event"] for each in found] == events, query
    for cursor in ("x", "1", ":", "99999999999999999999:x", "9999999999999999999:x"):
        assert (await there.ask("GET", f"/api/ledger?cursor={cursor}")).code == "invalid_request"
