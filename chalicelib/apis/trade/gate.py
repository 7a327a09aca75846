"""Who is calling, signed, when and how often: the checks before a request's content is looked at (R4 to R10, R13)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.kit.json_reading import TooDeep
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.signature import is_signed
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.tenancy.api_tokens import ApiToken, Permission, TokenStatus, secret_of
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.support.clock import now_s
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import request_uncounted, tell
from chalicelib.tables.allowances import Allowances
from chalicelib.tables.api_tokens import ApiTokens
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import Tenants

SERVICE = "trading"
TOLERANCE_HEADERS = ("timestamp-tolerance", "timstamp-tolerance")
"""Both spellings (R4); of two that are sent the first counts."""
TOLERANCE_MS, TOLERANCE_MS_MAX = 5000, 60_000
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_TOLERANCE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose data a request is about; customer: None on public routes."""

    instance: str
    customer: str | None

    @property
    def name(self) -> str:
        """The customer's reference, on a private route."""
        if self.customer is None:
            raise Inconsistent("a public route has no customer")
        return self.customer

    @property
    def owner(self) -> str:
        """The owner of the customer's orders, fills and accounts, on a private route."""
        return customer_key(self.instance, self.name)


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What the headers say. timestamp: as it was sent."""

    token: str
    timestamp: str
    signature: str
    tolerance_ms: int


class Gate:
    """master_key: of which each token's secret is derived; asked for when a signature is checked.

    previous_master_key: one whose secrets are accepted too; asked for when the newest one's does not fit.

    counters: the same tables, for counting requests, which nobody waits for.
    """

    def __init__(
        self,
        database: Database,
        counters: Database,
        master_key: Callable[[], bytes],
        previous_master_key: Callable[[], bytes | None],
    ) -> None:
        self._tokens = ApiTokens(database)
        self._tenants = Tenants(database, now_s)
        self._allowances = Allowances(counters)
        self._master_key = master_key
        self._previous_master_key = previous_master_key

    def pass_through(self, request: HttpRequest, permission: Permission, envelope: Envelope) -> Caller:
        """Do steps 2 to 12 of R10. Raises Fault at the first fault."""
        sent = _credentials(request)
        token = self._tokens.accept(sent.token)
        instance = token and self._tenants.get(token.instance)
        if token is not None:
            tell(instance=token.instance)
        if token is None or instance is None or instance.status is not InstanceStatus.ACTIVE:
            raise Fault(Error.TOKEN_INVALID)
        if token.status is not TokenStatus.ACTIVE:
            raise Fault(Error.TOKEN_BLOCKED)
        if abs(envelope.now_ms - int(sent.timestamp)) > sent.tolerance_ms:  # R5
            raise Fault(Error.OUTSIDE_WINDOW)
        try:
            if not self._is_signed(sent, request):
                raise Fault(Error.SIGNATURE_INVALID)
        except TooDeep as error:
            raise invalid("body") from error
        self._count(token, envelope.now_ms * 1000)
        if SERVICE not in instance.services or not token.permission.allows(permission):
            raise Fault(Error.FORBIDDEN)
        return Caller(token.instance, token.customer)

    def _is_signed(self, sent: _Credentials, request: HttpRequest) -> bool:
        """Tell whether the token's secret has signed the request, or its secret before the master key was rotated."""

        def is_signed_under(master_key: bytes) -> bool:
            secret, path = secret_of(master_key, sent.token), request.path.removesuffix("/")
            return is_signed(sent.signature, secret, sent.timestamp, request.method, path, request.body)

        if is_signed_under(self._master_key()):
            return True
        previous = self._previous_master_key()
        return previous is not None and is_signed_under(previous)

    def _count(self, token: ApiToken, now_us: int) -> None:
        """Count the request against its token's allowance (R13). Raises Fault over it.

        Fails open: when the counter's table is throttled or out of reach, the request is served, uncounted. What is
        wrong with the deployment, such as a missing permission, is a fault like any other.
        """
        scope = f"{token.instance}/allowance/{token.token_id}"
        try:
            refusal = self._allowances.use(scope, token.allowance, now_us)
        except (Unavailable, OutcomeUnknown) as error:
            request_uncounted(token.instance, token.token_id, error)
            return
        if refusal:
            what = Error.LIMIT_EXCEEDED if refusal.is_of_day else Error.TOO_MANY_REQUESTS
            raise Fault(what, retry_after_s=refusal.retry_after_s)


def _credentials(request: HttpRequest) -> _Credentials:
    """Return what the headers say, after steps 2 to 6 of R10. Raises Fault."""
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
    return _Credentials(headers["authorization"], headers["timestamp"], headers["signature"], int(tolerance))
