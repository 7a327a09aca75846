"""Amounts, addresses, hashes and the other values of an order, and what is no such value."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apis.taker.cases import (
    INVALID,
    SINGLE,
    UNKNOWN_HASH,
    listed,
    listed_hashes,
    locked,
    new_order,
    nothing_changes,
    order_body,
    outcome_of,
    partly_filled,
    single,
)
from tests.apis.taker.desk import ASSET, MAKER, UNIT, Desk, data_of, faulty_fields, hash_of
from tests.case_tables import cases

# --- amounts -----------------------------------------------------------------------------------------------------

MOST = 10**27
NO_AMOUNTS: Any = cases(
    ("an integer",            5),
    ("a fraction",            5.0),
    ("a boolean",             True),
    ("a list",                ["5"]),
    ("nothing",               ""),
    ("a zero in front",       "05"),
    ("two zeros",             "00"),
    ("a sign",                "+5"),
    ("negative",              "-5"),
    ("a point",               "5.0"),
    ("an exponent",           "5e3"),
    ("hexadecimal",           "0x5"),
    ("a blank",               " 5"),
    ("a line break",          "5\n"),
    ("digits of other kinds", "\u0665"),
    ("words",                 "five"),
    ("10^27 and one",         str(MOST + 1)),
    ("thousands of digits",   "9" * 5000),
)  # fmt: skip


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_no_amount_is_refused_wherever_one_is_asked_for(shared: Desk, text: object) -> None:
    order_hash = locked(shared)
    body = order_body(shared)
    with nothing_changes(shared):
        for name in ("price", "quantity", "incentive"):
            wrong = body | {"order": body["order"] | {name: text}}
            for send in (shared.maker_post("/orders", wrong), shared.post("/orders/validate", wrong)):
                assert faulty_fields(send) == [name]
        fill = {"order_hash": order_hash, "fill_quantity": "1"}
        for name in ("fill_quantity", "taker_incentive"):
            assert faulty_fields(shared.post("/orders/fill", fill | {name: text})) == [name]


BOUNDS: Any = cases(
    ("price from 1",        {"price": "1", "quantity": str(UNIT)},                   200),
    ("price 0",             {"price": "0"},                                          ["price"]),
    ("quantity from 1",     {"quantity": "1", "price": str(UNIT)},                   200),
    ("quantity 0",          {"quantity": "0"},                                       ["quantity"]),
    ("incentive from 0",    {"incentive": "0"},                                      200),
    ("worth one",           {"price": "1", "quantity": str(UNIT)},                   200),
    ("worth less than one", {"price": "1", "quantity": str(UNIT - 1)},               ["quantity"]),
    ("worth too much",      {"price": str(MOST), "quantity": str(MOST)},             ["quantity"]),
    ("price 10^27",         {"price": str(MOST), "quantity": "1"},                   200),
    ("quantity 10^27",      {"price": "1", "quantity": str(MOST), "incentive": "0"}, 200),
    ("all of them 0",       {"price": "0", "quantity": "0", "incentive": "0"},       ["price", "quantity"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), BOUNDS)
def test_k31_bounds_of_amounts(shared: Desk, members: dict[str, str], outcome: Any) -> None:
    if outcome == 200:
        created = data_of(shared.maker_post("/orders", order_body(shared, **members)))
        assert {name: created[name] for name in members} == members
    else:
        with nothing_changes(shared):
            assert faulty_fields(shared.maker_post("/orders", order_body(shared, **members))) == outcome


def test_k31_the_dearest_order_keeps_every_digit(desk: Desk) -> None:
    """Price and quantity of 10^27 are 10^36 of the quote, which its maker must own; a base unit more is refused."""
    dearest = {"price": str(MOST), "quantity": str(MOST), "incentive": "0"}
    required = 10**36
    with nothing_changes(desk):
        assert faulty_fields(desk.maker_post("/orders", order_body(desk, **dearest | {"incentive": "1"}))) == [
            "quantity"
        ]
    short = desk.maker_post("/orders", order_body(desk, **dearest))
    assert (outcome_of(short), short.body.count(str(required))) == ((400, 400), 1)
    desk.credit(MAKER, ASSET.lower(), required - 10**6 * UNIT)
    desk.credit(desk.taker, "0x" + "a1" * 20, MOST - 10**6 * UNIT)
    order_hash = locked(desk, **dearest)
    assert desk.balance(MAKER, ASSET.lower()) == (0, required)
    filled = data_of(desk.fill(order_hash, MOST))
    assert (filled["filled_amount"], filled["incentive_amount"]) == (str(10**36), "0")
    assert desk.balance(desk.taker, ASSET.lower()) == (10**6 * UNIT + required, 0)


# --- other members -----------------------------------------------------------------------------------------------

MEMBERS: Any = cases(
    ("an address too short",        {"principal": MAKER[:-1]},       ["principal"]),
    ("an address too long",         {"principal": MAKER + "0"},      ["principal"]),
    ("an address without 0x",       {"principal": MAKER[2:] + "00"}, ["principal"]),
    ("an address with 0X",          {"principal": "0X" + MAKER[2:]}, ["principal"]),
    ("no hexadecimal address",      {"principal": "0x" + "g" * 40},  ["principal"]),
    ("an address and a line break", {"principal": MAKER + "\n"},     ["principal"]),
    ("an address that is a number", {"principal": 5},                ["principal"]),
    ("an asset that is no address", {"asset": "USD"},                ["asset"]),
    ("a maker that is no address",  {"maker": "ann"},                ["maker"]),
    ("is_buy as a text",            {"is_buy": "true"},              ["is_buy"]),
    ("is_buy as a number",          {"is_buy": 1},                   ["is_buy"]),
    ("a ticker in lower case",      {"ticker": "aapl"},              ["ticker"]),
    ("a ticker of 16 characters",   {"ticker": "ABCDEFGHIJ.12345"},  ["ticker unknown"]),
    ("a ticker of 17 characters",   {"ticker": "ABCDEFGHIJ.123456"}, ["ticker"]),
    ("an empty ticker",             {"ticker": ""},                  ["ticker"]),
    ("a ticker with a blank",       {"ticker": "A B"},               ["ticker"]),
    ("exchange -1",                 {"exchange": -1},                ["exchange"]),
    ("exchange 65535",              {"exchange": 65_535},            ["ticker unknown"]),
    ("exchange 65536",              {"exchange": 65_536},            ["exchange"]),
    ("an exchange as a text",       {"exchange": "0"},               ["exchange"]),
    ("an exchange as a boolean",    {"exchange": False},             ["exchange"]),
    ("a fraction of an exchange",   {"exchange": 0.0},               ["exchange"]),
    ("a deadline as a text",        {"deadline": "4102444800"},      ["deadline"]),
    ("a deadline as a boolean",     {"deadline": True},              ["deadline"]),
    ("a negative deadline",         {"deadline": -1},                ["deadline"]),
    ("a nonce as a text",           {"nonce": "1"},                  ["nonce"]),
    ("a nonce as a boolean",        {"nonce": True},                 ["nonce"]),
    ("nonce -1",                    {"nonce": -1},                   ["nonce"]),
    ("nonce 2^63",                  {"nonce": 2**63},                ["nonce"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), MEMBERS)
def test_what_is_no_member_of_an_order(shared: Desk, members: dict[str, Any], fields: list[str]) -> None:
    body = order_body(shared)
    wrong = body | {"order": body["order"] | members}
    with nothing_changes(shared):
        assert faulty_fields(shared.maker_post("/orders", wrong)) == [name.split()[0] for name in fields]
        if "unknown" not in fields[0]:
            assert faulty_fields(shared.post("/orders/validate", wrong)) == fields


REQUIRED = cases(*((name, name) for name in (
    "principal", "is_buy", "ticker", "exchange", "asset", "price", "quantity", "incentive", "deadline",
    "nonce")))  # fmt: skip


@pytest.mark.parametrize("name", REQUIRED)
def test_every_member_of_an_order_is_required(shared: Desk, name: str) -> None:
    body = order_body(shared, **{name: ...})
    for sent in (body, body | {"order": body["order"] | {name: None}}):
        with nothing_changes(shared):
            assert faulty_fields(shared.maker_post("/orders", sent)) == [name]
            assert faulty_fields(shared.post("/orders/validate", sent)) == [name]


def test_k50_a_missing_maker_is_the_sessions_wallet(desk: Desk) -> None:
    for absent in ({}, {"maker": None}):
        body = order_body(desk, maker=...)
        created = data_of(desk.maker_post("/orders", body | {"order": body["order"] | absent}))
        assert created["maker"] == desk.maker
        assert created["order_hash"] == hash_of(body["order"] | {"maker": MAKER}, desk.settings)


def test_k50_an_order_of_a_taker_names_its_maker(desk: Desk) -> None:
    body = order_body(desk)
    order_hash = data_of(desk.maker_post("/orders", body))["order_hash"]
    data_of(desk.lock(order_hash))
    unnamed = body | {"order": {name: value for name, value in body["order"].items() if name != "maker"}}
    assert faulty_fields(desk.post("/orders/validate", unnamed)) == ["maker"]
    assert faulty_fields(desk.post("/orders/fill", unnamed | {"fill_quantity": "5"})) == ["maker"]


IS_BUY: Any = cases(
    ("isBuy alone",         {"isBuy": True},                    200),
    ("both the same",       {"isBuy": True, "is_buy": True},    200),
    ("a null beside it",    {"isBuy": True, "is_buy": None},    200),
    ("a null instead",      {"isBuy": None, "is_buy": True},    200),
    ("both different",      {"isBuy": True, "is_buy": False},   ["order"]),
    ("a text beside it",    {"isBuy": "true", "is_buy": True},  ["order"]),
    ("a number beside it",  {"isBuy": 1, "is_buy": True},       ["order"]),
    ("a text",              {"isBuy": "true"},                  ["is_buy"]),
    ("neither",             {},                                 ["is_buy"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), IS_BUY)
def test_k50_isbuy_is_another_name_of_is_buy(desk: Desk, members: dict[str, Any], outcome: Any) -> None:
    signed = order_body(desk)
    body = signed | {"order": {n: v for n, v in signed["order"].items() if n != "is_buy"} | members}
    for answer in (desk.post("/orders/validate", body), desk.maker_post("/orders", body)):
        if outcome == 200:
            assert data_of(answer)["order_hash"] == hash_of(signed["order"], desk.settings)
        else:
            assert faulty_fields(answer) == outcome
    if outcome == 200:
        data_of(desk.lock(hash_of(signed["order"], desk.settings)))
        assert outcome_of(desk.post("/orders/fill", body | {"fill_quantity": "5"})) == 200


def test_order_and_signature_are_required(shared: Desk) -> None:
    body = order_body(shared)
    with nothing_changes(shared):
        assert faulty_fields(shared.maker_post("/orders", {})) == ["order", "signature"]
        assert faulty_fields(shared.maker_post("/orders", {"order": body["order"]})) == ["signature"]
        assert faulty_fields(shared.maker_post("/orders", {"signature": body["signature"]})) == ["order"]
        assert faulty_fields(shared.maker_post("/orders", body | {"order": "x"})) == ["order"]


@pytest.mark.parametrize("nonce", cases(("0", 0), ("2^63 - 1", 2**63 - 1)))
def test_the_first_and_the_last_nonce(shared: Desk, nonce: int) -> None:
    assert data_of(shared.maker_post("/orders", order_body(shared, nonce=nonce)))["nonce"] == nonce


# --- addresses and hashes ----------------------------------------------------------------------------------------


def test_addresses_are_answered_as_they_were_written_and_compared_in_any_case(desk: Desk) -> None:
    maker, principal, asset = MAKER.lower(), "0x" + "aB" * 20, ASSET.upper().replace("0X", "0x")
    order_hash = new_order(desk, maker=maker, principal=principal, asset=asset)
    data_of(desk.lock(order_hash, taker_address=desk.taker.upper().replace("0X", "0x")))
    shown = single(desk, order_hash)
    assert (shown["maker"], shown["principal"], shown["asset"]) == (maker, principal, asset)
    data_of(desk.fill(order_hash, 1000))
    assert desk.balance(principal.lower(), "0x" + "a1" * 20) == (1000, 0)
    for name, text in (("principal", principal.upper().replace("0X", "0x")), ("asset", ASSET)):
        assert data_of(desk.maker_get("/orders", {name: text}))["total"] == 1


def test_the_checksum_of_an_address_is_not_looked_at(shared: Desk) -> None:
    wrong = MAKER.swapcase().replace("0X", "0x")
    assert data_of(shared.maker_post("/orders", order_body(shared, maker=wrong)))["maker"] == wrong


def test_a_taker_is_shown_as_it_was_registered(shared: Desk) -> None:
    other = shared.as_other
    order_hash = new_order(shared)
    assert data_of(other.lock(order_hash))["locked_by"] == other.taker
    data_of(other.fill(order_hash, 5))
    row = next(row for row in listed(other) if row["order_hash"] == order_hash)
    assert row["locked_by"] == other.taker
    assert data_of(other.get("/orders/filled", {"order_hash": order_hash}))["fills"][0]["taker"] == other.taker


CASES: Any = cases(
    ("as it is answered", lambda text: text),
    ("in upper case",     lambda text: "0x" + text[2:].upper()),
    ("mixed",             lambda text: text[:20] + text[20:].upper()),
)  # fmt: skip


@pytest.mark.parametrize("form", CASES)
def test_hashes_are_compared_in_any_case_and_answered_in_lower_case(shared: Desk, form: Any) -> None:
    order_hash = new_order(shared)
    assert order_hash == order_hash.lower()
    tx_hash = "0x" + "ab" * 32
    assert data_of(shared.lock(form(order_hash)))["order_hash"] == order_hash
    filled = data_of(shared.fill(form(order_hash), 5, tx_hash=form(tx_hash)))
    assert (filled["order_hash"], filled["tx_hash"]) == (order_hash, tx_hash)
    assert shared.seen(form(order_hash)).body == shared.seen(order_hash).body
    for query in ({"order_hash": form(order_hash)}, {"tx_hash": form(tx_hash)}):
        assert order_hash in [fill["order_hash"] for fill in data_of(shared.get("/orders/filled", query))["fills"]]
    assert data_of(shared.maker_get("/orders", {"order_hash": form(order_hash)}))["total"] == 1
    assert data_of(shared.unlock(form(order_hash)))["order_hash"] == order_hash
    assert data_of(shared.cancel(form(order_hash)))["message"] == "cancelled"


NO_HASHES: Any = cases(
    ("too short",      UNKNOWN_HASH[:-1]),
    ("too long",       UNKNOWN_HASH + "0"),
    ("without 0x",     UNKNOWN_HASH[2:]),
    ("no hexadecimal", "0x" + "g" * 64),
    ("a number",       5),
    ("empty",          ""),
)  # fmt: skip


@pytest.mark.parametrize("text", NO_HASHES)
def test_what_is_no_hash(shared: Desk, text: Any) -> None:
    with nothing_changes(shared):
        for word, more in (
            ("lock", {}), ("unlock", {}), ("reject", {}), ("fill", {"fill_quantity": "1"}),
            ("cancel-result", {"taker_address": shared.taker, "cancellation_success": True, "message": ""}),
        ):  # fmt: skip
            assert faulty_fields(shared.post(f"/orders/{word}", {"order_hash": text} | more)) == ["order_hash"]
        assert faulty_fields(shared.fill(UNKNOWN_HASH, 1, tx_hash=text)) == ["tx_hash"]


# --- the two objects ---------------------------------------------------------------------------------------------

LISTED = [
    "order_hash", "maker", "principal", "is_buy", "ticker", "exchange", "asset", "price", "quantity", "incentive",
    "deadline", "nonce", "signature", "status", "created_at", "locked_by", "locked_at", "reference_id", "tx_hash",
]  # fmt: skip
OPTIONAL = {"locked_by", "locked_at", "reference_id", "tx_hash"}


def _row(desk: Desk, order_hash: str) -> dict[str, Any]:
    return next(row for row in listed(desk, "page_size=100") if row["order_hash"] == order_hash)


def test_k10_a_row_of_the_list_has_its_members_in_their_order_and_none_that_is_null(shared: Desk) -> None:
    plain = locked(shared)
    assert list(_row(shared, plain)) == [name for name in LISTED if name not in ("reference_id", "tx_hash")]
    data_of(shared.fill(plain, 10, reference_id="REF", tx_hash="0x" + "ab" * 32))
    assert list(_row(shared, plain)) == LISTED
    data_of(shared.unlock(plain))
    assert list(_row(shared, plain)) == [name for name in LISTED if not name.startswith("locked")]
    assert None not in _row(shared, plain).values()


def test_k10_the_single_object_always_has_19_members_of_which_notes_may_be_null(shared: Desk) -> None:
    assert len(SINGLE) == 19
    body = order_body(shared)
    created = data_of(shared.maker_post("/orders", body))
    order_hash = created["order_hash"]
    in_available = next(row for row in data_of(shared.get("/orders/available")) if row["order_hash"] == order_hash)
    data_of(shared.lock(order_hash))
    for row in (created, in_available, single(shared, order_hash)):
        assert list(row) == SINGLE
        assert [name for name, value in row.items() if value is None] == ["notes"]
        assert {name: row[name] for name in body["order"]} == body["order"]
        assert row["signature"] == body["signature"]
    data_of(shared.reject(order_hash, reason="no"))
    (rejected,) = data_of(shared.maker_get("/orders", {"order_hash": order_hash}))["orders"]
    assert (list(rejected), rejected["notes"]) == (SINGLE, "no")


def test_k11_the_lock_is_shown_whoever_holds_it(desk: Desk) -> None:
    order_hash = partly_filled(desk)
    data_of(desk.unlock(order_hash))
    assert OPTIONAL & set(_row(desk, order_hash)) == {"reference_id"}
    desk.clock.advance(60)
    data_of(desk.as_other.lock(order_hash, reference_id="theirs"))
    row = _row(desk, order_hash)
    assert (row["locked_by"], row["locked_at"]) == (desk.as_other.taker, "2025-01-17T03:01:24Z")
    assert row["reference_id"] != "theirs"
    assert _row(desk.as_other, order_hash)["reference_id"] == "theirs"


def test_k11_a_filled_order_keeps_the_lock_of_its_last_fill(desk: Desk) -> None:
    order_hash = partly_filled(desk)
    data_of(desk.unlock(order_hash))
    desk.clock.advance(60)
    data_of(desk.as_other.lock(order_hash))
    data_of(desk.as_other.fill(order_hash, 600))
    desk.clock.advance(86_400)
    for taker in (desk, desk.as_other):
        row = _row(taker, order_hash)
        assert (row["status"], row["locked_by"]) == ("filled", desk.as_other.taker)
        assert row["locked_at"] == "2025-01-17T03:01:24Z"


ENDINGS: Any = cases(
    ("cancelled", lambda desk, one: (desk.cancel(one), desk.cancel_result(one, True))),
    ("expired",   lambda desk, _: desk.clock.advance(500)),
    ("unlocked",  lambda desk, one: desk.unlock(one)),
    ("lapsed",    lambda desk, _: desk.clock.advance(60)),
)  # fmt: skip


@pytest.mark.parametrize("end", ENDINGS)
def test_k11_no_lock_is_shown_once_it_is_over(desk: Desk, end: Any) -> None:
    order_hash = new_order(desk, deadline=desk.clock.now_s + 500)
    data_of(desk.lock(order_hash, lock_duration=60))
    data_of(desk.fill(order_hash, 5))
    end(desk, order_hash)
    assert not {"locked_by", "locked_at"} & set(_row(desk, order_hash))


def test_reference_and_tx_hash_are_the_latest_that_the_caller_gave(desk: Desk) -> None:
    order_hash, first, second = new_order(desk), "0x" + "01" * 32, "0x" + "02" * 32
    data_of(desk.lock(order_hash, reference_id="at-lock"))
    assert (_row(desk, order_hash)["reference_id"], "tx_hash" in _row(desk, order_hash)) == ("at-lock", False)
    data_of(desk.fill(order_hash, 5, reference_id="fill-1", tx_hash=first))
    data_of(desk.fill(order_hash, 5, reference_id="fill-2"))
    assert (_row(desk, order_hash)["reference_id"], _row(desk, order_hash)["tx_hash"]) == ("fill-2", first)
    data_of(desk.fill(order_hash, 5, reference_id="fill-3", tx_hash=second))
    data_of(desk.unlock(order_hash))
    data_of(desk.lock(order_hash, reference_id="again"))
    assert (_row(desk, order_hash)["reference_id"], _row(desk, order_hash)["tx_hash"]) == ("again", second)
    data_of(desk.unlock(order_hash))
    data_of(desk.lock(order_hash))
    assert _row(desk, order_hash)["reference_id"] == "again"


def test_the_members_of_a_page(desk: Desk) -> None:
    partly_filled(desk)
    assert list(data_of(desk.get("/takers/orders"))) == ["total", "page", "page_size", "total_pages", "orders"]
    assert list(data_of(desk.maker_get("/orders"))) == ["total", "page", "page_size", "total_pages", "orders"]
    assert list(data_of(desk.get("/orders/filled"))) == ["total", "page", "page_size", "total_pages", "fills"]
    assert outcome_of(desk.get("/takers/orders", "page=0")) == INVALID
    assert len(listed_hashes(desk)) == 1
