"""Nobody gets an answer that was made for somebody else, or for something else, whatever they send.

The rule is told here a second time, in the simplest words (`Truth`), and hypothesis looks for two requests that the cache takes
for the same while the rule does not. What senders write is drawn from what has fooled caches before: separators inside names,
names that look alike, names that are cut off, bytes that are no text, one word in another field.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.cache.identity import Identities, identity_of
from headgate.cache.settings import Sharing
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Dialect
from headgate.exchange.exchange import Exchange
from tests.support.identities import CHAT, MESSAGES, RESPONSES, asks, policy

__all__: list[str] = []

LONG = "x" * 256
NAMES = st.sampled_from(
    [
        "",
        "a",
        "b",
        "ab",
        "a:b",
        "a|b",
        "a/b",
        "a,b",
        "a b",
        "a\tb",
        "a.b",
        "user",
        "team",
        "key",
        "key_1",
        "None",
        "alice",
        "Alice",
        "alice ",
        "аlice",
        "al\u0131ce",
        "é",
        "e\u0301",
        "ﬁ",
        "fi",
        "\u200balice",
        "\ufffd",
        "a\ufffd",
        LONG,
        f"{LONG}1",
        f"{LONG}2",
        f"{LONG[:-1]}é",
        "\U0001d44e",
    ]
)
RAW_NAMES = st.one_of(
    NAMES.map(str.encode),
    st.sampled_from([b"\xff", b"\xfe", b"a\xff", b"a\xfe", b"\xe9", b"\xc3\xa9", LONG.encode() + b"\xff"]),
)
TEXTS = st.sampled_from(
    [
        "",
        "a",
        "b",
        "ab",
        'a","role":"user',
        "a\nb",
        "system",
        "You are A.",
        "You are B.",
        "é",
        "e\u0301",
        "A",
        "а",
        "a ",
        "\u200ba",
    ]
)
SCOPES = st.sampled_from(get_args(Sharing))


@dataclass(frozen=True)
class Asked:
    """A request as its sender wrote it."""

    tenant: str
    team: str
    key_id: str
    key_user: str
    body_user: str
    header_user: bytes | None
    sensitive: bool
    feature: str
    system: str | None
    turns: tuple[tuple[str, str], ...]
    tools: tuple[str, ...]
    wanted: str
    temperature: float

    def exchange(self, dialect: Dialect = CHAT, *, stream: bool = False) -> Exchange:
        headers: list[tuple[bytes, bytes]] = []
        if self.header_user is not None:
            headers.append((b"x-headgate-user", self.header_user))
        if self.sensitive:
            headers.append((b"x-headgate-data", b"sensitive"))
        caller = Caller(
            self.key_id, "app", team=self.team, tenant=self.tenant, user=self.key_user, roles=("service",)
        )
        return asks(self.body(dialect, stream=stream), dialect, caller=caller, headers=headers)

    def body(self, dialect: Dialect, *, stream: bool) -> dict[str, Any]:
        turns = [{"role": role, "content": text} for role, text in self.turns]
        body: dict[str, Any] = {"model": "faq", "temperature": self.temperature, "stream": stream}
        if dialect is CHAT:
            if self.system is not None:
                turns.insert(0, {"role": "system", "content": self.system})
            body |= {"messages": turns, "user": self.body_user, "max_tokens": 9}
            if self.tools:
                body["tools"] = [{"type": "function", "function": {"name": name}} for name in self.tools]
            if self.wanted:
                schema = {"name": "x", "schema": {"type": self.wanted}}
                body["response_format"] = {"type": "json_schema", "json_schema": schema}
            return body
        if self.system is not None:
            body["system" if dialect is MESSAGES else "instructions"] = self.system
        if dialect is MESSAGES:
            return body | {"messages": turns, "max_tokens": 9, "metadata": {"user_id": self.body_user}}
        return body | {"input": turns, "max_output_tokens": 9, "user": self.body_user}

    @property
    def user(self) -> bytes:
        """The end user, exactly as it came. What a header says goes before the body, also when it says nothing."""
        return self.body_user.encode() if self.header_user is None else self.header_user

    def what(self) -> tuple[object, ...]:
        return self.feature, self.system, self.turns, self.tools, self.wanted, self.temperature

    def whose(self, scope: Sharing) -> tuple[object, ...]:
        if self.sensitive or (scope == "team" and not self.team):
            scope = "user"
        if scope == "feature":
            return (self.tenant,)
        if scope == "team":
            return self.tenant, "team", self.team
        if self.user or self.key_user:
            return self.tenant, "user", self.team, self.key_user, self.user or self.key_user.encode()
        return self.tenant, "key", self.team, self.key_id


ASKED = st.builds(
    Asked,
    tenant=NAMES,
    team=NAMES,
    key_id=NAMES,
    key_user=st.one_of(st.just(""), NAMES),
    body_user=NAMES,
    header_user=st.one_of(st.none(), RAW_NAMES),
    sensitive=st.booleans(),
    feature=st.sampled_from(["faq", "faq:b", "b"]),
    system=st.one_of(st.none(), TEXTS.filter(bool)),
    turns=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXTS), min_size=1, max_size=3).map(
        tuple
    ),
    tools=st.lists(st.sampled_from(["f", "g"]), max_size=2).map(tuple),
    wanted=st.sampled_from(["", "object", "array"]),
    temperature=st.sampled_from([0.0, 1.0]),
)
FIELDS = tuple(Asked.__dataclass_fields__)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Asked, Asked]:
    """Two that are equal in most things: unlike ones are told apart by anything."""
    one, other = draw(ASKED), draw(ASKED)
    changed = draw(st.sets(st.sampled_from(FIELDS), max_size=3))
    two = Asked(**{name: getattr(other if name in changed else one, name) for name in FIELDS})
    return one, two


def of(asked: Asked) -> Any:
    return policy(
        when="always",
        let=["tools", "names", "time", "ids", "dates", "prices", "personal"],
        feature=asked.feature,
    )


@settings(max_examples=600, deadline=None)
@given(pairs(), SCOPES, st.booleans(), st.booleans())
def test_two_requests_share_an_answer_exactly_if_the_rule_says_so(
    both: tuple[Asked, Asked], scope: Sharing, one_streams: bool, remembered: bool
) -> None:
    """Tenant, team, user, key; feature, system prompt, earlier turns, tools, format, sampling. And what the rule takes for the
    same is the same: a cache that never hits is safe, too."""
    one, two = both
    policies = {
        name: policy(when="always", let=["tools"], scope=scope, feature=name)
        for name in {one.feature, two.feature}
    }
    memory = Identities()

    def identity(asked: Asked, *, stream: bool) -> Any:
        exchange, its = asked.exchange(stream=stream), policies[asked.feature]
        return memory.look(exchange, its).identity if remembered else identity_of(exchange, its)

    first, second = identity(one, stream=one_streams), identity(two, stream=False)
    same = one.what() == two.what() and one.whose(scope) == two.whose(scope)
    assert (first.key == second.key) == same
    if not same:
        # Nor by likeness: neighbours are looked for among those of one owner, with one system prompt and one past.
        alike = (
            one.feature,
            one.system,
            one.turns[:-1],
            one.tools,
            one.wanted,
            one.temperature,
            len(one.turns),
        ) == (
            (two.feature, two.system, two.turns[:-1], two.tools, two.wanted, two.temperature, len(two.turns))
        ) and one.whose(scope) == two.whose(scope)
        assert alike or first.compat != second.compat


@settings(max_examples=200, deadline=None)
@given(
    pairs(),
    SCOPES,
    st.sampled_from([CHAT, MESSAGES, RESPONSES]),
    st.sampled_from([CHAT, MESSAGES, RESPONSES]),
)
def test_another_dialect_is_no_way_in(
    both: tuple[Asked, Asked], scope: Sharing, one: Dialect, other: Dialect
) -> None:
    """The same request in another dialect may share; nothing else does."""
    first, second = (Asked(**{**vars(each), "tools": (), "wanted": ""}) for each in both)
    its = policy(when="always", scope=scope)
    keys = identity_of(first.exchange(one), its).key, identity_of(second.exchange(other), its).key
    if keys[0] == keys[1]:
        assert (*first.what()[1:],) == (*second.what()[1:],)
        assert first.whose(scope) == second.whose(scope)


def test_the_rule_is_looked_at_from_both_sides() -> None:
    """The pairs above do hold requests that share, in every scope; else the first test would prove nothing."""
    base: dict[str, Any] = {
        "tenant": "a",
        "team": "t",
        "key_id": "k",
        "key_user": "",
        "body_user": "u",
        "header_user": None,
        "sensitive": False,
        "feature": "faq",
        "system": None,
        "turns": (("user", "a"),),
        "tools": (),
        "wanted": "",
        "temperature": 0.0,
    }
    one = Asked(**base)
    for scope, shared in (
        ("user", {"key_id": "k2"}),
        ("team", {"body_user": "v"}),
        ("feature", {"team": "t2", "body_user": "v"}),
    ):
        its = policy(scope=scope)
        two = Asked(**{**base, **shared})
        assert identity_of(one.exchange(), its).key == identity_of(two.exchange(), its).key, scope


# Tricks, one by one


def key(asked: Exchange, **settings: Any) -> bytes:
    return identity_of(asked, policy(**settings)).key


def body(**more: Any) -> dict[str, Any]:
    return {"model": "faq", "temperature": 0, "messages": [{"role": "user", "content": "a"}], **more}


def test_a_users_name_holds_whatever_it_likes() -> None:
    """Team `t` and user `a:b` are not team `t:a` and user `b`, however names are joined elsewhere."""
    found = set()
    for team, user in (("t", "a:b"), ("t:a", "b"), ("t", "a\0b"), ("t\0a", "b"), ("t", ""), ("", "t")):
        caller = Caller("k", "app", team=team, tenant="acme", roles=("service",))
        found.add(key(asks(body(user=user), caller=caller)))
    assert len(found) == 6


def test_a_user_called_like_a_key_is_not_the_key() -> None:
    """Whoever names nobody is not somebody of that name."""
    caller = Caller("key_1", "app", team="t", tenant="acme", roles=("service",))
    assert key(asks(body(), caller=caller)) != key(asks(body(user="key_1"), caller=caller))


def test_the_same_user_in_header_and_body_is_one() -> None:
    """They are two ways to say it, and the header goes before."""
    in_body, in_header = asks(body(user="u")), asks(body(), headers=[(b"x-headgate-user", b"u")])
    assert key(in_body) == key(in_header)
    assert key(asks(body(user="victim"), headers=[(b"x-headgate-user", b"u")])) == key(in_body)
    assert key(asks(body(user="u"), headers=[(b"x-headgate-user", b"victim")])) != key(in_body)


def test_names_that_the_gateway_cuts_off_stay_apart() -> None:
    """It keeps 256 characters of a name; two that differ behind that are two people. In header and body."""
    one, two = f"{LONG}1", f"{LONG}2"
    assert asks(body(user=one)).user == asks(body(user=two)).user
    assert key(asks(body(user=one))) != key(asks(body(user=two)))
    said = [asks(body(), headers=[(b"x-headgate-user", each.encode())]) for each in (one, two)]
    assert key(said[0]) != key(said[1])


def test_names_that_are_no_text_stay_apart() -> None:
    """Both look like a question mark."""
    said = [asks(body(), headers=[(b"x-headgate-user", each)]) for each in (b"\xff", b"\xfe")]
    assert said[0].user == said[1].user
    assert key(said[0]) != key(said[1])


def test_a_persons_key_gets_nobody_elses_answers_by_naming_them() -> None:
    """An application may name its users. A person's key names that person, whatever is written beside it."""
    person = Caller("key_2", "eve", team="t", tenant="acme", user="eve", roles=("developer",))
    app = Caller("key_1", "app", team="t", tenant="acme", roles=("service",))
    assert key(asks(body(user="alice"), caller=person)) != key(asks(body(user="alice"), caller=app))


@pytest.mark.parametrize("scope", get_args(Sharing))
def test_tenants_share_nothing(scope: Sharing) -> None:
    """Not with equal keys, teams, users and questions."""
    keys = {
        key(
            asks(body(user="u"), caller=Caller("k", "app", team="t", tenant=tenant, roles=("service",))),
            scope=scope,
        )
        for tenant in ("", "a", "b", "A", "a ")
    }
    assert len(keys) == 5


def test_sensitive_data_is_nobody_elses_whatever_the_scope() -> None:
    """By the feature, the tag, the header; by one of several headers, and by one that is written oddly."""
    ways: list[tuple[bytes, bytes]] = [
        (b"x-headgate-data", b"sensitive"),
        (b"x-headgate-data", b"normal, Sensitive"),
        (b"x-headgate-tags", b"data=sensitive"),
        (b"x-headgate-data", b"normal" + b"," * 300 + b"sensitive"),
    ]
    for header in ways:
        found = identity_of(asks(body(user="u"), headers=[header]), policy(scope="feature"))
        assert (found.scope, found.owner) == ("user", "u"), header
    assert identity_of(asks(body()), policy(scope="feature", sensitive=True)).scope == "user"
    assert identity_of(asks(body()), policy(scope="feature")).scope == "feature"


def test_personal_questions_are_nobody_elses_even_where_they_may_be_kept() -> None:
    """`let` says that they may be answered from memory, not that others get them."""
    ask = body(
        messages=[{"role": "user", "content": "Is ann.brook@mail.example.de registered? My salary is low."}]
    )
    found = identity_of(asks(ask), policy(scope="feature", let=["personal", "ids"]))
    assert (found.scope, found.owner, found.named) == ("user", "key_app", False)


def test_no_team_is_no_team() -> None:
    """Callers without one do not form one."""
    lonely = [Caller(f"k{n}", "app", tenant="acme", roles=("service",)) for n in (1, 2)]
    one, two = (identity_of(asks(body(), caller=each), policy(scope="team")) for each in lonely)
    assert one.key != two.key
    assert one.scope == "user"


def test_a_features_name_in_a_header_is_no_way_into_another_feature() -> None:
    """Its policy is another, and what is asked for is still the model asked for."""
    there = asks(body(model="faq"))
    through = asks(body(model="small"), headers=[(b"x-headgate-feature", b"faq")])
    assert key(there) != key(through)


def test_the_same_bytes_in_another_field_are_something_else() -> None:
    """System prompt, user and assistant; text and tool; name and value."""
    words = "You are A."
    bodies = [
        body(messages=[{"role": "system", "content": words}, {"role": "user", "content": "a"}]),
        body(messages=[{"role": "user", "content": words}, {"role": "user", "content": "a"}]),
        body(messages=[{"role": "assistant", "content": words}, {"role": "user", "content": "a"}]),
        body(messages=[{"role": "user", "content": f"{words}a"}]),
        body(messages=[{"role": "user", "content": f"{words}\na"}]),
        body(messages=[{"role": "user", "content": "a"}], stop=[words]),
        body(messages=[{"role": "user", "content": "a"}], instructions=words),
        body(messages=[{"role": "user", "content": "a", "name": words}]),
        body(messages=[{"role": "user", "content": json.dumps([{"role": "system", "content": words}])}]),
    ]
    assert len({key(asks(each)) for each in bodies}) == len(bodies)
