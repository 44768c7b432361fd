"""`/api/contracts`: what features promise, and what was kept of it."""

from __future__ import annotations

import time

import msgspec

from headgate.control.contracts import NoContract, contract_reports, contracts_in, report_facts, with_window
from headgate.control.http.fields import Maybe
from headgate.control.http.moments import seconds_of
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.near import did_you_mean
from headgate.core.section import Duration

__all__ = ["ROUTES", "ContractShown", "Contracts", "ContractsQuery"]

_LONGEST = 90 * 86_400.0


class ContractsQuery(msgspec.Struct, kw_only=True):
    """Which contracts."""

    feature: Maybe = msgspec.UNSET
    """Only this feature's."""
    window: Maybe = msgspec.UNSET
    """Over this time instead of the contract's own: `1h` to `90d`."""


class BurnShown(msgspec.Struct, kw_only=True):
    """How fast a promise's budget of errors goes, in a long window and a short one: it counts when both rates do."""

    pace: str
    """fast, middle or slow."""
    long_seconds: int
    short_seconds: int
    long_rate: float | None
    """How many times as fast as the budget allows; null: there was nothing."""
    short_rate: float | None
    counts_from: float
    enough: bool
    """Did the short window have enough requests to go by?"""


class PromiseShown(msgspec.Struct, kw_only=True):
    """A promise against what happened."""

    promise: str
    """`availability`, `latency_p95`, `quality.thumbs` and so on."""
    state: str
    """kept, at risk, broken or no data."""
    objective: float
    """The part that must be good."""
    promised: float
    """Seconds, USD, a part, or a mean."""
    reached: float | None
    """The same of what happened; null: nothing did."""
    promised_text: str
    reached_text: str
    total: float
    """Requests, streams, answers or scores in the window."""
    good: float
    """How many of them kept it."""
    budget_left: float | None
    """The part of its budget of errors; below 0: overspent."""
    pace: str
    """At which it burns now; empty: at none that counts."""
    burns: list[BurnShown]


class ContractShown(msgspec.Struct, kw_only=True):
    """A feature's contract against what happened."""

    feature: str
    state: str
    """That of the promise that stands worst."""
    window_seconds: float
    promises: list[PromiseShown]


class Contracts(msgspec.Struct, kw_only=True):
    """Contracts, in the order of the configuration."""

    items: list[ContractShown]


async def list_contracts(asked: Asked[ContractsQuery, None]) -> Contracts:
    """Tell what each feature promises and what was kept of it, its budget of errors and how fast that goes.

    What `headgate contract show` prints."""
    query, settings = asked.query, asked.desk.configuration().settings
    feature = None if query.feature is msgspec.UNSET else query.feature
    try:
        contracts = contracts_in(settings, feature)
        if query.window is not msgspec.UNSET:
            contracts = with_window(contracts, Duration(seconds_of(query.window, "window", most=_LONGEST)))
    except NoContract as missing:
        near = did_you_mean(missing.feature[:100], missing.names)
        raise Problem("not_found", f"no such feature has a contract{near}", param="feature") from None
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="window") from None
    desk = asked.desk
    reports = await contract_reports(desk.rollups, desk.scores, contracts, int(time.time()), desk.rules)
    return Contracts(items=[msgspec.convert(report_facts(each), ContractShown) for each in reports])


ROUTES = (route("GET", "/api/contracts", "api.contracts.list", list_contracts, problems=("not_found",)),)
