"""What people write to look for requests means the same wherever they write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.control.looking import WORDS, WrongSearch, search_of
from headgate.core.ids import request_id_text
from headgate.stores.searching import Bound, Score, Search

__all__: list[str] = []

NOW = 1_800_000_000_000_000_000


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ({}, Search()),
        ({"feature": "chat", "key": "k"}, Search(only={"feature": "chat", "key_id": "k"})),
        ({"feature": ""}, Search(only={"feature": ""})),
        ({"since": "1h"}, Search(since_ns=NOW - 3600 * 10**9)),
        ({"until": "2026-01-31"}, Search(until_ns=1_769_817_600 * 10**9)),
        ({"since": "1700000000"}, Search(since_ns=1_700_000_000 * 10**9)),
        ({"status": "5xx"}, Search(bounds={"status": Bound(500, 599)})),
        ({"status": "400-404"}, Search(bounds={"status": Bound(400, 404)})),
        ({"status": "429"}, Search(bounds={"status": Bound(429, 429)})),
        ({"slower": "2s"}, Search(bounds={"total_us": Bound(2_000_000, None)})),
        ({"slower": "250ms", "faster": "2s"}, Search(bounds={"total_us": Bound(250_000, 2_000_000)})),
        ({"first_faster": "1s"}, Search(bounds={"first_content_us": Bound(1, 1_000_000)})),
        ({"costlier": "0.05"}, Search(bounds={"cost_nanos": Bound(50_000_000, None)})),
        ({"cheaper": "1"}, Search(bounds={"cost_nanos": Bound(None, 10**9)})),
        ({"tag": "task=a,b,mail=x=y"}, Search(tags={"task": "a,b", "mail": "x=y"})),
        ({"score": "helpful<=0.5"}, Search(score=Score("helpful", None, 0.5))),
        ({"score": "stars >= 4"}, Search(score=Score("stars", 4.0, None))),
        ({"score": "done=1"}, Search(score=Score("done", 1.0, 1.0))),
        ({"score": "done"}, Search(score=Score("done"))),
        ({"stream": "no", "degraded": "yes"}, Search(stream=False, degraded=True)),
        ({"retried": "yes"}, Search(bounds={"attempts": Bound(2, None)})),
        ({"failed": "yes"}, Search(failed=True)),
        ({"replay_of": request_id_text(77)}, Search(replay_of=77)),
        ({"text": " two  spaces "}, Search(text=" two  spaces ")),
        ({"slower": "", "text": "", "model": ""}, Search()),
    ],
)  # fmt: skip
def test_words_mean_what_they_say(words: dict[str, str], meant: Search) -> None:
    """Each alone, and together."""
    assert search_of(words, now_ns=NOW) == meant


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ({"featur": "chat"}, "featur"), ({"since": "soon"}, "since"), ({"since": "1h", "until": "2h"}, "since"),
        ({"status": "6xx"}, "status"), ({"slower": "2 parsecs"}, "slower"), ({"costlier": "-1"}, "costlier"),
        ({"costlier": "nan"}, "costlier"), ({"tag": "task"}, "tag"), ({"score": "<=2"}, "score"),
        ({"score": "a<=b"}, "score"), ({"stream": "maybe"}, "stream"), ({"replay_of": "x"}, "replay_of"),
        ({"outcome": "okay"}, "outcome"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_name(words: dict[str, str], param: str) -> None:
    """And with what would make sense."""
    with pytest.raises(WrongSearch) as refused:
        search_of(words, now_ns=NOW)
    assert refused.value.param == param
    assert len(str(refused.value)) > 15


@given(st.dictionaries(st.sampled_from(sorted(WORDS)), st.text(max_size=40), max_size=6))
def test_whatever_is_written_is_understood_or_refused(words: dict[str, str]) -> None:
    """Nothing else comes of it."""
    try:
        found = search_of(words, now_ns=NOW)
    except WrongSearch as wrong:
        assert wrong.param in WORDS
    else:
        bounds = [number for bound in found.bounds.values() for number in bound if number is not None]
        assert all(0 <= number < 2**63 for number in bounds)
