"""Models and where they are reached."""

from __future__ import annotations

from headgate.core.section import Section
from headgate.providers.catalog.settings import PriceSettings

__all__ = ["EndpointSettings", "ModelSettings"]


class EndpointSettings(Section, frozen=True):
    """One place a model can be reached."""

    provider: str
    """Name of a `[providers.NAME]` section."""
    model: str
    """The provider's own name of the model (on Azure, of the deployment)."""
    region: str = ""
    """Where it runs, such as `eu`; for the record and, later, for rules on where data may go."""
    price: PriceSettings | None = None
    """Own prices, in USD per million tokens, instead of the price list's."""


class ModelSettings(Section, frozen=True):
    """A model under a name of yours, reachable at one endpoint or several; the first that answers serves."""

    endpoints: list[EndpointSettings]
    """In order of preference."""
    price: PriceSettings | None = None
    """Own prices for every endpoint that has none itself."""
