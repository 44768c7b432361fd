"""Which requests are meant: the words of a query, for `/api/requests`, exports and pages."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from headgate.admission.rights import CONTENT
from headgate.control.http.fields import Ago, Maybe, Word
from headgate.control.http.problems import Problem
from headgate.control.looking import WrongSearch, search_of
from headgate.core.ids import parse_request_id
from headgate.stores.searching import Search
from headgate.stores.spans import Outcome

__all__ = ["RequestsQuery", "before_id", "wanted"]


class RequestsQuery(msgspec.Struct, kw_only=True):
    """Which requests: those of which all of this is true."""

    since: Ago = ""
    """Those from then on: `24h`, `7d` or a date; empty: all."""
    until: Ago = ""
    """Those before then."""
    feature: Maybe = UNSET
    """Only this feature's; empty: those of none."""
    user: Maybe = UNSET
    """Only this user's."""
    session: Maybe = UNSET
    """Only this session's."""
    team: Maybe = UNSET
    """Only this team's."""
    tenant: Maybe = UNSET
    """Only this tenant's."""
    key: Maybe = UNSET
    """Only those of the key with this id."""
    tag: Annotated[Word, msgspec.Meta(examples=["task=summary"])] = ""
    """Only those with this tag, NAME=VALUE; several with commas between them."""
    model: Word = ""
    """Only those that asked for this model, were sent to it, or were answered by it."""
    provider: Maybe = UNSET
    """Only those answered by this provider."""
    status: Annotated[Word, msgspec.Meta(examples=["5xx", "429"])] = ""
    """Only those with this HTTP status: `429`, `5xx` or `400-499`."""
    outcome: Outcome | UnsetType = UNSET
    """Only those that ended so."""
    failed: Word = ""
    """`yes`: only those that did not end well, whoever is to blame."""
    error: Maybe = UNSET
    """Only those with this error code."""
    purpose: Maybe = UNSET
    """Empty: only callers' own; `shadow`: only copies; `replay`: only those that were asked again."""
    prompt: Maybe = UNSET
    """Only those with this prompt, such as `greeting@7`."""
    config: Maybe = UNSET
    """Only those served by the configuration with this hash."""
    slower: Annotated[Word, msgspec.Meta(examples=["2s"])] = ""
    """Only those that took at least so long."""
    faster: Word = ""
    """Only those that took at most so long."""
    first_slower: Word = ""
    """Only those whose first content took at least so long."""
    first_faster: Word = ""
    """Only those whose first content took at most so long."""
    costlier: Annotated[Word, msgspec.Meta(examples=["0.05"])] = ""
    """Only those that cost at least so many USD."""
    cheaper: Word = ""
    """Only those that cost at most so many USD."""
    score: Annotated[Word, msgspec.Meta(examples=["helpful<=0.5"])] = ""
    """Only those judged so: a name and a bound, or a name alone."""
    stream: Word = ""
    """`yes`: only streams; `no`: only whole answers."""
    degraded: Word = ""
    """`yes`: only those answered by a degrade ladder."""
    cached: Word = ""
    """`yes`: only those answered from memory, or by the call of another request."""
    cache: Annotated[Maybe, msgspec.Meta(examples=["exact"])] = UNSET
    """Only those that memory answered so: `exact`, `semantic`, `joined`, `stale`; or `miss`, `bypass`, `refreshed`."""
    retried: Word = ""
    """`yes`: only those with more than one attempt."""
    trace: Word = ""
    """Only those of the caller's trace with this id (W3C)."""
    replay_of: Word = ""
    """Only those that repeat this request."""
    given_from: Word = ""
    """Only those that were given the answer of this request."""
    text: Word = ""
    """Only those with this text in the prompt or the answer; for whoever may read content. Contents are read for 0.2 s a page: go
    on as long as there is a `next`."""


def wanted(query: RequestsQuery, rights: frozenset[str]) -> Search:
    """What a query means. Raises Problem, also for `text` without the right to read content: it would tell what stands there."""
    words = {
        name: value
        for name in RequestsQuery.__struct_fields__
        if (value := getattr(query, name)) is not UNSET and (value or name in _MAY_BE_EMPTY)
    }
    if query.text and CONTENT not in rights:
        raise Problem("not_allowed", "`text` looks into prompts and answers, which your role may not read")
    try:
        return search_of(words)
    except WrongSearch as wrong:
        raise Problem("invalid_request", str(wrong), param=wrong.param) from None


_MAY_BE_EMPTY = frozenset(
    field.name for field in msgspec.structs.fields(RequestsQuery) if field.default is UNSET
)


def before_id(cursor: str) -> int:
    """The id in a cursor; 0 for an empty one. Raises Problem."""
    try:
        return parse_request_id(cursor) if cursor else 0
    except ValueError:
        raise Problem("invalid_request", "`cursor` is `next` of the page before", param="cursor") from None
