"""JSON Schema of the configuration file, for editors: completion, hints and red lines while it is written.

Made from the types that read the file. Made by us and not by msgspec, whose schemas end where a default is of a type
of ours, and which do not know that `kind` chooses a provider's keys or that `${NAME}` may stand for a number.
"""

from __future__ import annotations

import types
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from headgate.config.documented import meanings, purpose
from headgate.config.fingerprint import plain
from headgate.config.model import KINDS, Settings
from headgate.config.reading import hints
from headgate.core.section import Duration, Section, Size, schema_of
from headgate.providers.settings import ProviderSettings

__all__ = ["default_of", "json_schema"]

_VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "from the environment, as in `${NAME}`"}
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
}


def json_schema() -> dict[str, Any]:
    """The schema of a whole file."""
    definitions: dict[str, Any] = {"Variable": _VARIABLE}
    schema = _section(Settings, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Headgate configuration",
        **schema,
        "$defs": definitions,
    }


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """A field's default as plain data; msgspec.NODEFAULT if it must be given."""
    if field.default is not msgspec.NODEFAULT:
        return plain(field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return plain(field.default_factory())
    return msgspec.NODEFAULT


def _section(section: type[Section], definitions: dict[str, Any], kind: str = "") -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    if kind:
        properties["kind"] = {"const": kind, "description": "The protocol that is spoken there."}
        required.append("kind")
    types_, words = hints(section), meanings(section)
    for field in msgspec.structs.fields(section):
        described = _type(types_[field.name], definitions)
        if field.name in words:
            described = {**described, "description": words[field.name]}
        default = default_of(field)
        if default is msgspec.NODEFAULT:
            required.append(field.name)
        elif default is not None and not isinstance(default, dict):
            described = {**described, "default": default}
        properties[field.name] = described
    schema: dict[str, Any] = {"type": "object", "description": purpose(section), "properties": properties}
    return {**schema, **({"required": required} if required else {}), "additionalProperties": False}


def _reference(section: type[Section], definitions: dict[str, Any], kind: str = "") -> dict[str, Any]:
    name = section.__name__
    if name not in definitions:
        definitions[name] = {}  # the name is taken before what it contains is described
        definitions[name] = _section(section, definitions, kind)
    return {"$ref": f"#/$defs/{name}"}


def _provider(definitions: dict[str, Any]) -> dict[str, Any]:
    for kind, section in KINDS.items():
        _reference(section, definitions, kind)
    # if/then instead of oneOf: an editor then complains about the wrong key, not about every kind.
    return {
        "type": "object",
        "description": purpose(ProviderSettings),
        "properties": {"kind": {"enum": list(KINDS), "description": "The protocol that is spoken there."}},
        "required": ["kind"],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{section.__name__}"},
            }
            for kind, section in KINDS.items()
        ],
    }


def _type(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind is ProviderSettings:
        return _provider(definitions)
    if isinstance(kind, type) and issubclass(kind, Section):
        return _reference(kind, definitions)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(arguments[1], definitions)}
    if origin is list:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if origin in (Union, types.UnionType):
        # TOML has no null: what may be None may be left out.
        kinds = [_type(each, definitions) for each in arguments if each is not type(None)]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return _leaf(kind)


def _leaf(kind: Any) -> dict[str, Any]:
    if kind is str:
        return _SCALARS[str]
    if get_origin(kind) is Literal:
        scalar: dict[str, Any] = {"enum": list(get_args(kind))}
    elif kind in (Duration, Size):
        scalar = schema_of(kind)
    elif get_origin(kind) is Annotated:
        base, *metas = get_args(kind)
        scalar = dict(_SCALARS[base])
        for meta in metas:
            if isinstance(meta, msgspec.Meta):
                scalar.update(_bounds(meta))
        if base is str:
            return scalar
    else:
        scalar = _SCALARS[kind]
    return {"anyOf": [scalar, {"$ref": "#/$defs/Variable"}]}


def _bounds(meta: msgspec.Meta) -> dict[str, Any]:
    words = {
        "minimum": meta.ge,
        "exclusiveMinimum": meta.gt,
        "maximum": meta.le,
        "exclusiveMaximum": meta.lt,
        "minLength": meta.min_length,
        "maxLength": meta.max_length,
    }
    return {word: bound for word, bound in words.items() if bound is not None}
