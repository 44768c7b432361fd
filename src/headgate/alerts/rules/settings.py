"""What a rule says, whether it stands in the configuration or was added; and the rules that every installation begins with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from headgate.alerts.rules.metrics import DRIFTING, METRICS, Metric, Unit
from headgate.alerts.settings import NAME
from headgate.core.near import did_you_mean
from headgate.core.section import Duration, Section
from headgate.stores.alerts import Severity

__all__ = ["STANDARD", "AlertRuleSettings", "RuleOfSettings", "WatchSettings", "threshold"]

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_AMOUNT = re.compile(r"\s*\$?\s*([0-9]+(?:\.[0-9]+)?)\s*(?:USD|usd)?\s*")


class RuleOfSettings(Section, frozen=True):
    """Which requests a rule is about."""

    feature: str = ""
    """Of this feature. Left out: of all."""
    model: str = ""
    """Routed to this model, by the provider's name for it."""
    provider: str = ""
    """Of this provider."""


class AlertRuleSettings(Section, frozen=True):
    """A rule of alerts: a number, what is too much or too little of it, and for how long."""

    name: str
    """What it is called: letters, digits, `-`, `_` and `.`."""
    metric: str
    """What is watched: `error_rate`, `latency_p95`, `spend`, `requests` and so on. `headgate rules metrics` lists all."""
    alert: float | str
    """Beyond it, it is an alert: in seconds or as `"8s"`, a part of 1 or as `"5 %"`, USD, or a number."""
    of: RuleOfSettings = RuleOfSettings()
    """Which requests. Left out: all of callers' own."""
    each: Literal["", "feature", "model", "provider"] = ""
    """Watched for each by itself. Left out: for all together."""
    error: str = ""
    """For `error_class_rate`: the error."""
    score: str = ""
    """For `quality`: the name of the score, such as `thumbs`."""
    series: str = ""
    """For `drift`: `refusals`, `length`, `latency`, `first_token`, `cost`, or `score:NAME`."""
    window: Duration = Duration(300)
    """The stretch of time that is added up: `1m` to `30d`."""
    against: Duration = Duration(0)
    """Compared with so long a time before the window: thresholds are then how many times as much. Left out: not compared."""
    compare: Literal["", "above", "below"] = ""
    """Which way is bad. Left out: as is usual for the metric."""
    warning: float | str | None = None
    """Beyond it, it is a warning, told as one. Left out: there is none."""
    looks: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    """So many looks one after another must find it, the end of it too. There is a look each 30 seconds; for a window of a day
    or more each 5 minutes, of a week or more each hour."""
    least: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 20
    """Of fewer requests (or scores) than these in the window it says nothing: there is no data."""
    no_data: Literal["keep", "ok", "alert"] = "keep"
    """Without data: keep: it stands as it stood. ok: it is over. alert: somebody is told of that."""
    severity: Severity = "critical"
    """Of its alert: `info`, `warning` or `critical`."""

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name):
            raise ValueError("a rule's `name` is letters, digits, `-`, `_` and `.`, at most 64 of them")
        metric = METRICS.get(self.metric)
        if metric is None:
            near = did_you_mean(self.metric, METRICS) if self.metric else ""
            raise ValueError(f"nothing that is watched is called `{self.metric[:100]}`{near}")
        self._check_whom(metric)
        self._check_times(metric)
        self._check_thresholds(metric)

    @property
    def watched(self) -> Metric:
        """What `metric` names."""
        return METRICS[self.metric]

    @property
    def below(self) -> bool:
        """Is less bad?"""
        return (self.compare or self.watched.bad) == "below"

    @property
    def alert_at(self) -> float:
        """`alert` as a number."""
        return threshold(self.alert, self._unit)

    @property
    def warning_at(self) -> float | None:
        """`warning` as a number."""
        return None if self.warning is None else threshold(self.warning, self._unit)

    @property
    def every_seconds(self) -> int:
        """How often it is looked at."""
        if self.watched.family == "drift":
            return 3600
        return 30 if self.window < _DAY else 300 if self.window < 7 * _DAY else 3600

    @property
    def _unit(self) -> Unit:
        return "score" if self.against else self.watched.unit

    def _check_whom(self, metric: Metric) -> None:
        whom = [name for name in self.of.__struct_fields__ if getattr(self.of, name)]
        if metric.family == "gauge" and (whom or self.each):
            raise ValueError(
                f"`{metric.name}` is of a whole node: neither `of` nor `each` says anything of it"
            )
        if metric.family in ("errors", "scores") and ("provider" in whom or self.each == "provider"):
            raise ValueError(f"`{metric.name}` is not kept by provider: name a feature or a model")
        if self.each and self.each in whom:
            raise ValueError(f"`each` and `of` both say {self.each}: there is one of it")
        if bool(self.error) != (metric.family == "errors"):
            raise ValueError('`error` and `metric = "error_class_rate"` go together')
        if bool(self.series) != (metric.family == "drift"):
            raise ValueError('`series` and `metric = "drift"` go together')
        if (
            self.series
            and self.series not in DRIFTING
            and not re.fullmatch(r"score:[A-Za-z0-9_.:-]{1,64}", self.series)
        ):
            near = did_you_mean(self.series, [*DRIFTING, "score:NAME"])
            raise ValueError(f"`series`: there is no `{self.series[:70]}`{near}")
        if metric.family == "drift" and (set(whom) - {"feature"} or (not whom and self.each != "feature")):
            raise ValueError('`drift` is of a feature: say `of = { feature = "NAME" }` or `each = "feature"`')
        if bool(self.score) != (metric.family == "scores"):
            raise ValueError('`score` and `metric = "quality"` go together')

    def _check_times(self, metric: Metric) -> None:
        if not _MINUTE <= self.window <= 30 * _DAY or self.window % _MINUTE:
            raise ValueError("`window` is whole minutes, `1m` to `30d`")
        if self.against:
            if metric.family not in ("requests", "scores"):
                raise ValueError(f"`{metric.name}` cannot be compared with a time before")
            if not self.window <= self.against <= 90 * _DAY or self.against % _MINUTE:
                raise ValueError("`against` is as long as `window` at least, `90d` at most, in whole minutes")
        if metric.family in ("errors", "scores", "drift") and self.window % _HOUR:
            raise ValueError(f"`{metric.name}` is kept by the hour: `window` is whole hours")

    def _check_thresholds(self, metric: Metric) -> None:
        values = {"alert": self.alert, "warning": self.warning}
        for name, value in values.items():
            if value is None:
                continue
            try:
                number = threshold(value, self._unit)
            except ValueError as wrong:
                raise ValueError(f"`{name}`: {wrong}") from None
            if self._unit == "share" and number > 1:
                raise ValueError(f'`{name}` is a part of 1, or written as "5 %": {number:g} is more than all')
            if not 0 <= number < 1e15 or (number == 0 and self.below):
                raise ValueError(f"`{name}` can never be passed by `{metric.name}`")
        if self.warning is not None:
            first, then = threshold(self.warning, self._unit), threshold(self.alert, self._unit)
            if (first <= then) if self.below else (first >= then):
                raise ValueError("`warning` comes before `alert`: choose one that is passed earlier")


class WatchSettings(Section, frozen=True):
    """Rules of alerts: what is watched all the time, and when somebody is told."""

    standard: bool = True
    """The rules that come with Headgate: `headgate rules list` shows them. A rule of yours of the same name takes the place
    of one of them."""
    without: list[str] = msgspec.field(default_factory=list)
    """Those of them that you do not want."""
    rules: list[AlertRuleSettings] = msgspec.field(default_factory=list)
    """Your own."""


def threshold(value: float | str, unit: Unit) -> float:
    """A threshold as a number: seconds, parts of 1, USD. Raises ValueError with what would be right."""
    if not isinstance(value, str):
        return float(value)
    if unit == "share" and (percent := _PERCENT.fullmatch(value)):
        return float(percent[1]) / 100
    if unit == "s":
        return float(Duration.parse(value))
    found = _AMOUNT.fullmatch(value)
    if found is None or (unit != "USD" and not found[0].strip()[-1:].isdigit()):
        raise ValueError(
            f'"{value[:50]}" is none: write a number, or as "8s", "5 %", "2.50 USD" what it counts'
        )
    return float(found[1])


def _standard(name: str, metric: str, alert: float, **others: object) -> AlertRuleSettings:
    return AlertRuleSettings(name=name, metric=metric, alert=alert, **others)  # type: ignore[arg-type]


STANDARD: Sequence[AlertRuleSettings] = (
    _standard("records-dropped", "records_dropped", 0, window=Duration(600), looks=1, least=0),
    _standard("errors", "error_rate", 0.2, warning=0.1, each="feature", least=30),
    # Of what is hardly ever asked for: five minutes never have thirty requests of it.
    _standard(
        "errors-for-an-hour",
        "error_rate",
        0.5,
        warning=0.25,
        each="feature",
        window=Duration(_HOUR),
        least=10,
    ),
    _standard("degraded", "degraded_rate", 0.2, warning=0.05, each="feature", severity="warning"),
    _standard("refusing", "refusal_rate", 0.3, warning=0.1, each="feature", least=50, severity="warning"),
    _standard(
        "slower",
        "latency_p50",
        2.0,
        warning=1.5,
        each="feature",
        window=Duration(60),
        against=Duration(_DAY),
        severity="warning",
    ),
    _standard(
        "slower-for-an-hour",
        "latency_p95",
        2.0,
        warning=1.5,
        each="feature",
        window=Duration(_HOUR),
        against=Duration(7 * _DAY),
        least=50,
        severity="warning",
    ),
    _standard(
        "dearer",
        "cost_p50",
        2.0,
        warning=1.5,
        each="feature",
        window=Duration(60),
        against=Duration(_DAY),
        severity="warning",
    ),
    _standard(
        "dearer-for-an-hour",
        "cost_per_request",
        2.0,
        warning=1.5,
        each="feature",
        window=Duration(_HOUR),
        against=Duration(7 * _DAY),
        least=50,
        severity="warning",
    ),
    _standard(
        "worse",
        "quality",
        0.8,
        warning=0.9,
        score="thumbs",
        each="feature",
        window=Duration(_HOUR),
        against=Duration(7 * _DAY),
        severity="warning",
    ),
)
"""What is watched unless it is switched off."""
