"""What a file may say of limits, and how they are told."""

from __future__ import annotations

import pytest

from headgate.config.explain import limits
from headgate.config.loader import parse
from headgate.config.problems import ConfigurationRefused

__all__: list[str] = []

BASE = "[providers.sim]\nkind = 'simulated'\n[features.f]\nroute = 'sim/x'\n"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationRefused) as refused:
        parse(BASE + text, {})
    return [str(each) for each in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'a'", "limits nothing"),
        ("name = 'a b'\nrequests = 1", "stands in a header"),
        ("name = ''\nrequests = 1", "stands in a header"),
        ("name = 'a'\nrequests = 0", "at least 1"),
        ("name = 'a'\ntokens = -5", "at least 1"),
        ("name = 'a'\nrequests = 1\nof = 'keys'", "nothing to count by"),
        ("name = 'a'\nrequests = 1\nper = '100ms'", 'from "1s" to "1d"'),
        ("name = 'a'\nrequests = 1\nper = '2d'", 'from "1s" to "1d"'),
        ("name = 'a'\nrequests = 1\nburst = 0", "more than 0"),
        ("name = 'a'\nrequests = 1\nburst = 2", "1 at most"),
        ("name = 'a'\nrequests = 1\nassume_output = 0", "at least 1"),
        ("name = 'a'\nrequests = 1\nonly = { feature = ['g'] }", "no feature `g`"),
        ("name = 'a'\nrequests = 1\n[[limits]]\nname = 'a'\nrequests = 1", "a name of its own"),
    ],
)
def test_a_limit_that_cannot_work_is_refused(text: str, said: str) -> None:
    """With what would be right."""
    (problem,) = problems(f"[[limits]]\n{text}")
    assert said in problem


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("queue = { wait = '0s' }", "features.f.queue.wait"),
        ("queue = { most = 0 }", "features.f.queue.most"),
        ("[server]\nnodes = 0", "server.nodes"),
    ],
)
def test_a_queue_without_places_and_an_installation_without_nodes_are_refused(text: str, key: str) -> None:
    """Leaving them out says what was meant."""
    (problem,) = problems(text)
    assert key in problem


def test_limits_are_told_in_words() -> None:
    """As `headgate check` prints them."""
    configuration = parse(
        BASE
        + """
[[limits]]
name = "a"
of = "tag:desk"
requests = 60
output_tokens = 1_000
per = "1h"
burst = 0.1
only = { feature = ["f"], tags = { plan = "free" } }
[[limits]]
name = "b"
each = false
concurrency = 5
""",
        {},
    )
    assert limits(configuration) == [
        (
            "a: 60 requests in 60 min (10 % of it at once) and 1,000 output tokens in 60 min (10 % of it at once) "
            "for each tag desk, only feature f, tags plan=free"
        ),
        "b: 5 requests at the same time for all together",
    ]
