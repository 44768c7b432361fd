"""Every error class has a remedy, a verdict and a rest; the tables are shown whole, so a new class must be placed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.core import errors
from headgate.core.errors import (
    ContentFiltered,
    GatewayError,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderFault,
    ProviderOverloaded,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRejected,
    TransportFault,
)
from headgate.dispatch.remedy import Remedy, remedy, rest_seconds, shun_seconds, verdict
from headgate.providers.health.health import Verdict

__all__: list[str] = []

TABLE: dict[Remedy, dict[Verdict, set[str]]] = {
    "again": {
        "failed": {
            "ConnectFailed",
            "PoolTimeout",
            "RateTooLow",
            "UpstreamReset",
            "UpstreamCut",
            "UpstreamMalformed",
            "NothingAvailable",
            "ProviderRateLimited",
            "ProviderOverloaded",
            "ProviderFailed",
        },
    },
    "elsewhere": {
        "failed": {
            "ConnectTimeout",
            "HeadersTimeout",
            "FirstContentTimeout",
            "BetweenTimeout",
            "TotalTimeout",
            "TlsFailed",
        },
        "ignored": {
            "ProviderAuthFailed",
            "ProviderQuotaSpent",
            "ProviderModelUnknown",
            "UnsupportedRequest",
            "BudgetSpent",
            "TooDearForBudget",
            "PriceUnknown",
        },
    },
    "larger": {"ok": {"ContextTooLong"}},
    "none": {
        "ok": {"ProviderRejected", "ContentFiltered"},
        "ignored": {
            "InvalidRequest",
            "MalformedBody",
            "UnknownModel",
            "UnknownPath",
            "MethodNotAllowed",
            "BodyTooLarge",
            "HeadersTooLarge",
            "RequestTooSlow",
            "NotAuthenticated",
            "NotAllowed",
            "NoEndpointAllowed",
            "NotInCache",
            "LimitReached",
            "LimitsUnavailable",
            "BudgetsUnavailable",
            "TooLargeForLimit",
            "InternalFault",
            "ShuttingDown",
            "CallerHungUp",
        },
    },
}
BASES = {
    "GatewayError",
    "CallerMistake",
    "GatewayFault",
    "ProviderFault",
    "TransportFault",
    "ProviderRefusal",
}


def classes(of: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for one in of.__subclasses__():
        if one.__module__ == errors.__name__:
            yield one
            yield from classes(one)


def made(kind: type[GatewayError], retry_after: float | None = None) -> GatewayError:
    if issubclass(kind, TransportFault):
        return kind(detail="x")
    return kind("x", retry_after=retry_after)


KINDS = sorted({one for one in classes() if one.__name__ not in BASES}, key=lambda one: one.__name__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_its_place_in_both_tables(kind: type[GatewayError]) -> None:
    """What may help, and whose fault it was."""
    error = made(kind)
    places = [
        (cure, said)
        for cure, verdicts in TABLE.items()
        for said, names in verdicts.items()
        if kind.__name__ in names
    ]
    assert places == [(remedy(error), verdict(error))]


def test_the_table_names_no_class_that_is_gone() -> None:
    """So that it can be read as documentation."""
    named = {name for verdicts in TABLE.values() for names in verdicts.values() for name in names}
    assert named == {one.__name__ for one in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_not_the_providers_fault_is_never_tried_again(kind: type[GatewayError]) -> None:
    """The caller's mistakes and our own bugs come out the same everywhere, whatever an operator sets."""
    error = made(kind)
    if not isinstance(error, ProviderFault):
        assert remedy(error, on_content_filter="failover") in ("none", "elsewhere")
        assert verdict(error) == "ignored" and rest_seconds(error) == 0


def test_a_content_filter_fails_over_only_by_the_operators_word() -> None:
    """And only the content filter does: another invalid request stays one."""
    assert remedy(ContentFiltered("x"), on_content_filter="failover") == "elsewhere"
    assert remedy(ProviderRejected("x"), on_content_filter="failover") == "none"


def test_no_error_is_a_good_word_for_the_endpoint() -> None:
    """So is a refusal of the caller's mistake: somebody is there and answers."""
    assert verdict(None) == "ok"


def test_who_says_when_to_come_back_rests_until_then_and_has_not_failed() -> None:
    """A rate limit with a time is obeyed; one without counts, so that the breaker finds a rhythm."""
    told = ProviderRateLimited("x", retry_after=7.0)
    assert (rest_seconds(told), verdict(told)) == (7.0, "ignored")
    assert (rest_seconds(ProviderRateLimited("x")), verdict(ProviderRateLimited("x"))) == (0.0, "failed")
    busy = ProviderOverloaded("x", retry_after=3.0)
    assert (rest_seconds(busy), verdict(busy)) == (3.0, "failed")


def test_nobody_rests_long_by_a_vendors_word() -> None:
    """A moment where seconds are due, as seen in the wild, would be a rest of half a century."""
    assert rest_seconds(ProviderRateLimited("x", retry_after=1_767_614_400.0)) == 600
    assert rest_seconds(ProviderOverloaded("x", retry_after=601.0)) == 600


@pytest.mark.parametrize("kind", [ProviderAuthFailed, ProviderQuotaSpent])
def test_a_key_that_is_not_taken_comes_after_others_for_a_minute(kind: type[GatewayError]) -> None:
    """It is not left alone: where there is no other, its own refusal says best what is wrong."""
    assert shun_seconds(made(kind)) == 60
    assert rest_seconds(made(kind)) == 0
    assert shun_seconds(ProviderFailed("x")) == shun_seconds(ProviderRejected("x")) == 0


def test_the_callers_mistake_lets_nobody_rest() -> None:
    """Whatever a header says."""
    assert rest_seconds(ProviderRejected("x", retry_after=9.0)) == 0
    assert rest_seconds(ProviderFailed("x")) == 0
