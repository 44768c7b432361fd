"""The index of neighbours in memory: it finds the nearest, and only among what may be compared."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from headgate.stores.errors import StoreUnavailable
from headgate.stores.nearness import Nearness
from headgate.stores.neighbours import LOOKED_AT

_COMPAT, _OTHER, _BY = b"c" * 16, b"d" * 16, "minilm"


def _vectors(count: int, dimensions: int = 64, seed: int = 7) -> NDArray[np.float16]:
    rows = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("<f2")


def _key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def _filled(rows: NDArray[np.float16]) -> Nearness:
    index = Nearness()
    for number, row in enumerate(rows):
        assert index.add(_key(number), _COMPAT, _BY, row.tobytes())
    return index


def _near(row: NDArray[np.float16], seed: int) -> NDArray[np.float16]:
    """About 0.9 away from `row` in cosine: as a question in other words is."""
    noise = np.random.default_rng(seed).standard_normal(len(row)) * 0.5 / np.sqrt(len(row))
    moved = row.astype(np.float32) + noise.astype(np.float32)
    return (moved / np.linalg.norm(moved)).astype("<f2")


@pytest.mark.parametrize("count", [1, 9, LOOKED_AT, 5_000, 9_000])
def test_a_vector_close_to_one_of_them_finds_that_one(count: int) -> None:
    """The nearest comes first with its cosine, however many there are: also over several blocks, where signs choose who is looked at."""
    rows = _vectors(count, 384)
    index = _filled(rows)
    for number in range(0, count, max(count // 20, 1)):
        asked = _near(rows[number], number)
        key, cosine = index.nearest(_COMPAT, _BY, asked.tobytes(), 3)[0]
        assert key == _key(number)
        assert cosine == pytest.approx(float(asked.astype("f4") @ rows[number].astype("f4")), abs=1e-3)


def test_few_are_compared_without_loss() -> None:
    """Of a small group the order is that of an exact search."""
    rows = _vectors(500)
    index = _filled(rows)
    asked = _vectors(1, seed=1)[0]
    exact = np.argsort(-(rows.astype("f4") @ asked.astype("f4")))[:8]
    assert [key for key, _ in index.nearest(_COMPAT, _BY, asked.tobytes(), 8)] == [
        _key(int(n)) for n in exact
    ]


def test_only_equal_company_and_equal_embedder_are_compared() -> None:
    """The very same vector is not found from another compat, nor by another embedder's name."""
    vector = _vectors(1)[0].tobytes()
    index = Nearness()
    index.add(_key(1), _COMPAT, _BY, vector)
    assert index.nearest(_OTHER, _BY, vector, 5) == []
    assert index.nearest(_COMPAT, "other", vector, 5) == []
    assert [key for key, _ in index.nearest(_COMPAT, _BY, vector, 5)] == [_key(1)]


def test_what_was_removed_is_not_found_and_what_moved_is() -> None:
    """Removing moves others about; each is still found under its own key, and memory is given back."""
    rows = _vectors(9_000, 384)
    index = _filled(rows)
    full = index.held
    gone = set(range(0, 9_000, 3)) | set(range(5_000, 9_000))
    for number in gone:
        index.remove(_key(number))
    assert len(index) == 9_000 - len(gone)
    assert index.held < full
    for number in (1, 2, 3, 4_097, 4_999, 5_000, 8_999):
        found = [key for key, _ in index.nearest(_COMPAT, _BY, rows[number].tobytes(), 1)]
        assert (found == [_key(number)]) == (number not in gone)


def test_the_last_one_removed_leaves_nothing() -> None:
    """A group without entries takes no memory; removing again, or what was never there, is no error."""
    index = _filled(_vectors(3))
    for number in (0, 1, 2, 2, 77):
        index.remove(_key(number))
    assert (len(index), index.held) == (0, 0)


def test_a_key_that_is_added_again_has_its_new_vector_only() -> None:
    """An entry that was refreshed is found by its new question's vector, in its new company."""
    first, second = _vectors(2)
    index = Nearness()
    index.add(_key(1), _COMPAT, _BY, first.tobytes())
    index.add(_key(1), _OTHER, _BY, second.tobytes())
    assert index.nearest(_COMPAT, _BY, first.tobytes(), 1) == []
    assert [key for key, _ in index.nearest(_OTHER, _BY, second.tobytes(), 1)] == [_key(1)]


@pytest.mark.parametrize("vector", [b"", b"abc", _vectors(1, 32)[0].tobytes()])
def test_a_vector_that_cannot_be_compared_is_not_taken(vector: bytes) -> None:
    """None, half a number, or another length than its neighbours': nothing is known of the key, and nothing is raised."""
    index = _filled(_vectors(2))
    assert not index.add(_key(9), _COMPAT, _BY, vector)
    assert _key(9) not in index
    assert index.nearest(_COMPAT, _BY, vector, 1) == []


def test_searching_while_others_change_never_gives_a_wrong_cosine() -> None:
    """Whatever is added and removed meanwhile: a key that is found comes with its own cosine, never with that of the vector which took
    its place."""
    rows = _vectors(3_000, 64)
    index, stop = _filled(rows), threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number = (number + 7) % 3_000
            index.remove(_key(number))
            index.add(_key(number), _COMPAT, _BY, rows[number].tobytes())

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for number in range(0, 3_000, 20):
            asked = rows[number]
            for key, cosine in index.nearest(_COMPAT, _BY, asked.tobytes(), 8):
                own = rows[int.from_bytes(key, "big")]
                assert cosine == pytest.approx(float(own.astype("f4") @ asked.astype("f4")), abs=2e-3)
    finally:
        stop.set()
        changing.join()


def test_searches_beyond_the_line_are_turned_away() -> None:
    """A large group is searched by a thread; who comes when too many wait goes on without an answer instead of waiting."""
    rows = _vectors(LOOKED_AT + 1)
    index = Nearness(waiting=2)
    for number, row in enumerate(rows):
        index.add(_key(number), _COMPAT, _BY, row.tobytes())

    async def main() -> None:
        searches = [index.search(_COMPAT, _BY, rows[n].tobytes(), 1) for n in range(3)]
        first, second, third = await asyncio.gather(*searches, return_exceptions=True)
        assert not isinstance(first, BaseException)
        assert not isinstance(second, BaseException)
        assert (first[0][0], second[0][0]) == (_key(0), _key(1))
        assert isinstance(third, StoreUnavailable)
        assert (await index.search(_COMPAT, _BY, rows[2].tobytes(), 1))[0][0] == _key(2)

    asyncio.run(main())
    index.close()
