"""Which group each error class belongs to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from headgate.core import errors
from headgate.core.error_groups import ERROR_GROUPS, GROUPS, ErrorGroup, group_of

__all__: list[str] = []

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"


def kinds(base: type[errors.GatewayError] = errors.GatewayError) -> set[type[errors.GatewayError]]:
    found = {base}
    for each in base.__subclasses__():
        found |= kinds(each)
    return found


def test_every_error_has_a_group() -> None:
    """And nothing has one that is no error: a class that is renamed is renamed here too."""
    codes = {each.code for each in kinds() if each.__module__.startswith("headgate.")}
    assert set(ERROR_GROUPS) == codes | {"cut_off"}
    assert set(GROUPS) == set(get_args(ErrorGroup)) == set(ERROR_GROUPS.values()) | {"other"}


def test_blame_and_group_agree() -> None:
    """What is the caller's fault is in no group of the provider's, and the other way round."""
    callers = {"caller_mistake", "access", "limit", "budget", "content_policy", "hung_up"}
    for each in kinds():
        if each.__module__.startswith("headgate."):
            assert (group_of(each.code) in callers) == (each.fault == "caller"), each.code


def test_a_class_that_nobody_knows_is_other() -> None:
    """Such as one of a newer Headgate."""
    assert group_of("made_up") == "other"


def test_the_page_of_metrics_names_the_groups() -> None:
    """All of them."""
    text = (REFERENCE / "metrics.md").read_text()
    assert set(GROUPS) <= set(re.findall(r"`(\w+)`", text))


def test_the_page_of_errors_says_which_is_in_which() -> None:
    """A line for each group."""
    text = (REFERENCE / "errors.md").read_text().partition("## Groups")[2]
    told = {
        name: set(re.findall(r"`(\w+)`", rest))
        for name, rest in re.findall(r"^- \*\*(\w+)\*\*(.*)$", text, re.MULTILINE)
    }
    assert told == {group: {code for code, own in ERROR_GROUPS.items() if own == group} for group in GROUPS}
