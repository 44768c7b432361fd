"""Recorded requests as text: one aligned line each, and the few words that several commands use for the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import click

from headgate.control.traces import memory_words, saved_words
from headgate.core.ids import request_id_text
from headgate.core.money import usd
from headgate.stores.spans import GIVEN, AttemptRow, RequestRow

__all__ = [
    "HEADER",
    "as_json",
    "cost_text",
    "degraded_text",
    "given_text",
    "ms_text",
    "request_line",
    "tokens_in",
    "tokens_out",
]

HEADER = (
    f"{'time':<12} {'request':<17} {'asked for':<20} {'served by':<28} {'status':>6} {'in':>7} {'out':>6} "
    f"{'cost USD':>11} {'first':>7} {'total':>8}  what happened"
)


def request_line(row: RequestRow) -> str:
    """One line for `headgate tail`; columns as in HEADER."""
    moment = datetime.fromtimestamp(row.started_ns / 1e9).astimezone()
    served = f"{row.provider}/{row.reported_model or row.routed_model}" if row.provider else "-"
    asked = f"{row.requested_model or '-'}{'~' if row.stream else ''}"
    happened = row.outcome.replace("_", " ") + (f": {row.error_class}" if row.error_class else "")
    aside = ", ".join(part for part in (row.purpose, degraded_text(row), given_text(row), row.tier) if part)
    colour = {"ok": "green", "refused": "yellow", "hung_up": "yellow"}.get(row.outcome, "red")
    return (
        f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d} {request_id_text(row.id):<17} {_cut(asked, 20):<20} "
        f"{_cut(served, 28):<28} {row.status:>6} {tokens_in(row):>7} {tokens_out(row):>6} {cost_text(row):>11} "
        f"{ms_text(row.first_content_us):>7} {ms_text(row.total_us):>8}  {click.style(happened, fg=colour)}"
        f"{f' ({_cut(aside, 60)})' if aside else ''}"
    )


def degraded_text(row: RequestRow) -> str:
    """`degraded: say`; "" if a model of the route answered."""
    return f"degraded: {row.degraded}" if row.degraded else ""


def given_text(row: RequestRow) -> str:
    """`exact hit, saved $0.0012 and 2.3 s`; "" if it was answered by a call of its own."""
    if row.cache not in GIVEN:
        return ""
    saved = saved_words(row)
    return memory_words(row) + (f", saved {saved}" if saved else "")


def tokens_in(row: RequestRow | AttemptRow) -> int:
    """All tokens of the prompt, cached ones included."""
    return row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.cache_write_1h_tokens


def tokens_out(row: RequestRow | AttemptRow) -> int:
    """All tokens of the answer, reasoning included."""
    return row.output_tokens + row.reasoning_tokens


def cost_text(row: RequestRow | AttemptRow) -> str:
    """USD, with `~` if estimated; `unknown` where no price is known."""
    if row.cost_nanos is None:
        return "unknown" if row.cost_label == "unknown" else "-"
    return f"{'~' if row.cost_label == 'estimated' else ''}{usd(row.cost_nanos):.6f}"


def ms_text(microseconds: int) -> str:
    """`968ms`; `-` if it did not happen."""
    return f"{microseconds / 1000:.0f}ms" if microseconds else "-"


def as_json(row: RequestRow | AttemptRow) -> Mapping[str, object]:
    """All columns by name; ids as callers see them, the cost in USD besides nano-dollars."""
    told: dict[str, object] = {name: getattr(row, name) for name in row.__struct_fields__}
    if isinstance(row, RequestRow):
        told["id"] = request_id_text(row.id)
        told["origin_id"] = request_id_text(row.origin_id) if row.origin_id else ""
        told["avoided_usd"] = f"{usd(row.avoided_nanos):f}"
    else:
        told["request_id"] = request_id_text(row.request_id)
    told["cost_usd"] = None if row.cost_nanos is None else f"{usd(row.cost_nanos):f}"
    return told


def _cut(text: str, width: int) -> str:
    # What callers send goes to a terminal: nothing in it may move the cursor.
    plain = "".join(character if character.isprintable() else "?" for character in text)
    return plain if len(plain) <= width else f"{plain[: width - 1]}…"
