"""What a question looks like is told in finite numbers, quickly, for any text."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.learned.beginning import shipped_prior
from headgate.routing.learned.surface import SURFACE, excerpt, surface

__all__: list[str] = []


def of(text: str, name: str) -> float:
    return surface(text)[SURFACE.index(name)]


def test_features_see_what_they_are_named_for() -> None:
    """Each moves with its own cause."""
    assert of("Add 12 and 30, then 12.", "numbers") == math.log1p(3)
    assert of("Add 12 and 30, then 12.", "distinct_numbers") == math.log1p(2)
    assert of("Why not? Why?", "question_marks") == math.log1p(2)
    assert of("Why not? Why?", "negations") == math.log1p(1)
    assert of("f(x) = {1; 2}", "code_marks") == math.log1p(5)
    assert of("ABCd", "capitals") == 0.75
    assert of("One. Two! Three", "sentences") == math.log1p(3)
    assert of("für alle", "other_scripts") > 0
    assert of("if we prove it", "reasoning_share") == 0.5


@given(st.text(max_size=500))
def test_any_text_has_all_features(text: str) -> None:
    """Lone surrogates, control signs, nothing at all: as many finite numbers as there are names."""
    found = surface(text + "\ud800")
    assert len(found) == len(SURFACE)
    assert all(math.isfinite(one) for one in found)
    assert len(surface("")) == len(SURFACE)


def test_a_long_text_costs_no_more_than_a_bounded_one() -> None:
    """What is beyond 8,000 characters is not looked at; the embedding reads both ends."""
    long = "start " + "word " * 100_000 + " end"
    assert surface(long) == surface(long[:8000])
    assert len(excerpt(long)) == 401
    assert excerpt(long).startswith("start ")
    assert excerpt(long).endswith(" end")
    assert excerpt("short") == "short"


def test_the_shipped_prior_knows_every_feature() -> None:
    """A feature added without a new table is noticed."""
    prior = shipped_prior()
    assert len(prior.mean) == len(prior.spread) == len(SURFACE)
    assert len(prior.weak) == len(prior.strong) == len(SURFACE) + 1
    assert (prior.spread > 0).all()
    assert prior.weak[0] < prior.strong[0]
