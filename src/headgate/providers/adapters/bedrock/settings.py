"""What can be said of a Bedrock provider."""

from __future__ import annotations

import msgspec

from headgate.providers.settings import ProviderSettings

__all__ = ["BedrockSettings"]


class BedrockSettings(ProviderSettings, frozen=True):
    """Amazon Bedrock. `region` is the AWS region, such as `eu-central-1`; if it is missing, the environment's or the
    profile's. Without any of the credentials below, the usual places are searched: environment, shared files, single
    sign-on, web identity, container and instance roles."""

    api_key: str = ""
    """A Bedrock API key, sent as Bearer token; if it is missing, `AWS_BEARER_TOKEN_BEDROCK` of the environment."""
    access_key_id: str = ""
    """Together with `secret_access_key`: fixed credentials to sign with."""
    secret_access_key: str = ""
    """The secret of `access_key_id`."""
    session_token: str = ""
    """Belongs to temporary `access_key_id`s."""
    profile: str = ""
    """A profile of the shared AWS files."""
    endpoint_url: str = ""
    """Another address than `https://bedrock-runtime.{region}.amazonaws.com`, such as a VPC endpoint."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent with every request; they are not signed."""
