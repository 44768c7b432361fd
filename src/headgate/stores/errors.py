"""What can go wrong with a store, whatever engine is behind it."""

from __future__ import annotations

__all__ = [
    "KeyExists",
    "PersonExists",
    "ReceiverExists",
    "StoreError",
    "StoreRefused",
    "StoreTooNew",
    "StoreUnavailable",
]


class StoreError(Exception):
    """Anything a store raises on purpose."""


class StoreUnavailable(StoreError):
    """The store cannot be read or written now: locked for too long, disk full, file gone. Trying again may help."""


class StoreRefused(StoreUnavailable):
    """The store is there and does not take what it was given: a text it cannot keep, a number too large. Trying again with the same
    will not help."""


class StoreTooNew(StoreError):
    """The store was written by a newer Headgate. This one does not touch it."""


class KeyExists(StoreError):
    """A key of that id or name is there already."""


class ReceiverExists(StoreError):
    """A receiver of alerts of that name is there already."""


class PersonExists(StoreError):
    """Somebody with that e-mail address is there already."""
