"""A parked book at the trade desk: it shows disabled and frozen, and takes neither orders nor cancels (T53)."""

from __future__ import annotations

import pytest

from chalicelib.tables.dynamodb import Database
from tests.apis.parked import park
from tests.apis.trade.desk import PAIR, SignedDesk, data_of, fault_of, open_trade_desk
from tests.world import QUOTE, World

UNSUPPORTED = (400, 40090)


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    """A desk whose book is parked while an order of ann rests in it."""
    desk = open_trade_desk(World(memory_database))
    desk.world.credit("ann", QUOTE, 1000 * 10**18)
    data_of(desk.place(external_id="rests"))
    desk.match()
    park(desk.world)
    return desk


def test_the_pair_is_disabled_and_its_ticker_frozen(desk: SignedDesk) -> None:
    assert [row["enabled"] for row in data_of(desk.get("/trade/public/pairs"))] == [False]
    assert [row["is_frozen"] for row in data_of(desk.get("/trade/public/tickers"))] == [True]
    assert data_of(desk.get(f"/trade/public/tickers/{PAIR}"))["is_frozen"] is True


def test_an_order_is_refused_as_by_a_paused_book_and_changes_nothing(desk: SignedDesk) -> None:
    before = desk.world.tables()
    assert fault_of(desk.place(external_id="late"))[:2] == UNSUPPORTED
    assert desk.world.tables() == before


def test_cancels_are_answered_503_and_change_nothing(desk: SignedDesk) -> None:
    order_id = data_of(desk.get("/trade/orders/by-external-id/rests"))["id"]
    before = desk.world.tables()
    assert desk.delete("/trade/orders", {"id": order_id}).status == 503
    assert desk.delete("/trade/orders/by-external-id", {"external_id": "rests"}).status == 503
    assert desk.delete("/trade/orders/all").status == 503
    assert desk.world.tables() == before
