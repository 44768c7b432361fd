"""One browser and one gateway with something to show, for all tests of a module: no longer, because the browser's own loop
would be in the way of tests with one of theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import CONFIG, chromium, fill
from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("dashboard"), CONFIG) as started:
        fill(started)
        yield started
        assert "Traceback" not in started.log, started.log
