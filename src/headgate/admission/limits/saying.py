"""What callers are told of limits: headers as OpenAI writes them, and why a request was refused."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf

from headgate.admission.limits.rules import Ask, Counted
from headgate.core.errors import LimitReached, TooLargeForLimit
from headgate.stores.meters import Reading

__all__ = ["headers", "too_large", "too_many", "until"]

_TIMES = {1.0: "a second", 60.0: "a minute", 3600.0: "an hour", 86400.0: "a day"}
_MILLISECONDS = tuple(b"%dms" % number for number in range(1001))
"""Every time below a second, as OpenAI writes it: nearly all that is ever said."""
_NO_ROOM_SECONDS = 1.0
"""When to try again if only others' answers can make room: nobody knows when they end."""


def headers(asks: Sequence[Ask], left: Sequence[float]) -> list[tuple[bytes, bytes]]:
    """The tightest limit on requests and the tightest on tokens, and the name of the tightest of all."""
    requests = tokens = tightest = None
    requests_left = tokens_left = 0.0
    least = least_requests = least_tokens = inf
    for ask, room in zip(asks, left, strict=True):
        gauge = ask[0]
        share = room / gauge.most
        if share < least:
            least, tightest = share, gauge
        if gauge.tokens:
            if share < least_tokens:
                least_tokens, tokens, tokens_left = share, gauge, room
        elif gauge.interval and share < least_requests:
            least_requests, requests, requests_left = share, gauge, room
    found = [tightest.name_header] if tightest is not None else []
    if requests is not None:
        found += (
            requests.amount_header,
            (b"x-ratelimit-remaining-requests", _whole(requests_left)),
            (b"x-ratelimit-reset-requests", until((requests.most - requests_left) * requests.interval)),
        )
    if tokens is not None:
        found += (
            tokens.amount_header,
            (b"x-ratelimit-remaining-tokens", _whole(tokens_left)),
            (b"x-ratelimit-reset-tokens", until((tokens.most - tokens_left) * tokens.interval)),
        )
    return found


def until(seconds: float) -> bytes:
    """A time as OpenAI writes it: `20ms`, `1.2s`, `6m0s`, `1h30m0s`."""
    if seconds < 1:
        return _MILLISECONDS[ceil(seconds * 1000)] if seconds > 0 else b"0ms"
    if seconds < 60:
        return b"%.4gs" % seconds
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return b"%dh%dm%ds" % (hours, minutes, rest) if hours else b"%dm%ds" % (minutes, rest)


def _whole(room: float) -> bytes:
    return b"%d" % int(room) if room > 0 else b"0"


def too_large(asks: Sequence[Ask]) -> TooLargeForLimit | None:
    """The refusal of a request that asks for more than there ever is; None if it does not."""
    for gauge, _, units in asks:
        if units > gauge.most:
            what = "for its answer (`max_tokens`)" if gauge.counts == "output_tokens" else "with its answer"
            what = "in its prompt" if gauge.counts == "input_tokens" else what
            return TooLargeForLimit(
                f"limit `{gauge.limit}`: the request asks for {units:,} tokens {what}, and at most "
                f"{gauge.most:,.0f} may be used at once ({_amount(gauge)}); ask for fewer",
                limit=gauge.limit,
                param="max_tokens" if gauge.counts == "output_tokens" else None,
            )
    return None


def too_many(asks: Sequence[Ask], reading: Reading, *, why: str = "") -> LimitReached:
    """The refusal of a request for which there is no room now. why: what was tried in vain."""
    at = max(range(len(asks)), key=lambda each: reading.waits[each])
    gauge = asks[at][0]
    wait = reading.waits[at]
    if wait == inf:
        seconds, when = _NO_ROOM_SECONDS, "there is room again as soon as one of them ends"
    else:
        seconds, when = wait, f"there is room again in {until(wait).decode()}"
    return LimitReached(
        f"limit `{gauge.limit}` is reached: {_amount(gauge)}{_whose(gauge)}; {when}{why}",
        limit=gauge.limit,
        retry_after=seconds,
    )


def _amount(gauge: Counted) -> str:
    if not gauge.interval:
        return f"{gauge.amount:,} requests at the same time"
    what = gauge.counts.replace("_", " ")
    return f"{gauge.amount:,} {what} {_TIMES.get(gauge.per) or f'in {until(gauge.per).decode()}'}"


def _whose(gauge: Counted) -> str:
    if not gauge.of:
        return " for all together"
    name = f"tag `{gauge.of.removeprefix('tag:')}`" if gauge.of.startswith("tag:") else gauge.of
    return f" for each {name}"
