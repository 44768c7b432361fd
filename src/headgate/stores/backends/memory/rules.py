"""Rules that were added, and how what is watched stands, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.memory import MemoryAudit
from headgate.stores.rules import CLOCK_BACK_NS, RuleRecord, Standing

__all__ = ["MemoryRules"]


class MemoryRules:
    """See `RuleStore` and `StandingStore`."""

    def __init__(self, audit: MemoryAudit | None = None) -> None:
        self._audit = audit or MemoryAudit()
        self._rules: dict[str, RuleRecord] = {}
        self._standings: dict[tuple[str, str], Standing] = {}
        self._rounds: dict[str, int] = {}

    async def rules(self) -> Sequence[RuleRecord]:
        """See `RuleStore`."""
        return [self._rules[name] for name in sorted(self._rules)]

    async def put_rule(
        self, record: RuleRecord, audit: AuditEntry | None = None, *, new: bool = False
    ) -> bool:
        """See `RuleStore`."""
        if new and record.name in self._rules:
            return False
        self._rules[record.name] = record
        await self._note(audit)
        return True

    async def remove_rule(self, name: str, audit: AuditEntry | None = None) -> bool:
        """See `RuleStore`."""
        if self._rules.pop(name, None) is None:
            return False
        await self.forget([f"rule:{name}"])
        await self._note(audit)
        return True

    async def standings(self, rules: Collection[str] | None = None) -> Sequence[Standing]:
        """See `StandingStore`."""
        return [self._standings[key] for key in sorted(self._standings) if rules is None or key[0] in rules]

    async def stand(self, changes: Sequence[tuple[Standing, Standing]]) -> Sequence[bool]:
        """See `StandingStore`."""
        done = []
        for before, after in changes:
            known = self._standings.get((before.rule, before.subject), before)
            done.append((known.number, known.looked_ns) == (before.number, before.looked_ns))
            if done[-1]:
                self._standings[before.rule, before.subject] = after
        return done

    async def forget(self, rules: Collection[str]) -> None:
        """See `StandingStore`."""
        self._standings = {key: each for key, each in self._standings.items() if key[0] not in rules}

    async def claim_round(self, name: str, now_ns: int, every_ns: int) -> bool:
        """See `StandingStore`."""
        last = self._rounds.get(name)
        if last is not None and last // every_ns >= now_ns // every_ns and last <= now_ns + CLOCK_BACK_NS:
            return False
        self._rounds[name] = now_ns
        return True

    async def _note(self, audit: AuditEntry | None) -> None:
        if audit is not None:
            await self._audit.add(audit)
