"""Looks at rules again and again: of all nodes one makes each round, and each transition is told before it is written down, so
that who dies between tells it twice and never not at all."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from zlib import crc32

from headgate.alerts.rules.judging import alert_of, judge
from headgate.alerts.rules.known import Rule, known_rules
from headgate.alerts.rules.reading import ALL, Reader, Reading
from headgate.alerts.rules.settings import WatchSettings
from headgate.core.clock import Clock
from headgate.stores.alerts import Alert
from headgate.stores.rules import Standing, Watching

__all__ = ["MOST_SUBJECTS", "RuleWatch"]

MOST_SUBJECTS = 1000
"""Of one rule with `each`: callers name features as they like."""
_NS = 1_000_000_000

log = logging.getLogger("headgate")


class RuleWatch:
    """What one node does about rules. Belongs to one event loop."""

    def __init__(
        self,
        store: Watching,
        reader: Reader,
        publish: Callable[[Alert], Awaitable[object]],
        clock: Clock,
    ) -> None:
        """publish: returns when the alert is kept."""
        self._store = store
        self._reader = reader
        self._publish = publish
        self._clock = clock
        self._unreadable: set[str] = set()
        self._rounds: dict[tuple[int, int], int] = {}
        """How often, and length of the window -> the last round that was asked for: the store is asked once for each."""

    async def round(self, watch: WatchSettings) -> int:
        """Look at the rules that are due and that no other node looks at. How many were. Raises StoreUnavailable."""
        rules, unreadable = known_rules(watch, await self._store.rules())
        for name in set(unreadable) - self._unreadable:
            log.warning(
                "the rule `%s` that was added says what this version does not know: it is left out", name
            )
        self._unreadable = set(unreadable)
        groups: dict[tuple[int, int], list[Rule]] = defaultdict(list)
        for rule in rules:
            if not rule.paused:
                groups[rule.settings.every_seconds, int(rule.settings.window)].append(rule)
        looked = 0
        for (every, window), group in groups.items():
            now_ns = self._clock.wall_ns()
            # Windows of one length share their questions; those of another length have their moments in between.
            offset = crc32(b"%d" % window) % every
            number = (now_ns // _NS - offset) // every
            if self._rounds.get((every, window)) == number:
                continue
            self._rounds[every, window] = number
            # Windows of one length are looked at at different paces: what drifts once an hour.
            if await self._store.claim_round(f"rules/{every}/{window}", now_ns - offset * _NS, every * _NS):
                await self.look(group)
                looked += len(group)
        return looked

    async def look(self, rules: Sequence[Rule]) -> None:
        """Look at these now. Raises StoreUnavailable."""
        now_ns = self._clock.wall_ns()
        readings = await self._reader.read([each.settings for each in rules], now_ns // _NS)
        standing = {
            (each.rule, each.subject): each for each in await self._store.standings([r.key for r in rules])
        }
        changes: list[tuple[Standing, Standing]] = []
        for rule in rules:
            for reading in _all(rule, readings.get(rule.name, ()), standing):
                before = standing.get((rule.key, reading.subject)) or Standing(
                    rule=rule.key,
                    subject=reading.subject,
                    # One of this name may have been removed: what was told of that one has other numbers.
                    number=rule.created_ns // _NS,
                )
                after = judge(rule.settings, before, reading, now_ns)
                alert = alert_of(rule.settings, before, after, reading)
                if alert is not None:
                    await self._publish(alert)
                changes.append((before, after))
        await self._store.stand(changes)


def _all(
    rule: Rule, found: Sequence[Reading], standing: dict[tuple[str, str], Standing]
) -> Sequence[Reading]:
    """What was found, and of what is not there any more that nothing was."""
    settings = rule.settings
    by_subject = {each.subject: each for each in found}
    known = [subject for name, subject in standing if name == rule.key]
    nothing = 0.0 if settings.watched.always and not settings.against else None
    gone = [Reading(subject, nothing, 0) for subject in known if subject not in by_subject]
    fresh = [each for each in found if (rule.key, each.subject) not in standing]
    # Nothing is written down of what there is too little of to judge.
    fresh = [each for each in fresh if each.value is not None or not settings.each or each.subject == ALL]
    room = max(MOST_SUBJECTS - len(known), 0)
    kept = {each.subject for each in fresh[:room]} | set(known)
    return [each for each in (*found, *gone) if each.subject in kept]
