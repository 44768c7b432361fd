"""A real OpenID Connect provider that nobody here wrote (PyPI `oidc-provider-mock`, on Authlib), in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

__all__ = ["identity_provider"]


@contextmanager
def identity_provider(directory: Path, people: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Its address. people: subject -> claims. Whoever clicks on a subject is that person."""
    port = free_port()
    claims = [f"--user-claims={json.dumps({'sub': sub, **more})}" for sub, more in people.items()]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", *claims]
    with (directory / "provider.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        due = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"{address}/.well-known/openid-configuration", timeout=2).close()
            except OSError:
                assert process.poll() is None and time.monotonic() < due, (
                    directory / "provider.log"
                ).read_text()
                time.sleep(0.05)
            else:
                break
        yield address
    finally:
        process.kill()
        process.wait(timeout=10)
