"""Rules that were added while Headgate runs, and how everything that is watched stands: rules of alerts, promises of contracts.

How a thing stands is written down once for all nodes. Whoever claims a round looks at what is due in it; each transition has a
number, so that it is told once whoever comes to it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from headgate.stores.audit import AuditEntry

__all__ = ["CLOCK_BACK_NS", "RuleRecord", "RuleStore", "Standing", "StandingStore", "Watching", "seen"]


CLOCK_BACK_NS = 600_000_000_000
"""Clocks of nodes lie less apart than that."""


class RuleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that an operator added, or one of the configuration that they paused."""

    name: str
    created_ns: int
    changed_ns: int
    definition: str = ""
    """What it says, as a JSON object; "": it stands in the configuration, or comes with Headgate."""
    paused: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one thing stands that is watched."""

    rule: str
    """`rule:NAME`, or `contract:FEATURE`."""
    subject: str
    """`all`, `feature:NAME` and so on; of a contract the promise."""
    state: str = "unknown"
    since_ns: int = 0
    """When it came to that state."""
    looked_ns: int = 0
    value: float | None = None
    """What the last look found; None: nothing to go by."""
    number: int = 0
    """How many transitions it has had."""
    toward: str = ""
    """A state that the last looks found and that it may come to; "": they found the one it is in."""
    held: int = 0
    """How many looks have found that one after another."""


def seen(before: Standing, state: str, value: float | None, now_ns: int, *, looks: int = 1) -> Standing:
    """How it stands after a look that found this state. It comes to another one when `looks` looks one after another found it."""
    found = replace(before, value=value, looked_ns=now_ns)
    if state == before.state:
        return replace(found, toward="", held=0)
    held = before.held + 1 if state == before.toward else 1
    if held < looks:
        return replace(found, toward=state, held=held)
    return replace(found, state=state, since_ns=now_ns, number=before.number + 1, toward="", held=0)


class RuleStore(Protocol):
    """Rules that were added or paused. Never on the request path. All raise StoreUnavailable.

    The `audit` entry is kept together with the change, or neither is."""

    async def rules(self) -> Sequence[RuleRecord]:
        """All of them, by name."""
        ...

    async def put_rule(
        self, record: RuleRecord, audit: AuditEntry | None = None, *, new: bool = False
    ) -> bool:
        """Keep it in the place of the one of its name. new: only if there is none; False, and nothing is kept, if there is."""
        ...

    async def remove_rule(self, name: str, audit: AuditEntry | None = None) -> bool:
        """It is there no more, nor how it stood. False if there was none."""
        ...


class StandingStore(Protocol):
    """How things stand. Never on the request path. All raise StoreUnavailable."""

    async def standings(self, rules: Collection[str] | None = None) -> Sequence[Standing]:
        """Of these rules, or of all; by rule and subject."""
        ...

    async def stand(self, changes: Sequence[tuple[Standing, Standing]]) -> Sequence[bool]:
        """For each (as it was read, as it is now): keep it, unless somebody else has moved it on since: then False."""
        ...

    async def forget(self, rules: Collection[str]) -> None:
        """How these stood is not known any more."""
        ...

    async def claim_round(self, name: str, now_ns: int, every_ns: int) -> bool:
        """Rounds of that name come once in `every_ns`, counted from 1970 on. True for the first who asks in each; also for who asks
        more than CLOCK_BACK_NS before the last round: then clocks were set back."""
        ...


class Watching(RuleStore, StandingStore, Protocol):
    """Both, as each engine has them."""
