"""A user who is forgotten stands nowhere any more: shown by looking for planted words in every byte; run on each engine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.core.ids import IdSource
from headgate.stores.alerts import Alert, ReceiverRecord
from headgate.stores.audit import AuditEntry
from headgate.stores.backends import postgres, sqlite
from headgate.stores.forgetting import Forgotten, UserHasKeys, forget
from headgate.stores.keys import KeyRecord
from headgate.stores.ledger import Entry
from headgate.stores.ledger_checks import FAULTS
from headgate.stores.segments import CONTENT_EPOCH, piece
from headgate.stores.sink import Batch, Position, Use
from headgate.stores.spans import AttemptRow, Content, RequestRow
from headgate.stores.totals import Which
from tests.support.aio import aio
from tests.support.stores import SHARED, open_stores

__all__: list[str] = []

MARK = "zq7markerzq7"
"""Stands in everything that is the user's, and in nothing else."""
ANN = f"ann-{MARK}"
ENTRY = AuditEntry(at_ns=1, actor="test", action="user.forget", subject="hash")
SEGMENT_NOISE = 40


class Subject:
    def __init__(self, backend: str, place: Path | str) -> None:
        self.backend, self.place = backend, place
        self.stores = open_stores(backend, place)
        database: Any = self.stores.database
        self.keeper = (sqlite.SqliteKeeper if backend == "sqlite" else postgres.PostgresKeeper)(database)
        self.alerts = (sqlite.SqliteAlerts if backend == "sqlite" else postgres.PostgresAlerts)(database)
        self.ledger = (sqlite.SqliteLedger if backend == "sqlite" else postgres.PostgresLedger)(database)
        self.ids = IdSource(node=1)
        self._offset = 0

    def write(self, user: str, *, mark: str, rounds: int = 1) -> list[int]:
        """Requests of this user, all of whose words have the mark."""
        made = []
        for number in range(rounds):
            request_id = self.ids.next()
            made.append(request_id)
            # Noise cannot be compressed: in the file it stands as it is, and the mark in it.
            data = [
                b"%b%b %b" % (os.urandom(2_000), mark.encode(), kind) for kind in (b"in-prompt", b"in-answer")
            ]
            contents = [
                Content(hash=f"{request_id * 2 + place:032x}", kind="openai.chat", data=each, size=len(each))
                for place, each in enumerate(data)
            ]
            row = RequestRow(
                request_id,
                time.time_ns(),
                f"{mark}-trace",
                parent_id=f"{mark}-parent",
                user=user,
                session=f"session-{mark}-{number % 3}",
                tags=msgspec.json.encode({"mail": f"{mark}@x", "task": "shared"}).decode(),
                notes=f'{{"route":"{mark}"}}',
                error_detail=f"they said {mark}",
                variables=f'{{"name":"{mark}"}}',
                error_class="timeout",
                outcome="failed",
                feature="chat",
                cost_nanos=5,
                cost_label="exact",
                attempts=1,
                request_content=contents[0].hash,
                reply_content=contents[1].hash,
            )
            attempt = AttemptRow(
                self.ids.next(), request_id, 1, "p", "m",
                error_detail=f"they said {mark}", upstream_request_id=f"{mark}-up", cost_nanos=5, cost_label="exact",
            )  # fmt: skip
            self._offset += 1
            self.stores.sink.write(
                Batch(
                    journal="j",
                    position=Position(1, self._offset),
                    requests=[row],
                    attempts=[attempt],
                    contents=contents,
                    uses=[Use(attempt.id, "per-user", user, 0, 5)],
                )
            )
        return made

    async def plant(self) -> None:
        """What stands beside requests."""
        await self.alerts.add(
            Alert(
                event=f"budget:per-user:{ANN}:0:0.8:1", kind="budget", subject=f"user:{ANN}", severity="info",
                at_ns=1, text=f"User `{ANN}` has spent", facts={"user": ANN},
            ),
            ["ops"], 1,
        )  # fmt: skip
        await self.alerts.add_receiver(
            ReceiverRecord(
                name="hers", created_ns=1, kind="email", address=f"{MARK}@x", subject=f"user:{ANN}"
            ),
            ENTRY,
        )
        await self.stores.ledger.add(
            [
                Entry(
                    event="deposit:1",
                    at_ns=1,
                    kind="deposit",
                    nanos=-9,
                    budget="per-user",
                    subject=ANN,
                    note=MARK,
                ),
                Entry(event="orphan:9", at_ns=1, kind="orphan", nanos=3, user=ANN, attempt_id=9),
                Entry(
                    event="deposit:2",
                    at_ns=1,
                    kind="deposit",
                    nanos=-9,
                    budget="teams",
                    subject="red",
                    note="n",
                ),
            ]
        )
        add = (
            'INSERT INTO score (event, at_ns, request_id, session, name, kind, number, label, text, source, author, "user") '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        scores = [
            ("e1-" + MARK, 1, 7, "", "thumbs", "text", 1.0, MARK, f"comment {MARK}", "user", ANN, ""),
            ("e2", 1, 0, f"session-{MARK}-0", "done", "boolean", 0.0, "", MARK, "user", "", ""),
            ("e3", 1, 8, "", "thumbs", "boolean", 1.0, "kept", "stays", "user", "bob", "bob"),
        ]
        await self.keeper.change([(add, scores)])

    async def everything(self) -> bytes:
        """All that the engine keeps: the bytes of every file, or every column of every table."""
        if self.backend == "sqlite":
            assert isinstance(self.place, Path)
            return b"".join(path.read_bytes() for path in sorted(self.place.rglob("*")) if path.is_file())
        tables = await self.keeper.read(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        found = []
        for (table,) in tables:
            rows = await self.keeper.read(f'SELECT * FROM "{table}"')
            found.append(f"{table}: {rows!r}".encode())
        return b"\n".join(found) + await self._opened()

    async def _opened(self) -> bytes:
        rows = await self.keeper.read("SELECT data FROM content_segment")
        return b"".join(piece(bytes(row[0]), 0, 10**9) for row in rows)


@pytest.fixture(params=SHARED)
def backend(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def subject(backend: str, place: Path | str) -> Iterator[Subject]:
    made = Subject(backend, place)
    yield made
    aio(made.stores.aclose)()


def test_no_byte_of_a_forgotten_user_is_left(subject: Subject) -> None:
    """Name, prompts, answers, sessions, tags, comments, words of errors, alerts: in no table, and in no byte of a file. What is
    others' stays, and the ledger adds up as before."""
    for _ in range(SEGMENT_NOISE):
        subject.write("bob", mark="bobs")
        subject.write(ANN, mark=MARK)
    subject.write("bob", mark="bobs", rounds=SEGMENT_NOISE)

    @aio
    async def check() -> None:
        await subject.plant()
        before = await subject.everything()
        for planted in (
            f"{MARK} in-prompt",
            f"{MARK} in-answer",
            f"comment {MARK}",
            f"session-{MARK}",
            f"{MARK}@x",
            ANN,
        ):
            assert planted.encode() in before
        totals = await subject.stores.spans.totals([], Which())
        done = await forget(subject.keeper, ANN, audit=ENTRY, other_budgets=["teams"])
        assert (done.requests, done.contents, done.alerts, done.receivers, done.ledger) == (40, 80, 1, 1, 2)
        assert done.sessions == 1  # its requests are all in one
        assert await subject.stores.spans.totals([], Which()) == totals
        left = await subject.everything()
        assert MARK.encode() not in left
        assert b"bobs" in left
        for question in FAULTS:
            assert list(await subject.ledger.check(question)) == [], question
        again = await forget(subject.keeper, ANN, audit=ENTRY)
        nothing = Forgotten(pseudonym=again.pseudonym, scoured=again.scoured)
        assert again == nothing

    check()


def test_what_is_others_stays_whole(subject: Subject) -> None:
    """Their contents, tags, scores and sums; a value of a tag that both have keeps its name."""
    (theirs,) = subject.write("bob", mark="bobs")
    subject.write(ANN, mark=MARK)

    @aio
    async def check() -> None:
        await subject.plant()
        before = await subject.stores.spans.request(theirs)
        await forget(subject.keeper, ANN, audit=ENTRY)
        assert await subject.stores.spans.request(theirs) == before
        assert before is not None
        kept = await subject.stores.spans.content(before.request_content)
        assert kept is not None
        assert b"bobs" in kept.data
        assert await subject.keeper.read("SELECT text, author FROM score WHERE event = 'e3'") == [
            ("stays", "bob")
        ]
        sums = await subject.keeper.read(
            "SELECT value, requests FROM spend WHERE dimension = 'tag:task' AND seconds = 86400"
        )
        assert list(sums) == [("shared", 2)]
        users = await subject.keeper.read(
            "SELECT value FROM spend WHERE dimension = 'user' AND seconds = 86400"
        )
        assert len(users) == 2
        assert ("bob",) in users
        with pytest.raises(Exception, match="only ever added to"):
            await subject.keeper.alter("UPDATE ledger_entry SET nanos = 0")

    check()


def test_a_user_whose_key_is_valid_is_not_forgotten_yet(subject: Subject) -> None:
    """What is deleted now would come again."""

    @aio
    async def check() -> None:
        await subject.stores.keys.add(
            KeyRecord(id="k1", name="hers", hash="h", created_ns=1, user=ANN), ENTRY
        )
        with pytest.raises(UserHasKeys, match="hers"):
            await forget(subject.keeper, ANN, audit=ENTRY)
        await subject.stores.keys.revoke("k1", 2)
        await forget(subject.keeper, ANN, audit=ENTRY)

    check()


def test_the_deed_is_in_the_audit_log_without_the_name(subject: Subject) -> None:
    """With what was deleted."""
    subject.write(ANN, mark=MARK)

    @aio
    async def check() -> None:
        await forget(subject.keeper, ANN, audit=ENTRY)
        (entry,) = await subject.stores.audit.since(0, 10)
        assert (entry.action, entry.subject) == ("user.forget", "hash")
        assert msgspec.json.decode(entry.after)["requests"] == 1
        assert MARK not in entry.after

    check()


def test_journals_are_begun_anew_also_where_no_contents_were_kept(subject: Subject) -> None:
    """Other nodes' journals name the user too; they look at this mark."""

    @aio
    async def check() -> None:
        row = RequestRow(subject.ids.next(), time.time_ns(), "t", user=ANN)
        subject.stores.sink.write(Batch(journal="j", position=Position(1, 1), requests=[row]))
        text = "SELECT value FROM installation WHERE name = ?"
        before = await subject.keeper.read(text, [CONTENT_EPOCH])
        await forget(subject.keeper, "nobody-of-that-name", audit=ENTRY)
        assert await subject.keeper.read(text, [CONTENT_EPOCH]) == before
        await forget(subject.keeper, ANN, audit=ENTRY)
        assert await subject.keeper.read(text, [CONTENT_EPOCH]) != before

    check()


def test_nobody_is_nobody(subject: Subject) -> None:
    """Requests without a user are not one user's."""

    @aio
    async def check() -> None:
        with pytest.raises(ValueError, match="not said"):
            await forget(subject.keeper, "", audit=ENTRY)

    check()


def test_a_key_that_was_the_users_says_so_no_more(subject: Subject) -> None:
    """It stays revoked, and its requests stay its own; whose it was is forgotten."""

    @aio
    async def check() -> None:
        await subject.stores.keys.add(
            KeyRecord(id="k1", name="laptop", hash="h", created_ns=1, user=ANN), ENTRY
        )
        await subject.stores.keys.revoke("k1", 2)
        done = await forget(subject.keeper, ANN, audit=ENTRY)
        (kept,) = await subject.stores.keys.all()
        assert (kept.user, kept.revoked_ns) == (done.pseudonym, 2)
        assert MARK.encode() not in await subject.everything()

    check()


def test_the_audit_log_does_not_name_the_user_either(subject: Subject) -> None:
    """Who was given a key, whose alerts go where, whose money came: that it was done stays, about whom does not. Who else has a
    name in it, keeps it."""

    def told(**facts: object) -> str:
        return msgspec.json.encode(facts).decode()

    hers = [
        told(user=ANN, roles=["service"], note=MARK),
        told(name="r", subject=f"user:{ANN}", address=f"{MARK}@x"),
        told(budget="credits", **{"for": ANN}, usd="5", note=MARK),
    ]
    others = [told(user="bob", note="b"), told(budget="teams", **{"for": "red"}), "", "no JSON"]

    @aio
    async def check() -> None:
        for text in (*hers, *others):
            entry = AuditEntry(at_ns=1, actor="cli:eve", action="x", subject="s", before=text, after=text)
            await subject.stores.audit.add(entry)
        done = await forget(subject.keeper, ANN, audit=ENTRY, other_budgets=["teams"])
        entries = await subject.stores.audit.since(0, 10)
        assert [each.after for each in entries[3:7]] == [each.before for each in entries[3:7]] == others
        assert msgspec.json.decode(entries[0].after) == {
            "user": done.pseudonym, "roles": ["service"], "note": "",
        }  # fmt: skip
        assert msgspec.json.decode(entries[2].before)["usd"] == "5"
        assert MARK.encode() not in await subject.everything()
        with pytest.raises(Exception, match="only ever added to"):
            await subject.keeper.alter("UPDATE audit SET actor = ''")

    check()


@pytest.mark.parametrize("name", ["red", "role"])
def test_a_word_of_the_log_that_is_called_as_a_user_stays(subject: Subject, name: str) -> None:
    """A team's money is no user's, and a role is no name."""
    entry = AuditEntry(
        at_ns=1, actor="x", action="x", after=f'{{"budget":"teams","for":"red","roles":["{name}"]}}'
    )

    @aio
    async def check() -> None:
        await subject.stores.audit.add(entry)
        await forget(subject.keeper, name, audit=ENTRY, other_budgets=["teams"])
        assert (await subject.stores.audit.since(0, 9))[0].after == entry.after

    check()


@pytest.mark.parametrize("name", ["other", "*", "%", "_", "a'b\"c", "ü" * 200, " ", "user:eve", "chat"])
def test_odd_names_are_names_like_others(subject: Subject, name: str) -> None:
    """No pattern, and nobody else's: also one that is called as what stands for all others, or as a feature."""
    subject.write(name, mark=MARK)
    subject.write("bob", mark="bobs")

    @aio
    async def check() -> None:
        keeper = subject.keeper
        add = (
            "INSERT INTO spend (seconds, at, dimension, value, requests) VALUES (86400, 0, 'user', 'other', 7)"
            if subject.backend == "sqlite"
            else "INSERT INTO spend (seconds, \"at\", dimension, value, requests) VALUES (86400, 0, 'user', 'other', 7)"
        )
        await keeper.alter(add)
        await keeper.alter(
            'INSERT INTO failure ("at", feature, model, error_class, "user", requests) '
            "VALUES (0, 'chat', 'm', 'timeout', 'other', 7)"
        )
        for number, about in enumerate(("chat", "user:eve", "all", "*")):
            await subject.alerts.add(
                Alert(
                    event=f"rule:slow:{about}:{number}", kind="rule", subject=about, severity="info",
                    at_ns=1, text=f"`slow` of feature `{about}` is in alarm", facts={"feature": about},
                ),
                ["ops"], 1,
            )  # fmt: skip
        await keeper.alter(
            "INSERT INTO rule_state (rule, subject, state, since_ns, looked_ns) VALUES ('slow', 'chat', 'alert', 1, 1)"
        )
        done = await forget(keeper, name, audit=ENTRY)
        assert done.requests == 1
        assert MARK.encode() not in await subject.everything()
        bobs = await keeper.read('SELECT count(*) FROM request WHERE "user" = ?', ["bob"])
        assert list(bobs) == [(1,)]
        for text in (
            "SELECT requests FROM spend WHERE dimension = 'user' AND value = 'other' AND \"at\" = 0",
            'SELECT requests FROM failure WHERE "user" = \'other\' AND "at" = 0',
        ):
            assert list(await keeper.read(text)) == [(7,)]
        assert len(await subject.alerts.since(0, 10)) == 4
        assert list(await keeper.read("SELECT subject FROM rule_state")) == [("chat",)]

    check()


def test_an_alert_about_somebody_with_a_similar_name_stays(subject: Subject) -> None:
    """And what somebody else said in a conversation that both were in."""
    subject.write(ANN, mark="both")
    subject.write("bob", mark="both")

    @aio
    async def check() -> None:
        add = (
            'INSERT INTO score (event, at_ns, request_id, session, name, kind, number, label, text, source, author, "user") '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        row = ("e1", 1, 8, "session-both-0", "comment", "text", None, "", "bob's words", "user", "bob", "bob")
        await subject.keeper.change([(add, [row])])
        await forget(subject.keeper, ANN, audit=ENTRY)
        assert list(await subject.keeper.read("SELECT text FROM score WHERE event = 'e1'")) == [
            ("bob's words",)
        ]

    check()
