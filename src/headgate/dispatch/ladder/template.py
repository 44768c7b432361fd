"""Words with gaps: `{name}` is replaced by a value, everything else stays as it is. Nothing is ever executed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

__all__ = ["FEATURE", "fill", "gaps"]

FEATURE = "feature"
"""The gap that every text may have: the feature's name."""

_GAP = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MOST = 500
"""Characters of one value: it may be whatever a user wrote."""


def gaps(words: str) -> list[str]:
    """The names in `words`, in order. `{"a": 1}` has none: JSON may stand in an answer as it is."""
    return _GAP.findall(words)


def fill(words: str, values: Mapping[str, str | None], *, in_json: bool = False) -> str:
    """`words` with its gaps filled. A name without a value becomes nothing; a value is never searched for gaps.

    in_json: `words` is JSON with its gaps inside strings; values are escaped, so that they cannot end the string."""

    def value(gap: re.Match[str]) -> str:
        text = (values.get(gap[1]) or "")[:_MOST]
        return json.dumps(text)[1:-1] if in_json else text

    return _GAP.sub(value, words)
