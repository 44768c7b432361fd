"""Every way a request can fail, with who is to blame and whether trying again can help.

    GatewayError
    ├── CallerMistake          the request itself is at fault; sending it again changes nothing
    │   ├── InvalidRequest ── MalformedBody, UnsupportedRequest
    │   ├── UnknownModel, UnknownPath, MethodNotAllowed
    │   ├── BodyTooLarge, HeadersTooLarge, RequestTooSlow
    │   ├── NotAuthenticated, NotAllowed
    │   ├── LimitReached ── TooLargeForLimit
    │   ├── BudgetSpent ── TooDearForBudget, PriceUnknown
    │   └── NoEndpointAllowed, NotInCache
    ├── GatewayFault           ours: InternalFault, ShuttingDown, LimitsUnavailable, BudgetsUnavailable
    └── ProviderFault          the endpoint's
        ├── TransportFault     no usable HTTP answer came; `.phase` says how far it got
        │   ├── ConnectFailed, ConnectTimeout, TlsFailed, PoolTimeout
        │   ├── HeadersTimeout, FirstContentTimeout, BetweenTimeout, TotalTimeout, RateTooLow
        │   └── UpstreamReset, UpstreamCut, UpstreamMalformed
        ├── NothingAvailable   every endpoint is resting; `.retry_after` says until when
        └── ProviderRefusal    an HTTP answer, or an event inside a stream, that says no
            ├── ProviderRejected, ContextTooLong, ContentFiltered, ProviderModelUnknown    (blame: the caller)
            └── ProviderRateLimited, ProviderQuotaSpent, ProviderAuthFailed, ProviderOverloaded, ProviderFailed
    CallerHungUp is no answer at all: nobody is there to read one. It is the outcome written into the record.

A class settles status, code, category, fault and retryable together. How a category looks in each dialect is
decided in one table, `headgate.edge.problems`. Messages say what happened and what to do next; a provider's own
words travel in `detail` to the record, and to the caller only where they explain the caller's mistake.
"""

from __future__ import annotations

from typing import ClassVar, Literal

__all__ = [
    "BetweenTimeout",
    "BodyTooLarge",
    "BudgetSpent",
    "BudgetsUnavailable",
    "CallerHungUp",
    "CallerMistake",
    "Category",
    "ConnectFailed",
    "ConnectTimeout",
    "ContentFiltered",
    "ContextTooLong",
    "Fault",
    "FirstContentTimeout",
    "GatewayError",
    "GatewayFault",
    "HeadersTimeout",
    "HeadersTooLarge",
    "InternalFault",
    "InvalidRequest",
    "LimitReached",
    "LimitsUnavailable",
    "MalformedBody",
    "MethodNotAllowed",
    "NoEndpointAllowed",
    "NotAllowed",
    "NotAuthenticated",
    "NotInCache",
    "NothingAvailable",
    "PoolTimeout",
    "PriceUnknown",
    "ProviderAuthFailed",
    "ProviderFailed",
    "ProviderFault",
    "ProviderModelUnknown",
    "ProviderOverloaded",
    "ProviderQuotaSpent",
    "ProviderRateLimited",
    "ProviderRefusal",
    "ProviderRejected",
    "RateTooLow",
    "RequestTooSlow",
    "ShuttingDown",
    "TlsFailed",
    "TooDearForBudget",
    "TooLargeForLimit",
    "TotalTimeout",
    "TransportFault",
    "UnknownModel",
    "UnknownPath",
    "UnsupportedRequest",
    "UpstreamCut",
    "UpstreamMalformed",
    "UpstreamReset",
]

Fault = Literal["caller", "gateway", "provider"]

Category = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "request_timeout",
    "rate_limit",
    "quota",
    "content_policy",
    "context_length",
    "overloaded",
    "upstream_timeout",
    "upstream",
    "internal",
    "hung_up",
]


class GatewayError(Exception):
    """Anything that ends a request without an answer. Never raised itself; its subclasses are."""

    status: int = 500
    """HTTP status for the caller."""
    code: ClassVar[str] = "internal_error"
    """Stable, documented in `docs/reference/errors.md`; also the error class written into the record."""
    category: ClassVar[Category] = "internal"
    fault: ClassVar[Fault] = "gateway"
    retryable: ClassVar[bool] = False
    """Can the same request succeed later, unchanged?"""

    def __init__(
        self, message: str, *, detail: str = "", param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        """For the record and the log; may hold a provider's words, cut to a bound. Never a secret."""
        self.param = param
        """The field of the request that is at fault, as a path such as `messages[0].content`."""
        self.retry_after = retry_after
        """Seconds until trying again makes sense, if somebody said so."""


# The caller's


class CallerMistake(GatewayError):
    """The request is at fault."""

    status = 400
    code = "invalid_request"
    category: ClassVar[Category] = "invalid_request"
    fault: ClassVar[Fault] = "caller"


class InvalidRequest(CallerMistake):
    """A field is missing, of the wrong type or out of range; `param` names it."""


class MalformedBody(InvalidRequest):
    """The body is not what its content type says: broken JSON, bad UTF-8, nested too deep."""

    code = "malformed_body"


class UnsupportedRequest(InvalidRequest):
    """A valid request that no endpoint of the asked model can carry out, such as embeddings from a chat-only vendor."""

    code = "unsupported_request"


class UnknownModel(CallerMistake):
    """No feature, model or provider/model of that name; the message lists near names."""

    status, code, category = 404, "model_not_found", "not_found"


class UnknownPath(CallerMistake):
    """Nothing is served at this path."""

    status, code, category = 404, "unknown_path", "not_found"


class MethodNotAllowed(CallerMistake):
    """The path exists, but not for this method."""

    status, code = 405, "method_not_allowed"


class BodyTooLarge(CallerMistake):
    """The body is over `server.max_body`."""

    status, code, category = 413, "body_too_large", "too_large"


class HeadersTooLarge(CallerMistake):
    """Request line and headers are over `server.max_headers`, or there are too many of them."""

    status, code, category = 431, "headers_too_large", "too_large"


class RequestTooSlow(CallerMistake):
    """The request did not arrive complete within `server.request_time`."""

    status, code, category = 408, "request_too_slow", "request_timeout"


class NotAuthenticated(CallerMistake):
    """No key came with the request, or one that is not valid here."""

    status, code, category = 401, "invalid_api_key", "authentication"


class NotAllowed(CallerMistake):
    """The key is valid but may not do this."""

    status, code, category = 403, "not_allowed", "permission"


class LimitReached(CallerMistake):
    """The operator's limit on requests, tokens or requests under way is reached; `retry_after` says when there is room."""

    status, code, category, retryable = 429, "limit_reached", "rate_limit", True

    def __init__(
        self, message: str, *, limit: str = "", param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, param=param, retry_after=retry_after)
        self.limit = limit
        """The limit's name in the configuration."""


class TooLargeForLimit(LimitReached):
    """The request asks for more tokens than the limit ever lets through at once: waiting does not help."""

    code, retryable = "too_large_for_limit", False


class BudgetSpent(CallerMistake):
    """A budget of the operator's does not pay for what the request may cost; `retry_after` says when there is money again."""

    status, code, category = 429, "budget_spent", "quota"

    def __init__(
        self, message: str, *, budget: str = "", param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, param=param, retry_after=retry_after)
        self.budget = budget
        """The budget's name in the configuration."""


class TooDearForBudget(BudgetSpent):
    """The request may cost more than the budget ever pays for at once: waiting does not help."""

    code = "too_dear_for_budget"


class PriceUnknown(BudgetSpent):
    """A budget that refuses is about the request, and no price is known of the model: nobody can tell what it would cost."""

    code = "price_unknown"


class NoEndpointAllowed(CallerMistake):
    """Rules on where this request may go (region, own machines only) leave no endpoint; the message names the rule."""

    status, code, category = 403, "no_endpoint_allowed", "permission"


class NotInCache(CallerMistake):
    """The caller wants an answer from memory only (`Cache-Control: only-if-cached`), and there is none. 504 by RFC 9111."""

    status, code, category = 504, "not_in_cache", "not_found"


# Ours


class GatewayFault(GatewayError):
    """Headgate itself failed or cannot serve now."""


class InternalFault(GatewayFault):
    """A bug. The traceback is in the log under the request id; the caller learns only the id."""


class ShuttingDown(GatewayFault):
    """The process is draining; another node, or this one in a moment, will answer."""

    status, code, category, retryable = 503, "shutting_down", "overloaded", True


class LimitsUnavailable(GatewayFault):
    """Redis, where limits are counted, does not answer, and the operator wants requests refused then."""

    status, code, category, retryable = 503, "limits_unavailable", "overloaded", True


class BudgetsUnavailable(GatewayFault):
    """What is left of budgets cannot be looked up, and the configuration says to refuse then (`budgets_without_redis`)."""

    status, code, category, retryable = 503, "budgets_unavailable", "overloaded", True


# The provider's


class ProviderFault(GatewayError):
    """The endpoint did not give an answer."""

    status = 502
    code = "provider_error"
    category: ClassVar[Category] = "upstream"
    fault: ClassVar[Fault] = "provider"
    retryable = True


class TransportFault(ProviderFault):
    """No usable HTTP answer came. `phase`: connect, headers, content or body."""

    phase: ClassVar[str] = "connect"

    def __init__(self, *, detail: str) -> None:
        what = (self.__doc__ or "").split("\n", maxsplit=1)[0].rstrip(".")
        super().__init__(f"{what}: {detail}", detail=detail)


class ConnectFailed(TransportFault):
    """The provider could not be reached."""

    code = "connect_failed"


class ConnectTimeout(TransportFault):
    """No connection to the provider within `timeouts.connect`."""

    status, code, category = 504, "connect_timeout", "upstream_timeout"


class TlsFailed(TransportFault):
    """The provider's certificate or TLS handshake was refused."""

    code = "tls_failed"
    retryable = False


class PoolTimeout(TransportFault):
    """Every connection to the provider was busy for `timeouts.connect`."""

    status, code, category = 503, "pool_timeout", "overloaded"


class HeadersTimeout(TransportFault):
    """The provider sent no reply head in time (`timeouts.first_token`, `timeouts.attempt`)."""

    status, code, category, phase = 504, "headers_timeout", "upstream_timeout", "headers"


class FirstContentTimeout(TransportFault):
    """The provider sent no content within `timeouts.first_token`."""

    status, code, category, phase = 504, "first_content_timeout", "upstream_timeout", "content"


class BetweenTimeout(TransportFault):
    """The provider fell silent for `timeouts.between_tokens` in the middle of its answer."""

    status, code, category, phase = 504, "between_timeout", "upstream_timeout", "body"


class TotalTimeout(TransportFault):
    """The answer was not complete within `timeouts.total`."""

    status, code, category, phase = 504, "total_timeout", "upstream_timeout", "body"


class RateTooLow(TransportFault):
    """The provider's answer came slower than `timeouts.least_rate`."""

    status, code, category, phase = 504, "rate_too_low", "upstream_timeout", "body"


class UpstreamReset(TransportFault):
    """The provider closed the connection before answering."""

    code, phase = "upstream_reset", "headers"


class UpstreamCut(TransportFault):
    """The provider's answer broke off before its end."""

    code, phase = "upstream_cut", "body"


class UpstreamMalformed(TransportFault):
    """The provider's answer is not what its protocol says."""

    code, phase = "upstream_malformed", "body"


class NothingAvailable(ProviderFault):
    """Every endpoint that may serve this is resting after failures or at its limit, longer than the request may wait."""

    status, code, category = 503, "nothing_available", "overloaded"


class ProviderRefusal(ProviderFault):
    """The provider answered with an error, as a status or as an event inside a stream."""

    def __init__(
        self,
        message: str,
        *,
        detail: str = "",
        param: str | None = None,
        retry_after: float | None = None,
        upstream_status: int = 0,
        body: bytes = b"",
        wire: str = "",
    ) -> None:
        super().__init__(message, detail=detail, param=param, retry_after=retry_after)
        self.upstream_status = upstream_status
        """The provider's HTTP status; 200 for an error inside a stream; 0 if it has none."""
        self.body = body
        """The provider's own error body. Passed untouched when the caller speaks the same `wire` and is to blame."""
        self.wire = wire


class ProviderRejected(ProviderRefusal):
    """The provider found the caller's request invalid."""

    status, code, retryable = 400, "provider_rejected", False
    category: ClassVar[Category] = "invalid_request"
    fault: ClassVar[Fault] = "caller"


class ContextTooLong(ProviderRejected):
    """The prompt does not fit the model's context."""

    code, category = "context_length_exceeded", "context_length"


class ContentFiltered(ProviderRejected):
    """The provider's content filter refused prompt or answer."""

    code, category = "content_filter", "content_policy"


class ProviderModelUnknown(ProviderRefusal):
    """The provider does not know the routed model: our configuration is at fault, or the account lacks access."""

    status, code, category, retryable = 404, "provider_model_unknown", "not_found", False


class ProviderRateLimited(ProviderRefusal):
    """The provider's rate limit for our account is reached."""

    status, code, category = 429, "provider_rate_limited", "rate_limit"


class ProviderQuotaSpent(ProviderRefusal):
    """Our account at the provider has no credit left; waiting does not help."""

    status, code, category, retryable = 429, "provider_quota_spent", "quota", False


class ProviderAuthFailed(ProviderRefusal):
    """The provider refused our credentials. Not 401 for the caller: the caller's own key is fine."""

    status, code, retryable = 502, "provider_auth_failed", False


class ProviderOverloaded(ProviderRefusal):
    """The provider says it is overloaded (503, 529)."""

    status, code, category = 503, "provider_overloaded", "overloaded"


class ProviderFailed(ProviderRefusal):
    """The provider failed on its side (5xx, an error event)."""

    code = "provider_failed"


class CallerHungUp(GatewayError):
    """The caller closed the connection before the answer was complete. No failure of anybody's."""

    status, code, category, fault = 499, "caller_hung_up", "hung_up", "caller"
