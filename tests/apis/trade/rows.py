"""Orders and trades in stored form, and pages of them as they are sent: no matching, any time, any number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Any

from ulid import ULID

from chalicelib.apis.trade.ids import shown
from chalicelib.domain.books.candles import Finished, Trade
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.trades import trades_of
from chalicelib.support.canonical import canonical
from chalicelib.tables.candles import Candles
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.fills import Fills, row_of
from chalicelib.tables.orders import OPEN_TABLE, TABLE
from tests.apis.trade.desk import SignedDesk, data_of
from tests.world import BOOK_ID, INSTANCE, World

NOW_MS = 1_741_089_600_000
"""2025-03-04T12:00:00.000Z: the time of these tests' desks."""
DAY_MS = 86_400_000
LIST, OPEN_LIST = "/trade/orders", "/trade/orders/open"
INVALID = "Invalid parameters: {}."


def id_at(prefix: str, at_ms: int, number: int = 0) -> str:
    """Return an id of this time; of one time, ids ascend with their number."""
    return f"{prefix}_{ULID.from_bytes(at_ms.to_bytes(6, 'big') + number.to_bytes(10, 'big'))}"


def an_order(**facts: Any) -> OrderRow:
    """Return a resting limit order of ann to buy 10 at 5, with some facts changed."""
    usual: dict[str, Any] = {
        "order_id": id_at("ord", 0),
        "book_id": BOOK_ID,
        "customer": "ann",
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "price": 5,
        "quantity": 10,
        "filled": 0,
        "status": OrderStatus.OPEN,
        "reason": None,
        "sequence": None,
        "updated_at_ms": None,
    }
    return OrderRow(**usual | facts)


def put_orders(database: Database, rows: Iterable[OrderRow], customer: str = "ann", instance: str = INSTANCE) -> None:
    """Store orders as admission and matching leave them."""
    for row in rows:
        table = OPEN_TABLE if row.status.is_live else TABLE
        database.put_many(table, [_stored(row, customer_key(instance, customer))])


def _stored(row: OrderRow, owner: str) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in OrderRow.__slots__ if not name.startswith("cancel_")}
    present = {name: value for name, value in facts.items() if value is not None or name in ("price", "reason")}
    return {name: str(value) if isinstance(value, str) else value for name, value in present.items()} | {"owner": owner}


def a_fill(at_ms: int, number: int = 0, **facts: Any) -> Fill:
    """Return ann's half of a trade of 1 at 5, in which her order was the taker, with some facts changed."""
    usual: dict[str, Any] = {
        "owner": customer_key(INSTANCE, "ann"),
        "trade_id": id_at("trade", at_ms, 2**40 * (number + 1)),
        "order_id": id_at("ord", at_ms),
        "book_id": BOOK_ID,
        "side": Side.BUY,
        "is_maker": False,
        "order_type": OrderType.LIMIT,
        "other_order_id": id_at("ord", at_ms, 99),
        "counterparty": "ben",
        "price": 5,
        "quantity": 1,
        "notional": 5,
        "fee": 0,
        "sequence": 1,
        "at_ms": at_ms,
    }
    return Fill(**usual | facts)


def put_fills(database: Database, fills: Iterable[Fill]) -> None:
    """Store fills, those of one trade in one row, however many trades their entries have."""
    Fills(database).put_rows(row_of([*halves]) for _, halves in groupby(fills, lambda fill: fill.trade_id))


def put_tape(world: World, entries: Iterable[tuple[int, list[tuple[int, int]]]], first: int = 1) -> None:
    """Store journal entries, each of a time, with trades of these prices and quantities; first: their first sequence.

    Their hashes are none: what shows trades does not look at them. Candles and last price are stored as a matcher does.
    """
    view = world.views.of(world.book)
    market, finished = view.market, list[Finished]()
    for sequence, (at_ms, trades) in enumerate(entries, first):
        events: list[dict[str, object]] = [
            {
                "type": "traded",
                "maker": id_at("ord", 1),
                "taker": id_at("ord", 2),
                "takerSide": "BUY",
                "takerType": "LIMIT",
                "price": str(price),
                "quantity": str(quantity),
                "notional": str(price * quantity // 10**world.config.base_decimals),
            }
            for price, quantity in trades
        ]
        entry = JournalEntry(world.book, sequence, at_ms, sequence, "", "", canonical(events).encode())
        world.journal.append([entry])
        parts = [Trade(trade.price, trade.quantity, trade.notional) for trade in trades_of(entry)]
        finished += market.fold(sequence, at_ms, parts)
    Candles(world.database).put(world.book, finished)
    world.views.publish(world.book, replace(view, sequence=market.sequence, market=market))


def put_many(desk: SignedDesk, count: int, from_ms: int = NOW_MS - DAY_MS, **facts: Any) -> list[str]:
    """Store so many orders of ann, a ms apart; return their ids as shown, newest first."""
    rows = [an_order(order_id=id_at("ord", from_ms + number), **facts) for number in range(count)]
    put_orders(desk.world.database, rows)
    return [shown(row.order_id) for row in reversed(rows)]


def page(desk: SignedDesk, path: str = LIST, **query: Any) -> dict[str, Any]:
    """Return a page of orders; where the list needs a pair, of the usual one."""
    page: dict[str, Any] = data_of(desk.get(path, ({"pair": "B_Q"} if path == LIST else {}) | query))
    assert list(page) == ["orders", "pagination", "nc", "pc"]
    return page


def ids_of(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["orders"]]
