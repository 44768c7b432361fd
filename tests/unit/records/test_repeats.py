"""Contents that repeat are named in the journal, not written again."""

from __future__ import annotations

import msgspec
import pytest

from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.records.entries import Body
from headgate.records.repeats import SECONDS, Repeats
from headgate.records.settling import content_of
from tests.support.aio import aio
from tests.support.recording import Recording

__all__: list[str] = []


def body(data: bytes = b"words", size: int | None = None) -> Body:
    return Body("openai.chat", data, len(data) if size is None else size)


def named(repeats: Repeats, given: Body) -> Body:
    """As the writer reads it out of the journal."""
    return msgspec.convert(repeats.named(given.kind, given.data, given.size), Body)


def test_only_what_was_written_a_moment_ago_goes_by_its_name() -> None:
    """The first one brings the content; another kind is another content; after a while it is brought again."""
    now = 100.0
    repeats = Repeats(lambda: now)
    assert named(repeats, body()) == body()
    again = named(repeats, body())
    assert (again.data, again.size, again.name) == (b"", 5, content_of(body()).hash)
    assert named(repeats, Body("canonical", b"words", 5)).data == b"words"
    now += SECONDS + 1
    assert named(repeats, body()) == body()
    assert named(repeats, body()).name
    repeats.clear()
    assert named(repeats, body()) == body()


@pytest.mark.parametrize("given", [body(b"wor", 5), body(b"x" * 100_000)], ids=["cut off", "long"])
def test_what_was_cut_off_and_what_is_long_is_always_written(given: Body) -> None:
    """The one is named by its whole size, of the other little is to be remembered."""
    repeats = Repeats(lambda: 0.0)
    assert [named(repeats, given) for _ in range(3)] == [given] * 3


def test_what_is_remembered_is_bounded() -> None:
    """The oldest go first."""
    repeats = Repeats(lambda: 0.0)
    for number in range(2000):
        named(repeats, body(b"%d" % number))
    assert named(repeats, body(b"1999")).name
    assert not named(repeats, body(b"3")).name


@aio
async def test_a_hit_that_repeats_has_its_contents_like_the_first(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Their rows say the same, and the content is there once."""
    recording = Recording(tmp_path_factory.mktemp("j"))

    async def given(exchange: Exchange) -> Reply:
        exchange.cache = "exact"
        return Reply(wire="openai.chat", body=b'{"an": "answer"}')

    exchanges = [recording.desk.exchange() for _ in range(3)]
    for exchange in exchanges:
        await recording.serve(exchange, given)
    recording.store_all()
    rows = [await recording.store.request(exchange.id) for exchange in exchanges]
    first, *others = [(row.request_content, row.reply_content) for row in rows if row is not None]
    assert all(first)
    assert others == [first, first]
    for name in first:
        assert await recording.store.content(name) is not None
    recording.close()
