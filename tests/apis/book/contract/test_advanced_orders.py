"""The member ``advanced``: stop-limit, trailing, iceberg and ceiling orders at the book desk (O16, O22)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.book.routes import BATCH, ONE_ORDER
from chalicelib.domain.ledger.amounts import Side
from tests.apis.book.desk import Desk, data_of, fields_of, json_body, outcome_of
from tests.case_tables import cases
from tests.world import BASE, BOOK_ID, QUOTE

STOP: dict[str, Any] = {"advanced": {"type": "STOP_LIMIT", "stopPrice": "60"}}
TRAILING: dict[str, Any] = {"advanced": {"type": "TRAILING", "distance": "5"}}
ICEBERG: dict[str, Any] = {"advanced": {"type": "ICEBERG", "stepAmount": "2"}}
CEILING: dict[str, Any] = {"orderType": "MARKET", "advanced": {"type": "CEILING", "value": "100"}, "quantity": ...}
FREELY = TRAILING | {"orderType": "MARKET", "side": "SELL"}
MEMBERS = [
    "id", "orderBookId", "customerRef", "side", "orderType", "price", "quantity", "filledQuantity", "status",
    "timeInForce", "createdAt",
]  # fmt: skip


@pytest.fixture
def rich(desk: Desk) -> Desk:
    """The desk with an ask of ben's at 50; ann has base tokens too."""
    desk.rested((100, 50))
    desk.world.credit("ann", BASE, 1000)
    return desk


def one(desk: Desk, order_id: str, customer: str = "ann") -> dict[str, Any]:
    shown: dict[str, Any] = data_of(desk.get(ONE_ORDER, {"customerRef": customer}, orderId=order_id))
    return shown


SHOWN: list[Any] = cases(
    ("stop-limit",       STOP,      "LIMIT",   {"type": "STOP_LIMIT", "stopPrice": "60"}),
    ("trailing buy",     TRAILING,  "LIMIT",   {"type": "TRAILING", "distance": "5"}),
    ("trailing freely",  FREELY,    "MARKET",  {"type": "TRAILING", "distance": "5"}),
    ("iceberg",          ICEBERG,   "LIMIT",   {"type": "ICEBERG", "stepAmount": "2"}),
    ("ceiling",          CEILING,   "MARKET",  {"type": "CEILING"}),
)  # fmt: skip
NO_MEMBERS = {"stopPrice": None, "distance": None, "stepAmount": None, "triggered": False}


@pytest.mark.parametrize(("members", "order_type", "advanced"), SHOWN)
def test_o16_the_single_order_alone_shows_the_type_as_placed(
    rich: Desk, members: dict[str, Any], order_type: str, advanced: dict[str, Any]
) -> None:
    answer = data_of(rich.place(**{"price": "40", "quantity": "2"} | members), 201)
    assert list(answer) == MEMBERS
    assert answer["orderType"] == order_type
    assert (answer["price"] is None) == (order_type == "MARKET")
    assert one(rich, answer["id"])["advanced"] == NO_MEMBERS | advanced
    (row,) = rich.rows()
    assert "advanced" not in row
    assert row["orderType"] == order_type


def test_o16_a_plain_order_shows_no_such_member(rich: Desk) -> None:
    assert "advanced" not in one(rich, rich.placed())


FORM: list[Any] = cases(
    ("no object",                 {"advanced": 5},                                             ["advanced"]),
    ("without a type",            {"advanced": {"stopPrice": "5"}},                            ["type"]),
    ("a plain type",              {"advanced": {"type": "LIMIT"}},                             ["type"]),
    ("without its own member",    {"advanced": {"type": "STOP_LIMIT"}},                        ["stopPrice"]),
    ("a null one",                {"advanced": {"type": "TRAILING", "distance": None}},        ["distance"]),
    ("a faulty one",              {"advanced": {"type": "ICEBERG", "stepAmount": "1.5"}},      ["stepAmount"]),
    ("another type's member",     {"advanced": STOP["advanced"] | {"distance": "5"}},          ["distance"]),
    ("one that asks for nothing", {"advanced": STOP["advanced"] | {"distance": "0"}},          None),
    ("a stop that is MARKET",     STOP | {"orderType": "MARKET"},                              ["advanced"]),
    ("an iceberg that is MARKET", ICEBERG | {"orderType": "MARKET"},                           ["advanced"]),
    ("a ceiling that is LIMIT",   CEILING | {"orderType": "LIMIT", "quantity": "1"},           ["advanced"]),
    ("an unknown orderType",      STOP | {"orderType": "STOP_LIMIT"},                          ["orderType"]),
    ("a ceiling's quantity",      CEILING | {"quantity": "nonsense"},                          None),
    ("a stop without quantity",   STOP | {"quantity": ...},                                    ["quantity"]),
    ("a stop, IOC",               STOP | {"timeInForce": "IOC"},                               ["timeInForce"]),
    ("an iceberg, FOK",           ICEBERG | {"timeInForce": "FOK"},                            ["timeInForce"]),
    ("a ceiling, FOK",            CEILING | {"timeInForce": "FOK"},                            None),
    ("a stop, postOnly",          STOP | {"postOnly": True},                                   ["postOnly"]),
    ("an iceberg, postOnly",      ICEBERG | {"postOnly": True},                                None),
    ("members outside of it",     {"stopPrice": "60"},                                         ["stopPrice"]),
    ("an end inside of it",       {"advanced": STOP["advanced"] | {"expiresAt": 1}},           ["expiresAt"]),
    ("a price inside of it",      {"advanced": STOP["advanced"] | {"price": "60", "x": 1}},    ["price"]),
    ("any member inside of it",   {"advanced": STOP["advanced"] | {"quantity": "0", "x": 1}},  ["x"]),
    ("one that is shown",         {"advanced": STOP["advanced"] | {"triggered": False}},       None),
    ("after faults of the form",  {"advanced": STOP["advanced"] | {"expiresAt": 1}, "price": 5, "distance": "5"},
     ["price", "distance", "expiresAt"]),
    ("inside and outside",        {"advanced": STOP["advanced"] | {"expiresAt": 1}, "expiresAt": 1}, ["expiresAt"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), FORM)
def test_o22_the_member_says_one_type_with_what_belongs_to_it(
    rich: Desk, members: dict[str, Any], fields: list[str] | None
) -> None:
    before = rich.world.tables()
    response = rich.place(**{"price": "40", "quantity": "2"} | members)
    if fields is None:
        assert response.status == 201
    else:
        assert fields_of(response) == fields
        assert rich.world.tables() == before


VALUES: list[Any] = cases(
    ("a stop without price",          STOP | {"price": ...},                                     "PRICE_REQUIRED"),
    ("a trailing buy without price",  FREELY | {"side": "BUY"},                                  "PRICE_REQUIRED"),
    ("a LIMIT sell without price",    FREELY | {"orderType": "LIMIT", "price": ...},             "PRICE_REQUIRED"),
    ("a stop price of zero",          {"advanced": {"type": "STOP_LIMIT", "stopPrice": "0"}},    "INVALID_PRICE"),
    ("a distance of zero",            {"advanced": {"type": "TRAILING", "distance": "0"}},       "INVALID_PRICE"),
    ("a step of zero",                {"advanced": {"type": "ICEBERG", "stepAmount": "0"}},      "INVALID_QUANTITY"),
    ("eleven slices",                 ICEBERG | {"quantity": "21"},                              "INVALID_QUANTITY"),
    ("a value of zero",               CEILING | {"advanced": {"type": "CEILING", "value": "0"}}, "INVALID_VALUE"),
    ("more than there is",            STOP | {"quantity": "100000"},                       "INSUFFICIENT_BALANCE"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "code"), VALUES)
def test_the_values_of_an_advanced_order(rich: Desk, members: dict[str, Any], code: str) -> None:
    assert outcome_of(rich.place(**{"price": "40", "quantity": "2"} | members)) == (400, code)


def test_a_ceiling_with_nothing_to_trade_against_is_refused(desk: Desk) -> None:
    assert outcome_of(desk.place(**CEILING)) == (400, "INVALID_VALUE")


def test_o3_a_triggered_order_says_so_from_then_on(rich: Desk) -> None:
    stop = rich.placed(**STOP | {"price": "45", "quantity": "2", "side": "BUY"})
    rich.match()
    assert one(rich, stop)["advanced"]["triggered"] is False
    rich.world.credit("ben", QUOTE, 10**4)
    rich.world.credit("cat", BASE, 10)
    rich.rested((1, 60), customer="ben")
    rich.placed(customerRef="ben", side="BUY", orderType="LIMIT", price="60", quantity="101")
    rich.match()
    assert one(rich, stop)["advanced"]["triggered"] is True
    assert one(rich, stop)["status"] == "OPEN"
    rich.placed(customerRef="cat", side=Side.SELL.value, orderType="LIMIT", price="45", quantity="2")
    rich.match()
    shown = one(rich, stop)
    assert (shown["status"], shown["orderType"], shown["advanced"]["triggered"]) == ("FILLED", "LIMIT", True)


def test_a_parked_order_that_is_cancelled_was_not_triggered(rich: Desk, clock: Any) -> None:
    stop = rich.placed(**STOP | {"price": "40", "quantity": "2"})
    rich.match()
    clock.meanwhile = rich.match
    assert rich.cancel(stop).status == 200
    shown = one(rich, stop)
    assert (shown["status"], shown["cancelReason"], shown["advanced"]["triggered"]) == (
        "CANCELLED", "USER_CANCELLED", False,
    )  # fmt: skip


def test_advanced_orders_are_placed_in_batches_too(rich: Desk) -> None:
    order = {"orderBookId": BOOK_ID, "customerRef": "ann", "side": "BUY", "price": "40", "quantity": "2"}
    orders = [order | {"orderType": "LIMIT"} | STOP, order | {"orderType": "LIMIT"} | ICEBERG]
    response = rich.send("POST", BATCH, body=json_body({"orders": orders}))
    assert [result["success"] for result in data_of(response, 201)["results"]] == [True, True]
