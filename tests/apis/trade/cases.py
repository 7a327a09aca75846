"""How a row of a table becomes a test case, how an answer is read, and the venue that the examples speak of."""

from __future__ import annotations

import json
import re
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.tenancy.keys import API_TOKENS
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.matcher import Matcher
from chalicelib.support.clock import now_ms
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.trade.desk import SignedDesk, data_of, make_token, open_trade_desk
from tests.world import INSTANCE, Venue, World

if TYPE_CHECKING:
    pass

Outcome = tuple[int, int, str]
BTC, BRL = "0x" + "1" * 40, "0x" + "2" * 40
TOKEN_IDS = {BTC: "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV", BRL: "tok_45FG53QNRF89B90M8WCBXDQA7T"}
BENS_TOKEN = "token-of-ben"
BOOK, PAIR = "ob_btc", "BTC_BRL"
LIST, TRADES, PUBLIC_TRADES = "/trade/orders", "/trade/user/trades", "/trade/public/trades"
DEPTH, TICKER, PAIRS = "/trade/public/orders/level-2", "/trade/public/tickers/BTC_BRL", "/trade/public/pairs"
RICH_BTC, RICH_BRL = 10 * 10**8, 10**6 * 10**2
"""What each customer has, in base units."""

MESSAGE_WITH_REASON = re.compile(r"(Invalid parameters: [a-z_-]+\.|Minimum value not reached\.) (.+\.)")
NOT_FOUND: Outcome = (404, 40400, "Not found.")
NO_PAIR: Outcome = (404, 40400, "Pair not found.")
NO_ORDER: Outcome = (404, 40400, "Order not found.")
FORBIDDEN: Outcome = (403, 40300, "Forbidden access.")
UNSUPPORTED: Outcome = (400, 40090, "Unsupported operation.")
TOO_LITTLE: Outcome = (400, 40010, "Minimum value not reached.")
NO_FUNDS: Outcome = (400, 40011, "Insufficient funds.")
CANCELED: Outcome = (400, 40020, "Order already canceled.")
EXECUTED: Outcome = (400, 40021, "Order executed completely.")
NOTHING: Outcome = (400, 40021, "No orders to cancel.")


def invalid(field: str) -> Outcome:
    return 400, 40000, f"Invalid parameters: {field}."


def unauthorized(message: str) -> Outcome:
    return 401, 40100, message


def exact(response: HttpResponse) -> Any:
    """Return the data of a success, its numbers as the text that was sent."""
    assert response.status == 200, response.body
    return json.loads(response.body, parse_float=str, parse_int=str)["data"]


def outcome_of(response: HttpResponse) -> Outcome | int:
    """Return 200, or status, error_code and message of a failure, without the reason behind the message (R62)."""
    if response.status == 200:
        return 200
    code, message, _ = refusal_of(response)
    return response.status, code, message


def refusal_of(response: HttpResponse) -> tuple[int, str, str]:
    """Return error_code, message and reason of a failure."""
    answer = json.loads(response.body)
    told = MESSAGE_WITH_REASON.fullmatch(answer["message"])
    return answer["error_code"], *(told.groups() if told else (answer["message"], ""))


class LiveWorld(World):
    """A world whose matcher has the time that it is, as the desk has."""

    def matcher(self) -> Matcher:
        return Matcher(self.database, now_ms)


def open_market(
    database: Database, base_decimals: int = 8, quote_decimals: int = 2, *, desk: SignedDesk | None = None, **book: Any
) -> SignedDesk:
    """Return a desk whose world is the book BTC/BRL; ann and ben have 10 BTC and a million BRL.

    desk: the desk it is made on; of its own world there is the book B/Q too.
    """
    desk = desk or open_trade_desk(LiveWorld(database))
    tokens = Tokens(database)
    assets = (BTC, "Bitcoin", "BTC", base_decimals), (BRL, "Real", "brl", quote_decimals)
    for address, name, symbol, decimals in assets:
        tokens.register(INSTANCE, new_token(TOKEN_IDS[address], address, name, symbol, decimals))
    config = BookConfig(INSTANCE, BOOK, "Bitcoin", "BTC/BRL", BTC, BRL, base_decimals=base_decimals, **book)
    world = copy(desk.world)
    Venue.__init__(world, database, config)
    world.books.create(config)
    for customer in ("ann", "ben"):
        world.credit(customer, BTC, 10 * 10**base_decimals)
        world.credit(customer, BRL, 10**6 * 10**quote_decimals)
    return replace(desk, world=world)


def change_book(desk: SignedDesk, **settings: Any) -> None:
    """Change the settings of the desk's book; the matcher comes to them at its next turn."""
    changed = Configuring(desk.world.database).change(INSTANCE, desk.world.config.book_id, settings)
    assert isinstance(changed, BookConfig), changed


def order(**members: Any) -> dict[str, Any]:
    """Return a LIMIT order to buy 0.01 at 350000 with some members changed; one set to ... is left out."""
    usual = {"pair": PAIR, "side": "buy", "type": "limit", "amount": "0.01", "price": "350000"}
    return {name: value for name, value in (usual | members).items() if value is not ...}


def place(desk: SignedDesk, headers: dict[str, str] | None = None, **members: Any) -> HttpResponse:
    return desk.post(LIST, order(**members), headers)


def placed(desk: SignedDesk, **members: Any) -> str:
    """Place an order that must be admitted; return its id."""
    return str(data_of(place(desk, **members))["id"])


def shown(desk: SignedDesk, order_id: str) -> Any:
    """Return an order as it is shown, its numbers as text."""
    return exact(desk.get(f"/trade/orders/{order_id}"))


def desk_of_ben(desk: SignedDesk) -> SignedDesk:
    """Return the same desk for ben; his token is made once."""
    if Credentials(desk.world.database, API_TOKENS).accept(BENS_TOKEN) is None:
        make_token(desk.world.database, BENS_TOKEN, "ben")
    return replace(desk, token=BENS_TOKEN, customer="ben")


def rested(desk: SignedDesk, side: str, *levels: tuple[str, str]) -> list[str]:
    """Have ben rest orders of (amount, price) and have them decided; return their ids."""
    orders = [placed(desk_of_ben(desk), side=side, amount=amount, price=price) for amount, price in levels]
    desk.match()
    return orders
