"""Rules of all requests and answers: queries, envelopes, times, money, and money that is not asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.apis.escrow.cases import (
    COMMANDS,
    FORM,
    MULTIPART,
    READS,
    as_multipart,
    as_urlencoded,
    at,
    copied,
    outcome,
    shown,
)
from tests.apis.escrow.desk import Desk, data_of, page_of, parsed
from tests.case_tables import cases

NO_AMOUNTS = cases(
    *((repr(value), {"amount": value}, ["amount"]) for value in ("", "  ", None, [], {}, 0, False, "all")),
    ("misspelt",            {"ammount": 10},                    ["ammount"]),
    ("in another case",     {"Amount": 10},                     ["Amount"]),
    ("nested",              {"data": {"amount": 10}},           ["data"]),
    ("in brackets",         {"amount": {"value": 10}},          ["amount"]),
    ("beside a good one",   {"amount": 10, "ammount": 20},      ["ammount"]),
    ("unknown and null",    {"ammount": None},                  ["ammount"]),
    ("the vendor's other",  {"multipayin": 0},                  ["multipayin"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), NO_AMOUNTS)
def test_e29_a_refund_of_all_is_asked_for_by_leaving_the_amount_out(body: dict[str, Any], fields: list[str]) -> None:
    desk, order = at("PUBLISHED")
    before, path = desk.tables(), f"/orders/{order['id']}/reimburse"
    assert outcome(desk.post(path, body)) == fields
    if all(isinstance(value, str | int) for value in body.values()):  # what a form can say, too
        assert outcome(desk.post(path, as_urlencoded(body), content_type=FORM)) == fields
        assert outcome(desk.post(path, as_multipart(body), content_type=MULTIPART)) == fields
    assert desk.tables() == before


@pytest.mark.parametrize("content", [b"amount", b"<amount>10</amount>", b"10", b"amount:10", b"data[amount]=10"])
def test_e29_a_form_that_is_none_refunds_nothing(content: bytes) -> None:
    desk, order = at("PUBLISHED")
    before = desk.tables()
    assert desk.post(f"/orders/{order['id']}/reimburse", content, content_type=FORM).status == 422
    assert desk.tables() == before


@pytest.mark.parametrize("name", ["amount", "ammount", "amount[]", "data[amount]", "wallet_id", "utm_source"])
def test_e29_what_stands_in_the_query_refunds_nothing(name: str) -> None:
    desk, order = at("PUBLISHED")
    before, path = desk.tables(), f"/orders/{order['id']}/reimburse"
    assert outcome(desk.send("POST", f"/2.0{path}", query=f"{name}=10")) == [name]
    assert desk.tables() == before


def test_e29_an_amount_as_a_file_that_was_not_chosen_refunds_nothing() -> None:
    desk, order = at("PUBLISHED")
    before = desk.tables()
    content = b'--part\r\nContent-Disposition: form-data; name="amount"; filename=""\r\n\r\n\r\n--part--\r\n'
    assert outcome(desk.post(f"/orders/{order['id']}/reimburse", content, content_type=MULTIPART)) == ["amount"]
    assert desk.tables() == before


UNSERVED: Any = cases(
    *((f"{route} {field}", route, field) for route in ("A1 orders", "A3 orders") for field in (
        "discount_amount", "discount_coupon_id", "discount_wallet_id", "discount_percent", "discount", "coupon",
        "coupon_code", "subscription_id", "bundle", "value_shipping", "shipping_amount")),
    ("A8 cancel",       "A8 cancel",            "amount"),
    ("A11 payins",      "A11 payins by wallet", "amount"),
    ("A12 payouts",     "A12 payouts",          "amount"),
    ("A12 to a bank",   "A12 payouts",          "bankaccount_id"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "field"), UNSERVED)
def test_e31_money_that_the_vendor_documents_and_nobody_moves_is_refused(name: str, field: str) -> None:
    request = COMMANDS[name]()
    body, before = request.body or {}, request.desk.tables()
    for value in (40, "40", 0.01, "0.01", True, "SUMMER", [1], {"id": 7}, -1):
        assert outcome(request.send(body | {field: value})) == [field], value
    assert outcome(request.send(as_urlencoded(body | {field: "40"}), content_type=FORM)) == [field]
    assert request.desk.tables() == before


NEUTRAL = (None, 0, "0", "0.00", "", "  ", False, "false", [], {}, {"amount": "0"}, [None])


@pytest.mark.parametrize(("name", "field"), UNSERVED)
def test_e31_a_neutral_value_of_it_passes(name: str, field: str) -> None:
    request = COMMANDS[name]()
    same = shown(request.send(desk=copied(request.desk)))
    for value in NEUTRAL if field in ("amount", "coupon") else ("0.00", None):
        answer = request.send((request.body or {}) | {field: value}, desk=copied(request.desk))
        assert shown(answer) == same, value


QUERIES = cases(
    ("trimmed",             "status=%20DRAFT%20",               1),
    ("empty is absent",     "status=&search=&query=",           1),
    ("last one counts",     "status=NOPE&status=DRAFT",         1),
    ("last one is empty",   "status=RELEASED&status=",          1),
    ("unknown",             "nothing=x&page[a]=0",              1),
    ("number as text",      "per_page=%2015",                   1),
    ("sandbox true",        "sandbox=true",                     1),
    ("sandbox 0",           "sandbox=0",                        0),
)  # fmt: skip


@pytest.mark.parametrize(("query", "rows"), QUERIES)
def test_a_querys_texts(desk: Desk, query: str, rows: int) -> None:
    desk.order()
    assert page_of(desk.get("/orders", query))["total"] == rows


@pytest.mark.parametrize("name", [*COMMANDS, *READS])
def test_one_thing_is_wrapped_in_data_and_a_list_is_flat(name: str) -> None:
    answer = parsed((COMMANDS | READS)[name]().send())
    if isinstance(answer["data"], list):
        assert list(answer) == ["current_page", "last_page", "per_page", "total", "from", "to", "data"]
    else:
        assert list(answer) == ["data"]


def test_times_are_utc_in_whole_seconds() -> None:
    for make in COMMANDS.values():
        told = data_of(make().send())
        times = [value for field, value in told.items() if field.endswith("_at") and value is not None]
        assert times
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(time)) for time in times)


MONEY_OUT = cases(
    *((text, text, shown) for text, shown in (("150", "150"), ("150.00", "150"), ("150.50", "150.5"),
                                              ("23.77", "23.77"), ("0.01", "0.01"), ("0", "0"),
                                              ("999999999.99", "999999999.99"))),
)  # fmt: skip


@pytest.mark.parametrize(("sent", "shown"), MONEY_OUT)
def test_money_numbers_have_as_many_decimals_as_needed(desk: Desk, sent: str, shown: str) -> None:
    order = desk.post("/orders", desk.usual_order(value=sent, fee_value=sent))
    assert f'"value":{shown},"fee_value":{shown},' in order.body
    if sent not in ("0",):
        path = f"/wallets/{desk.buyer_wallet['uuid']}/deposit"
        assert f'"balance":{shown},' in desk.operate(path, {"amount": sent, "reference": "r"}).body
