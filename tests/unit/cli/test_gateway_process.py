"""A gateway whose configuration changes: what serves goes on serving, whatever is wrong with the new one."""

from __future__ import annotations

import pytest

from headgate.cli.gateway_process import running
from headgate.config.loader import parse
from tests.support.aio import aio

__all__: list[str] = []

SIM = '[providers.sim]\nkind = "simulated"\nspeed = 0\n'


def configuration(folder, more):
    return parse(f'[server]\ndatabase = "sqlite:///{folder}/headgate.db"\n{SIM}{more}', {})


@aio
async def test_providers_stay_when_one_of_the_new_ones_cannot_be_built(tmp_path, monkeypatch):
    """Half of a new configuration is worse than the old one."""
    async with running(configuration(tmp_path, ""), bootstrap_key="hg_0123456789abcdef") as gateway:
        before = gateway.configuration

        def refuse(settings):
            raise ValueError(f"cannot build {type(settings).__name__}")

        monkeypatch.setattr("headgate.compose.providers.build_provider", refuse)
        with pytest.raises(ValueError, match="cannot build OpenAISettings"):
            await gateway.apply(configuration(tmp_path, '[providers.new]\nkind = "openai"\n'))
        assert gateway.configuration is before
        assert (await gateway.probe("sim")).ok


@aio
async def test_a_provider_that_did_not_change_is_kept_with_its_connections(tmp_path):
    """A changed feature must not close what serves."""
    async with running(configuration(tmp_path, ""), bootstrap_key="hg_0123456789abcdef") as gateway:
        before = gateway.reaching.providers["sim"]
        wanted = configuration(tmp_path, '[features.chat]\nroute = "sim/sim-small"\n')
        await gateway.apply(wanted)
        assert gateway.reaching.providers["sim"] is before and gateway.configuration.hash == wanted.hash


def test_settings_that_cannot_work_end_the_command_in_words(tmp_path, monkeypatch, capsys):
    """Code 2 and no traceback."""

    @aio
    async def start():
        async with running(configuration(tmp_path, ""), bootstrap_key=None):
            pass

    def refuse(settings):
        raise ValueError("install the extra `bedrock`")

    monkeypatch.setattr("headgate.compose.providers.build_provider", refuse)
    with pytest.raises(SystemExit) as ended:
        start()
    assert ended.value.code == 2 and "install the extra `bedrock`" in capsys.readouterr().err
