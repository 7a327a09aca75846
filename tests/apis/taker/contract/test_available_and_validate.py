"""What takers look at before they lock: GET /orders/available (K18) and POST /orders/validate (K19)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.services.signed import listing
from tests.apis.taker.cases import (
    AVAILABLE,
    SINGLE,
    id_of,
    locked,
    new_order,
    nothing_changes,
    order_body,
    outcome_of,
    partly_filled,
)
from tests.apis.taker.desk import (
    AAPL,
    MAKER,
    MAKER_KEY,
    OTHER_INSTANCE,
    OTHER_MAKER_KEY,
    QUOTE,
    Desk,
    data_of,
    faulty_fields,
    hash_of,
    make_key,
    open_instance,
    sign_order,
)
from tests.case_tables import cases


def available(desk: Desk, query: str | dict[str, Any] = "") -> list[str]:
    return [row["order_hash"] for row in data_of(desk.get(AVAILABLE, query))]


# --- K18: available ----------------------------------------------------------------------------------------------


def _given_back(desk: Desk) -> str:
    order_hash = partly_filled(desk)
    data_of(desk.unlock(order_hash))
    return order_hash


def _cancelled(desk: Desk) -> str:
    order_hash = new_order(desk)
    data_of(desk.cancel(order_hash))
    return order_hash


def _suspended(desk: Desk) -> str:
    order_hash = new_order(desk)
    desk.commands().suspend(desk.instance, id_of(desk, order_hash))
    return order_hash


def _resumed(desk: Desk) -> str:
    order_hash = _suspended(desk)
    desk.commands().resume(desk.instance, id_of(desk, order_hash))
    return order_hash


def _lapsed(desk: Desk) -> str:
    order_hash = new_order(desk)
    data_of(desk.lock(order_hash, lock_duration=1))
    desk.clock.advance(1)
    return order_hash


def _lapsed_cancel(desk: Desk) -> str:
    order_hash = new_order(desk)
    data_of(desk.lock(order_hash, lock_duration=1))
    data_of(desk.cancel(order_hash))
    desk.clock.advance(1)
    return order_hash


def _expired(desk: Desk) -> str:
    order_hash = new_order(desk, deadline=desk.clock.now_s + 1)
    desk.clock.advance(1)
    return order_hash


def _filled(desk: Desk) -> str:
    return partly_filled(desk, 1000)


STATES: Any = cases(
    ("pending",                      new_order,      True),
    ("partially filled, given back", _given_back,    True),
    ("a lock that has lapsed",       _lapsed,        True),
    ("resumed",                      _resumed,       True),
    ("locked",                       locked,         False),
    ("partially filled, locked",     partly_filled,  False),
    ("filled",                       _filled,        False),
    ("cancelled",                    _cancelled,     False),
    ("cancelled by a lapse",         _lapsed_cancel, False),
    ("expired",                      _expired,       False),
    ("suspended",                    _suspended,     False),
)  # fmt: skip


@pytest.mark.parametrize(("prepare", "is_open"), STATES)
def test_k18_open_orders_are_listed_and_no_others(desk: Desk, prepare: Callable[[Desk], str], is_open: bool) -> None:
    order_hash = prepare(desk)
    for taker in (desk, desk.as_other):
        assert available(taker) == [order_hash] * is_open


def test_k18_the_oldest_come_first_ties_by_hash(desk: Desk) -> None:
    first = sorted(new_order(desk) for _ in range(3))
    desk.clock.advance(1)
    second = sorted(new_order(desk) for _ in range(3))
    assert available(desk) == first + second


def test_k18_at_most_500_are_listed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signatures take their time, so the bound is looked at with a smaller number in its place."""
    assert listing.AVAILABLE_MAX == 500
    monkeypatch.setattr(listing, "AVAILABLE_MAX", 4)
    orders = [new_order(desk) for _ in range(4)]
    desk.clock.advance(1)
    newest = new_order(desk)
    assert available(desk) == sorted(orders)
    data_of(desk.lock(orders[0]))
    assert available(desk) == [*sorted(orders[1:]), newest]


def test_available_is_a_bare_array_of_single_objects(desk: Desk) -> None:
    assert data_of(desk.get(AVAILABLE)) == []
    _given_back(desk)
    (row,) = data_of(desk.get(AVAILABLE))
    assert (list(row), row["status"], row["filled_quantity"]) == (SINGLE, "partially_filled", "400")


FILTERS: Any = cases(
    ("no filter",              "",                            "AST"),
    ("a ticker",               "ticker=AAPL",                 "AS"),
    ("a ticker in lower case", "ticker=aapl",                 "AS"),
    ("a part of a ticker",     "ticker=AAP",                  ""),
    ("an exchange",            "exchange=0",                  "AST"),
    ("another exchange",       "exchange=1",                  ""),
    ("buys",                   "is_buy=true",                 "AT"),
    ("sells",                  "is_buy=0",                    "S"),
    ("two filters",            "ticker=AAPL&is_buy=TRUE",     "A"),
    ("empty ones",             "ticker=&exchange=&is_buy=",   "AST"),
    ("what is not asked for",  "status=x&page=0&page_size=1", "AST"),
)  # fmt: skip


@pytest.fixture(scope="module")
def three(shared: Desk) -> dict[str, str]:
    """An Apple buy, an Apple sell and a Tesla buy, on a desk that has more orders for nothing else."""
    found = {}
    for name, members in (("A", {}), ("S", {"is_buy": False}), ("T", {"ticker": "TSLA"})):
        found[new_order(shared, **members)] = name
    return found


@pytest.mark.parametrize(("query", "names"), FILTERS)
def test_filters_of_available(shared: Desk, three: dict[str, str], query: str, names: str) -> None:
    found = [three[order_hash] for order_hash in available(shared, query) if order_hash in three]
    assert sorted(found) == sorted(names)


@pytest.mark.parametrize(("query", "field"), cases(
    ("exchange",                   "exchange=65536",                                          "exchange"),
    ("is_buy",                     "is_buy=maybe",                                            "is_buy"),
))  # fmt: skip
def test_bad_filters_of_available(shared: Desk, query: str, field: str) -> None:
    assert faulty_fields(shared.get(AVAILABLE, query)) == [field]


def test_orders_of_other_instances_are_not_available(desk: Desk) -> None:
    open_instance(desk.database, OTHER_INSTANCE)
    make_key(desk.database, "elsewhere", desk.taker, instance=OTHER_INSTANCE)
    new_order(desk)
    assert available(replace(desk, api_key="elsewhere")) == []


# --- K19: validate -----------------------------------------------------------------------------------------------

PATH = "/orders/validate"
ANSWER = [
    "valid", "order_hash", "errors", "maker_balance", "maker_allowance", "nonce_valid", "signature_valid",
    "not_expired",
]  # fmt: skip
Body = dict[str, Any]


def _signed(desk: Desk, **members: Any) -> Body:
    return order_body(desk, **members)


def _forged(desk: Desk) -> Body:
    return order_body(desk) | {"signature": "0x" + "11" * 65}


def _unsigned(desk: Desk) -> Body:
    return order_body(desk) | {"signature": "no"}


def _nonce_used(desk: Desk) -> Body:
    new_order(desk, nonce=5)
    return order_body(desk, nonce=5, quantity="999")


def _all_wrong(desk: Desk) -> Body:
    new_order(desk, nonce=5)
    members = {"nonce": 5, "deadline": 1, "asset": AAPL, "ticker": "NO", "quantity": str(10**27)}
    order = order_body(desk)["order"] | members
    return {"order": order, "signature": sign_order(order, OTHER_MAKER_KEY, desk.settings)}


NO_ASSET = ["asset_unknown", "insufficient_balance"]
JUDGED: Any = cases(
    ("nothing",                    _signed,                                                   []),
    ("signature_invalid",          _forged,                                                   ["signature_invalid"]),
    ("a signature that is none",   _unsigned,                                                 ["signature_invalid"]),
    ("nonce_used",                 _nonce_used,                                               ["nonce_used"]),
    ("deadline_passed",            lambda desk: _signed(desk, deadline=desk.clock.now_s),     ["deadline_passed"]),
    ("deadline_too_short",         lambda desk: _signed(desk, deadline=desk.clock.now_s + 99), ["deadline_too_short"]),
    ("a deadline just far enough", lambda desk: _signed(desk, deadline=desk.clock.now_s + 100), []),
    ("asset_unknown",              lambda desk: _signed(desk, asset="0x" + "0d" * 20),        NO_ASSET),
    ("instrument_unknown",         lambda desk: _signed(desk, ticker="NO"),                   ["instrument_unknown"]),
    ("insufficient_balance",       lambda desk: _signed(desk, quantity=str(10**27)),          ["insufficient_balance"]),
    ("all that can be",           _all_wrong, ["signature_invalid", "nonce_used", "deadline_passed", "asset_unknown",
                                               "instrument_unknown", "insufficient_balance"]),
)  # fmt: skip


@pytest.mark.parametrize(("prepare", "errors"), JUDGED)
def test_validate_tells_every_error_in_its_order(
    desk: Desk, prepare: Callable[[Desk], Body], errors: list[str]
) -> None:
    desk.change_settings(min_validity_seconds=0)
    body = prepare(desk)
    desk.change_settings(min_validity_seconds=100)
    with nothing_changes(desk):
        found = data_of(desk.post(PATH, body))
    assert (list(found), found["errors"]) == (ANSWER, errors)
    assert found["order_hash"] == hash_of(body["order"], desk.settings)
    assert found["valid"] == (not errors)
    assert found["nonce_valid"] == ("nonce_used" not in errors)
    assert found["signature_valid"] == ("signature_invalid" not in errors)
    assert found["not_expired"] == ("deadline_passed" not in errors)


@pytest.mark.parametrize("prepare", cases(
    ("valid",      _signed),
    ("forged",     _forged),
    ("nonce used", _nonce_used),
    ("all wrong",  _all_wrong),
))  # fmt: skip
def test_validate_judges_what_creating_would(desk: Desk, prepare: Callable[[Desk], Body]) -> None:
    body = prepare(desk)
    is_valid = data_of(desk.post(PATH, body))["valid"]
    assert is_valid == (outcome_of(desk.maker_post("/orders", body)) == 200)


BALANCES: Any = cases(
    ("a buy: of the quote",  {},                QUOTE),
    ("a sell: of the stock", {"is_buy": False}, AAPL),
)  # fmt: skip


@pytest.mark.parametrize(("members", "asset"), BALANCES)
def test_balance_and_allowance_are_what_the_maker_has_available(
    desk: Desk, members: dict[str, Any], asset: str
) -> None:
    new_order(desk)
    desk.debit(MAKER, AAPL, 3)
    found = data_of(desk.post(PATH, order_body(desk, **members)))
    assert found["maker_balance"] == found["maker_allowance"] == str(desk.balance(MAKER, asset)[0])
    unknown = data_of(desk.post(PATH, order_body(desk, is_buy=False, ticker="NO")))
    assert unknown["maker_balance"] == unknown["maker_allowance"] == "0"


def test_k19_an_order_that_is_stored_is_judged_as_if_its_hold_were_available(desk: Desk) -> None:
    desk.debit(MAKER, QUOTE, desk.balance(MAKER, QUOTE)[0] - 1100)
    body = order_body(desk, nonce=5)
    data_of(desk.maker_post("/orders", body))
    found = data_of(desk.post(PATH, body))
    assert (found["valid"], found["errors"], found["nonce_valid"]) == (True, [], True)
    assert found["maker_balance"] == "0"
    other = order_body(desk, nonce=6)
    assert data_of(desk.post(PATH, other))["errors"] == ["insufficient_balance"]
    data_of(desk.cancel(found["order_hash"]))
    desk.debit(MAKER, QUOTE, 1100)
    assert data_of(desk.post(PATH, body))["errors"] == ["insufficient_balance"]


def test_k30_an_order_whose_lock_and_cancel_have_lapsed_holds_nothing(desk: Desk) -> None:
    """Nobody has written that down yet."""
    desk.debit(MAKER, QUOTE, desk.balance(MAKER, QUOTE)[0] - 1100)
    body = order_body(desk)
    order_hash = data_of(desk.maker_post("/orders", body))["order_hash"]
    data_of(desk.lock(order_hash))
    data_of(desk.cancel(order_hash))
    assert data_of(desk.post(PATH, body))["errors"] == []
    desk.clock.advance(3600)
    assert data_of(desk.post(PATH, body))["errors"] == ["insufficient_balance"]


PARTS_OF_A_SELL = cases(("its stock", AAPL, 1000), ("its incentive", QUOTE, 100))


@pytest.mark.parametrize(("asset", "held"), PARTS_OF_A_SELL)
def test_k19_insufficient_balance_covers_every_part_of_a_sells_hold(desk: Desk, asset: str, held: int) -> None:
    desk.debit(MAKER, asset, desk.balance(MAKER, asset)[0] - held)
    assert data_of(desk.post(PATH, order_body(desk, is_buy=False)))["errors"] == []
    desk.debit(MAKER, asset, 1)
    found = data_of(desk.post(PATH, order_body(desk, is_buy=False)))
    assert (found["errors"], found["maker_balance"]) == (["insufficient_balance"], str(desk.balance(MAKER, AAPL)[0]))


def test_k19_without_settlement_both_amounts_are_zero_and_nobody_has_too_little(desk: Desk) -> None:
    settled = desk.change_settings(has_ledger_settlement=False)
    found = data_of(settled.post(PATH, order_body(settled, quantity=str(10**27))))
    assert (found["valid"], found["maker_balance"], found["maker_allowance"]) == (True, "0", "0")


def test_validate_does_not_ask_whose_order_it_is(desk: Desk) -> None:
    other = desk.as_maker(OTHER_MAKER_KEY)
    assert data_of(desk.post(PATH, order_body(other)))["valid"] is True
    body = order_body(desk)
    assert sign_order(body["order"], MAKER_KEY, desk.settings) == body["signature"]
    body["signature"] = sign_order(body["order"], OTHER_MAKER_KEY, desk.settings)
    assert data_of(desk.post(PATH, body))["errors"] == ["signature_invalid"]
