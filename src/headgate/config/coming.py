"""What the design describes and this version does not do yet. Named, so that nobody is told it is a typing error."""

from __future__ import annotations

from headgate.config.problems import Key

__all__ = ["COMING", "coming"]

COMING: dict[tuple[str, ...], str] = {
    ("features", "*", "limits"): "rate limits",
    ("features", "*", "guards"): "guards",
    ("features", "*", "prompt"): "prompts",
    ("features", "*", "experiment"): "experiments",
    ("features", "*", "retrieval"): "retrieval",
    ("guards",): "guards",
    ("prompts",): "prompts",
    ("retrieval",): "retrieval",
}
"""Key (`*`: any name) -> what it belongs to."""


def coming(key: Key) -> str:
    """What to tell whoever sets a key that is described but not built; "" for any other key."""
    for pattern, subject in COMING.items():
        if len(pattern) == len(key) and all(a in ("*", b) for a, b in zip(pattern, key, strict=True)):
            return (
                f"belongs to {subject}, not in this version yet "
                "(docs/reference/configuration.md lists what is coming); take it out"
            )
    return ""
