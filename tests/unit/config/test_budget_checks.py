"""What a file may say of budgets and of how long answers are, and how that is told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from headgate.config.explain import budgets, explain
from headgate.config.loader import parse
from headgate.config.problems import ConfigurationRefused

__all__: list[str] = []

BASE = """
[providers.sim]
kind = 'simulated'
[models.small]
endpoints = [{ provider = 'sim', model = 'sim-small' }]
"""
FEATURE = f"{BASE}[features.f]\nroute = 'sim/x'\n"


def problems(text: str, base: str = FEATURE) -> list[str]:
    with pytest.raises(ConfigurationRefused) as refused:
        parse(base + text, {})
    return [str(each) for each in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'a b'\nusd = 1\nper = 'day'", "stands in a header"),
        ("name = 'a'\nper = 'day'", "nothing could be paid"),
        ("name = 'a'\nusd = -1\nper = 'day'", "0 or more"),
        ("name = 'a'\nusd = nan\nper = 'day'", "amount"),
        ("name = 'a'\nusd = 1\nper = 'year'", 'not "year"'),
        ("name = 'a'\nusd = 1", "per"),
        ("name = 'a'\nusd = 1\nper = 'day'\nof = 'keys'", "nothing to count by"),
        ("name = 'a'\nusd = 1\nper = 'day'\ntime_zone = 'Europe/Berln'", "did you mean `Europe/Berlin`"),
        ("name = 'a'\nusd = 1\nper = 'day'\ntime_zone = '../x'", "write one like `Europe/Berlin`"),
        ("name = 'a'\nusd = 1\nper = 'day'\nalert_at = [0.5, 0]", "more than 0"),
        ("name = 'a'\nusd = 1\nper = 'day'\nwarn_at = 80", "0.8 for 80 %"),
        ("name = 'a'\nusd = 1\nper = 'day'\nanswer_tokens = 0", "at least 1"),
        ("name = 'a'\nusd = 1\nper = 'day'\nprompt_margin = 0", "from 0.1 to 100"),
        (
            "name = 'a'\nusd = 1\nper = 'day'\ndowngrade_to = 'small'",
            'counts only with `when_spent = "downgrade"`',
        ),
        ("name = 'a'\nusd = 1\nper = 'day'\nwhen_spent = 'downgrade'", "is missing"),
        (
            "name = 'a'\nusd = 1\nper = 'day'\nwhen_spent = 'downgrade'\ndowngrade_to = 'smal'",
            "did you mean `small`?",
        ),
        ("name = 'a'\nusd = 1\nper = 'day'\nwhen_spent = 'downgrade'\ndowngrade_to = 'f'", "is a feature"),
        (
            "name = 'a'\nusd = 1\nper = 'day'\nwhen_spent = 'downgrade'\ndowngrade_to = 'sin/x'",
            "no provider `sin`",
        ),
        (
            "name = 'a'\nusd = 1\nper = 'day'\nwhen_spent = 'downgrade'\ndowngrade_to = 'small'\ndowngrade_at = 0",
            "1 at most",
        ),
        (
            "name = 'a'\nusd = 1\nper = 'request'\nwhen_spent = 'downgrade'\ndowngrade_to = 'small'",
            "keeps no sum",
        ),
        ("name = 'a'\nusd = 1\nper = 'request'\nwarn_at = 0.5", "keeps no sum"),
        ("name = 'a'\nusd = 1\nper = 'day'\nonly = { feature = ['g'] }", "no feature `g`"),
        (
            "name = 'a'\nusd = 1\nper = 'day'\n[[budgets]]\nname = 'a'\nusd = 1\nper = 'week'",
            "a name of its own",
        ),
    ],
)
def test_a_budget_that_cannot_work_is_refused(text: str, said: str) -> None:
    """With what would be right."""
    (problem,) = problems(f"[[budgets]]\n{text}")
    assert said in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget = {}", "has no sum; write one of `per_request`"),
        ("budget = { month = 0 }", "features.f.budget.month"),
        ("budget = { per_request = 1, when_spent = 'alert' }", "`per_request` always refuses"),
        (
            "budget = { month = 1, when_spent = 'downgrade', downgrade_to = 'larg' }",
            "features.f.budget.downgrade_to",
        ),
        ("budget = { month = 1, mont = 1 }", "did you mean `month`"),
        ("budget = { month = 1 }\n[[budgets]]\nname = 'f.month'\nusd = 1\nper = 'day'", "a name of its own"),
        ("answer_tokens = { most = 0 }", "features.f.answer_tokens.most"),
        ("answer_tokens = { default = 5, most = 4 }", "is more than `most = 4`"),
        ("[defaults]\nanswer_tokens = { default = 0 }", "defaults.answer_tokens.default"),
    ],
)
def test_the_short_form_is_checked_as_well(text: str, said: str) -> None:
    """Each fault once."""
    (problem,) = problems(text)
    assert said in problem


def test_amounts_are_exact() -> None:
    """Decimal as written: 0.1 is a tenth."""
    configuration = parse(f"{FEATURE}[[budgets]]\nname = 'a'\nusd = 0.1\nper = 'day'", {})
    assert configuration.settings.budgets[0].usd == Decimal("0.1")


def test_budgets_are_told_in_words() -> None:
    """As `headgate check` prints them: those of a feature with the feature."""
    configuration = parse(
        f"""{BASE}
[features.f]
route = "small"
budget = {{ per_request = 0.02, per_user_day = 1.0, month = 500, when_spent = "downgrade", downgrade_to = "sim/tiny" }}
answer_tokens = {{ default = 500, most = 2000 }}
[[budgets]]
name = "desk"
of = "tag:desk"
usd = 20
per = "week"
time_zone = "Europe/Berlin"
only = {{ feature = ["f"] }}
[[budgets]]
name = "all"
each = false
per = "prepaid"
usd = 1
when_spent = "alert"
""",
        {},
    )
    assert budgets(configuration) == [
        "desk: 20 USD a week (Europe/Berlin) for each tag desk, only feature f; what it does not pay for is refused",
        "all: 1 USD and what is deposited, for all together; watched only",
    ]
    (story, _) = explain(configuration, lambda _provider, _model: "")
    told = story.text()
    assert "budget of 0.02 USD a request; what it does not pay for is refused" in told
    assert "budget of 1 USD a day for each user; from 80 % on sim/tiny answers" in told
    assert "budget of 500 USD a month for all together; from 80 % on sim/tiny answers" in told
    assert "paid from desk and all too" in told
    assert "answers of 2,000 tokens at most, 500 where the request does not say" in told
    assert (
        "f.per_request refuses what goes to sim/sim-small, of which no price is known: write `price`" in told
    )


def test_a_price_for_each_request_is_told() -> None:
    """Beside those by the token, which may be nothing."""
    configuration = parse(
        f"{BASE}price = {{ input = 0, output = 0, request = 0.02 }}\n[features.f]\nroute = 'small'", {}
    )
    (story, _) = explain(configuration, lambda _provider, _model: "")
    assert "0/0 USD per million tokens and 0.02 USD a request (your price)" in story.text()
