"""Anthropic: replies of `/v1/organizations/usage_report/messages` and `/v1/organizations/cost_report`, and the files that the
console's usage and cost pages export. Source: platform.claude.com/docs/en/api/admin/usage_report and …/cost_report."""

from __future__ import annotations

from headgate.control.costs.provider_reports.fields import Fields, Unknown, day_of
from headgate.control.costs.provider_reports.lines import ReportLine
from headgate.core.usage import Usage

__all__ = ["costs_columns", "costs_of", "costs_row", "usage_columns", "usage_of", "usage_row", "what_is"]

_WHOSE = frozenset(
    {"workspace_id", "workspace", "api_key_id", "api_key", "api_key_status", "service_tier", "context_window"}
    | {"inference_geo", "speed", "account_id", "service_account_id", "usage_type"}
)
_TOKENS = frozenset(
    {"model", "uncached_input_tokens", "cache_read_input_tokens", "cache_creation", "output_tokens"}
    | {"server_tool_use", "cache_creation_5m_input_tokens", "cache_creation_1h_input_tokens"}
)
_MONEY = frozenset({"amount", "currency", "cost_type", "description", "model", "token_type"})
_CSV_TOKENS = frozenset(
    {"usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_input_tokens_cache_write_5m"}
    | {"usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_read", "usage_output_tokens"}
    | {"usage_input_tokens_cache_write", "web_search_count"}
)
_CSV_MONEY = frozenset({"usage_date_utc", "model", "token_type", "cost_usd", "list_price_usd", "cost_type"})


def what_is(result: Fields) -> str:
    """`usage`, `costs`, or "" if it is not Anthropic's."""
    if "uncached_input_tokens" in result or "cache_creation" in result:
        return "usage"
    return "costs" if isinstance(result.values.get("amount"), str) else ""


def usage_of(bucket: Fields, result: Fields, unknown: Unknown) -> ReportLine:
    """A line of tokens."""
    unknown.note(result.values, _TOKENS | _WHOSE)
    written = result.object("cache_creation")
    return ReportLine(
        day_of(bucket, "starting_at", "ending_at"),
        result.text("model"),
        Usage(
            input=result.count("uncached_input_tokens"),
            cache_read=result.count("cache_read_input_tokens"),
            cache_write=written.count("ephemeral_5m_input_tokens")
            + result.count("cache_creation_5m_input_tokens"),
            cache_write_1h=written.count("ephemeral_1h_input_tokens")
            + result.count("cache_creation_1h_input_tokens"),
            output=result.count("output_tokens"),
        ),
    )


def costs_of(bucket: Fields, result: Fields, unknown: Unknown) -> ReportLine:
    """A line of money, which comes in cents."""
    unknown.note(result.values, _MONEY | _WHOSE)
    if result.text("currency").upper() not in ("USD", ""):
        raise result.refuse("currency", "USD: costs are kept in dollars")
    model = result.text("model")
    item = "" if model else (result.text("description") or result.text("cost_type"))
    day = day_of(bucket, "starting_at", "ending_at")
    return ReportLine(day, model, nanos=result.usd("amount", cents=True), item=item)


def usage_columns(names: frozenset[str]) -> bool:
    """Is it the console's export of usage?"""
    return {"usage_date_utc", "model_version", "usage_output_tokens"} <= names


def costs_columns(names: frozenset[str]) -> bool:
    """Is it the console's export of costs?"""
    return {"usage_date_utc", "cost_usd"} <= names


def usage_row(row: Fields, unknown: Unknown) -> ReportLine:
    """A row of the console's export of usage."""
    unknown.note(row.values, _CSV_TOKENS | _WHOSE)
    return ReportLine(
        day_of(row, "usage_date_utc"),
        row.text("model_version"),
        Usage(
            input=row.count("usage_input_tokens_no_cache"),
            cache_read=row.count("usage_input_tokens_cache_read"),
            cache_write=row.count("usage_input_tokens_cache_write_5m")
            + row.count("usage_input_tokens_cache_write"),
            cache_write_1h=row.count("usage_input_tokens_cache_write_1h"),
            output=row.count("usage_output_tokens"),
        ),
    )


def costs_row(row: Fields, unknown: Unknown) -> ReportLine:
    """A row of the console's export of costs. `list_price_usd` is before discounts: nobody pays it."""
    unknown.note(row.values, _CSV_MONEY | _WHOSE)
    model = row.text("model")
    item = "" if model else (row.text("cost_type") or row.text("usage_type"))
    return ReportLine(day_of(row, "usage_date_utc"), model, nanos=row.usd("cost_usd"), item=item)
