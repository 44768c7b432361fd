"""Two requests are equal exactly if their canonical forms are: bytes that no two different ones share.

Order of fields and white space in JSON change nothing. Everything else is taken as it stands: no text is normalised, and
numbers of JSON that we pass on unread keep their spelling, so that 1, 1.0 and 1e0 are three things. What is equal here is
equal for whoever reads it; what is equal elsewhere may differ here, which costs a hit and never gives a wrong one.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

__all__ = ["Doubtful", "packed", "plain", "tree"]

_NUMBER = 1
_ODD = 2
"""Codes of MessagePack extensions: a number as it is spelt, and text that is no Unicode (half of a surrogate pair)."""

_pack = msgspec.msgpack.Encoder(order="sorted")


class Doubtful(ValueError):
    """JSON that two readers may take for different things. The message says why, without contents."""


def _spelt(text: str) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(_NUMBER, text.encode())


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # One reader takes the first, another the last: what is compared here might not be what the provider answers.
        raise Doubtful("a field of its JSON stands there twice")
    return fields


_decode = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_spelt, parse_float=_spelt, parse_constant=_spelt
).decode


def tree(data: bytes) -> Any:
    """JSON as dicts, lists, strings, booleans and None; numbers as they are spelt. Raises Doubtful."""
    try:
        return _decode(data.decode())
    except Doubtful:
        raise
    except RecursionError:
        raise Doubtful("its JSON is nested too deep") from None
    except ValueError:
        raise Doubtful("its JSON is not what everybody reads alike") from None


def plain(value: Any) -> Any:
    """A canonical message, or any part of one, as values that `packed` takes. Raises Doubtful."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, msgspec.Raw):
        return tree(bytes(value)) if value else b""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    fields = [plain(getattr(value, name)) for name in value.__struct_fields__]
    return [type(value).__name__, *fields]


def packed(value: Any) -> bytes:
    """The one way to write `value` as bytes: each part says where it ends. Raises Doubtful."""
    try:
        return _pack.encode(value)
    except UnicodeEncodeError:
        return _pack.encode(_odd(value))
    except (OverflowError, RecursionError, msgspec.MsgspecError):
        raise Doubtful("it holds a number that is too large to be compared") from None


def _odd(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return msgspec.msgpack.Ext(_ODD, value.encode("utf-8", "surrogatepass"))
        return value
    if isinstance(value, list | tuple):
        return [_odd(each) for each in value]
    if isinstance(value, dict):
        # Names of fields that are no Unicode have no order that everybody agrees on.
        return [b"", *sorted([_name(name), _odd(each)] for name, each in value.items())]
    return value


def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
