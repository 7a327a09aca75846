"""Positions (K55), tokens of stocks (K56), estimates of charges (K57) and the public order book (K58)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.signed import open_book, positions
from chalicelib.tables.tenants import Tenants
from chalicelib.wiring.taker import new_taker_desk
from tests.apis.taker.cases import (
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    TOO_MANY,
    locked,
    moment,
    new_order,
    nothing_changes,
    outcome_of,
    partly_filled,
)
from tests.apis.taker.contract.test_shares_and_decimals import ASKED, tokens
from tests.apis.taker.desk import (
    AAPL,
    INSTANCE,
    MAKER,
    MASTER_KEY,
    NOW_S,
    OTHER_MAKER,
    OTHER_MAKER_KEY,
    QUOTE,
    TSLA,
    UNIT,
    Desk,
    data_of,
    details_of,
    faulty_fields,
    new_desk,
)
from tests.case_tables import cases

POSITION = [
    "ticker", "exchange", "token_address", "balance", "locked_balance", "available_balance", "avg_price",
]  # fmt: skip
PAGE = ["total", "page", "page_size", "total_pages", "positions"]


# --- positions


def positions_of(desk: Desk, query: Any = None) -> dict[str, dict[str, Any]]:
    return {each["ticker"]: each for each in data_of(desk.maker_get("/positions", query))["positions"]}


def test_k55_a_position_has_the_vendors_members_in_whole_shares(desk: Desk) -> None:
    """The page's example: six shares, the average price in base units of the asset."""
    what = tokens(desk, stock_decimals=0, quote_decimals=18)
    stock = f"0x00{'5' * 38}"
    desk.debit(MAKER, stock, 10**30)
    for price, quantity in ((ASKED, 4), (ASKED + 3, 2)):
        order_hash = locked(desk, **what, price=str(price), quantity=str(quantity), incentive="0")
        data_of(desk.fill(order_hash, quantity))
    answer = data_of(desk.maker_get("/positions", "ticker=STK"))
    assert list(answer) == PAGE
    (position,) = answer["positions"]
    assert list(position) == POSITION
    assert position == {
        "ticker": "STK", "exchange": 1, "token_address": stock, "balance": "6", "locked_balance": "0",
        "available_balance": "6", "avg_price": str(ASKED + 1),
    }  # fmt: skip


def test_k55_what_orders_hold_is_locked_and_part_of_the_balance(desk: Desk) -> None:
    available = desk.balance(MAKER, AAPL)[0]
    new_order(desk, is_buy=False, quantity="7")
    position = positions_of(desk)["AAPL"]
    assert [position[name] for name in ("balance", "locked_balance", "available_balance")] == [
        str(available), "7", str(available - 7),
    ]  # fmt: skip


def test_k55_a_stock_of_which_there_is_nothing_is_no_position(desk: Desk) -> None:
    assert list(positions_of(desk)) == ["AAPL", "TSLA"]
    desk.debit(MAKER, TSLA, desk.balance(MAKER, TSLA)[0])
    assert list(positions_of(desk)) == ["AAPL"]
    assert data_of(desk.maker_get("/positions"))["total"] == 1
    assert QUOTE not in {each["token_address"] for each in positions_of(desk).values()}


TWO, SIX = str(2 * UNIT), str(6 * UNIT)
PRICES: Any = cases(
    # id,                              orders of the maker: members and what is filled,                      price
    ("nothing bought",                 [],                                                                   "0"),
    ("an open order",                  [({}, 0)],                                                            "0"),
    ("one that is partly filled",      [({"price": TWO}, 400)],                                    TWO),
    ("two, by quantity",               [({"price": TWO}, 300), ({"price": SIX}, 100)],   str(3 * UNIT)),
    ("rounded down",                   [({"price": TWO}, 2), ({"price": str(2 * UNIT + 1)}, 1)],   TWO),
    ("a sell does not count",          [({"price": TWO}, 4), ({"is_buy": False}, 4)],              TWO),
    ("another stock does not count",   [({"ticker": "TSLA"}, 4)],                                            "0"),
    ("bought for another wallet",      [({"principal": OTHER_MAKER}, 4)],                                    "0"),
)  # fmt: skip


@pytest.mark.parametrize(("orders", "price"), PRICES)
def test_k55_the_average_price_is_that_of_what_the_wallet_has_bought_itself(
    desk: Desk, orders: list[tuple[dict[str, Any], int]], price: str
) -> None:
    for members, filled in orders:
        partly_filled(desk, filled, **members) if filled else new_order(desk, **members)
    assert positions_of(desk)["AAPL"]["avg_price"] == price


def test_k55_only_buys_in_the_asset_of_the_newest_one_count(desk: Desk) -> None:
    what = tokens(desk, stock_decimals=0, quote_decimals=2)
    for asset, price in ((what["asset"], "100"), (QUOTE, str(7 * UNIT)), (QUOTE, str(8 * UNIT))):
        order_hash = locked(desk, **(what | {"asset": asset}), price=price, quantity="5", incentive="0")
        data_of(desk.fill(order_hash, 5))
    assert positions_of(desk, "ticker=STK")["STK"]["avg_price"] == str(15 * UNIT // 2)


def test_k55_the_orders_of_the_highest_nonces_make_the_price(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.services.signed.reading.PRICED_ORDERS_MAX", 2)
    assert positions.PRICED_ORDERS_MAX == 500
    for nonce, price in ((1, 9), (2, 2), (3, 4)):
        partly_filled(desk, 10, nonce=nonce, price=str(price * UNIT))
    assert positions_of(desk)["AAPL"]["avg_price"] == str(3 * UNIT)


def test_k55_positions_are_the_wallets_own(desk: Desk) -> None:
    desk.debit(OTHER_MAKER, AAPL, desk.balance(OTHER_MAKER, AAPL)[0] - 3)
    partly_filled(desk, 10)
    other = positions_of(desk.as_maker(OTHER_MAKER_KEY))["AAPL"]
    assert (other["balance"], other["avg_price"]) == ("3", "0")


FILTERS: Any = cases(
    ("all",                      "",                             ["AAPL", "TSLA"], [2, 1, 20, 1]),
    ("a ticker",                 "ticker=TSLA",                  ["TSLA"],         [1, 1, 20, 1]),
    ("in lower case",            "ticker=tsla",                  ["TSLA"],         [1, 1, 20, 1]),
    ("a part is no match",       "ticker=SL",                    [],               [0, 1, 20, 0]),
    ("a part, on demand",        "ticker=sl&ticker_like=true",   ["TSLA"],         [1, 1, 20, 1]),
    ("an empty ticker",          "ticker=&ticker_like=true",     ["AAPL", "TSLA"], [2, 1, 20, 1]),
    ("the second page",          "page=2&page_size=1",           ["TSLA"],         [2, 2, 1, 2]),
    ("past the end",             "page=3&page_size=1",           [],               [2, 3, 1, 2]),
    ("more than 100",            "page_size=200",                ["AAPL", "TSLA"], [2, 1, 100, 1]),
)  # fmt: skip


@pytest.mark.parametrize(("query", "tickers", "page"), FILTERS)
def test_k55_positions_are_filtered_and_paged(shared: Desk, query: str, tickers: list[str], page: list[int]) -> None:
    answer = data_of(shared.maker_get("/positions", query))
    assert [each["ticker"] for each in answer["positions"]] == tickers
    assert [answer[name] for name in PAGE[:-1]] == page


@pytest.mark.parametrize("field", ["page", "page_size", "ticker_like"])
def test_k55_a_bad_parameter_is_refused(shared: Desk, field: str) -> None:
    assert faulty_fields(shared.maker_get("/positions", f"{field}=x")) == [field]


# --- the token of a stock


def test_k56_the_token_of_a_stock_is_shown_by_exchange_and_ticker(shared: Desk) -> None:
    expected = {"ticker": "AAPL", "name": "Apple", "exchange_id": 0, "token_address": AAPL}
    for query in ("ticker=AAPL&exchange=0", "exchange=0&ticker=aapl"):
        answer = data_of(shared.maker_get("/instruments/token-address", query))
        assert list(answer.items()) == list(expected.items())


BAD_NAMES: Any = cases(
    ("nothing",             "",                          ["exchange", "ticker"]),
    ("no ticker",           "exchange=0",                ["ticker"]),
    ("no exchange",         "ticker=AAPL",               ["exchange"]),
    ("an exchange in words", "ticker=AAPL&exchange=x",   ["exchange"]),
    ("an exchange too high", "ticker=AAPL&exchange=65536", ["exchange"]),
)  # fmt: skip


@pytest.mark.parametrize(("query", "fields"), BAD_NAMES)
def test_k56_exchange_and_ticker_are_required(shared: Desk, query: str, fields: list[str]) -> None:
    assert faulty_fields(shared.maker_get("/instruments/token-address", query)) == fields


@pytest.mark.parametrize("query", ["ticker=AAPL&exchange=1", "ticker=NONE&exchange=0", "ticker=%00&exchange=0"])
def test_k56_an_instrument_that_is_not_traded_is_404(shared: Desk, query: str) -> None:
    answer = shared.maker_get("/instruments/token-address", query)
    assert outcome_of(answer) == NOT_FOUND
    assert '"message":"Instrument not found"' in answer.body


# --- estimates

ESTIMATE: dict[str, Any] = {
    "is_buy": True, "ticker": "STK", "exchange": 1, "quantity": "100", "price": "260.5",
}  # fmt: skip
CHARGE = [
    "base_currency", "charge_base", "target_currency", "charge_target", "price_base", "price_target", "exchange_rate",
]  # fmt: skip


def estimated(desk: Desk, **members: Any) -> Any:
    return desk.maker_post("/orders/estimate_charge", members)


def test_k57_the_estimate_is_what_a_fill_of_all_is_charged(desk: Desk) -> None:
    changed = desk.change_settings(fee_bps=25)
    what = tokens(changed, stock_decimals=0, quote_decimals=2)
    answer = data_of(estimated(changed, **(ESTIMATE | what)))
    assert list(answer) == CHARGE
    assert answer == {
        "base_currency": "PAY", "charge_base": "65.12", "target_currency": "PAY", "charge_target": "6512",
        "price_base": "260.5", "price_target": "26050", "exchange_rate": 1,
    }  # fmt: skip
    order_hash = locked(changed, **what, price=answer["price_target"], quantity="100", incentive="0")
    assert data_of(changed.fill(order_hash, 100))["fee_amount"] == answer["charge_target"]


def test_k57_us_stocks_are_priced_in_dollars(shared: Desk) -> None:
    """The vendor's example, at no fee."""
    sent = ESTIMATE | {"ticker": "AAPL", "exchange": 0, "price": "260", "asset": QUOTE}
    assert data_of(estimated(shared, **sent)) == {
        "base_currency": "USD", "charge_base": "0", "target_currency": "USD", "charge_target": "0",
        "price_base": "260", "price_target": str(260 * UNIT), "exchange_rate": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("named", "decimals"), [("PAY", 2), ("pay", 2), ("usd", 18), (None, 2)])
def test_k57_another_quote_can_be_the_target(desk: Desk, named: str | None, decimals: int) -> None:
    what = tokens(desk, stock_decimals=0, quote_decimals=2)
    answer = data_of(estimated(desk, **(ESTIMATE | what), target_currency=named))
    assert answer["price_target"] == str(2605 * 10**decimals // 10)
    assert answer["target_currency"] == ("USD" if decimals == 18 else "PAY")


BAD_ESTIMATES: Any = cases(
    ("nothing",               dict.fromkeys([*ESTIMATE, "asset"]),
     ["is_buy", "ticker", "exchange", "quantity", "price", "asset"]),
    ("an unknown stock",      {"ticker": "NONE"},                     ["ticker"]),
    ("an unknown asset",      {"asset": MAKER},                       ["asset"]),
    ("an unknown target",     {"target_currency": "EUR"},             ["target_currency"]),
    ("a stock as the target", {"target_currency": "AAPL"},            ["target_currency"]),
    ("a number",              {"price": 260, "quantity": 1.5},        ["quantity", "price"]),
    ("a sign",                {"price": "-1"},                        ["price"]),
    ("an exponent",           {"price": "1e3"},                       ["price"]),
    ("a part of a share",     {"quantity": "0.5"},                    ["quantity"]),
    ("too many decimals",     {"price": "1.001"},                     ["price"]),
    ("nothing to pay",        {"price": "0", "quantity": "0.0"},      ["price", "quantity"]),
    ("worth too much",        {"price": "1" + "0" * 24, "quantity": "1" + "0" * 26}, ["quantity"]),
    ("too much",              {"price": "1" + "0" * 26, "quantity": "1" + "0" * 28}, ["price", "quantity"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), BAD_ESTIMATES)
def test_k57_a_bad_estimate_is_refused(desk: Desk, members: dict[str, Any], fields: list[str]) -> None:
    what = tokens(desk, stock_decimals=0, quote_decimals=2)
    with nothing_changes(desk):
        assert faulty_fields(estimated(desk, **(ESTIMATE | what | members))) == fields


def test_k57_zeros_at_the_end_are_no_decimals(desk: Desk) -> None:
    what = tokens(desk, stock_decimals=0, quote_decimals=2)
    answer = data_of(estimated(desk, **(ESTIMATE | what | {"quantity": "3.00", "price": "1.5000"})))
    assert (answer["price_base"], answer["price_target"]) == ("1.5000", "150")


# --- the order book


def book_of(desk: Desk, path: str = "STK/orderbooks?exchange=1", address: str = "192.0.2.9") -> Any:
    ticker, _, query = path.partition("?")
    return desk.send("GET", f"/tickers/{ticker}", query=query, client_address=address)


def test_k58_the_book_shows_open_orders_by_price(desk: Desk) -> None:
    """The vendor's example, read without a credential."""
    what = tokens(desk, stock_decimals=0, quote_decimals=2)
    for price, quantity, is_buy in (
        ("15030", "200", False), ("15025", "40", False), ("15025", "60", False),
        ("15015", "250", True), ("15020", "150", True),
    ):  # fmt: skip
        new_order(desk, **what, price=price, quantity=quantity, is_buy=is_buy, incentive="0")
    answer = data_of(book_of(desk))
    assert list(answer.items()) == list({
        "symbol": "STK",
        "market": "1",
        "ask": [{"price": "150.25", "volume": "100"}, {"price": "150.3", "volume": "200"}],
        "bid": [{"price": "150.2", "volume": "150"}, {"price": "150.15", "volume": "250"}],
        "time": moment(NOW_S),
    }.items())  # fmt: skip


def test_k58_the_vendors_exchange_has_its_name_and_an_empty_book_is_empty(desk: Desk) -> None:
    answer = data_of(book_of(desk, "aapl/orderbooks?exchange=0"))
    assert answer == {"symbol": "AAPL", "market": "usex", "ask": [], "bid": [], "time": moment(NOW_S)}


def test_k58_quotes_of_other_decimals_meet_in_one_level(desk: Desk) -> None:
    what = tokens(desk, stock_decimals=6, quote_decimals=2)
    new_order(desk, **what, price="15025", quantity="1500000")
    new_order(desk, **(what | {"asset": QUOTE}), price=str(ASKED), quantity="500000")
    assert data_of(book_of(desk))["bid"] == [{"price": "150.25", "volume": "2"}]


SHOWN: Any = cases(
    ("open",             new_order,                                                                    "1000"),
    ("locked",           locked,                                                                       None),
    ("partly filled",    lambda desk: (one := partly_filled(desk), desk.unlock(one)),                  "600"),
    ("filled",           lambda desk: partly_filled(desk, 1000),                                       None),
    ("cancelled",        lambda desk: desk.cancel(new_order(desk)),                                    None),
    ("past its deadline", lambda desk: (new_order(desk, deadline=desk.clock.now_s + 1), desk.clock.advance(1)), None),
    ("a lock that lapsed", lambda desk: (locked(desk), desk.clock.advance(3600)),                      "1000"),
)  # fmt: skip


@pytest.mark.parametrize(("prepare", "base_units"), SHOWN)
def test_k58_what_can_be_locked_now_is_in_the_book(desk: Desk, prepare: Any, base_units: str | None) -> None:
    prepare(desk)
    bids = data_of(book_of(desk, "AAPL/orderbooks?exchange=0"))["bid"]
    volume = "0." + (base_units or "").rjust(18, "0").rstrip("0")
    assert bids == ([] if base_units is None else [{"price": "1", "volume": volume}])


def test_k58_the_book_is_as_of_a_second(desk: Desk) -> None:
    assert data_of(book_of(desk, "AAPL/orderbooks?exchange=0"))["bid"] == []
    new_order(desk)
    assert data_of(book_of(desk, "AAPL/orderbooks?exchange=0"))["bid"] == []
    desk.clock.advance(1)
    assert len(data_of(book_of(desk, "AAPL/orderbooks?exchange=0"))["bid"]) == 1


def test_k58_a_bounded_number_of_orders_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_book.ORDERS_READ_MAX == 1000
    monkeypatch.setattr(open_book, "ORDERS_READ_MAX", 2)
    for price in (1, 2, 3):
        new_order(desk, price=str(price * UNIT))
        desk.clock.advance(1)
    bids = data_of(book_of(desk, "AAPL/orderbooks?exchange=0"))["bid"]
    assert [level["price"] for level in bids] == ["2", "1"]


BAD_BOOKS: Any = cases(
    ("no exchange",       "AAPL/orderbooks",             INVALID),
    ("a bad exchange",    "AAPL/orderbooks?exchange=x",  INVALID),
    ("another exchange",  "AAPL/orderbooks?exchange=1",  NOT_FOUND),
    ("an unknown symbol", "NONE/orderbooks?exchange=0",  NOT_FOUND),
    ("an odd symbol",     "%00/orderbooks?exchange=0",   NOT_FOUND),
)  # fmt: skip


@pytest.mark.parametrize(("path", "outcome"), BAD_BOOKS)
def test_k58_what_has_no_book(shared: Desk, path: str, outcome: Any) -> None:
    assert outcome_of(book_of(shared, path)) == outcome


def test_k58_the_book_is_the_public_instances() -> None:
    path = "AAPL/orderbooks?exchange=0"
    assert outcome_of(book_of(new_desk(public_instance=None), path)) == NOT_FOUND
    assert outcome_of(book_of(new_desk(public_instance="inst_nobody01"), path)) == NOT_FOUND
    desk = new_desk()
    tenants = Tenants(desk.database, lambda: NOW_S)
    tenants.change(INSTANCE, lambda found: found.without_service("trading"))
    assert outcome_of(book_of(desk, path)) == FORBIDDEN
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert outcome_of(book_of(desk, path)) == NOT_FOUND


def test_k58_a_client_address_is_limited(desk: Desk) -> None:
    served = new_taker_desk(
        desk.database, master_key=lambda: MASTER_KEY, public_instance=INSTANCE, clock=desk.clock,
        public_limit=RateLimit(bucket=2, refill_per_1000_s=1000, per_day=0),
    )  # fmt: skip
    limited = replace(desk, desk=served)
    path = "AAPL/orderbooks?exchange=0"
    outcomes = [outcome_of(book_of(limited, path)) for _ in range(3)]
    assert outcomes == [200, 200, TOO_MANY]
    assert outcome_of(book_of(limited, path, "192.0.2.10")) == 200
    assert details_of(book_of(limited, path)) == {}
