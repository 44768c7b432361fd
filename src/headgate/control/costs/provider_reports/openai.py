"""OpenAI: replies of `/v1/organization/usage/completions`, `…/usage/embeddings` and `/v1/organization/costs`, and the files
that the usage page exports. Source: platform.openai.com/docs/api-reference/usage."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.control.costs.provider_reports.fields import Fields, Unknown, day_of
from headgate.control.costs.provider_reports.lines import ReportLine, ReportRefused
from headgate.core.usage import Usage

__all__ = ["costs_columns", "costs_of", "rows_with_something", "usage_columns", "usage_of", "what_is"]

_USAGE = "organization.usage."
_COSTS = "organization.costs."
_WITH_TOKENS = ("completions", "embeddings", "moderations")
_BUCKET = frozenset(
    {"object", "start_time", "end_time", "results", "result", "start_time_iso", "end_time_iso"}
)
_WHOSE = frozenset(
    {"project_id", "project_name", "user_id", "user_email", "api_key_id", "api_key_name", "organization_id"}
    | {"organization_name", "api_source"}
)
_TOKENS = frozenset(
    {"object", "model", "batch", "service_tier", "num_model_requests", "input_tokens", "output_tokens"}
    | {"input_cached_tokens", "input_uncached_tokens", "input_cache_write_tokens"}
    # Parts of the above by what they were made of; added to them they would count twice.
    | {
        f"{way}_{kind}_tokens"
        for way in ("input", "output", "input_cached")
        for kind in ("text", "audio", "image")
    }
)
_MONEY = frozenset({"object", "amount", "amount_value", "amount_currency", "line_item", "quantity"})


def what_is(result: Fields) -> str:
    """`usage`, `costs`, or "" if it is not OpenAI's. Raises ReportRefused for usage that is not counted in tokens."""
    kind = result.text("object")
    if kind.startswith(_COSTS):
        return "costs"
    if not kind.startswith(_USAGE):
        return ""
    name = kind.removeprefix(_USAGE).removesuffix(".result")
    if name not in _WITH_TOKENS:
        raise ReportRefused(
            f"{result.where}: usage of {name} is not counted in tokens; compare its costs "
            "(/v1/organization/costs) instead"
        )
    return "usage"


def usage_of(bucket: Fields, result: Fields, unknown: Unknown) -> ReportLine:
    """A line of tokens. bucket: what tells the time; of a row it is the row itself."""
    unknown.note(result.values, _TOKENS | _WHOSE | _BUCKET)
    if "input_tokens" not in result and "output_tokens" not in result:
        raise result.refuse("input_tokens", "a number of tokens")
    whole, cached = result.count("input_tokens"), result.count("input_cached_tokens")
    written = result.count("input_cache_write_tokens")
    if cached + written > whole:
        raise result.refuse("input_cached_tokens", f"a part of the {whole} `input_tokens`")
    return ReportLine(
        day_of(bucket, "start_time", "end_time"),
        result.text("model"),
        Usage(
            input=whole - cached - written,
            cache_read=cached,
            cache_write=written,
            output=result.count("output_tokens"),
        ),
        requests=result.count("num_model_requests"),
    )


def costs_of(bucket: Fields, result: Fields, unknown: Unknown) -> ReportLine:
    """A line of money."""
    unknown.note(result.values, _MONEY | _WHOSE | _BUCKET)
    amount = result.object("amount") if "amount" in result else None
    value, currency = ("value", "currency") if amount else ("amount_value", "amount_currency")
    amount = amount or result
    if amount.text(currency).lower() not in ("usd", ""):
        raise amount.refuse(currency, "usd: costs are kept in dollars")
    model, item = _model_of(result.text("line_item"))
    return ReportLine(day_of(bucket, "start_time", "end_time"), model, nanos=amount.usd(value), item=item)


def usage_columns(names: frozenset[str]) -> bool:
    """Is it the page's export of usage?"""
    return {"start_time", "input_tokens", "output_tokens"} <= names


def costs_columns(names: frozenset[str]) -> bool:
    """Is it the page's export of costs?"""
    return {"start_time", "amount_value"} <= names


def rows_with_something(rows: Iterator[Fields]) -> Iterator[Fields]:
    """Days on which nothing happened stand in the export with their times alone."""
    for row in rows:
        if any(name in row for name in row.values if name not in _BUCKET):
            yield row


def _model_of(item: str) -> tuple[str, str]:
    """(model, "") of `gpt-4o-mini-2024-07-18, cached input` or `priority | gpt-audio audio, input`; ("", item) of
    `web search tool calls`."""
    _, _, rest = item.rpartition("|")
    head, comma, _ = rest.partition(",")
    words = head.split()
    if words and (comma or len(words) == 1):
        return words[0], ""
    return "", item
