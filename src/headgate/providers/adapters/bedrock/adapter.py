"""Addresses calls to Bedrock and signs them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import Operation
from headgate.providers.adapters.bedrock.credentials import (
    CredentialSource,
    FixedCredentials,
    FoundCredentials,
)
from headgate.providers.adapters.bedrock.settings import BedrockSettings
from headgate.providers.port import Call, UpstreamRequest, Url, Wire
from headgate.providers.wires.bedrock_converse import BedrockConverse, BedrockCountTokens
from headgate.providers.wires.bedrock_converse.framing import botocore_module

__all__ = ["BedrockAdapter"]

_ACTIONS = {
    ("bedrock.converse", False): "converse",
    ("bedrock.converse", True): "converse-stream",
    ("bedrock.count_tokens", False): "count-tokens",
}

_REMEMBERED = 1024
_JSON = (b"content-type", b"application/json")


class BedrockAdapter:
    """Amazon Bedrock.

    environ:  where `AWS_BEARER_TOKEN_BEDROCK` and `AWS_REGION` are looked up; the process's environment by default.
    Raises ImportError without the extra `bedrock`, ValueError without a region or for an unknown profile."""

    kind: ClassVar[str] = "bedrock"

    def __init__(self, settings: BedrockSettings, *, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        # Also with an API key: streams are cut into messages by botocore.
        self._auth = botocore_module("auth")
        self._request_type = botocore_module("awsrequest").AWSRequest
        session = botocore_module("session").Session(profile=settings.profile or None)
        try:
            self._region = _region(settings, session, environ)
        except botocore_module("exceptions").BotoCoreError as error:
            raise ValueError(f"the AWS settings of this machine cannot be used: {error}") from None
        self._base = Url.parse(
            settings.endpoint_url.rstrip("/") or _endpoint("bedrock-runtime", self._region)
        )
        self._control = self._base if settings.endpoint_url else Url.parse(_endpoint("bedrock", self._region))
        self._wires: dict[Operation, Wire] = {"chat": BedrockConverse(), "count_tokens": BedrockCountTokens()}
        self._urls: dict[tuple[str, str], tuple[Url, str]] = {}
        self._extra = [(name.lower().encode(), value.encode()) for name, value in settings.headers.items()]
        self._bearer = _bearer(settings, environ)
        self._credentials = None if self._bearer else _credentials(settings, session)

    def __repr__(self) -> str:
        return f"<BedrockAdapter {self._region} {self._base.scheme}://{self._base.host}:{self._base.port}>"

    def wire_for(self, operation: Operation, caller_wire: str) -> Wire | None:  # noqa: ARG002, one wire per operation
        return self._wires.get(operation)

    def request(self, call: Call) -> UpstreamRequest:
        """Raises ProviderAuthFailed if there are no credentials (yet). Never waits for any."""
        action = _ACTIONS.get((call.wire, call.stream))
        if action is None:
            raise UnsupportedRequest(f"Bedrock does not speak `{call.wire}`")
        url, text = self._url(call.model, action)
        return UpstreamRequest("POST", url, self._signed("POST", text, call.body), call.body)

    def probe(self) -> UpstreamRequest:
        """Lists the text models; Bedrock's control plane answers it, with the same credentials."""
        url = _below(self._control, "/foundation-models?byOutputModality=TEXT")
        return UpstreamRequest("GET", url, self._signed("GET", _text(url), b""))

    def _signed(self, method: str, url: str, body: bytes) -> list[tuple[bytes, bytes]]:
        if self._credentials is None:
            return [_JSON, (b"authorization", self._bearer), *self._extra]
        request = self._request_type(
            method=method, url=url, data=body, headers={"content-type": "application/json"}
        )
        self._auth.SigV4Auth(self._credentials.current(), "bedrock", self._region).add_auth(request)
        return [
            (name.lower().encode(), value.encode()) for name, value in request.headers.items()
        ] + self._extra

    def _url(self, model: str, action: str) -> tuple[Url, str]:
        known = self._urls.get((model, action))
        if known is None:
            if len(self._urls) >= _REMEMBERED:
                self._urls.clear()
            # Colons of model ids and slashes of ARNs are escaped; the signature is over the escaped form.
            url = _below(self._base, f"/model/{quote(model, safe='')}/{action}")
            known = self._urls[model, action] = (url, _text(url))
        return known


def _region(settings: BedrockSettings, session: Any, environ: Mapping[str, str]) -> str:
    of_profile = session.get_config_variable("region")  # here an unknown profile shows
    region = settings.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or of_profile
    if not region:
        raise ValueError("Bedrock needs a region: set `region` of the provider, such as eu-central-1")
    return str(region)


def _endpoint(service: str, region: str) -> str:
    return f"https://{service}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _bearer(settings: BedrockSettings, environ: Mapping[str, str]) -> bytes:
    """What is configured goes before the environment: a profile or an access key there means signing."""
    chosen = settings.api_key
    if not chosen and not (settings.access_key_id or settings.profile):
        chosen = environ.get("AWS_BEARER_TOKEN_BEDROCK", "")
    return f"Bearer {chosen}".encode() if chosen else b""


def _credentials(settings: BedrockSettings, session: Any) -> CredentialSource:
    if settings.access_key_id:
        fixed = botocore_module("credentials").ReadOnlyCredentials
        return FixedCredentials(
            fixed(settings.access_key_id, settings.secret_access_key, settings.session_token or None)
        )
    return FoundCredentials(session)


def _below(base: Url, path: str) -> Url:
    return Url(base.scheme, base.host, base.port, base.target.rstrip(b"/") + path.encode())


def _text(url: Url) -> str:
    """As it is signed: the port is part of the host header unless it is the scheme's own."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    own = (url.scheme, url.port) in (("https", 443), ("http", 80))
    return f"{url.scheme}://{host}{'' if own else f':{url.port}'}{url.target.decode()}"
