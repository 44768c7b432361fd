"""The API's documentation as one plain page: no script, no font, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from headgate.control.http.telling import Field, Operation, fields_of, operations_of

__all__ = ["page"]


def page(told: dict[str, Any]) -> str:
    """told: the OpenAPI document."""
    operations = list(operations_of(told))
    return "\n".join(_page(told, operations))


def _page(told: dict[str, Any], operations: list[Operation]) -> Iterator[str]:
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<title>Headgate API</title>\n<link rel="icon" href="data:,">\n<link rel="stylesheet" href="/page.css">\n'
        "</head>\n<body>"
    )
    yield '<header><h1>Headgate API</h1><p><a href="/api/openapi.json">OpenAPI 3.1</a></p></header>\n<main>'
    yield f"<p>{_words(told['info']['description'])}</p>"
    yield '<h2 id="operations">Operations</h2>\n<div class="wide"><table><thead><tr><th>operation</th><th>roles</th><th>what it does</th></tr></thead><tbody>'
    for one in operations:
        yield (
            f'<tr><td><a href="#{escape(one.name)}"><code>{one.method} {escape(one.path)}</code></a></td>'
            f"<td>{escape(', '.join(one.roles))}</td><td>{_words(one.summary)}</td></tr>"
        )
    yield "</tbody></table></div>"
    for one in operations:
        yield f'<h2 id="{escape(one.name)}"><code>{one.method} {escape(one.path)}</code></h2>'
        yield f"<p>{_words(f'{one.summary} {one.description}')}</p>"
        yield f'<p class="quiet">{escape(one.name)} · roles: {escape(", ".join(one.roles))} · problems: {escape(", ".join(one.problems))}</p>'
        yield from _fields("in the query", one.parameters)
        if one.body:
            yield from _fields(f"in the body, <code>{one.body}</code>", fields_of(told, one.body))
        yield f'<p>answers {one.status} with <a href="#{one.answer}"><code>{one.answer}</code></a></p>'
    yield '<h2 id="types">Types</h2>'
    for name, schema in told["components"]["schemas"].items():
        yield f'<h3 id="{name}"><code>{name}</code></h3>\n<p>{_words(schema["description"])}</p>'
        yield from _fields("", fields_of(told, name))
    yield '<h2 id="problems">Problems</h2>\n<div class="wide"><table><thead><tr><th>code</th><th>status</th><th>what happened</th><th>what to do</th></tr></thead><tbody>'
    for code, kind in told["x-problems"].items():
        yield f'<tr id="{code}"><td><code>{code}</code></td><td>{kind["status"]}</td><td>{_words(kind["title"])}</td><td>{_words(kind["advice"])}</td></tr>'
    yield "</tbody></table></div>\n</main>\n</body>\n</html>\n"


def _fields(title: str, fields: list[Field]) -> Iterator[str]:
    if not fields:
        return
    yield f'<div class="wide"><table><thead><tr><th>{title or "field"}</th><th>takes</th><th>default</th><th>meaning</th></tr></thead><tbody>'
    for field in fields:
        yield (
            f"<tr><td><code>{escape(field.name)}</code></td><td>{_words(field.kind)}</td>"
            f"<td>{_words(field.default)}</td><td>{_words(field.meaning)}</td></tr>"
        )
    yield "</tbody></table></div>"


def _words(text: str) -> str:
    """Text with `code` in it, as HTML."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
