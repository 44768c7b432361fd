"""Which entries a selection means. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from headgate.stores.answers import CacheEntry, Selection

__all__ = ["Choice", "selects_all"]


def selects_all(which: Selection) -> bool:
    """Is nothing said that an entry would have to be?"""
    return which == Selection()


class Choice:
    """Says of entries whether a selection means them; made once for many entries."""

    def __init__(self, which: Selection) -> None:
        self.which = which
        self._keys = frozenset(which.keys)
        self._origins = frozenset(which.origins)
        self._text = which.text.casefold() if which.text else ""
        name, _, value = (which.tag or "").partition("=")
        self._tag = (name, value) if which.tag and "=" in which.tag else (name, None)
        self._versions = f"{which.prompt}@" if which.prompt and "@" not in which.prompt else ""

    def __call__(self, entry: CacheEntry) -> bool:
        """Does all that is said hold for this entry?"""
        which = self.which
        return (
            (which.tenant is None or entry.tenant == which.tenant)
            and (which.feature is None or entry.feature == which.feature)
            and (which.before_ns is None or entry.made_ns < which.before_ns)
            and (not self._keys or entry.key in self._keys)
            and (not self._origins or entry.origin_id in self._origins)
            and (which.prompt is None or self._of_prompt(entry.prompt))
            and (which.user is None or self._of_user(entry, which.user))
            and (which.tag is None or self._tagged(entry.tags))
            and (not self._text or self._says(entry))
        )

    def _of_prompt(self, prompt: str) -> bool:
        return prompt == self.which.prompt or bool(self._versions and prompt.startswith(self._versions))

    @staticmethod
    def _of_user(entry: CacheEntry, user: str) -> bool:
        return entry.user == user or (entry.scope == "user" and entry.owner == user)

    def _tagged(self, tags: dict[str, str]) -> bool:
        name, value = self._tag
        return name in tags and (value is None or tags[name] == value)

    def _says(self, entry: CacheEntry) -> bool:
        if self._text in entry.question.casefold():
            return True
        try:
            answer = msgspec.json.decode(entry.answer)
        except (msgspec.DecodeError, RecursionError):
            return self._text in entry.answer.decode("utf-8", "replace").casefold()
        return any(self._text in text.casefold() for text in _texts(answer))


def _texts(value: Any) -> Iterator[str]:
    """All texts in it, names of fields left out."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
