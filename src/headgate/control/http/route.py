"""A route: method, path, what goes in and out; and what a handler is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, get_args, get_type_hints

import msgspec

from headgate.budgets.plan import Plan
from headgate.control.cache.warming import Memory
from headgate.control.installation import About
from headgate.control.keys import Keys
from headgate.control.overview import Overview
from headgate.control.replays import Sending
from headgate.exchange.caller import Caller
from headgate.providers.port import Endpoint
from headgate.stores.alerts import Alerts
from headgate.stores.audit import AuditLog
from headgate.stores.browsing import Browsing
from headgate.stores.forgetting import Forgotten
from headgate.stores.ledger import LedgerStore
from headgate.stores.people import PeopleStore
from headgate.stores.rehearsals import RehearsalStore
from headgate.stores.rollups import RollupStore
from headgate.stores.rules import Watching
from headgate.stores.scores import ScoreStore
from headgate.stores.sealing import Sealer
from headgate.stores.searching import Searching
from headgate.stores.secrets import SecretStore
from headgate.stores.spans import SpanStore
from headgate.stores.totals import TotalsStore

__all__ = ["Asked", "Desk", "Records", "Route", "route"]

Q = TypeVar("Q")
B = TypeVar("B")

DEADLINE_SECONDS = 10.0


class Records(SpanStore, TotalsStore, Browsing, Searching, Protocol):
    """Everything that is asked about what happened."""


class Forgets(Protocol):
    """Deletes everything of one user."""

    async def __call__(self, user: str, actor: str, *, whole: bool = False) -> Forgotten:
        """See `headgate.stores.forgetting.forget`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What handlers work with. A noun that needs another store adds a field."""

    keys: Keys
    audit: AuditLog
    records: Records
    rehearsals: RehearsalStore
    ledger: LedgerStore
    people: PeopleStore
    alerts: Alerts
    rollups: RollupStore
    rules: Watching
    scores: ScoreStore
    secrets: SecretStore
    sealer: Callable[[], Sealer]
    """What secrets are sealed with; raises NoMasterKey."""
    secret_users: Callable[[str], Sequence[str]]
    """The providers that name a secret."""
    budgets: Callable[[], Plan]
    """Those that are configured now."""
    configuration: Callable[[], Any]
    """The one that serves now."""
    endpoints: Callable[[], Mapping[str, Sequence[Endpoint]]]
    """Model -> where this gateway reaches it, each place with its health."""
    overview: Callable[[], Awaitable[Overview]]
    """This gateway, as it is now."""
    about: Callable[[], Awaitable[About]]
    """The installation, as it is now."""
    replaying: Sending
    """Sends recorded requests again."""
    memory: Memory
    """Where answers are kept, and under which key."""
    forget: Forgets
    """Delete what is kept of a user."""
    changed: Callable[[], Awaitable[None]]
    """Have this gateway know of a change at once, not only within a second."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[Q, B]):
    """One request, read and let in."""

    desk: Desk
    caller: Caller
    path: Mapping[str, str]
    """What stands for the names in braces."""
    query: Q
    body: B
    face: str = "api"
    """Where: `api`, or `dashboard`, whose forms come to the same handlers."""
    idempotency_key: str = ""
    """The caller's name for this request, from the header `idempotency-key`; 200 characters at most."""

    @property
    def actor(self) -> str:
        """Who asks, for the audit log."""
        return f"{self.face}:{self.caller.key_id}"


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table; made by `route`."""

    method: str
    path: str
    """Names in braces stand for one part each."""
    name: str
    """As in `admission.rights`."""
    handler: Callable[[Asked[Any, Any]], Awaitable[Any]]
    query: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | None
    answer: type[msgspec.Struct]
    status: int
    problems: Sequence[str]
    """Codes that this route has besides those that all have."""
    seconds: float
    """How long it may take."""

    @property
    def body_required(self) -> bool:
        """Is there a field that must be given?"""
        return self.body is not None and any(field.required for field in msgspec.structs.fields(self.body))

    @property
    def summary(self) -> str:
        """The first sentence of the handler's documentation."""
        return self._documentation()[0]

    @property
    def description(self) -> str:
        """The rest of it."""
        return self._documentation()[1]

    def _documentation(self) -> tuple[str, str]:
        head, _, rest = (self.handler.__doc__ or "").strip().partition("\n")
        return head.strip(), " ".join(rest.split())


def route(
    method: str,
    path: str,
    name: str,
    handler: Callable[[Asked[Any, Any]], Awaitable[Any]],
    *,
    status: int = 200,
    problems: Sequence[str] = (),
    seconds: float = DEADLINE_SECONDS,
) -> Route:
    """A row of the table. What the handler's signature says is what is read, sent and documented:
    `async def show(asked: Asked[Query, Body]) -> Answer`, with None for no query and no body."""
    types = get_type_hints(handler)
    query, body = (None if kind is type(None) else kind for kind in get_args(types["asked"]))
    return Route(method, path, name, handler, query, body, types["return"], status, tuple(problems), seconds)
