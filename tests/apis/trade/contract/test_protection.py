"""A halted book at the trade desk: it shows as one that does not trade, and takes no orders (O12, O13)."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import PAIR, change_book, exact, open_market, place, placed, refusal_of, rested, shown
from tests.apis.trade.desk import SignedDesk


def halted(database: Database) -> SignedDesk:
    """A book that halts before a trade at 400000, after one at 350000."""
    desk = open_market(database, halt_bps=1000, halt_window_s=60, halt_s=300)
    rested(desk, "sell", ("0.01", "350000"), ("0.01", "400000"))
    placed(desk, amount="0.01", price="350000")
    stopped = placed(desk, amount="0.01", price="400000")
    assert states(desk) == (True, False)
    desk.match()
    assert shown(desk, stopped)["status"] == "canceled"
    return desk


def states(desk: SignedDesk) -> tuple[bool, bool]:
    """Return whether the pair is enabled, and whether its ticker is frozen."""
    (pair,) = [row for row in exact(desk.get("/trade/pairs")) if row["symbol"] == PAIR]
    (ticker,) = [row for row in exact(desk.get("/trade/public/tickers")) if row["pair"] == PAIR]
    alone: Any = exact(desk.get(f"/trade/public/tickers/{PAIR}"))
    assert alone["is_frozen"] == ticker["is_frozen"]
    return pair["enabled"], ticker["is_frozen"]


def test_o13_a_halted_book_is_not_enabled_and_its_ticker_is_frozen(memory_database: Database) -> None:
    desk = halted(memory_database)
    assert states(desk) == (False, True)


def test_o12_an_order_of_a_halted_book_is_refused_as_one_of_a_paused_book(memory_database: Database) -> None:
    desk = halted(memory_database)
    before = list(desk.world.database.scan("inbox"))
    refused = refusal_of(place(desk))
    assert list(desk.world.database.scan("inbox")) == before
    change_book(desk, status=BookStatus.PAUSED)
    assert refusal_of(place(desk)) == refused
