"""What an attempt cost: own price before list price, and unknown instead of zero."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from headgate.core.usage import Usage
from headgate.exchange.attempt import Attempt
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.charging import cost_nanos
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.records.entries import Bill
from headgate.records.places import Place
from headgate.records.pricing import Pricer
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.exchanges import Desk

__all__: list[str] = []

NOW = 1_790_000_000_000_000_000
USAGE = Usage(input=1000, output=100)


def row(
    model: str = "gpt-4o-mini", reported: str = "", label: str = "exact", cost: int | None = None
) -> AttemptRow:
    return AttemptRow(
        1,
        2,
        1,
        "p",
        model,
        reported_model=reported,
        input_tokens=1000,
        output_tokens=100,
        cost_label=label,
        cost_nanos=cost,
    )


def test_the_event_loop_gets_no_price_before_the_list_is_read() -> None:
    """None, not a wait: the header is missing for the first moments, the record is not."""
    pricer, endpoint = Pricer(PriceBook()), Desk().endpoint(price_key="openai")
    assert pricer.cost(endpoint, USAGE, when_ns=NOW) is None
    pricer.prepare()  # looks up what was asked for
    assert pricer.cost(endpoint, USAGE, when_ns=NOW) == 1000 * 150 + 100 * 600


def test_an_own_price_needs_no_list_and_goes_before_it() -> None:
    """The operator knows their contract better than a list does."""
    own = own_rates(PriceSettings(input=Decimal(7), output=Decimal(1)))
    endpoint = Desk().endpoint(price_key="openai", own_price=own)
    pricer = Pricer(PriceBook())
    assert pricer.cost(endpoint, USAGE, when_ns=NOW) == 7_100_000
    priced = row()
    attempt = Attempt(id=1, number=1, endpoint=endpoint, wire="openai.chat", started_at=1.0)
    bill = msgspec.msgpack.decode(msgspec.msgpack.encode(Place(endpoint).bill(attempt)), type=Bill)
    pricer.price_attempt(priced, bill, NOW)
    assert (priced.cost_nanos, priced.cost_label) == (7_100_000, "exact")


def test_a_deployment_of_any_name_is_priced_by_the_model_that_answered() -> None:
    """Azure's deployments bear the operator's names."""
    pricer = Pricer(PriceBook())
    priced = row("our-deployment", "gpt-4o-mini-2024-07-18", "estimated")
    pricer.price_attempt(priced, Bill("azure"), NOW)
    assert priced.cost_nanos and priced.cost_label == "estimated"
    endpoint = Desk().endpoint(price_key="azure", model="our-deployment")
    pricer.cost(endpoint, USAGE, when_ns=NOW, reported_model="gpt-4o-mini-2024-07-18")
    pricer.prepare()
    assert (
        pricer.cost(endpoint, USAGE, when_ns=NOW, reported_model="gpt-4o-mini-2024-07-18")
        == priced.cost_nanos
    )


def test_a_model_without_a_price_is_unknown() -> None:
    """Neither vendor nor model known: no number at all."""
    pricer = Pricer(PriceBook())
    for bill in (Bill(""), Bill("nobody"), Bill("openai")):
        priced = row("no-such-model")
        pricer.price_attempt(priced, bill, NOW)
        assert (priced.cost_nanos, priced.cost_label) == (None, "unknown")


def test_a_cost_that_is_there_stays() -> None:
    """What cost nothing for a reason is not priced again."""
    priced = row(label="", cost=0)
    Pricer(PriceBook()).price_attempt(priced, Bill("openai"), NOW)
    assert (priced.cost_nanos, priced.cost_label) == (0, "")


def test_a_request_is_as_certain_as_its_least_certain_attempt() -> None:
    """unknown over estimated over exact; a sum with an unknown part is no sum."""
    free, exact, estimated = row(label="", cost=0), row(cost=5), row(label="estimated", cost=3)
    unknown = row(label="unknown")
    for attempts, expected in (
        ((), (None, "")),
        ((free,), (0, "")),
        ((free, exact), (5, "exact")),
        ((exact, estimated), (8, "estimated")),
        ((exact, unknown), (None, "unknown")),
        ((unknown,), (None, "unknown")),
    ):
        request = RequestRow(2, NOW, "t")
        Pricer.price_request(request, attempts)
        assert (request.cost_nanos, request.cost_label) == expected


def test_a_server_that_reports_nonsense_does_not_stop_the_writer() -> None:
    """What it is said to cost fits into a table, and so does the sum of as many attempts as a request can have."""
    own = own_rates(PriceSettings(input=Decimal(1), output=Decimal(20)))
    nonsense = Usage(input=2**53 - 1, output=2**53 - 1)
    assert 0 < cost_nanos(own, nonsense) * 24 < 2**63


def test_what_the_providers_cache_has_saved_is_told_with_the_price() -> None:
    """Known when the cost is, and nothing where it is not."""
    own = own_rates(PriceSettings(input=Decimal(2), cache_read=Decimal(1), cache_write=Decimal(3)))
    pricer = Pricer(PriceBook())
    used = msgspec.structs.replace(row(), cache_read_tokens=500, cache_write_tokens=100)
    assert pricer.price_attempt(used, Bill(own=own), NOW) == (500_000, 100_000)
    assert pricer.price_attempt(msgspec.structs.replace(used, cost_nanos=None), Bill("nobody"), NOW) == (0, 0)
    assert pricer.price_attempt(msgspec.structs.replace(used, cost_nanos=0), Bill(own=own), NOW) == (0, 0)
