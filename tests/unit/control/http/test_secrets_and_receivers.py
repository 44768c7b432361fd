"""Secrets go in and do not come out; receivers are told where they are, and no more than that."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.stores.alerts import Alert
from headgate.stores.sealing import NoMasterKey, Sealer
from tests.support.aio import aio
from tests.support.operating import Operating

__all__: list[str] = []

VALUE = "sk-proj-0123456789"
HOOK = {
    "name": "shop",
    "kind": "webhook",
    "address": "https://hooks.example.com/very/secret",
    "of": "feature:chat",
}


@aio
async def test_a_secret_is_given_listed_and_removed_and_never_told() -> None:
    """It opens where it was sealed; the log names it."""
    there, answers = Operating(), []
    body = {"value": VALUE, "hosts": ["API.openai.com", "10.0.0.5:8000"]}
    answers.append(await there.ask("PUT", "/api/secrets/openai", body))
    assert answers[-1].status == 200 and answers[-1].json["hosts"] == ["10.0.0.5:8000", "api.openai.com"]
    (record,) = await there.secrets.all()
    assert Sealer(b"m" * 32).open(record.sealed, record.context) == VALUE.encode()
    answers.append(
        await there.ask("PUT", "/api/secrets/openai", {**body, "hosts": ["api.openai.com"]}, key="operator")
    )
    answers.append(await there.ask("GET", "/api/secrets"))
    assert [each["name"] for each in answers[-1].json["items"]] == ["openai"]
    missing = await there.ask("DELETE", "/api/secrets/opnai")
    assert missing.code == "not_found" and "did you mean `openai`?" in missing.json["detail"]
    answers.append(await there.ask("DELETE", "/api/secrets/openai"))
    assert (await there.ask("GET", "/api/secrets")).json == {"items": []}
    log = await there.audit.since(0, 9)
    assert [each.action for each in log] == ["secret.set", "secret.set", "secret.remove"]
    assert not any(VALUE.encode() in each.body for each in answers) and VALUE not in str(log)


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("openai", {"hosts": ["a.com"]}, "missing required field `value`"),
        ("openai", {"value": VALUE, "hosts": []}, "`hosts`"),
        ("openai", {"value": VALUE, "hosts": ["https://a.com/x"]}, "is not a host"),
        ("openai", {"value": f"{VALUE}\n", "hosts": ["a.com"]}, "no header may"),
        ("-x", {"value": VALUE, "hosts": ["a.com"]}, "name is 1 to 100"),
        ("openai", {"value": [VALUE], "hosts": ["a.com"]}, "`value`"),
        ("openai", {"valu": VALUE, "hosts": ["a.com"]}, "did you mean `value`?"),
    ],
)
def test_a_secret_that_makes_no_sense_is_not_kept_nor_repeated(
    name: str, body: dict[str, Any], told: str
) -> None:
    """The refusal does not quote it."""

    @aio
    async def run() -> None:
        there = Operating()
        refused = await there.ask("PUT", f"/api/secrets/{name}", body)
        assert refused.status == 400 and told in refused.json["detail"], refused.json
        assert VALUE not in refused.body.decode() and list(await there.secrets.all()) == []

    run()


@aio
async def test_a_secret_in_use_is_removed_by_whoever_insists() -> None:
    """Its provider would call nobody any more."""
    there = Operating()
    await there.ask("PUT", "/api/secrets/used", {"value": VALUE, "hosts": ["a.com"]})
    refused = await there.ask("DELETE", "/api/secrets/used")
    assert refused.code == "conflict" and "used by cloud" in refused.json["detail"]
    assert (await there.ask("DELETE", "/api/secrets/used?force=true")).status == 200


@aio
async def test_without_a_master_key_nothing_is_kept() -> None:
    """And what to do is said; it is not that the database is away."""

    def none() -> Sealer:
        raise NoMasterKey("HEADGATE_SECRET_KEY is not set")

    there = Operating(sealer=none)
    refused = await there.ask("PUT", "/api/secrets/openai", {"value": VALUE, "hosts": ["a.com"]})
    assert (refused.status, refused.code) == (409, "conflict")
    assert "HEADGATE_SECRET_KEY" in refused.json["detail"]


@aio
async def test_a_receiver_is_added_listed_and_removed() -> None:
    """Its address is told as far as where it leads, its signing secret once."""
    there = Operating()
    made = await there.ask("POST", "/api/receivers", HOOK)
    assert made.status == 201 and made.json["secret"].startswith("whsec_")
    assert made.json["address"] == "https://hooks.example.com/..." and made.json["of"] == "feature:chat"
    listed = (await there.ask("GET", "/api/receivers")).json["items"]
    assert listed == [{name: value for name, value in made.json.items() if name != "secret"}]
    assert (await there.ask("POST", "/api/receivers", HOOK)).code == "conflict"
    assert (await there.ask("DELETE", "/api/receivers/shp")).json["detail"].endswith("did you mean `shop`?")
    assert (await there.ask("DELETE", "/api/receivers/shop")).status == 200
    assert (await there.ask("GET", "/api/receivers")).json["items"] == []
    log = await there.audit.since(0, 9)
    assert [each.action for each in log] == ["receiver.add", "receiver.remove"]
    assert "very/secret" not in str(log)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"address": "https://127.0.0.1/x"}, "127.0.0.1"),
        ({"address": "https://169.254.169.254/latest"}, "169.254.169.254"),
        ({"address": "http://hooks.example.com/x"}, "http"),
        ({"address": "nowhere"}, "must be one such as"),
        ({"about": ["budgets"]}, "did you mean `budget`?"),
        ({"of": "chat"}, "none of"),
        ({"kind": "pigeon"}, "kind"),
        ({"kind": "email", "address": "ann@example.com"}, "mail"),
    ],
)
def test_a_receiver_that_makes_no_sense_is_not_added(body: dict[str, Any], told: str) -> None:
    """Nor one that would have us ask our own network."""

    @aio
    async def run() -> None:
        there = Operating()
        refused = await there.ask("POST", "/api/receivers", {**HOOK, **body})
        assert refused.status == 400 and told in refused.json["detail"], refused.json
        assert list(await there.alerts.receivers()) == []

    run()


@aio
async def test_alerts_are_told_the_latest_first_with_what_became_of_them() -> None:
    """To all who see the dashboard."""
    there = Operating()
    for number in range(3):
        alert = Alert(
            event=f"e{number}",
            kind="budget",
            subject="all",
            severity="warning",
            at_ns=10**18 + number,
            text="Text.",
        )
        assert await there.alerts.add(alert, ["added:shop"] if number else [], 10**18)
    told = (await there.ask("GET", "/api/alerts?since=2001-01-01&limit=2", key="viewer")).json["items"]
    assert [each["event"] for each in told] == ["e2", "e1"]
    (delivery,) = told[0]["deliveries"]
    assert (delivery["receiver"], delivery["state"], delivery["done"]) == ("shop", "waiting", None)
    assert (await there.ask("GET", "/api/alerts?since=1h")).json["items"] == []
