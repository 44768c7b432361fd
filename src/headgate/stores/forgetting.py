"""Everything of one user is deleted: what was asked and answered, and the name wherever it stands. Money stays, under a name that
means nobody.

Pieces are small, so that writers go on; whoever is cut off begins again and finishes. A prompt that somebody else has sent in
the very same bytes is deleted too: nobody knows any more whose it was.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headgate.stores.answers import AnswerStore, Selection
from headgate.stores.audit import AuditEntry
from headgate.stores.keeping import Change, Keeper
from headgate.stores.rollups import OTHER
from headgate.stores.segments import CONTENT_EPOCH

__all__ = ["Forgotten", "UserHasKeys", "forget"]

_AT_ONCE = 200
_PAGE = 2_000
_NEVER = (1 << 63) - 1
_NOTE = "INSERT INTO installation (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class UserHasKeys(Exception):
    """Keys of the user are valid: what is deleted now would come again. `names`: theirs."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"{'keys' if len(names) > 1 else 'a key'} of this user still valid: {', '.join(names)}; revoke first "
            "(`headgate keys revoke NAME`), so that nothing comes anew"
        )
        self.names = names


class Forgotten(msgspec.Struct, kw_only=True):
    """What was deleted."""

    requests: int = 0
    """Requests whose name, content, session, tags and words of errors are gone; tokens, times and cost stay."""
    contents: int = 0
    """Prompts and answers."""
    sessions: int = 0
    scores: int = 0
    """Judgements whose words and names are gone; numbers stay."""
    sums: int = 0
    """Rows of sums that bear another name now."""
    alerts: int = 0
    receivers: int = 0
    answers: int = 0
    """Answers that were kept to be given again."""
    ledger: int = 0
    """Movements of money that bear another name now."""
    pseudonym: str = ""
    """What stands in the name's place where money is counted. Made by chance; nothing leads back from it."""
    scoured: bool = True
    """Does nothing of it stand in the database's files any more?"""


@dataclass(slots=True)
class _Known:
    """What the user's requests say, besides the user."""

    sessions: set[str] = field(default_factory=set)
    tags: Counter[tuple[str, str]] = field(default_factory=Counter)
    own_tags: set[tuple[str, str]] = field(default_factory=set)
    """Those that nobody else's requests have."""


async def forget(
    keeper: Keeper,
    user: str,
    *,
    audit: AuditEntry,
    other_budgets: Collection[str] = (),
    answers: Sequence[AnswerStore] = (),
    whole: bool = False,
) -> Forgotten:
    """Forget a user. answers: wherever answers are kept that may be given again. audit: what is noted, without the name; the counts are added to it. other_budgets: whose subjects are no users.
    whole: see `Keeper.scour`. Raises UserHasKeys, ValueError for no name, StoreUnavailable."""
    if not user:
        raise ValueError("whom to forget is not said")
    names = await keeper.read(
        'SELECT name FROM "key" WHERE "user" = ? AND revoked_ns IS NULL ORDER BY name', [user]
    )
    if names:
        raise UserHasKeys([row[0] for row in names])
    done = Forgotten(pseudonym=f"forgotten-{os.urandom(6).hex()}")
    known = await _what_is_known(keeper, user)
    # What is found by the requests comes before them: cut off in the middle, it is found again.
    await _sessions(keeper, user, known, done)
    await _sums(keeper, user, known, done)
    await _scores(keeper, user, done)
    await _answers(keeper, user, answers, done)
    await _alerts(keeper, user, known, done)
    await _money(keeper, user, other_budgets, done)
    await _keys_and_log(keeper, user, other_budgets, done)
    await _requests(keeper, user, done)
    if done.requests:
        # Also where no contents were kept: each node's journal may name the user, and is begun anew when this changes.
        await keeper.change([(_NOTE, [(CONTENT_EPOCH, os.urandom(8))])])
    done.scoured = await keeper.scour(whole=whole)
    after = {**msgspec.structs.asdict(done)}
    await keeper.change([], msgspec.structs.replace(audit, after=msgspec.json.encode(after).decode()))
    return done


async def _what_is_known(keeper: Keeper, user: str) -> _Known:
    known, at = _Known(), 0
    while True:
        rows = await keeper.read(
            'SELECT id, session, tags FROM request WHERE "user" = ? AND "user" <> \'\' AND id > ? ORDER BY +id LIMIT ?',
            [user, at, _PAGE],
        )
        for number, session, tags in rows:
            at = number
            if session:
                known.sessions.add(session)
            for name, value in _object(tags).items():
                known.tags[name, str(value)] += 1
        if len(rows) < _PAGE:
            return known


async def _sessions(keeper: Keeper, user: str, known: _Known, done: Forgotten) -> None:
    rows = await keeper.read('SELECT session FROM session WHERE "user" = ?', [user])
    names = sorted(known.sessions | {row[0] for row in rows})
    shared = []
    for name in names:
        others = await keeper.read(
            "SELECT 1 FROM request WHERE session = ? AND session <> '' AND \"user\" NOT IN ('', ?) LIMIT 1",
            [name, user],
        )
        if others:
            # What the others said in it stays theirs, and so does its name.
            shared.append(name)
    if shared:
        mine = [(user, name) for name in shared]
        await keeper.change([('UPDATE session SET "user" = \'\' WHERE "user" = ? AND session = ?', mine)])
        names = sorted(set(names).difference(shared))
    for some in _pieces(names):
        await keeper.change(
            [
                ("DELETE FROM session WHERE session = ?", [(name,) for name in some]),
                (
                    (
                        "UPDATE score SET text = '', label = '', session = '', event = 'forgotten:' || id "
                        "WHERE session = ? AND session <> ''"
                    ),
                    [(name,) for name in some],
                ),
            ]
        )
    done.sessions = len(names)


async def _sums(keeper: Keeper, user: str, known: _Known, done: Forgotten) -> None:
    """Of a tag's value only what was this user's alone: another's sums must not lose their name."""
    # What stands for all beyond those that are kept apart is nobody's name here, whoever is called so.
    wanted = [("user", user, done.pseudonym)] if user != OTHER else []
    for number, ((name, value), count) in enumerate(known.tags.items()):
        rows = await keeper.read(
            "SELECT coalesce(sum(requests), 0) FROM spend WHERE seconds = 86400 AND dimension = ? AND value = ?",
            [f"tag:{name}", value],
        )
        if value != OTHER and int(rows[0][0]) <= count:
            known.own_tags.add((name, value))
            wanted.append((f"tag:{name}", value, f"{done.pseudonym}.{number}"))
    for dimension, value, instead in wanted:
        keys = await keeper.read(
            'SELECT seconds, "at" FROM spend WHERE dimension = ? AND value = ?', [dimension, value]
        )
        text = 'UPDATE spend SET value = ? WHERE seconds = ? AND "at" = ? AND dimension = ? AND value = ?'
        for some in _pieces(keys):
            await keeper.change([(text, [(instead, seconds, at, dimension, value) for seconds, at in some])])
        done.sums += len(keys)
    if user == OTHER:
        return
    keys = await keeper.read('SELECT "at", feature, model, error_class FROM failure WHERE "user" = ?', [user])
    text = 'UPDATE failure SET "user" = ? WHERE "at" = ? AND feature = ? AND model = ? AND error_class = ? AND "user" = ?'
    for some in _pieces(keys):
        await keeper.change([(text, [(done.pseudonym, *key, user) for key in some])])
    done.sums += len(keys)


_BLANK_SCORE = (
    "UPDATE score SET text = '', label = '', session = '', event = 'forgotten:' || id, "
    'author = CASE WHEN author = ? THEN ? ELSE author END, "user" = CASE WHEN "user" = ? THEN ? ELSE "user" END WHERE '
)


async def _scores(keeper: Keeper, user: str, done: Forgotten) -> None:
    names = (user, done.pseudonym, user, done.pseudonym)
    rows = await keeper.read('SELECT id FROM score WHERE "user" = ? OR author = ?', [user, user])
    for some in _pieces(rows):
        await keeper.change([(f"{_BLANK_SCORE}id = ?", [(*names, row[0]) for row in some])])
    done.scores += len(rows)


async def _answers(keeper: Keeper, user: str, stores: Sequence[AnswerStore], done: Forgotten) -> None:
    """Answers that were made for the user, or are theirs; and what was learned from asking again what they had asked."""
    for store in stores:
        done.answers += (await store.remove(Selection(user=user))).entries
    made: list[int] = []
    at = 0
    while stores:
        rows = await keeper.read(
            "SELECT id, cache FROM request WHERE \"user\" = ? AND \"user\" <> '' AND id > ? AND cache <> '' ORDER BY +id LIMIT ?",
            [user, at, _PAGE],
        )
        if not rows:
            break
        at = rows[-1][0]
        made += [number for number, cache in rows if cache in ("miss", "refreshed")]
        for store in stores:
            await store.unlearn([row[0] for row in rows])
    for store in stores if made else ():
        done.answers += (await store.remove(Selection(origins=made))).entries


async def _alerts(keeper: Keeper, user: str, known: _Known, done: Forgotten) -> None:
    """Alerts about the user, told or not; receivers that hear of nobody else; the state of rules about them."""
    subjects = {f"user:{user}", *(f"tag:{name}:{value}" for name, value in known.own_tags)}
    last = 0
    while True:
        rows = await keeper.read(
            "SELECT id, subject, facts FROM alert WHERE id > ? ORDER BY id LIMIT ?", [last, _PAGE]
        )
        # By what they say they are about: a feature may be called as a user is.
        about = [
            (row[0],) for row in rows if row[1] in subjects or str(_object(row[2]).get("user", "")) == user
        ]
        for some in _pieces(about):
            await keeper.change(
                [("DELETE FROM delivery WHERE alert_id = ?", some), ("DELETE FROM alert WHERE id = ?", some)]
            )
        done.alerts += len(about)
        if len(rows) < _PAGE:
            break
        last = rows[-1][0]
    receivers = await keeper.read("SELECT name FROM receiver WHERE subject = ?", [f"user:{user}"])
    done.receivers = len(receivers)
    await keeper.change(
        [
            ("DELETE FROM receiver WHERE subject = ?", [(f"user:{user}",)]),
            ("DELETE FROM rule_state WHERE subject = ?", [(each,) for each in subjects]),
        ]
    )


async def _money(keeper: Keeper, user: str, other_budgets: Collection[str], done: Forgotten) -> None:
    uses = await keeper.read("SELECT budget, period FROM budget_use WHERE subject = ?", [user])
    mine = [(budget, period) for budget, period in uses if budget not in other_budgets]
    entries = await keeper.read(
        'SELECT id, budget, subject, "user" FROM ledger_entry WHERE "user" = ? OR subject = ?', [user, user]
    )
    moved = [row for row in entries if row[3] == user or row[1] not in other_budgets]
    new = done.pseudonym
    await keeper.change(
        [
            (
                "UPDATE budget_use SET subject = ? WHERE budget = ? AND subject = ? AND period = ?",
                [(new, budget, user, period) for budget, period in mine],
            )
        ]
    )
    if moved:
        text = (
            'UPDATE ledger_entry SET "user" = CASE WHEN "user" = ? THEN ? ELSE "user" END, '
            "subject = CASE WHEN subject = ? THEN ? ELSE subject END, note = '' WHERE id = ?"
        )
        changes: list[Change] = [(text, [(user, new, user, new, row[0]) for row in moved])]
        await keeper.change(changes, unlocked="ledger_entry")
    done.sums += len(mine)
    done.ledger = len(moved)


async def _keys_and_log(keeper: Keeper, user: str, other_budgets: Collection[str], done: Forgotten) -> None:
    """Whose a revoked key was, and what the audit log says of the user: that a key was given, that alerts were sent, that money came."""
    await keeper.change([('UPDATE "key" SET "user" = ? WHERE "user" = ?', [(done.pseudonym, user)])])
    last, changed = 0, []
    while True:
        rows = await keeper.read(
            'SELECT id, "before", "after" FROM audit WHERE id > ? ORDER BY id LIMIT ?', [last, _PAGE]
        )
        for number, *told in rows:
            last = number
            without = [_without(text, user, other_budgets, done.pseudonym) for text in told]
            if without != told:
                changed.append((*without, number))
        if len(rows) < _PAGE:
            break
    text = 'UPDATE audit SET "before" = ?, "after" = ? WHERE id = ?'
    for some in _pieces(changed):
        await keeper.change([(text, some)], unlocked="audit")


def _without(told: str, user: str, other_budgets: Collection[str], instead: str) -> str:
    """What an entry of the audit log tells, with another name for the user and without words about them."""
    facts = _object(told)
    mine = {
        "user": user,
        "subject": f"user:{user}",
        "for": user if facts.get("budget") not in other_budgets else None,
    }
    found = [name for name, value in mine.items() if value is not None and facts.get(name) == value]
    if not found:
        return told
    for name in found:
        facts[name] = f"user:{instead}" if name == "subject" else instead
    for name in ("address", "note"):
        if facts.get(name):
            facts[name] = ""
    return msgspec.json.encode(facts).decode()


async def _requests(keeper: Keeper, user: str, done: Forgotten) -> None:
    names = (user, done.pseudonym, user, done.pseudonym)
    while True:
        rows = await keeper.read(
            'SELECT id, request_content, reply_content FROM request WHERE "user" = ? AND "user" <> \'\' LIMIT ?',
            [user, _AT_ONCE],
        )
        if not rows:
            return
        hashes = list({each for row in rows for each in row[1:] if each})
        for segment, some in (await keeper.segments(hashes)).items() if hashes else ():
            done.contents += await keeper.drop(segment, some, _NEVER)
        ids = [(row[0],) for row in rows]
        await keeper.change(
            [
                (f"{_BLANK_SCORE}request_id = ?", [(*names, row[0]) for row in rows]),
                (
                    "UPDATE attempt SET error_detail = '', upstream_request_id = '' WHERE request_id = ?",
                    ids,
                ),
                (
                    (
                        "UPDATE request SET \"user\" = ?, session = '', tags = '', notes = '', error_detail = '', trace_id = '', "
                        "parent_id = '', request_content = '', reply_content = '', variables = '' WHERE id = ?"
                    ),
                    [(done.pseudonym, row[0]) for row in rows],
                ),
            ]
        )
        done.requests += len(rows)


def _pieces(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except (msgspec.DecodeError, msgspec.ValidationError):
        return {}
