"""What every kind of provider can be told."""

from __future__ import annotations

from headgate.core.section import Section
from headgate.providers.transport.settings import TransportSettings

__all__ = ["ProviderSettings"]


class ProviderSettings(Section, frozen=True):
    """A place that serves models: the base of every kind's own section."""

    self_hosted: bool = False
    """The data stays in the house: the models run on your own machines."""
    region: str = ""
    """Where it runs, such as `eu`; a model's endpoint may say otherwise."""
    priced_as: str = ""
    """Whose list prices hold, if not the vendor's that `kind` names: a name of the price list such as `groq`, `mistral`."""
    transport: TransportSettings = TransportSettings()
    """Certificates, proxy and connection limits."""
