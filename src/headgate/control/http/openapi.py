"""The API as OpenAPI 3.1, made from the routes and the types they name: what is described is what is read and sent."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from headgate.admission.rights import allowed_roles
from headgate.control.http.problems import PROBLEMS, ProblemBody
from headgate.control.http.route import Route
from headgate.core.documented import own_meanings

__all__ = ["description"]

_ABOUT = (
    "For operators. Every request carries a Headgate key whose role may do it; applications use `/v1`, not this. "
    "Moments are UTC, money is decimal USD as text. Lists come in pages: `next` of one is `cursor` of the next. "
    "A refusal is `application/problem+json`: `code` is stable, `detail` says what to do next."
)
_ALWAYS = ("invalid_request", "invalid_api_key", "not_allowed", "internal_error", "database_unavailable")
"""Codes that every route may answer with."""
_WITH_BODY = ("malformed_body", "body_too_large", "unsupported_media_type")
_REF = "#/components/schemas/"


def description(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document."""
    kinds = _kinds(routes)
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF + "{name}")
    for kind in _structs(kinds):
        _explain(kind, components)
    queries = {route.query.__name__ for route in routes if route.query is not None}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, components, routes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headgate", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
        "x-problems": {
            code: {"status": kind.status, "title": kind.title, "advice": kind.advice}
            for code, kind in PROBLEMS.items()
        },
    }


def _kinds(routes: Iterable[Route]) -> list[type[msgspec.Struct]]:
    found: dict[type[msgspec.Struct], None] = {ProblemBody: None}
    for route in routes:
        found.update((kind, None) for kind in (route.query, route.body, route.answer) if kind is not None)
    return list(found)


def _structs(kinds: Iterable[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """These and all that are named in them."""
    found: dict[type[msgspec.Struct], None] = {}

    def take(info: Any) -> None:
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls not in found:
                found[info.cls] = None
                for field in info.fields:
                    take(field.type)
        else:
            for name in ("item_type", "key_type", "value_type", "type"):
                if hasattr(info, name):
                    take(getattr(info, name))
            for each in getattr(info, "types", ()):
                take(each)

    for kind in kinds:
        take(msgspec.inspect.type_info(kind))
    return list(found)


def _explain(kind: type[msgspec.Struct], components: dict[str, Any]) -> None:
    schema = components[kind.__name__]
    schema["description"] = " ".join((inspect.getdoc(kind) or "").split())
    for base in reversed(kind.__mro__):
        if base is not msgspec.Struct and issubclass(base, msgspec.Struct):
            for name, meaning in own_meanings(base).items():
                schema["properties"][name]["description"] = meaning


def _operation(route: Route, components: dict[str, Any], routes: Sequence[Route]) -> dict[str, Any]:
    codes = (*_ALWAYS, *(_WITH_BODY if route.body else ()), *route.problems)
    responses: dict[str, Any] = {
        str(route.status): {
            "description": route.summary,
            "content": {"application/json": {"schema": {"$ref": _REF + route.answer.__name__}}},
        }
    }
    if links := _links(route, routes):
        responses[str(route.status)]["links"] = links
    for status in sorted({PROBLEMS[code].status for code in codes}):
        named = [code for code in codes if PROBLEMS[code].status == status]
        responses[str(status)] = {
            "description": "; ".join(f"{code}: {PROBLEMS[code].title}" for code in named),
            "content": {"application/problem+json": {"schema": {"$ref": f"{_REF}ProblemBody"}}},
        }
    told: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [route.path.split("/")[2]],
        "summary": route.summary,
        "description": route.description,
        "x-roles": list(allowed_roles(route.name)),
        "parameters": _parameters(route, components),
        "responses": responses,
    }
    if route.body is not None:
        told["requestBody"] = {
            "required": route.body_required,
            "content": {"application/json": {"schema": {"$ref": _REF + route.body.__name__}}},
        }
    return told


def _links(route: Route, routes: Sequence[Route]) -> dict[str, Any]:
    """What can be done next with what was made here, or with the first of what is listed here."""
    if route.status == 201:
        place = "$response.body#/id"
    elif "items" in route.answer.__struct_fields__:
        place = "$response.body#/items/0/id"
    else:
        return {}
    return {
        _operation_id(each): {"operationId": _operation_id(each), "parameters": {"id": place}}
        for each in routes
        if each.path.startswith(f"{route.path}/{{id}}")
    }


def _operation_id(route: Route) -> str:
    return route.name.removeprefix("api.")


def _parameters(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for part in route.path.split("/")
        if part.startswith("{")
    ]
    if route.query is not None:
        schema = components[route.query.__name__]
        for name, kind in schema["properties"].items():
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "required": name in schema.get("required", ()),
                    "description": kind.get("description", ""),
                    "schema": {key: each for key, each in kind.items() if key != "description"},
                }
            )
    return found
