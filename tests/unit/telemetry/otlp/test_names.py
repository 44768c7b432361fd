"""Our names are those of the published conventions."""

from __future__ import annotations

import re

from opentelemetry.semconv import attributes as stable_package
from opentelemetry.semconv._incubating.attributes import (
    gen_ai_attributes,
    service_attributes,
    user_attributes,
)
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

from headgate.telemetry.names import METRICS
from headgate.telemetry.otlp import names

__all__: list[str] = []

OURS = {name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
PUBLISHED = {
    value
    for module in (gen_ai_attributes, gen_ai_metrics, error_attributes, http_attributes, server_attributes,
                   service_attributes, user_attributes)
    for value in vars(module).values()
    if isinstance(value, str)
}  # fmt: skip
DEPRECATED = {"gen_ai.system", "gen_ai.prompt", "gen_ai.completion"}
NOT_NAMES = {"SCOPE", "SCHEMA_URL", "OTHER", "OWN"}


def test_every_name_is_published_or_says_that_it_is_ours():
    """And none is one that the conventions have given up."""
    assert stable_package is not None
    for name, value in OURS.items():
        if name in NOT_NAMES or value.startswith(names.OWN):
            continue
        if (
            value == names.OVERFLOW
        ):  # of the specification of metrics, which is no attribute of the conventions
            continue
        assert value in PUBLISHED, f"{name} = {value}"
        assert value not in DEPRECATED
    assert sum(value.startswith("gen_ai.") for value in OURS.values()) >= 23


def test_providers_are_called_what_the_conventions_call_them():
    """Where they have a word for one."""
    known = {each.value for each in gen_ai_attributes.GenAiProviderNameValues}
    assert {*names.FROM_KIND.values(), *names.FROM_HOST.values()} <= known


def test_buckets_are_those_the_conventions_advise():
    """Written out here as their pages have them."""
    assert names.TOKEN_BOUNDS == (
        1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
    )  # fmt: skip
    assert [round(bound, 2) for bound in names.DURATION_BOUNDS] == [
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    ]  # fmt: skip
    assert list(names.FIRST_TOKEN_BOUNDS) == sorted(names.FIRST_TOKEN_BOUNDS)


def test_a_metric_comes_back_to_prometheus_under_its_old_name():
    """A collector writes dots as underscores and ends counters in `_total`."""
    for metric in METRICS:
        back = names.metric_name(metric.name).replace(".", "_")
        assert back + ("_total" if metric.kind == "counter" else "") == metric.name
        assert re.fullmatch(r"headgate\.[a-z_]+", names.metric_name(metric.name))
