"""Kinds of value that many requests take."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, UnsetType

__all__ = ["Ago", "Before", "Cursor", "Limit", "Maybe", "Name", "RequestName", "Role", "Text", "Word"]

_PLAIN = r"^[^\x00-\x1f\x7f]*$"

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=_PLAIN)]
"""A word of the operator's for something."""
Word = Annotated[str, Meta(max_length=256, pattern=_PLAIN)]
"""To compare something with; empty is a value like any other."""
Maybe = Word | UnsetType
"""A word that may be left out. In a query there is no null: `feature=null` is a feature of that name."""
Ago = Annotated[str, Meta(max_length=100, examples=["24h", "7d", "2026-01-31"])]
"""A moment that is over, or nothing."""
Text = Annotated[str, Meta(max_length=500, pattern=_PLAIN)]
Limit = Annotated[int, Meta(ge=1, le=1000)]
"""How many on one page."""
Cursor = Annotated[str, Meta(max_length=18, pattern=r"^[0-9]*$")]
"""Where a page begins: `next` of the page before; empty for the first one."""
Before = Annotated[str, Meta(max_length=17, pattern=r"^(req_[0-9a-z]{13})?$")]
"""As Cursor, where pages follow the ids of requests."""
RequestName = Annotated[str, Meta(max_length=17, pattern=r"^(req_[0-9a-z]{13})?$")]
"""The id of a request, or nothing."""
Role = Literal["owner", "operator", "developer", "reviewer", "viewer", "service"]
"""As in `admission.rights`."""
