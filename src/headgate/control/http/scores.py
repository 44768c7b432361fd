"""`/api/scores`: what programs say of answers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headgate.control.http.feedback import (
    Event,
    KeptFeedback,
    Number,
    Session,
    giver_of,
    kept_feedback,
)
from headgate.control.http.fields import Name
from headgate.control.http.route import Asked, route
from headgate.quality.feedback import NAME, Given

__all__ = ["ROUTES", "NewScores", "ScoreGiven"]


class ScoreGiven(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One score of one request or one conversation: `boolean`, `number` or `label`."""

    request: Annotated[str, Meta(max_length=40)] = ""
    """Which request: what its answer's header `x-request-id` said."""
    session: Annotated[Session, Meta(examples=["chat-17"])] = ""
    """Or which conversation."""
    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=NAME, examples=["exact_match"])]
    """Of what, such as `exact_match`."""
    boolean: bool | None = None
    number: Annotated[Number | None, Meta(examples=[0.75])] = None
    label: Annotated[str, Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    comment: str = ""
    """Why; at most 5,000 characters."""
    event: Event = ""
    """Your name for it: told again, it changes nothing."""


class NewScores(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Scores of one evaluator."""

    evaluator: Annotated[Name, Meta(examples=["exact-match"])]
    """The program that judges."""
    version: Annotated[str, Meta(max_length=50, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    """Its version: scores of another version count beside those of this one."""
    items: Annotated[list[ScoreGiven], Meta(min_length=1, max_length=100)]


async def add(asked: Asked[None, NewScores]) -> KeptFeedback:
    """Say what a program found of answers.

    About requests of this key, or of keys of its team; who runs the gateway may judge all. Of one evaluator's scores of the same
    thing the latest counts."""
    body = asked.body
    evaluator = f"{body.evaluator}@{body.version}" if body.version else body.evaluator
    said = [Given(**msgspec.structs.asdict(each)) for each in body.items]
    return await kept_feedback(asked, said, giver_of(asked, "code", evaluator))


ROUTES = (route("POST", "/api/scores", "api.scores.add", add),)
