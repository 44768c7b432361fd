"""All issuers, and their public keys kept fresh, away from the requests."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic

from headgate.admission.tokens.reading import Issuer, load_keys, looks_like_a_token
from headgate.admission.tokens.settings import TokenSettings, is_address
from headgate.core.errors import GatewayError
from headgate.exchange.caller import Caller
from headgate.providers.port import Timeouts, Upstream, UpstreamRequest, Url

__all__ = ["Issuers"]

log = logging.getLogger("headgate.admission")

START_SECONDS = 2.0
TICK_SECONDS = 1.0
SOONEST_SECONDS = 30.0
"""Between two readings of the same public keys, whatever comes: tokens are made by strangers."""
_LARGEST = 1_000_000
_TIMEOUTS = Timeouts(connect=5.0, headers=10.0, first_content=10.0, between=10.0, total=15.0)


class Issuers:
    """Knows whose token it is. Without a section `[tokens.NAME]` it knows nobody and does nothing."""

    def __init__(
        self,
        settings: Mapping[str, TokenSettings],
        upstream: Upstream,
        now: Callable[[], float] = monotonic,
        *,
        tick: float = TICK_SECONDS,
    ) -> None:
        """upstream: how addresses are fetched. Raises ValueError as `use` does."""
        self._upstream = upstream
        self._now = now
        self._tick = tick
        self._issuers: list[Issuer] = []
        self._due: dict[str, float] = {}
        self._read: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self.use(settings)

    def use(self, settings: Mapping[str, TokenSettings]) -> None:
        """Take tokens of these issuers from now on; one that is as it was keeps its public keys.

        Raises ValueError if the program that checks tokens is not installed."""
        if settings and importlib.util.find_spec("jwt") is None:
            raise ValueError("`[tokens]` needs the extra: pip install 'headgate[sso]'")
        before = {one.name: one for one in self._issuers}
        self._issuers = [
            old if (old := before.get(name)) is not None and old.settings == wanted else Issuer(name, wanted)
            for name, wanted in settings.items()
        ]
        for issuer in self._issuers:
            old = before.get(issuer.name)
            if old is not issuer:
                self._due[issuer.name] = self._read[issuer.name] = float("-inf")
            if old is not None and old is not issuer and old.settings.jwks == issuer.settings.jwks:
                # Read anew all the same, in a moment: until then, and if that fails, nobody with a good token is locked out.
                issuer.take_keys(old.keys)

    def caller(self, token: bytes) -> Caller | None:
        """Whose token it is; None if it is none, or nobody's here."""
        if not self._issuers or not looks_like_a_token(token):
            return None
        for issuer in self._issuers:
            found = issuer.caller(token)
            if found is not None:
                return found
        return None

    async def refresh(self) -> None:
        """Read the public keys that are due, or that a token asked for. What cannot be read leaves the old ones standing."""
        for issuer in self._issuers:
            now = self._now()
            asked = issuer.wants_keys and now - self._read[issuer.name] >= SOONEST_SECONDS
            if now < self._due[issuer.name] and not asked:
                continue
            self._read[issuer.name] = now
            try:
                issuer.take_keys(load_keys(await self._fetch(issuer.settings.jwks)))
                self._due[issuer.name] = now + float(issuer.settings.refresh)
            except (OSError, ValueError, GatewayError) as wrong:
                self._due[issuer.name] = now + min(SOONEST_SECONDS, float(issuer.settings.refresh))
                log.warning("cannot read the public keys of tokens.%s: %s", issuer.name, wrong)

    async def _fetch(self, jwks: str) -> bytes:
        if not is_address(jwks):
            return await asyncio.to_thread(Path(jwks).read_bytes)
        request = UpstreamRequest("GET", Url.parse(jwks), [(b"accept", b"application/json")])
        async with asyncio.timeout(_TIMEOUTS.total):
            reply = await self._upstream.send(request, _TIMEOUTS)
            try:
                body = await reply.read(_LARGEST)
            finally:
                reply.close()
        if reply.status != 200:
            # Redirects are not followed: only what the operator wrote is believed.
            raise ValueError(f"HTTP {reply.status}")
        return body

    async def start(self) -> None:
        """Read the public keys, then keep them fresh. Waits for the first reading, but not for long."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_fresh(), name="tokens")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_SECONDS):
                    await self._ready.wait()

    async def aclose(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _keep_fresh(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception:
                log.exception("cannot keep the public keys fresh")
            self._ready.set()
            await asyncio.sleep(self._tick)
