"""Which path is which endpoint; every request to the book desk comes in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chalicelib.apis.book.books import BookEndpoints
from chalicelib.apis.book.envelope import STATUS_OF_CODE, Envelope, Fault
from chalicelib.apis.book.gate import Gate
from chalicelib.apis.book.ledger import MovementEndpoints, StatementEndpoints
from chalicelib.apis.book.market import MarketEndpoints
from chalicelib.apis.book.orders import OrderEndpoints
from chalicelib.apis.book.paths import (
    ACTIONS_NOT_SERVED,
    BALANCES,
    BOOKS,
    CREDIT,
    DEBIT,
    DEPTH,
    LIST,
    ONE_BALANCE,
    ONE_BOOK,
    ONE_ORDER,
    ONE_TOKEN,
    PLACE,
    ROUTES,
    SETTINGS,
    TOKENS,
    TRADES_OF_BOOK,
    TRADES_OF_CUSTOMER,
    TRANSACTIONS,
    TRANSFER,
)
from chalicelib.apis.book.tokens import TokenEndpoints
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.support.clock import now_ms
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger, order_refused, tell

DESK = "book"
"""Its name in log and metrics."""
Endpoint = Callable[[HttpRequest, str, Envelope], HttpResponse]


class BookDesk:
    """Answers requests to the book desk; never raises."""

    def __init__(
        self,
        gate: Gate,
        orders: OrderEndpoints,
        books: BookEndpoints,
        market: MarketEndpoints,
        tokens: TokenEndpoints,
        movements: MovementEndpoints,
        statements: StatementEndpoints,
    ) -> None:
        self._gate = gate
        balances = statements.balances_of_customer
        self._endpoints: dict[tuple[str, str], Endpoint] = {
            (PLACE, "POST"): orders.place,
            (ONE_ORDER, "GET"): orders.one,
            (ONE_ORDER, "DELETE"): orders.cancel,
            (LIST, "GET"): orders.list_of_customer,
            (TRADES_OF_CUSTOMER, "GET"): market.trades_of_customer,
            (BOOKS, "GET"): books.list_of_instance,
            (BOOKS, "POST"): books.create,
            (SETTINGS, "PATCH"): books.change,
            (ONE_BOOK, "GET"): books.one,
            (DEPTH, "GET"): market.depth,
            (TRADES_OF_BOOK, "GET"): market.trades_of_book,
            (TOKENS, "GET"): tokens.list_of_instance,
            (TOKENS, "POST"): tokens.register,
            (ONE_TOKEN, "GET"): tokens.one,
            (CREDIT, "GET"): _of_customer("credit", balances),
            (CREDIT, "POST"): movements.credit,
            (DEBIT, "GET"): _of_customer("debit", balances),
            (DEBIT, "POST"): movements.debit,
            (TRANSFER, "GET"): _of_customer("transfer", balances),
            (TRANSFER, "POST"): movements.transfer,
            (BALANCES, "GET"): balances,
            (ONE_BALANCE, "GET"): statements.balance,
            (TRANSACTIONS, "GET"): statements.transactions,
        }

    def answer(self, request: HttpRequest) -> HttpResponse:
        tell(desk=DESK)
        envelope = Envelope(now_ms, request.request_id)
        try:
            endpoint = self._endpoint(request)
            return endpoint(request, self._gate.pass_through(request, envelope), envelope)
        except Fault as fault:
            if (request.route, request.method) == (PLACE, "POST") and STATUS_OF_CODE[fault.code] < 500:
                order_refused(DESK, fault.code)
            return envelope.failure(fault)
        except Unavailable:
            logger.warning("a needed part is down", exc_info=True, method=request.method, path=request.path)
            unavailable = "The service is briefly unavailable; nothing was changed"
            return envelope.failure(Fault("SERVICE_UNAVAILABLE", unavailable, headers={"Retry-After": "1"}))
        except OutcomeUnknown:
            logger.exception("the outcome of a write is not known", method=request.method, path=request.path)
            unknown = "It is not known whether the request was carried out; look before you repeat it"
            return envelope.failure(Fault("INTERNAL_ERROR", unknown))
        except Exception:
            logger.exception("unexpected fault", method=request.method, path=request.path)
            return envelope.failure(Fault("INTERNAL_ERROR", "Unexpected fault"))

    def _endpoint(self, request: HttpRequest) -> Endpoint:
        route, method = request.route, request.method
        if route is None or route not in ROUTES:
            raise Fault("NOT_FOUND", "No such route")
        endpoint = self._endpoints.get((route, method))
        if (route, method) == (BALANCES, "POST") and request.path_parameters["customerRef"] in ACTIONS_NOT_SERVED:
            raise Fault("NOT_FOUND", "No such route")
        if endpoint is None:
            allowed = ", ".join(ROUTES[route])
            raise Fault("METHOD_NOT_ALLOWED", f"Allowed here: {allowed}", headers={"Allow": allowed})
        return endpoint


def _of_customer(customer: str, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint for a customer whose name is a path of its own: to GET, "credit" is a customerRef."""

    def named(request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        return endpoint(replace(request, path_parameters={"customerRef": customer}), instance, envelope)

    return named
