"""A provider's report beside our records: which names are the same, what differs, and what is entered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.control.costs.matching import Match, family, match_models
from headgate.control.costs.prices import parse_price, rates_of_price
from headgate.control.costs.provider_reports.lines import ProviderReport, ReportLine, joined
from headgate.control.costs.reconcile import ALL_MODELS, Compared, Reconciliation, apply, reconcile
from headgate.core.usage import Usage
from headgate.stores.backends.memory import MemoryAudit, MemorySpans
from headgate.stores.backends.memory.ledger import MemoryLedger
from headgate.stores.ledger import Entry
from headgate.stores.sink import Batch, Position
from headgate.stores.totals import Which
from tests.support.aio import aio
from tests.support.cost_rows import DAY, priced, request, store_of

__all__: list[str] = []

RATES = rates_of_price(parse_price("10:40/M"))
MINI = "gpt-4o-mini-2024-07-18"
NOON = int(datetime(2026, 11, 19, 12, tzinfo=UTC).timestamp()) * 10**9
DAY_TEXT, NEXT = "2026-11-19", "2026-11-20"


def call(number: int, tokens: int = 1000, **given: Any) -> Any:
    """A call of OpenAI's that cost 10 USD a million tokens."""
    row = request(100 * number, started_ns=given.pop("at_ns", NOON), attempts=1)
    given = {"reported_model": MINI} | given
    provider = given.pop("provider", "openai")
    attempt = priced(row, 1, RATES, (tokens, 0, 0, 0, 0, 0), **given)
    return row, msgspec.structs.replace(attempt, provider=provider)


def stores(*calls: Any) -> tuple[MemorySpans, MemoryLedger, MemoryAudit]:
    spans = store_of(*(row for row, _ in calls), attempts=[one for _, one in calls])
    audit = MemoryAudit()
    return spans, MemoryLedger(spans, audit), audit


def report(*lines: ReportLine) -> ProviderReport:
    return ProviderReport("openai", ("openai costs (JSON)",), joined(lines))


def money(model: str, nanos: int, day: str = DAY_TEXT, **given: Any) -> ReportLine:
    return ReportLine(day, model, nanos=nanos, **given)


async def compare(
    kept: Any, said: ProviderReport, providers: tuple[str, ...] = ("openai",)
) -> Reconciliation:
    return await reconcile(kept[0], kept[1], said, providers, lambda model, when_ns: RATES if model else None)


async def enter(kept: Any, said: ProviderReport, *, everything: bool = False) -> tuple[int, int]:
    return await apply(kept[1], await compare(kept, said), everything=everything, actor="cli:ann")


async def spent(kept: Any) -> int:
    return sum(one.nanos or 0 for one in await kept[1].movements(Which(), limit=10_000))


def shown(found: Reconciliation) -> list[tuple[Any, ...]]:
    return [
        (line.day, line.model, line.theirs_nanos, line.ours_nanos, line.difference) for line in found.lines
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4-0613", "gpt-4"),
        ("claude-haiku-4-5-20251001", "Claude Haiku 4.5"),
        ("claude-3-7-sonnet-latest", "Claude Sonnet 3.7"),
        ("models/gpt-4o", "GPT-4o"),
        ("claude-opus-4-1@20250805", "claude-opus-4-1"),
    ],
)
def test_a_dated_name_and_its_family_are_the_same(one: str, other: str) -> None:
    """However the two sides spell it."""
    assert family(one) == family(other)


def test_other_models_are_others() -> None:
    """Size and version tell them apart."""
    names = [
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4",
        "gpt-4.1",
        "claude-haiku-4-5",
        "claude-sonnet-4-5",
        "claude-sonnet-4",
    ]
    assert len({family(name) for name in names}) == len(names)


def test_names_are_matched_as_they_are_before_their_family_is() -> None:
    """Two dates stay two where we know which it was, and are one where we do not."""
    dates = ["gpt-4o-2024-05-13", "gpt-4o-2024-08-06"]
    assert match_models(dates, dates[1:]) == [Match(dates[:1], []), Match(dates[1:], dates[1:])]
    assert match_models(dates, ["gpt-4o"]) == [Match(dates, ["gpt-4o"])]
    assert match_models(dates, ["gpt-4o", dates[0]]) == [Match(dates, ["gpt-4o", dates[0]])]
    assert match_models(["a"], ["b"]) == [Match(["a"], []), Match([], ["b"])]


@aio
async def test_each_day_and_model_is_compared() -> None:
    """Calls of that provider, of those days, with their tokens; both sides' leftovers are lines too."""
    kept = stores(
        call(1),
        call(2, 500),
        call(3, provider="other"),
        call(4, at_ns=NOON - DAY),
        call(5, at_ns=NOON + DAY, reported_model="gpt-9"),
    )
    found = await compare(
        kept,
        report(
            ReportLine(DAY_TEXT, "gpt-4o-mini", Usage(input=1600), 16_000_000),
            money("gpt-4o", 7, NEXT),
        ),
    )
    assert shown(found) == [
        (DAY_TEXT, MINI, 16_000_000, 15_000_000, 1_000_000),
        (NEXT, "gpt-4o", 7, 0, 7),
        (NEXT, "gpt-9", None, 10_000_000, None),
    ]
    assert [(line.in_report, line.in_ours) for line in found.lines] == [
        (True, True),
        (True, False),
        (False, True),
    ]
    assert found.lines[0].tokens_difference == 100


@aio
async def test_a_report_that_is_entered_twice_is_entered_once() -> None:
    """The sum is the provider's from then on, and the change stands in the audit log, once."""
    kept = stores(call(1), call(2))
    said = report(money("gpt-4o-mini", 21_000_000))
    assert await enter(kept, said) == (1, 1)
    assert await spent(kept) == 21_000_000
    assert await enter(kept, said) == (0, 0)
    assert await spent(kept) == 21_000_000
    (entry,) = await kept[1].movements(Which(), kinds=["reconcile"])
    assert (entry.nanos, entry.label, entry.provider, entry.model) == (
        1_000_000,
        "reconciled",
        "openai",
        MINI,
    )
    assert entry.at_ns == NOON - DAY // 2
    assert "0.021000000 USD" in entry.note and "0.020000000 USD" in entry.note
    (noted,) = await kept[2].since(0, 10)
    assert (noted.action, noted.subject, noted.actor) == ("ledger.reconcile", "openai", "cli:ann")
    assert '"usd":"0.001000000"' in noted.after


@aio
async def test_a_later_report_corrects_the_earlier_back_and_forth() -> None:
    """As often as it changes, also to what it was before; and so do records that come late."""
    kept = stores(call(1))
    for nanos in (9, 12, 9, 12, 12, 0):
        await enter(kept, report(money(MINI, nanos)))
        assert await spent(kept) == nanos
    late, attempt = call(2)
    kept[0].write(Batch(journal="j", position=Position(1, 2), requests=[late], attempts=[attempt]))
    assert await spent(kept) == 10_000_000
    assert await enter(kept, report(money(MINI, 0))) == (1, 1)
    assert await spent(kept) == 0


@aio
async def test_of_two_who_enter_at_the_same_time_one_does() -> None:
    """The other is told that not all of its differences were new."""
    kept = stores(call(1))
    first, second = [await compare(kept, report(money(MINI, nanos))) for nanos in (5, 7)]
    assert await apply(kept[1], first, everything=False, actor="a") == (1, 1)
    assert await apply(kept[1], second, everything=False, actor="b") == (0, 1)
    assert await spent(kept) == 5
    assert await enter(kept, report(money(MINI, 7))) == (1, 1)
    assert await spent(kept) == 7


@aio
async def test_what_only_one_side_has_is_left_unless_asked_for() -> None:
    """Ours always: the report may be about something else. Theirs is entered under its own name if it is wanted."""
    kept = stores(call(1, reported_model="gpt-9"))
    said = report(money("gpt-4o", 7), money("", 3, item="web search tool calls"))
    assert await enter(kept, said) == (0, 0)
    assert await enter(kept, said, everything=True) == (2, 2)
    assert await enter(kept, said, everything=True) == (0, 0)
    assert await spent(kept) == 10_000_010
    names = [one.model for one in await kept[1].movements(Which(), kinds=["reconcile"])]
    assert sorted(names) == ["gpt-4o", "web search tool calls"]


@aio
async def test_a_report_that_tells_no_models_is_about_all_of_them() -> None:
    """And one of the same day that does tell them takes its entry's place."""
    kept = stores(call(1), call(2, reported_model="gpt-9"))
    whole = report(money("", 25_000_000))
    (line,) = (await compare(kept, whole)).lines
    assert (line.model, line.ours_nanos, line.difference) == (ALL_MODELS, 20_000_000, 5_000_000)
    assert await enter(kept, whole) == (1, 1)
    assert await enter(kept, whole) == (0, 0)
    assert await spent(kept) == 25_000_000
    assert await enter(kept, report(money(MINI, 11_000_000), money("gpt-9", 12_000_000))) == (3, 3)
    assert await spent(kept) == 23_000_000
    assert await enter(kept, whole) == (1, 1)
    assert await spent(kept) == 25_000_000


@aio
async def test_tokens_without_money_have_our_price() -> None:
    """It is said so; the same tokens are no difference, whatever rounding makes of them; no price is no figure."""
    kept = stores(
        call(1, 3), call(2, 3), call(3, cost_nanos=None, cost_label="unknown", reported_model="gpt-9")
    )

    def said(tokens: int, model: str = MINI) -> ProviderReport:
        return report(ReportLine(DAY_TEXT, model, Usage(input=tokens)))

    (line,) = [one for one in (await compare(kept, said(6))).lines if one.in_report]
    assert (line.priced, line.difference) == (True, 0)
    (line,) = [one for one in (await compare(kept, said(7))).lines if one.in_report]
    assert (line.priced, line.theirs_nanos, line.difference) == (True, 70_000, 10_000)
    (line,) = [one for one in (await compare(kept, said(1000, "gpt-9"))).lines if one.in_report]
    assert (line.unknown, line.ours_nanos, line.difference) == (1, 0, 10_000_000)
    (line,) = (await compare(kept, said(5, ""))).lines
    assert (line.model, line.theirs_nanos, line.difference) == (ALL_MODELS, None, None)


@aio
async def test_orphans_are_part_of_ours() -> None:
    """What was counted for a gateway that died is what the bill corrects."""
    kept = stores(call(1))
    common: dict[str, Any] = {"at_ns": NOON, "provider": "openai", "model": "gpt-4o-mini", "attempt_id": 7}
    await kept[1].add([Entry(event="orphan:7", kind="orphan", nanos=500, **common)])
    (line,) = (await compare(kept, report(money(MINI, 10_000_100)))).lines
    assert (line.ours_nanos, line.difference, line.calls) == (10_000_500, -400, 2)


@aio
async def test_several_of_our_providers_are_one_of_theirs() -> None:
    """The difference cannot be told apart, so it is entered under the vendor's name, and found again there."""
    kept = stores(call(1, provider="eu"), call(2, provider="us"))
    found = await compare(kept, report(money(MINI, 19_000_000)), ("eu", "us"))
    assert found.provider == "openai"
    assert await apply(kept[1], found, everything=False, actor="a") == (1, 1)
    (line,) = (await compare(kept, report(money(MINI, 19_000_000)), ("eu", "us"))).lines
    assert line.difference == 0


def test_nothing_compared_is_nothing_to_enter() -> None:
    """What is not known differs by nothing that could be entered."""
    lines = [
        Compared(DAY_TEXT, "m", in_report=True, calls=1),
        Compared(DAY_TEXT, "n", theirs_nanos=5, calls=1),
    ]
    found = Reconciliation("openai", ("openai",), report(), lines)
    assert found.to_apply(everything=True) == []


NAMES = [MINI, "gpt-4o-mini", "gpt-4o-mini-2025-01-01", "gpt-4o", "gpt-9"]


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("call"), st.sampled_from(NAMES)),
            st.tuples(st.just("whole"), st.integers(0, 10**9)),
            st.tuples(
                st.just("models"),
                st.dictionaries(
                    st.sampled_from([*NAMES, "web search"]), st.integers(0, 10**9), min_size=1, max_size=4
                ),
            ),
        ),
        max_size=8,
    )
)
def test_whatever_is_reported_the_ledger_says_so_afterwards(steps: Any) -> None:
    """Reports of all models and of each, calls under any name in between: what was reported is what was spent, beside
    models that the report does not know; and telling it again changes nothing."""

    @aio
    async def tell() -> None:
        kept = stores()
        for number, (kind, what) in enumerate(steps, start=1):
            if kind == "call":
                row, attempt = call(number, reported_model=what)
                kept[0].write(Batch(journal="j", position=Position(1, 2), requests=[row], attempts=[attempt]))
                continue
            figures = {"": what} if kind == "whole" else what
            said = report(*(money(name, nanos) for name, nanos in figures.items()))
            await enter(kept, said, everything=True)
            found = await compare(kept, said)
            unknown = sum(line.ours_nanos for line in found.lines if not line.in_report)
            assert await spent(kept) == sum(figures.values()) + unknown
            assert found.to_apply(everything=True) == []

    tell()
