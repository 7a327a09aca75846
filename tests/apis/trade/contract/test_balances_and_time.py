"""What a customer has (R36), and the time that it is."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.support.clock import iso
from chalicelib.tables.tokens import Tokens
from tests.apis.trade.cases import BRL, BTC, desk_of_ben, exact, outcome_of, placed
from tests.apis.trade.desk import SignedDesk, data_of
from tests.case_tables import cases
from tests.world import BASE, INSTANCE

BALANCES = "/trade/user/balances"


def codes(desk: SignedDesk, query: str = "") -> list[str]:
    return [row["currency_code"] for row in data_of(desk.get(BALANCES, query))]


def test_r36_there_is_a_row_for_each_active_token_by_code_zeros_too(desk: SignedDesk) -> None:
    placed(desk, amount="0.02")
    rows = exact(desk.get(BALANCES))
    assert [row["currency_code"] for row in rows] == ["B", "BRL", "BTC", "Q"]
    assert {tuple(row) for row in rows} == {("currency_code", "available_amount", "last_update", "locked_amount")}
    assert (rows[1]["available_amount"], rows[1]["locked_amount"]) == ("993000", "7000")
    nobody = desk.as_customer("nobody")
    assert {row["available_amount"] for row in exact(nobody.get(BALANCES))} == {"0"}


def test_r36_a_token_that_is_not_active_has_no_row(desk: SignedDesk) -> None:
    (row,) = (row for row in desk.world.database.scan("tokens") if row.get("address") == BASE)
    desk.world.database.put_many("tokens", [row | {"is_active": False}])
    assert codes(desk) == ["BRL", "BTC", "Q"]


def test_r36_the_last_update_is_of_the_account_or_of_the_tokens_registration(desk: SignedDesk) -> None:
    nobody = desk.as_customer("nobody")
    tokens = Tokens(desk.world.database).get_many(INSTANCE, (BTC, BRL))
    rows = {row["currency_code"]: row for row in data_of(nobody.get(BALANCES))}
    assert rows["BTC"]["last_update"] == iso(tokens[BTC].created_at_ms) == "2016-07-30T23:54:10.259Z"
    before = {row["currency_code"]: row["last_update"] for row in data_of(desk.get(BALANCES))}
    assert before["BTC"] > rows["BTC"]["last_update"]
    placed(desk)
    after = {row["currency_code"]: row["last_update"] for row in data_of(desk.get(BALANCES))}
    assert after["BTC"] == before["BTC"]
    assert after["BRL"] >= before["BRL"]


QUERIES: list[Any] = cases(
    ("none",                   "",                                      ["B", "BRL", "BTC", "Q"]),
    ("one",                    "currency_code=BTC",                     ["BTC"]),
    ("in lower case",          "currency_code=btc",                     ["BTC"]),
    ("a list",                 "currency_code=btc,BRL",                 ["BRL", "BTC"]),
    ("unknown ones",           "currency_code=BTC,NOPE",                ["BTC"]),
    ("empty",                  "currency_code=",                        ["B", "BRL", "BTC", "Q"]),
    ("only unknown ones",      "currency_code=NOPE",                    []),
)  # fmt: skip


@pytest.mark.parametrize(("query", "shown"), QUERIES)
def test_r36_codes_come_in_any_case_and_unknown_ones_are_absent(desk: SignedDesk, query: str, shown: list[str]) -> None:
    assert codes(desk, query) == shown


def test_r36_everybody_has_an_own_balance(desk: SignedDesk) -> None:
    placed(desk)
    assert exact(desk_of_ben(desk).get(BALANCES, "currency_code=BRL"))[0]["locked_amount"] == "0"


def test_the_time_is_said_twice(archive: SignedDesk) -> None:
    assert outcome_of(archive.get("/v4/public/server-time")) == 200
    assert archive.get("/v4/public/server-time").body.count('"timestamp":1741089600000') == 2
