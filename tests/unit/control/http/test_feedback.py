"""`/api/feedback`, `/api/scores`, `/api/quality` and `/feedback`, over stores in memory."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.admission.rights import routes_of
from headgate.control.http.open_feedback import MOST_BODY, OpenFeedback, State
from headgate.core.ids import IdSource, parse_request_id, request_id_text
from headgate.exchange.caller import Caller
from headgate.quality.feedback import Tokens
from headgate.quality.settings import FeedbackSettings
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.scores import MemoryScores
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow
from tests.support.aio import aio
from tests.support.operating import Operating, configuration

__all__: list[str] = []

IDS = IdSource(node=1)


class Shop(Operating):
    """An installation with a request that is stored, of the role `service`'s key."""

    def __init__(self, *, content: bool = True, **feedback: Any) -> None:
        spans = MemorySpans()
        settings = configuration().settings
        settings.feedback = FeedbackSettings(**feedback)
        settings.records = SimpleNamespace(content=content)
        super().__init__(
            records=spans,
            scores=MemoryScores(spans),
            configuration=lambda: SimpleNamespace(hash="c", path=None, settings=settings),
        )
        self.stored = spans
        self.request = self.ask_model()

    def ask_model(self, **given: Any) -> str:
        """The id of a request that is stored."""
        usual: dict[str, Any] = {
            "key_id": "key_service",
            "team": "web",
            "feature": "chat",
            "routed_model": "small",
            "prompt": "hello@1",
            "session": "s1",
        }
        number = IDS.next()
        row = RequestRow(number, 5, "t", **(usual | given))
        self.stored.write(Batch(journal="j", position=Position(), requests=[row], attempts=(), contents=()))
        return request_id_text(number)


@aio
async def test_an_application_tells_what_its_user_thinks() -> None:
    """And sees what became of it; reviewers read the words, viewers do not."""
    shop = Shop()
    said = {"request": shop.request, "thumbs": "down", "comment": "Wrong city.", "user": "ann"}
    told = await shop.ask("POST", "/api/feedback", said, key="service")
    assert told.status == 200
    assert told.json["items"] == [
        {"about": shop.request, "names": ["thumbs", "comment"], "state": "joined", "left_out": []}
    ]
    listed = await shop.ask("GET", "/api/feedback?feature=chat&name=comment", key="reviewer")
    (comment,) = listed.json["items"]
    assert (comment["text"], comment["author"], comment["prompt"]) == ("Wrong city.", "ann", "hello@1")
    unread = await shop.ask("GET", "/api/feedback", key="viewer")
    assert [each["text"] for each in unread.json["items"]] == ["", ""]
    assert (await shop.ask("GET", "/api/feedback", key="service")).status == 403


@aio
async def test_several_are_told_at_once_and_repeated_harmlessly() -> None:
    """An event counts once, in whichever message it comes."""
    shop = Shop()
    items = [
        {"request": shop.request, "thumbs": "up", "event": "e1"},
        {"session": "s1", "task_completed": True, "event": "e2"},
    ]
    first = await shop.ask("POST", "/api/feedback", {"items": items}, key="service")
    again = await shop.ask("POST", "/api/feedback", {"items": items}, key="service")
    assert [each["state"] for each in first.json["items"]] == ["joined", "joined"]
    assert [each["state"] for each in again.json["items"]] == ["repeated", "repeated"]
    means = await shop.ask("GET", "/api/quality?by=", key="viewer")
    assert [(each["name"], each["scores"]) for each in means.json["items"]] == [
        ("task_completed", 1),
        ("thumbs", 1),
    ]


@aio
async def test_a_request_that_is_sent_again_by_its_name_counts_once() -> None:
    """The header `idempotency-key` names it, where no event does."""
    shop = Shop()
    said = {"items": [{"request": shop.request, "rating": 1}, {"request": shop.request, "thumbs": "up"}]}
    states = []
    for name in ("once", "once", "twice"):
        told = await shop.ask("POST", "/api/feedback", said, key="service", headers={"idempotency-key": name})
        states.append([each["state"] for each in told.json["items"]])
    assert states == [["joined"] * 2, ["repeated"] * 2, ["joined"] * 2]


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"thumbs": "up"}, "request"),
        ({"request": "req_x", "thumbs": "up"}, "request"),
        ({"request": request_id_text(IDS.next() - (3600_000 << 22)), "thumbs": "up"}, "request"),
        ({"request": request_id_text(IDS.next())}, ""),
        ({"items": [{"session": "s", "thumbs": "up"}], "thumbs": "up"}, "items[1].request"),
        ({"items": [{"session": "s", "thumbs": "up"}, {"session": "s"}]}, "items[1]"),
        ({"thumb": "up"}, "thumb"),
        ({"session": "s", "thumbs": "sideways"}, "thumbs"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(said: dict[str, Any], param: str) -> None:
    """Nothing of it is kept."""

    @aio
    async def run() -> None:
        shop = Shop()
        told = await shop.ask("POST", "/api/feedback", said, key="service")
        assert (told.status, told.code) == (400, "invalid_request")
        assert told.json["param"] == param
        assert not (await shop.ask("GET", "/api/feedback")).json["items"]

    run()


@aio
async def test_requests_of_others_are_not_there() -> None:
    """For another key it is as if there were no such request; its team and whoever runs the gateway may judge it."""
    shop = Shop()
    said = {"request": shop.request, "thumbs": "up"}
    developer = shop.callers["developer"]
    assert (await shop.ask("POST", "/api/feedback", said, key="developer")).status == 400
    shop.callers["developer"] = Caller(
        key_id=developer.key_id, team="web", roles=developer.roles, routes=developer.routes
    )
    assert (await shop.ask("POST", "/api/feedback", said, key="developer")).status == 200
    assert (await shop.ask("POST", "/api/feedback", said, key="operator")).status == 200
    assert (await shop.ask("POST", "/api/feedback", said, key="viewer")).status == 403


@aio
async def test_texts_are_not_kept_where_contents_are_not() -> None:
    """The thumb is, and the answer says what is not; a comment alone is refused."""
    shop = Shop(content=False)
    said = {"request": shop.request, "thumbs": "up", "comment": "PLANTED"}
    told = await shop.ask("POST", "/api/feedback", said, key="service")
    assert told.json["items"][0]["left_out"] == ["comment"]
    alone = await shop.ask(
        "POST", "/api/feedback", {"request": shop.request, "comment": "PLANTED"}, key="service"
    )
    assert alone.status == 400 and "records.content" in alone.json["detail"]
    assert b"PLANTED" not in (await shop.ask("GET", "/api/feedback")).body


@aio
async def test_programs_score_with_name_and_version() -> None:
    """The latest score of a version counts; another version's counts beside it."""
    shop = Shop()

    async def score(number: float, version: str) -> int:
        body = {
            "evaluator": "exact",
            "version": version,
            "items": [{"request": shop.request, "name": "match", "number": number}],
        }
        return (await shop.ask("POST", "/api/scores", body, key="service")).status

    assert [await score(0.5, "1"), await score(0.25, "1"), await score(0.75, "2")] == [200, 200, 200]
    (mean,) = (await shop.ask("GET", "/api/quality?by=prompt&name=match")).json["items"]
    assert (mean["scores"], mean["mean"], mean["group"], mean["kind"]) == (2, 0.5, "hello@1", "number")
    both = {"evaluator": "e", "items": [{"request": shop.request, "name": "m", "number": 1, "boolean": True}]}
    assert (await shop.ask("POST", "/api/scores", both, key="service")).status == 400


@aio
async def test_what_is_worst_is_told_by_prompt_and_by_request() -> None:
    """One bad judgement is not the worst prompt, but the worst request."""
    shop = Shop()
    for _ in range(12):
        half = shop.ask_model(prompt="half@1"), shop.ask_model(prompt="half@1")
        for request, thumbs in zip(half, ("up", "down"), strict=True):
            await shop.ask("POST", "/api/feedback", {"request": request, "thumbs": thumbs}, key="service")
    once = shop.ask_model(prompt="once@1", session="s9")
    await shop.ask("POST", "/api/feedback", {"request": once, "thumbs": "down"}, key="service")
    prompts = (await shop.ask("GET", "/api/quality/worst?by=prompt")).json
    assert prompts["name"] == "thumbs" and prompts["items"][0]["group"] == "half@1"
    requests = (await shop.ask("GET", "/api/quality/worst?by=request&limit=3")).json["items"]
    assert requests[0]["group"] == once and requests[0]["mean"] == 0.0
    sessions = (await shop.ask("GET", "/api/quality/worst?by=session")).json["items"]
    assert [each["group"] for each in sessions] == ["s9", "s1"]
    assert (await shop.ask("GET", "/api/quality/worst?name=nothing")).json["items"] == []


@aio
async def test_changes_are_asked_by_metric() -> None:
    """What is not there is refused; an empty installation has none."""
    shop = Shop()
    assert (await shop.ask("GET", "/api/quality/changes")).json == {"items": []}
    assert (await shop.ask("GET", "/api/quality/changes?metric=latency&feature=chat")).json == {"items": []}
    assert (await shop.ask("GET", "/api/quality/changes?metric=beauty")).status == 400


@aio
async def test_lists_come_in_pages() -> None:
    """`next` of one is `cursor` of the next, to the end."""
    shop = Shop()
    for number in range(5):
        said = {"request": shop.request, "thumbs": "up", "user": str(number)}
        await shop.ask("POST", "/api/feedback", said, key="service")
    seen, cursor = [], ""
    while cursor is not None:
        page = (await shop.ask("GET", f"/api/feedback?limit=2&cursor={cursor}")).json
        seen += [each["author"] for each in page["items"]]
        cursor = page["next"]
    assert seen == ["4", "3", "2", "1", "0"]


@aio
async def test_a_token_is_made_for_ones_own_requests() -> None:
    """If the configuration opens `/feedback`."""
    closed = Shop()
    body = {"request": closed.request}
    assert (await closed.ask("POST", "/api/feedback/tokens", body, key="service")).status == 400
    shop = Shop(origins=["https://shop.example"])
    made = await shop.ask("POST", "/api/feedback/tokens", {"request": shop.request}, key="service")
    assert made.status == 200 and made.json["token"].startswith("hgf_")
    others = await shop.ask("POST", "/api/feedback/tokens", {"request": shop.request}, key="developer")
    assert others.status == 404


class Browser:
    """A page that sends feedback."""

    def __init__(self, **feedback: Any) -> None:
        self.shop = Shop()
        self.now = 100.0
        given: dict[str, Any] = {"tokens": True, "origins": ["https://shop.example"]}
        settings = FeedbackSettings(**(given | feedback))
        self.tokens = Tokens(b"s" * 32, lambda: 1000.0, 60)
        self.state: State | None = State(settings, self.tokens, content=True)
        self.app = OpenFeedback(self.shop.desk.scores, lambda: self.state, lambda: self.now)

    def token(self) -> str:
        return self.tokens.mint(parse_request_id(self.shop.request))

    async def send(
        self,
        body: object = None,
        *,
        method: str = "POST",
        origin: str = "https://shop.example",
        kind: str = "application/json",
    ) -> tuple[int, dict[str, str], Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = [(b"content-type", kind.encode()), (b"origin", origin.encode())]
        told: dict[str, Any] = {"body": b""}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": data, "more_body": False}

        async def answer(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                told["headers"] = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                told["body"] += message["body"]

        scope = {
            "type": "http",
            "method": method,
            "path": "/feedback",
            "headers": [h for h in headers if h[1]],
        }
        await self.app(scope, receive, answer)
        return told["status"], told["headers"], json.loads(told["body"] or b"null")


@aio
async def test_a_browser_judges_its_answer() -> None:
    """With the token of this answer, from a page that may."""
    browser = Browser()
    status, headers, body = await browser.send(
        {"token": browser.token(), "thumbs": "up", "comment": "Thanks"}, kind="text/plain;charset=UTF-8"
    )
    assert (status, body) == (200, {"kept": ["thumbs", "comment"], "left_out": []})
    assert headers["access-control-allow-origin"] == "https://shop.example"
    listed = (await browser.shop.ask("GET", f"/api/feedback?request={browser.shop.request}")).json["items"]
    assert [each["name"] for each in listed] == ["comment", "thumbs"] and listed[0]["joined"]


@aio
async def test_a_browser_asks_first_whether_it_may() -> None:
    """A page that is not named may not, and is told so without the header that would let it read."""
    browser = Browser()
    status, headers, _ = await browser.send(method="OPTIONS")
    assert status == 204 and headers["access-control-allow-methods"] == "POST"
    status, headers, _ = await browser.send(method="OPTIONS", origin="https://evil.example")
    assert status == 403 and "access-control-allow-origin" not in headers
    status, _, _ = await browser.send({"token": browser.token(), "thumbs": "up"}, origin="")
    assert status == 200
    browser.state = None
    assert (await browser.send({}))[0] == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"token": "hgf_nonsense", "thumbs": "up"}, 401),
        ({"thumbs": "up"}, 400),
        ({"token": "TOKEN"}, 400),
        ({"token": "TOKEN", "thumbs": "up", "name": "own"}, 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"x" * (MOST_BODY + 1), 413),
    ],
)
def test_a_browser_that_sends_nonsense_is_refused(body: Any, status: int) -> None:
    """A token lets nobody choose names of scores."""

    @aio
    async def run() -> None:
        browser = Browser()
        if isinstance(body, dict) and body.get("token") == "TOKEN":
            body["token"] = browser.token()
        assert (await browser.send(body))[0] == status
        assert (await browser.send({}, method="GET"))[0] == 405
        assert (await browser.send({}, kind="image/png"))[0] == 415

    run()


@aio
async def test_feedback_from_browsers_is_bounded() -> None:
    """So many a second from all, and so many for one answer."""
    browser = Browser(per_second=1.0)
    said = {"token": browser.token(), "thumbs": "up"}
    told = [(await browser.send(said))[0] for _ in range(7)]
    assert told == [200] * 5 + [429] * 2
    browser.now += 1
    assert (await browser.send(said))[0] == 200
    one = Browser(per_second=1000.0)
    said = {"token": one.token(), "thumbs": "up"}
    assert [(await one.send(said))[0] for _ in range(22)] == [200] * 20 + [429] * 2


def test_roles_that_ask_models_may_judge() -> None:
    """And who only looks may not."""
    assert "api.feedback.give" in routes_of(["service"]) and "api.scores.add" in routes_of(["developer"])
    assert "api.feedback.give" not in routes_of(["viewer"])


@aio
async def test_a_token_for_a_request_under_way_is_good_only_if_it_turns_out_to_be_ones_own() -> None:
    """Ids can be guessed: whoever asks before a request of somebody else is stored gets nothing by it."""
    browser = Browser()
    shop = browser.shop
    shop.desk.configuration().settings.feedback = FeedbackSettings(tokens=True)
    browser.tokens._keyed = Tokens(await shop.keys.secret(), lambda: 1000.0, 60)._keyed
    coming = request_id_text(IDS.next())
    made = await shop.ask("POST", "/api/feedback/tokens", {"request": coming}, key="developer")
    assert made.status == 200
    said = browser.tokens.read(made.json["token"])
    assert (said.key_id, said.request_id) == ("key_developer", parse_request_id(coming))
    shop.stored.write(
        Batch(
            journal="j",
            position=Position(),
            requests=[RequestRow(said.request_id, 5, "t", key_id="key_service", feature="chat")],
            attempts=(),
            contents=(),
        )
    )
    status, _, _ = await browser.send({"token": made.json["token"], "thumbs": "down"})
    assert status == 400
    assert (await shop.ask("GET", f"/api/feedback?request={coming}")).json["items"] == []


@aio
async def test_who_has_no_token_cannot_shut_out_those_who_have_one() -> None:
    """What is refused takes nothing from what all together may send."""
    browser = Browser(per_second=1.0)
    for _ in range(50):
        assert (await browser.send({"token": "hgf_nonsense", "thumbs": "up"}))[0] == 401
    assert (await browser.send({"token": browser.token(), "thumbs": "up"}))[0] == 200


@pytest.mark.parametrize("about", ["request", "session", "model"])
@aio
async def test_words_about_a_feature_that_keeps_no_contents_are_kept_nowhere(about: str) -> None:
    """Thumbs are; it is said what is left out. Of others words are kept as before."""
    shop = Shop()
    shop.desk.configuration().settings.features = {
        "quiet": SimpleNamespace(content=False),
        "chat": SimpleNamespace(content=True),
    }
    given = {"requested_model": "quiet"} if about == "model" else {"feature": "quiet"}
    quiet = shop.ask_model(**given, session="hush")
    target = {"session": "hush"} if about == "session" else {"request": quiet}
    said = {**target, "thumbs": "down", "comment": "too much", "correction": "less"}
    told = await shop.ask("POST", "/api/feedback", said, key="service")
    assert told.status == 200
    assert told.json["items"][0]["left_out"] == ["comment", "correction"]
    kept = (await shop.ask("GET", "/api/feedback?limit=10")).json["items"]
    assert [each["name"] for each in kept] == ["thumbs"] and "too much" not in str(kept)
    open_one = {"request": shop.request, "comment": "fine"}
    told = await shop.ask("POST", "/api/feedback", open_one, key="service")
    assert told.json["items"][0]["names"] == ["comment"]
    unknown = {"request": request_id_text(IDS.next()), "thumbs": "up", "comment": "whose?"}
    told = await shop.ask("POST", "/api/feedback", unknown, key="service")
    assert told.json["items"][0]["left_out"] == ["comment"]
