"""The cap: whatever is begun, reserved and settled in whatever order, what is spent and set aside never passes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.quality.replay.capping import SpendCap

__all__: list[str] = []

moves = st.lists(
    st.tuples(
        st.sampled_from(["begin", "reserve", "settle", "end"]),
        st.integers(0, 5),
        st.integers(0, 3),
        st.integers(0, 60),
    ),
    max_size=80,
)


@given(moves=moves)
def test_nothing_passes_it(moves: list[tuple[str, int, int, int]]) -> None:
    """As long as no call costs more than the most that was set aside for it."""
    cap = SpendCap(100)
    begun: set[int] = set()
    aside: dict[tuple[int, int], int] = {}
    for move, request, attempt, nanos in moves:
        if move == "begin" and request not in begun:
            if cap.begin(request, nanos):
                begun.add(request)
        elif move == "reserve" and request in begun and (request, attempt) not in aside:
            if cap.reserve(request, attempt, nanos):
                aside[request, attempt] = nanos
        elif move == "settle" and (request, attempt) in aside:
            cap.settle(request, attempt, min(nanos, aside[request, attempt]))
        elif move == "end" and request in begun:
            cap.end(request)
            begun.discard(request)
            aside = {key: value for key, value in aside.items() if key[0] != request}
        assert cap.spent + cap.held <= 100 and cap.left >= 0


def test_what_was_planned_is_set_aside_until_the_end() -> None:
    """A second attempt may use what the first did not cost; what is left over is free afterwards."""
    cap = SpendCap(100)
    assert cap.begin(1, 60) and not cap.begin(2, 50) and cap.begin(2, 40)
    assert cap.reserve(1, 1, 60)
    cap.settle(1, 1, 10)
    assert cap.held == 100
    assert cap.reserve(1, 2, 50) and not cap.reserve(1, 3, 1)
    cap.settle(1, 2, 5)
    cap.end(1)
    assert (cap.spent, cap.held, cap.left) == (15, 40, 45)
    cap.settle(1, 9, 3)
    assert cap.spent == 18
