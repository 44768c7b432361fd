"""Which counts a request is about, and how much of each it asks for. Pure, but for reading the exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headgate.admission.limits.settings import LimitSettings, QueueSettings
from headgate.exchange.exchange import Exchange
from headgate.exchange.subjects import ALL, LONGEST_SUBJECT, NOBODY, About, Subject, only_of, subject_of
from headgate.stores.meters import Gauge

__all__ = ["Ask", "Counted", "Plan", "plan_of"]


class Counted(Gauge, frozen=True, gc=False):
    """A count of a limit, with what is said of it."""

    limit: str
    """The limit's name."""
    counts: str
    """One of `COUNTED`."""
    amount: int
    """As written in the configuration."""
    per: float
    of: str
    assume_output: int
    amount_text: bytes
    name_text: bytes


Ask = tuple[Counted, str, int]
"""A `Want` of ours."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit, ready for use."""

    subject: Subject | None
    """None: one count for all."""
    only: About | None
    gauges: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All limits of a configuration."""

    rules: tuple[Rule, ...] = ()
    queues: Mapping[str, QueueSettings] = field(default_factory=dict)
    """By feature."""

    def asks(self, exchange: Exchange, feature: str, model: str) -> list[Ask]:
        """What a request takes. feature: "" if a model was asked for directly; model: the one it will probably go to."""
        caller = exchange.caller or NOBODY
        peek = exchange.peek
        operation = exchange.dialect.operation
        found: list[Ask] = []
        for rule in self.rules:
            if rule.only is not None and not rule.only(exchange, caller, feature, model):
                continue
            subject = (
                rule.subject(exchange, caller, feature, model)[:LONGEST_SUBJECT] if rule.subject else ALL
            )
            for gauge in rule.gauges:
                counts = gauge.counts
                units = 1
                if counts != "requests" and counts != "concurrency":  # noqa: PLR1714 - quicker than a set
                    if operation == "count_tokens":
                        continue
                    units = 0
                    if counts != "output_tokens":
                        units = exchange.body_tokens
                    if counts != "input_tokens" and operation == "chat":
                        said = peek.max_tokens
                        room = max(int(gauge.most) - units, 1)
                        units += min(gauge.assume_output, room) if said is None else max(said, 1)
                    if not units:
                        continue
                found.append((gauge, subject, units))
        return found


def plan_of(limits: Sequence[LimitSettings], queues: Mapping[str, QueueSettings]) -> Plan:
    """Limits, ready for use. queues: those of features that have one."""
    return Plan(tuple(map(_rule, limits)), dict(queues))


def _rule(limit: LimitSettings) -> Rule:
    gauges = []
    per = float(limit.per)
    for counts in ("requests", "input_tokens", "output_tokens", "tokens", "concurrency"):
        amount: int | None = getattr(limit, counts)
        if amount is None:
            continue
        held = counts == "concurrency"
        most = float(amount) if held else max(amount * limit.burst, 1.0)
        gauges.append(
            Counted(
                name=f"{limit.name}:{counts}",
                most=most,
                interval=0.0 if held else per / amount,
                limit=limit.name,
                counts=counts,
                amount=amount,
                per=per,
                of=limit.of if limit.each else "",
                assume_output=limit.assume_output,
                amount_text=b"%d" % amount,
                name_text=limit.name.encode(),
            )
        )
    return Rule(subject_of(limit.of, each=limit.each), only_of(limit.only), tuple(gauges))
