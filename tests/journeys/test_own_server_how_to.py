"""What `docs/how-to/use-your-own-server.md` tells people to do works, with a real llama.cpp server as theirs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.authorities import authority
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.llama_cpp import llama_cpp
from tests.support.records import all_shown

__all__: list[str] = []

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "use-your-own-server.md").read_text(encoding="utf-8")
KEYS = {"VLLM_API_KEY": "v", "OPENAI_API_KEY": "sk-made-up"}
FEATURE = '\n[features.support-chat]\nroute = "tiny"\n'


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def headgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | KEYS | {"NO_COLOR": "1"}
    command = [sys.executable, "-m", "headgate", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("number", range(len(blocks("toml"))))
def test_each_configuration_is_accepted(number: int, tmp_path: Path) -> None:
    """As it stands on the page; the one with a certificate authority finds the file it names."""
    ca_file = authority(tmp_path).ca_file
    config = blocks("toml")[number].replace("/etc/ssl/internal-ca.pem", ca_file)
    (tmp_path / "headgate.toml").write_text(config)
    done = headgate(tmp_path, "check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The page's llama.cpp, on a free port."""
    folder = tmp_path_factory.mktemp("house")
    about_llama = [block for block in blocks("toml") if "127.0.0.1:8001" in block]
    config = "".join(about_llama) + FEATURE
    with (
        llama_cpp(folder) as url,
        running_gateway(folder, config.replace("http://127.0.0.1:8001", url), environment=KEYS) as running,
    ):
        yield running


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_each_program_gets_its_answer(number: int, house: RunningGateway) -> None:
    """Run as an application would: a process of its own, the key in its environment."""
    program = blocks("python")[number].replace("http://127.0.0.1:8080", house.url)
    environment = os.environ | {"HEADGATE_KEY": house.key}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) > 10


def test_the_commands_tell_what_happened(house: RunningGateway) -> None:
    """`check --try` reaches the server in both protocols; `tail` and `show` name it."""
    tried = headgate(house.directory, "check", "--try")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    test_each_program_gets_its_answer(0, house)
    due = time.monotonic() + 15
    while not all_shown(house):
        assert time.monotonic() < due, house.log
        time.sleep(0.05)
    told = headgate(house.directory, "tail", "--no-follow")
    assert told.returncode == 0, told.stderr
    assert "support-chat" in told.stdout and "tiny" in told.stdout
    request = re.findall(r"req_\w+", told.stdout)[-1]
    whole = headgate(house.directory, "show", request)
    assert whole.returncode == 0, whole.stderr
    assert "llama/tiny" in whole.stdout and "Hello!" in whole.stdout
