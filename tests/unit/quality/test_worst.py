"""What is judged worst."""

from __future__ import annotations

from headgate.quality.scores import mean_of, summed, usual_variance
from headgate.quality.worst import worst
from headgate.stores.scores import ScoreSum

__all__: list[str] = []


def thumbs(group: str, up: int, down: int) -> ScoreSum:
    return ScoreSum(group=(group,), scores=up + down, total=up, squares=up)


def ratings(group: str, *numbers: float) -> ScoreSum:
    return ScoreSum(
        group=(group,), scores=len(numbers), total=sum(numbers), squares=sum(each * each for each in numbers)
    )


def test_one_thumb_down_does_not_win() -> None:
    """Many that are half bad are surely bad; one is nothing yet."""
    ranked = worst([thumbs("one", 0, 1), thumbs("half", 50, 50), thumbs("good", 95, 5)], share=True)
    assert [each.group[0] for each in ranked] == ["half", "one", "good"]
    assert [each.surely_low for each in ranked] == [True, False, False]


def test_one_bad_rating_does_not_win_either() -> None:
    """Nor five that happen to be the same, before many that are nearly as bad."""
    ranked = worst(
        [ratings("one", 1), ratings("many", *([1, 2, 2, 3] * 20)), ratings("good", *([4, 5, 5, 4] * 20))],
        share=False,
    )
    assert [each.group[0] for each in ranked] == ["many", "one", "good"]


def test_nothing_is_judged_where_nothing_was_said() -> None:
    """Groups of which everything was replaced are left out, and no group is no error."""
    assert worst([], share=True) == []
    assert worst([ScoreSum(group=("gone",))], share=False) == []


def test_means_say_how_many_they_are_made_of() -> None:
    """And how sure they are; sums of groups are the sum of all."""
    mean = mean_of(ratings("a", 1, 2, 3), share=False)
    assert (mean.scores, mean.mean) == (3, 2.0)
    assert mean.low is not None and mean.high is not None and mean.low < 2 < mean.high
    assert summed([ratings("a", 1, 2), ratings("b", 3)]) == ScoreSum(scores=3, total=6, squares=14)
    assert usual_variance([ratings("a", 1, 3), ratings("b", 10, 12)]) == 2.0
