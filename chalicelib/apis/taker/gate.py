"""Gate of the taker desk: authentication and rate limits, before the content of a request is checked.

A taker has an API key, with or without a signature (K4); a maker has a JWT from ``connecting``. Both determine the
instance (K6). A wallet that connects has neither; its endpoint finds the instance.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.auth import bearer, is_signed
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.envelope import Error, Fault
from chalicelib.apis.taker.sessions import NotASession, Session, new_jwt, session_of
from chalicelib.apis.taker.signature import messages
from chalicelib.domain.signed.settings import DeskSettings, OpenDesk
from chalicelib.domain.tenancy.instances import TRADING
from chalicelib.domain.tenancy.keys import TakerKey, taker_secret_of
from chalicelib.domain.tenancy.master_keys import InTurn
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.tenancy.rate_limiter import AnonymousUse, RateLimiter
from chalicelib.support.telemetry import add_log_members

_TIMESTAMP = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller of a request.

    address: of a taker as registered, of a maker in lower case. now_ms: arrival of the request. credential: the id of a
    taker's key, or when a maker's JWT ends, in Unix seconds. For a wallet that connects, instance, address and
    credential are empty and the settings are the defaults. has_frozen: whether a customer of the instance is frozen
    (T96).
    """

    instance: str
    address: str
    settings: DeskSettings
    now_ms: int
    credential: str = ""
    has_frozen: bool = False

    @property
    def now_s(self) -> int:
        return self.now_ms // 1000


@dataclass(frozen=True, slots=True)
class Connected:
    """The data for a wallet that has connected. caller: as which it has."""

    caller: Caller
    data: object


Known = Callable[[Caller], None]
"""Takes note of an authenticated caller, before its service and its rate are checked."""
Endpoint = Callable[[HttpRequest, Caller], object]
"""Returns the answer, or its data, for a caller's request; raises Fault, or a refusal of the desk (``refusals``)."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Authenticates requests. accept: finds an API key. open_desk: reads an active instance's desk.

    master_keys: secrets of keys and JWTs are derived from them; what they raise passes through. public_instance: shown
    by public routes, if any.
    """

    accept: Callable[[str], TakerKey | None]
    open_desk: Callable[[str], OpenDesk | None]
    limiter: RateLimiter
    master_keys: InTurn
    public_instance: str | None = None

    def taker(self, request: HttpRequest, now_ms: int, known: Known) -> Caller:
        """Authenticate a taker. Raises Fault at the first fault."""
        api_key = request.headers.get("x-api-key", "")
        timestamp, signature = request.headers.get("x-api-timestamp", ""), request.headers.get("x-api-signature", "")
        if not api_key or bool(timestamp) != bool(signature):
            raise Fault(Error.KEY_MISSING)
        key = self.accept(api_key)
        desk = self.open_desk(key.instance) if key is not None else None
        if key is None or desk is None:
            raise Fault(Error.KEY_UNKNOWN)
        add_log_members(instance=key.instance)
        if key.requires_signature and not signature:
            raise Fault(Error.KEY_MISSING)
        if key.has_ended(now_ms // 1000):
            raise Fault(Error.KEY_EXPIRED)
        if signature:
            self._verify(request, api_key, timestamp, signature, desk.settings.auth_window_ms, now_ms)
        if not key.is_enabled:
            raise Fault(Error.FORBIDDEN, "API key is disabled")
        caller = Caller(key.instance, key.taker, desk.settings, now_ms, key.key_id)
        known(caller)
        refuse_without_service(desk)
        self._count(key.instance, key.key_id, key.rate_limit, now_ms)
        return caller

    def maker(self, request: HttpRequest, now_ms: int, known: Known) -> Caller:
        """Authenticate a maker. Raises Fault at the first fault."""
        sent = bearer(request.headers)
        if sent is None:
            raise Fault(Error.UNAUTHORIZED)
        try:
            session = session_of(sent, self.master_keys(), now_ms // 1000)
        except NotASession as error:
            raise Fault(Error.UNAUTHORIZED) from error
        desk = self.open_desk(session.instance)
        if desk is None:
            raise Fault(Error.UNAUTHORIZED)
        add_log_members(instance=session.instance)
        ends_s = str(session.ends_s)
        caller = Caller(session.instance, session.wallet, desk.settings, now_ms, ends_s, desk.has_frozen)
        known(caller)
        refuse_without_service(desk)
        self._count(session.instance, f"maker/{session.wallet}", desk.settings.rate_limit, now_ms)
        return caller

    def anybody(self, request: HttpRequest, now_ms: int, _known: Known) -> Caller:
        """Count an anonymous request of any instance. Raises Fault over the limit."""
        refusal = self.limiter.anonymous_refusal(AnonymousUse.CONNECT, request.client_address, now_ms)
        if refusal:
            raise Fault(Error.TOO_MANY_REQUESTS, retry_after_s=refusal.retry_after_s)
        return Caller("", "", DeskSettings(), now_ms)

    def public(self, request: HttpRequest, now_ms: int, known: Known) -> Caller:
        """Count an anonymous request to the public instance (K58). Raises Fault over the limit, or without one."""
        if self.public_instance is None:
            raise Fault(Error.NOT_FOUND)
        refusal = self.limiter.anonymous_refusal(AnonymousUse.MARKET_DATA, request.client_address, now_ms)
        if refusal:
            raise Fault(Error.TOO_MANY_REQUESTS, retry_after_s=refusal.retry_after_s)
        desk = self.open_desk(self.public_instance)
        if desk is None:
            raise Fault(Error.NOT_FOUND)
        caller = Caller(desk.instance, "", desk.settings, now_ms)
        known(caller)
        refuse_without_service(desk)
        return caller

    def open_session(self, caller: Caller) -> str:
        """Return a JWT for a maker, whose wallet is proven."""
        session = Session(caller.instance, caller.address, caller.now_s + caller.settings.jwt_ttl_seconds)
        return new_jwt(session, next(self.master_keys()), caller.now_s)

    def _verify(
        self, request: HttpRequest, api_key: str, timestamp: str, signature: str, window_ms: int, now_ms: int
    ) -> None:
        """Raise Fault unless the request is signed with the key's secret, within the window around now."""
        if not _TIMESTAMP.fullmatch(timestamp) or abs(now_ms - int(timestamp)) > window_ms:
            raise Fault(Error.TIMESTAMP_INVALID)
        secrets = (taker_secret_of(master_key, api_key) for master_key in self.master_keys())
        if not is_signed(signature, messages(timestamp, request), secrets):
            raise Fault(Error.SIGNATURE_INVALID)

    def _count(self, instance: str, key_id: str, limit: RateLimit, now_ms: int) -> None:
        """Raises Fault over the limit."""
        refusal = self.limiter.refusal(limit, now_ms, instance=instance, key_id=key_id)
        if refusal:
            raise Fault(Error.TOO_MANY_REQUESTS, retry_after_s=refusal.retry_after_s)


def refuse_without_service(desk: OpenDesk) -> None:
    """Raise Fault if trading is switched off for the instance."""
    if TRADING not in desk.services:
        raise Fault(Error.FORBIDDEN, "Trading is switched off")
