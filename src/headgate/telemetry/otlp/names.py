"""Every OpenTelemetry name that Headgate emits, and how our own words translate: the one place to look when conventions change.

Names and buckets are those of the semantic conventions for generative AI clients and servers (a test compares them with
the published package). What those have no word for stands under `headgate.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "DURATION_BOUNDS",
    "FINISH_REASONS",
    "FIRST_TOKEN_BOUNDS",
    "FROM_HOST",
    "FROM_KIND",
    "OTHER",
    "OVERFLOW",
    "OWN",
    "SCHEMA_URL",
    "SCOPE",
    "TAG",
    "TOKEN_BOUNDS",
    "metric_label",
    "metric_name",
]

SCOPE: Final = "headgate"
"""Instrumentation scope of everything we send."""
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"
"""The version of the conventions that renamed `gen_ai.system` to `gen_ai.provider.name` and put messages on spans."""

# Attributes of the conventions.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
CONVERSATION: Final = "gen_ai.conversation.id"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - tokens of text
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
ERROR_TYPE: Final = "error.type"
STATUS_CODE: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
USER_ID: Final = "user.id"
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE: Final = "service.instance.id"
OVERFLOW: Final = "otel.metric.overflow"
"""Marks the series that holds what has none of its own."""

# Metrics of the conventions, all histograms.
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - tokens of text
OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
REQUEST_DURATION: Final = "gen_ai.server.request.duration"
FIRST_TOKEN: Final = "gen_ai.server.time_to_first_token"  # noqa: S105 - tokens of text

TOKEN_BOUNDS: Final = tuple(float(4**power) for power in range(14))
DURATION_BOUNDS: Final = tuple(0.01 * 2**power for power in range(14))
FIRST_TOKEN_BOUNDS: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip

# Our own.
OWN: Final = "headgate."
REQUEST_ID: Final = "headgate.request.id"
FEATURE: Final = "headgate.feature"
KEY_ID: Final = "headgate.key.id"
TEAM: Final = "headgate.team"
TENANT: Final = "headgate.tenant"
DIALECT: Final = "headgate.dialect"
OWN_PROVIDER: Final = "headgate.provider"
ROUTED_MODEL: Final = "headgate.model.routed"
REGION: Final = "headgate.region"
CONFIG_HASH: Final = "headgate.config.hash"
OUTCOME: Final = "headgate.outcome"
ATTEMPTS: Final = "headgate.attempts"
QUEUE_SECONDS: Final = "headgate.queue.seconds"
OVERHEAD_SECONDS: Final = "headgate.overhead.seconds"
FIRST_CONTENT_SECONDS: Final = "headgate.first_content.seconds"
COST_USD: Final = "headgate.cost.usd"
COST_LABEL: Final = "headgate.cost.label"
AVOIDED_USD: Final = "headgate.cost.avoided_usd"
AVOIDED_SECONDS: Final = "headgate.cache.avoided_seconds"
CACHE: Final = "headgate.cache.outcome"
"""The conventions know a provider's own prompt cache, and none before it."""
CACHE_ORIGIN: Final = "headgate.cache.origin"
CACHE_SIMILARITY: Final = "headgate.cache.similarity"
PROMPT: Final = "headgate.prompt"
VARIABLE: Final = "headgate.prompt.variable."
"""Followed by a variable's name."""
TIER: Final = "headgate.tier"
DEGRADED: Final = "headgate.degraded"
PURPOSE: Final = "headgate.purpose"
NOTES: Final = "headgate.notes"
TAG: Final = "headgate.tag."
"""Followed by a tag's name."""
ATTEMPT_NUMBER: Final = "headgate.attempt.number"
ATTEMPT_KIND: Final = "headgate.attempt.kind"
WIRE: Final = "headgate.wire"
CREDENTIAL: Final = "headgate.credential"
CONNECT_SECONDS: Final = "headgate.connect.seconds"
UPSTREAM_ID: Final = "headgate.upstream.request_id"

OTHER: Final = "_OTHER"
"""What the conventions want where a required value is not known."""

FROM_KIND: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "gemini": "gcp.gemini",
        "azure-openai": "azure.ai.openai",
        "bedrock": "aws.bedrock",
    }
)
"""`kind` of a provider -> what the conventions call it. `openai` says how a server is spoken to, not whose it is."""
FROM_HOST: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api.openai.com": "openai",
        "api.x.ai": "x_ai",
        "api.deepseek.com": "deepseek",
        "api.groq.com": "groq",
        "api.mistral.ai": "mistral_ai",
        "api.perplexity.ai": "perplexity",
    }
)
"""Whose servers those are that speak OpenAI's format. Any other is called what the operator calls it."""

FINISH_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "end": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "context_exceeded": "length",
        "tool_use": "tool_call",
    }
)
"""Our word -> that of the conventions; others are the same, or ours alone."""


def metric_name(name: str) -> str:
    """A metric of `/metrics` as OpenTelemetry spells names; a collector that hands it on to Prometheus gives it its old one."""
    return OWN + name.removeprefix("headgate_").removesuffix("_total")


def metric_label(label: str) -> str:
    """A label of `/metrics` as an attribute."""
    return OWN + label
