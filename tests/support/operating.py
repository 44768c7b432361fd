"""`/api` in this process, over stores in memory, with a key for each role."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from headgate.admission.rights import ROLES, routes_of
from headgate.alerts.rules.settings import WatchSettings
from headgate.budgets.plan import plan_of
from headgate.budgets.settings import BudgetSettings
from headgate.cache.settings import CacheSettings
from headgate.control.cache.warming import NO_MEMORY
from headgate.control.http.app import Api
from headgate.control.http.route import Desk, Route
from headgate.control.http.routes import ROUTES
from headgate.control.installation import About
from headgate.control.overview import Overview, features_in_words, models_in_words, providers_in_words
from headgate.core.ids import IdSource
from headgate.exchange.caller import Caller
from headgate.stores.backends.memory import MemoryAudit, MemoryKeys, MemoryRehearsals, MemorySpans
from headgate.stores.backends.memory.alerts import MemoryAlerts
from headgate.stores.backends.memory.ledger import MemoryLedger
from headgate.stores.backends.memory.people import MemoryPeople
from headgate.stores.backends.memory.rules import MemoryRules
from headgate.stores.backends.memory.scores import MemoryScores
from headgate.stores.backends.memory.secrets import MemorySecrets
from headgate.stores.forgetting import Forgotten, UserHasKeys
from headgate.stores.sealing import Sealer
from tests.support.rolled import FakeRollups

__all__ = ["Operating", "Told"]


BUDGETS = plan_of(
    [
        BudgetSettings(name="monthly", per="month", usd=Decimal(500), each=False),
        BudgetSettings(name="credits", per="prepaid", of="user"),
        BudgetSettings(name="small", per="request", usd=Decimal("0.01")),
    ]
)


@dataclass
class Told:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a problem."""
        return str(self.json["code"])


class Operating:
    """The app, its stores, and who may ask: the name of a role is the key of somebody who has it."""

    def __init__(self, *, routes: Sequence[Route] = ROUTES, **instead: Any) -> None:
        """instead: other parts of the desk."""
        self.audit = MemoryAudit()
        self.keys = MemoryKeys(self.audit)
        self.spans = MemorySpans()
        self.rehearsals = MemoryRehearsals(self.audit)
        self.ledger = MemoryLedger(self.spans, self.audit)
        self.people = MemoryPeople(self.audit)
        self.alerts = MemoryAlerts(self.audit)
        self.rules = MemoryRules(self.audit)
        self.rollups = FakeRollups()
        self.scores: Any = instead.get("scores") or MemoryScores(self.spans)
        self.secrets = MemorySecrets(self.audit)
        self.changes = 0
        self.forgotten: list[tuple[str, str, bool]] = []
        self.stopping = False
        self.callers = {
            role: Caller(key_id=f"key_{role}", key_name=role, roles=(role,), routes=routes_of([role]))
            for role in ROLES
        }
        desk: dict[str, Any] = {
            "keys": self.keys,
            "audit": self.audit,
            "records": self.spans,
            "rehearsals": self.rehearsals,
            "ledger": self.ledger,
            "people": self.people,
            "alerts": self.alerts,
            "rules": self.rules,
            "rollups": self.rollups,
            "scores": self.scores,
            "secrets": self.secrets,
            "sealer": lambda: Sealer(b"m" * 32),
            "secret_users": lambda name: ["cloud"] if name == "used" else [],
            "budgets": lambda: BUDGETS,
            "configuration": configuration,
            "endpoints": dict,
            "overview": self._overview,
            "about": self._about,
            "replaying": None,
            "memory": NO_MEMORY,
            "forget": self._forget,
            "changed": self._changed,
        }
        self.desk = Desk(**(desk | instead))
        self.app = Api(
            self.desk,
            caller_of=lambda key: self.callers.get(key.decode()),
            ids=IdSource(),
            stopping=lambda: self.stopping,
            routes=routes,
        )

    async def _forget(self, user: str, actor: str, *, whole: bool = False) -> Forgotten:
        self.forgotten.append((user, actor, whole))
        if user == "has-a-key":
            raise UserHasKeys(["theirs"])
        return Forgotten(requests=2, pseudonym="forgotten-0123456789ab")

    async def _about(self) -> About:
        return About(
            hash="0123456789ab",
            source="headgate.toml",
            text="[server]\n",
            notes=(),
            on_disk="same",
            on_disk_words="",
            changes=(),
            places=(),
            versions=(),
            stores=(),
            journal_bytes=0,
            drops=0,
            node=1,
        )

    async def _overview(self) -> Overview:
        settings = self.desk.configuration().settings
        return Overview(
            config_hash="0123456789ab",
            config_source="headgate.toml",
            providers=providers_in_words(settings),
            models=models_in_words(settings),
            features=features_in_words(settings),
            keys_required=True,
            in_flight=0,
            drops=0,
            requests=(),
        )

    async def _changed(self) -> None:
        self.changes += 1

    async def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        key: str = "owner",
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """target: path and query. body: sent as JSON. raw: sent as it is. headers: besides; an empty one is left out."""
        path, _, query = target.partition("?")
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {key}" if key else ""}
        if data:
            sent |= {"content-type": "application/json", "content-length": str(len(data))}
        sent |= headers or {}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value],
        }
        told, pieces = (
            Told(),
            [data[place : place + 20_000] for place in range(0, len(data), 20_000)] or [b""],
        )

        async def receive() -> dict[str, Any]:
            if not pieces:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                told.status = message["status"]
                told.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                told.body += message.get("body", b"")

        await self.app(scope, receive, send)
        return told


def configuration() -> Any:
    """Of a provider, a model and a feature, with a secret."""
    provider = SimpleNamespace(
        api_key="sk-secret", base_url="https://ann:pw@models.test/v1", self_hosted=True
    )
    endpoint = SimpleNamespace(provider="house", model="llama", region="eu")
    return SimpleNamespace(
        hash="c0ffee",
        path=Path("/etc/headgate.toml"),
        settings=SimpleNamespace(
            server=SimpleNamespace(auth="keys", reach=[]),
            alerts=[],
            providers={"house": provider},
            models={"small": SimpleNamespace(endpoints=[endpoint], strategy="order")},
            features={
                "chat": SimpleNamespace(
                    route="small", fallback=["large"], degrade=[], contract=None, cache=None
                )
            },
            cache=CacheSettings(),
            limits=[],
            watch=WatchSettings(),
        ),
    )
