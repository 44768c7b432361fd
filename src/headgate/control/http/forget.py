"""`DELETE /api/users/{id}`: everything of one user is deleted; money stays, under a name that means nobody."""

from __future__ import annotations

import msgspec

from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.stores.forgetting import UserHasKeys

__all__ = ["ROUTES", "UserForgotten"]

_SECONDS = 600.0
_LONGEST = 256


class ForgetQuery(msgspec.Struct, kw_only=True):
    """How thoroughly."""

    whole: bool = False
    """Write the database's tables anew, so that no gap in a file holds anything of it: takes long, and as much room again."""


class UserForgotten(msgspec.Struct, kw_only=True):
    """What was deleted. Backups, exports and what was told to other systems before are not in Headgate's hands."""

    requests: int
    """Requests whose name, content, session, tags and words of errors are gone; tokens, times and cost stay."""
    contents: int
    """Prompts and answers."""
    sessions: int
    scores: int
    """Judgements whose words and names are gone; numbers stay."""
    sums: int
    """Rows of sums that bear another name now."""
    alerts: int
    receivers: int
    answers: int
    """Answers that were kept to be given again."""
    ledger: int
    """Movements of money that bear another name now."""
    pseudonym: str
    """What stands in the name's place where money is counted; nothing leads back from it."""
    scoured: bool
    """Does nothing of it stand in the database's files any more? False: a server deletes old versions of rows later, by itself."""


async def forget_user(asked: Asked[ForgetQuery, None]) -> UserForgotten:
    """Delete everything that is kept of one user, at once and for good.

    A user without requests is forgotten, too: nothing is deleted then, and that is no problem. Requests of theirs that are still
    under way are stored when they end: forget once more afterwards. The audit log has the deed without the name."""
    user = asked.path["id"]
    if not user or len(user) > _LONGEST:
        raise Problem("invalid_request", f"a user's name has 1 to {_LONGEST} characters", param="id")
    try:
        done = await asked.desk.forget(user, asked.actor, whole=asked.query.whole)
    except UserHasKeys as keys:
        raise Problem("conflict", str(keys), param="id") from None
    return msgspec.convert(msgspec.structs.asdict(done), UserForgotten)


ROUTES = (
    route(
        "DELETE", "/api/users/{id}", "api.users.forget", forget_user, problems=("conflict",), seconds=_SECONDS
    ),
)
