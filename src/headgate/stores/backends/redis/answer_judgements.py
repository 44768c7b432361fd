"""What was learned of answers in Redis: a list for each entry, and one in order of time for all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.stores.answer_backing import JUDGED_SECONDS, WORDS_SECONDS
from headgate.stores.answers import MOST_JUDGEMENTS, Judgement
from headgate.stores.backends.redis import answer_scripts as scripts
from headgate.stores.backends.redis.outbox import Outbox
from headgate.stores.backends.redis.questions import asked

__all__ = ["Judgements"]

_AT_ONCE = 100
_NONCE = 8
"""Bytes before each: two that say the same are two."""

_decoder = msgspec.msgpack.Decoder(Judgement)


class Judgements:
    """See `Backing`."""

    def __init__(self, prefix: str, quick: Outbox, slow: Outbox) -> None:
        """quick: for what requests wait for. slow: for everything else."""
        self._keys = [prefix]
        self._quick = quick
        self._slow = slow

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `Backing`."""
        for start in range(0, len(judgements), _AT_ONCE):
            arguments: list[str | bytes] = [str(MOST_JUDGEMENTS), str(JUDGED_SECONDS)]
            for each in judgements[start : start + _AT_ONCE]:
                quotes = "1" if each.question else "0"
                arguments += (each.key, _encoded(each), str(each.at_ns), quotes)
            await self._ask(scripts.JUDGE, *arguments)

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `Backing`."""
        lists = await asked(self._quick, scripts.JUDGEMENTS, self._keys, *keys)
        return {key: [_decoded(each) for each in some] for key, some in zip(keys, lists, strict=True) if some}

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `Backing`."""
        found: list[Judgement] = []
        at = 0
        while len(found) < limit:
            some = await self._ask(scripts.JUDGED, str(since_ns), str(at))
            judgements = [_decoded(each) for each in some]
            found += [each for each in judgements if feature is None or each.feature == feature]
            at += len(some)
            if not some:
                break
        return found[:limit]

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """See `Backing`."""
        gone, after = set(request_ids) - {0}, b"0"
        while True:
            after, rows = await self._ask(scripts.SCAN_JUDGED, after)
            arguments: list[bytes] = []
            for member in rows[::2]:
                judgement = _decoded(member)
                if judgement.request_id in gone:
                    arguments += (judgement.key, member)
            if arguments:
                await self._ask(scripts.UNLEARN, *arguments)
            if after == b"0":
                return

    async def blank(self, now_ns: int) -> int:
        """Questions that are quoted for too long, a piece of them. How many it were."""
        quoting = await self._ask(scripts.WORDED, str(now_ns - WORDS_SECONDS * 10**9))
        arguments: list[bytes] = []
        for member in quoting:
            judgement = _decoded(member)
            blank = msgspec.structs.replace(judgement, question="")
            arguments += (judgement.key, member, _encoded(blank))
        if arguments:
            await self._ask(scripts.SWAP_JUDGED, *arguments)
        return len(quoting)

    async def _ask(self, script: str, *arguments: str | bytes) -> Any:
        return await asked(self._slow, script, self._keys, *arguments)


def _encoded(judgement: Judgement) -> bytes:
    return os.urandom(_NONCE) + msgspec.msgpack.encode(judgement)


def _decoded(member: bytes) -> Judgement:
    return _decoder.decode(member[_NONCE:])
