"""Where each key of a TOML text stands. The standard library's parser says what a file means, but not on which line.

`locate` reads texts that `tomllib` has accepted; what it makes of others is of no use, but it always ends.
"""

from __future__ import annotations

import re
import tomllib

from headgate.config.problems import Key

__all__ = ["Lines", "locate"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR_END = re.compile(r"[,\]}\n#]")
_QUOTES = ('"""', "'''", '"', "'")


class Lines(dict[Key, int]):
    """Key -> line, from 1."""

    def near(self, key: Key) -> int | None:
        """The line of `key`, else of what it stands in; None if nothing around it has one."""
        while key:
            if key in self:
                return self[key]
            key = key[:-1]
        return None


def locate(text: str) -> Lines:
    """The line of every table, key and list item."""
    scan = _Scan(text.replace("\r\n", "\n"))
    scan.document()
    return scan.lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines = Lines()
        self._counted_to = 0
        self._line = 1
        self._items: dict[Key, int] = {}  # how many [[tables]] of a name came so far

    def document(self) -> None:
        table: Key = ()
        while self._skip(newlines=True):
            before = self.at
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
            if self.at == before:
                return

    def _header(self) -> Key:
        line, double = self._here(), self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        key = self._resolve(self._key())
        self.at += 2 if double else 1
        if double:
            number = self._items.get(key, 0)
            self._items[key] = number + 1
            self.lines.setdefault(key, line)
            key = (*key, number)
        self._mark(key, line)
        return key

    def _resolve(self, parts: Key) -> Key:
        """`[a.b]` after `[[a]]` stands in the last `a`."""
        key: Key = ()
        for number, part in enumerate(parts):
            key = (*key, part)
            if key in self._items and number < len(parts) - 1:
                key = (*key, self._items[key] - 1)
        return key

    def _pair(self, table: Key) -> None:
        self._skip()
        line = self._here()
        key = (*table, *self._key())
        self._mark(key, line)
        self._skip()
        self.at += 1  # =
        self._value(key)

    def _key(self) -> Key:
        parts: list[str] = []
        while self._skip():
            if self._peek('"') or self._peek("'"):
                parts.append(self._quoted())
            elif found := _BARE.match(self.text, self.at):
                self.at = found.end()
                parts.append(found[0])
            self._skip()
            if not self._peek("."):
                break
            self.at += 1
        return tuple(parts)

    def _value(self, key: Key) -> None:
        self._skip()
        if self._peek("["):
            self._list(key)
        elif self._peek("{"):
            self._inline_table(key)
        elif self._peek('"') or self._peek("'"):
            self._quoted()
        else:
            found = _SCALAR_END.search(self.text, self.at)
            self.at = found.start() if found else len(self.text)

    def _list(self, key: Key) -> None:
        self.at += 1
        number = 0
        while self._skip(newlines=True) and not self._peek("]"):
            before = self.at
            self._mark((*key, number), self._here())
            self._value((*key, number))
            self._skip(newlines=True)
            if self._peek(","):
                self.at += 1
            if self.at == before:
                return
            number += 1
        self.at += 1

    def _inline_table(self, key: Key) -> None:
        self.at += 1
        while self._skip(newlines=True) and not self._peek("}"):
            before = self.at
            self._pair(key)
            self._skip(newlines=True)
            if self._peek(","):
                self.at += 1
            if self.at == before:
                return
        self.at += 1

    def _quoted(self) -> str:
        """Step over a string; its meaning."""
        quote = next(each for each in _QUOTES if self.text.startswith(each, self.at))
        start, at = self.at, self.at + len(quote)
        while at < len(self.text) and not self.text.startswith(quote, at):
            at += 2 if self.text[at] == "\\" and quote[0] == '"' else 1
        at += len(quote)
        while len(quote) == 3 and self.text.startswith(quote[0], at):
            at += 1  # a multi-line string may end with quotes of its own
        self.at = at
        try:
            return str(tomllib.loads(f"x = {self.text[start:at]}")["x"])
        except tomllib.TOMLDecodeError:
            return self.text[start:at]

    def _mark(self, key: Key, line: int) -> None:
        for length in range(1, len(key) + 1):
            self.lines.setdefault(key[:length], line)
        self.lines[key] = line

    def _peek(self, character: str) -> bool:
        return self.text.startswith(character, self.at)

    def _skip(self, *, newlines: bool = False) -> bool:
        """Step over blanks and, if `newlines`, over line ends and comments; False at the end of the text."""
        while self.at < len(self.text):
            character = self.text[self.at]
            if character in " \t" or (newlines and character == "\n"):
                self.at += 1
            elif newlines and character == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return True
        return False

    def _here(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line
