"""POST orders: an expiration is a time in the future, at which the order ends (R24)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import ONE_ORDER
from chalicelib.services.books.expiry import Expiring
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk
from tests.apis.book import desk as book
from tests.apis.trade.cases import (
    BRL,
    CANCELED,
    LIST,
    NOTHING,
    PAIR,
    RICH_BRL,
    desk_of_ben,
    invalid,
    open_market,
    outcome_of,
    place,
    placed,
    rested,
    shown,
)
from tests.apis.trade.desk import SignedDesk, data_of, open_trade_desk
from tests.apis.trade.rows import ids_of
from tests.case_tables import cases
from tests.waiting import Waiting
from tests.world import INSTANCE, NOW_MS, World


@pytest.fixture
def timed(memory_database: Database, clock: Waiting) -> SignedDesk:  # noqa: ARG001 - nothing waits in earnest
    """The desk at NOW_MS by its own clock, which is that of its matchers too."""
    worlds = [World(memory_database)]
    desk = open_market(memory_database, desk=open_trade_desk(worlds[0], clock=lambda: worlds[-1].now_ms))
    worlds.append(desk.world)
    return desk


def let_pass(desk: SignedDesk, duration_ms: int) -> None:
    """Let time pass, in which somebody looks which orders expire; looks take no time."""
    world = desk.world
    end_ms = world.now_ms + duration_ms

    def pause(duration_s: float) -> None:
        world.now_ms += int(duration_s * 1000)

    expiring = Expiring(world.database, world.matcher(), lambda: world.now_ms)
    expiring.run(lambda: world.now_ms < end_ms, pause)
    world.now_ms = end_ms


# at NOW_MS, 1736937000000; the expiration, and the ms at which the order expires, or None where it is faulty
EXPIRATIONS: list[Any] = cases(
    ("seconds in the future",     4_102_444_800,         4_102_444_800_000),
    ("ms in the future",          4_102_444_800_000,     4_102_444_800_000),
    ("as a string",               "4102444800",          4_102_444_800_000),
    ("with a fraction of zero",   4_102_444_800.0,       4_102_444_800_000),
    ("the largest seconds",       99_999_999_999,        99_999_999_999_000),
    ("a little more than those",  "99999999999.9999",    99_999_999_999_999),
    ("the least ms, long ago",    100_000_000_000,       None),
    ("the next second",           1_736_937_001,         NOW_MS + 1_000),
    ("the next ms",               NOW_MS + 1,            NOW_MS + 1),
    ("a fraction of a second",    1_736_937_000.5,       NOW_MS + 500),
    ("a fraction is cut off",     "1736937000.0019",     NOW_MS + 1),
    ("a fraction of a ms is, too", "1736937000001.9",    NOW_MS + 1),
    ("less than a ms from now",   "1736937000000.9",     None),
    ("now, in seconds",           1_736_937_000,         None),
    ("now, in ms",                NOW_MS,                None),
    ("seconds in the past",       1_700_000_000,         None),
    ("ms in the past",            1_700_000_000_000,     None),
    ("zero",                      0,                     None),
    ("minus zero",                -0.0,                  None),
    ("negative",                  -4_102_444_800,        None),
    ("the end of the year 9999",  253_402_300_799_999,   253_402_300_799_999),
    ("a ms later",                253_402_300_800_000,   None),
    ("now, in microseconds",      NOW_MS * 1_000,        None),
    ("huge",                      1e300,                 None),
    ("tiny",                      1e-300,                None),
    ("a text",                    "tomorrow",            None),
    ("a date",                    "2100-01-01",          None),
    ("an empty text",             "",                    None),
    ("a negative text",           "-4102444800",         None),
    ("true",                      True,                  None),
    ("false",                     False,                 None),
    ("a list",                    [4_102_444_800],       None),
    ("an object",                 {},                    None),
)  # fmt: skip


@pytest.mark.parametrize(("expiration", "expires_at_ms"), EXPIRATIONS)
def test_r24_an_expiration_is_a_time_in_the_future(
    timed: SignedDesk, expiration: object, expires_at_ms: int | None
) -> None:
    before = timed.world.tables()
    outcome = outcome_of(place(timed, expiration=expiration))
    assert outcome == (invalid("expiration") if expires_at_ms is None else 200)
    assert [row["expires_at_ms"] for row in timed.world.database.scan("open-orders")] == [expires_at_ms] * (
        outcome == 200
    )
    assert outcome == 200 or timed.world.tables() == before


def test_r24_an_order_with_none_does_not_expire(timed: SignedDesk) -> None:
    order_ids = [placed(timed), placed(timed, expiration=None)]
    timed.match()
    timed.world.now_ms += 10**11
    placed(desk_of_ben(timed), side="sell", amount="0.01")
    timed.match()
    assert [shown(timed, order_id)["status"] for order_id in order_ids] == ["executed_completely", "open"]


# what passes between the order and its taker, and what of it is executed then; it expires after a second
LIVES = cases(
    ("a ms before",      999,     "0.5"),
    ("that very moment", 1_000,   "0"),
    ("an hour later",    3_600_000, "0"),
)  # fmt: skip


@pytest.mark.parametrize("side", cases(("buy", "buy"), ("sell", "sell")))
@pytest.mark.parametrize(("passes_ms", "executed"), LIVES)
def test_r24_an_order_never_trades_at_its_time_or_later(
    timed: SignedDesk, side: str, passes_ms: int, executed: str
) -> None:
    """Though nobody has looked at the book in between; whoever comes finds who is behind it."""
    maker = placed(timed, side=side, amount="0.5", expiration=NOW_MS + 1_000)
    behind = placed(timed, side=side, amount="0.5")
    timed.match()
    timed.world.now_ms += passes_ms
    other = "sell" if side == "buy" else "buy"
    placed(desk_of_ben(timed), side=other, amount="0.5")
    timed.match()
    assert shown(timed, maker)["executed_amount"] == executed
    assert shown(timed, maker)["status"] == ("executed_completely" if executed != "0" else "canceled")
    assert shown(timed, behind)["executed_amount"] == ("0" if executed != "0" else "0.5")


def test_r24_an_order_whose_turn_comes_at_its_time_does_not_trade(timed: SignedDesk) -> None:
    rested(timed, "sell", ("0.5", "350000"))
    taker = placed(timed, amount="0.5", expiration=NOW_MS + 1_000)
    timed.world.now_ms += 1_000
    timed.match()
    row = shown(timed, taker)
    assert (row["status"], row["executed_amount"], row["transactions"]) == ("canceled", "0", [])
    assert timed.world.balance("ann", BRL) == (RICH_BRL, 0)


def test_r24_an_order_in_a_quiet_book_is_expired_within_a_second(timed: SignedDesk) -> None:
    """The looks begin at any moment; the order has traded in part."""
    order_id = placed(timed, amount="0.5", expiration=NOW_MS + 12_345)
    timed.match()
    placed(desk_of_ben(timed), side="sell", amount="0.2")
    timed.match()
    let_pass(timed, 12_344)
    assert shown(timed, order_id)["status"] == "executed_partially"
    let_pass(timed, 1_001)
    row = shown(timed, order_id)
    assert (row["status"], row["executed_amount"], row["remaining_amount"]) == ("canceled", "0.2", "0.3")
    assert row["update_date"] <= iso(NOW_MS + 13_345)
    assert timed.world.balance("ann", BRL) == (RICH_BRL - 7_000_000, 0)
    listed = {
        status: ids_of(data_of(timed.get(LIST, {"pair": PAIR, "status": status})))
        for status in ("open", "executed_partially", "executed_completely", "canceled")
    }
    assert listed == {**{status: [] for status in listed}, "canceled": [order_id]}
    assert ids_of(data_of(timed.get(f"{LIST}/open"))) == []


def test_r24_the_book_desk_shows_it_as_expired(timed: SignedDesk) -> None:
    placed(timed, expiration=NOW_MS + 1_000)
    timed.match()
    let_pass(timed, 2_000)
    timed.world.tenants().add_key(INSTANCE, "key_1", book.API_KEY, 0)
    desk = book.Desk(timed.world, new_book_desk(timed.world.database))
    (row,) = desk.rows(status="EXPIRED")
    assert desk.rows(status="CANCELLED") == desk.rows(status="OPEN") == []
    one = json.loads(desk.get(ONE_ORDER, {"customerRef": "ann"}, orderId=row["id"]).body)["data"]
    assert (one["status"], one["cancelReason"], one["filledQuantity"]) == ("EXPIRED", "EXPIRED", "0")
    assert book.outcome_of(desk.cancel(row["id"])) == (404, "ORDER_NOT_FOUND")


@pytest.mark.parametrize("is_expired", cases(("expired", True), ("due, nobody has looked yet", False)))
def test_r24_an_order_that_has_expired_cannot_be_cancelled(timed: SignedDesk, clock: Waiting, is_expired: bool) -> None:
    """Of one that is due the cancel is queued, and comes too late when its turn comes."""
    order_id = placed(timed, external_id="mine", expiration=NOW_MS + 1_000)
    timed.match()
    timed.world.now_ms += 1_000
    clock.meanwhile = timed.match
    if is_expired:
        let_pass(timed, 1_000)
    assert outcome_of(timed.delete(LIST, {"id": order_id})) == CANCELED
    assert outcome_of(timed.delete(f"{LIST}/by-external-id", {"external_id": "mine"})) == CANCELED
    assert outcome_of(timed.delete(f"{LIST}/all")) == NOTHING
    assert shown(timed, order_id)["status"] == "canceled"
    assert timed.world.balance("ann", BRL) == (RICH_BRL, 0)
