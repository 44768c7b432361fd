"""What is noticed as a change, and what is not."""

from __future__ import annotations

from typing import Any

from headgate.stores.noticing import Noticing
from headgate.stores.rollups import HOUR, Mark
from headgate.stores.spans import AttemptRow, RequestRow

__all__: list[str] = []

START = 1_790_000_000
SECOND = 10**9


class Node:
    """A process, and the store that it shares with others."""

    def __init__(self, stored: dict[str, bytes] | None = None) -> None:
        self.noticing = Noticing()
        self.stored = {} if stored is None else stored
        self.looks = 0

    def batch(self, *rows: tuple[float, str, str, str]) -> list[Mark]:
        """rows: (seconds since the start, configuration, reported model, fingerprint)."""
        requests, attempts = [], []
        for number, (at, config, reported, fingerprint) in enumerate(rows, 1):
            started = round((START + at) * SECOND)
            requests.append(RequestRow(number, started, "t", config_hash=config))
            said: dict[str, Any] = {"reported_model": reported, "fingerprint": fingerprint}
            attempts.append(AttemptRow(number, number, 1, "openai", "gpt", **said))
        found = self.noticing.look(requests, attempts)
        if not found:
            return []
        self.looks += 1
        marks, self.stored["it"] = self.noticing.settle(self.stored.get("it"), found)
        return marks


def told(marks: list[Mark]) -> list[tuple[str, str, float]]:
    return [(mark.kind, mark.subject, mark.at_ns / SECOND - START) for mark in marks]


def test_the_first_of_everything_is_no_change() -> None:
    """There is nothing before it."""
    node = Node()
    assert not node.batch((0, "c1", "gpt-1", "fp_1"))
    assert not node.batch((1, "c1", "gpt-1", "fp_1"))
    assert node.looks == 1


def test_a_change_is_told_with_what_was_before_it() -> None:
    """Of the configuration, the model and the fingerprint, each at the moment it was first seen."""
    node = Node()
    node.batch((0, "c1", "gpt-1", "fp_1"))
    marks = node.batch((10, "c2", "gpt-2", "fp_2"))
    assert told(marks) == [("config", "", 10), ("model", "openai/gpt", 10), ("fingerprint", "openai/gpt", 10)]
    assert [mark.text for mark in marks] == [
        "configuration c2 serves; before it was c1",
        "openai/gpt answers as gpt-2; before it was gpt-1",
        "openai/gpt answers with fingerprint fp_2; before it was fp_1",
    ]
    assert len({mark.event for mark in marks}) == 3


def test_a_request_that_began_under_the_old_configuration_does_not_bring_it_back() -> None:
    """A long stream ends after the change."""
    node = Node()
    node.batch((0, "c1", "", ""))
    assert told(node.batch((10, "c2", "", ""))) == [("config", "", 10)]
    assert not node.batch((5, "c1", "", ""), (11, "c2", "", ""))
    assert told(node.batch((20, "c1", "", ""))) == [("config", "", 20)]


def test_what_another_node_has_noticed_is_not_told_again() -> None:
    """Each node is given the new configuration a moment later."""
    shared: dict[str, bytes] = {}
    one, other = Node(shared), Node(shared)
    one.batch((0, "c1", "", "fp_1"))
    other.batch((1, "c1", "", "fp_1"))
    assert len(one.batch((10, "c2", "", "fp_2"))) == 2
    assert not other.batch((11, "c2", "", "fp_2"))


def test_a_restart_with_another_configuration_is_a_change() -> None:
    """What was before is stored."""
    shared: dict[str, bytes] = {}
    Node(shared).batch((0, "c1", "", ""))
    assert not Node(shared).batch((5, "c1", "", ""))
    assert told(Node(shared).batch((10, "c2", "", ""))) == [("config", "", 10)]


def test_fingerprints_that_come_in_turn_are_told_once() -> None:
    """A provider with two sorts of machines; also after a restart, and after days."""
    shared: dict[str, bytes] = {}
    node = Node(shared)
    node.batch((0, "c", "", "fp_1"))
    assert len(node.batch((60, "c", "", "fp_2"))) == 1
    for hour in range(1, 100):
        assert not node.batch((hour * HOUR, "c", "", "fp_1"), (hour * HOUR + 1, "c", "", "fp_2"))
    assert not Node(shared).batch((100 * HOUR, "c", "", "fp_1"), (100 * HOUR, "c", "", "fp_2"))


def test_one_that_was_away_for_a_day_has_come_back() -> None:
    """A provider that takes its new version back."""
    node = Node()
    node.batch((0, "c", "", "fp_1"))
    node.batch((60, "c", "", "fp_2"))
    for hour in range(1, 30):
        assert not node.batch((hour * HOUR, "c", "", "fp_2"))
    assert told(node.batch((30 * HOUR, "c", "", "fp_1"))) == [("fingerprint", "openai/gpt", 30 * HOUR)]


def test_there_is_one_mark_an_hour_for_a_model() -> None:
    """One that says something else each time does not fill the plot, nor the memory."""
    node = Node()
    marks = [mark for number in range(600) for mark in node.batch((number * 60, "c", "", f"fp_{number}"))]
    assert 9 <= len(marks) <= 11
    assert len(node.stored["it"]) < 2_000


def test_there_is_an_end_to_how_many_models_are_watched() -> None:
    """Their names may be callers' own."""
    noticing, stored, found = Noticing(), None, []
    for number in range(1_200):
        row = RequestRow(number, START * SECOND, "t", config_hash="c")
        attempt = AttemptRow(number, number, 1, "openai", f"m{number}", reported_model="r")
        found = noticing.look([row], [attempt])
        if found:
            _, stored = noticing.settle(stored, found)
    assert not found
    assert stored is not None and len(stored) < 100_000
