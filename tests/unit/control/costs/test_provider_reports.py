"""Reports of providers are read to the last token and nano-dollar, or refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.control.costs.provider_reports.lines import ProviderReport, ReportLine, ReportRefused
from headgate.control.costs.provider_reports.reading import MOST_BYTES, read_report
from headgate.core.usage import Usage

__all__: list[str] = []

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "usage_reports"
FILES = sorted(path for path in GOLDEN.iterdir() if path.suffix != ".md")
MINI, BIG, HAIKU = "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "claude-haiku-4-5-20251001"
OPENAI_USAGE = (
    ReportLine("2026-11-19", MINI, Usage(input=800_000, cache_read=200_000, output=100_000), requests=50),
    ReportLine("2026-11-20", BIG, Usage(input=10_000, output=1_000), requests=2),
)
OPENAI_COSTS = (
    ReportLine("2026-11-19", "", nanos=250_000_000, item="web search tool calls"),
    ReportLine("2026-11-19", MINI, nanos=195_000_000),
    ReportLine("2026-11-20", BIG, nanos=36_000_000),
)
TOKENS = Usage(input=100_000, cache_read=50_000, cache_write=1_000, output=20_000)


def read(*names: str) -> ProviderReport:
    return read_report([(name, (GOLDEN / name).read_bytes()) for name in names])


def read_text(text: str | bytes, name: str = "f") -> ProviderReport:
    return read_report([(name, text.encode() if isinstance(text, str) else text)])


def refusal(text: str | bytes) -> str:
    with pytest.raises(ReportRefused) as refused:
        read_text(text)
    return str(refused.value)


def test_openai_replies_are_read() -> None:
    """Cached tokens are part of the prompt; a day on which nothing happened is no line; costs are sums over what was
    billed of a model."""
    usage, costs = read("openai_usage.json"), read("openai_costs.json")
    assert (usage.provider, usage.forms, usage.lines) == ("openai", ("openai usage (JSON)",), OPENAI_USAGE)
    assert (costs.provider, costs.lines) == ("openai", OPENAI_COSTS)
    assert usage.unknown == costs.unknown == () and usage.notes == ()


def test_openai_exports_say_the_same() -> None:
    """The page's CSV has the same figures in other columns."""
    assert read("openai_usage.csv").lines == OPENAI_USAGE
    assert read("openai_costs.csv").lines == OPENAI_COSTS


def test_anthropic_replies_are_read() -> None:
    """Tokens in their buckets; costs come in cents, and a search is no model's."""
    assert read("anthropic_usage.json").lines == (ReportLine("2026-11-19", HAIKU, TOKENS),)
    assert read("anthropic_costs.json").lines == (
        ReportLine("2026-11-19", "", nanos=10_000_000, item="Web Search Usage"),
        ReportLine("2026-11-19", HAIKU, nanos=206_250_000),
    )


def test_anthropic_exports_say_the_same() -> None:
    """By the console's names of models; what was paid, not the list price."""
    assert read("anthropic_usage.csv").lines == (ReportLine("2026-11-19", HAIKU, TOKENS),)
    assert read("anthropic_costs.csv").lines == (
        ReportLine("2026-11-19", "", nanos=10_000_000, item="web_search"),
        ReportLine("2026-11-19", "Claude Haiku 4.5", nanos=206_250_000),
    )
    assert all(not read(path.name).unknown for path in FILES)


def test_tokens_and_money_come_together() -> None:
    """Of the same day and model, from two files."""
    report = read("openai_usage.json", "openai_costs.json")
    assert report.forms == ("openai usage (JSON)", "openai costs (JSON)")
    mini = next(line for line in report.lines if line.model == MINI)
    assert (mini.usage, mini.nanos, mini.requests) == (OPENAI_USAGE[0].usage, 195_000_000, 50)


def test_all_pages_of_a_reply_may_stand_in_one_file() -> None:
    """As a list; the last one says whether there are more."""
    page = json.loads((GOLDEN / "openai_usage.json").read_text())
    first, second = {**page, "data": page["data"][:1], "has_more": True}, {**page, "data": page["data"][1:]}
    assert read_text(json.dumps([first, second])).lines == OPENAI_USAGE
    assert read_text(json.dumps([first, second])).notes == ()
    (note,) = read_text(json.dumps(first)).notes
    assert "not the last page" in note


@pytest.mark.parametrize(
    ("item", "model", "left"),
    [
        ("gpt-4o-mini-2024-07-18, cached input", "gpt-4o-mini-2024-07-18", ""),
        ("priority | gpt-5.6, output, long context", "gpt-5.6", ""),
        ("gpt-audio-mini audio, input", "gpt-audio-mini", ""),
        ("gpt-4o", "gpt-4o", ""),
        ("web search tool calls", "", "web search tool calls"),
        ("", "", ""),
    ],
)
def test_what_was_billed_names_its_model(item: str, model: str, left: str) -> None:
    """However OpenAI words it; what names none stays what it is."""
    page = json.loads((GOLDEN / "openai_costs.json").read_text())
    page["data"] = page["data"][:1]
    page["data"][0]["results"] = [{**page["data"][0]["results"][0], "line_item": item}]
    (line,) = read_text(json.dumps(page)).lines
    assert (line.model, line.item) == (model, left)


def test_what_is_not_understood_is_told() -> None:
    """A column that comes with the next version is listed, not read, and no error."""
    text = (GOLDEN / "anthropic_usage.csv").read_text().replace("speed", "thinking_tokens")
    assert read_text(text).unknown == ("thinking_tokens",)
    page = json.loads((GOLDEN / "openai_usage.json").read_text())
    page["data"][0]["results"][0]["moon"] = 1
    assert read_text(json.dumps(page)).unknown == ("moon",)


def changed(name: str, old: str, new: str) -> str:
    text = (GOLDEN / name).read_text()
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f is neither a reply of OpenAI's"),
        ("a,b\n1,2\n", "Its columns: a, b"),
        ("a,a\n1,2\n", "a column is there twice"),
        (b"\xff\xfe", "no text in UTF-8: byte 0"),
        ('{"data": [', "line 1, column"),
        ("[1]", "f[0] is no object"),
        ("[]", "no results"),
        ('{"error": {"message": "no key"}}', "has no `data`"),
        ('{"data": 1}', "`data` is 1, and should be a list"),
        ('{"data": [{"results": [{"object": "x"}]}]}', "f.data[0].results[0] is not known"),
        ('{"data": [{"results": [{"object": "organization.usage.images.result"}]}]}', "compare its costs"),
        ('{"data": []}', "no results"),
        ('{"data": NaN}', "NaN is no number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"data": 1e999999999}', "out of all proportion"),
        (changed("openai_usage.json", "100000,", "-1,"), "data[0].results[0]: `output_tokens` is -1"),
        (changed("openai_usage.json", "200000", "2000000"), "a part of the 1000000 `input_tokens`"),
        (changed("openai_usage.json", '"gpt-4o-mini-2024-07-18"', '"\\ud800"'), "printable"),
        (changed("openai_costs.json", '"usd"', '"eur"'), "`currency` is 'eur', and should be usd"),
        (changed("openai_costs.json", "0.12", '"NaN"'), "an amount of money"),
        (changed("openai_costs.json", "0.12", "1e20"), "an amount of money"),
        (changed("anthropic_costs.json", '"10"', '"ten"'), "`amount` is 'ten'"),
        (changed("anthropic_usage.json", "2026-11-20T00", "2026-11-21T00"), "not within one day"),
        (
            changed("anthropic_usage.csv", "2026-11-19", "yesterday"),
            "line 2: `usage_date_utc` is 'yesterday'",
        ),
        (changed("anthropic_usage.csv", "100000", "1.5"), "line 2: `usage_input_tokens_no_cache` is '1.5'"),
        (changed("anthropic_usage.csv", ",gate", ""), "line 2 has 13 cells, the first has 14"),
        (changed("openai_usage.csv", "1000000,", '"1000000,'), "line"),
    ],
)
def test_a_bad_file_is_refused_where_it_is_bad(text: str | bytes, said: str) -> None:
    """With the line, or the place in the document, and what should stand there."""
    assert said in refusal(text)


def test_files_that_do_not_belong_together_are_refused() -> None:
    """Two providers, or the same file twice, which would count twice."""
    with pytest.raises(ReportRefused, match="anthropic and openai"):
        read("openai_usage.json", "anthropic_usage.json")
    with pytest.raises(ReportRefused, match="is the same as"):
        read("openai_usage.json", "openai_usage.json")
    mixed = json.loads((GOLDEN / "openai_usage.json").read_text())
    mixed["data"] += json.loads((GOLDEN / "openai_costs.json").read_text())["data"]
    assert "openai costs, and what came before is openai usage" in refusal(json.dumps(mixed))
    assert "100 MB" in refusal(b" " * (MOST_BYTES + 1))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def every_place(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for name, child in children for place in every_place(child, (*path, name)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_document_is_read_or_refused(data: st.DataObject) -> None:
    """Any value in any place of any reply; what is read is never negative tokens."""
    path = data.draw(st.sampled_from([path for path in FILES if path.suffix == ".json"]))
    document = json.loads(path.read_text())
    place = data.draw(st.sampled_from(every_place(document)))
    try:
        report = read_text(json.dumps(replaced(document, place, data.draw(values))))
    except ReportRefused as refused:
        assert str(refused)
    else:
        assert all(line.usage is None or line.usage.input >= 0 for line in report.lines)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_table_is_read_or_refused(data: st.DataObject) -> None:
    """Bytes cut out, put in or replaced anywhere in any export; and any bytes at all."""
    content = data.draw(st.sampled_from([path.read_bytes() for path in FILES] + [b""]))
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    new = data.draw(
        st.binary(max_size=12) | st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace"))
    )
    try:
        read_text(content[:start] + new + content[end:])
    except ReportRefused as refused:
        assert str(refused)
