"""docs/how-to/scale.md, followed: a file is moved to a real PostgreSQL, and two nodes go on with what was in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.asking import ask
from tests.support.following import at_once, how_to
from tests.support.gateway import running_gateway
from tests.support.pages import Block, Reader, blocks
from tests.support.postgres_server import postgres_server

__all__: list[str] = []

PAGE = how_to("scale")
THERE = "postgresql://gate:secret@db.example.com/headgate"


@pytest.mark.needs("postgres")
def test_a_file_becomes_two_nodes(tmp_path: Path) -> None:
    """The database as the page makes it, the move, the configuration, and what each node then shows."""
    (config,), (database,), (move, tail) = (blocks(PAGE, kind) for kind in ("toml", "sql", "console"))
    with postgres_server() as server:
        for statement in filter(str.strip, database.text.split(";")):
            server.run("postgres", statement)
        here = f"postgresql://gate:secret@127.0.0.1:{server.port}/headgate"
        text = at_once(config.text)
        with running_gateway(tmp_path, text.replace(THERE, "sqlite:///headgate.db")) as gateway:
            for _ in range(3):
                assert ask(gateway, "chat", "support-chat", stream=False).status == 200
            assert gateway.stop() == 0
        reader = Reader(tmp_path, "", {})
        reader.do(Block("console", move.text.replace("db.example.com/", f"127.0.0.1:{server.port}/")))
        on_server = text.replace(THERE, here)
        (tmp_path / "other").mkdir()
        with (
            running_gateway(tmp_path, on_server) as one,
            running_gateway(tmp_path / "other", on_server) as two,
        ):
            for node in (one, two):
                assert ask(node, "chat", "support-chat", stream=False).status == 200
            for folder in (tmp_path, tmp_path / "other"):
                Reader(folder, "", {}).do(tail)
