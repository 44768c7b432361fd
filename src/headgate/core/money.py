"""Money as whole nano-dollars: exact in tables and sums, Decimal for people. Never a float."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

__all__ = ["NANOS_PER_USD", "CostLabel", "nanos", "usd"]

NANOS_PER_USD: Final = 1_000_000_000

CostLabel = Literal["exact", "estimated", "reconciled", "unknown"]
"""exact: from the provider's own usage; estimated: tokens counted by us; reconciled: corrected by the provider's bill;
unknown: no price is known for the model, so the cost is not zero but not known."""


def nanos(amount: Decimal) -> int:
    """USD as nano-dollars, rounded half to even: 1e-9 USD is below every price unit in use."""
    return int((amount * NANOS_PER_USD).to_integral_value(rounding=ROUND_HALF_EVEN))


def usd(amount: int) -> Decimal:
    """Nano-dollars as USD, exact."""
    return Decimal(amount).scaleb(-9)
