"""Budgets for operators: how far each is spent, and money put into prepaid ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import msgspec
from msgspec.structs import replace

from headgate.budgets.plan import Plan, Rule
from headgate.core.clock import Clock
from headgate.core.ids import IdSource
from headgate.core.money import nanos, usd
from headgate.exchange.subjects import ALL
from headgate.stores.audit import AuditEntry
from headgate.stores.ledger import Entry
from headgate.stores.purses import PotKey

__all__ = [
    "AlreadyDeposited",
    "BudgetState",
    "Ledger",
    "NoSuchBudget",
    "NotPrepaid",
    "budget_states",
    "deposit",
]

_LONGEST_PERIOD = 32 * 86_400
_NS = 1_000_000_000
_AS_HOLDER = {"key": "key_id", "user": "user", "team": "team", "tenant": "tenant", "feature": "feature"}
"""`of` -> the field of a ledger's entry that says the same."""


class Ledger(Protocol):
    """What is read and written of the ledger. All raise StoreUnavailable."""

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]: ...

    async def deposits(self) -> Mapping[tuple[str, str], int]: ...

    async def add(self, entries: list[Entry], audit: AuditEntry | None = None) -> int: ...


class NoSuchBudget(LookupError):
    """No budget has that name. `names` are those that might be meant."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        super().__init__(f"no budget `{name}`")
        self.name = name
        self.names = list(names)


class NotPrepaid(ValueError):
    """Money cannot be put into it; the message says why."""


class AlreadyDeposited(ValueError):
    """A deposit of this reference was made before."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A sum as the database has it: what is set aside for calls under way is not in it."""

    rule: Rule
    subject: str
    """Whose it is; `*`: of all together."""
    spent: int
    """Nano-dollars."""
    amount: int
    """Nano-dollars that it holds when nothing is spent, deposits included."""
    begins: int
    """Of its period, seconds since 1970; 0: it has none."""
    ends: int

    @property
    def fraction(self) -> float:
        """The part that is spent."""
        return self.spent / self.amount if self.amount else float(self.spent > 0)


async def budget_states(ledger: Ledger, plan: Plan, second: int) -> dict[str, list[BudgetState]]:
    """Budget -> its sums in the period that `second` lies in, the fullest first; in the plan's order. Those of requests keep
    none. Raises StoreUnavailable."""
    lasting = [rule for rule in plan.rules if not rule.alone]
    since = min([rule.period(second).begins for rule in lasting] or [second]) or second - _LONGEST_PERIOD
    uses = await ledger.uses(since=since) if lasting else {}
    deposits = await ledger.deposits() if any(rule.prepaid for rule in lasting) else {}
    found: dict[str, list[BudgetState]] = {}
    for rule in lasting:
        period = rule.period(second)
        spent = {
            subject: amount
            for (name, subject, begins), amount in uses.items()
            if name == rule.name and begins == period.begins
        }
        whose = dict.fromkeys(spent)
        if rule.prepaid:
            whose |= dict.fromkeys(subject for name, subject in deposits if name == rule.name)
        if rule.subject is None:
            whose = {ALL: None}
        states = [
            BudgetState(
                rule,
                subject,
                spent.get(subject, 0),
                rule.amount_for(subject, deposits),
                period.begins,
                period.ends,
            )
            for subject in whose
        ]
        found[rule.name] = sorted(states, key=lambda each: (-each.fraction, each.subject))
    return found


async def deposit(
    ledger: Ledger,
    plan: Plan,
    name: str,
    amount: Decimal,
    *,
    subject: str = "",
    note: str = "",
    reference: str = "",
    actor: str,
    clock: Clock,
) -> Entry:
    """Put money into a prepaid budget, or with a negative amount take some out. Gateways know of it within a second or so.

    amount: USD. subject: whose sum; "": the one that all share. reference: whoever pays may name the payment, so that it
    is made once. Raises NoSuchBudget, NotPrepaid, AlreadyDeposited, StoreUnavailable."""
    rule = plan.by_name.get(name)
    if rule is None:
        raise NoSuchBudget(name, [each.name for each in plan.rules if each.prepaid])
    if not rule.prepaid:
        raise NotPrepaid(
            f'budget `{name}` begins anew each {rule.settings.per}: deposits are for budgets with `per = "prepaid"`'
        )
    of = rule.settings.of
    if rule.subject is None and subject not in ("", ALL):
        raise NotPrepaid(f"budget `{name}` is one sum for all together: say no `--for`")
    if rule.subject is not None and not subject:
        raise NotPrepaid(f"budget `{name}` has a sum for each {of}: say whose with `--for`")
    whose = subject if rule.subject is not None else ALL
    at_ns = clock.wall_ns()
    entry = Entry(
        event=f"deposit:{reference or IdSource(clock).next()}",
        at_ns=at_ns,
        kind="deposit",
        nanos=-nanos(amount),
        label="exact",
        budget=name,
        subject=whose,
        note=note,
    )
    if rule.subject is not None and of in _AS_HOLDER:
        entry = replace(entry, **{_AS_HOLDER[of]: whose})
    facts = {
        "budget": name,
        "for": whose,
        "usd": f"{usd(-entry.nanos):f}",
        "note": note,
        "event": entry.event,
    }
    audit = AuditEntry(
        at_ns=at_ns,
        actor=actor,
        action="budget.deposit",
        subject=name,
        after=msgspec.json.encode(facts).decode(),
    )
    if not await ledger.add([entry], audit):
        raise AlreadyDeposited(f"deposit `{reference}` was made already; nothing was changed")
    return entry
