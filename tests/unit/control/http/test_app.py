"""What every route has in common: who is let in, what is refused and how, and that nothing breaks it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.admission.rights import ROLES
from headgate.control.http.problems import PROBLEMS
from headgate.control.http.reading import MOST_BODY
from headgate.control.http.route import Asked, route
from headgate.control.http.routes import ROUTES
from headgate.stores.errors import StoreTooNew, StoreUnavailable
from tests.support.aio import aio
from tests.support.operating import Operating

__all__: list[str] = []


class Thing(msgspec.Struct):
    """A thing."""

    id: str = "1"


class Query(msgspec.Struct):
    """A query."""

    limit: int = 5
    feature: str = ""


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A body."""

    name: str
    size: int = 1


class Perhaps(msgspec.Struct, forbid_unknown_fields=True):
    """A body that may be left out."""

    size: int = 1


async def look(asked: Asked[Query, None]) -> Thing:
    """Look."""
    return Thing(f"{asked.query.limit} {asked.query.feature}")


async def make(asked: Asked[None, Body]) -> Thing:
    """Make."""
    return Thing(f"{asked.body.name} {asked.body.size} {asked.actor}")


async def turn(asked: Asked[None, Perhaps]) -> Thing:
    """Turn."""
    return Thing(f"{asked.path['id']} {asked.body.size}")


async def wait(asked: Asked[None, None]) -> Thing:
    """Wait."""
    await asyncio.Event().wait()
    raise AssertionError


def raising(error: Exception) -> Any:
    async def fail(asked: Asked[None, None]) -> Thing:
        """Fail."""
        raise error

    return fail


THINGS = (
    route("GET", "/api/things", "api.me", look),
    route("POST", "/api/things", "api.keys.create", make, status=201),
    route("POST", "/api/things/{id}/turn", "api.keys.create", turn),
    route("GET", "/api/slow", "api.me", wait, seconds=0.01),
    route("GET", "/api/away", "api.me", raising(StoreUnavailable("/secret/path is locked"))),
    route("GET", "/api/new", "api.me", raising(StoreTooNew("newer"))),
    route("GET", "/api/bug", "api.me", raising(ZeroDivisionError("hg_secret"))),
)


def things() -> Operating:
    return Operating(routes=THINGS)


@aio
async def test_without_a_valid_key_nothing_is_told() -> None:
    """Not even what is served."""
    there = things()
    for path in ("/api/things", "/api/nothing", "/api", "/api/"):
        for told in (
            await there.ask("GET", path, key=""),
            await there.ask("GET", path, key="hg_nobody"),
            await there.ask("OPTIONS", path, key=""),
            await there.ask("GET", path, key="", headers={"authorization": "Basic eDpvd25lcg=="}),
        ):
            assert (told.status, told.code) == (401, "invalid_api_key")
            assert told.headers["www-authenticate"].startswith("Bearer")


@aio
async def test_a_key_is_taken_from_either_header() -> None:
    """As under /v1."""
    there = things()
    for headers in ({"x-api-key": "viewer"}, {"authorization": "bEaRer viewer "}):
        assert (await there.ask("GET", "/api/things", key="", headers=headers)).status == 200


@aio
async def test_a_role_without_the_right_is_refused_and_told_who_may() -> None:
    """Before anything that was sent is looked at."""
    told = await things().ask("POST", "/api/things", raw=b"{", key="viewer")
    assert (told.status, told.code) == (403, "not_allowed")
    assert "owner, operator" in told.json["detail"]


@aio
async def test_what_is_not_in_the_table_of_rights_is_for_nobody() -> None:
    """Whoever forgets the row has built nothing that anybody can reach."""
    there = Operating(routes=[route("GET", "/api/forgotten", "api.forgotten", look)])
    told = await there.ask("GET", "/api/forgotten")
    assert told.status == 403 and "none" in told.json["detail"]


@aio
async def test_paths_and_methods_nobody_serves_are_refused_with_what_there_is() -> None:
    """404 with the nearest path, 405 with the methods."""
    there = things()
    told = await there.ask("GET", "/api/thing")
    assert (told.status, told.code) == (
        404,
        "unknown_path",
    ) and "did you mean `/api/things`" in told.body.decode()
    for path in (
        "/api/things/",
        "/api/things/1",
        "/api/things//turn",
        "/api/things/1/turn/2",
        "/api",
        "/api/{id}",
    ):
        assert (await there.ask("GET", path)).status == 404
    told = await there.ask("DELETE", "/api/things")
    assert (told.status, told.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    told = await there.ask("OPTIONS", "/api/things/7/turn")
    assert (told.status, told.headers["allow"], told.body) == (204, "OPTIONS, POST", b"")
    assert "content-type" not in told.headers and "content-length" not in told.headers


@aio
async def test_head_is_get_without_a_body() -> None:
    """With the length that it would have."""
    there = things()
    told, whole = await there.ask("HEAD", "/api/things"), await there.ask("GET", "/api/things")
    assert told.status == 200 and told.body == b""
    assert told.headers["content-length"] == str(len(whole.body)) == whole.headers["content-length"]
    assert (await there.ask("HEAD", "/api/things/7/turn")).status == 405


@aio
async def test_what_is_sent_is_read_as_the_types_say() -> None:
    """Query, body and path; a body may be left out where nothing in it must be given."""
    there = things()
    assert (await there.ask("GET", "/api/things?limit=7&feature=a%20b")).json == {"id": "7 a b"}
    made = await there.ask("POST", "/api/things", {"name": "x"})
    assert made.status == 201 and made.json == {"id": "x 1 api:key_owner"}
    assert "location" not in made.headers  # there is no route to look at one
    assert (await there.ask("POST", "/api/things/7/turn")).json == {"id": "7 1"}
    assert (await there.ask("POST", "/api/things/7/turn", {"size": 3})).json == {"id": "7 3"}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("limt=5", "did you mean `limit`?"),
        ("x=1", "no parameter `x`; known are `limit`, `feature`"),
        ("limit=1&limit=2", "`limit` is given twice"),
        ("limit=many", "`limit`: expected `int`"),
        ("feature=%ff", "cannot be read"),
        ("&".join(f"p{n}=1" for n in range(99)), "at most 50 parameters"),
    ],
)
def test_a_query_that_is_not_right_is_refused_with_what_would_be(query: str, told: str) -> None:
    """Nothing is overlooked in silence: a filter with a typing error would show everything."""

    @aio
    async def run() -> None:
        refused = await things().ask("GET", f"/api/things?{query}")
        assert (refused.status, refused.code) == (400, "invalid_request")
        assert told in refused.json["detail"]

    run()


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b'{"name": "x"', "malformed_body", "is not JSON"),
        (b'{"name": "\xff"}', "malformed_body", "is not JSON"),
        (b"[" * 50_000, "invalid_request", "expected `object`"),
        (b'{"nam": "x"}', "invalid_request", "did you mean `name`?"),
        (b'{"size": 1}', "invalid_request", "missing required field `name`"),
        (b'{"name": 7}', "invalid_request", "`name`: expected `str`"),
        (b'{"name": "x", "size": 1e99}', "invalid_request", "`size`"),
        (b"null", "invalid_request", "expected `object`"),
        (b"", "unsupported_media_type", "application/json"),
    ],
)
def test_a_body_that_is_not_right_is_refused_with_what_would_be(body: bytes, code: str, told: str) -> None:
    """The field is named."""

    @aio
    async def run() -> None:
        refused = await things().ask("POST", "/api/things", raw=body)
        assert refused.code == code and told in refused.json["detail"]

    run()


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": ""},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-encoding": "gzip"},
    ],
)
def test_only_json_is_taken(headers: dict[str, str]) -> None:
    """What a form on a foreign page can send is not."""

    @aio
    async def run() -> None:
        refused = await things().ask("POST", "/api/things", {"name": "x"}, headers=headers)
        assert (refused.status, refused.code) == (415, "unsupported_media_type")

    run()


@aio
async def test_a_body_is_bounded_also_where_its_length_is_not_told() -> None:
    """And one that just fits is read."""
    there = things()
    large = {"name": "x" * MOST_BODY}
    for length in (None, ""):
        refused = await there.ask(
            "POST", "/api/things", large, headers={} if length is None else {"content-length": length}
        )
        assert (refused.status, refused.code) == (413, "body_too_large")
        assert refused.headers["connection"] == "close"
    fits = await there.ask("POST", "/api/things", {"name": "x" * (MOST_BODY - 12)})
    assert fits.status == 201


@aio
async def test_a_caller_who_leaves_before_the_body_is_there_gets_no_answer() -> None:
    """Nobody would read it."""
    there, sent = things(), []

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/api/things", "headers": [(b"x-api-key", b"owner")]}
    await there.app(scope, gone, send)
    assert sent == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/slow", 503, "took_too_long"),
        ("/api/away", 503, "database_unavailable"),
        ("/api/new", 503, "database_unavailable"),
        ("/api/bug", 500, "internal_error"),
    ],
)
def test_what_fails_inside_is_told_without_its_inside(
    path: str, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log knows the rest, under the id that the caller was given."""

    @aio
    async def run() -> None:
        told = await things().ask("GET", path)
        assert (told.status, told.code) == (status, code)
        assert "secret" not in told.body.decode()
        assert told.json["instance"] == told.headers["x-request-id"]
        assert ("retry-after" in told.headers) is (status == 503)
        if code != "took_too_long":
            assert told.json["instance"] in caplog.text

    run()


@aio
async def test_a_problem_is_as_rfc_9457_wants_it() -> None:
    """Type, title, status, detail, instance; the type leads to a page that is there."""
    there = things()
    told = await there.ask("GET", "/api/nothing")
    assert told.headers["content-type"] == "application/problem+json"
    assert set(told.json) == {"type", "title", "status", "detail", "instance", "code", "param"}
    path, _, anchor = told.json["type"].partition("#")
    assert f'id="{anchor}"' in (await there.ask("GET", path, key="")).body.decode()
    assert told.json["status"] == told.status == 404
    assert told.headers["cache-control"] == "no-store"


@aio
async def test_a_stopping_gateway_takes_no_more() -> None:
    """The next one, or this one in a moment, does."""
    there = things()
    there.stopping = True
    told = await there.ask("GET", "/api/things")
    assert (told.status, told.code) == (503, "shutting_down")


def test_every_code_says_what_to_do() -> None:
    """In a sentence."""
    assert all(kind.title and kind.advice.endswith(".") for kind in PROBLEMS.values())


TEXT = st.text(max_size=40)
BYTES = st.binary(max_size=200)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "WHAT"]),
    place=st.sampled_from([each.path for each in ROUTES] + ["/api/x"]),
    value=TEXT,
    query=st.one_of(
        st.text(alphabet="abcdefilmnorst=&%+0123456789f", max_size=60), st.just("limit=1&cursor=9")
    ),
    body=st.one_of(
        BYTES,
        st.recursive(st.none() | st.integers() | TEXT, lambda x: st.dictionaries(TEXT, x)).map(
            msgspec.json.encode
        ),
    ),
    kind=st.sampled_from(["application/json", "application/json;charset=UTF-8", "text/html", "\xff"]),
    role=st.sampled_from(list(ROLES)),
)
def test_nothing_that_anybody_sends_breaks_it(
    method: str, place: str, value: str, query: str, body: bytes, kind: str, role: str
) -> None:
    """Whatever it is: an answer that is not our fault, of the shape that is promised."""

    async def run() -> None:
        told = await OPEN_TO_ALL.ask(
            method,
            f"{place.replace('{id}', value.replace('?', ''))}?{query}",
            raw=body,
            key=role,
            headers={"content-type": kind},
        )
        assert 200 <= told.status < 500
        if told.status >= 400 and method != "HEAD":
            assert PROBLEMS[told.code].status == told.status

    asyncio.run(run())


OPEN_TO_ALL = Operating()


def test_the_app_serves_all_routes_unless_told_otherwise() -> None:
    """So that nobody forgets to name them."""

    @aio
    async def run() -> None:
        told = (await Operating().ask("GET", "/api/openapi.json", key="")).json
        assert set(told["paths"]) == {each.path for each in ROUTES}

    run()
