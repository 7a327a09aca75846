"""Secrets and signatures by the Standard Webhooks specification.

Secrets are stored nowhere: each is derived from the master key, the endpoint's id and the secret's number, as those of
API tokens are (``tenancy.keys``). A rotation moves to the next number.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from chalicelib.domain.tenancy.master_keys import derived
from chalicelib.domain.webhooks.endpoint import Endpoint

_PURPOSE = b"tallybook webhook secret v1\n"


def secret_of(master_key: bytes, endpoint_id: str, generation: int) -> str:
    """Return an endpoint's secret with this number: ``whsec_`` and 32 bytes in base64."""
    return "whsec_" + base64.b64encode(derived(master_key, _PURPOSE, f"{endpoint_id}/{generation}")).decode()


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
