"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Resolved once, frozen, travels on the exchange. The end user (`Exchange.user`) is the application's word, not ours."""

    key_id: str
    """Public id of the key, such as `key_0akr…`; never the key."""
    key_name: str = ""
    team: str = ""
    tenant: str = ""
    models: tuple[str, ...] = ()
    """Names of features and models the key may ask for; empty: all."""
