"""What `[health]` may say."""

from __future__ import annotations

from typing import Any, cast

import pytest

from headgate.core.section import Duration
from headgate.providers.health.settings import HealthSettings

__all__: list[str] = []


@pytest.mark.parametrize("field", ["window", "cooldown", "cooldown_most", "eject_for"])
def test_times_must_be_more_than_nothing(field: str) -> None:
    """A window of no time holds no calls."""
    with pytest.raises(ValueError, match=f"`{field}` must be more than 0"):
        HealthSettings(**cast("Any", {field: Duration(0)}))


def test_the_longest_cooldown_is_not_shorter_than_the_first() -> None:
    """Contradictions are refused, not guessed at."""
    with pytest.raises(ValueError, match="`cooldown_most` must not be less"):
        HealthSettings(cooldown=Duration(90))
