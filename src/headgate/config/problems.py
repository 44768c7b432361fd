"""What is wrong with a configuration: everything at once, each with its place and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.core.near import did_you_mean

__all__ = ["ConfigurationRefused", "Key", "Problem", "did_you_mean", "dotted"]

Key = tuple[str | int, ...]
"""Where a value stands: names of tables and keys, and positions in lists, from 0."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. Never carries a secret: values that came from the environment are not shown."""

    where: str
    """The key, such as `features.support-chat.route`; "" if it is the file itself."""
    line: int | None
    """In the file, from 1; None if there is no file or no line to point at."""
    message: str
    """What is wrong and what would be right."""

    def text(self, file: str) -> str:
        """One line for people: `headgate.toml:12: features.support-chat.route: ...`."""
        place = file if self.line is None else f"{file}:{self.line}"
        return ": ".join(part for part in (place, self.where, self.message) if part)


class ConfigurationRefused(Exception):
    """The configuration cannot be used. Nothing of it is."""

    def __init__(self, problems: Sequence[Problem], file: str) -> None:
        """file: its name as the operator wrote it."""
        self.problems = tuple(sorted(problems, key=lambda each: (each.line or 0, each.where)))
        self.file = file
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """One line per problem, in the order of the file."""
        return [problem.text(self.file) for problem in self.problems]


def dotted(key: Key) -> str:
    """`("models", "small", "endpoints", 0, "provider")` as `models.small.endpoints[0].provider`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
