"""The days before the demonstration began: a process of its own, told what time it is, in which the same product is used.

Nobody calls it by hand. It reads an order on standard input and tells on standard output how far it is, a line of JSON each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

__all__ = ["COMMAND", "MOST_REQUESTS", "Order", "Progress", "main"]

COMMAND = (sys.executable, "-m", "headgate.cli.demo_past")
MOST_REQUESTS = 3500
"""However many days: more would be waited for."""
_PER_HOUR = 30
_HOUR_NS = 3600 * 1_000_000_000
_CHUNK = 600
"""Requests between two looks at whether they are stored."""
_TOLD_AT_ONCE = 20
_APART = 0.05
"""Seconds between two beginnings: near enough that little time goes by, far enough that none waits for another."""
_BUSY = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 12, 12, 13, 13, 12, 11, 10, 9, 8, 6, 4, 3)
"""How much is asked, by the hour of the day."""


class Order(msgspec.Struct, kw_only=True):
    """What is wanted."""

    configuration: str
    """The file."""
    key: str
    """The first key."""
    seconds: float
    """How far back."""
    until_ns: int
    """When it ends. Wall clock."""


class Progress(msgspec.Struct, kw_only=True):
    """How far it is."""

    done: int = 0
    of: int = 0
    keys: dict[str, str] = {}
    """At the end: those that were made."""
    judged: int = 0
    """At the end: how many judgements were told."""


def main() -> None:
    """Live through it."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)

    from headgate.cli.demo_clock import tell

    # Before anything of the gateway is imported: some of it takes the clock with it.
    clock = tell(order.until_ns - int(order.seconds * 1e9))

    import asyncio

    from headgate.cli.logs import set_up_logging

    set_up_logging("error", "text")

    def say(progress: Progress) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
        sys.stdout.buffer.flush()

    with asyncio.Runner(loop_factory=clock.loop) as runner:
        runner.run(_live(order, clock, say))


async def _live(order: Order, clock: Any, say: Callable[[Progress], None]) -> None:
    import asyncio
    from pathlib import Path

    from headgate.cli.demo_callers import Callers
    from headgate.cli.demo_desk import newcomers
    from headgate.compose.gateway import Gateway
    from headgate.config.loader import load

    gateway = Gateway(load(Path(order.configuration), {}), bootstrap_key=order.key)
    await gateway.start()
    try:
        ask = _inside(gateway.app)
        keys = await newcomers(ask, order.key)
        callers = Callers(keys, seed=11, prompt="greeting@6", trying=False)
        # What fails in the first minute of a demonstration failed in none of these days.
        clock.skip(3600)
        moments = list(_moments(order))
        changed = order.until_ns - int(order.seconds * 1e9 * 0.6)
        judged = 0
        for start in range(0, len(moments), _CHUNK):
            some = moments[start : start + _CHUNK]
            said = await _send(some, callers, ask, clock, changed)
            while not gateway.writer.caught_up:  # noqa: ASYNC110 - another thread is waited for
                await asyncio.sleep(0.01)
            judged += await _judge(said, keys, ask, clock)
            say(Progress(done=start + len(some), of=len(moments)))
        say(Progress(done=len(moments), of=len(moments), keys=keys, judged=judged))
    finally:
        await gateway.stop()


def _moments(order: Order) -> Iterator[int]:
    """When something is asked: more by day than by night, less at weekends."""
    import random

    dice = random.Random(5)  # noqa: S311 - traffic, not secrets
    begins = order.until_ns - int(order.seconds * 1e9)
    hours = [(at, _busy(at)) for at in range(begins, order.until_ns, _HOUR_NS)]
    # As much in all, whatever time of the week it is.
    each = min(order.seconds / 3600 * _PER_HOUR, MOST_REQUESTS) / max(sum(busy for _, busy in hours), 1)
    for at, busy in hours:
        ends = min(at + _HOUR_NS, order.until_ns)
        count = round(each * busy * (ends - at) / _HOUR_NS * dice.uniform(0.85, 1.15))
        yield from sorted(dice.randrange(at, ends) for _ in range(count))


def _busy(at_ns: int) -> float:
    days, seconds = divmod(at_ns // 1_000_000_000, 86_400)
    # 1970 began on a Thursday.
    return _BUSY[seconds // 3600] * (0.6 if (days + 3) % 7 >= 5 else 1.0)


async def _send(
    moments: list[int], callers: Any, ask: Any, clock: Any, changed: int
) -> list[tuple[int, Any]]:
    """Make a call at each of these moments. What is said of the answers, with when."""
    import asyncio
    from contextvars import copy_context

    from headgate.cli.demo_callers import choice

    said: list[tuple[int, Any]] = []

    async def one(call: Any, at: int) -> None:
        scenario = call.scenario
        answer = await ask(
            "POST", scenario.path, call.headers, call.body, hang_up_after=scenario.hang_up_after
        )
        callers.heard(call, answer.body)
        if answer.status == 200 and not scenario.hang_up_after:
            said.extend(
                (at, each) for each in callers.judged(call, answer.headers["x-request-id"], answer.body)
            )

    with clock.hurry():
        calls = []
        scenarios = choice(callers.dice, len(moments), each_once=False)
        for at, scenario in zip(moments, scenarios, strict=True):
            if at >= changed and callers.prompt != "greeting@7":
                callers.switch("greeting@7", callers.liked["greeting@7"])
            context = copy_context()
            context.run(clock.at, at)
            calls.append(asyncio.create_task(one(callers.call(scenario), at), context=context))
            await asyncio.sleep(_APART)
        await asyncio.gather(*calls)
    return said


async def _judge(said: list[tuple[int, Any]], keys: Mapping[str, str], ask: Any, clock: Any) -> int:
    """Tell what was said, a while after it was answered."""
    import asyncio
    from contextvars import copy_context

    from headgate.cli.demo_desk import tell_judgements

    for by in ("user", "code"):
        some = sorted((at, number) for number, (at, each) in enumerate(said) if each.by == by)
        for start in range(0, len(some), _TOLD_AT_ONCE):
            part = some[start : start + _TOLD_AT_ONCE]
            context = copy_context()
            context.run(clock.at, part[-1][0] + 60_000_000_000)
            told = tell_judgements(ask, keys, by, [said[number][1].item for _, number in part])
            answer = await asyncio.create_task(told, context=context)
            if answer.status != 200:
                raise RuntimeError(f"judgements were refused: {answer.body[:500]!r}")
    return len(said)


class _Line:
    """The connection of a caller in this process."""

    on_hangup: Callable[[], None] | None = None


def _inside(app: Callable[..., Any]) -> Callable[..., Any]:
    """As `over_http`, for a gateway in this process."""
    import asyncio

    from headgate.cli.demo_desk import Answer

    async def ask(
        method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, hang_up_after: int = 0
    ) -> Answer:
        line, pieces = _Line(), [body]
        status, told = 0, {}
        answer: list[bytes] = []
        route, _, query = path.partition("?")
        sent = {**headers, "content-type": "application/json", "content-length": str(len(body))}
        scope = {
            "type": "http",
            "method": method,
            "path": route,
            "query_string": query.encode(),
            "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "headgate.connection": line,
        }

        async def receive() -> dict[str, Any]:
            if pieces:
                return {"type": "http.request", "body": pieces.pop(), "more_body": False}
            await asyncio.get_running_loop().create_future()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told.update({name.decode(): value.decode("latin-1") for name, value in message["headers"]})
            else:
                answer.append(message.get("body", b""))
                if hang_up_after and sum(map(len, answer)) >= hang_up_after and line.on_hangup is not None:
                    line.on_hangup()

        await asyncio.create_task(app(scope, receive, send))
        return Answer(status, told, b"".join(answer))

    return ask


if __name__ == "__main__":
    main()
