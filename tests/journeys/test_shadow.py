"""Shadow traffic in a started gateway: the caller's answer is as ever, and a copy is on record for another model."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

from headgate.core.ids import parse_request_id
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until
from tests.support.records import all_shown

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.main = { error_rate = 0, quality = 1 }
models.other = { error_rate = 0, quality = 1 }

[providers.abroad]
kind = "simulated"
speed = 0
region = "us"

[models.main]
endpoints = [{ provider = "sim", model = "main", region = "eu" }]
[models.other]
endpoints = [{ provider = "sim", model = "other", region = "eu" }]

[features.support-chat]
route = "main"
shadow = { model = "other", share = 1.0 }

[features.at-home]
route = "main"
require = { region = ["eu"] }
shadow = { model = "abroad/sim-small", share = 1.0 }

[features.ruled]
route = "other"
shadow = { model = "other", share = 1.0 }

[features.plain]
route = "main"

[[policies]]
name = "never other"
when = { feature = "ruled" }
use = "main"
"""


def ask(gateway: RunningGateway, feature: str, *, stream: bool = False) -> tuple[int, str, str]:
    body = {"model": feature, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    try:
        headers = {"authorization": f"Bearer {gateway.key}", "x-headgate-tags": "a=b"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        reply = connection.getresponse()
        return reply.status, reply.getheader("x-headgate-model") or "", reply.getheader("x-request-id") or ""
    finally:
        connection.close()


def test_a_copy_is_on_record_and_the_caller_knows_nothing_of_it(tmp_path: Path) -> None:
    """Whole and streamed, each in the trace of its original; rules on where data may go hold for copies too."""
    with running_gateway(tmp_path, CONFIG) as gateway:
        asked = [ask(gateway, "support-chat"), ask(gateway, "support-chat", stream=True)]
        asked += [ask(gateway, "at-home"), ask(gateway, "ruled"), ask(gateway, "plain")]
        assert [(status, model) for status, model, _ in asked] == [(200, "main")] * 5
        assert until(lambda: len(all_shown(gateway)) >= 9, seconds=15), gateway.log
        assert gateway.stop() == 0
        rows = {one.request.id: one.request for one in all_shown(gateway)}
        assert "Traceback" not in gateway.log, gateway.log
    copies = {json.loads(row.tags)["shadow_of"]: row for row in rows.values() if row.purpose == "shadow"}
    assert len(rows) == 9 and copies.keys() == {request_id for _, _, request_id in asked[:4]}
    for request_id, copy in copies.items():
        original = rows[parse_request_id(request_id)]
        assert copy.trace_id == original.trace_id and copy.parent_id == f"{original.id:016x}"
        assert (copy.feature, copy.stream) == (original.feature, original.stream)
        assert original.key_id and not copy.key_id
        assert json.loads(copy.tags)["a"] == "b"
        assert copy.request_content == original.request_content
        if copy.feature == "at-home":
            assert (copy.outcome, copy.error_class, copy.attempts) == ("refused", "no_endpoint_allowed", 0)
        else:
            assert (copy.outcome, copy.reported_model) == ("ok", "other")
            assert copy.cost_nanos and copy.output_tokens and copy.reply_content
