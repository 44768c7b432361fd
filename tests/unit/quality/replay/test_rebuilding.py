"""What is on record becomes a request again, or it is told why not."""

from __future__ import annotations

import pytest

from headgate.quality.replay.rebuilding import NotReplayable, original_of
from headgate.stores.spans import Content, RequestRow

__all__: list[str] = []

BODY = b'{"model":"m","messages":[]}'


def row(**more: object) -> RequestRow:
    told: dict[str, object] = {"dialect": "openai.chat", "request_content": "abc", **more}
    return RequestRow(id=5, started_ns=0, trace_id="", **told)  # type: ignore[arg-type]


def kept(**more: object) -> Content:
    told: dict[str, object] = {"hash": "abc", "kind": "openai.chat", "data": BODY, "size": len(BODY), **more}
    return Content(**told)  # type: ignore[arg-type]


def test_the_body_is_the_one_that_came() -> None:
    """Byte for byte; tags are read, and rows that somebody else has written do no harm."""
    found = original_of(row(tags='{"a":"b","n":1}'), kept(), None)
    assert found.body == BODY and found.tags == {"a": "b", "n": "1"}
    assert original_of(row(tags="{broken", notes="[1]"), kept(), None).tags == {}


@pytest.mark.parametrize(
    ("of", "prompt", "reason"),
    [
        (row(dialect="openai.models"), kept(), "operation"),
        (row(dialect="anthropic.count_tokens"), kept(), "operation"),
        (row(request_content=""), None, "not_kept"),
        (row(), None, "deleted"),
        (row(), kept(size=10**6), "truncated"),
        (row(), kept(kind="canonical"), "masked"),
        (row(notes='{"masked":"3 names"}'), kept(), "masked"),
    ],
)
def test_what_cannot_be_sent_again_says_why(of: RequestRow, prompt: Content | None, reason: str) -> None:
    """In a word for programs and a sentence for people."""
    with pytest.raises(NotReplayable) as refused:
        original_of(of, prompt, None)
    assert refused.value.reason == reason and "req_" in str(refused.value)
