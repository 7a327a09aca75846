"""Whatever a desk answers in the suite with an error is an error that its table of routes names.

Every test runs under this: each answer of a desk is looked at, whatever the test is about, and one with an error that
its route does not document fails the test. So the tables list what happens, and not what somebody remembers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from chalicelib.apis.book.api import BookApi
from chalicelib.apis.book.envelope import STATUS_OF_CODE
from chalicelib.apis.book.routes import ROUTES as BOOK
from chalicelib.apis.escrow.api import EscrowApi
from chalicelib.apis.escrow.envelope import MESSAGES
from chalicelib.apis.escrow.routes import PAGES
from chalicelib.apis.escrow.routes import ROUTES as ESCROW
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import NoRoute, RouteTable
from chalicelib.apis.taker.api import TakerApi
from chalicelib.apis.taker.envelope import Error as TakerError
from chalicelib.apis.taker.routes import ROUTES as TAKER
from chalicelib.apis.trade.api import TradeApi
from chalicelib.apis.trade.envelope import Error as TradeError
from chalicelib.apis.trade.routes import ROUTES as TRADE

TABLES: tuple[RouteTable[Any], ...] = (BOOK, TRADE, TAKER, ESCROW)
ERRORS = {
    "book": frozenset(STATUS_OF_CODE),
    "trade": frozenset(TradeError.__members__),
    "taker": frozenset(TakerError.__members__),
    "escrow": frozenset(map(str, MESSAGES)),
}
"""The errors that the envelope of each desk knows."""


def _of_trade(status: int, body: Any) -> set[str]:
    return {
        error.name
        for error in TradeError
        if (error.status, error.error_code) == (status, body["error_code"])
        and ("{field}" in error.message or body["message"].startswith(error.message))
    }


NAMES: dict[str, Callable[[int, Any], set[str]]] = {
    "book": lambda _, body: {body["error"]["code"]},
    "trade": _of_trade,
    "taker": lambda status, body: {
        error.name for error in TakerError if (error.status, error.code) == (status, body["code"])
    },
    "escrow": lambda status, _: {str(status)},
}
"""How the error of an answer is called in the desk's table; two names where the answer does not tell them apart."""


def errors_in(table: RouteTable[Any], response: HttpResponse) -> set[str]:
    """Return how an answer's error may be called; nothing for a success."""
    return NAMES[table.desk](response.status, json.loads(response.body)) if response.status >= 400 else set()


def install() -> None:
    """Have every desk's answers looked at from here on; call it once."""
    for owner, table in ((BookApi, BOOK), (TradeApi, TRADE), (TakerApi, TAKER), (EscrowApi, ESCROW)):
        owner.answer = _looked_at(owner.answer, table)  # type: ignore[attr-defined]


def _looked_at(answer: Callable[[Any, HttpRequest], HttpResponse], table: RouteTable[Any]) -> Any:
    @wraps(answer)
    def looked_at(desk: Any, request: HttpRequest) -> HttpResponse:
        response = answer(desk, request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        routes = PAGES if is_page else table
        names = {str(response.status)} if is_page and response.status >= 400 else errors_in(table, response)
        if names:
            try:
                route, _ = routes.find(request.method, request.path)
            except NoRoute:
                return response
            assert names & routes.documented(route), f"{route.name} does not document {names}: {response.body}"
        return response

    return looked_at
