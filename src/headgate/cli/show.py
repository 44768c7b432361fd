"""`headgate show`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.control.traces import Shown
    from headgate.stores.spans import AttemptRow, Content, RequestRow

__all__ = ["command"]

_WIDTH = 44
_MOST_TEXT = 4_000


@click.command()
@click.argument("request_id", metavar="REQUEST")
@config_option
@click.option("--full", is_flag=True, help="Do not cut long prompts and answers.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(request_id: str, config: Path | None, *, full: bool, as_json: bool) -> None:
    """Show one request whole: what was asked and answered, each attempt, times, tokens, cost.

    REQUEST is the id in the header x-request-id of its reply, in `headgate tail` and on the dashboard.

    \b
    Examples:
      headgate show req_0akrzmj8b5g00
      headgate show req_0akrzmj8b5g00 --json | jq .attempts
    """
    from headgate.core.ids import parse_request_id
    from headgate.stores.address import shown_database

    try:
        number = parse_request_id(request_id)
    except ValueError as wrong:
        fail(str(wrong), code=2)
    configuration = read_configuration(config)
    with plain_failures():
        shown = asyncio.run(_find(configuration, number))
    if shown is None:
        fail(
            f"no request {request_id} in {shown_database(configuration.settings.server.database)}; "
            "a request is stored when it is over, a moment after its last byte"
        )
    if as_json:
        print_json(_as_json(shown))
    else:
        click.echo("\n".join(_lines(shown, most=10**9 if full else _MOST_TEXT)))


async def _find(configuration: Configuration, number: int) -> Shown | None:
    from msgspec.structs import replace

    from headgate.compose.stores import open_stores
    from headgate.control.traces import given_again, show

    stores = open_stores(configuration.settings)
    try:
        shown = await show(stores.spans, number)
        return None if shown is None else replace(shown, given_again=await given_again(stores.spans, number))
    finally:
        await stores.aclose()


def _lines(shown: Shown, *, most: int) -> Iterator[str]:
    from headgate.core.ids import request_id_text

    row = shown.request
    yield f"{click.style(request_id_text(row.id), bold=True)}  {row.status} {_happened(row)}"
    yield ""
    for name, text in _facts(row, shown.given_again):
        if text:
            yield f"  {name:<12} {text}"
    yield ""
    yield from _waterfall(row, shown.attempts)
    for title, content, text in (
        ("Request", shown.prompt, _readable(shown.prompt)),
        ("Reply", shown.reply, shown.reply_text or _readable(shown.reply)),
    ):
        yield ""
        yield click.style(title, bold=True)
        yield _indented(text, most) if content else "  not kept"
        if content and content.truncated:
            yield f"  (cut when it was recorded: {content.size:,} bytes, {len(content.data):,} kept)"


def _happened(row: RequestRow) -> str:
    text = row.outcome.replace("_", " ")
    text += f": {row.error_class}" if row.error_class else ""
    text = click.style(text, fg="green" if row.outcome == "ok" else "red")
    return f"{text}\n  {row.error_detail}" if row.error_detail else text


def _facts(row: RequestRow, given_again: int) -> Iterator[tuple[str, str]]:
    from headgate.cli.lines import cost_text, tokens_in, tokens_out
    from headgate.core.ids import request_id_text

    moment = datetime.fromtimestamp(row.started_ns / 1e9).astimezone()
    yield "when", f"{moment:%Y-%m-%d %H:%M:%S.%f %Z}"
    yield (
        "asked for",
        f"{row.requested_model} ({row.operation}, {row.dialect}{', stream' if row.stream else ''})",
    )
    yield "feature", row.feature
    yield "purpose", row.purpose
    yield "difficulty", row.tier
    yield (
        "routed to",
        f"{row.routed_model}, answered by {row.provider} as {row.reported_model}" if row.provider else "",
    )
    yield "degraded", f"to `{row.degraded}`: no model of the route answered" if row.degraded else ""
    yield (
        "who",
        ", ".join(
            f"{name} {value}"
            for name, value in (
                ("key", row.key_id),
                ("team", row.team),
                ("user", row.user),
                ("session", row.session),
            )
            if value
        ),
    )
    yield "tags", row.tags
    yield "prompt", row.prompt
    yield "variables", _printable(row.variables)
    yield "memory", _memory(row)
    yield "replay of", request_id_text(row.replay_of) if row.replay_of else ""
    cached = f", {row.cache_read_tokens:,} of them cached" if row.cache_read_tokens else ""
    reasoning = f", {row.reasoning_tokens:,} of them reasoning" if row.reasoning_tokens else ""
    yield "tokens", f"{tokens_in(row):,} in{cached}; {tokens_out(row):,} out{reasoning}"
    label = f" ({row.cost_label})" if row.cost_label else ""
    yield "cost", f"{cost_text(row)} USD{label}" if row.cost_nanos is not None else row.cost_label
    yield "prompt cache", _prompt_cache(row)
    yield "finished", row.finish_reason
    yield "own time", f"{row.overhead_us / 1000:.2f} ms of {row.total_us / 1000:.1f} ms"
    yield "trace", row.trace_id
    yield "given again", _times(given_again)
    yield "config", row.config_hash
    yield "notes", row.notes


def _prompt_cache(row: RequestRow) -> str:
    """What the provider's saved, and what writing to it cost on top."""
    from headgate.core.money import usd

    saved, extra = row.cache_read_saved_nanos, row.cache_write_extra_nanos
    written = row.cache_write_tokens + row.cache_write_1h_tokens
    parts = (
        f"saved {usd(saved):f} USD by reading {row.cache_read_tokens:,} tokens" if saved else "",
        f"cost {usd(extra):f} USD on top for writing {written:,}" if extra else "",
    )
    return ", ".join(filter(None, parts))


def _times(count: int) -> str:
    from headgate.control.traces import MOST_COUNTED

    if not count:
        return ""
    if count == 1:
        return "once"
    return f"{count:,} times{' or more' if count >= MOST_COUNTED else ''}"


def _memory(row: RequestRow) -> str:
    from headgate.control.traces import memory_words, saved_words
    from headgate.core.ids import request_id_text

    words = memory_words(row)
    if row.origin_id:
        words += f" of {request_id_text(row.origin_id)}"
    saved = saved_words(row)
    return f"{words}, saved {saved}" if saved else words


def _waterfall(row: RequestRow, attempts: Any) -> Iterator[str]:
    """A bar per attempt on the request's time: `·` waiting for the provider, `─` until content, `█` content."""
    from headgate.cli.lines import cost_text, ms_text

    total = max(row.total_us, 1)
    yield f"  {'request':<30} |{'█' * _WIDTH}| {ms_text(row.total_us)}"
    if row.origin_id and not attempts:
        begun = min(round(_WIDTH * (row.first_content_us or row.total_us) / total), _WIDTH)
        name = "another one's call" if row.cache == "joined" else "memory"
        yield f"  {name:<30} |{'·' * begun}{'█' * (_WIDTH - begun)}| {ms_text(row.total_us)}"
    for attempt in attempts:
        name = (
            f"{attempt.number}. {attempt.kind}{' ' if attempt.kind else ''}{attempt.provider}/{attempt.model}"
        )
        tail = f"{attempt.status or 'no answer'}"
        tail += f" {attempt.error_class}" if attempt.error_class else f", {cost_text(attempt)} USD"
        tail += f", {attempt.credential}" if attempt.credential else ""
        yield f"  {name[:30]:<30} |{_bar(attempt, total)}| {ms_text(attempt.ended_us - attempt.started_us)}, {tail}"
        if attempt.error_detail:
            yield f"      {_printable(attempt.error_detail)[:200]}"


def _bar(attempt: AttemptRow, total: int) -> str:
    def at(microseconds: int) -> int:
        return min(round(_WIDTH * microseconds / total), _WIDTH)

    begin, end = at(attempt.started_us), max(at(attempt.ended_us), at(attempt.started_us) + 1)
    first_byte = at(attempt.first_byte_us) if attempt.first_byte_us else end
    content = at(attempt.first_content_us) if attempt.first_content_us else end
    cells = [
        " " if not begin <= cell < end else "·" if cell < first_byte else "─" if cell < content else "█"
        for cell in range(_WIDTH)
    ]
    return "".join(cells)


def _readable(content: Content | None) -> str:
    if content is None:
        return ""
    text = content.data.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _indented(text: str, most: int) -> str:
    cut = f"\n... {len(text) - most:,} characters more; --full shows all" if len(text) > most else ""
    return "\n".join(f"  {_printable(line)}" for line in (text[:most] + cut).split("\n"))


def _printable(text: str) -> str:
    # Prompts and answers come from strangers: nothing in them may move the cursor.
    return "".join(character if character.isprintable() or character == "\t" else "?" for character in text)


def _as_json(shown: Shown) -> dict[str, Any]:
    from headgate.cli.lines import as_json

    def content(kept: Content | None) -> dict[str, Any] | None:
        if kept is None:
            return None
        text = kept.data.decode("utf-8", "replace")
        return {"kind": kept.kind, "size": kept.size, "truncated": kept.truncated, "text": text}

    return {
        "request": as_json(shown.request),
        "given_again": shown.given_again,
        "attempts": [as_json(attempt) for attempt in shown.attempts],
        "prompt": content(shown.prompt),
        "reply": content(shown.reply),
        "reply_text": shown.reply_text,
    }
