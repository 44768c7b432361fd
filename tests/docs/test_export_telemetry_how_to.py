"""What the how-to on telemetry promises: its configuration sends what it says, under the names it gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

from headgate.config.model import Settings
from headgate.telemetry.names import METRICS
from headgate.telemetry.otlp import names
from tests.support.asking import ask
from tests.support.following import DOCS, beside_a_gateway, how_to
from tests.support.otlp_receiver import attributes, otlp_receiver
from tests.support.pages import blocks

__all__: list[str] = []

PAGE = how_to("export-telemetry")


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """The collector gets the request that `headgate show` shows; nothing of the prompt, and every signal it names."""
    assert len(blocks(PAGE, "toml")) == 1
    with otlp_receiver() as receiver:

        def told_there(config: str) -> str:
            return config.replace("http://127.0.0.1:4318", receiver.url)

        with beside_a_gateway(PAGE, tmp_path, adapted=told_there) as (gateway, reader):
            for block in blocks(PAGE, "console"):
                reader.do(block)
            got = ask(gateway, "chat", "support-chat", stream=False)
            assert gateway.stop() == 0
        (whole,) = (span for span in receiver.spans() if span.kind == 2)
    assert attributes(whole.attributes)["headgate.request.id"] == got.request_id
    assert {each["authorization"] for each in receiver.headers} == {"Bearer none"}
    for name in (names.TOKEN_USAGE, names.OPERATION_DURATION, names.REQUEST_DURATION, names.FIRST_TOKEN):
        assert receiver.points(name), name


def test_every_name_on_the_page_is_one_that_is_sent() -> None:
    """Attributes and metrics; and every setting of the section that the text mentions exists."""
    text = PAGE.read_text()
    known = {value for value in vars(names).values() if isinstance(value, str)}
    known |= {names.metric_name(metric.name) for metric in METRICS}
    for name in re.findall(r"`((?:gen_ai|headgate|user|server|service|error|http)\.[a-z_.]+)…?`", text):
        assert name in known, name
    settings = set(Settings().telemetry.otlp.__struct_fields__)
    assert {"endpoint", "headers", "every", "content", "users", "give_up"} <= settings


def test_the_dashboard_lies_where_the_page_says() -> None:
    """And is JSON."""
    (path,) = re.findall(r"`(deploy/grafana/\S+\.json)`", PAGE.read_text())
    assert json.loads((DOCS.parent / path).read_text())["title"] == "Headgate"
