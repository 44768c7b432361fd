"""AWS credentials from wherever a machine has them, without ever making the event loop wait for them.

Finding them may read files, start programs or ask the network, and takes up to seconds. So a thread does it: once at
the start, and again before they run out. A request takes what was found last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from headgate.core.errors import ProviderAuthFailed

__all__ = ["CredentialSource", "FixedCredentials", "FoundCredentials", "Session"]

_AGAIN_SECONDS = 10.0
"""After an attempt that found nothing, so long until the next."""

_START_SECONDS = 5.0
"""How long the first attempt may hold up the start. Files and environment take milliseconds of it."""


class Session(Protocol):
    """What is asked of a botocore session."""

    def get_credentials(self) -> Any:
        """Credentials with `get_frozen_credentials()`, and `refresh_needed()` if they run out; None if there are none."""
        ...


class CredentialSource(Protocol):
    def current(self) -> Any:
        """Credentials with access_key, secret_key and token. Never waits. Raises ProviderAuthFailed if there are none."""
        ...


class FixedCredentials:
    """Credentials out of the configuration."""

    def __init__(self, frozen: Any) -> None:
        self._frozen = frozen

    def current(self) -> Any:
        return self._frozen


class FoundCredentials:
    """Credentials a session finds in the usual places.

    clock:  seconds that never go back; handed in by tests."""

    def __init__(self, session: Session, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._found: Any = None
        self._frozen: Any = None
        self._problem = "none were found"
        self._tried_at = float("-inf")
        self._busy = threading.Lock()
        self._start().join(_START_SECONDS)

    def current(self) -> Any:
        if self._stale() and self._clock() - self._tried_at >= _AGAIN_SECONDS and not self._busy.locked():
            self._start()
        if self._frozen is None:
            raise ProviderAuthFailed(
                "No AWS credentials to sign with; set `api_key`, `profile` or `access_key_id` of the provider, or give "
                f"the machine a role: {self._problem}",
                detail=self._problem,
            )
        return self._frozen

    def _stale(self) -> bool:
        if self._frozen is None:
            return True
        refresh_needed = getattr(self._found, "refresh_needed", None)
        return refresh_needed is not None and bool(refresh_needed())

    def _start(self) -> threading.Thread:
        self._tried_at = self._clock()
        thread = threading.Thread(target=self._look, name="aws-credentials", daemon=True)
        thread.start()
        return thread

    def _look(self) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            if self._found is None:
                self._found = self._session.get_credentials()
            if self._found is not None:
                self._frozen = self._found.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001, a plugin, a program, a network: anything may go wrong in there
            # What was found before is kept: it may be good for minutes still, and AWS says so if it is not.
            self._problem = f"{type(error).__name__}: {str(error)[:200]}"
        finally:
            self._busy.release()
