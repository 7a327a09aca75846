"""The escrow desk: every request to it comes in here, in the order of its checks (E1 to E3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from chalicelib.apis.escrow.commands import Commands
from chalicelib.apis.escrow.customers import CustomerEndpoints
from chalicelib.apis.escrow.envelope import Fault, failure, not_found, server_error
from chalicelib.apis.escrow.gate import Caller, Gate
from chalicelib.apis.escrow.operator import OperatorEndpoints
from chalicelib.apis.escrow.orders import OrderEndpoints
from chalicelib.apis.escrow.payments import PaymentEndpoints
from chalicelib.apis.escrow.routes import ROUTES, Auth
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.idempotency import REPLAYED
from chalicelib.apis.kit.routing import Faults, Route, answered, endpoints_of
from chalicelib.domain.escrow.keys import ESCROW_KEYS
from chalicelib.services.answers import Answers
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.support.clock import now_ms
from chalicelib.support.telemetry import order_refused
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows

Endpoint = Callable[[HttpRequest, Caller], HttpResponse]
"""Answers a request that has passed the gate; raises Fault."""
FAULTS = Faults(Fault, no_route=lambda _: not_found(), unexpected=server_error())


class EscrowApi:
    """Answers requests to the escrow desk; never raises.

    counters: the same tables, for counting requests, which nobody waits for (default: database). clock: the time in ms.
    """

    def __init__(
        self, database: Database, counters: Database | None = None, *, clock: Callable[[], int] = now_ms
    ) -> None:
        def clock_s() -> int:
            return clock() // 1000

        open_desk = EscrowDesks(database).open_desk
        accept = Credentials(database, ESCROW_KEYS).accept
        self._gate = Gate(accept, open_desk, RateLimiter(counters or database), clock)
        desk, escrows, accounts = EscrowDesk(database, clock_s), Escrows(database), Accounts(database)
        commands = Commands(Answers(database, clock))
        self._endpoints: Mapping[str, Endpoint] = endpoints_of(
            ROUTES,
            orders=OrderEndpoints(desk, escrows, commands),
            payments=PaymentEndpoints(desk, escrows, commands),
            customers=CustomerEndpoints(desk, escrows, accounts, commands),
            operator=OperatorEndpoints(desk, EscrowDesks(database), escrows, accounts, commands),
        )

    def answer(self, request: HttpRequest) -> HttpResponse:
        return answered(ROUTES, request, self._serve, FAULTS, failure)

    def _serve(self, route: Route[Auth], request: HttpRequest) -> HttpResponse:
        caller = self._gate.pass_through(request, is_operators=route.auth is Auth.OPERATOR)
        own_path = route.path_of(request.path_parameters)
        answer = self._endpoints[route.endpoint](replace(request, path=own_path), caller)
        if route.counts_refusals and 400 <= answer.status < 500 and not REPLAYED.keys() <= answer.headers.keys():
            order_refused(ROUTES.desk, str(answer.status))
        return answer
