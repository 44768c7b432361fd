"""The OpenAPI document as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.control.http.telling import Field, fields_of, operations_of

__all__ = ["reference"]


def reference(told: dict[str, Any]) -> Iterator[str]:
    """Lines of Markdown, from the first heading under the title on. told: the OpenAPI document."""
    yield f"{told['info']['description']}\n"
    yield "`GET /api/openapi.json` is this page for programs, `GET /api/docs` for people; both need no key.\n"
    yield "## Operations\n\n| operation | roles | what it does |\n|---|---|---|"
    operations = list(operations_of(told))
    for one in operations:
        yield f"| `{one.method} {one.path}` | {', '.join(one.roles)} | {_cell(one.summary)} |"
    yield ""
    for one in operations:
        yield f"### {one.method} {one.path}\n\n{one.summary} {one.description}".rstrip() + "\n"
        yield f"Name: `{one.name}`. Problems: {', '.join(f'`{code}`' for code in one.problems)}.\n"
        yield from _table("in the query", one.parameters)
        if one.body:
            yield from _table(f"in the body (`{one.body}`)", fields_of(told, one.body))
        yield f"Answers {one.status} with [`{one.answer}`](#{one.answer.lower()}).\n"
    yield "## Types\n"
    bodies = {one.body for one in operations}
    for name, schema in told["components"]["schemas"].items():
        if name not in bodies:
            yield f"### {name}\n\n{schema['description']}\n"
            yield from _table("field", fields_of(told, name))
    yield "## Problems\n\n| code | status | what happened | what to do |\n|---|---|---|---|"
    for code, kind in told["x-problems"].items():
        yield f"| `{code}` | {kind['status']} | {_cell(kind['title'])} | {_cell(kind['advice'])} |"


def _table(title: str, fields: list[Field]) -> Iterator[str]:
    if fields:
        yield f"| {title} | takes | default | meaning |\n|---|---|---|---|"
        for field in fields:
            yield f"| `{field.name}` | {_cell(field.kind)} | {_cell(field.default)} | {_cell(field.meaning)} |"
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
