"""From a request to its candidates: rules, difficulty, constraints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.clock import SystemClock
from headgate.core.errors import (
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    NoEndpointAllowed,
    UnsupportedRequest,
)
from headgate.dispatch.shadow import copy_of
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens
from headgate.exchange.caller import Caller
from headgate.routing.building import build_directory, models_by_tier
from headgate.routing.constraints import Needs, requirement
from headgate.routing.difficulty.port import Grade
from headgate.routing.pool import Pool
from headgate.routing.settings import (
    PolicySettings,
    RequireEverywhereSettings,
    RequireSettings,
    RouteSettings,
    WhenSettings,
)
from headgate.routing.stage import Router
from headgate.routing.volume import DayVolume
from tests.support.aio import aio
from tests.support.routes import FakeHealth, names, place, request

__all__: list[str] = []

TIERED = RouteSettings(simple="small", complex="large")
HARD = "Compare both designs, analyse where each fails, and justify the trade-offs."
PICTURE = [{"type": "image_url", "image_url": {"url": "https://a.example/b"}}]


class FeatureStub:
    """As much of a feature's settings as routing reads."""

    def __init__(self, route="small", *, fallback=(), require=None, data="normal"):
        self.route, self.fallback, self.data = route, list(fallback), data
        self.require = require or RequireSettings()


SMALL = (place("house", self_hosted=True, region="eu"), place("cloud", region="us"))
LARGE = (place("big", region="us"), place("europe", region="eu-west-1"))


def router(*, features=None, policies=(), require=None, reserves=None, models=None, grader=None, **more):
    volume = DayVolume()
    pools = {"small": SMALL, "large": LARGE, **(models or {})}
    directory = build_directory(
        models={n: found if isinstance(found, Pool) else Pool(n, found) for n, found in pools.items()},
        features={"chat": FeatureStub(), **(features or {})},
        providers={"house": "openai"},
        make=lambda provider, model: place(f"{provider}/{model}"),
        volume=volume.so_far,
        policies=policies,
        require=require or RequireEverywhereSettings(),
        reserves=reserves or {},
        grader_of=lambda name, route: (grader, None),
        **more,
    )
    return Router(directory, volume=volume)


async def decided(made, exchange):
    return await made.decide(exchange, made.directory.resolve(exchange.peek.model))


async def passed(made, exchange):
    """Through the stage; what it left on the exchange."""

    async def proceed(_):
        return None

    await made(exchange, proceed)
    return exchange


def rule(**when):
    use, require = when.pop("use", ""), when.pop("require", RequireSettings())
    name = when.pop("name", "rule")
    return PolicySettings(name=name, when=WhenSettings(**when), use=use, require=require)


@aio
async def test_easy_requests_go_to_the_small_model_and_hard_ones_to_the_large():
    """The tier, the model and the reasons are on the exchange."""
    made = router(features={"chat": FeatureStub(TIERED)})
    easy = await passed(made, request("hello", model="chat"))
    hard = await passed(made, request(HARD, model="chat"))
    assert (easy.tier, easy.routed_model, names(easy.candidates)) == ("simple", "small", ["house", "cloud"])
    assert (hard.tier, hard.routed_model, names(hard.candidates)) == ("complex", "large", ["big", "europe"])
    assert hard.notes["route"].startswith("complex (") and "asks to reason" in hard.notes["route"]
    assert hard.notes["route"].endswith("-> large")


@pytest.mark.parametrize("preset", [True, False])
@aio
async def test_the_caller_may_say_the_tier(preset):
    """By header, or by whoever made the exchange; nobody is asked then."""
    made = router(features={"chat": FeatureStub(TIERED)})
    exchange = request("hello", model="chat", headers={} if preset else {"x-headgate-tier": "Complex"})
    if preset:
        exchange.tier = "complex"
    decision = await decided(made, exchange)
    assert (decision.model, decision.grade) == ("large", None)
    assert "by the caller" in decision.note()


@aio
async def test_a_tier_that_does_not_exist_is_refused():
    """With those that do."""
    made = router(features={"chat": FeatureStub(TIERED)})
    with pytest.raises(InvalidRequest, match="simple, medium, complex"):
        await decided(made, request(model="chat", headers={"x-headgate-tier": "hard"}))


@aio
async def test_below_its_confidence_a_feature_asks_the_stronger_model():
    """One that another model serves: the same model under another name would be no help."""

    class Unsure:
        async def grade(self, question, models):
            return Grade("simple", 0.4, ("a guess",))

    for wanted, model in ((0.3, "small"), (0.5, "large")):
        route = RouteSettings(simple="small", medium="small", complex="large", confidence=wanted)
        made = router(features={"chat": FeatureStub(route)}, grader=Unsure())
        decision = await decided(made, request(model="chat"))
        assert decision.model == model
        assert (model == "large") == ("not sure enough of simple, 0.40 sure: a guess" in decision.note())


@pytest.mark.parametrize(
    ("said", "models"),
    [
        ({"simple": "a", "complex": "c"}, ("a", "c", "c")),
        ({"simple": "a", "medium": "b"}, ("a", "b", "b")),
        ({"medium": "b", "complex": "c"}, ("b", "b", "c")),
        ({"simple": "a", "medium": "b", "complex": "c"}, ("a", "b", "c")),
    ],
)
def test_a_tier_without_a_model_takes_the_next_stronger(said, models):
    """The strongest the next weaker."""
    assert tuple(models_by_tier(RouteSettings(**said)).values()) == models


@aio
async def test_the_first_policy_that_applies_names_the_model():
    """Later ones do not; the feature's fallback stays, its difficulty is not asked."""
    made = router(
        features={"chat": FeatureStub(TIERED, fallback=["house/spare"])},
        policies=[
            rule(name="no", tags={"task": "other"}, use="small"),
            rule(name="yes", tags={"task": "sort"}, use="large"),
            rule(name="late", tags={"task": "sort"}, use="small"),
        ],
    )
    decision = await decided(made, request("hello", model="chat", tags={"task": "sort"}))
    assert (decision.model, decision.policy, decision.tier) == ("large", "yes", None)
    assert names(decision.candidates) == ["big", "europe", "house"]
    assert decision.note() == "policy `yes` -> large"


@aio
async def test_what_any_policy_demands_of_places_holds():
    """A rule on where data may go does not end to hold because another came first."""
    made = router(
        policies=[
            rule(name="sort", tags={"task": "sort"}, use="small"),
            rule(name="private", data="sensitive", require=RequireSettings(self_hosted=True)),
        ]
    )
    exchange = request(model="chat", tags={"task": "sort", "data": "sensitive"})
    decision = await decided(made, exchange)
    assert names(decision.candidates) == ["house"] and decision.policy == "sort, private"


@aio
async def test_a_policy_may_go_by_difficulty():
    """Also where the route does not."""
    made = router(policies=[rule(tier="complex", use="large")])
    assert (await decided(made, request(HARD, model="chat"))).model == "large"
    assert (await decided(made, request("hello", model="chat"))).model == "small"


@aio
async def test_after_so_many_calls_a_day_another_model_serves():
    """Counted as they come; copies made by ourselves do not count."""
    made = router(policies=[rule(calls_over=2, feature="chat", use="large")])
    shadow = request(model="chat")
    shadow.purpose = "shadow"
    await passed(made, shadow)
    models = [(await passed(made, request(model="chat", number=n))).routed_model for n in range(4)]
    assert models == ["small", "small", "large", "large"]


@aio
async def test_embeddings_are_not_sent_to_a_chats_model():
    """What a rule says of places holds for them too."""
    made = router(policies=[rule(use="large", require=RequireSettings(region=["eu"]))])
    decision = await decided(made, request(model="small", embeddings=True))
    assert names(decision.candidates) == ["house"] and decision.model == "small"


@aio
async def test_sensitive_data_stays_where_it_may_go():
    """Candidates and the ladder's models alike; by feature, header and tag, and for models asked for directly."""
    made = router(
        features={
            "chat": FeatureStub("small", fallback=["large"]),
            "letters": FeatureStub("small", fallback=["large"], data="sensitive"),
        },
        require=RequireEverywhereSettings(sensitive=RequireSettings(self_hosted=True)),
        reserves={"chat": ["small", "large"], "letters": ["small", "large"]},
    )
    for exchange in (
        request(model="letters"),
        request(model="chat", headers={"x-headgate-data": "sensitive"}),
        request(model="chat", tags={"data": "sensitive"}),
        request(model="small", feature="letters"),
    ):
        await passed(made, exchange)
        assert names(exchange.candidates) == ["house"]
        assert all(each.self_hosted for found in exchange.reserves.values() for each in found)
        assert "own machines" in exchange.notes["route"]
    free = await passed(made, request(model="chat"))
    assert len(free.candidates) == 4 and names(free.reserves["large"]) == ["big", "europe"]


@aio
async def test_a_refusal_names_the_rule_and_what_it_removed():
    """And what to do."""
    made = router(features={"chat": FeatureStub("large", require=RequireSettings(region=["de"]))})
    with pytest.raises(NoEndpointAllowed) as raised:
        await passed(made, request(model="chat"))
    text = raised.value.message
    assert "feature `chat` wants region de" in text and "big/m" in text and "it is in eu-west-1" in text
    assert raised.value.status == 403


@aio
async def test_rules_of_a_feature_without_conditions_cost_nothing_and_are_on_record():
    """They are applied when the configuration is read; the note is there all the same."""
    made = router(features={"chat": FeatureStub("large", require=RequireSettings(region=["eu"]))})
    assert made.directory.resolve("chat").free
    exchange = await passed(made, request(model="chat"))
    assert names(exchange.candidates) == ["europe"]
    assert exchange.notes["route"] == "not asked: big/m: feature `chat` wants region eu, it is in us"


@aio
async def test_when_rules_forbid_a_tiers_model_another_tier_answers():
    """Rather than nobody; the note says so."""
    made = router(
        features={"chat": FeatureStub(TIERED)},
        require=RequireEverywhereSettings(sensitive=RequireSettings(self_hosted=True)),
    )
    decision = await decided(made, request(HARD, model="chat", tags={"data": "sensitive"}))
    assert (decision.tier, decision.model, names(decision.candidates)) == ("complex", "small", ["house"])
    assert "large is not allowed" in decision.note()


@aio
async def test_an_endpoint_that_lacks_an_ability_is_not_asked_for_it():
    """Nor as a reserve; for other requests it is."""
    blind = place("blind", lacks=frozenset({"images"}))
    made = router(
        models={"small": (blind, place("sees"))},
        reserves={"chat": ["small"]},
        features={"chat": FeatureStub()},
    )
    seen = await passed(made, request(PICTURE, model="chat"))
    assert names(seen.candidates) == ["sees"] == names(seen.reserves["small"])
    assert seen.notes["route"] == "not asked: blind/m: cannot do pictures"
    assert names((await passed(made, request(model="chat"))).candidates) == ["blind", "sees"]


@aio
async def test_a_request_nobody_is_able_to_serve_is_refused_in_words():
    """An ability, and embeddings."""
    made = router(models={"small": (place("a", lacks=frozenset({"tools"}), embeds=False),)})
    tools = [{"type": "function", "function": {"name": "t", "parameters": {}}}]
    with pytest.raises(UnsupportedRequest, match="cannot do tools"):
        await decided(made, request(model="small", tools=tools))
    with pytest.raises(UnsupportedRequest, match="offers no embeddings"):
        await decided(made, request(model="small", embeddings=True))


@aio
async def test_a_request_goes_where_it_fits():
    """Prompt and answer together count."""
    made = router(models={"small": (place("short", context=1000), place("long", context=100_000))})
    text = "word " * 700
    assert names((await decided(made, request("hi", model="small"))).candidates) == ["short", "long"]
    assert names((await decided(made, request(text, model="small", max_tokens=20))).candidates) == [
        "short",
        "long",
    ]
    assert names((await decided(made, request(text, model="small", max_tokens=900))).candidates) == ["long"]


@aio
async def test_a_length_is_an_estimate_and_bent_a_little_before_a_refusal():
    """A quarter over goes where there is most room; more is refused."""
    made = router(models={"small": (place("a", context=800), place("b", context=1000))})
    assert names((await decided(made, request("word " * 1100, model="small"))).candidates) == ["b"]
    with pytest.raises(ContextTooLong, match="takes 1,000 tokens"):
        await decided(made, request("word " * 2000, model="small"))


@aio
async def test_what_is_out_of_order_comes_last_the_first_to_be_back_before_the_others():
    """Behind the fallbacks too; never dropped."""
    rests = {"house": 9.0, "cloud": 2.0}
    small = [place(name, health=FakeHealth(blocked=wait)) for name, wait in rests.items()]
    made = router(models={"small": small}, features={"chat": FeatureStub("small", fallback=["large"])})
    exchange = await passed(made, request(model="chat"))
    assert names(exchange.candidates) == ["big", "europe", "cloud", "house"]
    decision = await decided(made, request(model="chat"))
    assert "behind: cloud/m (2.0 s), house/m (9.0 s)" in decision.note()


@aio
async def test_a_model_that_is_tier_and_fallback_is_asked_once():
    """Its endpoints do not come twice."""
    made = router(features={"chat": FeatureStub(TIERED, fallback=["small"])})
    assert names((await decided(made, request("hello", model="chat"))).candidates) == ["house", "cloud"]


@aio
async def test_a_label_that_is_no_feature_is_only_a_label():
    """Nothing is looked up twice for it."""
    made = router()
    exchange = await passed(made, request(model="small", feature="a label"))
    assert exchange.feature == "a label" and names(exchange.candidates) == ["house", "cloud"]


REQUIRES = st.builds(
    RequireSettings,
    region=st.lists(st.sampled_from(["eu", "us"]), max_size=1),
    self_hosted=st.booleans(),
    providers=st.lists(st.sampled_from(["p0", "p1", "p2"]), max_size=2),
    not_providers=st.lists(st.sampled_from(["p0", "p3"]), max_size=1),
)
PLACES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["", "eu", "eu-1", "us"]),
        st.booleans(),
        st.sets(st.sampled_from(["tools", "images"])),
        st.sampled_from([0, 0, 50, 5000]),
        st.sampled_from([0.0, 0.0, 5.0]),
    ),
    min_size=1,
    max_size=6,
)


@given(
    PLACES,
    st.lists(REQUIRES, min_size=4, max_size=4),
    st.sampled_from(["order", "weighted", "fastest", "nearest"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 10**6),
)
def test_no_rule_is_ever_violated_by_a_candidate_or_a_reserve(
    described, rules, strategy, sensitive, sees, number
):
    """Whatever the strategy, the health and the request; and every endpoint that is allowed and able is a candidate."""
    endpoints = [
        place(
            f"p{provider}/m{at}",
            region=region,
            self_hosted=own,
            lacks=frozenset(lacks),
            context=context,
            health=FakeHealth(blocked=blocked),
        )
        for at, (provider, region, own, lacks, context, blocked) in enumerate(described)
    ]
    everywhere, private, own_rule, policy_rule = rules
    require = RequireEverywhereSettings(
        **{name: getattr(everywhere, name) for name in everywhere.__struct_fields__}, sensitive=private
    )
    made = router(
        models={"small": Pool("small", endpoints, strategy_name=strategy)},
        features={
            "chat": FeatureStub("small", require=own_rule, data="sensitive" if sensitive else "normal")
        },
        policies=[rule(require=policy_rule)] if policy_rule != RequireSettings() else [],
        require=require,
        reserves={"chat": ["small"]},
    )
    holding = [requirement("x", each) for each in (everywhere, own_rule, policy_rule)]
    holding += [requirement("x", private)] if sensitive else []
    exchange = request(PICTURE if sees else "hi", model="chat", number=number)
    needs = Needs(("images",) if sees else (), 0)
    allowed = [each for each in endpoints if not any(one and one.against(each) for one in holding)]
    able = [each for each in allowed if not needs.against(each)[1]]

    @aio
    async def run():
        await passed(made, exchange)

    try:
        run()
    except GatewayError:
        assert not [each for each in able if not each.context]
        return
    found = list(exchange.candidates)
    assert all(each in able for each in found)
    assert all(each in able for each in exchange.reserves["small"])
    assert all(each in found for each in able if not each.context)


TOOLS = [{"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}]
NO_TOOLS = frozenset({"tools", "prefill"})


@aio
async def test_what_a_tiers_model_cannot_do_another_tiers_does():
    """Stronger ones first, then weaker ones; the note says so."""
    models = {
        "small": (place("blind", lacks=NO_TOOLS),),
        "middle": (place("deaf", lacks=NO_TOOLS),),
        "large": (place("able"),),
    }
    tiered = RouteSettings(simple="small", medium="middle", complex="large")
    made = router(models=models, features={"chat": FeatureStub(tiered)})
    exchange = await passed(made, request("hello", model="chat", tools=TOOLS))
    assert (names(exchange.candidates), exchange.routed_model) == (["able"], "large")
    assert names(exchange.preferred) == ["able"] and "small is not able" in exchange.notes["route"]
    turned = RouteSettings(simple="large", medium="middle", complex="small")
    made = router(models=models, features={"chat": FeatureStub(turned)})
    hard = await decided(made, request(HARD, model="chat", tools=TOOLS))
    assert (names(hard.candidates), hard.model, hard.tier) == (["able"], "large", "complex")
    plain = await decided(made, request(HARD, model="chat"))
    assert (names(plain.candidates), plain.model) == (["blind"], "small")


@aio
async def test_what_does_not_fit_into_a_tiers_model_goes_to_another_tiers():
    """Before the estimate is bent; if that must be, too."""
    models = {"small": (place("short", context=1000),), "large": (place("long", context=2000),)}
    made = router(models=models, features={"chat": FeatureStub(TIERED)})
    header = {"x-headgate-tier": "simple"}
    assert (await decided(made, request("hi", model="chat", headers=header))).model == "small"
    for words in (1200, 1900, 2200):
        decision = await decided(made, request("word " * words, model="chat", headers=header))
        assert (names(decision.candidates), decision.model) == (["long"], "large")
        assert names(decision.pools[0].endpoints) == ["long"]
    with pytest.raises(ContextTooLong):
        await decided(made, request("word " * 4000, model="chat", headers=header))


@aio
async def test_a_conversation_that_ends_with_the_models_words_is_answered_by_all():
    """Only who resumes an answer needs one that goes on with it."""
    blind = place("blind", lacks=frozenset({"images", "prefill"}))
    cheap = place("cheap", lacks=frozenset({"prefill"}))
    made = router(
        models={"small": (blind, place("cloud", lacks=frozenset({"prefill"}))), "cheap": (cheap,)},
        reserves={"chat": ["cheap"]},
        require=RequireEverywhereSettings(sensitive=RequireSettings(self_hosted=True)),
    )
    exchange = request(model="chat")
    begun = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "So"}]
    exchange = request(model="chat", messages=begun)
    decision = await decided(made, exchange)
    assert names(decision.candidates) == ["blind", "cloud"]
    assert names(decision.reserves["cheap"]) == ["cheap"]


@aio
async def test_the_tokens_of_any_request_may_be_counted():
    """Whoever counts wants to know whether it is too long."""
    dialect = AnthropicCountTokens()
    made = router(models={"small": (place("short", context=100, lacks=frozenset({"images"})),)})
    exchange = request("word " * 2000)
    exchange.dialect = dialect
    assert names((await decided(made, exchange)).candidates) == ["short"]


@pytest.mark.parametrize(
    ("require", "confined"),
    [
        (RequireSettings(), False),
        (RequireSettings(not_providers=["nobody"]), False),
        (RequireSettings(self_hosted=True), True),
        (RequireSettings(region=["eu"]), True),
        (RequireSettings(providers=["house"]), True),
    ],
)
@aio
async def test_rules_that_keep_a_request_to_certain_places_are_told(require, confined):
    """Of the feature, on the quick way and on the long one; of sensitive data; of a policy."""
    quick = router(features={"chat": FeatureStub(require=require)})
    assert (await passed(quick, request(model="chat"))).confined is confined
    assert (await passed(quick, request(model="small"))).confined is False
    assert (await passed(quick, request(model="small", feature="chat"))).confined is confined
    ruled = router(require=RequireEverywhereSettings(sensitive=require))
    assert (await passed(ruled, request(model="chat", tags={"data": "sensitive"}))).confined is confined
    assert (await passed(ruled, request(model="chat"))).confined is False
    by_policy = router(policies=[rule(model="chat", require=require, use="small")])
    assert (await passed(by_policy, request(model="chat"))).confined is confined


@aio
async def test_a_copy_obeys_the_rules_on_the_name_that_its_caller_asked_for():
    """The copy is for another model, its data is the same."""
    home = rule(model="chat", require=RequireSettings(self_hosted=True))
    made = router(policies=[home], models={"trial": (place("outside"), place("inside", self_hosted=True))})
    exchange = await passed(made, request("secret", model="chat"))
    assert names(exchange.candidates) == ["house"]
    copy = copy_of(exchange, "trial", 77 << 22, SystemClock())
    assert names((await passed(made, copy)).candidates) == ["inside"]


@aio
async def test_a_label_that_is_no_feature_does_not_hide_calls_from_a_rule():
    """Anybody may write any label."""
    made = router(policies=[rule(model="small", calls_over=2, use="large")])
    asked = [await passed(made, request(model="small", number=n, feature=f"job{n}")) for n in range(4)]
    assert [names(each.candidates)[0] for each in asked] == ["house", "house", "big", "big"]
    assert asked[0].feature == "job0"


@aio
async def test_a_features_label_brings_no_model_that_the_key_may_not_ask_for():
    """Its rules on places hold all the same; a key that may ask for the feature gets the feature's model."""
    eu = RequireSettings(region=["eu"])
    made = router(policies=[rule(feature="chat", use="large", require=eu)])

    async def reached(*models, model="small"):
        exchange = request(model=model, feature="chat")
        exchange.caller = Caller("key_1", models=models)
        return names((await decided(made, exchange)).candidates)

    assert await reached("small") == ["house"]
    assert await reached("small", "chat") == ["europe"] == await reached("small", "large")
    assert await reached() == ["europe"] == await reached("chat", model="chat")
