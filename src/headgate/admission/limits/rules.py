"""Which counts a request is about, and how much of each it asks for. Pure, but for reading the exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from headgate.admission.limits.settings import LimitSettings, OnlySettings, QueueSettings
from headgate.core.tokens import tokens_of_body
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.stores.meters import Gauge

__all__ = ["SUBJECTS", "Ask", "Counted", "Plan", "plan_of", "subject_problem"]

ALL = "*"
"""Whom a limit is counted for that has one count for all."""
_NOBODY = Caller(key_id="")
_LONGEST = 256
"""Characters of a subject that count."""

Subject = Callable[[Exchange, Caller, str, str], str]
"""(exchange, caller, feature, model) -> whom the request counts for; "" if it names none."""

SUBJECTS: Mapping[str, Subject] = {
    "key": lambda _exchange, caller, _feature, _model: caller.key_id,
    # Whose key it is we know; whom an application names we can only believe.
    "user": lambda exchange, caller, _feature, _model: caller.user or exchange.user,
    "team": lambda _exchange, caller, _feature, _model: caller.team,
    "feature": lambda _exchange, _caller, feature, _model: feature,
    "model": lambda _exchange, _caller, _feature, model: model,
}


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
    only: Callable[[Exchange, Caller, str, str], bool] | None
    gauges: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All limits of a configuration."""

    rules: tuple[Rule, ...] = ()
    queues: Mapping[str, QueueSettings] = field(default_factory=dict)
    """By feature."""

    def asks(self, exchange: Exchange, feature: str, model: str) -> list[Ask]:
        """What a request takes. feature: "" if a model was asked for directly; model: the one it will probably go to."""
        caller = exchange.caller or _NOBODY
        peek = exchange.peek
        operation = exchange.dialect.operation
        prompt = -1
        found: list[Ask] = []
        for rule in self.rules:
            if rule.only is not None and not rule.only(exchange, caller, feature, model):
                continue
            subject = rule.subject(exchange, caller, feature, model)[:_LONGEST] if rule.subject else ALL
            for gauge in rule.gauges:
                counts = gauge.counts
                units = 1
                if counts != "requests" and counts != "concurrency":  # noqa: PLR1714 - quicker than a set
                    if operation == "count_tokens":
                        continue
                    units = 0
                    if counts != "output_tokens":
                        if prompt < 0:
                            prompt = tokens_of_body(exchange.body)
                        units = prompt
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


def subject_problem(of: str) -> str:
    """What is wrong with `of`; "" if nothing is."""
    if of in SUBJECTS or (of.startswith("tag:") and of.removeprefix("tag:").strip()):
        return ""
    return f'"{of}" is nothing to count by; write {", ".join(f"`{name}`" for name in SUBJECTS)} or `tag:NAME`'


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
    return Rule(_subject(limit), _only(limit.only), tuple(gauges))


def _subject(limit: LimitSettings) -> Subject | None:
    if not limit.each:
        return None
    if limit.of in SUBJECTS:
        return SUBJECTS[limit.of]
    tag = limit.of.removeprefix("tag:").strip()
    return lambda exchange, _caller, _feature, _model: exchange.tags.get(tag, "")


def _only(only: OnlySettings) -> Callable[[Exchange, Caller, str, str], bool] | None:
    if only == OnlySettings():
        return None
    keys = frozenset(only.key)
    named = [
        (SUBJECTS[name], frozenset(getattr(only, name))) for name in ("feature", "model", "team", "user")
    ]
    wanted = [(subject, names) for subject, names in named if names]
    tags = tuple(only.tags.items())

    def about(exchange: Exchange, caller: Caller, feature: str, model: str) -> bool:
        if keys and caller.key_name not in keys and caller.key_id not in keys:
            return False
        for subject, names in wanted:
            if subject(exchange, caller, feature, model) not in names:
                return False
        return all(exchange.tags.get(name) == value for name, value in tags)

    return about
