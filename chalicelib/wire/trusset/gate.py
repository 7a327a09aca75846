"""Who is calling, how often, and with how large a body: the checks before a request's content is looked at."""

from __future__ import annotations

import re

from chalicelib.clock import now_s
from chalicelib.stores.dynamodb import OutcomeUnknown, Unavailable
from chalicelib.stores.requests import RATE_WINDOW_S, Requests
from chalicelib.stores.tenants import Credential, Tenants
from chalicelib.wire.http import HttpRequest
from chalicelib.wire.trusset.envelope import Envelope, Fault

API_KEY = re.compile(r"trusset_([A-Za-z0-9]{8})_[0-9a-f]{64}")
SERVICE = "trading"
BODY_BYTES_MAX = 64 * 1024


def pass_gate(request: HttpRequest, tenants: Tenants, requests: Requests, envelope: Envelope) -> Credential:
    """Do checks 2 to 6 of T10: key present, key accepted, rate, service, body size. Raises Fault at the first fault.

    Sets the envelope's instance and rate headers as soon as they are known.
    """
    api_key = request.headers.get("x-api-key", "")
    if not api_key:
        raise Fault("AUTH_REQUIRED", "API key is required")
    credential = _accept(api_key, tenants)
    if credential is None:
        raise Fault("AUTH_FAILED", "API key is not valid")
    envelope.instance = credential.instance
    _count(credential, requests, envelope)
    if SERVICE not in credential.services:
        raise Fault("SERVICE_NOT_ENABLED", f"Service '{SERVICE}' is not enabled for this instance")
    if len(request.body) > BODY_BYTES_MAX:
        raise Fault("PAYLOAD_TOO_LARGE", f"Body is over {BODY_BYTES_MAX} bytes")
    return credential


def _accept(api_key: str, tenants: Tenants) -> Credential | None:
    match = API_KEY.fullmatch(api_key)
    if match is None:
        return None
    try:
        return tenants.accept(match[1], api_key)
    except Exception as error:  # whatever it is, the caller is not to blame, and not let in
        raise Fault("AUTH_ERROR", "The API key could not be checked") from error


def _count(credential: Credential, requests: Requests, envelope: Envelope) -> None:
    """Count the request in its minute and say so in the headers (T6). Raises Fault over the limit."""
    if not credential.rate_limit:
        return
    try:
        count = requests.count(f"{credential.instance}/rate/{credential.key_id}")
    except OutcomeUnknown as error:  # at worst the request is counted and not served
        raise Unavailable(str(error)) from error
    now = now_s()
    window_end = (now // RATE_WINDOW_S + 1) * RATE_WINDOW_S
    envelope.headers |= {
        "X-RateLimit-Limit": str(credential.rate_limit),
        "X-RateLimit-Remaining": str(max(0, credential.rate_limit - count)),
        "X-RateLimit-Reset": str(window_end),
    }
    if count > credential.rate_limit:
        retry_after_s = max(1, window_end - now)
        raise Fault(
            "RATE_LIMIT_EXCEEDED",
            f"Over {credential.rate_limit} requests in this minute",
            headers={"Retry-After": str(retry_after_s)},
            metadata={"retryAfter": retry_after_s},
        )
