"""Vendors as their documentation describes them: what each answers on the wire, and how its requests are read.

Written apart from the product's own wires, so that a mistake there is not repeated here.
"""

from __future__ import annotations

from tests.support.vendors.anthropic import Anthropic
from tests.support.vendors.bedrock import Bedrock
from tests.support.vendors.gemini import Gemini
from tests.support.vendors.openai import Azure, House, OpenAI
from tests.support.vendors.vendor import VECTORS, Asked, Said, ToolUse, Vendor

__all__ = ["VECTORS", "VENDORS", "Asked", "House", "OpenAI", "Said", "ToolUse", "Vendor"]

VENDORS: tuple[Vendor, ...] = (OpenAI(), House(), Azure(), Anthropic(), Gemini(), Bedrock())
