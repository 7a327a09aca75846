"""The taker desk's commands but for fills, over tables: what each does and answers; a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.ledger.transactions import Movement
from chalicelib.domain.signed.faults import (
    DeskBusy,
    InsufficientFunds,
    NonceUsed,
    NotTheMakers,
    OrderNotFound,
    OwnOrder,
    StateForbids,
    UnknownInstrument,
)
from chalicelib.domain.signed.filling import FillRequest
from chalicelib.domain.signed.lifecycle import Lock, Status
from chalicelib.domain.signed.order import NOTHING, Hold, SignedOrder
from chalicelib.domain.signed.stored import Counts
from chalicelib.services.ledger.movements import Movements
from chalicelib.services.signed.desk import TRIES_MAX, Signed
from tests.case_tables import cases
from tests.faults import WatchedClient
from tests.in_memory import database_of
from tests.services.signed.market import (
    BUY,
    BUY_HASH,
    FUNDS,
    INSTANCE,
    MAKER,
    NOW_S,
    OTHER,
    PRINCIPAL,
    QUOTE,
    SELL,
    STOCK,
    TAKER,
    UNIT,
    Market,
    proven,
    refused,
)

SHOUTED = TAKER.upper().replace("X", "x")


# --- creation


def test_a_created_order_is_pending_and_its_funds_are_held(market: Market) -> None:
    stored = market.create()
    assert market.stored() == stored
    assert (stored.state.status, stored.created_at_s, stored.stock) == (Status.PENDING, NOW_S, STOCK)
    assert market.funds(MAKER, QUOTE) == (FUNDS - 3007 * UNIT // 2, 3007 * UNIT // 2)
    sell = market.create(SELL)
    assert market.funds(MAKER, STOCK) == (FUNDS - SELL.quantity, SELL.quantity)
    assert sell.state.hold == Hold(UNIT, SELL.quantity)
    assert market.orders.next_nonce(INSTANCE, MAKER) == 3
    proven(market)


@pytest.mark.parametrize("whatever_became_of_it", ["open", "cancelled"])
def test_a_nonce_is_used_once(market: Market, whatever_became_of_it: str) -> None:
    """K15"""
    market.create()
    if whatever_became_of_it == "cancelled":
        market.cancel()
    again = replace(BUY, price=BUY.price + 1)
    assert refused(market, NonceUsed, lambda: market.create(again)).order_hash == BUY_HASH
    assert refused(market, NonceUsed, market.create).order_hash == BUY_HASH
    market.create(replace(again, maker=OTHER, principal=OTHER))


SHORT = cases(
    # id,                              order,                             asset, required,          available
    ("a buy",                          BUY,                               QUOTE, 3007 * UNIT // 2, 10),
    ("a sell: its stock",              replace(SELL, incentive=10),       STOCK, SELL.quantity,    10),
    ("a sell: its incentive",          replace(SELL, quantity=1),         QUOTE, UNIT,             10),
    ("the largest order that there is", replace(BUY, price=10**27, quantity=10**27, incentive=10**27),
                                                                          QUOTE, 10**36 + 10**27,  10),
)  # fmt: skip


@pytest.mark.parametrize(("order", "asset", "required", "available"), SHORT)
def test_an_order_whose_hold_the_funds_do_not_cover_is_not_stored(
    market: Market, order: SignedOrder, asset: str, required: int, available: int
) -> None:
    order = replace(order, maker=PRINCIPAL, principal=PRINCIPAL)
    refused(market, InsufficientFunds, lambda: market.create(order))
    for token in (QUOTE, STOCK):
        market.fund(PRINCIPAL, token, available)
    told = refused(market, InsufficientFunds, lambda: market.create(order))
    assert (told.asset, told.required, told.available) == (asset, required, available)


def test_a_used_nonce_is_told_before_missing_funds(market: Market) -> None:
    market.create()
    refused(market, NonceUsed, lambda: market.create(replace(BUY, price=10**27, quantity=10**27)))


def test_an_order_of_an_unknown_instrument_is_not_stored(market: Market) -> None:
    refused(market, UnknownInstrument, lambda: market.create(replace(BUY, ticker="NONE")))


def test_the_hash_is_stored_in_lower_case(market: Market) -> None:
    shouted = Signed(BUY, BUY_HASH.upper().replace("X", "x"), "0x12")
    assert market.desk.create(INSTANCE, market.settings, shouted).order_hash == BUY_HASH


# --- locks


def test_a_locked_order_is_its_takers_for_a_time(market: Market) -> None:
    market.create()
    locked = market.lock(seconds=600, reference="REF1")
    assert locked.state.lock == Lock(TAKER, NOW_S, NOW_S + 600)
    assert locked.state.status is Status.LOCKED
    (seen,) = market.orders.locked_seen(INSTANCE, SHOUTED)
    assert (seen.order_hash, seen.reference_id, seen.lock_expires_at_s) == (BUY_HASH, "REF1", NOW_S + 600)
    assert market.orders.counts(INSTANCE, TAKER) == Counts(0, 0)
    proven(market)


def test_a_lock_lasts_as_long_as_the_settings_say_where_nothing_else_is_said(market: Market) -> None:
    market.create()
    lock = market.lock(seconds=None).state.lock
    assert lock is not None
    assert lock.expires_at_s - lock.locked_at_s == market.settings.lock_seconds == 3600


def test_a_lock_is_never_extended_and_only_its_holder_is_told_who_has_it(market: Market) -> None:
    """K9, K21"""
    market.create()
    market.lock()
    own = refused(market, StateForbids, lambda: market.lock(taker=SHOUTED))
    assert (own.status, own.expires_at_s, own.locked_by) == (Status.LOCKED, NOW_S + 600, TAKER)
    others = refused(market, StateForbids, lambda: market.lock(taker=OTHER))
    assert (others.status, others.expires_at_s, others.locked_by) == (Status.LOCKED, NOW_S + 600, None)


@pytest.mark.parametrize("role", ["maker", "principal"])
def test_nobody_locks_an_order_of_its_own(market: Market, role: str) -> None:
    order = replace(BUY, principal=PRINCIPAL)
    market.create(order)
    taker = getattr(order, role).upper().replace("X", "x")
    refused(market, OwnOrder, lambda: market.lock(order, taker))
    market.lock(order)
    refused(market, OwnOrder, lambda: market.lock(order, taker))


def test_an_order_that_is_given_back_is_open_and_not_seen_any_more(market: Market) -> None:
    """K2, K35"""
    market.create()
    market.lock()
    after = market.unlock(taker=SHOUTED)
    assert (after.state.status, after.state.lock) == (Status.PENDING, None)
    assert market.seen() == {"locked": [], "filled": []}
    market.lock(taker=OTHER)
    proven(market)


# --- cancel, reject, cancel-result


def test_a_maker_cancels_an_open_order_and_has_its_funds_back(market: Market) -> None:
    market.create()
    after = market.cancel(maker=MAKER.lower())
    assert (after.state.status, after.state.hold, after.state.notes) == (Status.CANCELLED, NOTHING, None)
    assert market.funds(MAKER, QUOTE) == (FUNDS, 0)
    told = refused(market, StateForbids, market.cancel)
    assert (told.status, told.expires_at_s) == (Status.CANCELLED, None)


def test_an_order_is_cancelled_by_its_maker_only(market: Market) -> None:
    market.create(replace(BUY, principal=PRINCIPAL))
    for stranger in (OTHER, PRINCIPAL):
        refused(market, NotTheMakers, lambda: market.cancel(replace(BUY, principal=PRINCIPAL), stranger))  # noqa: B023
    refused(market, OrderNotFound, market.cancel)


def test_the_maker_of_a_locked_order_asks_for_it_once_or_often(market: Market) -> None:
    market.create()
    market.lock()
    market.now_s += 10
    asked = market.cancel()
    assert (asked.state.status, asked.state.notes, asked.state.updated_at_s) == (
        Status.LOCKED, "cancel_requested", NOW_S + 10,
    )  # fmt: skip
    before = market.tables()
    market.now_s += 10
    assert market.cancel() == asked
    assert market.tables() == before


def test_unlocking_an_order_that_its_maker_asks_for_cancels_it(market: Market) -> None:
    """K26"""
    market.create()
    market.lock()
    market.cancel()
    after = market.unlock()
    assert (after.state.status, after.state.notes) == (Status.CANCELLED, None)
    assert market.funds(MAKER, QUOTE) == (FUNDS, 0)
    assert market.seen() == {"locked": [], "filled": []}
    proven(market)


def test_a_fill_is_let_through_while_a_cancel_is_asked_for(market: Market) -> None:
    market.create()
    market.lock()
    market.cancel()
    market.fill(4 * UNIT, "r1")
    assert market.stored().state.is_cancel_requested
    assert market.fill(6 * UNIT, "r2").status is Status.FILLED
    assert not market.stored().state.is_cancel_requested


def test_a_taker_grants_the_cancel_or_keeps_the_lock(market: Market) -> None:
    market.create()
    market.lock()
    answer = lambda succeeded: market.desk.cancel_result(INSTANCE, BUY_HASH, TAKER, succeeded, "as you wish")  # noqa: E731
    refused(market, StateForbids, lambda: answer(True))
    market.cancel()
    kept = answer(False)
    assert (kept.state.status, kept.state.notes, kept.state.is_cancel_requested) == (Status.LOCKED, None, False)
    refused(market, StateForbids, lambda: answer(False))
    market.cancel()
    after = answer(True)
    assert (after.state.status, after.state.notes, after.state.lock) == (Status.CANCELLED, "as you wish", None)
    assert market.funds(MAKER, QUOTE) == (FUNDS, 0)
    proven(market)


def test_only_an_order_without_fills_is_rejected(market: Market) -> None:
    """K25"""
    market.create()
    market.lock()
    reject = lambda: market.desk.reject(INSTANCE, BUY_HASH, TAKER, "not ours")  # noqa: E731
    after = reject()
    assert (after.state.status, after.state.notes, market.funds(MAKER, QUOTE)) == (
        Status.REJECTED, "not ours", (FUNDS, 0),
    )  # fmt: skip
    proven(market)
    refused(market, OrderNotFound, reject)


def test_an_order_with_fills_is_not_rejected(market: Market) -> None:
    market.create()
    market.lock()
    market.fill(UNIT)
    refused(market, StateForbids, lambda: market.desk.reject(INSTANCE, BUY_HASH, TAKER, None))


# --- who may know of an order

COMMANDS: dict[str, Callable[[Market, str], object]] = {
    "unlock": lambda market, taker: market.unlock(taker=taker),
    "fill": lambda market, taker: market.fill(UNIT, "new", taker=taker),
    "reject": lambda market, taker: market.desk.reject(INSTANCE, BUY_HASH, taker, None),
    "confirm": lambda market, taker: market.desk.cancel_result(INSTANCE, BUY_HASH, taker, True, ""),
    "decline": lambda market, taker: market.desk.cancel_result(INSTANCE, BUY_HASH, taker, False, ""),
}


def nothing(_market: Market) -> None: ...


def locked(market: Market) -> None:
    market.lock(taker=TAKER)


def filled_by_other(market: Market) -> None:
    market.lock(taker=OTHER)
    market.fill(UNIT, "r0", taker=OTHER)
    market.unlock(taker=OTHER)
    market.lock(taker=TAKER)


def cancelled(market: Market) -> None:
    market.cancel()


def cancelled_after_a_fill(market: Market) -> None:
    market.lock(taker=OTHER)
    market.fill(UNIT, "r0", taker=OTHER)
    market.unlock(taker=OTHER)
    market.cancel()


def suspended(market: Market) -> None:
    market.desk.suspend(INSTANCE, market.stored_id())


ACCESS = cases(
    # id,                                       what happened,          what another taker gets
    ("open",                                    nothing,                StateForbids),
    ("locked by another",                       locked,                 OrderNotFound),
    ("locked by another, own fill",             filled_by_other,        StateForbids),
    ("closed",                                  cancelled,              OrderNotFound),
    ("closed, own fill",                        cancelled_after_a_fill, StateForbids),
    ("suspended",                               suspended,              OrderNotFound),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("happened", "answer"), ACCESS)
def test_a_taker_without_the_lock_learns_no_more_than_it_may(
    market: Market, command: str, happened: Callable[[Market], None], answer: type[Exception]
) -> None:
    market.create()
    happened(market)
    told = refused(market, answer, lambda: COMMANDS[command](market, OTHER))
    assert getattr(told, "locked_by", None) is None


@pytest.mark.parametrize("command", [*COMMANDS, "lock"])
def test_an_unknown_order_is_not_found(market: Market, command: str) -> None:
    commands = COMMANDS | {"lock": lambda market, taker: market.lock(taker=taker)}
    refused(market, OrderNotFound, lambda: commands[command](market, TAKER))
    market.create()
    twin = BUY_HASH[:-2] + "99"  # another hash that makes the same id
    request = FillRequest(twin, UNIT, None, "r1")
    refused(market, OrderNotFound, lambda: market.desk.fill(INSTANCE, market.settings, TAKER, request))
    refused(market, OrderNotFound, lambda: market.desk.lock("inst_other", market.settings, BUY_HASH, TAKER, 1, None))


# --- the clock


def test_a_lock_that_has_ended_is_anybodys_again(market: Market) -> None:
    market.create()
    market.lock(seconds=600)
    market.now_s += 600
    assert market.status() is Status.PENDING
    market.lock(taker=OTHER)
    assert (market.seen(TAKER)["locked"], market.seen(OTHER)["locked"]) == ([], [BUY_HASH])
    with pytest.raises(OrderNotFound):
        market.fill(UNIT)
    proven(market)


def test_a_command_that_meets_a_lapse_writes_it_and_is_judged_by_it(market: Market) -> None:
    """K30"""
    market.create()
    market.lock(seconds=600)
    market.fill(UNIT)
    market.now_s += 700
    with pytest.raises(StateForbids) as told:
        market.fill(UNIT, "r2")
    assert (told.value.status, told.value.expires_at_s) == (Status.PARTIALLY_FILLED, None)
    assert market.stored().state.lock is None
    assert market.stored().state.updated_at_s == NOW_S + 600
    proven(market)


def test_a_request_that_was_not_answered_in_time_has_cancelled_the_order(market: Market) -> None:
    market.create()
    market.lock(seconds=600)
    market.cancel()
    market.now_s += 600
    with pytest.raises(StateForbids):
        market.cancel()
    assert (market.stored().state.status, market.funds(MAKER, QUOTE)) == (Status.CANCELLED, (FUNDS, 0))
    proven(market)


def test_an_expired_order_gives_its_funds_back_and_is_not_locked(market: Market) -> None:
    order = replace(BUY, deadline=NOW_S + 60)
    market.create(order)
    market.lock(order)
    market.fill(UNIT, "r1", order)
    market.now_s += 60
    with pytest.raises(StateForbids) as told:
        market.lock(order, OTHER)
    assert told.value.status is Status.EXPIRED
    assert market.funds(MAKER, QUOTE)[1] == 0
    assert market.stored(order).state.filled == UNIT
    assert market.fill(UNIT, "r1", order).status is Status.PARTIALLY_FILLED, "K24: a replay is answered all the same"
    proven(market)


# --- the operator


def test_a_suspended_order_keeps_its_hold_and_loses_its_lock(market: Market) -> None:
    market.create()
    market.lock()
    market.cancel()
    after = market.desk.suspend(INSTANCE, market.stored_id())
    assert (after.state.status, after.state.lock, after.state.notes) == (Status.SUSPENDED, None, None)
    assert after.state.hold == BUY.hold(18)
    assert market.seen()["locked"] == []
    assert list(market.orders.open_orders(INSTANCE)) == []
    for command in (
        market.cancel,
        lambda: market.lock(taker=OTHER),
        lambda: market.desk.suspend(INSTANCE, after.order_id),
    ):
        assert refused(market, StateForbids, command).status is Status.SUSPENDED
    proven(market)
    again = market.desk.resume(INSTANCE, after.order_id)
    assert (again.state.status, again.state.lock) == (Status.PENDING, None)
    assert [stored.order_hash for stored in market.orders.open_orders(INSTANCE)] == [BUY_HASH]
    refused(market, StateForbids, lambda: market.desk.resume(INSTANCE, after.order_id))
    proven(market)


def test_an_order_that_is_resumed_after_its_deadline_has_expired(market: Market) -> None:
    order = replace(BUY, deadline=NOW_S + 60)
    market.create(order)
    market.desk.suspend(INSTANCE, market.stored_id(order))
    market.now_s += 60
    assert (market.status(order), market.desk.sweep()) == (Status.SUSPENDED, 0)
    assert market.desk.resume(INSTANCE, market.stored_id(order)).state.status is Status.EXPIRED
    assert market.funds(MAKER, QUOTE) == (FUNDS, 0)


def test_nobody_suspends_an_order_that_there_is_not(market: Market) -> None:
    refused(market, OrderNotFound, lambda: market.desk.suspend(INSTANCE, market.stored_id()))


# --- without a ledger


def test_an_order_that_does_not_settle_moves_nothing(market: Market) -> None:
    """K34: how it was created counts, whatever the settings are later."""
    market.settings = replace(market.settings, has_ledger_settlement=False, fee_bps=100)
    order = replace(BUY, maker=PRINCIPAL, principal=PRINCIPAL)
    accounts = market.tables()["accounts"]
    market.create(order)
    market.settings = replace(market.settings, has_ledger_settlement=True)
    market.lock(order)
    fill = market.fill(4 * UNIT, "r1", order, tx_hash="0x" + "1" * 64)
    assert (fill.amount, fill.incentive, fill.fee) == (601 * UNIT, 4 * UNIT // 10, 601 * UNIT // 100)
    market.fill(6 * UNIT, "r2", order)
    assert market.stored(order).state.status is Status.FILLED
    assert market.tables()["accounts"] == accounts
    proven(market)


# --- contention


def test_a_desk_whose_orders_others_keep_changing_gives_up(market: Market) -> None:
    """Each time right before the lock is written, the operator suspends the order and resumes it."""
    market.create()
    calm, order_id = market.desk, market.stored_id()
    attempts = []

    def meddle(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items":
            attempts.append(operation)
            calm.suspend(INSTANCE, order_id)
            calm.resume(INSTANCE, order_id)
        return call()

    client = WatchedClient(market.database._client, meddle)
    market.desk = market.desk_over(database_of(client))
    with pytest.raises(DeskBusy):
        market.lock()
    assert len(attempts) == TRIES_MAX
    assert market.stored().state.lock is None


def test_an_order_that_changed_is_judged_anew_before_funds_are_found_missing(market: Market) -> None:
    """Right before its fill is written, the taker's stock is gone and the operator has suspended the order."""
    market.create()
    market.lock()
    calm = market.desk

    def meddle(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items" and market.funds(TAKER, STOCK)[0]:
            Movements(market.database).record(Movement(INSTANCE, STOCK, TAKER, None, FUNDS))
            calm.suspend(INSTANCE, market.stored_id())
        return call()

    client = WatchedClient(market.database._client, meddle)
    market.desk = market.desk_over(database_of(client))
    with pytest.raises(OrderNotFound):
        market.fill(UNIT)
    assert list(market.orders.fills_of(INSTANCE, market.stored_id())) == []
