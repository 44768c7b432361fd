"""Which requests are the same: the key, and whom an answer may be given to.

Two requests have one key exactly if everything is equal that changes the answer, and everything that says who may share it.
The scope is no filter over answers found, but a part of what is hashed: there is no look-up that could forget it. What the
hash is made of is written so that each part says where it ends; a name with separators in it is a name, and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from headgate.cache.canonical import Doubtful, packed, plain, tree
from headgate.cache.detect.reasons import is_personal, why_not
from headgate.cache.faithful import WHO_AND_HOW, is_told_wholly, rest_of, without_question
from headgate.cache.policy import CachePolicy
from headgate.cache.settings import Sharing
from headgate.core.errors import InvalidRequest
from headgate.core.messages import ChatRequest, EmbeddingsRequest, Text
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange

__all__ = ["Identities", "Identity", "Look", "identity_of"]

_FORM = 1
"""Goes up when what is hashed, or how, changes its meaning: entries of before are then not found."""
_MOST_BODY = 1_000_000
"""Bytes of a request that is compared: longer ones hardly come twice, and comparing them would keep others waiting."""
_LABEL = 256
"""Characters of a user's name that the exchange holds; see `admission`. Longer ones are compared as they came."""
_SAID = frozenset(
    {b"anthropic-beta", b"anthropic-version", b"openai-beta", b"x-headgate-fault", b"x-headgate-tier"}
)
"""Headers that providers are told, or that choose the model."""
_HEARD = _SAID | {b"x-headgate-data", b"x-headgate-user"}
_USUAL = ((b"anthropic-version", b"2023-06-01"), (b"anthropic-version", b"2026-10-21"))
"""Sent by every client of that dialect: the versions say how an answer is written, which is not kept with it."""
_ARM = ("prompt", "experiment", "arm")
"""Tags that say which of several ways to answer the application is trying out."""
_NOBODY = Caller(key_id="")


@dataclass(frozen=True, slots=True)
class Identity:
    """A request, as far as memory is concerned."""

    key: bytes
    """16 bytes: hash of everything that changes the answer, and of who shares it."""
    compat: bytes
    """16 bytes: the same without the last user message; the key itself where `question` is ""."""
    tenant: str
    scope: Sharing
    """As the policy says, or `user` where data is sensitive or personal, or the caller has no team."""
    owner: str
    """The user (else the key) or team, to be shown and searched for; "" where `scope` is feature. Equal names of different teams
    and kinds are told apart by the key."""
    question: str
    """The last user message's text, as it is; "" if it is not all text, or not the last message, or no conversation is asked for."""
    named: bool = False
    """Is it one end user's alone, by name? Only then may what is personal be kept."""
    person: tuple[object, ...] = field(default=(), compare=False)
    """Whose request it is, whoever shares its answer: a user's, else a key's. Others hear nothing that has not been looked through."""


class Look(NamedTuple):
    """What is to be known of a request before memory is asked."""

    identity: Identity | None
    """None if it cannot be told: then there is a reason against it, too."""
    why_not: str
    """Why the request is neither answered from memory nor its answer kept, in words and without contents; "" if it may be."""


class _Context(NamedTuple):
    """All that matters besides the body. What is hashed, and what is remembered of it, are made from this and the body alone."""

    wire: str
    operation: str
    feature: str
    model: str
    route: bytes
    route_as: str
    tier: str
    prompt: str
    index_version: str
    arm: tuple[tuple[str, str], ...]
    said: tuple[tuple[bytes, bytes], ...]
    scope: Sharing
    tenant: str
    team: str
    key_id: str
    key_user: str
    user: str
    user_as_it_came: bytes
    answer_limit: int | None


class Identities:
    """Looks at requests, and remembers what it saw: the same body comes again, and reading it costs more than its hash."""

    def __init__(self, *, most: int = 4096, most_bytes: int = 8_000_000) -> None:
        """most, most_bytes: of what is remembered."""
        self._most, self._most_bytes = most, most_bytes
        self._seen: OrderedDict[tuple[bytes, int, _Context], tuple[CachePolicy, Look]] = OrderedDict()
        self.bytes = 0
        """Held now, about."""

    def look(self, exchange: Exchange, policy: CachePolicy) -> Look:
        """Never raises for what the caller sent."""
        if len(exchange.body) > _MOST_BODY:
            return Look(None, "it is too long to be compared")
        context = _context(exchange, policy)
        if exchange.edited:
            return _look(exchange, policy, context)
        # A policy is one of a configuration: while it is held here, nothing else has its id.
        memo = (blake2b(exchange.body, digest_size=16).digest(), id(policy), context)
        seen = self._seen.get(memo)
        if seen is not None:
            self._seen.move_to_end(memo)
            return seen[1]
        look = _look(exchange, policy, context)
        self._remember(memo, policy, look)
        return look

    def of(self, exchange: Exchange, policy: CachePolicy) -> Identity:
        """Raises InvalidRequest where a request has none: it cannot be read whole, or not compared."""
        look = self.look(exchange, policy)
        if look.identity is None:
            raise InvalidRequest(f"The request cannot be compared with others: {look.why_not}.")
        return look.identity

    def why_not(self, exchange: Exchange, policy: CachePolicy) -> str:
        """Why the request is neither answered from memory nor its answer kept, in words and without contents; "" if it may be."""
        return self.look(exchange, policy).why_not

    def clear(self) -> None:
        """Forget all of it."""
        self._seen.clear()
        self.bytes = 0

    def _remember(self, memo: tuple[bytes, int, _Context], policy: CachePolicy, look: Look) -> None:
        size = _size(look)
        if size > self._most_bytes // 100:
            return
        self._seen[memo] = policy, look
        self.bytes += size
        while len(self._seen) > self._most or self.bytes > self._most_bytes:
            _, (_, gone) = self._seen.popitem(last=False)
            self.bytes -= _size(gone)


def identity_of(exchange: Exchange, policy: CachePolicy) -> Identity:
    """Raises MalformedBody, InvalidRequest, as reading the request does, and InvalidRequest for what cannot be compared."""
    try:
        reason = why_not(exchange.request, policy, exchange.dialect.operation)
        return _identity(exchange, _context(exchange, policy), reason)
    except Doubtful as doubt:
        raise InvalidRequest(f"The request cannot be compared with others: {doubt}.") from None


def _look(exchange: Exchange, policy: CachePolicy, context: _Context) -> Look:
    try:
        reason = why_not(exchange.request, policy, exchange.dialect.operation)
        return Look(_identity(exchange, context, reason), reason)
    except Doubtful as doubt:
        return Look(None, str(doubt))
    except InvalidRequest:
        # Whoever passes the body on may well understand it, or will say what is wrong with it.
        return Look(None, "it cannot be read whole")


def _size(look: Look) -> int:
    return 1200 + (4 * len(look.identity.question) if look.identity is not None else 0)


def _context(exchange: Exchange, policy: CachePolicy) -> _Context:
    # Who fills memory ahead of time pays for it, and keeps the answer for those whose request it repeats.
    caller = exchange.asked_by or exchange.caller or _NOBODY
    tags = exchange.tags
    sensitive = policy.sensitive or (bool(tags) and tags.get("data", "").lower() == "sensitive")
    said: list[tuple[bytes, bytes]] = []
    named = b""
    for header in exchange.headers:
        name = header[0]
        if name not in _HEARD:
            continue
        if name in _SAID:
            if header not in _USUAL:
                said.append(header)
        elif name == b"x-headgate-data":
            sensitive = sensitive or b"sensitive" in header[1].lower()
        elif name == b"x-headgate-user":
            named = header[1]
    user = exchange.user
    # Cut off, or not to be read: as it stands on the exchange, it might be somebody else's name.
    cut = len(user) >= _LABEL or "\ufffd" in user
    as_it_came = (named or exchange.peek.user.encode("utf-8", "surrogatepass")) if cut else b""
    # By position, and a test finds each in its place: by name it takes two microseconds more, for every hit.
    return _Context._make(
        (
            exchange.dialect.name,
            exchange.dialect.operation,
            policy.feature,
            policy.model,
            policy.route,
            exchange.route_as,
            # After routing it is no wish any more, but what was found.
            "" if exchange.candidates else exchange.tier,
            exchange.prompt,
            exchange.index_version,
            tuple([(name, tags[name]) for name in _ARM if name in tags]) if tags else (),
            tuple(said),
            "user" if sensitive else policy.settings.scope,
            caller.tenant,
            caller.team,
            caller.key_id,
            caller.user,
            user,
            as_it_came,
            exchange.answer_limit,
        )
    )


def _identity(exchange: Exchange, context: _Context, reason: str) -> Identity:
    request = exchange.request
    told, question = _told(request), ""
    rest: dict[str, object] | None = None
    blank: dict[str, object] | None = None
    if not exchange.edited:
        body = tree(exchange.body)
        if not isinstance(body, dict):
            raise Doubtful("its body is no JSON object")
        if not is_told_wholly(context.wire, body):
            rest = rest_of(body)
            blank = without_question(rest)
    scope: Sharing = (
        "user"
        if context.scope != "user" and is_personal(request, exchange.dialect.operation)
        else context.scope
    )
    if scope == "team" and not context.team:
        scope = "user"
    owner, who, named = _who(scope, context)
    person = who if scope == "user" else _who("user", context)[1]
    around = (
        _FORM,
        # What was kept while the rules allowed it is not found any more when they do not.
        reason,
        context.tenant,
        scope,
        who,
        context.feature,
        context.model,
        context.route,
        context.route_as,
        context.tier,
        context.prompt,
        context.index_version,
        context.arm,
        context.said,
        context.operation,
    )
    body_of = None if rest is None else (context.wire, rest)
    key = _hash((*around, told, body_of))
    compat = key
    if (
        context.operation == "chat"
        and isinstance(request, ChatRequest)
        and (rest is None or blank is not None)
    ):
        question = _question(request)
        if question:
            apart = _told(_without_question(request))
            compat = _hash((*around, apart, None if blank is None else (context.wire, blank), "compat"))
    return Identity(key, compat, context.tenant, scope, owner, question, named, person)


def _who(scope: Sharing, context: _Context) -> tuple[str, tuple[object, ...], bool]:
    """The owner as shown, and as hashed; is it a user?"""
    if scope == "feature":
        return "", (), False
    if scope == "team":
        return context.team, ("team", context.team), False
    user = context.user or context.key_user
    if user:
        # Whose key it is we know; whom an application names we can only believe: a person's key gets nobody else's answers by
        # naming them.
        who = ("user", context.team, context.key_user, user, context.user_as_it_came)
        return user, who, True
    return context.key_id, ("key", context.team, context.key_id), False


def _told(request: ChatRequest | EmbeddingsRequest) -> object:
    """What the canonical request says that changes the answer."""
    extra = {name: value for name, value in request.extra.items() if name not in WHO_AND_HOW}
    if isinstance(request, EmbeddingsRequest):
        return plain(msgspec.structs.replace(request, encoding="float", user="", extra=extra))
    return plain(
        msgspec.structs.replace(
            request,
            stream=False,
            include_usage=False,
            user="",
            metadata={},
            extra=extra,
            extra_wire=request.extra_wire if extra else "",
        )
    )


def _question(request: ChatRequest) -> str:
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "user":
        return ""
    texts = [part.text for part in last.parts if isinstance(part, Text)]
    return "\n".join(texts) if len(texts) == len(last.parts) else ""


def _without_question(request: ChatRequest) -> ChatRequest:
    *before, last = request.messages
    parts = [msgspec.structs.replace(part, text="") for part in last.parts if isinstance(part, Text)]
    return msgspec.structs.replace(request, messages=[*before, msgspec.structs.replace(last, parts=parts)])


def _hash(what: tuple[object, ...]) -> bytes:
    return blake2b(packed(what), digest_size=16, person=b"headgate-cache").digest()
