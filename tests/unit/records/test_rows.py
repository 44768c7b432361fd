"""Rows are filled by position: each field must find its place."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from headgate.core.errors import CallerHungUp, ContextTooLong, ProviderFailed, ShuttingDown, UnknownModel
from headgate.core.usage import Usage
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.records.attempts import Ended, ended_attempt, leaving_attempt, outcome_of
from headgate.records.entries import Plain
from headgate.records.places import Place
from headgate.records.rows import Over, closed_request, open_request
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.exchanges import BODY, Desk

__all__: list[str] = []

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def told():
    """An exchange and its attempt in which every word and number is another one."""
    desk = Desk()
    exchange = desk.exchange(stream=True)
    exchange.received_at = 100.0
    exchange.trace_parent = TRACE
    exchange.user, exchange.session, exchange.feature = "user", "session", "feature"
    exchange.routed_model, exchange.queued_seconds = "routed", 0.25
    exchange.tags, exchange.notes = {"tag": "1"}, {"note": "2"}
    exchange.peek.model = "requested"
    exchange.tier, exchange.degraded, exchange.purpose = "complex", "say", "shadow"
    exchange.prompt, exchange.replay_of = "greeting@7", 99
    exchange.cache, exchange.origin_id, exchange.similarity = "semantic", 98, 0.973
    exchange.avoided_nanos, exchange.avoided_us = 97, 96
    exchange.variables = {"name": "Ada"}
    attempt = desk.attempt(exchange, replace(desk.endpoint(model="model"), credential="key 2"))
    attempt.reserved_nanos, attempt.fingerprint = 150, "fp_1"
    attempt.kind = "retry"
    attempt.wire = "wire"
    attempt.started_at, attempt.connected_at, attempt.sent_at = 101.0, 102.0, 103.0
    attempt.first_byte_at, attempt.first_content_at, attempt.ended_at = 104.0, 105.0, 106.0
    attempt.status, attempt.reported_model, attempt.upstream_request_id = 299, "reported", "upstream"
    attempt.finish_reason = "max_tokens"
    attempt.error = ProviderFailed("said", detail="detail")
    attempt.usage = Usage(input=1, cache_read=2, cache_write=3, cache_write_1h=4, output=5, reasoning=6)
    return exchange, attempt


TOKENS = {
    "input_tokens": 1,
    "cache_read_tokens": 2,
    "cache_write_tokens": 3,
    "cache_write_1h_tokens": 4,
    "output_tokens": 5,
    "reasoning_tokens": 6,
}


def as_dict(row) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def ended(exchange: Exchange, attempt: Attempt) -> Ended:
    place = Place(attempt.endpoint)
    return ended_attempt(exchange, attempt, place, ended_at=107.0, hung_up=False, completion=None)


def ended_row(exchange: Exchange, attempt: Attempt) -> AttemptRow:
    return attempt_row(ended(exchange, attempt).row)


def over_of(exchange: Exchange, attempts: list[Ended], begun_at: float = 0.0) -> Over:
    """It ended well."""
    return closed_request(
        exchange,
        attempts,
        config_hash="hash",
        status=200,
        outcome="ok",
        error=None,
        ended_at=107.0,
        bytes_out=0,
        begun_at=begun_at,
    )


def request_row(values: Plain) -> RequestRow:
    """As the writer reads it out of the journal."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(values), type=RequestRow)


def attempt_row(values: Plain) -> AttemptRow:
    """As the writer reads it out of the journal."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(values), type=AttemptRow)


def test_every_field_of_an_attempt_is_in_its_place() -> None:
    """No two values are alike, so none can stand for another."""
    exchange, attempt = told()
    row = ended_row(exchange, attempt)
    assert as_dict(row) == {
        "id": attempt.id,
        "request_id": exchange.id,
        "number": 1,
        "provider": "openai",
        "model": "model",
        "wire": "wire",
        "reported_model": "reported",
        "region": "eu",
        "status": 299,
        "outcome": "failed",
        "error_class": "provider_failed",
        "error_detail": "detail",
        "finish_reason": "max_tokens",
        "started_us": 1_000_000,
        "connected_us": 2_000_000,
        "sent_us": 3_000_000,
        "first_byte_us": 4_000_000,
        "first_content_us": 5_000_000,
        "ended_us": 6_000_000,
        **TOKENS,
        "cost_nanos": None,
        "cost_label": "exact",
        "upstream_request_id": "upstream",
        "kind": "retry",
        "credential": "key 2",
        "reserved_nanos": 150,
        "fingerprint": "fp_1",
    }


def test_every_field_of_a_closed_request_is_in_its_place() -> None:
    """As for attempts; cost and content hashes are the writer's."""
    exchange, attempt = told()
    attempts = [ended(exchange, attempt)]
    over = closed_request(
        exchange,
        attempts,
        config_hash="hash",
        status=502,
        outcome="failed",
        error=ProviderFailed("words"),
        ended_at=107.0,
        bytes_out=77,
    )
    assert as_dict(request_row(over.row)) == {
        "id": exchange.id,
        "started_ns": exchange.started_ns,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "parent_id": "b7ad6b7169203331",
        "key_id": "key_1",
        "team": "canal",
        "tenant": "acme",
        "user": "user",
        "session": "session",
        "feature": "feature",
        "tags": '{"tag":"1"}',
        "operation": "chat",
        "dialect": "openai.chat",
        "stream": True,
        "requested_model": "requested",
        "routed_model": "routed",
        "reported_model": "reported",
        "provider": "openai",
        "region": "eu",
        "config_hash": "hash",
        "status": 502,
        "outcome": "failed",
        "error_class": "provider_failed",
        "error_detail": "words",
        "finish_reason": "max_tokens",
        "attempts": 1,
        "queued_us": 250_000,
        "first_upstream_us": 4_000_000,
        "first_content_us": 5_000_000,
        "total_us": 7_000_000,
        "overhead_us": 1_750_000,
        **TOKENS,
        "cost_nanos": None,
        "cost_label": "",
        "bytes_in": len(BODY),
        "bytes_out": 77,
        "request_content": "",
        "reply_content": "",
        "notes": '{"note":"2"}',
        "tier": "complex",
        "degraded": "say",
        "purpose": "shadow",
        "avoided_nanos": 97,
        "prompt": "greeting@7",
        "replay_of": 99,
        "cache": "semantic",
        "origin_id": 98,
        "avoided_us": 96,
        "cache_read_saved_nanos": 0,
        "cache_write_extra_nanos": 0,
        "similarity": 973_000,
        "variables": '{"name":"Ada"}',
    }


def test_what_is_not_to_be_said_is_left_out_at_the_end() -> None:
    """A row that ends early says what the default says, to every Headgate that reads it."""
    desk = Desk()
    exchange = desk.exchange()
    attempt = desk.attempt(exchange)
    attempt.started_at = attempt.ended_at = exchange.received_at
    values = (open_request(exchange, "hash"), over_of(exchange, [ended(exchange, attempt)]).row)
    for value, last in zip(values, ("bytes_in", "bytes_out"), strict=True):
        assert RequestRow.__struct_fields__[len(value) - 1] == last
        assert msgspec.structs.astuple(request_row(value))[: len(value)] == tuple(value)
    leaving, over = leaving_attempt(exchange, attempt, Place(attempt.endpoint)), ended(exchange, attempt).row
    for value, last in ((leaving, "started_us"), (over, "cost_label")):
        assert AttemptRow.__struct_fields__[len(value) - 1] == last
    exchange.notes = {"why": "because"}
    assert request_row(over_of(exchange, []).row).notes == '{"why":"because"}'


def test_an_open_request_says_the_same_as_the_closed_one_will() -> None:
    """Every field it fills has the value that the end will repeat."""
    exchange, attempt = told()
    opened = as_dict(request_row(open_request(exchange, "hash")))
    closed = as_dict(request_row(over_of(exchange, []).row))
    filled = {name for name, value in opened.items() if value not in ("", 0, None)}
    assert {name for name in filled if opened[name] != closed[name]} == set()
    assert {
        "key_id",
        "team",
        "user",
        "session",
        "feature",
        "tags",
        "config_hash",
        "queued_us",
        "bytes_in",
    } <= filled
    leaving = as_dict(attempt_row(leaving_attempt(exchange, attempt, Place(attempt.endpoint))))
    assert (leaving["id"], leaving["model"], leaving["wire"], leaving["region"]) == (
        attempt.id,
        "model",
        "wire",
        "eu",
    )
    assert leaving["started_us"] == 1_000_000


def test_what_was_given_again_has_cost_nothing() -> None:
    """That is known, so it is 0; its first content came when the answer was there."""
    exchange, _ = told()
    exchange.queued_seconds = 0.5
    row = given(exchange, cache="exact")
    assert (row.cost_nanos, row.attempts, row.provider) == (0, 0, "")
    assert (row.first_content_us, row.total_us, row.overhead_us) == (2_000_000, 7_000_000, 1_500_000)
    # Who waited for another one's call did nothing meanwhile.
    assert given(exchange, cache="joined").overhead_us == 0
    # What was not given, and asked nobody, costs nothing that anybody knows of.
    assert given(exchange, cache="miss").cost_nanos is None


def given(exchange: Exchange, *, cache: str) -> RequestRow:
    exchange.cache = cache
    return request_row(over_of(exchange, [], begun_at=102.0).row)


def test_variables_of_prompts_are_contents() -> None:
    """Where contents are not kept, neither are they."""
    exchange, _ = told()
    assert request_row(open_request(exchange, "hash")).variables == '{"name":"Ada"}'
    assert request_row(open_request(exchange, "hash", words=False)).variables == ""


def test_what_happened_at_the_very_start_is_not_what_never_happened() -> None:
    """0 microseconds say "did not happen"; something at the first moment is 1."""
    exchange, attempt = told()
    attempt.started_at, attempt.connected_at = exchange.received_at, 0.0
    row = ended_row(exchange, attempt)
    assert (row.started_us, row.connected_us) == (1, 0)


def test_the_words_of_an_error_are_bounded() -> None:
    """A provider's page of HTML does not fill the table."""
    exchange, attempt = told()
    attempt.error = ProviderFailed("x", detail="y" * 10_000)
    row = ended_row(exchange, attempt)
    assert len(row.error_detail) == 2_000


def test_an_outcome_names_who_is_to_blame() -> None:
    """A caller who left is nobody's failure; ours and the provider's are failures; the caller's mistakes are refusals."""
    assert outcome_of(None, hung_up=False) == "ok"
    assert outcome_of(None, hung_up=True) == outcome_of(CallerHungUp("left"), hung_up=False) == "hung_up"
    assert outcome_of(ProviderFailed("x"), hung_up=True) == "hung_up"
    assert (
        outcome_of(ProviderFailed("x"), hung_up=False)
        == outcome_of(ShuttingDown("x"), hung_up=False)
        == "failed"
    )
    assert (
        outcome_of(UnknownModel("x"), hung_up=False)
        == outcome_of(ContextTooLong("x"), hung_up=False)
        == "refused"
    )
