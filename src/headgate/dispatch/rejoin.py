"""Where a text that is told again, or told on, goes on after what was said of it. Pure: text in, text out.

Every joint takes the new text piece by piece and gives back what has not been said yet. Until it has found the place it
gives nothing. It ignores white space at the end of what was said: vendors refuse a beginning that ends with some, and
models say it again.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

__all__ = ["SLACK", "Continued", "ContinuedJson", "Diverged", "Joint", "Restarted"]

LEAST_ANCHOR = 24
"""Characters that must be the same for a text that was told in other words to be joined in the middle."""
LEAST_REPEAT = 12
"""Characters that a continuation must repeat for them to be a repetition and not what comes next."""
SLACK = 4096
"""So many characters more than was said may go by before the place is found."""
MOST_JSON = 1 << 20
"""Characters of a JSON text that are held until it is whole."""
_FAR_BORDER = 32
"""Characters to the next word, at most: not every script puts space between words."""
_MOST_PLACES = 64


class Diverged(Exception):
    """The new text does not come to where the other one broke off."""


class Joint(Protocol):
    """Joins one new text to what was said."""

    joined: bool
    """Was the place found? From then on nothing is held any more."""

    def feed(self, text: str) -> str:
        """What is to be said after the next piece of the new text. Raises Diverged, if nothing was said so far."""
        ...

    def finish(self) -> str:
        """The new text is over: the rest. Raises Diverged."""
        ...


class Restarted:
    """The whole text, told again: joined where it has repeated exactly what was said, else after an anchor, the last
    words that were said, if they come in it not far before that place."""

    def __init__(self, said: str, *, anchored: bool = True) -> None:
        """anchored: False if the text is worth nothing unless every character is the same, white space too."""
        self._core = core = said.rstrip() if anchored else said
        self._anchor = _anchor_of(core) if anchored else ""
        self._seam = _Seam(said[len(core) :])
        self._same = 0
        """So many characters are the same."""
        self._window: str | None = None
        """The end of the new text, as far as an anchor may lie in it; None as long as all was the same."""
        self._came = 0
        self.joined = not core

    def feed(self, text: str) -> str:
        """See `Joint`."""
        if self.joined:
            return self._seam.feed(text)
        if self._window is None:
            due = self._core[self._same : self._same + len(text)]
            if not text.startswith(due):
                return self._diverge(text)
            self._same += len(due)
            if self._same < len(self._core):
                return ""
            return self._join(text[len(due) :])
        return self._search(text)

    def finish(self) -> str:
        """See `Joint`."""
        if not self.joined:
            raise Diverged(f"the new answer ended after {self._same + self._came} characters")
        return self._seam.finish()

    def _diverge(self, text: str) -> str:
        if not self._anchor:
            same = self._same + _same_length(self._core[self._same :], text)
            raise Diverged(f"the new answer differs after {same} characters")
        # What was the same ends before the anchor does, so only its end can be the beginning of a find.
        self._window = self._core[max(self._same - len(self._anchor), 0) : self._same]
        self._came, self._same = self._same, 0
        return self._search(text)

    def _search(self, text: str) -> str:
        window = (self._window or "") + text
        self._came += len(text)
        anchor, begins = self._anchor, self._came - len(window)
        at = window.find(anchor)
        while at >= 0:
            end = at + len(anchor)
            # Far before the place, the same words stand for something else: the rest would tell half of it twice.
            if begins + end >= len(self._core) // 2:
                return self._join(window[end:])
            at = window.find(anchor, at + 1)
        if self._came > len(self._core) + SLACK:
            raise Diverged(f"the new answer did not come to the place within {self._came} characters")
        self._window = window[-len(anchor) :]
        return ""

    def _join(self, rest: str) -> str:
        self.joined = True
        self._window = None
        return self._seam.feed(rest) if rest else ""


class Continued:
    """The rest of the text, asked for with what was said as its beginning. Some models say the last words again, and some
    everything."""

    def __init__(self, said: str) -> None:
        self._said = said
        self._core = said.rstrip()
        self._again: Restarted | None = None
        """Joins it, if the whole text is told again."""
        self._seam = _Seam(said[len(self._core) :])
        self._held = ""
        self.joined = False

    def feed(self, text: str) -> str:
        """See `Joint`."""
        if self._again is not None:
            return self._tell_again(self._again, text)
        if self.joined:
            return self._seam.feed(text)
        self._held += text
        return "" if self._may_repeat() else self._join()

    def finish(self) -> str:
        """See `Joint`."""
        rest = "" if self.joined or self._again is not None else self._join()
        return rest + (self._seam if self._again is None else self._again).finish()

    def _may_repeat(self) -> bool:
        """Can what came be the beginning of a repetition that is not complete yet?"""
        new, core = self._held.lstrip(), self._core
        if not new:
            return len(self._held) < LEAST_REPEAT
        # The first place is the longest repetition; if it will not do, none will.
        at = core.find(new)
        return at >= 0 and len(core) - at >= LEAST_REPEAT and at + len(new) < len(core)

    def _join(self) -> str:
        held, new = self._held, self._held.lstrip()
        self._held = ""
        repeated = _repeated(self._core, new)
        if not repeated and len(new) >= LEAST_ANCHOR and self._core.startswith(new[:LEAST_ANCHOR]):
            self._again = Restarted(self._said)
            return self._tell_again(self._again, new)
        self.joined = True
        rest = new[repeated:] if repeated else held
        return self._seam.feed(rest) if rest else ""

    def _tell_again(self, again: Restarted, text: str) -> str:
        rest = again.feed(text)
        self.joined = again.joined
        return rest


class ContinuedJson:
    """The rest of a JSON text: held until it is whole, and given only if the whole is JSON. A model that is bound to
    JSON may begin a second text instead of ending the first."""

    def __init__(self, said: str) -> None:
        self._said = said
        self._inner = Continued(said)
        self._pieces: list[str] = []
        self._size = 0
        self.joined = False

    def feed(self, text: str) -> str:
        """See `Joint`."""
        self._pieces.append(self._inner.feed(text))
        self._size += len(text)
        if self._size > MOST_JSON:
            raise Diverged(f"the rest of the JSON has over {MOST_JSON} characters")
        return ""

    def finish(self) -> str:
        """See `Joint`."""
        rest = "".join([*self._pieces, self._inner.finish()])
        try:
            msgspec.json.decode(self._said + rest)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise Diverged("what was said and its continuation are no JSON together") from None
        self.joined = True
        self._pieces.clear()
        return rest


class _Seam:
    """White space that was said at the end and comes again at the beginning of the rest."""

    def __init__(self, space: str) -> None:
        self._space = space
        self._held = ""

    def feed(self, text: str) -> str:
        if not self._space:
            return text
        held = self._held = self._held + text
        if len(held) < len(self._space) and self._space.startswith(held):
            return ""
        return self.finish()

    def finish(self) -> str:
        held, space = self._held, self._space
        self._held = self._space = ""
        same = _same_length(held, space)
        rest = held[same:]
        # Another kind of space than was said: a line break is worth having, a second blank is not.
        return rest if same == len(space) else rest.lstrip(" \t")


def _same_length(one: str, other: str) -> int:
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return same


def _anchor_of(core: str) -> str:
    """The shortest end of `core` that begins with a word, is long enough and stands nowhere else in it; a longer one
    would be found at the same place, and less often. "" if there is none."""
    last = len(core) - LEAST_ANCHOR
    if last < 0:
        return ""
    first = 0  # the whole stands nowhere else in itself, and what is longer than a unique end is unique too
    while first < last:
        middle = (first + last + 1) // 2
        if core.find(core[middle:]) == middle:
            first = middle
        else:
            last = middle - 1
    for begin in range(first, max(first - _FAR_BORDER, -1), -1):
        if _begins_word(core, begin):
            return core[begin:]
    return core[first:]


def _begins_word(text: str, at: int) -> bool:
    return at == 0 or not (text[at - 1].isalnum() and text[at].isalnum())


def _repeated(core: str, new: str) -> int:
    """How many characters at the beginning of `new` say the end of `core` again."""
    head = new[:LEAST_REPEAT]
    at = core.find(head, max(0, len(core) - len(new)))
    for _ in range(_MOST_PLACES):
        if at < 0 or len(head) < LEAST_REPEAT:
            return 0
        tail = core[at:]
        if new.startswith(tail):
            # What repeats itself anyway (a row of zeros, a refrain) may just go on.
            alone = core.find(tail) == at and not _is_periodic(tail)
            return len(tail) if alone and _begins_word(core, at) else 0
        at = core.find(head, at + 1)
    return 0


def _is_periodic(text: str) -> bool:
    """Does `text` consist of one piece, said at least twice (the last time perhaps not to its end)?"""
    half = len(text) // 2
    at = text.find(text[:half], 1)
    return 0 < at <= len(text) - half and text.startswith(text[at:])
