"""An identity provider's side: keys of its own, the JWKS document with their public halves, and tokens."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

__all__ = ["AUDIENCE", "ISSUER", "claims", "document", "private_key", "token"]

ISSUER = "https://login.example.test/"
AUDIENCE = "headgate"


@cache
def private_key(kid: str, kind: str = "EC") -> Any:
    """Made once for each name in this process: RSA takes a while."""
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def document(*kids: str, kind: str = "EC", extra: list[dict[str, Any]] | None = None) -> bytes:
    """JWKS with the public keys of these names."""
    algorithm = jwt.algorithms.RSAAlgorithm if kind == "RSA" else jwt.algorithms.ECAlgorithm
    keys = [
        {**json.loads(algorithm.to_jwk(private_key(kid, kind).public_key())), "kid": kid, "use": "sig"}
        for kid in kids
    ]
    return json.dumps({"keys": [*keys, *(extra or [])]}).encode()


def claims(**more: Any) -> dict[str, Any]:
    """Of a good token; None takes a claim away."""
    now = int(time.time())
    all_of_them = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "iat": now, "exp": now + 600, **more}
    return {name: value for name, value in all_of_them.items() if value is not None}


def token(kid: str | None = "one", *, kind: str = "EC", by: str | None = None, **more: Any) -> bytes:
    """Signed by the key called `by`, or `kid`."""
    headers = {} if kid is None else {"kid": kid}
    algorithm = "RS256" if kind == "RSA" else "ES256"
    key = private_key(by or kid or "one", kind)
    return jwt.encode(claims(**more), key, algorithm=algorithm, headers=headers).encode()
