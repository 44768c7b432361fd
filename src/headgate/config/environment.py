"""`${NAME}` in the configuration file: text from the environment, from variables on an allow-list.

Only string values are expanded, and only in the file: a gateway that puts any variable into any field hands its
environment to whoever may edit one. The API never expands anything.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence

from headgate.config.problems import did_you_mean

__all__ = ["NEVER", "USUAL", "Expanded", "expand", "is_secret_variable", "may_read"]

USUAL = (
    "*_KEY",
    "*_TOKEN",
    "*_SECRET",
    "*_URL",
    "*_ENDPOINT",
    "*_HOST",
    "*_PORT",
    "*_REGION",
    "HEADGATE_*",
    "AWS_*",
    "AZURE_*",
)
"""Variables that may be read without being named in `[environment] allow`."""

NEVER = frozenset({"HEADGATE_SECRET_KEY", "HEADGATE_SECRET_KEY_OLD"})
"""Variables that no file may read, whatever it allows: whoever may edit it would read all that is sealed under them."""

_MARK = re.compile(
    r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<bad>\{[^}]*\}?))"
)


_SECRET = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(_|$)")


class Expanded(str):
    """Text that holds something from the environment: never shown, and read as a number where one is wanted."""

    __slots__ = ("variables",)
    variables: tuple[str, ...]


def may_read(name: str, allow: Sequence[str]) -> bool:
    """May the file read this variable?"""
    return name not in NEVER and any(fnmatch.fnmatchcase(name, pattern) for pattern in (*USUAL, *allow))


def is_secret_variable(names: str) -> bool:
    """Do variables of these names hold secrets? names: separated by blanks."""
    return any(_SECRET.search(name.upper()) for name in names.split())


def expand(text: str, environ: Mapping[str, str], allow: Sequence[str], refuse: Callable[[str], None]) -> str:
    """`text` with `${NAME}` and `${NAME:-default}` replaced and `$$` made `$`. Plain text comes back as it is.

    refuse: told, in words, of each variable that is missing or not allowed; its place stays empty."""
    variables: list[str] = []

    def replace(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if found["bad"] is not None:
            refuse(
                f"`{found[0]}` names no variable; write `${{NAME}}` or `${{NAME:-default}}`, and `$$` for a dollar sign"
            )
            return ""
        name, default = found["name"], found["default"]
        variables.append(name)
        if not may_read(name, allow):
            refuse(
                f"`${{{name}}}` is the key that secrets are sealed under: nothing else may read it"
                if name in NEVER
                else f"`${{{name}}}` is not among the variables this file may read; "
                f'add `allow = ["{name}"]` to [environment] if it shall'
            )
        # As in a shell, an empty variable counts as missing: an unset secret often arrives as "".
        elif environ.get(name):
            return environ[name]
        elif default is not None:
            return default
        else:
            near = did_you_mean(name, [each for each in environ if may_read(each, allow)], listed=0)
            hint = near if near.endswith("?") else ""
            refuse(
                f"the environment variable `{name}` is not set{hint or f'; set it, or write `${{{name}:-default}}`'}"
            )
        return ""

    replaced = _MARK.sub(replace, text)
    if not variables:
        return replaced
    result = Expanded(replaced)
    result.variables = tuple(variables)
    return result
