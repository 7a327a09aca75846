"""Who is calling, how often, and with how large a body: the checks before a request's content is looked at."""

from __future__ import annotations

import re

from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.domain.tenancy.instances import Credential
from chalicelib.support.clock import now_s
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger, request_uncounted, tell
from chalicelib.tables.requests import RATE_WINDOW_S, Rates, window_start_s
from chalicelib.tables.tenants import Tenants

API_KEY = re.compile(r"trusset_([A-Za-z0-9]{8})_[0-9a-f]{64}")
SERVICE = "trading"
BODY_BYTES_MAX = 64 * 1024


def pass_gate(request: HttpRequest, tenants: Tenants, rates: Rates, envelope: Envelope) -> Credential:
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
    tell(instance=credential.instance)
    _count(credential, rates, envelope)
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
        logger.exception("key not checked")
        raise Fault("AUTH_ERROR", "The API key could not be checked") from error


def _count(credential: Credential, rates: Rates, envelope: Envelope) -> None:
    """Count the request in its minute and say so in the headers (T6). Raises Fault over the limit.

    Fails open: when the counter's table is throttled or out of reach, the request is served as the first of its minute.
    What is wrong with the deployment, such as a missing permission, is a fault like any other: it does not pass by
    itself, and would leave every limit off without anybody noticing.
    """
    limit, at_s = credential.rate_limit, now_s()
    if not limit:
        return
    window_end_s = window_start_s(at_s) + RATE_WINDOW_S
    try:
        count = rates.count(f"{credential.instance}/rate/{credential.key_id}", limit, at_s)
    except (Unavailable, OutcomeUnknown) as error:
        request_uncounted(credential.instance, credential.key_id, error)
        count = 0
    envelope.headers |= {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(max(0, limit - count)),
        "X-RateLimit-Reset": str(window_end_s),
    }
    if count > limit:
        retry_after_s = window_end_s - at_s
        raise Fault(
            "RATE_LIMIT_EXCEEDED",
            f"Over {limit} requests in this minute",
            headers={"Retry-After": str(retry_after_s)},
            metadata={"retryAfter": retry_after_s},
        )
