"""Why an endpoint stands where it stands among the candidates, in a few words. For people; nothing depends on it."""

from __future__ import annotations

from headgate.providers.port import Endpoint
from headgate.routing.decision import Decision
from headgate.routing.pool import Pool

__all__ = ["standing"]


def standing(endpoint: Endpoint, decision: Decision, now: float) -> str:
    """Such as `large, cheapest: 0.30 USD per million tokens; fallback`."""
    pools = decision.pools
    pool = next((each for each in pools if any(one is endpoint for one in each.endpoints)), None)
    if pool is None:
        return ""
    parts = [f"{pool.model}, {_by_strategy(endpoint, pool, now)}"]
    if pool.sticky:
        parts.append("kept for a session")
    if len({each.priority for each in pool.endpoints}) > 1:
        parts.append(f"priority {endpoint.priority}")
    if pool.spills:
        parts.append("own machine" if endpoint.self_hosted else "takes what own machines cannot")
    if endpoint.credential:
        parts.append(endpoint.credential)
    if pool is not pools[0]:
        parts.append("fallback")
    wait = next((seconds for seconds, each in decision.waiting if each is endpoint), 0.0)
    if wait:
        parts.append(f"behind for {wait:.1f} s: {endpoint.health.why(now) or 'at its limit'}")
    return "; ".join(parts)


def _by_strategy(endpoint: Endpoint, pool: Pool, now: float) -> str:
    if len(pool.endpoints) == 1:
        return "its only endpoint"
    health = endpoint.health
    expected = health.expected(now)
    measured = f"{expected * 1000:.0f} ms to the first content lately" if expected else "not measured yet"
    price = pool.price_of(endpoint)
    texts = {
        "order": "as written",
        "weighted": f"drawn by weight {endpoint.weight:g}",
        "least-busy": f"least busy: {health.in_flight} calls under way",
        "fastest": f"fastest of two drawn: {measured}",
        "cheapest": "cheapest: "
        + (f"{price:.3g} USD per million tokens" if price is not None else "price unknown"),
        "nearest": f"nearest: {f'in {endpoint.region}, ' if endpoint.region else ''}{measured}",
    }
    return texts[pool.strategy]
