"""A head's posterior is exact, however the outcomes came in."""

from __future__ import annotations

import numpy as np
import pytest

from headgate.routing.learned.heads import best_strength, fit, untaught

__all__: list[str] = []


def world(count: int, *, noise: float, seed: int = 0, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    vectors = np.hstack([np.ones((count, 1)), chance.normal(size=(count, width))])
    weights = np.r_[0.5, chance.normal(0, 0.3, width)]
    return vectors, vectors @ weights + noise * chance.normal(size=count)


def test_one_at_a_time_is_the_same_as_all_at_once() -> None:
    """Rank-one updates end where the fit of all rows ends, in weights and in doubt."""
    vectors, outcomes = world(60, noise=0.2)
    start = np.zeros(7)
    start[0] = 0.5
    online = untaught(start, 5.0, 0.04)
    for vector, outcome in zip(vectors, outcomes, strict=True):
        online.learn(vector, float(outcome), 1.0)
    [batch] = fit(vectors, outcomes[:, None], 5.0)
    assert np.allclose(online.mean, batch.mean)
    assert np.allclose(online.covariance, batch.covariance)
    assert online.seen == batch.seen == 60


def test_a_weight_of_two_is_two_outcomes() -> None:
    """And a half twice is one."""
    vectors, outcomes = world(5, noise=0.1)
    heads = [untaught(np.zeros(7), 2.0, 0.1) for _ in range(3)]
    for vector, outcome in zip(vectors, outcomes, strict=True):
        heads[0].learn(vector, float(outcome), 2.0)
        for _ in range(2):
            heads[1].learn(vector, float(outcome), 1.0)
        for _ in range(4):
            heads[2].learn(vector, float(outcome), 0.5)
    assert np.allclose(heads[0].mean, heads[1].mean)
    assert np.allclose(heads[0].mean, heads[2].mean)


def test_doubt_shrinks_where_it_was_taught_and_stays_elsewhere() -> None:
    """A question like those seen is less in doubt; one orthogonal to them as much as before."""
    head = untaught(np.zeros(3), 1.0, 0.1)
    seen, unseen = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    for _ in range(20):
        head.learn(seen, 1.0, 1.0)
    _, doubt = head.expect(np.stack([seen, unseen]))
    assert doubt[0] == pytest.approx(0.1 / 21)
    assert doubt[1] == pytest.approx(0.1)


def test_a_fit_tells_how_noisy_outcomes_are() -> None:
    """The variance around the expectation is found from the rows."""
    vectors, outcomes = world(2000, noise=0.3)
    [head] = fit(vectors, outcomes[:, None], 1.0)
    assert head.noise == pytest.approx(0.09, rel=0.1)


@pytest.mark.parametrize("count", [30, 400])
def test_noise_asks_for_a_strong_prior_and_signal_for_a_weak_one(count: int) -> None:
    """Chosen by the evidence, with fewer rows than weights and with more."""
    vectors, outcomes = world(count, noise=0.01, width=50)
    chance = np.random.default_rng(1).normal(size=(count, 1))
    assert best_strength([(vectors, outcomes[:, None])]) < 20
    assert best_strength([(vectors, chance)]) > 50


def test_heads_of_the_same_rows_share_their_doubt() -> None:
    """One covariance for nine models; learning one of them leaves the others as they were."""
    vectors, outcomes = world(40, noise=0.1)
    one, other = fit(vectors, np.column_stack([outcomes, 1 - outcomes]), 3.0)
    assert one.covariance is other.covariance
    before = other.expect(vectors)[1].copy()
    one.learn(vectors[0], 0.0, 1.0)
    assert (other.expect(vectors)[1] == before).all()
    assert one.expect(vectors[:1])[1][0] < before[0]
