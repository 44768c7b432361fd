"""How much of each sum is spent, as far as this node has heard; and who is told when a part of it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

from headgate.budgets.plan import Deposits, Plan, Rule
from headgate.budgets.saying import amount_text, moment_text, usd_text
from headgate.core.clock import Clock
from headgate.core.money import usd
from headgate.stores.alerts import Alert, AlertSink, Fact, Severity
from headgate.stores.purses import Pot, PotKey

__all__ = ["Known", "Uses"]

_SWEEP = 10_000
"""Sums known before those of old periods are looked for."""


class Known:
    """What was heard last of a sum, in nano-dollars."""

    __slots__ = ("amount", "next", "pot", "reserved", "spent")

    def __init__(self, pot: Pot, amount: int, following: float) -> None:
        self.pot = pot
        self.amount = amount
        self.spent = 0
        self.reserved = 0
        self.next = following
        """Somebody is told when so much is spent."""

    @property
    def fraction(self) -> float:
        """The part that is spent; of nothing all."""
        return self.spent / self.amount if self.amount else 1.0


class Uses:
    """Listens to purses. Of several thresholds passed at once the highest is told; of several nodes that tell, the alerts'
    store keeps one."""

    def __init__(self, clock: Clock, alerts: AlertSink | None = None) -> None:
        self.plan = Plan()
        """Swapped when the configuration changes."""
        self.deposits: Deposits = {}
        self._clock = clock
        self._alerts = alerts
        self._known: dict[PotKey, Known] = {}
        self._sweep_at = _SWEEP
        self._listeners: list[Callable[[], None]] = []

    def heard(self, pot: Pot, spent: int, reserved: int) -> None:
        """As `Purses.heard`."""
        known = self._known.get(pot.key)
        if known is None or known.pot is not pot:
            known = self._learn(pot, known)
        known.spent = spent
        known.reserved = reserved
        if spent >= known.next:
            self._passed(known)

    def of(self, pot: Pot) -> Known | None:
        """What is known of a sum."""
        return self._known.get(pot.key)

    def refused(self, pot: Pot) -> None:
        """A request was refused because the sum does not pay for it: that it is all but spent is told as if it were."""
        known = self._known.get(pot.key)
        rule = self.plan.by_name.get(pot.budget)
        if known is not None and rule is not None and known.next != inf and 1.0 in rule.alert_at:
            if known.next <= known.amount:
                self._tell(rule, known, 1.0)
            known.next = _following(rule, known.amount, max(known.spent, known.amount))

    def now(self) -> Iterator[tuple[Rule, Known]]:
        """Sums whose period is not over, with their budgets."""
        second = self._clock.wall_ns() // 1_000_000_000
        for known in list(self._known.values()):
            rule = self.plan.by_name.get(known.pot.budget)
            if rule is not None and (not known.pot.ends or known.pot.ends > second):
                yield rule, known

    def _learn(self, pot: Pot, before: Known | None) -> Known:
        """Another sum, or another amount of it."""
        rule = self.plan.by_name.get(pot.budget)
        amount = rule.amount_for(pot.subject, self.deposits) if rule is not None else max(pot.most, 0)
        if before is not None and before.amount == amount:
            before.pot = pot
            return before
        if len(self._known) >= self._sweep_at:
            self._sweep()
        # What was passed before the amount changed is not told again: only what is passed from now on.
        since = before.spent if before is not None else -1
        following = _following(rule, amount, since) if rule is not None else inf
        found = self._known[pot.key] = Known(pot, amount, following)
        return found

    def _passed(self, known: Known) -> None:
        rule = self.plan.by_name.get(known.pot.budget)
        if rule is None:
            known.next = inf
            return
        passed = [part for part in rule.alert_at if known.spent >= part * known.amount]
        known.next = _following(rule, known.amount, known.spent)
        if passed:
            self._tell(rule, known, passed[-1])

    def _tell(self, rule: Rule, known: Known, part: float) -> None:
        if self._alerts is not None:
            self._alerts.tell(alert_of(rule, known, part, self._clock.wall_ns()))

    def _sweep(self) -> None:
        second = self._clock.wall_ns() // 1_000_000_000
        self._known = {
            key: known
            for key, known in self._known.items()
            if not known.pot.ends or known.pot.ends > second or known.reserved
        }
        self._sweep_at = max(_SWEEP, 2 * len(self._known))


def _following(rule: Rule, amount: int, spent: int) -> float:
    """Nano-dollars at which the next threshold lies; none: never."""
    return next((part * amount for part in rule.alert_at if part * amount > spent), inf)


def alert_of(rule: Rule, known: Known, part: float, at_ns: int) -> Alert:
    """That so much of a sum is spent. The amount is part of its name: a budget that was raised begins anew."""
    pot, settings = known.pot, rule.settings
    severity: Severity = "critical" if part >= 1 and rule.refuses else "warning" if part >= 0.8 else "info"
    facts: dict[str, Fact] = {
        "budget": rule.name,
        "part": part,
        "spent": float(usd(known.spent)),
        "amount": float(usd(known.amount)),
        "per": settings.per,
        "when_spent": settings.when_spent,
    }
    subject, whose = "all", "all"
    if settings.each:
        kind = settings.of.removeprefix("tag:").strip() if settings.of.startswith("tag:") else settings.of
        subject = f"{'tag:' if settings.of.startswith('tag:') else ''}{kind}:{pot.subject}"
        whose = f"{kind} `{pot.subject}`" if pot.subject else f"requests without a {kind}"
        if settings.of in ("feature", "team", "user", "key"):
            facts[settings.of] = pot.subject
    if len(settings.only.feature) == 1:
        facts.setdefault("feature", settings.only.feature[0])
    until = f" It begins anew at {moment_text(pot.ends)}." if pot.ends else ""
    if pot.ends:
        facts["resets"] = moment_text(pot.ends)
    if part >= 1 and rule.refuses:
        said = "is spent: requests that it does not pay for are refused."
    else:
        said = f"is spent to {part * 100:g} %."
    return Alert(
        event=f"budget:{rule.name}:{pot.subject}:{pot.period}:{part:g}:{usd_text(known.amount)}",
        kind="budget",
        subject=subject,
        severity=severity,
        at_ns=at_ns,
        text=f"Budget `{rule.name}` ({amount_text(rule)}) of {whose} {said} {usd_text(known.spent)} of "
        f"{usd_text(known.amount)} USD.{until}",
        facts=facts,
    )
