"""From journal entries to rows that are complete: contents by hash, costs, and an end for what was cut off."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from headgate.core.ids import request_id_text, trace_id
from headgate.records.entries import Bill, Body, Closed, Opened, OpenedMark
from headgate.records.estimate import TOKENS_PER_BYTE, tokens_of_body
from headgate.records.pricing import Pricer
from headgate.records.reading import JournalReader, Read
from headgate.stores.sink import Batch, Position, Use
from headgate.stores.spans import AttemptRow, Content, RequestRow

__all__ = ["Settling", "content_of", "hash_of"]

_log = logging.getLogger("headgate.records")

# As in `pricing`: rows just decoded, seen by nobody else.
_set = msgspec.structs.force_setattr


class _Open(NamedTuple):
    """A request that has begun and not ended, as far as the journal has been read."""

    first: tuple[int, int]
    """Segment and offset of its first entry."""
    last: tuple[int, int]
    request_content: str


class Settling:
    """Takes entries in journal order and gathers what shall be stored. One per journal; blocking."""

    def __init__(
        self, journal: str, reader: JournalReader, pricer: Pricer, *, recovered: bool = False
    ) -> None:
        """recovered: the journal is that of a process that is gone."""
        self.cut_off = 0
        """Requests that were given an end because their own was missing."""
        self.unsettled = 0
        """Requests that were read and could not be settled: a bug, told in the log."""
        self._journal = journal
        self._reader = reader
        self._pricer = pricer
        self._open: dict[int, _Open] = {}
        self._requests: list[RequestRow] = []
        self._attempts: list[AttemptRow] = []
        self._contents: list[Content] = []
        self._of_size: dict[int, Content] = {}
        """The latest content of this batch that has so many bytes: the same may come again at once, and need not be hashed again."""
        self._uses: list[Use] = []
        self._recovered = recovered

    def take(self, reads: Iterable[Read]) -> int:
        """Take in the next entries; how many there were."""
        taken = 0
        for segment, offset, entry in reads:
            taken += 1
            try:
                if isinstance(entry, Closed):
                    self._take_closed(entry)
                else:
                    self._take_opened((segment, offset), entry)
            except Exception:  # noqa: BLE001 - told in the log and counted
                # One entry that cannot be settled must not hold back all that follow it.
                self.unsettled += 1
                _log.exception(
                    "request %s cannot be settled; its record is lost", request_id_text(entry.request.id)
                )
        return taken

    def _take_opened(self, at: tuple[int, int], entry: OpenedMark) -> None:
        number = entry.request.id
        known = self._open.get(number)
        if known is None:
            self._open[number] = _Open(at, at, self._keep(entry.body))
        else:
            self._open[number] = known._replace(last=at)

    def _take_closed(self, entry: Closed) -> None:
        request = entry.request
        opened = self._open.pop(request.id, None)
        _set(request, "request_content", opened.request_content if opened else self._keep(entry.body))
        _set(request, "reply_content", self._keep(entry.reply))
        self._store(request, entry.attempts, entry.bills)

    def _store(self, request: RequestRow, attempts: tuple[AttemptRow, ...], bills: tuple[Bill, ...]) -> None:
        saved = extra = 0
        for attempt, bill in zip(attempts, bills, strict=True):
            less, more = self._pricer.price_attempt(attempt, bill, request.started_ns)
            saved, extra = saved + less, extra + more
            for budget, subject, period in bill.pots:
                nanos = bill.reserved if attempt.cost_nanos is None else attempt.cost_nanos
                self._uses.append(Use(attempt.id, budget, subject, period, nanos))
        self._pricer.price_request(request, attempts)
        if saved or extra:
            _set(request, "cache_read_saved_nanos", saved)
            _set(request, "cache_write_extra_nanos", extra)
        self._requests.append(request)
        self._attempts.extend(attempts)

    def _keep(self, body: Body | None) -> str:
        if body is None:
            return ""
        if body.name:
            return body.name
        content = self._of_size.get(body.size)
        if content is None or content.data != body.data or content.kind != body.kind:
            content = self._of_size[body.size] = content_of(body)
            self._contents.append(content)
        return content.hash

    def cut(self, request_ids: Iterable[int]) -> None:
        """Give these an end, if they are open: their own will not come."""
        for request_id in request_ids:
            opened = self._open.pop(request_id, None)
            if opened is not None:
                self._cut(opened)

    def cut_all(self) -> None:
        """Give all that are open an end: whoever would have written it is dead."""
        self.cut(list(self._open))

    def _cut(self, opened: _Open) -> None:
        first, last = (self._reader.entry_at(Position(*at)) for at in (opened.first, opened.last))
        if not isinstance(first, Opened) or not isinstance(last, Opened):
            self._reader.damaged_bytes += 1
            return
        attempt = last.attempt
        # It may have reached the provider, which then bills the prompt; of the answer nobody knows anything.
        _set(attempt, "input_tokens", _prompt_tokens(first))
        _set(attempt, "outcome", "cut_off")
        # Money was set aside for the worst: that much may be owed, and no budget shall be the worse for our crash.
        _set(attempt, "cost_nanos", last.bill.reserved if last.bill.pots else None)
        _set(attempt, "cost_label", "estimated")
        attempts = (*last.earlier, attempt)
        request = last.request
        if not request.trace_id:
            _set(request, "trace_id", trace_id(request.id))
        for name in ("provider", "region"):
            _set(request, name, getattr(attempt, name))
        _set(request, "input_tokens", sum(one.input_tokens for one in attempts))
        _set(request, "output_tokens", sum(one.output_tokens for one in attempts))
        _set(request, "attempts", len(attempts))
        _set(request, "outcome", "cut_off")
        _set(request, "error_class", "cut_off")
        _set(request, "request_content", opened.request_content)
        self.cut_off += 1
        self._store(request, attempts, (*last.earlier_bills, last.bill))

    @property
    def open_requests(self) -> int:
        """Requests that have begun and not ended."""
        return len(self._open)

    def batch(self) -> Batch:
        """What was gathered since the last batch, and where reading would have to begin again to miss nothing: where the
        oldest request that is still open began."""
        oldest = next(iter(self._open.values()), None)
        gathered = Batch(
            journal=self._journal,
            position=Position(*oldest.first) if oldest else self._reader.position,
            requests=self._requests,
            attempts=self._attempts,
            contents=self._contents,
            uses=self._uses,
            recovered=self._recovered,
        )
        self._requests, self._attempts, self._contents, self._uses = [], [], [], []
        self._of_size = {}
        return gathered


def content_of(body: Body) -> Content:
    """The content under its hash."""
    return Content(
        hash=hash_of(body.kind, body.data, body.size), kind=body.kind, data=body.data, size=body.size
    )


def hash_of(kind: str, data: bytes, size: int) -> str:
    """As `Content.hash` is made. size: bytes it had, where `data` was cut."""
    head = kind.encode() + b"\0" if len(data) == size else b"%b\0%d\0" % (kind.encode(), size)
    return blake2b(head + data, digest_size=16).hexdigest()


def _prompt_tokens(opened: Opened) -> int:
    body = opened.body
    if body is None or not body.data:
        return round(opened.body_size * TOKENS_PER_BYTE)
    return round(tokens_of_body(body.data) * body.size / len(body.data))
