"""What somebody says of an answer, as rows to keep; and tokens with which a browser may say it of one request only. Pure."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from math import isfinite
from struct import Struct
from typing import Literal

from headgate.core.ids import parse_request_id
from headgate.stores.scores import ScoreKind, ScoreRow, ScoreSource

__all__ = [
    "LONGEST_COMMENT",
    "LONGEST_CORRECTION",
    "STANDARD",
    "Given",
    "Giver",
    "Refused",
    "Token",
    "Tokens",
    "rows_of",
]

LONGEST_COMMENT, LONGEST_CORRECTION = 5_000, 20_000
"""Characters."""
STANDARD = ("thumbs", "rating", "task_completed", "comment", "correction")
"""Names that Headgate gives; others are the application's."""
NAME = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"
_NAME = re.compile(NAME)
_MOST = 1e12


class Refused(Exception):
    """A judgement that cannot be kept as it is; the message says what would be right."""

    def __init__(self, text: str, *, param: str = "") -> None:
        """param: the field that is at fault."""
        super().__init__(text)
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was said, of one request or one conversation: at least one of the values."""

    request: str = ""
    """`req_…`, as the header `x-request-id` said."""
    session: str = ""
    thumbs: Literal["up", "down"] | None = None
    rating: float | None = None
    """1 to 5."""
    task_completed: bool | None = None
    name: str = ""
    """Of what `boolean`, `number` or `label` are a judgement."""
    boolean: bool | None = None
    number: float | None = None
    label: str = ""
    comment: str = ""
    correction: str = ""
    """What would have been right."""
    user: str = ""
    event: str = ""
    """The application's name for it: told again, it changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """Who says it, and what is done with it."""

    source: ScoreSource = "user"
    key_id: str = ""
    """It must be of a request of this key or a key of `team`; "": of any."""
    team: str = ""
    evaluator: str = ""
    prefix: str = ""
    """Whose names of events these are: those of one giver never meet another's."""
    content: bool = True
    """Are texts kept?"""


def rows_of(given: Given, giver: Giver, *, at_ns: int, fallback: str) -> tuple[list[ScoreRow], list[str]]:
    """The rows to keep, and the names of what is left out because texts are not kept. fallback: the name of the event where none is given.
    Raises Refused with what would be right."""
    request_id = _target(given)
    event = f"{giver.prefix}/given:{given.event}" if given.event else f"{giver.prefix}/own:{fallback}"
    rows: list[ScoreRow] = []
    left_out: list[str] = []
    for name, kind, number, label, text in _values(given):
        if kind == "text" and not giver.content:
            left_out.append(name)
            continue
        rows.append(
            ScoreRow(
                event=f"{event}/{name}",
                at_ns=at_ns,
                request_id=request_id,
                session="" if request_id else given.session,
                name=name,
                kind=kind,
                number=number,
                label=label,
                text=text,
                source=giver.source,
                author=given.user,
                evaluator=giver.evaluator,
                key_id=giver.key_id,
                team=giver.team,
            )
        )
    if not rows and left_out:
        raise Refused(
            f"{' and '.join(left_out)} are content, and none of it is kept here (`records.content`, or `content` of the feature, is false): "
            "send thumbs, a rating or a label",
            param=left_out[0],
        )
    if not rows:
        raise Refused(
            "nothing is said: give thumbs, rating, task_completed, comment or correction, or a name with boolean, number or label"
        )
    if len({row.name for row in rows}) < len(rows):
        raise Refused("two values have the same name: choose another `name`", param="name")
    return rows, left_out


def _target(given: Given) -> int:
    if bool(given.request) == bool(given.session):
        raise Refused(
            "say what it is about: `request` (the header `x-request-id`) or `session`", param="request"
        )
    if not given.request:
        return 0
    try:
        found = parse_request_id(given.request)
    except ValueError as wrong:
        raise Refused(str(wrong), param="request") from None
    if not found:
        raise Refused("there is no such request", param="request")
    return found


def _values(given: Given) -> Iterator[tuple[str, ScoreKind, float | None, str, str]]:
    if given.thumbs is not None:
        yield "thumbs", "boolean", float(given.thumbs == "up"), given.thumbs, ""
    if given.rating is not None:
        if not 1 <= given.rating <= 5:
            raise Refused("`rating` is a number from 1 to 5", param="rating")
        yield "rating", "number", float(given.rating), "", ""
    if given.task_completed is not None:
        yield "task_completed", "boolean", float(given.task_completed), "", ""
    yield from _named(given)
    for name, text, longest in (
        ("comment", given.comment, LONGEST_COMMENT),
        ("correction", given.correction, LONGEST_CORRECTION),
    ):
        if len(text) > longest:
            raise Refused(f"`{name}` is over {longest:,} characters", param=name)
        if text:
            yield name, "text", None, "", text


def _named(given: Given) -> Iterator[tuple[str, ScoreKind, float | None, str, str]]:
    values = [given.boolean is not None, given.number is not None, bool(given.label)]
    if not given.name and not any(values):
        return
    if sum(values) != 1 or not given.name:
        raise Refused("`name` goes with one of `boolean`, `number` and `label`", param="name")
    if given.name in STANDARD or not _NAME.match(given.name):
        raise Refused(
            f"`name` is a word of yours: letters, digits, `-`, `_` and `.`, at most 64, and none of {', '.join(STANDARD)}",
            param="name",
        )
    if given.boolean is not None:
        yield given.name, "boolean", float(given.boolean), "", ""
    elif given.number is not None:
        if not isfinite(given.number) or abs(given.number) > _MOST:
            raise Refused("`number` must be a finite number", param="number")
        yield given.name, "number", float(given.number), "", ""
    else:
        yield given.name, "label", None, given.label, ""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says."""

    request_id: int
    expires: int
    """Seconds since 1970 UTC."""
    key_id: str = ""
    """It is good only if the request is this key's, or a key's of `team`; "": whosever it is."""
    team: str = ""


class Tokens:
    """Makes and reads tokens: a request's id, a moment, and perhaps whose request it has to be, with a keyed hash over all of it.
    Nothing is stored."""

    _HEAD = Struct(">QI")
    _MAC = 16
    _PREFIX = "hgf_"
    _LONGEST_HOLDER = 100

    def __init__(self, secret: bytes, now: Callable[[], float], valid: float) -> None:
        """secret: the installation's. now: seconds since 1970. valid: seconds."""
        self._keyed = blake2b(key=secret[:64], digest_size=self._MAC, person=b"headgate-judge")
        self._now = now
        self.valid = valid

    def mint(self, request_id: int, key_id: str = "", team: str = "") -> str:
        """A token for one request. key_id, team: whose it has to be, where nobody knows yet."""
        head = self._HEAD.pack(request_id, int(self._now() + self.valid) & 0xFFFFFFFF)
        if key_id:
            holder = f"{key_id}\n{team}".encode()
            # A team with a very long name has to wait until the request is stored.
            head += holder if len(holder) <= self._LONGEST_HOLDER else key_id.encode()
        mac = self._keyed.copy()
        mac.update(head)
        return self._PREFIX + urlsafe_b64encode(head + mac.digest()).decode().rstrip("=")

    def read(self, text: str) -> Token:
        """What it says. Raises Refused if it is none of ours, or no longer good."""
        body = text.strip().removeprefix(self._PREFIX)
        try:
            data = urlsafe_b64decode(body.encode("ascii") + b"=" * (-len(body) % 4))
        except (NotBase64, UnicodeEncodeError, ValueError):
            data = b""
        size = self._HEAD.size
        said, seal = data[: -self._MAC], data[-self._MAC :]
        mac = self._keyed.copy()
        mac.update(said)
        if len(said) < size or not compare_digest(mac.digest(), seal):
            raise Refused("the token is not valid here", param="token")
        request_id, expires = self._HEAD.unpack(said[:size])
        if expires < self._now():
            raise Refused("the token is not good any more", param="token")
        key_id, _, team = said[size:].decode().partition("\n")
        return Token(request_id, expires, key_id, team)
