"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Resolved once, frozen, travels on the exchange. The end user (`Exchange.user`) is the application's word, not ours."""

    key_id: str
    """Public id of the key, such as `key_0akr…`; never the key. Stays the same when the key is rotated."""
    key_name: str = ""
    team: str = ""
    tenant: str = ""
    models: tuple[str, ...] = ()
    """Names of features and models the key may ask for; empty: all."""
    user: str = ""
    """Whose key it is; "" for an application's."""
    roles: tuple[str, ...] = ()
    """`owner`, `operator`, `developer`, `reviewer`, `viewer`, `service`."""
    features: tuple[str, ...] = ()
    """Features its requests may be counted for (`x-headgate-feature`); empty: all."""
    routes: frozenset[str] = frozenset()
    """What the roles may reach, as `admission.rights` names it; nothing by default."""

    @property
    def organisation(self) -> str:
        """The organisation the team belongs to: the tenant, by the word the customers of one use."""
        return self.tenant
