"""Questions whose answers show whether the ledger adds up. Their SQL, plain enough for every engine, and who answers.

Each fault has a question of its own that is answered with what is at fault, and with nothing if all is well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

__all__ = ["FAULTS", "QUESTIONS", "LedgerChecks", "Question"]

Question = Literal[
    "requests",
    "calls",
    "entries",
    "days",
    "pots",
    "request_sums",
    "request_attempts",
    "twice",
    "homeless",
    "not_voided",
    "wrong_voids",
    "swept",
]

QUESTIONS: dict[Question, str] = {
    # before this moment, ns as text, calls may have been deleted by retention
    "swept": "SELECT value FROM installation WHERE name = 'spans_swept'",
    # how many, nano-dollars of those whose cost is known
    "requests": "SELECT count(*), sum(CASE WHEN cost_label = 'unknown' THEN 0 ELSE cost_nanos END) FROM request",
    # how many, nano-dollars, those of requests that have another call of unknown cost, set aside, calls of unknown cost
    "calls": (
        "SELECT count(*), sum(a.cost_nanos), sum(CASE WHEN r.cost_label = 'unknown' THEN a.cost_nanos ELSE 0 END), "
        "sum(a.reserved_nanos), sum(CASE WHEN a.cost_nanos IS NULL THEN 1 ELSE 0 END) "
        "FROM attempt a LEFT JOIN request r ON r.id = a.request_id"
    ),
    # kind, how many, nano-dollars
    "entries": "SELECT kind, count(*), sum(nanos) FROM ledger_entry GROUP BY kind ORDER BY kind",
    # day since 1970, the most that its calls and entries can have taken from one pot
    "days": (
        "SELECT day, sum(nanos) FROM ("
        "SELECT r.started_ns / 86400000000000 AS day, "
        "CASE WHEN a.cost_nanos IS NULL THEN a.reserved_nanos ELSE a.cost_nanos END AS nanos "
        "FROM attempt a JOIN request r ON r.id = a.request_id UNION ALL "
        "SELECT at_ns / 86400000000000, nanos FROM ledger_entry WHERE kind IN ('orphan', 'void')"
        ") AS taken GROUP BY day ORDER BY day"
    ),
    # budget, period, how many subjects, nano-dollars, the least that one of them has
    "pots": (
        "SELECT budget, period, count(*), sum(nanos), min(nanos) FROM budget_use "
        "GROUP BY budget, period ORDER BY budget, period"
    ),
    # request, its cost, the cost of its calls
    "request_sums": (
        "SELECT r.id, coalesce(r.cost_nanos, 0), coalesce(sum(a.cost_nanos), 0) "
        "FROM request r LEFT JOIN attempt a ON a.request_id = r.id WHERE r.cost_label <> 'unknown' "
        "GROUP BY r.id, r.cost_nanos HAVING coalesce(r.cost_nanos, 0) <> coalesce(sum(a.cost_nanos), 0) "
        "ORDER BY r.id LIMIT 1000"
    ),
    # request, how many calls it says it had, how many there are
    "request_attempts": (
        "SELECT r.id, r.attempts, count(a.id) FROM request r LEFT JOIN attempt a ON a.request_id = r.id "
        "GROUP BY r.id, r.attempts HAVING r.attempts <> count(a.id) ORDER BY r.id LIMIT 1000"
    ),
    # call, how often it is there
    "twice": ("SELECT id, count(*), 0 FROM attempt GROUP BY id HAVING count(*) > 1 ORDER BY id LIMIT 1000"),
    # call, its request that is not there, its cost
    "homeless": (
        "SELECT a.id, a.request_id, coalesce(a.cost_nanos, 0) FROM attempt a "
        "LEFT JOIN request r ON r.id = a.request_id WHERE r.id IS NULL ORDER BY a.id LIMIT 1000"
    ),
    # call, what its orphan says, what it has cost: both count
    "not_voided": (
        "SELECT a.id, e.nanos, coalesce(a.cost_nanos, 0) FROM ledger_entry e "
        "JOIN attempt a ON a.request_id = e.request_id AND a.id = e.attempt_id "
        "LEFT JOIN ledger_entry v ON v.event = 'void:' || e.attempt_id "
        "WHERE e.kind = 'orphan' AND v.event IS NULL ORDER BY a.id LIMIT 1000"
    ),
    # call, what is taken back, what was there to be taken back
    "wrong_voids": (
        "SELECT v.attempt_id, v.nanos, coalesce(e.nanos, 0) FROM ledger_entry v "
        "LEFT JOIN ledger_entry e ON e.event = 'orphan:' || v.attempt_id "
        "WHERE v.kind = 'void' AND (e.event IS NULL OR e.nanos <> -v.nanos) ORDER BY v.attempt_id LIMIT 1000"
    ),
}

FAULTS: dict[Question, str] = {
    "request_sums": "request {0} says {1} nano-dollars, its calls say {2}",
    "request_attempts": "request {0} says that it had {1} calls, and there are {2}",
    "twice": "call {0} is there {1} times",
    "homeless": "call {0} of {2} nano-dollars belongs to request {1}, which is not there",
    "not_voided": "call {0} counts twice: {1} nano-dollars as an orphan and {2} by its own record",
    "wrong_voids": "the void of call {0} takes back {1} nano-dollars, and its orphan was {2}",
}
"""Question -> each of its answers in words."""


class LedgerChecks(Protocol):
    """What a store says about its own ledger. Reads everything there is: for the command line."""

    async def check(self, question: Question) -> Sequence[Sequence[Any]]:
        """The rows that answer one of QUESTIONS. Raises StoreUnavailable."""
        ...
