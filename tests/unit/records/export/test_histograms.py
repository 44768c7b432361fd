"""What is counted of a request and its attempts."""

from __future__ import annotations

from headgate.records.export.histograms import Histograms
from headgate.records.export.spans import Place
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.telemetry.otlp import names

__all__: list[str] = []


def counted(
    *pairs: tuple[RequestRow, list[AttemptRow]],
) -> dict[str, dict[tuple[tuple[str, object], ...], tuple[int, float]]]:
    """Metric -> series -> (how many, their sum)."""
    histograms = Histograms(0)
    for request, attempts in pairs:
        histograms.add(request, attempts, Place)
    return {
        each.name: {
            attributes: (sum(series.counts), series.total)
            for attributes, series in (each.histogram.series if each.histogram else {}).items()
        }
        for each in histograms.metrics()
    }


def test_requests_and_attempts_are_counted_apart():
    """A server's duration is the request's, a client's is each attempt's; tokens are the attempts', cached ones included."""
    request = RequestRow(
        1, 0, "t", operation="chat", requested_model="support", provider="p", outcome="ok", total_us=2_000_000,
        first_content_us=500_000,
    )  # fmt: skip
    failed = AttemptRow(
        2, 1, 1, "q", "a", error_class="upstream_timeout", outcome="failed", ended_us=1_000_000
    )
    good = AttemptRow(
        3, 1, 2, "p", "b", reported_model="b-1", started_us=1_000_000, ended_us=2_000_000, input_tokens=10,
        cache_read_tokens=5, output_tokens=7, reasoning_tokens=2,
    )  # fmt: skip
    found = counted((request, [failed, good]))
    server = ((names.OPERATION, "chat"), (names.PROVIDER, "p"), (names.REQUEST_MODEL, "support"))
    assert found[names.REQUEST_DURATION] == {server: (1, 2.0)}
    assert found[names.FIRST_TOKEN] == {server: (1, 0.5)}
    one = ((names.OPERATION, "chat"), (names.PROVIDER, "q"), (names.REQUEST_MODEL, "a"))
    two = (
        (names.OPERATION, "chat"),
        (names.PROVIDER, "p"),
        (names.REQUEST_MODEL, "b"),
        (names.RESPONSE_MODEL, "b-1"),
    )
    assert found[names.OPERATION_DURATION] == {
        (*one, (names.ERROR_TYPE, "upstream_timeout")): (1, 1.0),
        two: (1, 1.0),
    }
    assert found[names.TOKEN_USAGE] == {
        (*two, (names.TOKEN_TYPE, "input")): (1, 15),
        (*two, (names.TOKEN_TYPE, "output")): (1, 9),
    }


def test_a_request_that_failed_says_why_and_has_no_first_token():
    """Its provider is not known if none was asked."""
    request = RequestRow(
        1, 0, "t", operation="chat", requested_model="x", outcome="refused", error_class="unknown_model",
        first_content_us=1,
    )  # fmt: skip
    found = counted((request, []))
    ((series, _),) = found[names.REQUEST_DURATION].items()
    assert dict(series)[names.ERROR_TYPE] == "unknown_model"
    assert dict(series)[names.PROVIDER] == names.OTHER
    assert not found[names.FIRST_TOKEN]


def test_nobody_waited_for_a_copy_of_ours():
    """What was asked of a provider for it counts all the same."""
    request = RequestRow(1, 0, "t", operation="chat", purpose="shadow", outcome="ok", first_content_us=1)
    found = counted((request, [AttemptRow(2, 1, 1, "p", "m", ended_us=5)]))
    assert not found[names.REQUEST_DURATION] and not found[names.FIRST_TOKEN]
    assert len(found[names.OPERATION_DURATION]) == 1
