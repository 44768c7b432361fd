"""Reading a caller's JSON: every fault becomes a MalformedBody or an InvalidRequest that names the field.

Objects are taken apart one level at a time, so that fields nobody asked for stay byte-exact in `Fields.left`.
"""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any, Final, NoReturn, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from headgate.core.errors import InvalidRequest, MalformedBody
from headgate.core.messages import Extra

__all__ = [
    "ANYTHING",
    "FLAG",
    "INTEGER",
    "LIMIT",
    "NUMBER",
    "OBJECT",
    "RAW_LIST",
    "TEXT",
    "TEXT_LIST",
    "Fields",
    "TokenLimit",
    "check_text",
    "data_url",
    "is_data_url",
    "media_type_of",
    "read_json",
]

T = TypeVar("T")

TokenLimit = Annotated[int, msgspec.Meta(le=2**31 - 1)]
"""A bound on tokens. Wider ones are a mistake, and would only overflow what money is reserved in."""

TEXT: Final = msgspec.json.Decoder(str)
INTEGER: Final = msgspec.json.Decoder(Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)])
LIMIT: Final = msgspec.json.Decoder(TokenLimit)
NUMBER: Final = msgspec.json.Decoder(float)
FLAG: Final = msgspec.json.Decoder(bool)
TEXT_LIST: Final = msgspec.json.Decoder(list[str])
RAW_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
OBJECT: Final = msgspec.json.Decoder(dict[str, Any])
ANYTHING: Final = msgspec.json.Decoder(Any)
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

_NULL: Final = b"null"


def check_text(body: bytes) -> None:
    """Refuse a body that is not UTF-8 anywhere; a decoder that skips fields does not look into them."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise MalformedBody(f"The body is not UTF-8 (byte {error.start}); send JSON in UTF-8.") from None


def read_json(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, at: str = "") -> T:
    """What `data` says. at: where it stands in the body. Raises MalformedBody, InvalidRequest with `param`."""
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError) as error:
        _refuse(error, at)


def _refuse(error: ValueError | RecursionError, at: str) -> NoReturn:
    if isinstance(error, msgspec.ValidationError):
        what, _, path = str(error).partition(" - at `")
        # Paths of msgspec start at `$` (our `at`) and end with a backtick.
        inner = path.rstrip("`").removeprefix("$").removeprefix("key in ")
        param = (at + inner).lstrip(".")
        where = f"`{param}`" if param else "The body"
        raise InvalidRequest(f"{where}: {what[:1].lower()}{what[1:]}.", param=param or None) from None
    if isinstance(error, RecursionError):
        raise MalformedBody("The body is nested too deep.", param=at or None) from None
    raise MalformedBody(f"The body is not valid JSON: {str(error)[:200]}.", param=at or None) from None


class Fields:
    """One JSON object, read field by field. `null` counts as not said. Raises as `read_json` does."""

    __slots__ = ("at", "left")

    def __init__(self, data: bytes | msgspec.Raw, at: str = "") -> None:
        """at: the path of this object in the body, for error messages."""
        self.at = at
        self.left: Extra = read_json(_FIELDS, data, at)
        """What has not been taken yet."""

    def path(self, name: str) -> str:
        """Where the field `name` stands in the body."""
        return f"{self.at}.{name}" if self.at else name

    def raw(self, name: str) -> msgspec.Raw | None:
        """The field's JSON as it stands; None if it is missing or null."""
        raw = self.left.pop(name, None)
        return None if raw is None or bytes(raw) == _NULL else raw

    def take(self, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        """The field's value; None if it is missing or null."""
        raw = self.raw(name)
        return None if raw is None else read_json(decoder, raw, self.path(name))

    def need(self, name: str, decoder: msgspec.json.Decoder[T]) -> T:
        """The field's value. Raises InvalidRequest if it is missing or null."""
        value = self.take(name, decoder)
        if value is None:
            self.refuse(name, "is missing")
        return value

    def text(self, name: str) -> str:
        """The field's text; "" if it is missing or null."""
        return self.take(name, TEXT) or ""

    def flag(self, name: str) -> bool:
        """Is the field true? False if it is missing or null."""
        return self.take(name, FLAG) is True

    def object(self, name: str) -> Fields | None:
        """The object in the field; None if it is missing or null."""
        raw = self.raw(name)
        return None if raw is None else Fields(raw, self.path(name))

    def items(self, name: str) -> list[tuple[str, msgspec.Raw]]:
        """The elements of the list in the field, each with its path; none if it is missing or null."""
        at, raws = self.path(name), self.take(name, RAW_LIST)
        return [(f"{at}[{number}]", raw) for number, raw in enumerate(raws or ())]

    def has(self, name: str) -> bool:
        """Is the field there, and not null?"""
        return bytes(self.left.get(name, _NULL)) != _NULL

    def is_text(self, name: str) -> bool:
        """Is there a JSON string in the field?"""
        return bytes(self.left.get(name, b""))[:1] == b'"'

    def refuse(self, name: str, what: str) -> NoReturn:
        """Raise InvalidRequest about the field `name`."""
        raise InvalidRequest(f"`{self.path(name)}` {what}.", param=self.path(name))


def is_data_url(url: str) -> bool:
    """Does the URL carry its content itself?"""
    return url[:5].lower() == "data:"


def data_url(url: str, at: str) -> tuple[str, str]:
    """The media type and the base64 data of a `data:` URL (RFC 2397). at: its path, for the error.

    A URL that is not base64 is re-coded. Raises InvalidRequest if there is no data in it."""
    head, comma, data = url[5:].partition(",")
    media_type, *parameters = head.split(";")
    if not comma or not data:
        raise InvalidRequest(f"`{at}` is a data URL without data.", param=at)
    if not any(parameter.strip().lower() == "base64" for parameter in parameters):
        data = _base64(unquote_to_bytes(data))
    return (media_type.strip().lower() or "text/plain"), data


def _base64(data: bytes) -> str:
    # msgspec writes bytes as base64 in quotes.
    return msgspec.json.encode(data)[1:-1].decode()


def media_type_of(name: str, otherwise: str) -> str:
    """The media type a file's name tells; `otherwise` if it tells none."""
    return mimetypes.guess_type(name)[0] or otherwise
