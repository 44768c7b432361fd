"""`/api` of a started gateway: every route for every role, what changes at once, and what is never told."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from headgate.admission.rights import ROLES, allowed_roles
from headgate.control.http.routes import ROUTES
from headgate.stores.sealing import new_master_key
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until
from tests.support.tokens import AUDIENCE, ISSUER, document, token

__all__: list[str] = []

SECRETS = ("sk-live-openai-0001", "hunter2", "sk-live-pool-0002", "smtp-like-0003", "sk-given-0004")
CONFIG = f"""
[providers.sim]
kind = "simulated"
speed = 0

[providers.cloud]
kind = "openai"
api_key = "{SECRETS[0]}"
base_url = "http://ann:{SECRETS[1]}@127.0.0.1:9/v1"

[providers.pool]
kind = "openai"
api_keys = ["{SECRETS[2]}"]
base_url = "http://127.0.0.1:9/v1"
headers = {{ x-team = "{SECRETS[3]}" }}

[health]
probe = false

[models.small]
endpoints = [{{ provider = "sim", model = "sim-small" }}]

[features.chat]
route = "small"

[features.kept]
route = "small"
cache = {{ exact = "1h", scope = "feature" }}

[features.broken]
route = "cloud/gpt-x"
retry = {{ attempts = 1 }}

[[budgets]]
name = "credits"
per = "prepaid"
of = "user"
only.user = ["ann"]

[[alerts]]
name = "pager"
kind = "webhook"
url = "http://127.0.0.1:9/hooks/{SECRETS[3]}"
secret = "{SECRETS[3]}"

[feedback]
tokens = true

[tokens.corp]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
jwks = "jwks.json"
roles = {{ ops = "operator" }}
"""
PROMPT = "What stands in my secret prompt?"


@dataclass
class Told:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Operator:
    """Asks a started gateway, and remembers all that it was told."""

    gateway: RunningGateway
    told: list[bytes] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: object = None, *, key: str | None = None, headers: Any = None
    ) -> Told:
        connection = http.client.HTTPConnection(urlsplit(self.gateway.url).netloc, timeout=30)
        sent = {"authorization": f"Bearer {self.gateway.key if key is None else key}", **(headers or {})}
        if body is not None:
            sent.setdefault("content-type", "application/json")
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            reply = connection.getresponse()
            told = Told(
                reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
            )
        finally:
            connection.close()
        if path.startswith("/api"):
            self.told.append(json.dumps(told.headers).encode() + told.body)
        return told

    def made(self, name: str, *roles: str) -> dict[str, Any]:
        told = self.ask("POST", "/api/keys", {"name": name, "roles": roles or ["service"]})
        assert told.status == 201, told.body
        found: dict[str, Any] = told.json
        return found

    def chat(self, model: str = "chat", key: str | None = None) -> Told:
        asked = {"model": model, "messages": [{"role": "user", "content": PROMPT}]}
        return self.ask("POST", "/v1/chat/completions", asked, key=key, headers={"x-headgate-session": "s"})

    def kept(self, question: str) -> str:
        """The key of an answer that is kept."""
        wanted = {"feature": "kept", "items": [{"question": question}], "max_usd": "1"}
        [one] = self.ask("POST", "/api/cache/warm", wanted).json["items"]
        assert one["outcome"] == "stored", one
        return str(one["key"])


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    directory: Path = tmp_path_factory.mktemp("api")
    (directory / "jwks.json").write_bytes(document("one"))
    environment = {"HEADGATE_SECRET_KEY": new_master_key()}
    with running_gateway(directory, CONFIG, environment=environment) as running:
        asking = Operator(running)
        yield asking
        assert "Traceback" not in running.log, running.log
        nothing_is_told(asking)


def nothing_is_told(asking: Operator) -> None:
    """Of all that was answered in this file: no secret of the configuration, no key but a new one's, no hash."""
    with closing(sqlite3.connect(asking.gateway.database)) as database:
        hashes = [str(row[0]) for row in database.execute("SELECT hash FROM key")]
    assert asking.told and hashes
    for answer in asking.told:
        text = answer.decode()
        assert not any(secret in text for secret in (*SECRETS, asking.gateway.key, *hashes)), text
        # Taken out whole: what is drawn by lot may have `hg_` in its midst, too.
        rest, new = re.subn(r'"key": "hg_[\w-]{43}"', "", text)
        assert new <= 1 and "hg_" not in rest, text


@pytest.fixture(scope="module")
def keys(operator: Operator) -> dict[str, str]:
    """One for each role; they count at once."""
    return {role: str(operator.made(f"a-{role}", role)["key"]) for role in ROLES}


@pytest.fixture(scope="module")
def request_id(operator: Operator) -> str:
    """Of a request that is stored."""
    answered = operator.chat()
    assert answered.status == 200, answered.body
    found = answered.headers["x-request-id"]
    assert until(lambda: operator.ask("GET", f"/api/requests/{found}").status == 200)
    return found


BODIES: dict[str, Any] = {
    "api.keys.create": {"name": "by-{role}"},
    "api.keys.rotate": {"overlap": "0s"},
    "api.budgets.deposit": {"budget": "credits", "usd": "5", "subject": "ann"},
    "api.receivers.add": {"name": "by-{role}", "kind": "webhook", "address": "https://hooks.example.com/x"},
    "api.secrets.give": {"value": SECRETS[4], "hosts": ["api.example.com"]},
    "api.replays.start": {},
    "api.people.add": {"email": "{role}@example.com"},
    "api.people.change": {"disabled": False},
    "api.people.password": {},
    "api.rules.add": {"name": "by-{role}", "metric": "error_rate", "alert": "5 %"},
    "api.rules.pause": {"paused": True},
    "api.rules.preview": {"rule": {"name": "thought", "metric": "error_rate", "alert": "5 %"}},
    "api.feedback.give": {"request": "{request}", "thumbs": "up"},
    "api.feedback.token": {"request": "{request}"},
    "api.scores.add": {
        "evaluator": "exact",
        "items": [{"request": "{request}", "name": "right", "boolean": True}],
    },
    "api.cache.clear": {"dry_run": True, "everything": True},
    "api.cache.wrong": {},
    "api.cache.warm": {"feature": "kept", "items": [{"question": "Asked by {role}?"}], "max_usd": "1"},
    "api.rehearsals.start": {"endpoint": "pool", "fault": "reset", "duration": "1s"},
}


QUERIES = {"api.sessions.show": "?session=s", "api.cache.asked": "?feature=kept"}
"""Of routes that cannot do without."""


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_role_at_every_route(
    operator: Operator, keys: dict[str, str], request_id: str, route: Any
) -> None:
    """Served if the table says so, 403 with the roles that may if it does not, and 401 without a key."""
    for role, key in keys.items():
        may = role in allowed_roles(route.name)
        # What a role must not do is tried on something that is there: 404 would not show that it was refused.
        if "/keys/{id}" in route.path:
            thing = operator.made(f"{route.name}-{role}")["id"]
        elif "/rehearsals/{id}" in route.path:
            thing = operator.ask("POST", "/api/rehearsals", BODIES["api.rehearsals.start"]).json["id"]
        elif "/people/{id}" in route.path:
            sent = {"email": f"{route.name}-{role}@example.com"}
            thing = operator.ask("POST", "/api/people", sent).json["id"]
        elif "/rules/{name}" in route.path:
            thing = f"{route.name}-{role}"
            assert operator.ask("POST", "/api/rules", BODIES["api.rules.add"] | {"name": thing}).status == 201
        elif "/cache/entries/{key}" in route.path:
            thing = operator.kept(f"{route.name} {role}")
        elif route.name in ("api.receivers.remove", "api.secrets.remove"):
            thing = f"{route.name}-{role}"
            sent = BODIES["api.receivers.add"] | {"name": thing}
            assert operator.ask("POST", "/api/receivers", sent).status == 201
            assert operator.ask("PUT", f"/api/secrets/{thing}", BODIES["api.secrets.give"]).status == 200
        else:
            thing = request_id
        path = route.path.replace("{id}", str(thing)).replace("{name}", str(thing))
        path = path.replace("{key}", str(thing)) + QUERIES.get(route.name, "")
        if "{replay}" in path:
            path = path.replace(
                "{replay}", operator.ask("POST", f"/api/requests/{request_id}/replay", {}).json["id"]
            )
        body = None
        if route.body:
            own = request_id
            if role in allowed_roles("openai.chat"):
                # Who asks models judges the answers they got themselves.
                own = operator.chat(key=key).headers["x-request-id"]
            said = json.dumps(BODIES[route.name]).replace("{role}", role).replace("{request}", own)
            body = json.loads(said)
        for stranger in ("", "hg_nobody"):
            refused = operator.ask(route.method, path, body, key=stranger)
            assert (refused.status, refused.json["code"]) == (401, "invalid_api_key")
        told = operator.ask(route.method, path, body, key=key)
        if may:
            assert told.status == route.status, (role, told.body)
        else:
            assert (told.status, told.json["code"]) == (403, "not_allowed")
            assert all(each in told.json["detail"] for each in allowed_roles(route.name))


def test_a_key_counts_the_moment_it_is_made_and_no_more_when_it_is_revoked(operator: Operator) -> None:
    """On the gateway that was asked; on others within a second."""
    made = operator.made("soon")
    assert operator.chat(key=made["key"]).status == 200
    turned = operator.ask("POST", f"/api/keys/{made['id']}/rotate", {"overlap": "0s"}).json
    assert operator.chat(key=made["key"]).status == 401
    assert operator.chat(key=turned["key"]).status == 200
    assert operator.ask("DELETE", f"/api/keys/{made['id']}").status == 200
    assert operator.chat(key=turned["key"]).status == 401


def test_an_operator_does_not_become_an_owner(operator: Operator, keys: dict[str, str]) -> None:
    """Neither by a new key nor by taking the owner's over."""
    owner = next(each for each in operator.ask("GET", "/api/keys").json["items"] if "owner" in each["roles"])
    for method, path, body in (
        ("POST", "/api/keys", {"name": "king", "roles": ["owner"]}),
        ("POST", f"/api/keys/{owner['id']}/rotate", {}),
        ("DELETE", f"/api/keys/{owner['id']}", None),
    ):
        refused = operator.ask(method, path, body, key=keys["operator"])
        assert refused.status == 403 and "more rights than your own" in refused.json["detail"]
    assert operator.ask("GET", "/api/me").status == 200


def test_what_was_changed_is_in_the_log_under_the_key_that_changed_it(
    operator: Operator, keys: dict[str, str]
) -> None:
    """Actor, action, subject, before and after."""
    me = operator.ask("GET", "/api/me", key=keys["operator"]).json
    made = operator.ask("POST", "/api/keys", {"name": "logged", "team": "canal"}, key=keys["operator"]).json
    operator.ask("DELETE", f"/api/keys/{made['id']}", key=keys["operator"])
    gone, created = operator.ask("GET", "/api/audit?limit=2").json["items"]
    assert {each["actor"] for each in (gone, created)} == {f"api:{me['id']}"}
    assert (created["action"], created["before"], created["after"]["team"]) == ("key.create", None, "canal")
    assert gone["action"] == "key.revoke" and gone["before"]["revoked"] is None and gone["after"]["revoked"]


def test_prompts_are_told_to_those_who_may_read_them(
    operator: Operator, keys: dict[str, str], request_id: str
) -> None:
    """The rest of the request to all who see it."""
    for role in ("owner", "reviewer", "operator", "developer", "viewer"):
        told = operator.ask("GET", f"/api/requests/{request_id}", key=keys[role])
        assert told.json["request"]["feature"] == "chat" and told.json["attempts"][0]["provider"] == "sim"
        assert (PROMPT.encode() in told.body) is (role in ("owner", "reviewer"))
        assert bool(told.json["reply_text"]) is told.json["content"]
    assert PROMPT.encode() not in operator.ask("GET", "/api/requests?feature=chat").body


def test_a_failure_is_told_without_the_key_that_was_sent(operator: Operator, keys: dict[str, str]) -> None:
    """Also where the provider is not there at all."""
    failed = operator.chat("broken")
    assert failed.status >= 500
    found = failed.headers["x-request-id"]
    assert until(lambda: operator.ask("GET", f"/api/requests/{found}").status == 200)
    told = operator.ask("GET", f"/api/requests/{found}", key=keys["reviewer"]).json
    assert told["request"]["outcome"] == "failed" and told["attempts"][0]["provider"] == "cloud"


def test_costs_are_those_of_the_report(operator: Operator, request_id: str) -> None:
    """By feature and day."""
    told = operator.ask("GET", "/api/costs?by=feature,day&since=1h&feature=chat").json
    assert told["items"][0]["group"]["feature"] == "chat" and told["total"]["requests"] >= 1
    assert float(told["total"]["cost_usd"]) > 0


def test_an_ordered_outage_is_met_at_once_and_over_at_once(operator: Operator) -> None:
    """On the gateway that was asked."""
    ordered = operator.ask(
        "POST", "/api/rehearsals", {"endpoint": "sim", "fault": "error:503", "feature": "chat"}
    )
    assert operator.chat().status >= 500
    assert operator.ask("DELETE", f"/api/rehearsals/{ordered.json['id']}").json["state"] == "stopped"
    # What an outage leaves behind, an endpoint that is left alone for a while, is over a little later.
    assert until(lambda: operator.chat().status == 200)


def test_money_put_in_is_there_and_the_ledger_has_it(operator: Operator) -> None:
    """Once for each name of a payment."""
    paid = {"budget": "credits", "usd": "7.25", "subject": "kim", "reference": "invoice-1"}
    assert operator.ask("POST", "/api/deposits", paid).status == 201
    assert operator.ask("POST", "/api/deposits", paid).status == 409
    sums = {each["subject"]: each["amount_usd"] for each in operator.ask("GET", "/api/budgets").json["items"]}
    assert sums["kim"] == "7.250000000"
    entries = operator.ask("GET", "/api/ledger?kind=deposit").json["items"]
    assert "deposit:invoice-1" in {each["event"] for each in entries}
    assert operator.chat().status == 200
    due = time.monotonic() + 30
    while not (calls := operator.ask("GET", "/api/ledger?kind=call&feature=chat").json["items"]):
        assert time.monotonic() < due, "the call is not in the ledger"
        time.sleep(0.1)
    assert calls[0]["request"].startswith("req_")


def test_a_token_of_an_identity_provider_operates_too(operator: Operator) -> None:
    """With the roles that the operator's table gives it, under its own name."""
    bearer = token(roles=["ops"]).decode()
    me = operator.ask("GET", "/api/me", key=bearer).json
    assert me["roles"] == ["operator"] and me["id"].startswith("corp:")
    assert operator.ask("POST", "/api/keys", {"name": "by-token"}, key=bearer).status == 201
    assert operator.ask("GET", "/api/audit?limit=1").json["items"][0]["actor"] == f"api:{me['id']}"
    assert operator.ask("POST", "/api/keys", {"name": "x", "roles": ["owner"]}, key=bearer).status == 403


def test_head_options_and_wrong_methods_over_the_wire(operator: Operator) -> None:
    """Two requests on one connection each: what was not sent must not be waited for."""
    connection = http.client.HTTPConnection(urlsplit(operator.gateway.url).netloc, timeout=30)
    sent = {"x-api-key": operator.gateway.key}
    for method, status, allow in (
        ("HEAD", 200, None),
        ("OPTIONS", 204, "GET, HEAD, OPTIONS, POST"),
        ("PUT", 405, "GET, HEAD, OPTIONS, POST"),
        ("GET", 200, None),
    ):
        connection.request(method, "/api/keys", headers=sent)
        reply = connection.getresponse()
        body = reply.read()
        assert (reply.status, reply.getheader("allow")) == (status, allow)
        assert bool(body) is (method in ("PUT", "GET"))
    connection.close()


def test_a_body_that_is_too_large_is_refused_and_the_connection_closed(operator: Operator) -> None:
    """Before it is read."""
    told = operator.ask("POST", "/api/keys", {"name": "x" * 70_000})
    assert (told.status, told.json["code"]) == (413, "body_too_large")


def test_the_description_lies_open(operator: Operator) -> None:
    """For programs and for people, without a key."""
    assert operator.ask("GET", "/api/openapi.json", key="").json["openapi"] == "3.1.0"
    page = operator.ask("GET", "/api/docs", key="")
    assert page.status == 200 and b"<script" not in page.body


def test_a_foreign_page_can_do_nothing(operator: Operator) -> None:
    """A browser asks first, and is not told that it may; what it may send without asking is refused."""
    asked = {"origin": "https://evil.test", "access-control-request-method": "DELETE"}
    told = operator.ask("OPTIONS", "/api/keys", headers=asked)
    assert not any(name.startswith("access-control") for name in told.headers)
    form = operator.ask("POST", "/api/keys", {"name": "evil"}, headers={"content-type": "text/plain"})
    assert form.status == 415
