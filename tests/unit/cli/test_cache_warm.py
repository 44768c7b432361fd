"""`headgate cache warm`: what is read, in which hours it asks, and how it ends; over a gateway that is none."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.cli.cache_campaign import run_campaign
from headgate.cli.cache_questions import Item, questions_in, under_a_prompt
from headgate.cli.cheap_hours import hours_of, seconds_between
from headgate.control.cache.warming import Outcome
from headgate.control.http.cache.warming import WarmedTold
from tests.support.aio import aio

__all__: list[str] = []


class Scripted:
    """Fulfils `Warmer`: each question's outcome stands in it."""

    def __init__(self, *, cost: str = "0.01") -> None:
        self.cost = Decimal(cost)
        self.asked_for: list[str] = []
        self.left: list[Decimal] = []
        self.then: Any = None

    async def asked(self, feature: str, since: str, count: int) -> list[tuple[str, int]]:
        return []

    async def one(
        self, feature: str, item: Item, left: Decimal, *, like: str, estimate_only: bool
    ) -> WarmedTold:
        self.asked_for.append(item["question"])
        self.left.append(left)
        outcome: Outcome = item["question"].partition(" ")[0]
        if outcome == "stored" and left < self.cost:
            outcome = "capped"
        if self.then is not None:
            self.then()
        await asyncio.sleep(0)
        cost = f"{self.cost:f}" if outcome == "stored" else "0"
        return WarmedTold(
            outcome=outcome,
            key="",
            request="",
            cost_usd=cost,
            most_usd=f"{self.cost:f}",
            why="no" if outcome == "refused" else "",
        )


def questions(*words: str) -> list[Item]:
    return [{"question": word} for word in words]


@aio
async def test_each_is_asked_once_and_counted_by_what_came_of_it() -> None:
    """And never with more than what is left of the cap."""
    warmer = Scripted()
    done = await run_campaign(
        warmer, "chat", questions("stored 1", "fresh", "refused", "stored 2", "failed"), Decimal("0.05")
    )
    assert warmer.asked_for == ["stored 1", "fresh", "refused", "stored 2", "failed"]
    assert warmer.left == [Decimal(text) for text in ("0.05", "0.04", "0.04", "0.04", "0.03")]
    assert dict(done.outcomes) == {"stored": 2, "fresh": 1, "refused": 1, "failed": 1}
    assert (done.spent, done.capped, done.stopped) == (Decimal("0.02"), False, False)
    assert dict(done.why) == {"not asked: no": 1}


@aio
async def test_the_cap_ends_it() -> None:
    """What comes after is not asked."""
    warmer = Scripted(cost="0.02")
    done = await run_campaign(warmer, "chat", questions(*["stored"] * 5), Decimal("0.05"))
    assert (done.outcomes["stored"], done.capped, done.spent) == (2, True, Decimal("0.04"))
    assert len(warmer.asked_for) == 3


class Slow(Scripted):
    """Answers when it is told to; holds what it was given for each until then, as a gateway does."""

    def __init__(self, *, cost: str = "0.01") -> None:
        super().__init__(cost=cost)
        self.under_way: dict[str, Decimal] = {}
        self.most_at_once = 0
        self.most_held = Decimal(0)
        self.goes_on = asyncio.Event()

    async def one(
        self, feature: str, item: Item, left: Decimal, *, like: str, estimate_only: bool
    ) -> WarmedTold:
        self.under_way[item["question"]] = left
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        self.most_held = max(self.most_held, sum(self.under_way.values(), Decimal(0)))
        try:
            await self.goes_on.wait()
            await asyncio.sleep(0)
            return await super().one(feature, item, left, like=like, estimate_only=estimate_only)
        finally:
            del self.under_way[item["question"]]


@aio
async def test_a_few_are_under_way_at_a_time() -> None:
    """No more than were allowed, each with a part of what is left: together they cannot pass the cap."""
    warmer = Slow()
    run = asyncio.create_task(
        run_campaign(warmer, "chat", questions(*(f"stored {at}" for at in range(9))), Decimal(1), at_once=3)
    )
    while len(warmer.under_way) < 3:
        await asyncio.sleep(0)
    assert sum(warmer.under_way.values()) <= 1 and min(warmer.under_way.values()) > Decimal("0.3")
    warmer.goes_on.set()
    done = await run
    assert (done.outcomes["stored"], done.spent, warmer.most_at_once) == (9, Decimal("0.09"), 3)
    assert warmer.most_held <= 1


@given(
    st.lists(st.sampled_from(["stored", "fresh", "failed"]), max_size=12),
    st.integers(1, 5),
    st.integers(1, 60),
)
def test_the_cap_holds_side_by_side(words: list[str], at_once: int, cap: int) -> None:
    """As many are fetched as would be one after the other: a part that is too small for one is no reason to end."""

    @aio
    async def run() -> None:
        items = questions(*(f"{word} {at}" for at, word in enumerate(words)))
        limit = Decimal(cap) / 1000
        warmer = Slow()
        warmer.goes_on.set()
        done = await run_campaign(warmer, "chat", items, limit, at_once=at_once)
        assert done.spent <= limit and warmer.most_at_once <= at_once
        assert warmer.most_held <= limit
        affordable = int(limit / warmer.cost)
        assert done.outcomes["stored"] == min(words.count("stored"), affordable)
        assert done.capped == (words.count("stored") > affordable)
        assert done.outcomes.total() == len(words) or done.capped

    run()


@aio
async def test_what_is_said_twice_is_asked_when_it_is_there() -> None:
    """Side by side both would be paid for."""
    warmer = Slow()
    warmer.goes_on.set()
    done = await run_campaign(
        warmer, "chat", questions("stored 1", "stored 1", "stored 2"), Decimal(1), at_once=3
    )
    assert warmer.asked_for == ["stored 1", "stored 2", "stored 1"] and warmer.most_at_once == 2
    assert done.outcomes.total() == 3


@aio
async def test_the_pace_holds_for_all_together_and_what_costs_nothing_does_not_count() -> None:
    """A minute between two beginnings, however many may be under way; what is there already is passed over at once."""
    warmer = Scripted()
    wanted = questions("fresh 1", "fresh 2", "stored 1", "stored 2", "stored 3")
    asyncio.get_running_loop().call_later(0.1, signal.raise_signal, signal.SIGINT)
    done = await run_campaign(warmer, "chat", wanted, Decimal(1), at_once=4, pause=60)
    assert warmer.asked_for == ["fresh 1", "fresh 2", "stored 1"]
    assert (done.outcomes["stored"], done.stopped) == (1, True)


@aio
async def test_ctrl_c_lets_all_that_are_under_way_end() -> None:
    """Their answers are counted; no other is asked."""
    warmer = Slow()
    run = asyncio.create_task(
        run_campaign(warmer, "chat", questions(*(f"stored {at}" for at in range(9))), Decimal(1), at_once=3)
    )
    while len(warmer.under_way) < 3:
        await asyncio.sleep(0)
    signal.raise_signal(signal.SIGINT)
    await asyncio.sleep(0)
    warmer.goes_on.set()
    done = await run
    assert (done.outcomes["stored"], done.stopped, len(warmer.asked_for)) == (3, True, 3)


@aio
async def test_when_one_cannot_be_asked_at_all_the_others_are_given_up() -> None:
    """The gateway is gone, or refuses the key: nothing goes on behind that."""
    warmer = Slow()

    def gone() -> None:
        raise ConnectionError("nobody is there")

    warmer.then = gone
    run = asyncio.create_task(
        run_campaign(warmer, "chat", questions("stored 1", "stored 2"), Decimal(1), at_once=2)
    )
    while len(warmer.under_way) < 2:
        await asyncio.sleep(0)
    warmer.goes_on.set()
    with pytest.raises(ConnectionError):
        await run
    assert not warmer.under_way


@aio
async def test_an_estimate_spends_nothing() -> None:
    """And adds up what it may cost."""
    done = await run_campaign(
        Scripted(), "chat", questions("estimated", "fresh", "estimated"), Decimal(1), estimate_only=True
    )
    assert (done.most, done.spent) == (Decimal("0.02"), Decimal(0))


@aio
async def test_ctrl_c_lets_the_one_under_way_end() -> None:
    """Its answer is counted; the next is not asked."""
    warmer = Scripted()
    warmer.then = lambda: signal.raise_signal(signal.SIGINT)
    done = await run_campaign(warmer, "chat", questions("stored", "stored"), Decimal(1), pause=60)
    assert (len(warmer.asked_for), done.outcomes["stored"], done.stopped) == (1, 1, True)


@aio
async def test_it_waits_for_the_hours_and_is_interrupted_there_too() -> None:
    """Nothing is asked outside of them."""
    warmer, noon = Scripted(), datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
    hours = hours_of("01:00-06:00", "UTC", lambda: noon)
    asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGINT)
    done = await run_campaign(warmer, "chat", questions("stored"), Decimal(1), hours=hours)
    assert warmer.asked_for == [] and done.stopped
    night = hours_of("01:00-06:00", "UTC", lambda: noon.replace(hour=3))
    done = await run_campaign(warmer, "chat", questions("stored"), Decimal(1), hours=night)
    assert done.outcomes["stored"] == 1


@pytest.mark.parametrize(
    ("between", "zone", "now", "hours"),
    [
        ("01:00-06:00", "UTC", "2027-03-01T12:00", 13.0),
        ("01:00-06:00", "UTC", "2027-03-01T00:30", 0.5),
        ("01:00-06:00", "UTC", "2027-03-01T01:00", 0.0),
        ("01:00-06:00", "UTC", "2027-03-01T06:00", 19.0),
        ("22:00-05:00", "UTC", "2027-03-01T23:00", 0.0),
        ("22:00-05:00", "UTC", "2027-03-01T04:59", 0.0),
        ("22:00-05:00", "UTC", "2027-03-01T05:00", 17.0),
        ("01:00-06:00", "Europe/Berlin", "2027-03-01T00:30", 0.0),
        # The clock is put forward at 02:00 on that day: 02:30 to 04:00 by the clock is half an hour.
        ("04:00-06:00", "Europe/Berlin", "2027-03-28T00:30", 1.5),
    ],
)
def test_hours_begin_when_they_begin(between: str, zone: str, now: str, hours: float) -> None:
    """Over midnight too, and in the zone that was said."""
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert hours_of(between, zone, lambda: at).wait_seconds() == hours * 3600


@pytest.mark.parametrize(
    ("between", "zone"),
    [("1-6", ""), ("25:00-26:00", ""), ("01:00-01:00", ""), ("01:00-02:00", "Mars/Phobos")],
)
def test_hours_that_are_none_are_refused(between: str, zone: str) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match=r"--(between|tz)"):
        hours_of(between, zone)


def test_rates_are_read() -> None:
    """In seconds from one to the next."""
    assert [seconds_between(each) for each in ("2/s", "30/m", "1800 / h")] == [0.5, 2.0, 2.0]
    for wrong in ("fast", "0/s", "2", "-1/s"):
        with pytest.raises(ValueError, match="--rate"):
            seconds_between(wrong)


def test_questions_are_read_by_the_ending_of_the_file(tmp_path: Path) -> None:
    """A line each, a column, or an object each."""

    def read(name: str, text: str) -> list[Item]:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return questions_in(tmp_path / name)

    assert read("a.txt", "one?\n\n  two? \n") == questions("one?", "two?")
    assert read("a.csv", "id,question,user\n1,one?,ann\n2,,\n3,two?,\n") == [
        {"question": "one?", "user": "ann"},
        {"question": "two?"},
    ]
    lines = '"one?"\n{"question": "two?", "user": "ann"}\n{"request": "req_0akrzmj8b5g00"}\n{"messages": [], "temperature": 0}\n'
    assert read("a.jsonl", lines) == [
        {"question": "one?"},
        {"question": "two?", "user": "ann"},
        {"request": "req_0akrzmj8b5g00"},
        {"body": {"messages": [], "temperature": 0}},
    ]
    for name, text, words in (
        ("b.xml", "<a/>", "ends in"),
        ("b.txt", "\n\n", "nothing"),
        ("b.csv", "a,b\n1,2\n", "`question`"),
        ("b.jsonl", '"a"\n{', "line 2"),
        ("b.jsonl", '{"question": "a", "request": "req_0akrzmj8b5g00"}', "one of"),
        ("b.jsonl", '{"questoin": "a"}', "questoin"),
        ("b.jsonl", "[1]", "line 1"),
        ("b.jsonl", '{"question": 1}', "line 1"),
    ):
        with pytest.raises(ValueError, match=words):
            read(name, text)


def test_questions_are_put_under_a_system_prompt(tmp_path: Path) -> None:
    """That of the file, but for those that say one themselves; requests have their own."""
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Be short.\nBe kind.\n")
    items: list[Item] = [
        {"question": "one?"},
        {"question": "two?", "system": "Be long."},
        {"request": "req_0akrzmj8b5g00"},
    ]
    assert under_a_prompt(items, prompt) == [
        {"system": "Be short.\nBe kind.", "question": "one?"},
        {"system": "Be long.", "question": "two?"},
        {"request": "req_0akrzmj8b5g00"},
    ]
    for content in (b"", b"\n", b"\xff\xfe\xff"):
        prompt.write_bytes(content)
        with pytest.raises(ValueError, match="--system"):
            under_a_prompt(items, prompt)


@given(st.text(max_size=60), st.sampled_from([".txt", ".csv", ".jsonl"]))
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str, ending: str) -> None:
    """Whatever stands in it: it is read, or refused in words."""
    path = tmp_path_factory.getbasetemp() / f"any{ending}"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        found = questions_in(path)
    except ValueError as refused:
        assert "--from" in str(refused)
    else:
        assert all(sum(name in each for name in ("question", "request", "body")) == 1 for each in found)
