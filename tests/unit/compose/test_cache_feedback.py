"""What users say of answers from memory is learned from, where it says anything of similarity."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from headgate.compose.cache_feedback import CacheFeedback, opinion
from headgate.stores.answers import CacheEntry, Judgement, Popular, Selection
from headgate.stores.scores import ScoreRow
from headgate.stores.spans import RequestRow
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []

KEY = b"k" * 16
ENTRY = CacheEntry(
    key=KEY, compat=KEY, tenant="", feature="faq", scope="feature", owner="", user="", operation="chat", model="small",
    reported_model="small", prompt="", tags={}, question="q", answer=b"{}", origin_id=7, made_ns=1, fresh_ns=2, until_ns=3,
    cost_nanos=1, took_us=1,
)  # fmt: skip


def score(
    name: str = "thumbs", number: float | None = 0.0, *, source: str = "user", request_id: int = 8
) -> ScoreRow:
    return ScoreRow(
        event="e", at_ns=1, request_id=request_id, name=name, kind="boolean", number=number, source=source  # type: ignore[arg-type]
    )  # fmt: skip


class Requests:
    def __init__(self, *rows: RequestRow, late: int = 0) -> None:
        self.rows = {row.id: row for row in rows}
        self.late = late

    async def request(self, request_id: int) -> RequestRow | None:
        self.late -= 1
        return self.rows.get(request_id) if self.late < 0 else None


class Answers:
    def __init__(self) -> None:
        self.kept: list[Judgement] = []

    async def browse(
        self, which: Selection, *, order: str, limit: int, after: bytes = b""
    ) -> Sequence[Popular]:
        return [Popular(ENTRY, 1, 1)] if list(which.origins) == [7] else []

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        self.kept += judgements


def hit(cache: str = "semantic", origin_id: int = 7) -> RequestRow:
    return RequestRow(8, 0, "t", feature="faq", cache=cache, origin_id=origin_id, similarity=930_000)


@aio
async def test_a_thumb_on_a_semantic_hit_is_a_judgement_of_its_entry() -> None:
    """With how sure it was; also if the request is stored after the thumb came."""
    answers = Answers()
    learned = CacheFeedback(Requests(hit(), late=1), answers, FakeClock())
    assert await learned.learn(8, right=False, looks=(0, 0))
    (kept,) = answers.kept
    assert (kept.key, kept.score, kept.right, kept.source) == (KEY, 0.93, False, "feedback")
    assert (kept.request_id, kept.feature) == (8, "faq")


@pytest.mark.parametrize("row", [hit("exact"), hit("joined"), hit("miss", 0), hit(origin_id=6)])
@aio
async def test_of_other_answers_nothing_is_learned(row: RequestRow) -> None:
    """The very same question, a call of its own, an entry that is gone: similarity has no part in it."""
    answers = Answers()
    assert not await CacheFeedback(Requests(row), answers, FakeClock()).learn(8, right=False, looks=(0,))
    assert not await CacheFeedback(Requests(), answers, FakeClock()).learn(8, right=False, looks=(0,))
    assert not answers.kept


@pytest.mark.parametrize(
    ("row", "right"),
    [
        (score(number=1.0), True),
        (score(number=0.0), False),
        (score("rating", 5), True),
        (score("rating", 3), None),
        (score("rating", 1), False),
        (score("task_completed", 0.0), None),
        (score("comment", None), None),
        (score(source="judge"), None),
    ],
)
def test_users_say_whether_an_answer_was_right(row: ScoreRow, right: bool | None) -> None:
    """With a thumb, or a clear rating."""
    assert opinion(row) is right


@aio
async def test_what_is_heard_is_learned_in_the_background() -> None:
    """Whoever says it does not wait."""
    answers = Answers()
    learned = CacheFeedback(Requests(hit()), answers, FakeClock())
    learned.start()
    learned.hear([score(), score("comment", None), score(request_id=0)])
    while not answers.kept:
        await asyncio.sleep(0)
    await learned.aclose()
    assert len(answers.kept) == 1
