"""The shipped weights, and what they are made of."""

from __future__ import annotations

import numpy as np

from bench.cache.generate import generate, read_intents
from bench.cache.measures import Scored, at_threshold, cross_validated, limited
from bench.cache.train import fit
from headgate.cache.semantic.check import open_check
from headgate.cache.semantic.check.features import FEATURES
from headgate.cache.semantic.check.lexicon import load_lexicon
from headgate.cache.semantic.check.model import load_model

PAIRS, INTENTS = generate(3, rounds=2, part="ask")


def test_generated_pairs_are_the_same_for_the_same_seed():
    """Whoever trains again gets the same weights."""
    again, _ = generate(3, rounds=2, part="ask")
    assert (again.asked, again.kept, again.kinds) == (PAIRS.asked, PAIRS.kept, PAIRS.kinds)
    assert generate(4, rounds=2, part="ask")[0].asked != PAIRS.asked


def test_what_is_asked_was_not_learned():
    """Every fourth intent is kept apart."""
    _, learned = generate(3, rounds=1, part="learn")
    assert set(learned).isdisjoint(INTENTS)
    assert len(set(learned)) + len(set(INTENTS)) == len(read_intents())


def test_every_intent_can_be_asked_in_several_ways_and_has_traps():
    """A block without either teaches nothing."""
    assert all(len(intent.ways) >= 2 and intent.traps and intent.trade for intent in read_intents())


def test_the_shipped_weights_serve_hits_and_no_traps_of_intents_they_never_saw():
    """Told nothing by the vectors (one cosine for all), at the usual threshold."""
    check = open_check()
    scores = np.array([check(a, b, 0.9).score for a, b in zip(PAIRS.asked, PAIRS.kept, strict=True)])
    point = at_threshold(Scored(scores, PAIRS.same, np.array(PAIRS.kinds)), 0.95)
    assert point.hits >= 0.5
    assert point.wrong <= 0.01


def test_weights_speak_against_what_speaks_against():
    """No weight has the wrong sign: a word left over never makes a pair surer."""
    model = load_model()
    assert tuple(model.names) == FEATURES
    weights = dict(zip(model.names, model.weights, strict=True))
    assert weights.pop("cosine") > 0
    weights.pop("few_words")
    assert all(weight <= 0 for weight in weights.values())
    assert model.made["by"] == "python -m bench.cache.train"


def test_learning_finds_what_tells_pairs_apart():
    """Where a word left over is what makes a trap, its weight falls below what was expected."""
    chance = np.random.default_rng(0)
    values = np.zeros((400, len(FEATURES)))
    values[:, FEATURES.index("cosine")] = 0.9
    same = chance.random(400) < 0.5
    values[:, FEATURES.index("over_sum")] = np.where(same, 0.0, 1.0)
    base, weights = fit(values, same, steps=500)
    sure = base + values @ weights
    assert sure[same].min() > 0 > sure[~same].max()


def test_a_threshold_is_chosen_where_traps_end():
    """At most the given share of traps reaches it; chosen on other rows, a little more may."""
    scores = np.array([0.9, 0.8, 0.7, 0.6] * 25 + [0.65] + [0.1] * 99)
    same = np.array([True] * 100 + [False] * 100)
    scored = Scored(scores, same, np.array(["x"] * 200))
    assert limited(scored, 0.0).hits == 0.75
    assert limited(scored, 0.01).hits == 1.0
    folded = cross_validated(scored, 0.0, repeats=3)
    assert 0.75 <= folded.hits < 1 and folded.wrong <= 0.01


def test_words_are_listed_once_per_group_and_no_family_names_synonyms():
    """A family of opposites whose members also mean the same would forbid nothing."""
    lexicon = load_lexicon()
    for left, right in (
        ("enable", "disable"),
        ("buy", "sell"),
        ("monday", "friday"),
        ("france", "spain"),
        ("before", "after"),
    ):
        assert lexicon.differ(left, right) and lexicon.differ(right, left)
        assert not lexicon.differ(left, left)
    assert lexicon.differ("turn_on", "disable")
    assert not lexicon.differ("turn_on", "enable")
