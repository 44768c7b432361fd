"""The journey of a request: the stages in the order they run. The request goes down the list, the reply comes back up.

    record     open the span                                       settle the money, close the span
    identify   key -> caller; may this key ask for this
    accept     refuse what the edge could not read
    limit      requests, tokens, concurrency; queue or refuse      release after the last byte
    budget     whose money; how long an answer may be; downgrade   (dispatch reserves, record settles)
    compose    feature -> prompt version; variables; history
    screen     injection, secrets, personal data                   put data back; moderate; validate; disclose
    recall     exact, then semantic answer; join a call in flight  store a complete answer
    retrieve   passages, screened and cited
    route      candidates, best first
    dispatch   attempts, deadlines, failover

No road to a provider avoids it: batches, evaluations, replays and cache warming travel it too. A stage whose room is
not built yet is simply absent: the order is fixed here, what is present is decided in `compose/`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed, Stage

__all__ = ["ORDER", "journey"]

ORDER = (
    "record",
    "identify",
    "accept",
    "limit",
    "budget",
    "compose",
    "screen",
    "recall",
    "retrieve",
    "route",
    "dispatch",
)


def journey(stages: Mapping[str, Stage]) -> Proceed:
    """One callable that takes an exchange through `stages`, in ORDER. Raises ValueError for a name not in ORDER."""
    unknown = stages.keys() - set(ORDER)
    if unknown:
        raise ValueError(f"no place in the journey for {sorted(unknown)}; the places are {', '.join(ORDER)}")
    proceed: Proceed = _nobody_answered
    checks: list[Callable[[Exchange], None]] = []
    for name in reversed(ORDER):
        if name not in stages:
            continue
        check = getattr(stages[name], "check", None)
        if check is not None:
            checks.insert(0, check)
            continue
        if checks:
            proceed, checks = _checked(checks, proceed), []
        proceed = _link(stages[name], proceed)
    return _checked(checks, proceed) if checks else proceed


def _link(stage: Stage, proceed: Proceed) -> Proceed:
    def run(exchange: Exchange) -> Awaitable[Reply]:
        return stage(exchange, proceed)

    return run


def _checked(checks: list[Callable[[Exchange], None]], proceed: Proceed) -> Proceed:
    def run(exchange: Exchange) -> Awaitable[Reply]:
        for check in checks:
            check(exchange)
        return proceed(exchange)

    return run


async def _nobody_answered(exchange: Exchange) -> Reply:
    raise RuntimeError(
        f"request {exchange.id} reached the end of the journey unanswered: the last stage must answer"
    )
