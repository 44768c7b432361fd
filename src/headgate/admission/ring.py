"""The keys in memory: a look-up on the hot path asks no database."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from headgate.admission.keys import hash_key
from headgate.admission.rights import routes_of
from headgate.exchange.caller import Caller
from headgate.stores.keys import KeyRecord

__all__ = ["KeyRing"]


class KeyRing:
    """All valid keys, by hash. Replaced whole when keys change."""

    def __init__(self, records: Iterable[KeyRecord], pepper: bytes) -> None:
        self._pepper = pepper
        self._callers: dict[bytes, tuple[Caller, int | None]] = {}
        self._records: list[KeyRecord] = []
        self._entries: dict[str, tuple[KeyRecord, dict[bytes, tuple[Caller, int | None]]]] = {}
        self._used: set[str] = set()
        self._met: dict[bytes, tuple[Caller, int | None]] = {}
        """Key -> what its digest led to, of those that came lately and are known: never more than there are digests. The digest is
        worked out once and not for each request. The keys stay in this process's memory meanwhile, as those for the providers
        do; what is stored is the digest alone."""
        self.know(records, pepper)

    def __len__(self) -> int:
        return len(self._callers)

    def know(self, records: Iterable[KeyRecord], pepper: bytes) -> None:
        """Know these keys and no others. A key that was rotated is known by its old hashes too, for as long as they last."""
        records = list(records)
        if pepper != self._pepper:
            self._met.clear()
        self._pepper = pepper
        # Asked each second, and nearly always for what is known already.
        if records == self._records:
            return
        self._records = records
        before, self._entries = self._entries, {}
        callers: dict[bytes, tuple[Caller, int | None]] = {}
        for record in records:
            if record.revoked_ns is not None:
                continue
            # Mostly one of thousands has changed, and only the moment of its last use: streams are waiting meanwhile.
            known = before.get(record.id)
            if known is None or not (known[0] is record or known[0] == record):
                caller = _caller(record)
                known = record, {digest: (caller, expires_ns) for digest, expires_ns in _hashes(record)}
            self._entries[record.id] = known
            callers.update(known[1])
        self._callers = callers
        self._met.clear()

    def caller(self, key: bytes) -> Caller | None:
        """Whose key this is; None if it is unknown, revoked or expired."""
        # Looked up by digest, or by the dict's own hash, whose key is made anew by each process: bytes are compared where those are
        # equal already, so a guess that is right in part takes as long as any other.
        found = self._met.get(key)
        if found is None:
            found = self._callers.get(hash_key(key, self._pepper))
            if found is None:
                return None
            self._met[key] = found
        caller, expires_ns = found
        if expires_ns is not None and time.time_ns() >= expires_ns:
            return None
        self._used.add(caller.key_id)
        return caller

    def holder(self, key_id: str, mark: str) -> Caller | None:
        """Whose key has this id, as long as the one it was with this mark is valid. For who signed in with it once."""
        _, entries = self._entries.get(key_id, (None, {}))
        for digest, (caller, expires_ns) in entries.items():
            if digest.hex().startswith(mark) and (expires_ns is None or time.time_ns() < expires_ns):
                return caller
        return None

    def mark(self, key: bytes) -> str:
        """Of this key, for `holder`; tells nothing of it."""
        return hash_key(key, self._pepper).hex()[:16]

    def take_used(self) -> set[str]:
        """The ids of the keys that were used since this was last asked."""
        used, self._used = self._used, set()
        return used


def _caller(record: KeyRecord) -> Caller:
    return Caller(
        key_id=record.id,
        key_name=record.name,
        team=record.team,
        tenant=record.tenant,
        models=tuple(dict.fromkeys((*record.models, *record.features))),
        user=record.user,
        roles=tuple(record.roles),
        features=tuple(record.features),
        routes=routes_of(record.roles),
    )


def _hashes(record: KeyRecord) -> Iterator[tuple[bytes, int | None]]:
    """(digest, until when): the key as it is, and as it was before it was rotated."""
    now = time.time_ns()
    for old in record.old_hashes:
        if old.until_ns > now:
            yield bytes.fromhex(old.hash), min(old.until_ns, record.expires_ns or old.until_ns)
    yield bytes.fromhex(record.hash), record.expires_ns
