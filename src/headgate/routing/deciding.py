"""From a request to its candidates: rules of use, difficulty, constraints, order; each step reads like the sentence it is.

Pure but for what a grader does: the moment is the request's own, chance is drawn from its id.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate.exchange.exchange import Exchange
from headgate.providers.port import Endpoint
from headgate.routing.constraints import Dropped, Needs, Requirement, refusal
from headgate.routing.decision import Decision
from headgate.routing.difficulty.port import TIERS
from headgate.routing.difficulty.signals import Signals
from headgate.routing.directory import Directory
from headgate.routing.facts import Facts
from headgate.routing.pool import May, Pool, Waiting
from headgate.routing.route import Route, stronger
from headgate.routing.strategies import Moment

__all__ = ["decide", "in_order"]

_A_LITTLE = 1.25
"""An estimate over an endpoint's context by less than this is sent where there is most room, if there is nowhere else."""


async def decide(exchange: Exchange, route: Route, directory: Directory) -> Decision:
    """The decision for one request.

    Raises NoEndpointAllowed, UnsupportedRequest or ContextTooLong if nothing is left, InvalidRequest for a header that
    makes no sense, and whatever reading the body raises."""
    named = route if route.feature else directory.feature(exchange.feature)
    facts = Facts(
        exchange,
        # A label that is no feature's name is anybody's to choose: no rule goes by it.
        named.feature if named is not None else "",
        sensitive=route.sensitive or (named is not None and named.sensitive),
    )
    decision = Decision(exchange.peek.model, feature=facts.feature, model=route.model)
    rules: list[Requirement] = list(named.rules) if named is not None else []
    if any(policy.asks_tier for policy in directory.policies) and facts.chat:
        await _grade(facts, named or route, decision)
    use = _apply_policies(facts, directory, decision, rules, labelled=not route.feature)
    if directory.sensitive_rule is not None:
        decision.sensitive = facts.sensitive
        if facts.sensitive:
            rules.append(directory.sensitive_rule)
    if use:
        route = directory.using(use, route)
        decision.model = use
    route = directory.narrowed(route, tuple(rules))
    decision.rules = route.rules
    pools: Sequence[Pool] = route.pools
    if route.tiers and facts.chat:
        pools = await _by_difficulty(facts, route, decision)
    # A model may serve a tier and be a fallback too.
    decision.pools = tuple(dict.fromkeys(pools))
    _put_in_order(facts, route, decision)
    return decision


def in_order(
    exchange: Exchange, pools: Sequence[Pool], may: May | None = None
) -> tuple[list[Endpoint], Waiting]:
    """The endpoints of the pools, best first; last those that cannot be asked now, the first to be back before the others,
    which are told apart too. may: which of them can serve this request at all."""
    region = ""
    for pool in pools:
        if pool.looks_at_region:
            region = exchange.header(b"x-headgate-region").strip()
            break
    hold = exchange.prefix.hold if exchange.prefix is not None else None
    moment = Moment(
        exchange.received_at + exchange.queued_seconds, exchange.id, exchange.session, region, hold
    )
    waiting: Waiting = []
    found: list[Endpoint] = []
    for pool in pools:
        found += pool.order(moment, waiting, may)
    if waiting:
        waiting.sort(key=_wait)
        found += [each for _, each in waiting]
    return found, waiting


def _wait(pair: tuple[float, Endpoint]) -> float:
    return pair[0]


def _apply_policies(
    facts: Facts, directory: Directory, decision: Decision, rules: list[Requirement], *, labelled: bool
) -> str:
    """The model to use, by the first policy that applies and names one; "" if none does. What any of them demands of places
    is added to `rules`: a rule on where data may go does not end to hold because another one came first.

    labelled: a model was asked for, and the feature at most named beside it."""
    use = ""
    names = []
    for policy in directory.policies:
        # A chat's model answers no call for embeddings, and a copy for another model is for that one.
        names_a_model = bool(policy.use) and not use and facts.chat and not facts.exchange.asked
        if names_a_model and labelled and policy.by_feature:
            names_a_model = _may_have(facts, policy.use)
        if (names_a_model or policy.rule is not None) and policy.holds(facts):
            names.append(policy.name)
            if names_a_model:
                use = policy.use
            if policy.rule is not None:
                rules.append(policy.rule)
    decision.policy = ", ".join(names)
    return use


def _may_have(facts: Facts, model: str) -> bool:
    """Is this model, or the feature that the caller's label names, among those the key may ask for? If not, the label must
    not bring it about."""
    caller = facts.exchange.caller
    return caller is None or not caller.models or model in caller.models or facts.feature in caller.models


async def _grade(facts: Facts, route: Route, decision: Decision) -> None:
    """The caller's word, else the grader's. What came of it is in `decision` and `facts`."""
    if decision.tier is not None:
        return
    wish = facts.wish
    if wish is not None:
        decision.tier, decision.tier_by = wish, "asked for by the caller"
    else:
        models = {tier: pool.model for tier, pool in route.tiers.items()}
        decision.question = facts.question
        grade = await (route.grader or Signals()).grade(facts.question, models)
        decision.grade, decision.tier = grade, grade.tier
        decision.tier_by = f"{grade.confidence:.2f} sure: {', '.join(grade.reasons)}"
        if grade.confidence < route.confidence and route.tiers:
            above = stronger(route.tiers, grade.tier)
            if above != grade.tier:
                decision.tier = above
                decision.tier_by = f"not sure enough of {grade.tier}, {decision.tier_by}"
    facts.tier = decision.tier


async def _by_difficulty(facts: Facts, route: Route, decision: Decision) -> Sequence[Pool]:
    await _grade(facts, route, decision)
    assert decision.tier is not None
    chosen = route.tiers[decision.tier]
    if not chosen.endpoints:
        # The rules leave nothing of this tier's model: a stronger one that they allow, else a weaker one, still answers.
        other = next((pool for pool in _other_tiers(route, decision) if pool.endpoints), chosen)
        if other is not chosen:
            decision.tier_by += f"; {chosen.model} is not allowed"
            chosen = other
    decision.model = chosen.model
    return (chosen, *route.pools[1:])


def _put_in_order(facts: Facts, route: Route, decision: Decision) -> None:
    others = _other_tiers(route, decision)
    pools = (*decision.pools, *others)
    dropped = list(route.dropped)
    needs = facts.needs(
        abilities=any(pool.lacks for pool in pools) or _reserves_lack(route),
        least_context=min((pool.least_context for pool in pools if pool.least_context), default=0),
    )
    wanting: list[Dropped] = []
    may = _able(facts, needs, wanting)
    found, waiting = in_order(facts.exchange, decision.pools, may)
    for other in others if not found else ():
        # Nothing of this tier is able to serve it, another tier's model may be.
        found, waiting = in_order(facts.exchange, (other,), may)
        if found:
            break
    if not found:
        found = _nearly(wanting, needs)
        wanting = [each for each in wanting if each.endpoint not in found]
    if found:
        _say_if_of_another_tier(found[0], others, decision)
    decision.dropped = tuple(dropped + wanting)
    if not found:
        raise refusal(decision.asked, decision.dropped)
    decision.candidates, decision.waiting = found, waiting
    decision.reserves = route.reserves
    if may is not None and route.reserves:
        able = _able(facts, needs, [])
        assert able is not None
        decision.reserves = {
            name: tuple(each for each in endpoints if able(each))
            for name, endpoints in route.reserves.items()
        }


def _other_tiers(route: Route, decision: Decision) -> list[Pool]:
    """The models of the tiers that were not chosen, the next stronger one first; none if no tier was."""
    if not route.tiers or decision.tier is None:
        return []
    at = TIERS.index(decision.tier)
    others = dict.fromkeys(route.tiers[tier] for tier in (*TIERS[at + 1 :], *reversed(TIERS[:at])))
    return [pool for pool in others if pool not in decision.pools]


def _say_if_of_another_tier(first: Endpoint, others: Sequence[Pool], decision: Decision) -> None:
    for other in others:
        if any(each is first for each in other.endpoints):
            decision.tier_by += f"; {decision.model} is not able to serve it"
            decision.model = other.model
            decision.pools = (other, *decision.pools)
            return


def _reserves_lack(route: Route) -> bool:
    """Is there a reserve that cannot do everything?"""
    return any(each.lacks for endpoints in route.reserves.values() for each in endpoints)


def _able(facts: Facts, needs: Needs, wanting: list[Dropped]) -> May | None:
    """Lets through what can do what is needed; None if everything can."""
    dialect = facts.exchange.dialect
    embeds = dialect.operation == "embeddings"
    if not needs.abilities and not needs.tokens and not embeds:
        return None

    def may(endpoint: Endpoint) -> bool:
        if embeds and endpoint.adapter.wire_for("embeddings", dialect.name) is None:
            wanting.append(
                Dropped(endpoint, "ability", f"provider `{endpoint.provider}` offers no embeddings")
            )
            return False
        kind, why = needs.against(endpoint)
        if why:
            wanting.append(Dropped(endpoint, kind, why))
        return not why

    return may


def _nearly(wanting: Sequence[Dropped], needs: Needs) -> list[Endpoint]:
    """Nothing is left. If only an estimated length is against them: the largest, if it is over by no more than a little."""
    if not wanting or any(each.kind != "context" for each in wanting):
        return []
    most = max(each.endpoint.context for each in wanting)
    if needs.tokens > most * _A_LITTLE:
        return []
    return [each.endpoint for each in wanting if each.endpoint.context == most]
