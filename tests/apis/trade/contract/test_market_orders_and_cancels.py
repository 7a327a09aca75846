"""Market orders by value and by amount (R25, R26); cancelling one order and all of them."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import BookStatus
from tests.apis.trade.cases import (
    BRL,
    BTC,
    CANCELED,
    EXECUTED,
    LIST,
    NO_FUNDS,
    NO_ORDER,
    NO_PAIR,
    NOTHING,
    RICH_BRL,
    RICH_BTC,
    TOO_LITTLE,
    change_book,
    desk_of_ben,
    exact,
    invalid,
    outcome_of,
    place,
    placed,
    rested,
    shown,
)
from tests.apis.trade.desk import SignedDesk, data_of
from tests.case_tables import cases
from tests.waiting import Waiting

UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"
BY_VALUE: dict[str, Any] = {"type": "market", "amount": ..., "price": ...}
BY_AMOUNT: dict[str, Any] = {"type": "market", "price": ...}
PENDING = (500, 50003, "Cancel is pending, repeat the request.")


# --- R25: by value -----------------------------------------------------------------------------------------------

# the side of the order, the levels against it, its value; its quantity, or what it is told
VALUES = cases(
    ("buy, part of the best",        "buy",  [("0.01", "350000")],                       "1750",    "0.005"),
    ("buy, exactly the best",        "buy",  [("0.01", "350000"), ("1", "351000")],      "3500",    "0.01"),
    ("buy, part of the next",        "buy",  [("0.01", "350000"), ("0.02", "351000")],   "5000",    "0.0142735"),
    ("buy, a level's cost rounds up", "buy", [("0.00000003", "350000"), ("1", "700000")], "0.02",   "0.00000003"),
    ("buy, the whole side",          "buy",  [("0.01", "350000")],                       "9999",    "0.01"),
    ("buy, less than a unit",        "buy",  [("0.01", "9000000")],                      "0.01",    TOO_LITTLE),
    ("buy, other side empty",        "buy",  [],                                         "10",      invalid("value")),
    ("sell, part of the best",       "sell", [("0.01", "350000")],                       "1750",    "0.005"),
    ("sell, part of the next",       "sell", [("0.01", "349000"), ("0.02", "348000")],   "5000",    "0.01433909"),
    ("sell, a level's yield rounds down", "sell", [("0.00000003", "350000"), ("1", "300000")], "0.01", "0.00000003"),
    ("sell, the rest rounds up",     "sell", [("1", "300000")],                          "0.01",    "0.00000004"),
    ("sell, the whole side",         "sell", [("0.01", "350000")],                       "9999",    "0.01"),
    ("sell, other side empty",       "sell", [],                                         "10",      invalid("value")),
)  # fmt: skip


@pytest.mark.parametrize(("side", "levels", "value", "expected"), VALUES)
def test_r25_a_value_becomes_a_quantity(
    desk: SignedDesk, side: str, levels: list[tuple[str, str]], value: str, expected: object
) -> None:
    rested(desk, "sell" if side == "buy" else "buy", *levels)
    response = place(desk, **BY_VALUE, side=side, value=value)
    if isinstance(expected, tuple):
        assert outcome_of(response) == expected
    else:
        data = exact(response)
        assert (data["requested_amount"], data["requested_value"]) == (expected, value)


def test_r25_a_buy_holds_exactly_its_value_and_never_spends_more(desk: SignedDesk) -> None:
    """Also where the price it was turned into a quantity at is gone when its turn comes."""
    (cheap, *_) = rested(desk, "sell", ("0.01", "350000"), ("1", "400000"))
    desk_of_ben(desk).delete(LIST, {"id": cheap})
    order_id = placed(desk, **BY_VALUE, value="3500")
    assert desk.world.balance("ann", BRL) == (RICH_BRL - 350_000, 350_000)
    desk.match()
    row = shown(desk, order_id)
    assert (row["status"], row["executed_amount"], row["total_value"]) == ("canceled", "0.00875", "3500")
    assert desk.world.balance("ann", BRL) == (RICH_BRL - 350_000, 0)


def test_r25_a_sell_holds_its_quantity(desk: SignedDesk) -> None:
    rested(desk, "buy", ("0.01", "349000"), ("0.02", "348000"))
    placed(desk, **BY_VALUE, side="sell", value="5000")
    assert desk.world.balance("ann", BTC) == (RICH_BTC - 1_433_909, 1_433_909)


def test_r25_a_value_that_is_not_available_is_refused(desk: SignedDesk) -> None:
    """Though the asks cost less than it."""
    rested(desk, "sell", ("0.01", "350000"))
    assert outcome_of(place(desk, **BY_VALUE, value="1000000.01")) == NO_FUNDS
    assert outcome_of(place(desk, **BY_VALUE, value="1000000")) == 200


# --- R26: by amount ----------------------------------------------------------------------------------------------


def test_r26_a_market_buy_by_amount_holds_its_cost_and_the_collar(desk: SignedDesk) -> None:
    """1500 at 300000, then 350 at 350000; the collar is 5 percent of that, rounded up."""
    rested(desk, "sell", ("0.005", "300000"), ("1", "350000"))
    placed(desk, **BY_AMOUNT, amount="0.006")
    assert desk.world.balance("ann", BRL)[1] == 194_250


def test_r26_it_is_refused_only_where_the_cost_is_not_available(desk: SignedDesk) -> None:
    rested(desk, "sell", ("10", "100000"))
    assert outcome_of(place(desk, **BY_AMOUNT, amount="10")) == 200
    assert desk.world.balance("ann", BRL) == (0, RICH_BRL)
    assert outcome_of(place(desk, **BY_AMOUNT, amount="0.01")) == NO_FUNDS


def test_r26_without_asks_it_is_admitted_and_ends_canceled(desk: SignedDesk) -> None:
    order_id = placed(desk, **BY_AMOUNT)
    assert desk.world.balance("ann", BRL)[1] == 0
    desk.match()
    assert shown(desk, order_id)["status"] == "canceled"


# --- cancelling one ----------------------------------------------------------------------------------------------

WAYS: list[Any] = cases(
    ("DELETE by id",           lambda desk, order_id, _: desk.delete(LIST, {"id": order_id})),
    ("POST by id",             lambda desk, order_id, _: desk.post(f"{LIST}/cancel", {"id": order_id.lower()})),
    ("DELETE by external id",  lambda desk, _, name: desk.delete(f"{LIST}/by-external-id", {"external_id": name})),
    ("POST by external id",
     lambda desk, _, name: desk.post(f"{LIST}/cancel-by-external-id", {"external_id": name.upper()})),
)  # fmt: skip
each_way = pytest.mark.parametrize("cancel", WAYS)


@each_way
def test_a_cancelled_order_is_shown_and_its_hold_is_back(desk: SignedDesk, clock: Waiting, cancel: Any) -> None:
    order_id = placed(desk, external_id="mine", amount="0.02")
    rested(desk, "sell", ("0.005", "350000"))
    clock.meanwhile = desk.match
    data = exact(cancel(desk, order_id, "mine"))
    assert list(data) == [
        "id", "create_date", "update_date", "executed_amount", "remaining_amount", "remaining_value",
        "requested_amount", "requested_value", "total_value", "price", "side", "type", "status", "pair", "external_id",
    ]  # fmt: skip
    assert list(data.values())[3:] == [
        "0.005", "0.015", "5250", "0.02", "7000", "1750", "350000", "buy", "limit", "canceled", "BTC_BRL", "mine",
    ]  # fmt: skip
    assert desk.world.balance("ann", BRL) == (RICH_BRL - 175_000, 0)
    before = desk.world.tables()
    assert outcome_of(cancel(desk, order_id, "mine")) == CANCELED
    assert desk.world.tables() == before


@each_way
def test_what_is_filled_is_told_also_when_it_filled_while_the_cancel_was_queued(
    desk: SignedDesk, clock: Waiting, cancel: Any
) -> None:
    order_id = placed(desk, external_id="mine")
    placed(desk_of_ben(desk), side="sell")
    clock.meanwhile = desk.match
    assert outcome_of(cancel(desk, order_id, "mine")) == EXECUTED
    assert outcome_of(cancel(desk, order_id, "mine")) == EXECUTED


@each_way
def test_an_unknown_order_and_anothers_are_not_found(desk: SignedDesk, cancel: Any) -> None:
    order_id = placed(desk_of_ben(desk), external_id="mine")
    assert outcome_of(cancel(desk, order_id, "mine")) == outcome_of(cancel(desk, UUID, "none")) == NO_ORDER


@each_way
def test_without_a_result_in_5_seconds_the_cancel_stays_queued_and_a_repeat_joins_it(
    desk: SignedDesk, clock: Waiting, cancel: Any
) -> None:
    order_id = placed(desk, external_id="mine")
    response = cancel(desk, order_id, "mine")
    assert (outcome_of(response), response.headers["Retry-After"]) == (PENDING, "1")
    assert round(clock.slept_s, 6) == 5
    clock.meanwhile = desk.match
    assert outcome_of(cancel(desk, order_id, "mine")) == 200
    assert outcome_of(cancel(desk, order_id, "mine")) == CANCELED
    assert [row["kind"] for row in desk.world.inbox_rows()].count("cancel") <= 1


def test_a_cancel_that_was_done_meanwhile_is_told_to_a_repeat(desk: SignedDesk) -> None:
    order_id = placed(desk)
    assert outcome_of(desk.delete(LIST, {"id": order_id})) == PENDING
    desk.match()
    assert outcome_of(desk.delete(LIST, {"id": order_id})) == CANCELED


@pytest.mark.parametrize("members", cases(("IOC", {"immediate_or_cancel": True}), ("FOK", {"fill_or_kill": True})))
def test_an_order_that_ended_by_itself_is_canceled_already(desk: SignedDesk, members: dict[str, Any]) -> None:
    order_id = placed(desk, **members)
    desk.match()
    assert outcome_of(desk.delete(LIST, {"id": order_id})) == CANCELED


FIELDS = cases(
    ("id missing",            LIST,                      {},                          "id"),
    ("id null",               LIST,                      {"id": None},                "id"),
    ("id a number",           LIST,                      {"id": 5},                   "id"),
    ("id malformed",          LIST,                      {"id": "123"},               "id"),
    ("external_id missing",   f"{LIST}/by-external-id",  {"id": UUID},                "external_id"),
    ("external_id too long",  f"{LIST}/by-external-id",  {"external_id": "x" * 37},   "external_id"),
    ("external_id, a space",  f"{LIST}/by-external-id",  {"external_id": "a b"},      "external_id"),
)  # fmt: skip


@pytest.mark.parametrize(("path", "body", "field"), FIELDS)
def test_a_cancel_names_its_order(desk: SignedDesk, path: str, body: dict[str, Any], field: str) -> None:
    assert outcome_of(desk.delete(path, body)) == invalid(field)


# --- cancelling all ----------------------------------------------------------------------------------------------

BODIES = cases(
    ("absent", None), ("white space", b" \n"), ("empty", {}), ("of the pair", {"pair": "BTC_BRL"}),
    ("of the pair in lower case", {"pair": "btc_brl"}), ("pair null", {"pair": None}),
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_all_live_orders_are_cancelled_newest_first(desk: SignedDesk, clock: Waiting, body: object) -> None:
    first, second, third = (placed(desk, price=price) for price in ("1", "2", "3"))
    bens = placed(desk_of_ben(desk), price="1")
    clock.meanwhile = desk.match
    assert data_of(desk.delete(f"{LIST}/all", body)) == [
        {"pair_code": "BTC_BRL", "order_id": order_id, "success": True} for order_id in (third, second, first)
    ]
    assert desk.world.balance("ann", BRL) == (RICH_BRL, 0)
    assert shown(desk_of_ben(desk), bens)["status"] == "open"
    assert outcome_of(desk.delete(f"{LIST}/all", body)) == NOTHING


def test_what_fills_meanwhile_or_has_no_result_is_no_success(desk: SignedDesk, clock: Waiting) -> None:
    filled, left = placed(desk), placed(desk, price="1")
    placed(desk_of_ben(desk), side="sell")
    assert {row["success"] for row in data_of(desk.delete(f"{LIST}/all"))} == {False}
    assert round(clock.slept_s, 6) == 5
    clock.meanwhile = desk.match
    rows = data_of(desk.delete(f"{LIST}/all"))
    assert {row["order_id"]: row["success"] for row in rows} == {filled: False, left: True}


def test_of_another_pair_nothing_is_cancelled(desk: SignedDesk) -> None:
    order_id = placed(desk)
    assert outcome_of(desk.delete(f"{LIST}/all", {"pair": "B_Q"})) == NOTHING
    assert outcome_of(desk.delete(f"{LIST}/all", {"pair": "NOPE_BRL"})) == NO_PAIR
    assert outcome_of(desk.delete(f"{LIST}/all", {"pair": 5})) == invalid("pair")
    assert shown(desk, order_id)["status"] == "open"


def test_a_pair_that_is_not_read_cancels_nothing(desk: SignedDesk) -> None:
    """No pair means all of them, so none may be lost on the way."""
    order_id = placed(desk)
    before = desk.world.tables()
    for body, field in (
        ({"pairs": "B_Q"}, "pairs"),
        ({"pairs": None}, "pairs"),
        ({"Pair": "B_Q"}, "Pair"),
        ({"pair": "BTC_BRL", "side": "buy"}, "side"),
        ({"data": {"pair": "B_Q"}}, "data"),
        ({"pair": ""}, "pair"),
        (b"[[]]", "body"),
        (b"[null]", "body"),
        (b"false", "body"),
        (b'""', "body"),
        (b"pair=B_Q", "body"),
    ):
        assert outcome_of(desk.delete(f"{LIST}/all", body)) == invalid(field)
    for name in ("pair", "pairs", "pair[]", "Pair"):
        assert outcome_of(desk.send("DELETE", f"{LIST}/all", query=f"{name}=B_Q")) == invalid(name)
    assert desk.world.tables() == before
    assert shown(desk, order_id)["status"] == "open"


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b"[]", b" [ ] ", b"null"])
def test_a_body_without_members_cancels_in_all_pairs(desk: SignedDesk, clock: Waiting, body: bytes) -> None:
    order_id = placed(desk)
    clock.meanwhile = desk.match
    assert [row["success"] for row in data_of(desk.delete(f"{LIST}/all", body))] == [True]
    assert shown(desk, order_id)["status"] == "canceled"


def test_cancelling_works_on_a_paused_book(desk: SignedDesk, clock: Waiting) -> None:
    order_id = placed(desk)
    change_book(desk, status=BookStatus.PAUSED)
    clock.meanwhile = desk.match
    assert outcome_of(desk.delete(LIST, {"id": order_id})) == 200
