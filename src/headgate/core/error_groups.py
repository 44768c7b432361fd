"""Error classes are many; a plot wants few: which of a dozen groups each belongs to, one table for metrics, pages and commands."""

from __future__ import annotations

from typing import Literal

__all__ = ["ERROR_GROUPS", "GROUPS", "ErrorGroup", "group_of"]

ErrorGroup = Literal[
    "caller_mistake",
    "access",
    "limit",
    "budget",
    "content_policy",
    "rate_limit",
    "timeout",
    "provider_error",
    "ours",
    "hung_up",
    "other",
]

ERROR_GROUPS: dict[str, ErrorGroup] = {
    "invalid_request": "caller_mistake",
    "malformed_body": "caller_mistake",
    "unsupported_request": "caller_mistake",
    "model_not_found": "caller_mistake",
    "unknown_path": "caller_mistake",
    "method_not_allowed": "caller_mistake",
    "body_too_large": "caller_mistake",
    "headers_too_large": "caller_mistake",
    "request_too_slow": "caller_mistake",
    "not_in_cache": "caller_mistake",
    "provider_rejected": "caller_mistake",
    "context_length_exceeded": "caller_mistake",
    "invalid_api_key": "access",
    "not_allowed": "access",
    "no_endpoint_allowed": "access",
    "limit_reached": "limit",
    "too_large_for_limit": "limit",
    "budget_spent": "budget",
    "too_dear_for_budget": "budget",
    "price_unknown": "budget",
    "content_filter": "content_policy",
    "provider_rate_limited": "rate_limit",
    "provider_quota_spent": "rate_limit",
    "connect_timeout": "timeout",
    "pool_timeout": "timeout",
    "headers_timeout": "timeout",
    "first_content_timeout": "timeout",
    "between_timeout": "timeout",
    "total_timeout": "timeout",
    "rate_too_low": "timeout",
    "provider_error": "provider_error",
    "connect_failed": "provider_error",
    "tls_failed": "provider_error",
    "upstream_reset": "provider_error",
    "upstream_cut": "provider_error",
    "upstream_malformed": "provider_error",
    "nothing_available": "provider_error",
    "provider_model_unknown": "provider_error",
    "provider_auth_failed": "provider_error",
    "provider_overloaded": "provider_error",
    "provider_failed": "provider_error",
    "internal_error": "ours",
    "shutting_down": "ours",
    "limits_unavailable": "ours",
    "budgets_unavailable": "ours",
    "cut_off": "ours",
    "caller_hung_up": "hung_up",
}
"""By error class, as records have it (`code` of the errors in `headgate.core.errors`, and `cut_off`)."""

GROUPS: dict[ErrorGroup, str] = {
    "caller_mistake": "the request itself is at fault",
    "access": "no key, or one that may not do this",
    "limit": "a limit of this gateway",
    "budget": "a budget of this gateway",
    "content_policy": "the provider's content filter",
    "rate_limit": "the provider's limit for our account",
    "timeout": "the provider was too slow",
    "provider_error": "the provider failed, or could not be reached",
    "ours": "this gateway failed",
    "hung_up": "the caller left",
    "other": "none of these",
}
"""What each means, for people."""


def group_of(error_class: str) -> ErrorGroup:
    """`other` for a class that nobody here knows, such as one written by a newer Headgate."""
    return ERROR_GROUPS.get(error_class, "other")
