"""The page's HTML. Everything that comes from outside goes through `escape`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from headgate.control.overview import Overview
from headgate.core.ids import request_id_text
from headgate.core.money import usd
from headgate.stores.spans import RequestRow

__all__ = ["page"]

_COLUMNS = (
    "time (UTC)",
    "request",
    "asked for",
    "served by",
    "status",
    "tokens in",
    "tokens out",
    "cost",
    "first token",
    "total",
    "what happened",
)
_NUMBERS = frozenset(("status", "tokens in", "tokens out", "cost", "first token", "total"))


def page(overview: Overview, address: str, *, refresh_seconds: int) -> str:
    """The whole page. address: where the reader reached it, such as `http://127.0.0.1:8080`. refresh_seconds: 0 for never."""
    refresh = f'<meta http-equiv="refresh" content="{refresh_seconds}">' if refresh_seconds else ""
    pause = '<a href="/?pause">pause</a>' if refresh_seconds else '<a href="/">go on</a>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}
<title>Headgate</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
</head>
<body>
<header>
<h1>Headgate</h1>
<p>configuration <code>{escape(overview.config_hash)}</code> from {escape(overview.config_source)}
 · {overview.in_flight} in flight
 · <span class="{"bad" if overview.drops else "good"}">{overview.drops} records lost</span></p>
</header>
<main>
{_trouble(overview)}
{_first_call(overview, address)}
{_requests(overview.requests, pause)}
<section class="side">
{_list("Features", "what your product asks for", overview.features)}
{_list("Models", "where they are reached", overview.models)}
{_list("Providers", "who answers", overview.providers)}
</section>
</main>
</body>
</html>
"""


def _trouble(overview: Overview) -> str:
    return f'<p class="bad" role="alert">{escape(overview.trouble)}</p>' if overview.trouble else ""


def _first_call(overview: Overview, address: str) -> str:
    names = [name for name, _ in (*overview.features, *overview.models)]
    model = names[0] if names else "provider/model"
    bearer = '  -H "Authorization: Bearer $HEADGATE_KEY" \\\n' if overview.keys_required else ""
    curl = (
        f"curl {address}/v1/chat/completions \\\n{bearer}"
        '  -H "Content-Type: application/json" \\\n'
        f'  -d \'{{"model": "{model}",\n       "messages": [{{"role": "user", "content": "Hello"}}]}}\''
    )
    key = 'os.environ["HEADGATE_KEY"]' if overview.keys_required else '"none"'
    python = (
        f"{'import os' if overview.keys_required else ''}\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(\n    base_url="{address}/v1",\n    api_key={key},\n)\n'
        "reply = client.chat.completions.create(\n"
        f'    model="{model}",\n    messages=[{{"role": "user", "content": "Hello"}}],\n)\n'
        "print(reply.choices[0].message.content)"
    ).lstrip()
    hint = "<p>A key is made by <code>headgate keys create NAME</code>.</p>" if overview.keys_required else ""
    return f"""<section>
<h2>Make a call</h2>
<p>Base URL of OpenAI's SDKs: <code>{escape(address)}/v1</code>, of Anthropic's: <code>{escape(address)}</code></p>
{hint}
<div class="pair"><pre><code>{escape(curl)}</code></pre><pre><code>{escape(python)}</code></pre></div>
</section>"""


def _requests(rows: Sequence[RequestRow], pause: str) -> str:
    if not rows:
        return "<section><h2>Requests</h2><p>None yet. They appear here as they end.</p></section>"
    head = "".join(
        f'<th scope="col"{" class=number" if name in _NUMBERS else ""}>{name}</th>' for name in _COLUMNS
    )
    body = "\n".join(_row(row) for row in rows)
    return f"""<section>
<h2>Requests</h2>
<p>The last {len(rows)}, newest first; {pause}. <code>headgate show REQUEST</code> shows one whole.</p>
<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table></div>
</section>"""


def _row(row: RequestRow) -> str:
    moment = datetime.fromtimestamp(row.started_ns / 1e9, tz=UTC)
    asked = row.requested_model or "-"
    served = f"{row.provider}/{row.reported_model or row.routed_model}" if row.provider else "-"
    tokens_in = row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.cache_write_1h_tokens
    cells = [
        f'<td><time datetime="{moment.isoformat()}">{moment:%H:%M:%S}</time></td>',
        f"<td><code>{request_id_text(row.id)}</code></td>",
        f"<td>{escape(asked)}{' · stream' if row.stream else ''}</td>",
        f"<td>{escape(served)}</td>",
        f'<td class="number">{row.status}</td>',
        f'<td class="number">{tokens_in:,}</td>',
        f'<td class="number">{row.output_tokens + row.reasoning_tokens:,}</td>',
        f'<td class="number">{_cost(row)}</td>',
        f'<td class="number">{_ms(row.first_content_us)}</td>',
        f'<td class="number">{_ms(row.total_us)}</td>',
        f'<td class="{"good" if row.outcome == "ok" else "bad"}">{escape(_outcome(row))}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _cost(row: RequestRow) -> str:
    if row.cost_nanos is None:
        return "unknown" if row.cost_label == "unknown" else "-"
    about = "~" if row.cost_label == "estimated" else ""
    return f"{about}${usd(row.cost_nanos):.6f}"


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1000:,.0f} ms" if microseconds else "-"


def _outcome(row: RequestRow) -> str:
    words = row.outcome.replace("_", " ")
    words = f"{words}: {row.error_class}" if row.error_class else words
    aside = ", ".join(part for part in (row.purpose, row.degraded and f"degraded: {row.degraded}") if part)
    return f"{words} ({aside})" if aside else words


def _list(title: str, what: str, pairs: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<dt><code>{escape(name)}</code></dt><dd>{escape(text)}</dd>" for name, text in pairs)
    return f'<div><h2>{title}</h2><p class="quiet">{what}</p><dl>{items or "<dt>none</dt>"}</dl></div>'
