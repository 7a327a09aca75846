"""Which path is which endpoint; every request to the escrow desk comes in here (E1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chalicelib.apis.escrow.commanding import Commanding
from chalicelib.apis.escrow.customers import CustomerEndpoints
from chalicelib.apis.escrow.envelope import Fault, failure, not_found, server_error
from chalicelib.apis.escrow.gate import Caller, Gate
from chalicelib.apis.escrow.objects import PREFIX
from chalicelib.apis.escrow.operator import OperatorEndpoints
from chalicelib.apis.escrow.orders import OrderEndpoints
from chalicelib.apis.escrow.payments import PaymentEndpoints
from chalicelib.apis.kit.http import BadPercentEncoding, HttpRequest, HttpResponse, percent_decoded
from chalicelib.apis.kit.idempotency import REPLAYED
from chalicelib.apis.kit.mounts import ESCROW_ORDERS, ESCROW_VERSION
from chalicelib.services.answers import Answers
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.support.clock import now_ms
from chalicelib.support.telemetry import logger, order_refused, tell
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_keys import EscrowKeys
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows

DESK = "escrow"
"""Its name in log and metrics."""
CREATING = (f"{PREFIX}/{ESCROW_ORDERS}", f"/{ESCROW_ORDERS}")
"""Where orders are created."""
OPERATOR = "operator"
Endpoint = Callable[[HttpRequest, Caller], HttpResponse]
"""Answers a request that has passed the gate; raises Fault."""


class TruustDesk:
    """Answers requests to the escrow desk; never raises.

    counters: the same tables, for counting requests, which nobody waits for (default: database). clock: the time in ms.
    """

    def __init__(
        self, database: Database, counters: Database | None = None, *, clock: Callable[[], int] = now_ms
    ) -> None:
        def clock_s() -> int:
            return clock() // 1000

        open_desk = EscrowDesks(database).open_desk
        self._gate = Gate(EscrowKeys(database).accept, open_desk, RateLimiter(counters or database), clock)
        desk, escrows, accounts = EscrowDesk(database, clock_s), Escrows(database), Accounts(database)
        commanding = Commanding(Answers(database, clock))
        orders = OrderEndpoints(desk, escrows, commanding)
        payments = PaymentEndpoints(desk, escrows, commanding)
        customers = CustomerEndpoints(desk, escrows, accounts, commanding)
        operator = OperatorEndpoints(desk, EscrowDesks(database), escrows, accounts, commanding)
        self._endpoints: dict[str, Endpoint] = {
            "GET /orders": orders.list,
            "POST /orders": orders.create,
            "GET /orders/{id}": orders.show,
            "PUT /orders/{id}": orders.change,
            "GET /orders/{id}/payin": orders.payin,
            "GET /orders/{id}/payout": orders.payout,
            "POST /orders/{id}/accept": orders.accept,
            "POST /orders/{id}/reject": orders.reject,
            "POST /orders/{id}/cancel": orders.cancel,
            "POST /orders/{id}/validate": orders.validate,
            "POST /orders/{id}/reimburse": orders.reimburse,
            "GET /payins": payments.list_payins,
            "POST /payins": payments.open_payin,
            "GET /payins/{id}": payments.show_payin,
            "GET /payouts": payments.list_payouts,
            "POST /payouts": payments.pay_out,
            "GET /payouts/{id}": payments.show_payout,
            "GET /customers": customers.list,
            "POST /customers": customers.create,
            "GET /customers/{uuid}": customers.show,
            "GET /customers/{uuid}/wallets": customers.list_wallets_of_customer,
            "GET /wallets": customers.list_wallets,
            "GET /wallets/{uuid}": customers.show_wallet,
            "POST /operator/payins/{id}/confirm": operator.confirm_payin,
            "POST /operator/payins/{id}/deny": operator.deny_payin,
            "POST /operator/orders/{id}/block": operator.block,
            "POST /operator/orders/{id}/unblock": operator.unblock,
            "POST /operator/wallets/{uuid}/deposit": operator.deposit,
        }

    @property
    def routes(self) -> list[str]:
        """Each route behind the prefix; those of orders are served without it, too."""
        return list(self._endpoints)

    def answer(self, request: HttpRequest) -> HttpResponse:
        tell(desk=DESK)
        answer = self._answer(request)
        is_refused = 400 <= answer.status < 500 and not REPLAYED.keys() <= answer.headers.keys()
        if is_refused and request.method == "POST" and request.path.removesuffix("/") in CREATING:
            order_refused(DESK, str(answer.status))
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            route, segments, parameters = self._found(request.method, request.path)
            caller = self._gate.pass_through(request, is_operators=segments[0] == OPERATOR)
            path = f"{PREFIX}/{'/'.join(segments)}"
            return self._endpoints[route](replace(request, path=path, path_parameters=parameters), caller)
        except Fault as fault:
            return failure(fault)
        except Exception:
            logger.exception("unexpected fault", method=request.method, path=request.path)
            return failure(server_error())

    def _found(self, method: str, path: str) -> tuple[str, list[str], dict[str, str]]:
        """Return the route of a path, the path's segments behind the prefix, and its parameters. Raises Fault 404.

        A uuid may come in either letter case.
        """
        segments = _segments(path)
        for route in self._endpoints:
            route_method, _, template = route.partition(" ")
            names = template.split("/")[1:]
            if route_method == method and len(names) == len(segments) and all(map(_fits, names, segments)):
                segments = [
                    ascii_lower(word) if name == "{uuid}" else word for name, word in zip(names, segments, strict=True)
                ]
                pairs = zip(names, segments, strict=True)
                return route, segments, {name[1:-1]: word for name, word in pairs if name.startswith("{")}
        raise not_found()


def _segments(path: str) -> list[str]:
    """Return the segments behind the prefix, decoded; one trailing slash does not count. Raises Fault 404."""
    try:
        segments = list(map(percent_decoded, path.removesuffix("/").split("/")[1:]))
    except BadPercentEncoding as error:
        raise not_found() from error
    if segments[:1] == [ESCROW_VERSION]:
        return segments[1:]
    if segments[:1] == [ESCROW_ORDERS]:
        return segments
    raise not_found()


def _fits(name: str, segment: str) -> bool:
    return bool(segment) if name.startswith("{") else segment == name
