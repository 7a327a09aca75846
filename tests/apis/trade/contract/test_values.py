"""Values that requests have in common: numbers, bodies, parameters, pairs, ids (R14 to R16)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.config import BookConfig, SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.support.clock import new_id
from chalicelib.tables.tokens import Tokens
from tests.apis.trade.cases import (
    BOOK,
    BRL,
    BTC,
    DEPTH,
    LIST,
    NO_FUNDS,
    NO_ORDER,
    NO_PAIR,
    NOT_FOUND,
    PAIR,
    PAIRS,
    PUBLIC_TRADES,
    TOO_LITTLE,
    TRADES,
    change_book,
    desk_of_ben,
    invalid,
    order,
    outcome_of,
    place,
    placed,
    rested,
    shown,
)
from tests.apis.trade.desk import SignedDesk, data_of
from tests.case_tables import cases
from tests.world import INSTANCE

UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"


def with_member(text: str, **members: Any) -> bytes:
    """Return the usual order with this member, written out, at its end."""
    return json.dumps(order(**members))[:-1].encode() + f", {text}}}".encode()


# --- R14: numbers ------------------------------------------------------------------------------------------------

# as JSON, and the amount that is shown, or the field's fault
NUMBERS = cases(
    ("a number",                         "0.01",                         "0.01"),
    ("a string",                         '"0.01"',                       "0.01"),
    ("trailing zeros",                   "0.010000000000000000",         "0.01"),
    ("trailing zeros in a string",       '"0.0100000000000000"',         "0.01"),
    ("an integer",                       "2",                            "2"),
    ("an integer with a point",          "2.0",                          "2"),
    ("an exponent",                      "1e-7",                         "0.0000001"),
    ("an upper-case exponent",           "1E-2",                         "0.01"),
    ("the last digit",                   "0.00000001",                   "0.00000001"),
    ("no binary float",                  "0.29999999",                   "0.29999999"),
    ("80 characters",                    '"0.' + "1".ljust(78, "0") + '"', "0.1"),
    ("81 characters",                    '"0.' + "1".ljust(79, "0") + '"', None),
    ("81 characters of a number",        "0." + "1".ljust(79, "0"),      None),
    ("one decimal too many",             "0.010000001",                  None),
    ("one decimal too many in a string", '"0.010000001"',                None),
    ("an exponent beyond the decimals",  "1e-9",                         None),
    ("negative",                         "-0.01",                        None),
    ("negative in a string",             '"-0.01"',                      None),
    ("39 digits in base units",          '"1' + "0" * 30 + '"',          None),
    ("39 digits by exponent",            "1e30",                         None),
    ("beyond all numbers",               "1e999999999",                  None),
    *((f"the string {text}", json.dumps(text), None) for text in (
        "", "1e-2", "01", "00.1", ".1", "1.", "+1", "1,5", " 1", "1 ", "0x1", "NaN", "\u0661")),
    *((text, text, None) for text in ("true", "[1]", "{}", "null")),
)  # fmt: skip


@pytest.mark.parametrize(("written", "amount"), NUMBERS)
def test_r14_a_number_is_the_decimal_that_was_sent(desk: SignedDesk, written: str, amount: str | None) -> None:
    response = desk.post(LIST, with_member(f'"amount": {written}', side="sell", price="9000000"))
    if amount is None:
        assert outcome_of(response) == invalid("amount")
    else:
        assert shown(desk, data_of(response)["id"])["requested_amount"] == amount


def test_r14_38_digits_in_base_units_are_a_number(desk: SignedDesk) -> None:
    nines = "9" * 30 + "." + "9" * 8
    by_value: dict[str, Any] = {"type": "market", "price": ..., "amount": ...}
    rested(desk, "sell", ("0.01", "350000"))
    assert outcome_of(place(desk, **by_value, value="9" * 36 + ".99")) == NO_FUNDS
    assert outcome_of(place(desk, **by_value, value="1" + "0" * 36)) == invalid("value")
    assert outcome_of(place(desk, side="sell", amount="1" + nines)) == invalid("amount")


EACH = cases(
    ("price", {"price": "350000.001"},                                            "price"),
    ("value", {"type": "market", "amount": ..., "value": "5000.001"},             "value"),
    ("price of zero decimals too many", {"price": "350000.500"},                  None),
)  # fmt: skip


@pytest.mark.parametrize(("members", "field"), EACH)
def test_r14_each_number_has_the_decimals_of_its_asset(
    desk: SignedDesk, members: dict[str, Any], field: str | None
) -> None:
    placed(desk_of_ben(desk), side="sell", price="360000")
    desk.match()
    assert outcome_of(place(desk, **members)) == (200 if field is None else invalid(field))


# --- bodies and parameters ---------------------------------------------------------------------------------------

BODIES = cases(
    ("empty",              b""),
    ("cut off",            b'{"side": "buy"'),
    ("single quotes",      b"{'side': 'buy'}"),
    ("text after it",      b"{} {}"),
    ("NaN",                b'{"a": NaN}'),
    ("invalid UTF-8",      b'{"a": "\xff"}'),
    ("an array",           b"[{}]"),
    ("a text",             b'"{}"'),
    ("a number",           b"1"),
    ("null",               b"null"),
    ("true",               b"true"),
)  # fmt: skip


BEYOND = cases(
    ("levels of arrays",           b"[" * 966 + b"]" * 966),
    ("levels of objects",          b'{"a":' * 966 + b"1" + b"}" * 966),
    ("levels that cannot be read", b"[" * 60_000),
    ("one level too many",         b"[" * 128 + b"1" + b"]" * 128),
)  # fmt: skip
"""What stands in an unknown member."""


@pytest.mark.parametrize("member", BEYOND)
def test_r44_json_beyond_its_bounds_is_faulty_and_changes_nothing(desk: SignedDesk, member: bytes) -> None:
    tables = ("orders", "inbox", "accounts")
    before = [sorted(map(repr, desk.world.database.scan(table))) for table in tables]
    body = with_member('"x": ?').replace(b"?", member)
    for method, path in (
        ("POST", LIST),
        ("DELETE", LIST),
        ("POST", f"{LIST}/cancel"),
        ("DELETE", f"{LIST}/by-external-id"),
        ("POST", f"{LIST}/cancel-by-external-id"),
        ("DELETE", f"{LIST}/all"),
    ):
        assert outcome_of(desk.send(method, path, body=body)) == invalid("body")
    assert [sorted(map(repr, desk.world.database.scan(table))) for table in tables] == before


@pytest.mark.parametrize(
    "member",
    cases(("127 levels", b"[" * 127 + b"]" * 127), ("4,500 digits", b"9" * 4500), ("60,000 digits", b"9" * 60_000)),
)
def test_r44_json_within_its_bounds_is_read(desk: SignedDesk, member: bytes) -> None:
    assert outcome_of(desk.send("POST", LIST, body=with_member('"x": ?').replace(b"?", member))) == 200


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_json_object_is_faulty(desk: SignedDesk, body: bytes) -> None:
    for method, path in (("POST", LIST), ("DELETE", LIST), ("DELETE", f"{LIST}/by-external-id")):
        assert outcome_of(desk.send(method, path, body=body)) == invalid("body")


@pytest.mark.parametrize("kind", cases(*((kind, kind) for kind in ("application/json", "text/plain", "nonsense", ""))))
def test_the_content_type_is_not_looked_at(desk: SignedDesk, kind: str) -> None:
    assert outcome_of(place(desk, {"content-type": kind})) == 200


MEMBERS = cases(
    ("unknown ones are ignored",            '"colour": [1, {}]',                     200),
    ("null is absent",                      '"external_id": null, "value": null',    200),
    ("null of one that is needed",          '"amount": null',                        invalid("amount")),
    ("of a doubled one the last is good",   '"amount": "x", "amount": "0.01"',       200),
    ("of a doubled one the last is faulty", '"amount": "0.01", "amount": "x"',       invalid("amount")),
    ("of a doubled one the last is null",   '"external_id": "mine", "external_id": null', 200),
    ("true",                                '"post_only": true',                     200),
    ("false",                               '"post_only": false',                    200),
    *((f"{text} is no boolean", f'"post_only": {text}', invalid("post_only")) for text in (
        '"true"', "1", "0", '""', "[]")),
)  # fmt: skip


@pytest.mark.parametrize(("text", "outcome"), MEMBERS)
def test_members_of_a_body(desk: SignedDesk, text: str, outcome: object) -> None:
    assert outcome_of(desk.post(LIST, with_member(text))) == outcome


PARAMETERS = cases(
    ("unknown ones are ignored",   "pair=BTC_BRL&colour=red&colour=blue",  200),
    ("an empty one is absent",     "pair=BTC_BRL&side=&page_size=&c=",     200),
    ("an empty one that is needed", "pair=",                               invalid("pair")),
    *((f"{name} doubled", f"pair=BTC_BRL&{name}={value}&{name}={value}", invalid(name)) for name, value in (
        ("pair", "BTC_BRL"), ("side", "buy"), ("type", "limit"), ("start_date", "2025-01-01"),
        ("end_date", "2025-01-01"), ("page_size", "1"), ("current_page", "1"), ("c", "x"))),
)  # fmt: skip


@pytest.mark.parametrize(("query", "outcome"), PARAMETERS)
def test_parameters_of_a_query(desk: SignedDesk, query: str, outcome: object) -> None:
    assert outcome_of(desk.get(LIST, query)) == outcome


# --- R15: pairs --------------------------------------------------------------------------------------------------

SPELLINGS: list[tuple[str, object]] = [
    *((pair, 200) for pair in ("BTC_BRL", "btc_brl", "Btc_bRL")),
    *((pair, NO_PAIR) for pair in (
        "NOPE_BRL", "BTC_NOPE", "BRL_BTC", "BTC/BRL", "BTC-BRL", "BTCBRL", "BTC_", "_BRL", "BTC_BRL_", " BTC_BRL")),
]  # fmt: skip
ASKERS: Any = cases(
    ("orders",         lambda desk, pair: desk.get(LIST, {"pair": pair})),
    ("open orders",    lambda desk, pair: desk.get("/trade/orders/open", {"pair": pair})),
    ("own trades",     lambda desk, pair: desk.get(TRADES, {"pair": pair})),
    ("public trades",  lambda desk, pair: desk.get(PUBLIC_TRADES, {"pair": pair})),
    ("depth",          lambda desk, pair: desk.get(DEPTH, {"pair": pair})),
    ("one pair",       lambda desk, pair: desk.get(PAIRS, {"pair": pair})),
    ("an order",       lambda desk, pair: place(desk, pair=pair)),
)  # fmt: skip


@pytest.mark.parametrize("ask", ASKERS)
def test_r15_a_pair_is_taken_in_upper_case(desk: SignedDesk, ask: Any) -> None:
    for pair, outcome in SPELLINGS:
        assert outcome_of(ask(desk, pair)) == outcome, pair


MISSING: Any = cases(
    ("orders",         lambda desk: desk.get(LIST)),
    ("own trades",     lambda desk: desk.get(TRADES)),
    ("public trades",  lambda desk: desk.get(PUBLIC_TRADES)),
    ("depth",          lambda desk: desk.get(DEPTH)),
    ("an order",       lambda desk: place(desk, pair=...)),
    ("null",           lambda desk: place(desk, pair=None)),
)  # fmt: skip


@pytest.mark.parametrize("ask", MISSING)
def test_r15_a_pair_that_is_missing_where_it_is_needed_is_faulty(desk: SignedDesk, ask: Any) -> None:
    assert outcome_of(ask(desk)) == invalid("pair")


# symbol of the base token, symbol of the book, further settings, whether it is seen as AAA_BRL
SEEN = cases(
    ("as it is",            "AAA", "AAA/BRL",  {},                                            True),
    ("in other cases",      "aaA", "Aaa/bRl",  {},                                            True),
    ("another symbol",      "AAA", "AAB/BRL",  {},                                            False),
    ("another separator",   "AAA", "AAA-BRL",  {},                                            False),
    ("other signs",         "A-A", "A-A/BRL",  {},                                            False),
    ("settled on chain",    "AAA", "AAA/BRL",  {"settlement_mode": SettlementMode.ON_CHAIN},  False),
)  # fmt: skip


@pytest.mark.parametrize(("token", "symbol", "settings", "is_seen"), SEEN)
def test_r15_a_book_is_seen_by_the_symbols_of_its_tokens(
    desk: SignedDesk, token: str, symbol: str, settings: dict[str, Any], is_seen: bool
) -> None:
    address = "0x" + "a" * 40
    Tokens(desk.world.database).register(INSTANCE, new_token(new_id("tok"), address, "A", token, 4))
    desk.world.books.create(BookConfig(INSTANCE, "ob_aaa", "A", symbol, address, BRL, base_decimals=4, **settings))
    assert outcome_of(desk.get(PAIRS, "pair=AAA_BRL")) == (200 if is_seen else NO_PAIR)
    assert [row["symbol"] for row in data_of(desk.get(PAIRS))] == ["AAA_BRL"] * is_seen + ["BTC_BRL", "B_Q"]


def test_r15_lists_cover_closed_books_of_the_pair_and_orders_go_to_the_one_that_is_open(desk: SignedDesk) -> None:
    first = placed(desk)
    placed(desk_of_ben(desk), side="sell")
    desk.match()
    change_book(desk, status=BookStatus.CLOSED)
    desk.match()
    assert outcome_of(place(desk)) == outcome_of(desk.get(DEPTH, "pair=BTC_BRL")) == NO_PAIR
    desk.world.books.create(BookConfig(INSTANCE, "ob_new", "Bitcoin", "BTC/BRL", BTC, BRL, base_decimals=8))
    second = placed(desk)
    assert data_of(desk.get(DEPTH, "pair=BTC_BRL"))["asks"] == []
    assert [row["id"] for row in data_of(desk.get(LIST, "pair=BTC_BRL"))["orders"]] == [second, first]
    assert len(data_of(desk.get(TRADES, "pair=BTC_BRL"))["trades"]) == 1
    assert len(data_of(desk.get(PUBLIC_TRADES, "pair=BTC_BRL"))["trades"]) == 1
    assert {row["book"] for row in desk.world.database.scan("inbox")} == {f"{INSTANCE}/{BOOK}", f"{INSTANCE}/ob_new"}


# --- R16: ids ----------------------------------------------------------------------------------------------------

FORMS: list[Any] = cases(
    ("as it is shown",        lambda order_id: order_id,                              200),
    ("in lower case",         lambda order_id: order_id.lower(),                      200),
    ("in mixed case",         lambda order_id: order_id[:18] + order_id[18:].lower(), 200),
    ("unknown",               lambda _: UUID,                                         NO_ORDER),
    ("without dashes",        lambda order_id: order_id.replace("-", ""),             invalid("id")),
    ("in braces",             lambda order_id: "{" + order_id + "}",                  invalid("id")),
    ("with a letter G",       lambda order_id: "G" + order_id[1:],                    invalid("id")),
    ("a character too few",   lambda order_id: order_id[:-1],                         invalid("id")),
    ("the id inside",         lambda _: "ord_01ARZ3NDEKTSV4RRFFQ69G5FAV",             invalid("id")),
    ("a ULID",                lambda _: "01ARZ3NDEKTSV4RRFFQ69G5FAV",                 invalid("id")),
    ("a number",              lambda _: "123",                                        invalid("id")),
)  # fmt: skip


@pytest.mark.parametrize(("form", "outcome"), FORMS)
def test_r16_an_id_is_an_upper_case_uuid_and_read_in_any_case(desk: SignedDesk, form: Any, outcome: object) -> None:
    order_id = placed(desk)
    assert order_id == order_id.upper()
    assert outcome_of(desk.get(f"/trade/orders/{form(order_id)}")) == outcome
    cancelled = outcome_of(desk.post("/trade/orders/cancel", {"id": form(order_id)}))
    assert cancelled == (outcome if outcome != 200 else (500, 50003, "Cancel is pending, repeat the request."))


def test_r16_anothers_order_is_not_found_and_absent_from_lists(desk: SignedDesk) -> None:
    order_id, ben = placed(desk, external_id="mine"), desk_of_ben(desk)
    assert outcome_of(ben.get(f"/trade/orders/{order_id}")) == NO_ORDER
    assert outcome_of(ben.get("/trade/orders/by-external-id/mine")) == NO_ORDER
    assert outcome_of(ben.delete(LIST, {"id": order_id})) == NO_ORDER
    assert outcome_of(ben.get("/trade/orders/trades", {"order_id": order_id})) == NO_ORDER
    assert data_of(ben.get(LIST, {"pair": PAIR, "ids": f"{order_id},{UUID}"}))["orders"] == []


def test_r16_an_id_that_is_empty_is_no_route_and_no_parameter(desk: SignedDesk) -> None:
    assert outcome_of(replace(desk).get("/trade/orders/by-external-id/")) == NOT_FOUND
    assert outcome_of(desk.delete(LIST, {"id": ""})) == invalid("id")
    assert outcome_of(desk.get("/trade/orders/trades", "order_id=")) == invalid("order_id")


def test_r14_a_fraction_of_a_unit_of_value_is_too_little(desk: SignedDesk) -> None:
    assert outcome_of(place(desk, amount="0.00000001", price="0.01")) == TOO_LITTLE
