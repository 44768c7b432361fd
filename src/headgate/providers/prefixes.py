"""Which beginnings of prompts come back, and where they were read last: what a provider's own prompt cache is used by.

A provider bills the beginning of a prompt less if it has read the same one lately; some only if they are told where it ends, and
then writing it costs more than reading it plainly. So nothing is marked that was not seen before. What is remembered are hashes:
of tools, of tools and system prompt, of the conversation up to its last answer, and of all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple

import msgspec

from headgate.providers.port import Endpoint, Marks

__all__ = ["Beginnings", "Hold", "Keep", "Prefix", "Prefixes", "beginnings_of", "place_of"]

Keep = Literal["off", "5m", "1h"]
"""For how long a provider shall keep what is marked."""

MOST = 20_000
"""Beginnings that are remembered; who was not seen for longest goes first. Some 200 bytes each."""
_SECONDS: Mapping[Keep, float] = {"5m": 300.0, "1h": 3600.0}
_LEAST: Mapping[Keep, int] = {"5m": 2, "1h": 3}
"""So often it must have come, this time included. Writing for five minutes costs a quarter more and reading nine tenths less, so one
reading pays for three writings; writing for an hour costs as much again, which only the second reading pays for."""
_LOOK_BACK = 24
"""Turns at the end of a conversation of which one may have been the end of it before."""
_BYTES_PER_TOKEN = 4
_PLACES = 3
_END = b"end "
_OWN = (b'"cache_control"', b'"prompt_cache_key"', b'"prompt_cache_breakpoint"', b'"prompt_cache_options"')

Place = tuple[str, str, str, str]
"""Provider, model, region, credential."""


class Beginnings(msgspec.Struct, frozen=True, gc=False):
    """Of one prompt: hashes, b"" for what it has not, and about how many tokens there are up to there."""

    tools: bytes = b""
    instructions: bytes = b""
    """Tools and system prompt."""
    history: bytes = b""
    """These, and the conversation up to the model's last answer."""
    whole: bytes = b""
    earlier: tuple[bytes, ...] = ()
    """The conversation up to each of its last turns but the very last, the latest first: one of them may have been the whole of an
    earlier request."""
    tools_tokens: int = 0
    instructions_tokens: int = 0
    history_tokens: int = 0
    tokens: int = 0
    own: bool = False
    """The caller has said itself what shall be kept."""


class Hold(NamedTuple):
    """Where a prompt's beginning was read lately."""

    places: tuple[Place, ...]
    """The latest first."""
    conversation: bool
    """It is this conversation that they have read; else only its instructions, which others have too."""


class Prefix:
    """What is known of one request's beginning. On the exchange where its feature uses providers' prompt caches."""

    __slots__ = ("beginnings", "hold", "marks")

    def __init__(self, beginnings: Beginnings) -> None:
        self.beginnings = beginnings
        self.marks: Marks | None = None
        """None: not looked up yet."""
        self.hold: Hold | None = None


class _Asked(msgspec.Struct, gc=False):
    """The parts of a prompt, under the names that they have in the dialects and in the canonical request."""

    tools: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    messages: list[msgspec.Raw] | None = None
    input: msgspec.Raw = msgspec.Raw()
    previous_response_id: str | None = None
    conversation: msgspec.Raw = msgspec.Raw()


class _Turn(msgspec.Struct, gc=False):
    role: str = ""
    type: str = ""


_decode = msgspec.json.Decoder(_Asked).decode
_decode_turn = msgspec.json.Decoder(_Turn).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def beginnings_of(body: bytes, *, tenant: str, feature: str) -> Beginnings | None:
    """Of a request's body in any dialect, or of a canonical request as JSON. None: it cannot be read. Equal ones of different
    tenants or features have different hashes."""
    # All of them have this in their names, and to look for one word is quicker.
    own = b"cache_" in body and any(name in body for name in _OWN)
    try:
        asked = _decode(body)
        turns = _turns(asked)
        first = 0
        while first < len(turns) and _decode_turn(turns[first]).role in ("system", "developer"):
            first += 1
        return _hashed(
            asked, turns, first, f"{tenant}\0{feature}\0".encode("utf-8", "surrogatepass"), own=own
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # whoever reads the body in earnest says what is wrong


def _turns(asked: _Asked) -> Sequence[msgspec.Raw]:
    if asked.previous_response_id or bytes(asked.conversation) not in (b"", b"null"):
        return ()  # what came before is at the provider, and nobody here knows it
    if asked.messages is not None:
        return asked.messages
    said = bytes(asked.input)
    if said.startswith(b"["):
        return _decode_items(said)
    return (msgspec.Raw(b'{"role":"user","content":%b}' % said),) if said.startswith(b'"') else ()


def _hashed(asked: _Asked, turns: Sequence[msgspec.Raw], first: int, salt: bytes, *, own: bool) -> Beginnings:
    chain, size = blake2b(salt, digest_size=16), 0

    def add(part: bytes) -> None:
        nonlocal size
        chain.update(b"%d:" % len(part))
        chain.update(part)
        size += len(part)

    tools = instructions = history = b""
    if len(bytes(asked.tools)) > 4:
        add(bytes(asked.tools))
        tools = chain.copy().digest()
    tools_size = size
    system = [part for part in (bytes(asked.system), bytes(asked.instructions)) if len(part) > 2]
    for part in (*system, *map(bytes, turns[:first])):
        add(part)
    if size > tools_size:
        instructions = chain.copy().digest()
    instructions_size, history_size = size, 0
    after = _after_last_answer(turns, first)
    earlier: list[bytes] = []
    whole = b""
    last = len(turns) - 1
    for at in range(first, len(turns)):
        add(bytes(turns[at]))
        if at == last:
            whole = chain.digest()
        elif at >= last - _LOOK_BACK:
            so_far = chain.copy().digest()
            earlier.append(so_far)
            if at + 1 == after:
                history, history_size = so_far, size
    earlier.reverse()
    return Beginnings(
        tools,
        instructions or tools,
        history,
        whole,
        tuple(earlier),
        tools_size // _BYTES_PER_TOKEN,
        instructions_size // _BYTES_PER_TOKEN,
        history_size // _BYTES_PER_TOKEN,
        size // _BYTES_PER_TOKEN,
        own,
    )


def _after_last_answer(turns: Sequence[msgspec.Raw], first: int) -> int:
    """Where the turn stands that follows the model's last one; 0 if it has not said anything, or not lately."""
    for at in range(len(turns) - 2, max(first, len(turns) - _LOOK_BACK) - 1, -1):
        turn = _decode_turn(turns[at])
        made = turn.type and turn.type != "message" and not turn.type.endswith("_output")
        if turn.role == "assistant" or (not turn.role and made):
            return at + 1
    return 0


def place_of(endpoint: Endpoint) -> Place:
    """The endpoint, whatever configuration made it."""
    return (endpoint.provider, endpoint.model, endpoint.region, endpoint.credential)


class Prefixes:
    """Remembers beginnings, for one process. Bounded, in memory, hashes only."""

    def __init__(self, kept: Mapping[str, Keep] | None = None, *, most: int = MOST) -> None:
        """kept: see `use`."""
        self._most = most
        self._kept: Mapping[str, Keep] = {}
        self.used = False
        """Does any feature want something?"""
        self.use(kept or {})
        self._seen: dict[tuple[str, bytes], tuple[int, float]] = {}
        self._held: dict[bytes, tuple[tuple[Place, float], ...]] = {}

    def __len__(self) -> int:
        return len(self._seen) + len(self._held)

    def use(self, kept: Mapping[str, Keep]) -> None:
        """What each feature wants; "" for what belongs to none that is named here."""
        default = kept.get("", "off")
        self._kept = {} if all(keep == "off" for keep in kept.values()) else {**kept, "": default}
        self.used = bool(self._kept)

    def keep_of(self, feature: str) -> Keep:
        """For how long this feature's beginnings shall be kept by providers."""
        kept = self._kept
        if not kept:
            return "off"
        return kept.get(feature) or kept[""]

    def marks(self, prefix: Prefix, feature: str, model: str, now: float) -> Marks:
        """What shall be marked; counts the request as seen, once. model: the routed one, for what one has read another has not.

        A beginning is marked if it came before: tools, tools with system prompt, the conversation up to the model's last answer
        (examples, a document that is asked about). All of a conversation is, if an earlier part of it was a whole request
        before: what has gone on once goes on mostly."""
        if prefix.marks is not None:
            return prefix.marks
        keep, found = self.keep_of(feature), prefix.beginnings
        seconds, least = _SECONDS.get(keep, 0.0), _LEAST.get(keep, 0)
        tools = bool(found.tools) and self._see(model, found.tools, now, seconds) >= least
        instructions = found.instructions == found.tools and tools
        if found.instructions != found.tools:
            instructions = self._see(model, found.instructions, now, seconds) >= least
        history = self._see(model, found.history, now, seconds) >= least
        # An end that was an earlier request's end, and not just passed by on the way to one.
        ends = [_END + each for each in found.earlier]
        turns = 1 + max((self._times(model, each, now, seconds) for each in ends), default=0)
        going_on = (
            bool(found.whole) and self._see(model, _END + found.whole, now, seconds, times=turns) >= least
        )
        prefix.marks = Marks(
            tools and not instructions,
            instructions,
            history and not going_on,
            going_on,
            keep == "1h",
            f"headgate-{(found.instructions or found.whole).hex()}",
            found.tools_tokens,
            found.instructions_tokens,
            found.history_tokens,
            found.tokens,
        )
        return prefix.marks

    def hold(self, prefix: Prefix, feature: str, now: float) -> None:
        """Fill in where the beginning was read lately."""
        seconds = _SECONDS.get(self.keep_of(feature), 0.0)
        found = prefix.beginnings
        for each in (found.whole, *found.earlier):
            places = self._places(each, now, seconds)
            if places:
                prefix.hold = Hold(places, conversation=True)
                return
        places = self._places(found.instructions, now, seconds)
        if places:
            prefix.hold = Hold(places, conversation=False)

    def answered(self, prefix: Prefix, endpoint: Endpoint, now: float) -> None:
        """The endpoint has read it."""
        place = place_of(endpoint)
        for each in (prefix.beginnings.whole, prefix.beginnings.instructions):
            if each:
                others = [one for one in self._held.pop(each, ()) if one[0] != place]
                self._held[each] = ((place, now), *others[: _PLACES - 1])
        while len(self._held) > self._most:
            del self._held[next(iter(self._held))]

    def _see(self, model: str, key: bytes, now: float, seconds: float, *, times: int = 1) -> int:
        """So often it has come, this time included. times: at least; what came before may say more than the count."""
        if not key:
            return 0
        count = max(self._times(model, key, now, seconds) + 1, times)
        self._seen.pop((model, key), None)
        self._seen[model, key] = count, now
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        return count

    def _times(self, model: str, key: bytes, now: float, seconds: float) -> int:
        known = self._seen.get((model, key))
        return known[0] if known is not None and now - known[1] <= seconds else 0

    def _places(self, key: bytes, now: float, seconds: float) -> tuple[Place, ...]:
        return tuple(place for place, at in self._held.get(key, ()) if now - at <= seconds)
