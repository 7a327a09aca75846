"""Gate of the trade desk: authentication, signatures and rate limits, before the content is checked (R4 to R13)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.auth import is_signed
from chalicelib.apis.kit.exact_json import TooDeep
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.signature import messages
from chalicelib.domain.tenancy.instances import TRADING, Instance, InstanceStatus
from chalicelib.domain.tenancy.keys import ApiToken, Permission, TokenStatus, token_secret_of
from chalicelib.domain.tenancy.master_keys import InTurn
from chalicelib.services.tenancy.rate_limiter import AnonymousUse, RateLimiter
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.telemetry import add_log_members

TOLERANCE_HEADERS = ("timestamp-tolerance", "timstamp-tolerance")
"""Both spellings (R4); if both are sent, the first one counts."""
TOLERANCE_MS, TOLERANCE_MS_MAX = 5000, 60_000
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_TOLERANCE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller of a request. customer: None on public routes. credential: the id of its token.

    has_frozen: whether a customer of the instance is frozen (T96). wait_default_ms: of its token (R64).
    """

    instance: str
    customer: str | None
    has_frozen: bool = False
    credential: str = ""
    wait_default_ms: int = 0

    @property
    def name(self) -> str:
        """The customer's reference; only on private routes."""
        if self.customer is None:
            raise Inconsistent("a public route has no customer")
        return self.customer


@dataclass(frozen=True, slots=True)
class _SignedHeaders:
    """The headers of a signed request. timestamp: as sent."""

    token: str
    timestamp: str
    signature: str
    tolerance_ms: int


@dataclass(frozen=True, slots=True)
class Gate:
    """Authenticates requests. accept: finds an API token. instance_of: reads an instance.

    master_keys: tokens' secrets are derived from them; read when a signature is checked. public_instance: its books are
    shown by public routes (R3).
    """

    accept: Callable[[str], ApiToken | None]
    instance_of: Callable[[str], Instance]
    limiter: RateLimiter
    master_keys: InTurn
    public_instance: str | None

    def pass_through(self, request: HttpRequest, permission: Permission | None, envelope: Envelope) -> Caller:
        """Return the caller after steps 2 to 12 of R10; on public routes (permission None) after R46. Raises Fault."""
        if permission is None:
            return self._anybody(request, envelope.now_ms)
        sent = _signed_headers(request)
        token = self.accept(sent.token)
        instance = token and self.instance_of(token.instance)
        if token is not None:
            add_log_members(instance=token.instance)
        if token is None or instance is None or instance.status is not InstanceStatus.ACTIVE:
            raise Fault(Error.TOKEN_INVALID)
        if token.status is not TokenStatus.ACTIVE:
            raise Fault(Error.TOKEN_BLOCKED)
        if abs(envelope.now_ms - int(sent.timestamp)) > sent.tolerance_ms:  # R5
            raise Fault(Error.OUTSIDE_WINDOW)
        if not self._is_signed(sent, request):
            raise Fault(Error.SIGNATURE_INVALID)
        self._count(token, envelope.now_ms)
        if TRADING not in instance.services or not token.permission.allows(permission):
            raise Fault(Error.FORBIDDEN)
        has_frozen = instance.frozen > 0
        return Caller(token.instance, token.customer, has_frozen, token.key_id, token.wait_default_ms)

    def _anybody(self, request: HttpRequest, now_ms: int) -> Caller:
        if self.public_instance is None:
            raise Fault(Error.NO_ROUTE)
        refusal = self.limiter.anonymous_refusal(AnonymousUse.MARKET_DATA, request.client_address, now_ms)
        if refusal:
            raise Fault(Error.TOO_MANY_REQUESTS, retry_after_s=refusal.retry_after_s)
        return Caller(self.public_instance, None)

    def _is_signed(self, sent: _SignedHeaders, request: HttpRequest) -> bool:
        """Tell whether the request is signed with the token's secret, of the newest or the previous master key."""
        secrets = (token_secret_of(master_key, sent.token) for master_key in self.master_keys())
        try:
            return is_signed(sent.signature, messages(sent.timestamp, request), secrets)
        except TooDeep as error:
            raise invalid("body") from error

    def _count(self, token: ApiToken, now_ms: int) -> None:
        """Count the request against its token's rate limit (R13). Raises Fault over the limit."""
        refusal = self.limiter.refusal(token.rate_limit, now_ms, instance=token.instance, key_id=token.key_id)
        if refusal:
            what = Error.LIMIT_EXCEEDED if refusal.is_of_day else Error.TOO_MANY_REQUESTS
            raise Fault(what, retry_after_s=refusal.retry_after_s)


def may_read(token: ApiToken | None, instance: Instance) -> bool:
    """Return whether a token would still be let in to read, signatures aside."""
    is_good = token is not None and token.status is TokenStatus.ACTIVE and instance.status is InstanceStatus.ACTIVE
    return is_good and TRADING in instance.services


def _signed_headers(request: HttpRequest) -> _SignedHeaders:
    """Return the headers after steps 2 to 6 of R10. Raises Fault."""
    headers = request.headers
    for name, error in (
        ("authorization", Error.AUTHORIZATION_MISSING),
        ("timestamp", Error.TIMESTAMP_MISSING),
        ("signature", Error.SIGNATURE_MISSING),
    ):
        if not headers.get(name):
            raise Fault(error)
    if not _TIMESTAMP.fullmatch(headers["timestamp"]):
        raise Fault(Error.TIMESTAMP_INVALID)
    tolerance = next((headers[name] for name in TOLERANCE_HEADERS if name in headers), str(TOLERANCE_MS))
    if not _TOLERANCE.fullmatch(tolerance) or int(tolerance) > TOLERANCE_MS_MAX:
        raise invalid(TOLERANCE_HEADERS[0])
    return _SignedHeaders(headers["authorization"], headers["timestamp"], headers["signature"], int(tolerance))
