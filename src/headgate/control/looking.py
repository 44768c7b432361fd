"""What people look for among requests, in words: the same for the API, the command line, the page and the export.

feature=chat  slower=2s  status=5xx  tag=task=summary  text=refund  score=helpful<=0.5  since=24h
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from headgate.core.ids import parse_request_id
from headgate.core.money import NANOS_PER_USD
from headgate.core.near import did_you_mean
from headgate.core.section import Duration
from headgate.stores.searching import Bound, Score, Search
from headgate.stores.spans import CACHED, Outcome
from headgate.stores.totals import FOREVER_NS

__all__ = ["WORDS", "WrongSearch", "moment_ns", "search_of"]

_SAME = {
    "feature": "feature",
    "user": "user",
    "session": "session",
    "key": "key_id",
    "team": "team",
    "tenant": "tenant",
    "provider": "provider",
    "outcome": "outcome",
    "error": "error_class",
    "purpose": "purpose",
    "prompt": "prompt",
    "config": "config_hash",
    "cache": "cache",
}
"""Words for a column that is compared whole; an empty value is one like any other."""
_YES_OR_NO = ("stream", "degraded", "cached", "retried")
_MICROSECONDS = {
    "slower": "total_us",
    "faster": "total_us",
    "first_slower": "first_content_us",
    "first_faster": "first_content_us",
}
_MOST_NS = FOREVER_NS
_STATUS = re.compile(r"([1-5])xx|([0-9]{1,3})(?:-([0-9]{1,3}))?", re.IGNORECASE)
_SCORE = re.compile(r"\s*([^<>=\s][^<>=]*?)\s*(>=|<=|=)\s*([-+0-9.eE]+)\s*")
_ANY_SCORE = re.compile(r"[^<>=]+")
_NEXT_TAG = re.compile(r",(?=[^,=]+=)")

WORDS: Mapping[str, str] = {
    "since": "from this moment on: 24h, 7d or a date",
    "until": "before this moment",
    "feature": "of this feature",
    "user": "of this user",
    "session": "of this session",
    "key": "of the key with this id",
    "team": "of this team",
    "tenant": "of this tenant",
    "tag": "with the tag NAME=VALUE; several with commas between them",
    "model": "that asked for this model, were sent to it, or were answered by it",
    "provider": "answered by this provider",
    "status": "with this HTTP status: 429, 5xx or 400-499",
    "outcome": "that ended so: ok, refused, failed, hung_up, cut_off",
    "failed": "that did not end well, whoever is to blame",
    "error": "with this error code",
    "purpose": "empty: callers' own; shadow, replay",
    "prompt": "with this prompt: greeting@7",
    "config": "served by the configuration with this hash",
    "slower": "that took at least so long: 2s",
    "faster": "that took at most so long",
    "first_slower": "whose first content took at least so long",
    "first_faster": "whose first content took at most so long",
    "costlier": "that cost at least so many USD",
    "cheaper": "that cost at most so many USD",
    "score": "judged so: helpful<=0.5, stars>=4, or a name alone",
    "stream": "yes: streams; no: whole answers",
    "degraded": "yes: answered by a degrade ladder",
    "cached": "yes: answered from memory, or by the call of another one",
    "cache": "whose answer memory gave so: exact, semantic, joined, stale; or miss, bypass, refreshed",
    "retried": "yes: with more than one attempt",
    "trace": "of the caller's trace with this id",
    "replay_of": "that repeat this request",
    "given_from": "that were given the answer of this request",
    "text": "with this text in the prompt or the answer",
}
"""Word -> requests that it leaves."""


class WrongSearch(ValueError):
    """What was asked for cannot be looked for; the text says what can."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


def search_of(words: Mapping[str, str], *, now_ns: int | None = None) -> Search:
    """The search that these words mean. Raises WrongSearch."""
    now = time.time_ns() if now_ns is None else now_ns
    search = Search()
    bounds: dict[str, Bound] = {}
    only: dict[str, str] = {}
    for word, value in words.items():
        if word not in WORDS:
            raise WrongSearch(
                word, f"requests are not looked for by `{word[:40]}`{did_you_mean(word, WORDS)}"
            )
        if word in _SAME:
            only[_SAME[word]] = value
        elif value:
            for name, found in _read(word, value.strip() if word != "text" else value, now):
                if isinstance(found, Bound):
                    bounds[name] = _narrowed(bounds.get(name, Bound()), found)
                else:
                    search = replace(search, **{name: found})
    if only.get("cache") and only["cache"] not in CACHED:
        near = did_you_mean(only["cache"], CACHED)
        raise WrongSearch("cache", f"memory does not answer `{only['cache'][:40]}`{near}")
    if only.get("outcome") and only["outcome"] not in get_args(Outcome):
        near = did_you_mean(only["outcome"], get_args(Outcome))
        raise WrongSearch("outcome", f"no request ends `{only['outcome'][:40]}`{near}")
    if search.since_ns >= search.until_ns:
        raise WrongSearch("since", "`since` is not before `until`")
    return replace(search, only=only, bounds=bounds)


def _read(word: str, value: str, now: int) -> Iterator[tuple[str, Any]]:
    """What one word sets: fields of a search, or bounds of a column."""
    if word in ("since", "until"):
        yield f"{word}_ns", moment_ns(value, word, now)
    elif word == "tag":
        yield "tags", dict(_tags(value))
    elif word in ("model", "trace", "text"):
        yield word, value
    elif word == "status":
        yield "status", _status(value)
    elif word in _MICROSECONDS:
        limit = int(_number(lambda: float(Duration.parse(value)), word, "a duration like 250ms or 2s") * 1e6)
        yield _MICROSECONDS[word], Bound(limit, None) if word.endswith("slower") else Bound(0, limit)
        if word == "first_faster":
            yield "first_content_us", Bound(1, None)
    elif word in ("costlier", "cheaper"):
        usd = _number(lambda: Decimal(value), word, "an amount in USD like 0.05")
        nanos = min(int(usd * NANOS_PER_USD), _MOST_NS)
        yield "cost_nanos", Bound(nanos, None) if word == "costlier" else Bound(None, nanos)
    elif word == "score":
        yield "score", _score(value)
    elif word == "failed":
        yield "failed", _yes(value, word)
    elif word == "retried":
        yield "attempts", Bound(2, None) if _yes(value, word) else Bound(None, 1)
    elif word in _YES_OR_NO:
        yield word, _yes(value, word)
    else:
        yield "origin_id" if word == "given_from" else word, _id(value, word)


def _narrowed(one: Bound, other: Bound) -> Bound:
    leasts = [each for each in (one.least, other.least) if each is not None]
    mosts = [each for each in (one.most, other.most) if each is not None]
    return Bound(max(leasts, default=None), min(mosts, default=None))


def moment_ns(text: str, param: str, now_ns: int) -> int:
    """`24h` (so long ago), a date, a moment, or seconds since 1970, as nanoseconds since 1970. Raises WrongSearch."""
    if text[-1:].isalpha() and "-" not in text:
        try:
            return max(now_ns - int(float(Duration.parse(text)) * 1e9), 0)
        except ValueError:
            pass
    # Plots speak in seconds since 1970.
    if text.isascii() and text.isdigit() and len(text) in (9, 10):
        return int(text) * 1_000_000_000
    try:
        found = datetime.fromisoformat(text if "-" in text else "")
    except ValueError:
        raise WrongSearch(
            param,
            f"`{param}` is neither like 90m, 24h or 7d nor a date like 2027-01-31 or 2027-01-31T08:00:00Z",
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return min(max(int(found.timestamp()) * 1_000_000_000, 0), FOREVER_NS - 1)


def _tags(text: str) -> Iterator[tuple[str, str]]:
    for part in _NEXT_TAG.split(text):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise WrongSearch(
                "tag", "`tag` is NAME=VALUE, such as task=summary; several with commas between them"
            )
        yield name.strip(), value


def _status(text: str) -> Bound:
    found = _STATUS.fullmatch(text)
    if found is None:
        raise WrongSearch("status", "`status` is one like 429, a kind like 5xx, or a range like 400-499")
    if found[1]:
        return Bound(int(found[1]) * 100, int(found[1]) * 100 + 99)
    return Bound(int(found[2]), int(found[3] or found[2]))


def _score(text: str) -> Score:
    found = _SCORE.fullmatch(text)
    if found is None:
        if _ANY_SCORE.fullmatch(text):
            return Score(text)
        raise WrongSearch("score", "`score` is a name and a bound, such as helpful<=0.5 or stars>=4")
    number = _number(lambda: float(found[3]), "score", "a name and a bound, such as helpful<=0.5 or stars>=4")
    return Score(found[1], None if found[2] == "<=" else number, None if found[2] == ">=" else number)


def _yes(text: str, param: str) -> bool:
    lowered = text.lower()
    if lowered in ("yes", "true", "1", "on"):
        return True
    if lowered in ("no", "false", "0", "off"):
        return False
    raise WrongSearch(param, f"`{param}` is yes or no")


def _id(text: str, param: str) -> int:
    try:
        return parse_request_id(text)
    except ValueError:
        raise WrongSearch(param, f"`{param}` is the id of a request, such as req_0akrzmj8b5g00") from None


def _number(read: Callable[[], Any], param: str, words: str) -> Any:
    try:
        number = read()
        if not number < 10**15:  # NaN is not, either
            raise ValueError("too large")
    except (ValueError, InvalidOperation):
        raise WrongSearch(param, f"`{param}` is {words}") from None
    if number < 0 and param != "score":
        raise WrongSearch(param, f"`{param}` is {words}")
    return number
