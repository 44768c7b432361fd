"""What can go wrong under `/api`, as RFC 9457 tells it: one table of codes, each with what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

__all__ = ["PROBLEMS", "Kind", "Problem", "ProblemBody"]


class Kind(NamedTuple):
    """One code."""

    status: int
    title: str
    """The same for every problem of this code."""
    advice: str
    """What to do next, for the documentation."""


PROBLEMS: Mapping[str, Kind] = MappingProxyType(
    {
        "invalid_request": Kind(
            400,
            "Something in the request is not right",
            "`detail` says what and what would be right; `param` names the parameter or the field.",
        ),
        "malformed_body": Kind(
            400, "The body is not JSON", "Send JSON in UTF-8; `detail` says at which byte."
        ),
        "invalid_api_key": Kind(
            401,
            "No valid key came with the request",
            "Send `Authorization: Bearer KEY` or `x-api-key: KEY`; `headgate keys create NAME --role operator` makes a key.",
        ),
        "not_allowed": Kind(
            403,
            "The key may not do this",
            "`detail` names the roles that may; ask somebody who has one, or for a key with one.",
        ),
        "not_found": Kind(404, "There is no such thing", "List what there is; ids are written out whole."),
        "unknown_path": Kind(404, "Nothing is served at this path", "`/api/openapi.json` lists the paths."),
        "method_not_allowed": Kind(
            405, "The path does not take this method", "The header `allow` says which it takes."
        ),
        "conflict": Kind(
            409,
            "It is there already, or over already",
            "`detail` says what is in the way: change that, or the name.",
        ),
        "body_too_large": Kind(413, "The body is too large", "No body here needs more than 64 kB."),
        "unsupported_media_type": Kind(
            415, "The body is not sent as JSON", "Send `content-type: application/json`, not compressed."
        ),
        "internal_error": Kind(
            500, "Headgate failed", "The log has the details under the id in `instance`; please report it."
        ),
        "database_unavailable": Kind(
            503,
            "The database does not answer",
            "Try again; applications are served meanwhile. `/readyz` says why.",
        ),
        "took_too_long": Kind(
            503,
            "It took too long",
            "Ask for less, such as a shorter time. A change may have been made all the same: look before repeating it.",
        ),
        "shutting_down": Kind(
            503,
            "This gateway is stopping",
            "Send the request again: another gateway, or this one in a moment, answers.",
        ),
    }
)
"""Code -> what it means. Where a code is also one of `/v1`, it means the same there."""


class ProblemBody(msgspec.Struct, kw_only=True):
    """What went wrong, as `application/problem+json` (RFC 9457)."""

    type: str
    """A page about this code, relative to this server."""
    title: str
    """The code in words; the same each time."""
    status: int
    """The HTTP status."""
    detail: str
    """What happened this time, and what to do next."""
    instance: str
    """The id of this request, as in the header `x-request-id`; the log has it."""
    code: str
    """Stable: build on it, not on the words."""
    param: str = ""
    """The parameter or the field that is at fault; empty if none is."""


class Problem(Exception):
    """Ends a request under `/api` with a code of PROBLEMS."""

    def __init__(
        self, code: str, detail: str, *, param: str = "", headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """detail: what happened this time, and what to do next. headers: of the answer."""
        super().__init__(detail)
        self.code = code
        self.kind = PROBLEMS[code]
        self.detail = detail
        self.param = param
        self.headers = headers

    def body(self, instance: str) -> ProblemBody:
        """As it is sent. instance: the id of the request."""
        return ProblemBody(
            type=f"/api/docs#{self.code}",
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            instance=instance,
            code=self.code,
            param=self.param,
        )
