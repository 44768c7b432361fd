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
    of_prompt: bool
    """Does it count tokens of prompts?"""
    of_answer: bool
    """Does it count tokens of answers?"""
    tokens: bool
    """Does it count tokens of any kind?"""
    name_header: tuple[bytes, bytes]
    """Says which limit it is."""
    amount_header: tuple[bytes, bytes]
    """Says how much it is."""


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
        found: list[Ask] = []
        for rule in self.rules:
            if rule.only is not None and not rule.only(exchange, caller, feature, model):
                continue
            whose = rule.subject(exchange, caller, feature, model) if rule.subject is not None else ALL
            subject = whose if len(whose) <= LONGEST_SUBJECT else whose[:LONGEST_SUBJECT]
            for gauge in rule.gauges:
                units = _tokens(exchange, gauge) if gauge.tokens else 1
                if units:
                    found.append((gauge, subject, units))
        return found


def _tokens(exchange: Exchange, gauge: Counted) -> int:
    """What a request asks for of a count of tokens; 0: the count is not about it."""
    operation = exchange.dialect.operation
    if operation == "count_tokens":
        return 0
    units = exchange.body_tokens if gauge.of_prompt else 0
    if gauge.of_answer and operation == "chat":
        said = exchange.peek.max_tokens
        if said is None:
            units += min(gauge.assume_output, max(int(gauge.most) - units, 1))
        else:
            units += said if said > 0 else 1
    return units


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
        of_prompt, of_answer = counts in {"input_tokens", "tokens"}, counts in {"output_tokens", "tokens"}
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
                of_prompt=of_prompt,
                of_answer=of_answer,
                tokens=of_prompt or of_answer,
                name_header=(b"x-headgate-limit", limit.name.encode()),
                amount_header=(
                    b"x-ratelimit-limit-tokens" if of_prompt or of_answer else b"x-ratelimit-limit-requests",
                    b"%d" % amount,
                ),
            )
        )
    return Rule(subject_of(limit.of, each=limit.each), only_of(limit.only), tuple(gauges))
