"""Settings in, a running gateway out; the one place that knows every concrete class.

This is the package's door: import from here. `gateway` puts together what the other modules build."""

from __future__ import annotations

from headgate.compose.gateway import Gateway
from headgate.compose.keys import KEY_COMPLAINT_SECONDS, KEY_REFRESH_SECONDS, KEY_USE_SECONDS
from headgate.compose.manners import ladders
from headgate.compose.metering import LIMIT_LOOK_SECONDS
from headgate.compose.places import directory_of, endpoints_of
from headgate.compose.prices import blended_prices, expected_usd, own_rates_of
from headgate.compose.providers import ProbeResult, Provider, build_provider, probe, simulated_server
from headgate.compose.secrets import SECRET_REFRESH_SECONDS, KnownSecrets, SecretsRefused
from headgate.compose.stores import Stores, database_path, journal_directory, move_installation, open_stores

__all__ = [
    "KEY_COMPLAINT_SECONDS",
    "KEY_REFRESH_SECONDS",
    "KEY_USE_SECONDS",
    "LIMIT_LOOK_SECONDS",
    "SECRET_REFRESH_SECONDS",
    "Gateway",
    "KnownSecrets",
    "ProbeResult",
    "Provider",
    "SecretsRefused",
    "Stores",
    "blended_prices",
    "build_provider",
    "database_path",
    "directory_of",
    "endpoints_of",
    "expected_usd",
    "journal_directory",
    "ladders",
    "move_installation",
    "open_stores",
    "own_rates_of",
    "probe",
    "simulated_server",
]
