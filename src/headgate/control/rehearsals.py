"""Rehearsals: faults ordered for a time, and ended; each noted in the audit log in the same transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import msgspec

from headgate.core.near import did_you_mean
from headgate.providers.rehearsal.faults import parse_fault
from headgate.stores.audit import AuditEntry
from headgate.stores.rehearsals import RehearsalRecord, RehearsalStore

__all__ = [
    "LONGEST_SECONDS",
    "Configured",
    "NoSuchRehearsal",
    "OrderRefused",
    "end_rehearsal",
    "order_rehearsal",
    "rehearsal_state",
]

LONGEST_SECONDS = 86_400.0
"""Nobody rehearses an outage for a weekend."""


class Configured(Protocol):
    """The names that an order can be for."""

    @property
    def providers(self) -> Mapping[str, Any]: ...

    @property
    def models(self) -> Mapping[str, Any]: ...

    @property
    def features(self) -> Mapping[str, Any]: ...


class OrderRefused(ValueError):
    """The order makes no sense; the text says what would."""

    def __init__(self, message: str, *, param: str) -> None:
        """param: endpoint, fault, feature or seconds."""
        super().__init__(message)
        self.param = param


class NoSuchRehearsal(LookupError):
    """No rehearsal of that number is running. `running` are those that are."""

    def __init__(self, number: int, running: list[int]) -> None:
        super().__init__(f"no rehearsal {number} is running")
        self.running = running


async def order_rehearsal(
    store: RehearsalStore,
    configured: Configured,
    *,
    endpoint: str,
    fault: str,
    share: float,
    seconds: float,
    feature: str,
    actor: str,
) -> RehearsalRecord:
    """Let calls fail from now on. Returns the order under its number.

    endpoint: a provider, `provider/model`, a model of the configuration, or `*`. fault: as `parse_fault` reads it.
    share: of the calls there, more than 0, at most 1. seconds: until it ends by itself. feature: "" for all.
    Raises OrderRefused, StoreUnavailable."""
    try:
        wanted = parse_fault(fault)
    except ValueError as wrong:
        raise OrderRefused(str(wrong), param="fault") from None
    if not 0 < seconds <= LONGEST_SECONDS:
        raise OrderRefused("a rehearsal lasts more than 0 and at most 24 hours", param="seconds")
    targets = _targets(configured, endpoint)
    if feature and feature not in configured.features:
        near = did_you_mean(feature, configured.features)
        raise OrderRefused(f"no feature `{feature}`{near}", param="feature")
    now = time.time_ns()
    record = RehearsalRecord(
        endpoint=endpoint,
        targets=targets,
        fault=wanted.text,
        share=share,
        feature=feature,
        started_ns=now,
        until_ns=now + int(seconds * 1e9),
    )
    entry = AuditEntry(at_ns=now, actor=actor, action="rehearsal.start", after=_json(_ordered(record)))
    return await store.add(record, entry)


async def end_rehearsal(store: RehearsalStore, number: int, *, actor: str) -> RehearsalRecord:
    """End a rehearsal before its time. Returns it as it is then. Raises NoSuchRehearsal, StoreUnavailable."""
    now = time.time_ns()
    running = {record.id: record for record in await store.active(now)}
    record = running.get(number)
    if record is None:
        raise NoSuchRehearsal(number, list(running))
    was = _ordered(record)
    entry = AuditEntry(
        at_ns=now,
        actor=actor,
        action="rehearsal.stop",
        subject=str(number),
        before=_json(was),
        after=_json({**was, "stopped": _moment(now)}),
    )
    if not await store.stop(number, now, entry):
        raise NoSuchRehearsal(number, [other for other in running if other != number])
    return msgspec.structs.replace(record, stopped_ns=now)


def rehearsal_state(record: RehearsalRecord, now_ns: int) -> Literal["running", "over", "stopped"]:
    """What has become of an order."""
    if record.stopped_ns is not None:
        return "stopped"
    return "over" if record.until_ns <= now_ns else "running"


def _targets(configured: Configured, endpoint: str) -> tuple[str, ...]:
    """The endpoint as providers and `provider/model`s. Raises OrderRefused if there is none of that name."""
    if endpoint == "*" or endpoint in configured.providers:
        return (endpoint,)
    if endpoint in configured.models:
        found = (f"{each.provider}/{each.model}" for each in configured.models[endpoint].endpoints)
        return tuple(dict.fromkeys(found))
    provider, _, model = endpoint.partition("/")
    if provider in configured.providers and model:
        # A caller may ask for any model of a provider by its full name.
        return (endpoint,)
    if endpoint in configured.features:
        raise OrderRefused(
            f"`{endpoint}` is a feature: name it as such, with `*` for where", param="endpoint"
        )
    places = (f"{each.provider}/{each.model}" for one in configured.models.values() for each in one.endpoints)
    near = did_you_mean(endpoint, [*configured.providers, *configured.models, *places])
    raise OrderRefused(f"no provider, model or endpoint `{endpoint}`{near}", param="endpoint")


def _ordered(record: RehearsalRecord) -> dict[str, object]:
    return {
        "fault": record.fault,
        "endpoint": record.endpoint,
        "targets": list(record.targets),
        "share": record.share,
        "feature": record.feature,
        "until": _moment(record.until_ns),
    }


def _json(value: dict[str, object]) -> str:
    return msgspec.json.encode(value).decode()


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).isoformat(sep=" ")
