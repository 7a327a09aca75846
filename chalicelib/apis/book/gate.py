"""Gate of the book desk: authentication, rate limits and body size, before the content is checked (T10)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.book.routes import BATCH
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.domain.tenancy.instances import TRADING, AcceptedKey
from chalicelib.domain.tenancy.rate_limit import MINUTE_S, minute_of
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.support.clock import now_s
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.telemetry import add_log_members, logger

API_KEY = re.compile(r"trusset_([A-Za-z0-9]{8})_[0-9a-f]{64}")
BODY_BYTES_MAX = 64 * 1024
BATCH_BODY_BYTES_MAX = 256 * 1024
"""Of a batch: 25 orders with the longest names, each character as escapes, come to less than 192 KiB."""


def body_bytes_max(route: str | None) -> int:
    """Return how many bytes a body may have. route: the path of the request's route, as in ``ROUTES``."""
    return BATCH_BODY_BYTES_MAX if route == BATCH else BODY_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Gate:
    """Authenticates requests. accept: finds an API key by instance ref and whole key; None if it is invalid."""

    accept: Callable[[str, str], AcceptedKey | None]
    limiter: RateLimiter

    def pass_through(self, request: HttpRequest, envelope: Envelope) -> str:
        """Return the instance, after checks 2 to 6 of T10: key present, key accepted, rate, service, body size.

        Sets the envelope's key and rate headers as soon as they are known. Raises Fault at the first fault.
        """
        api_key = request.headers.get("x-api-key", "")
        if not api_key:
            raise Fault("AUTH_REQUIRED", "API key is required")
        key = self._key_of(api_key)
        if key is None:
            raise Fault("AUTH_FAILED", "API key is not valid")
        envelope.key = key
        add_log_members(instance=key.instance)
        self.count(envelope)
        if TRADING not in key.services:
            raise Fault("SERVICE_NOT_ENABLED", f"Service '{TRADING}' is not enabled for this instance")
        bytes_max = body_bytes_max(request.route)
        if len(request.body) > bytes_max:
            raise Fault("PAYLOAD_TOO_LARGE", f"Body is over {bytes_max} bytes")
        return key.instance

    def _key_of(self, api_key: str) -> AcceptedKey | None:
        match = API_KEY.fullmatch(api_key)
        if match is None:
            return None
        try:
            return self.accept(match[1], api_key)
        except Exception as error:  # any fault: the caller is not to blame, and is refused
            logger.exception("key not checked")
            raise Fault("AUTH_ERROR", "The API key could not be checked") from error

    def count(self, envelope: Envelope, requests: int = 1) -> None:
        """Count requests of the envelope's key in their minute, all or none, and set the rate headers (T6).

        Raises Fault over the limit.
        """
        key, at_s = envelope.key, now_s()
        if key is None:
            raise Inconsistent("requests are counted once their key is accepted")
        limit = key.rate_limit
        if not limit or not requests:
            return
        count = self.limiter.requests_in_minute(key, at_s, requests)
        counted = count if count <= limit else count - requests
        minute_end_s = minute_of(at_s) + MINUTE_S
        envelope.headers |= {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - counted)),
            "X-RateLimit-Reset": str(minute_end_s),
        }
        if count > limit:
            retry_after_s = minute_end_s - at_s
            raise Fault(
                "RATE_LIMIT_EXCEEDED",
                f"Over {limit} requests in this minute",
                headers={"Retry-After": str(retry_after_s)},
                metadata={"retryAfter": retry_after_s},
            )
