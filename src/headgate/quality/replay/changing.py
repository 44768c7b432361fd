"""A recorded body with what is to be different. Only what was asked for changes: all else stays byte for byte. Pure.

The body stays in the dialect it came in; each dialect writes a system prompt and a limit in a place of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.errors import MalformedBody
from headgate.core.near import did_you_mean
from headgate.providers.wires.splicing import replace_model, top_level

__all__ = ["DIALECTS", "ChangeRefused", "Changes", "changed_body"]

Fields = dict[str, msgspec.Raw]

DIALECTS: Mapping[str, str] = {
    "openai.chat": "chat",
    "openai.responses": "chat",
    "anthropic.messages": "chat",
    "openai.embeddings": "embeddings",
}
"""What can be sent again: dialect -> operation."""

_LIMITS = {
    "openai.chat": ("max_completion_tokens", "max_tokens"),
    "openai.responses": ("max_output_tokens",),
    "anthropic.messages": ("max_tokens",),
}
"""Where the limit on an answer stands: the first is written where none stands yet."""
_OWN_WAY = {
    "model": "the model has an option of its own: `model`",
    "stream": "whether it is a stream has an option of its own: `stream`",
}
_LONGEST_PATH = 200
_SYSTEM_ROLES = ("system", "developer")
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.encode


class ChangeRefused(ValueError):
    """What was asked for cannot be done to this request; the text says why."""

    def __init__(self, message: str, *, param: str) -> None:
        """param: the field of `Changes` that is at fault."""
        super().__init__(message)
        self.param = param


class Changes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What shall be different from the recorded request. Nothing: it is sent as it was."""

    model: str = ""
    """A feature or a model, in place of the one that was asked for. The rules of the original's feature go on holding."""
    system: str | None = None
    """Another system prompt; "": none."""
    prompt: str = ""
    """Name and version of that prompt, for the record: `greeting@8`."""
    temperature: float | None = None
    max_tokens: int | None = None
    """The most tokens of the answer."""
    set: dict[str, Any] = {}
    """Any field of the body, dots leading inwards (`reasoning.effort`) -> its value."""
    unset: tuple[str, ...] = ()
    """Fields that are left out."""
    stream: bool | None = None
    """Answered as a stream, or whole; None: as it was."""

    @property
    def any(self) -> bool:
        """Is anything different?"""
        return self != Changes()


def changed_body(dialect: str, body: bytes, changes: Changes) -> bytes:
    """The body to send: the very same bytes if nothing of it changes. Raises ChangeRefused."""
    if dialect not in DIALECTS:
        raise ChangeRefused(
            f"requests of `{dialect or 'this kind'}` cannot be sent again; those of {', '.join(DIALECTS)} can",
            param="",
        )
    if changes.model:
        body = _modelled(body, changes.model)
    if msgspec.structs.replace(changes, model="", prompt="") == Changes():
        return body
    fields = _fields(body, "")
    before = dict(fields)
    if DIALECTS[dialect] != "chat":
        _refuse_what_only_chats_have(changes)
    if changes.system is not None:
        _set_system(dialect, fields, changes.system)
    if changes.temperature is not None:
        fields["temperature"] = _raw(changes.temperature)
    if changes.max_tokens is not None:
        _set_limit(dialect, fields, changes.max_tokens)
    for path, value in changes.set.items():
        _set(fields, path, _raw(value))
    for path in changes.unset:
        _unset(fields, path)
    if changes.stream is not None:
        _set_stream(dialect, fields, stream=changes.stream)
    return body if fields == before else _encode(fields)


def _modelled(body: bytes, model: str) -> bytes:
    try:
        return replace_model(body, model)
    except MalformedBody as wrong:
        raise ChangeRefused(str(wrong), param="") from None


def _fields(data: bytes | msgspec.Raw, at: str) -> Fields:
    try:
        return top_level(bytes(data))
    except MalformedBody:
        raise ChangeRefused(
            f"`{at}` is no object in it" if at else "its body is no JSON object", param="set"
        ) from None


def _raw(value: Any) -> msgspec.Raw:
    try:
        return msgspec.Raw(_encode(value))
    except (TypeError, ValueError, RecursionError) as wrong:
        raise ChangeRefused(f"a value is not JSON: {str(wrong)[:100]}", param="set") from None


def _refuse_what_only_chats_have(changes: Changes) -> None:
    for name in ("system", "temperature", "max_tokens", "stream"):
        if getattr(changes, name) is not None:
            raise ChangeRefused(f"a request for embeddings has no {name.replace('_', ' ')}", param=name)


def _set_limit(dialect: str, fields: Fields, most: int) -> None:
    names = _LIMITS[dialect]
    # Where both stand, servers differ in which of them counts.
    for name in [name for name in names if name in fields] or names[:1]:
        fields[name] = _raw(most)


def _set_stream(dialect: str, fields: Fields, *, stream: bool) -> None:
    said = bytes(fields.get("stream", b"false")) == b"true"
    if said == stream:
        return
    fields["stream"] = _raw(stream)
    if dialect == "openai.chat" and not stream:
        # OpenAI refuses them where there is no stream.
        fields.pop("stream_options", None)


def _set(fields: Fields, path: str, value: msgspec.Raw) -> None:
    name, rest = _step(path)
    if rest:
        inner = _fields(fields[name], name) if name in fields and bytes(fields[name]) != b"null" else {}
        _set(inner, rest, value)
        value = msgspec.Raw(_encode(inner))
    fields[name] = value


def _unset(fields: Fields, path: str) -> None:
    name, rest = _step(path)
    if name not in fields:
        near = did_you_mean(name, fields)
        raise ChangeRefused(f"there is no `{name[:100]}` to leave out{near}", param="unset")
    if not rest:
        del fields[name]
        return
    inner = _fields(fields[name], name)
    _unset(inner, rest)
    fields[name] = msgspec.Raw(_encode(inner))


def _step(path: str) -> tuple[str, str]:
    if not path or len(path) > _LONGEST_PATH or not all(path.split(".")):
        raise ChangeRefused(f"`{path[:100]}` names no field; write NAME, or OUTER.INNER", param="set")
    if path in _OWN_WAY:
        raise ChangeRefused(_OWN_WAY[path], param="set")
    name, _, rest = path.partition(".")
    return name, rest


def _set_system(dialect: str, fields: Fields, text: str) -> None:
    if dialect == "anthropic.messages":
        _set_anthropic_system(fields, text)
    elif dialect == "openai.responses":
        items = _items(fields, "input")
        if items is not None:
            kept = _without_leading_system(items)[1]
            if len(kept) != len(items):
                fields["input"] = msgspec.Raw(_encode(kept))
        if text:
            fields["instructions"] = _raw(text)
        else:
            fields.pop("instructions", None)
    else:
        messages = _items(fields, "messages")
        if messages is None:
            raise ChangeRefused("its body has no list of messages", param="system")
        first, kept = _without_leading_system(messages)
        if text:
            message = {"role": _raw("system")} if first is None else _fields(first, "messages")
            kept = [msgspec.Raw(_encode({**message, "content": _raw(text)})), *kept]
        fields["messages"] = msgspec.Raw(_encode(kept))


def _set_anthropic_system(fields: Fields, text: str) -> None:
    blocks = _items(fields, "system")
    if not text:
        fields.pop("system", None)
    elif not blocks:
        fields["system"] = _raw(text)
    else:
        # One that was kept in the provider's cache shall be kept there too: else the costs could not be compared.
        block = {"type": _raw("text"), "text": _raw(text)}
        marked = [found for raw in blocks if "cache_control" in (found := _fields(raw, "system"))]
        if marked:
            block["cache_control"] = marked[-1]["cache_control"]
        fields["system"] = msgspec.Raw(_encode([block]))


def _items(fields: Fields, name: str) -> list[msgspec.Raw] | None:
    try:
        return _LIST.decode(fields[name])
    except (KeyError, msgspec.DecodeError):
        return None


def _without_leading_system(items: list[msgspec.Raw]) -> tuple[msgspec.Raw | None, list[msgspec.Raw]]:
    """(the first system message if the conversation begins with one, what follows the leading ones)."""
    count = 0
    for raw in items:
        try:
            role = top_level(bytes(raw)).get("role")
        except MalformedBody:
            break
        if role is None or bytes(role).strip(b'"').decode("utf-8", "replace") not in _SYSTEM_ROLES:
            break
        count += 1
    return (items[0] if count else None), items[count:]
