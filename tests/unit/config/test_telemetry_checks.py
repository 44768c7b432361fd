"""What cannot be sent to a collector is refused before anything is started."""

from __future__ import annotations

import pytest

from headgate.config.explain import telemetry
from headgate.config.loader import parse
from headgate.config.problems import ConfigurationRefused

__all__: list[str] = []


def problem(text: str) -> str:
    with pytest.raises(ConfigurationRefused) as refused:
        parse(f"[telemetry.otlp]\n{text}", {"COLLECTOR_TOKEN": "t\nx"})
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("endpoint = 'collector:4318'", "must be an address such as http://collector:4318"),
        ("endpoint = 'grpc://c:4317'", "must be an address such as http://collector:4318"),
        ("endpoint = 'http://c/v1/traces'", "which are added"),
        ("endpoint = 'http://c/?a=b'", "must have no `?`"),
        ("every = '10ms'", "at least 100ms"),
        ("timeout = 0", "must be more than 0"),
        ("give_up = '0s'", "must be more than 0"),
        ("headers = { 'a b' = 'c' }", "no name of a header"),
        ("headers = { Content-Type = 'c' }", "no name of a header"),
        ("headers = { authorization = '${COLLECTOR_TOKEN}' }", "a character that a header cannot carry"),
        ("content = true\n[records]\ncontent = false", "there is none to send"),
        ("endpiont = 'http://c'", "did you mean `endpoint`"),
    ],
)
def test_what_cannot_work_is_refused(text, said):
    """With what would be right."""
    assert said in problem(text)


def test_what_leaves_is_told_by_check():
    """Without a password that stands in the address."""
    otlp = "[telemetry.otlp]\nendpoint = 'http://me:pass@c:4318/x'\n"
    assert telemetry(parse(otlp, {})) == ["Spans and metrics go to c:4318, without prompts and answers"]
    loud = telemetry(parse(f"{otlp}content = true\nmetrics = false", {}))
    assert loud == ["Spans go to c:4318, prompts and answers included"]
    assert telemetry(parse("", {})) == []


def test_what_the_section_holds_is_shown_without_its_secrets():
    """Headers hold tokens."""
    text = "[telemetry.otlp]\nendpoint = 'http://c'\nheaders = { authorization = 'Bearer planted' }"
    assert "planted" not in repr(parse(text, {}).settings)
