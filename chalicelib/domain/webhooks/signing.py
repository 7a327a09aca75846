"""Secrets and signatures by the Standard Webhooks specification.

Secrets are stored nowhere: each is derived from the master key, the endpoint's id and the secret's number, as those of
API tokens are (``tenancy.keys``). A rotation moves to the next number.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from chalicelib.domain.tenancy.master_keys import derived
from chalicelib.domain.webhooks.endpoint import Endpoint

_PURPOSE = b"tallybook webhook secret v1\n"
_CALLBACK_PURPOSE = b"tallybook callback secret v1\n"
TOLERANCE_S = 300
"""How far the time of a signed request may be from now, by the specification's libraries."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
SIGNATURES_MAX = 10
"""Signatures of a request that are looked at."""


def secret_of(master_key: bytes, endpoint_id: str, generation: int) -> str:
    """Return an endpoint's secret with this number: ``whsec_`` and 32 bytes in base64."""
    return _secret(master_key, _PURPOSE, f"{endpoint_id}/{generation}")


def callback_secret_of(master_key: bytes, sender: str, generation: int) -> str:
    """Return the secret with which a sender signs callbacks to us, with this number. sender: its unique name."""
    return _secret(master_key, _CALLBACK_PURPOSE, f"{sender}/{generation}")


def _secret(master_key: bytes, purpose: bytes, text: str) -> str:
    return "whsec_" + base64.b64encode(derived(master_key, purpose, text)).decode()


def secrets_of(endpoint: Endpoint, master_keys: Iterable[bytes], now_ms: int) -> list[str]:
    """Return the secrets that sign for an endpoint now: of each master key, and during a rotation of both numbers."""
    return [
        secret_of(master_key, endpoint.endpoint_id, generation)
        for master_key in master_keys
        for generation in endpoint.generations(now_ms)
    ]


def signed_headers(secrets: Sequence[str], delivery_id: str, payload: bytes, now_ms: int) -> dict[str, str]:
    """Return the headers that identify and sign a request, with a signature of each secret."""
    at, text = datetime.fromtimestamp(now_ms // 1000, UTC), payload.decode()
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(now_ms // 1000),
        "webhook-signature": " ".join(Webhook(secret).sign(delivery_id, at, text) for secret in secrets),
    }


def is_signed(secrets: Iterable[str], headers: Mapping[str, str], payload: bytes, now_s: int) -> bool:
    """Return whether a request is signed with one of the secrets, and new. headers: names in lower case."""
    name, sent, signatures = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not name or not _TIMESTAMP.fullmatch(sent) or abs(now_s - int(sent)) > TOLERANCE_S:
        return False
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return False
    at, given = datetime.fromtimestamp(int(sent), UTC), signatures.split(" ")[:SIGNATURES_MAX]
    return any(
        hmac.compare_digest(Webhook(secret).sign(name, at, text).encode(), one.encode())
        for secret in secrets
        for one in given
    )
