"""What is held, moved and charged, to the last unit (K33, K34), and what the ledger shows of it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.ledger.owners import desk_fees_key
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.signed.order import customer_of
from chalicelib.services.books.statements import Selection, Statements
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.tenants import Tenants
from tests.apis.taker.cases import (
    CONFLICT,
    NO_FUNDS,
    HttpClient,
    locked,
    new_order,
    nothing_changes,
    of_maker,
    outcome_of,
    totals,
)
from tests.apis.taker.contract.test_creating import SIGNATURES, C
from tests.apis.taker.desk import (
    AAPL,
    MAKER,
    NOW_S,
    OTHER_MAKER_KEY,
    QUOTE,
    TAKER,
    TSLA,
    UNIT,
    Desk,
    data_of,
    details_of,
    make_key,
    open_taker_desk,
)
from tests.case_tables import cases

BOOK_DESK_KEY = "trusset_test0001_" + "0123456789abcdef" * 4


def _units(text: str) -> int:
    """Return so many units of 10^18, written as a decimal."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(18, "0"))


def fees(desk: Desk) -> int:
    balance = Accounts(desk.database).balance(desk_fees_key(desk.instance), QUOTE)
    assert balance.held == 0
    return balance.available


@pytest.fixture
def poor(memory_database: Any) -> Desk:
    """A desk on which nobody has anything yet."""
    return open_taker_desk(memory_database, funds=0)


# --- the vectors -------------------------------------------------------------------------------------------------


def test_the_buy_of_the_vectors(poor: Desk) -> None:
    """Order B, its maker with 2000 of the quote, its taker with 20 shares."""
    poor.credit(MAKER, QUOTE, _units("2000"))
    poor.credit(TAKER, AAPL, _units("20"))

    def shown(order_hash: str) -> tuple[Any, ...]:
        maker, taker = poor.balance(MAKER, QUOTE), poor.balance(TAKER, QUOTE)
        assert poor.balance(TAKER, AAPL)[1] == taker[1] == 0
        return *maker, poor.balance(MAKER, AAPL)[0], taker[0], poor.balance(TAKER, AAPL)[0], _status(poor, order_hash)

    def row(*amounts: str, status: str) -> tuple[Any, ...]:
        return *map(_units, amounts), status

    order_hash = poor.created()
    assert shown(order_hash) == row("496.5", "1503.5", "0", "0", "20", status="pending")
    data_of(poor.lock(order_hash))
    assert data_of(poor.fill(order_hash, 4 * UNIT))["incentive_amount"] == str(_units("0.4"))
    assert shown(order_hash) == row("496.5", "902.1", "4", "601.4", "16", status="partially_filled")
    data_of(poor.fill(order_hash, 6 * UNIT, taker_incentive=str(_units("0.5"))))
    assert shown(order_hash) == row("496.6", "0", "10", "1503.4", "10", status="filled")


def _status(desk: Desk, order_hash: str) -> str:
    return str(of_maker(desk, order_hash)["status"])


def test_the_sell_of_the_vectors(poor: Desk) -> None:
    """Order C, its maker with 5 shares and 2 of the quote, its taker with 1000 of the quote."""
    poor.credit(MAKER, TSLA, 5 * UNIT)
    poor.credit(MAKER, QUOTE, 2 * UNIT)
    poor.credit(TAKER, QUOTE, 1000 * UNIT)
    order_hash = data_of(poor.maker_post("/orders", {"order": C, "signature": SIGNATURES["C"]}))["order_hash"]
    assert poor.balance(MAKER, TSLA) == (1999999999999999999, 3000000000000000001)
    assert poor.balance(MAKER, QUOTE) == (UNIT, UNIT)
    data_of(poor.lock(order_hash))
    fills = [data_of(poor.fill(order_hash, quantity)) for quantity in (UNIT, 2 * UNIT, 1)]
    assert [fill["filled_amount"] for fill in fills] == ["200000000000000000001", "400000000000000000002", "200"]
    assert [fill["incentive_amount"] for fill in fills] == ["333333333333333333", "666666666666666666", "0"]
    assert fills[-1]["status"] == "filled"
    assert poor.balance(MAKER, QUOTE) == (601000000000000000204, 0)
    assert poor.balance(MAKER, TSLA) == (1999999999999999999, 0)
    assert poor.balance(TAKER, QUOTE) == (400999999999999999796, 0)
    assert poor.balance(TAKER, TSLA) == (3000000000000000001, 0)


def test_the_rounding_of_the_vectors(poor: Desk) -> None:
    """Price 3, quantity 10^18: two halves pay 1 each; what is left of the 3 that were held is the maker's."""
    poor.credit(MAKER, QUOTE, 3)
    poor.credit(TAKER, AAPL, UNIT)
    order_hash = locked(poor, price="3", quantity=str(UNIT), incentive="0")
    assert poor.balance(MAKER, QUOTE) == (0, 3)
    for _ in range(2):
        assert data_of(poor.fill(order_hash, UNIT // 2))["filled_amount"] == "1"
    assert (poor.balance(MAKER, QUOTE), poor.balance(TAKER, QUOTE)) == ((1, 0), (2, 0))


# --- formulas ----------------------------------------------------------------------------------------------------

HOLDS: Any = cases(
    ("a buy",                     {},                                                            1100, 0),
    ("a buy, value rounded down", {"price": str(UNIT // 3), "quantity": "10", "incentive": "4"}, 7,    0),
    ("a sell",                    {"is_buy": False},                                             100,  1000),
    ("a sell without incentive",  {"is_buy": False, "incentive": "0"},                           0,    1000),
)  # fmt: skip


@pytest.mark.parametrize(("members", "quote", "stock"), HOLDS)
def test_what_a_new_order_holds(desk: Desk, members: dict[str, Any], quote: int, stock: int) -> None:
    before = desk.balance(MAKER, QUOTE)[0], desk.balance(MAKER, AAPL)[0]
    new_order(desk, **members)
    assert desk.balance(MAKER, QUOTE) == (before[0] - quote, quote)
    assert desk.balance(MAKER, AAPL) == (before[1] - stock, stock)


# of 10,000 at 1.5 with an incentive of 333, a fee of fee_bps
CHARGES = cases(
    ("no fee",                     0,    "1000",  "1500",  "33",  "0"),
    ("one hundredth of a percent", 1,    "1000",  "1500",  "33",  "0"),
    ("a fee, rounded down",        25,   "1000",  "1500",  "33",  "3"),
    ("the highest fee",            1000, "1000",  "1500",  "33",  "150"),
    ("an amount rounded down",     1000, "7",     "10",    "0",   "1"),
    ("one base unit",              1000, "1",     "1",     "0",   "0"),
    ("all of it",                  1000, "10000", "15000", "333", "1500"),
)  # fmt: skip


@pytest.mark.parametrize(("fee_bps", "quantity", "amount", "incentive", "fee"), CHARGES)
@pytest.mark.parametrize("is_buy", cases(("buy", True), ("sell", False)))
def test_what_a_fill_charges_and_moves(
    desk: Desk, fee_bps: int, quantity: str, amount: str, incentive: str, fee: str, is_buy: bool
) -> None:
    desk.change_settings(fee_bps=fee_bps)
    before, principal = totals(desk), "0x" + "0f" * 20
    order_hash = locked(
        desk, price="1500000000000000000", quantity="10000", incentive="333", is_buy=is_buy, principal=principal
    )
    have = {(who, asset): desk.balance(who, asset) for who in (MAKER, TAKER) for asset in (QUOTE, AAPL)}
    answer = data_of(desk.fill(order_hash, quantity))
    assert [answer[name] for name in ("filled_amount", "incentive_amount", "fee_amount")] == [amount, incentive, fee]
    q, a, i, f = map(int, (quantity, amount, incentive, fee))
    change = {key: tuple(x - y for x, y in zip(desk.balance(*key), have[key], strict=True)) for key in have}
    if is_buy:
        assert change == {(MAKER, QUOTE): (0, -a - i), (MAKER, AAPL): (0, 0), (TAKER, QUOTE): (a + i - f, 0),
                          (TAKER, AAPL): (-q, 0)}  # fmt: skip
        assert (desk.balance(principal, AAPL), desk.balance(principal, QUOTE)) == ((q, 0), (0, 0))
    else:
        assert change == {(MAKER, QUOTE): (0, -i), (MAKER, AAPL): (0, -q), (TAKER, QUOTE): (i - a - f, 0),
                          (TAKER, AAPL): (q, 0)}  # fmt: skip
        assert (desk.balance(principal, QUOTE), desk.balance(principal, AAPL)) == ((a, 0), (0, 0))
    assert fees(desk) == f
    assert totals(desk) == before


def test_the_fee_is_that_of_the_moment_of_the_fill(desk: Desk) -> None:
    order_hash = locked(desk)
    charged = []
    for bps in (0, 500, 1000):
        desk.change_settings(fee_bps=bps)
        charged.append(data_of(desk.fill(order_hash, 100))["fee_amount"])
    assert charged == ["0", "5", "10"]


def test_maker_and_principal_in_one_and_the_principal_as_somebody_who_had_nothing(desk: Desk) -> None:
    order_hash = locked(desk, principal=MAKER.lower())
    before = desk.balance(MAKER, AAPL)[0]
    data_of(desk.fill(order_hash, 1000))
    assert desk.balance(MAKER, AAPL) == (before + 1000, 0)


# --- K33: what a taker must own ----------------------------------------------------------------------------------

# a fill of all: 1000 at 1 with an incentive of 100, a fee of 1 %
NEEDS: Any = cases(
    ("a buy needs the stock",                          True,  "1000", AAPL,  1000, None),
    ("a buy pays its fee out of what it gets",         True,  "1000", QUOTE, 0,    None),
    ("a sell needs amount and fee less the incentive", False, "1000", QUOTE, 910,  None),
    ("a sell without its incentive needs more",        False, "1000", QUOTE, 1010, "0"),
    ("a part of a sell",                               False, "400",  QUOTE, 364,  None),
    ("a sell needs no stock",                          False, "1000", AAPL,  0,    None),
)  # fmt: skip


@pytest.mark.parametrize(("is_buy", "quantity", "asset", "required", "incentive"), NEEDS)
def test_k33_a_taker_must_own_what_it_delivers(
    desk: Desk, is_buy: bool, quantity: str, asset: str, required: int, incentive: str | None
) -> None:
    desk.change_settings(fee_bps=100)
    order_hash = locked(desk, is_buy=is_buy)
    desk.debit(TAKER, asset, desk.balance(TAKER, asset)[0] - max(required - 1, 0))
    if required:
        with nothing_changes(desk):
            answer = desk.fill(order_hash, quantity, taker_incentive=incentive)
            assert outcome_of(answer) == NO_FUNDS
            wanted = {"asset": asset, "required": str(required), "available": str(required - 1)}
            assert details_of(answer) == wanted
        desk.credit(TAKER, asset, 1)
    assert outcome_of(desk.fill(order_hash, quantity, taker_incentive=incentive)) == 200


def test_k33_what_a_taker_holds_as_a_maker_is_not_available(desk: Desk) -> None:
    """The maker's wallet is a taker's address too: what stands behind its own order pays for no fill."""
    make_key(desk.database, "maker-as-taker", MAKER)
    other = desk.as_maker(OTHER_MAKER_KEY)
    order_hash = new_order(other, quantity="500")
    headers = {"x-api-key": "maker-as-taker"}
    data_of(desk.post("/orders/lock", {"order_hash": order_hash}, headers))
    available = desk.balance(MAKER, AAPL)[0]
    new_order(desk, is_buy=False, quantity=str(available - 499))
    fill = {"order_hash": order_hash, "fill_quantity": "500"}
    with nothing_changes(desk):
        assert outcome_of(desk.post("/orders/fill", fill, headers)) == NO_FUNDS
    assert outcome_of(desk.post("/orders/fill", fill | {"fill_quantity": "499"}, headers)) == 200


# --- K34: without settlement -------------------------------------------------------------------------------------


def test_k34_without_settlement_nothing_is_held_or_moved(poor: Desk) -> None:
    poor.change_settings(has_ledger_settlement=False, fee_bps=100)
    order_hash = new_order(poor)
    assert list(poor.database.scan("accounts")) == []
    assert outcome_of(poor.fill(order_hash, 400)) == CONFLICT
    data_of(poor.lock(order_hash))
    answer = data_of(poor.fill(order_hash, 400, tx_hash="0x" + "ab" * 32))
    assert (answer["status"], answer["filled_amount"], answer["tx_hash"]) == (
        "partially_filled", "400", "0x" + "ab" * 32)  # fmt: skip
    assert data_of(poor.fill(order_hash, 600))["status"] == "filled"
    assert list(poor.database.scan("accounts")) == []
    assert len(data_of(poor.get("/orders/filled"))["fills"]) == 2


def test_k34_an_order_settles_as_it_was_created(desk: Desk) -> None:
    with_settlement = locked(desk)
    desk.change_settings(has_ledger_settlement=False)
    without = locked(desk)
    assert desk.balance(MAKER, QUOTE)[1] == 1100
    have = desk.balance(TAKER, AAPL)[0]
    data_of(desk.fill(with_settlement, 1000))
    data_of(desk.fill(without, 1000))
    assert (desk.balance(MAKER, QUOTE)[1], desk.balance(TAKER, AAPL)[0]) == (0, have - 1000)
    desk.change_settings(has_ledger_settlement=True)
    another = locked(desk)
    data_of(desk.unlock(another))
    data_of(desk.cancel(another))
    assert desk.balance(MAKER, QUOTE)[1] == 0


# --- what the ledger shows ---------------------------------------------------------------------------------------


def moved(desk: Desk, customer: str | None = None) -> list[tuple[Any, ...]]:
    """Return what the ledger shows of fills, of the instance or of one customer: kind, asset, from, to, amount."""
    selection = Selection(None if customer is None else customer_of(customer))
    return sorted(
        (row.kind.value, row.asset, row.source, row.target, row.amount)
        for row in Statements(desk.database).newest_first(desk.instance, selection)
        if row.kind is not TransactionType.CREDIT
    )


PRINCIPAL = "0x" + "0f" * 20
M, T, P = customer_of(MAKER), customer_of(TAKER), customer_of(PRINCIPAL)
# of 1000 at 2 with an incentive of 100, a fee of 1 %
LEGS: Any = cases(
    ("a buy",        True,  "100", 100, [("fee", QUOTE, T, None, 20), ("trade", AAPL, T, P, 1000),
                                         ("trade", QUOTE, M, T, 2000), ("transfer", QUOTE, M, T, 100)]),
    ("a sell",       False, "100", 100, [("fee", QUOTE, T, None, 20), ("trade", AAPL, M, T, 1000),
                                          ("trade", QUOTE, T, P, 2000), ("transfer", QUOTE, M, T, 100)]),
    ("no fee",       True,  "100", 0,   [("trade", AAPL, T, P, 1000), ("trade", QUOTE, M, T, 2000),
                                       ("transfer", QUOTE, M, T, 100)]),
    ("no incentive", True,  "0",   100, [("fee", QUOTE, T, None, 20), ("trade", AAPL, T, P, 1000),
                                       ("trade", QUOTE, M, T, 2000)]),
)  # fmt: skip


@pytest.mark.parametrize(("is_buy", "incentive", "fee_bps", "legs"), LEGS)
def test_a_fill_is_rows_of_the_ledger_none_for_a_zero(
    desk: Desk, is_buy: bool, incentive: str, fee_bps: int, legs: list[tuple[Any, ...]]
) -> None:
    desk.change_settings(fee_bps=fee_bps)
    order_hash = locked(desk, price=str(2 * UNIT), is_buy=is_buy, incentive=incentive, principal=PRINCIPAL)
    assert moved(desk) == []
    data_of(desk.fill(order_hash, 1000))
    assert moved(desk) == sorted(legs)
    for party in (MAKER, TAKER, PRINCIPAL):
        assert moved(desk, party) == sorted(leg for leg in legs if customer_of(party) in leg)
    (fill,) = data_of(desk.get("/orders/filled"))["fills"]
    rows = Statements(desk.database).newest_first(desk.instance, Selection())
    assert {row.reference for row in rows if row.kind is not TransactionType.CREDIT} == {fill["id"]}


def test_holds_and_releases_write_no_rows(desk: Desk) -> None:
    order_hash = locked(desk)
    data_of(desk.unlock(order_hash))
    data_of(desk.cancel(order_hash))
    assert moved(desk) == []


def test_a_fill_that_is_sent_again_writes_no_more_rows(desk: Desk) -> None:
    order_hash = locked(desk)
    for _ in range(2):
        data_of(desk.fill(order_hash, 400, reference_id="r"))
    assert len(moved(desk)) == 3


def test_the_rows_add_up_to_the_balances(desk: Desk) -> None:
    """Credits, and what fills moved: what everybody owns in the end."""
    desk.change_settings(fee_bps=100)
    for is_buy in (True, False):
        order_hash = locked(desk, is_buy=is_buy)
        for quantity in (300, 700):
            data_of(desk.fill(order_hash, quantity))
    owned: dict[tuple[str, str], int] = {}
    for row in Statements(desk.database).newest_first(desk.instance, Selection()):
        for who, sign in ((row.source, -1), (row.target, 1)):
            if who is not None:
                owned[who, row.asset] = owned.get((who, row.asset), 0) + sign * row.amount
    for (who, asset), amount in owned.items():
        assert sum(desk.balance(who, asset)) == amount
    assert fees(desk) == 20


def test_what_happened_is_read_at_the_book_desk_by_the_address(client: HttpClient) -> None:
    """Makers and takers are customers of the ledger like any other."""
    desk = client.desk
    data_of(desk.fill(locked(desk), 400))
    Tenants(desk.database, lambda: NOW_S).add_key(desk.instance, "key_1", BOOK_DESK_KEY, 0)
    for path in (f"balances/{M}", f"transactions?customerRef={T}&type=trade"):
        answer = client.request("GET", f"/custody/api/{path}", headers={"x-api-key": BOOK_DESK_KEY})
        assert answer.status_code == 200, answer.body
    assert len(answer.json_body["data"]["transactions"]) == 2
