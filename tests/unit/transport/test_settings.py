"""Wrong files are mistakes of the configuration, told before the first request."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from headgate.providers.transport import Transport, TransportSettings
from tests.support.authorities import authority


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """Missing, not PEM, or a certificate without its key."""
    ours = authority(tmp_path)
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    wrong = [
        (TransportSettings(ca_file=str(tmp_path / "no.pem")), "no.pem"),
        (TransportSettings(ca_file=str(junk)), "junk.pem"),
        (TransportSettings(client_cert=ours.client_cert), "client.pem"),
        (TransportSettings(client_cert=ours.client_cert, client_key=str(junk)), "client.pem"),
    ]
    for settings, named in wrong:
        with pytest.raises(ValueError, match=named):
            Transport(settings)
    Transport(
        TransportSettings(ca_file=ours.ca_file, client_cert=ours.client_cert, client_key=ours.client_key)
    )


def test_settings_are_bounded() -> None:
    """A pool of none and unknown keys are refused by the configuration's reader."""
    for wrong in ({"max_connections": 0}, {"keepalive_seconds": 0}, {"verify": False}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, TransportSettings)
