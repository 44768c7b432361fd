"""The histograms of the GenAI conventions, counted from the records as they pass: the request path counts nothing for them."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.records.export.spans import Places
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.telemetry.otlp import names
from headgate.telemetry.otlp.signals import Histogram, MetricPoints, Value

__all__ = ["Histograms"]


class Histograms:
    """What this process has exported since it began, all nodes' requests among them. A node that did not export has none."""

    def __init__(self, start_ns: int) -> None:
        """start_ns: wall clock, when counting began."""
        self._start_ns = start_ns
        self._tokens = Histogram(names.TOKEN_BOUNDS)
        self._operation = Histogram(names.DURATION_BOUNDS)
        self._request = Histogram(names.DURATION_BOUNDS)
        self._first_token = Histogram(names.FIRST_TOKEN_BOUNDS)

    def add(self, request: RequestRow, attempts: Sequence[AttemptRow], places: Places) -> None:
        """One more request."""
        for row in attempts:
            self._add_attempt(request, row, places)
        if request.purpose:
            return  # nobody waited for a copy of ours
        seen: tuple[tuple[str, Value], ...] = (
            (names.OPERATION, request.operation),
            (names.PROVIDER, places(request.provider).provider if request.provider else names.OTHER),
            (names.REQUEST_MODEL, request.requested_model),
        )
        if request.reported_model:
            seen = (*seen, (names.RESPONSE_MODEL, request.reported_model))
        if request.first_content_us and request.outcome == "ok":
            self._first_token.add(request.first_content_us / 1e6, seen)
        if request.error_class:
            seen = (*seen, (names.ERROR_TYPE, request.error_class))
        self._request.add(request.total_us / 1e6, seen)

    def _add_attempt(self, request: RequestRow, row: AttemptRow, places: Places) -> None:
        seen: tuple[tuple[str, Value], ...] = (
            (names.OPERATION, request.operation),
            (names.PROVIDER, places(row.provider).provider),
            (names.REQUEST_MODEL, row.model),
        )
        if row.reported_model:
            seen = (*seen, (names.RESPONSE_MODEL, row.reported_model))
        prompt = row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.cache_write_1h_tokens
        completion = row.output_tokens + row.reasoning_tokens
        if prompt:
            self._tokens.add(prompt, (*seen, (names.TOKEN_TYPE, "input")))
        if completion:
            self._tokens.add(completion, (*seen, (names.TOKEN_TYPE, "output")))
        if row.error_class:
            seen = (*seen, (names.ERROR_TYPE, row.error_class))
        self._operation.add(max(row.ended_us - row.started_us, 0) / 1e6, seen)

    def metrics(self) -> list[MetricPoints]:
        """All of them, as they stand."""
        return [
            MetricPoints(name, unit, text, "histogram", self._start_ns, histogram=histogram)
            for name, unit, text, histogram in (
                (names.TOKEN_USAGE, "{token}", "Number of input and output tokens used.", self._tokens),
                (names.OPERATION_DURATION, "s", "How long calls to providers took.", self._operation),
                (names.REQUEST_DURATION, "s", "How long requests of callers took.", self._request),
                (
                    names.FIRST_TOKEN,
                    "s",
                    "Time to the first token of successful requests.",
                    self._first_token,
                ),
            )
        ]
