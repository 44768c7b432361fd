"""What the how-to on alerts promises: its commands print what is shown, and its program knows a message of ours."""

from __future__ import annotations

import json
import time
from pathlib import Path

from headgate.stores.alerts import Alert
from tests.support.alert_nodes import node
from tests.support.alerted import mail_server, web_server
from tests.support.following import how_to
from tests.support.pages import Block, Reader, blocks

__all__: list[str] = []

PAGE = how_to("be-told")
OPS = "https://ops.example.com"
MAIL = 'server = "mail.example.com:587"\nuser = "headgate"\npassword = "made-up"'


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """With the configuration it begins with, but for the address of whoever is told."""
    config, *_ = blocks(PAGE, "toml")
    trying, adding, looking = blocks(PAGE, "console")
    (example,) = blocks(PAGE, "json")
    said = json.loads(example.text)["data"]
    with web_server() as web, mail_server() as mail:
        reader = Reader(tmp_path, "", {})
        here = config.text.replace(OPS, web.url).replace(
            MAIL, f'server = "127.0.0.1:{mail.port}"\ntls = "none"'
        )
        (tmp_path / "headgate.toml").write_text(here)
        reader.do(Block("console", trying.text.replace(f"{OPS}/", f"{web.url}/")))
        reader.do(adding)
        with node(tmp_path) as running:
            told = Alert(kind="budget", at_ns=time.time_ns(), **said)
            running.tell(told)
            web.wait(lambda: len(web.posts) == 2)
            mail.wait(lambda: len(mail.mails) == 1)
        reader.do(looking)
    trial, posted = web.posts
    assert json.loads(trial.body)["type"] == "alert.test"
    sent = json.loads(posted.body)
    assert sent["data"] == said and sent.keys() == json.loads(example.text).keys()
    (program,) = blocks(PAGE, "python")
    names: dict[str, object] = {}
    exec(program.text, names)
    verify, secret = names["is_from_headgate"], here.partition('secret = "')[2].partition('"')[0]
    assert callable(verify)
    assert verify(posted.headers, posted.body, secret)
    assert not verify(posted.headers, posted.body + b" ", secret)
    assert not verify({**posted.headers, "webhook-timestamp": "1700000000"}, posted.body, secret)
    assert not verify({**posted.headers, "webhook-id": "msg_other"}, posted.body, secret)
