"""Where spans and metrics are sent to, and how."""

from __future__ import annotations

import msgspec

from headgate.core.section import Duration, Section

__all__ = ["OtlpSettings", "TelemetrySettings"]


class OtlpSettings(Section, frozen=True):
    """Spans and metrics to an OpenTelemetry collector, or to whatever else takes OTLP over HTTP. Read from the records, after
    they are stored: requests wait for nothing and lose nothing when the collector is away."""

    endpoint: str = ""
    """Address of the collector, such as `http://collector:4318`; `/v1/traces` and `/v1/metrics` are added. Left out: nothing
    is sent."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent with everything, such as `{ authorization = "Bearer ${OTLP_TOKEN}" }`."""
    traces: bool = True
    """Send a span for each request and one for each of its attempts."""
    metrics: bool = True
    """Send what `/metrics` shows, and the histograms of the GenAI conventions."""
    every: Duration = Duration(10.0)
    """Between two sendings. What has come together meanwhile goes in batches of at most 1 MB."""
    timeout: Duration = Duration(10.0)
    """How long one sending may take."""
    give_up: Duration = Duration(3600.0)
    """Requests that ended longer ago are sent no more, and counted: a collector that was away for a week gets the last hour,
    not the week."""
    content: bool = False
    """Send prompts and answers too, as `gen_ai.input.messages`, `gen_ai.system_instructions` and `gen_ai.output.messages`, and
    the words of errors, in which providers repeat prompts. Needs `records.content`."""
    users: bool = False
    """Send who asked, as `user.id`."""
    resource: dict[str, str] = msgspec.field(default_factory=dict)
    """Attributes of the sender besides `service.name` (headgate, unless it is set here), `service.version` and
    `service.instance.id`, such as `{ "deployment.environment.name" = "production" }`."""


class TelemetrySettings(Section, frozen=True):
    """What is told to systems that watch this one. `/metrics` is always there and needs no setting."""

    otlp: OtlpSettings = OtlpSettings()
    """Spans and metrics in OpenTelemetry's protocol."""
