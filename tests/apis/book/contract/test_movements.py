"""The ledger, what is asked of it: tokens, credits, debits, transfers (T35)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import CREDIT, DEBIT, ONE_BALANCE, ONE_TOKEN, TOKENS, TRANSFER
from tests.apis.book.desk import TIME, Desk, data_of, deactivate, fields_of, is_id, message_of, outcome_of
from tests.case_tables import cases, deviates
from tests.world import BASE, INSTANCE, QUOTE

NO_TOKEN = "0x" + "e" * 40
OK = (200, None)
TOO_BIG = {"a": "x" * (4096 - 7)}
"""One byte more than 4 KiB as compact JSON."""
JUST_SO = {"a": "x" * (4096 - 8)}


def outcome(response: Any) -> tuple[int, str | None] | list[str]:
    """Return the faulty fields where there are such, else status and code."""
    return fields_of(response) if outcome_of(response)[1] == "VALIDATION_ERROR" else outcome_of(response)


# --- POST tokens -------------------------------------------------------------------------------------------------

MADE = (201, None)
NEW_TOKEN: list[Any] = cases(
    ("tokenAddress in mixed case",     {"tokenAddress": "0x" + "aB" * 20},     MADE),
    ("tokenAddress left out",          {"tokenAddress": ...},                  ["tokenAddress"]),
    ("tokenAddress null",              {"tokenAddress": None},                 ["tokenAddress"]),
    ("tokenAddress of 39 digits",      {"tokenAddress": "0x" + "a" * 39},      ["tokenAddress"]),
    ("tokenAddress no hexadecimal",    {"tokenAddress": "0x" + "g" * 40},      ["tokenAddress"]),
    ("name of 64",                     {"name": "é" * 64},                     MADE),
    ("name of 65",                     {"name": "x" * 65},                     ["name"]),
    ("name empty",                     {"name": ""},                           ["name"]),
    ("name left out",                  {"name": ...},                          ["name"]),
    ("symbol of 16",                   {"symbol": "x" * 16},                   MADE),
    ("symbol of 17",                   {"symbol": "x" * 17},                   ["symbol"]),
    ("symbol empty",                   {"symbol": ""},                         ["symbol"]),
    ("symbol left out",                {"symbol": ...},                        ["symbol"]),
    ("decimals of 0",                  {"decimals": 0},                        MADE),
    ("decimals of 30",                 {"decimals": 30},                       MADE),
    ("decimals of 31",                 {"decimals": 31},                       ["decimals"]),
    ("decimals negative",              {"decimals": -1},                       ["decimals"]),
    ("decimals a text",                {"decimals": "18"},                     ["decimals"]),
    ("decimals a fraction",            {"decimals": 1.5},                      ["decimals"]),
    ("decimals null",                  {"decimals": None},                     MADE),
    ("metadataURI of 2048",            {"metadataURI": "x" * 2048},            MADE),
    ("metadataURI of 2049",            {"metadataURI": "x" * 2049},            ["metadataURI"]),
    ("metadataURI a number",           {"metadataURI": 1},                     ["metadataURI"]),
    ("assetType of 64",                {"assetType": "x" * 64},                MADE),
    ("assetType of 65",                {"assetType": "x" * 65},                ["assetType"]),
    ("the address is taken",           {"tokenAddress": BASE},                 (409, "TOKEN_EXISTS")),
    ("the address in another case",    {"tokenAddress": "0x" + "B" * 40},      (409, "TOKEN_EXISTS")),
    ("the symbol is taken",            {"symbol": "q"},                        (409, "TOKEN_EXISTS")),
    ("schema before that",             {"symbol": "q", "name": ""},            ["name"]),
    ("all members at once",            dict.fromkeys(["assetType", "metadataURI", "decimals", "symbol", "name",
                                                      "tokenAddress"], -1),
     ["tokenAddress", "name", "symbol", "decimals", "metadataURI", "assetType"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), NEW_TOKEN)
def test_registering_a_token(desk: Desk, members: dict[str, Any], expected: Any) -> None:
    assert outcome(desk.post(TOKENS, **members)) == expected


def test_a_token_has_eleven_members_in_their_order(desk: Desk) -> None:
    told: dict[str, Any] = {"decimals": 3, "metadataURI": "https://x.test/gold", "assetType": "METAL"}
    token = data_of(desk.post(TOKENS, tokenAddress="0x" + "D" * 40, **told), 201)
    assert is_id("tok", token["id"])
    assert TIME.fullmatch(token["createdAt"])
    assert list(token.items())[1:] == [
        ("instanceId", INSTANCE), ("tokenAddress", "0x" + "d" * 40), ("name", "Gold"), ("symbol", "XAU"),
        ("decimals", 3), ("metadataURI", "https://x.test/gold"), ("assetType", "METAL"), ("isActive", True),
        ("createdAt", token["createdAt"]), ("updatedAt", token["createdAt"]),
    ]  # fmt: skip
    assert data_of(desk.get(ONE_TOKEN, tokenAddress="0x" + "D" * 40)) == token
    assert token in data_of(desk.get(TOKENS))["tokens"]


def test_what_a_token_leaves_out_has_its_default(desk: Desk) -> None:
    token = data_of(desk.post(TOKENS), 201)
    assert [token[name] for name in ("decimals", "metadataURI", "assetType")] == [18, None, None]


# --- GET tokens, GET tokens/{tokenAddress} -----------------------------------------------------------------------

TOKEN_LISTS: list[Any] = cases(
    ("active ones by default",   {},                       (["XAU", "B"], 2)),
    ("activeOnly=true",          {"activeOnly": "true"},   (["XAU", "B"], 2)),
    ("activeOnly=false",         {"activeOnly": "false"},  (["XAU", "Q", "B"], 3)),
    ("a page of them",           {"limit": "1", "offset": "1"}, (["B"], 2)),
    ("beyond the end",           {"offset": "2"},          ([], 2)),
    ("activeOnly a number",      {"activeOnly": "1"},      ["activeOnly"]),
    ("activeOnly in upper case", {"activeOnly": "TRUE"},   ["activeOnly"]),
    ("activeOnly empty",         {"activeOnly": ""},       ["activeOnly"]),
    ("limit of 0",               {"limit": "0"},           ["limit"]),
    ("offset negative",          {"offset": "-1"},         ["offset"]),
)  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), TOKEN_LISTS)
def test_listing_tokens(desk: Desk, query: dict[str, str], expected: Any) -> None:
    """Q is inactive. Their order is not promised; it is newest first."""
    desk.post(TOKENS)
    response = deactivate(desk, QUOTE).get(TOKENS, query)
    if isinstance(expected, list):
        assert fields_of(response) == expected
        return
    data = data_of(response)
    assert list(data) == ["tokens", "total"]
    assert ([token["symbol"] for token in data["tokens"]], data["total"]) == expected


ADDRESSES = cases(
    ("registered",        BASE,                 OK),
    ("in upper case",     "0x" + "B" * 40,      OK),
    ("not registered",    NO_TOKEN,             (404, "TOKEN_NOT_FOUND")),
    ("no address",        "gold",               (404, "TOKEN_NOT_FOUND")),
    ("badly encoded",     "%FF",                (400, "INVALID_PARAM")),
)  # fmt: skip


@pytest.mark.parametrize(("address", "expected"), ADDRESSES)
def test_showing_a_token_and_a_balance_in_it(desk: Desk, address: str, expected: Any) -> None:
    assert outcome_of(desk.get(ONE_TOKEN, tokenAddress=address)) == expected
    assert outcome_of(desk.get(ONE_BALANCE, customerRef="ann", tokenAddress=address)) == expected


# --- POST balances/credit, balances/debit, balances/transfer -----------------------------------------------------

EVERY = [CREDIT, DEBIT, TRANSFER]
ROUTES = cases(("credit", CREDIT), ("debit", DEBIT), ("transfer", TRANSFER))
MOVES: list[Any] = cases(
    ("tokenAddress left out",          {"tokenAddress": ...},                   ["tokenAddress"]),
    ("tokenAddress no address",        {"tokenAddress": "gold"},                ["tokenAddress"]),
    ("amount left out",                {"amount": ...},                         ["amount"]),
    ("amount a number",                {"amount": 1},                           ["amount"]),
    ("amount with a leading zero",     {"amount": "01"},                        ["amount"]),
    ("amount of 39 digits",            {"amount": "1" * 39},                    ["amount"]),
    ("T35 amount of zero",             {"amount": "0"},                         ["amount"]),
    ("reference of 256",               {"reference": "x" * 256},                OK),
    ("reference of 257",               {"reference": "x" * 257},                ["reference"]),
    ("reference a number",             {"reference": 1},                        ["reference"]),
    ("reference null",                 {"reference": None},                     OK),
    ("transactionMetadata of 4 KiB",   {"transactionMetadata": JUST_SO},        OK),
    ("transactionMetadata above it",   {"transactionMetadata": TOO_BIG},        ["transactionMetadata"]),
    deviates("400 VALIDATION_ERROR on transactionMetadata: it may have 64 levels", "transactionMetadata of 100 levels",
             {"transactionMetadata": json.loads('{"a":' * 100 + "1" + "}" * 100)}, OK),
    ("transactionMetadata, half a pair", {"transactionMetadata": {"a": "\ud800"}}, ["transactionMetadata"]),
    ("transactionMetadata an array",   {"transactionMetadata": []},             ["transactionMetadata"]),
    ("transactionMetadata a text",     {"transactionMetadata": "x"},            ["transactionMetadata"]),
    ("transactionMetadata null",       {"transactionMetadata": None},           OK),
    ("T35 schema before the token",    {"tokenAddress": NO_TOKEN, "amount": "0"}, ["amount"]),
    ("T35 unknown token",              {"tokenAddress": NO_TOKEN, "amount": "9999"}, (404, "TOKEN_NOT_FOUND")),
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("members", "expected"), MOVES)
def test_moving_money(desk: Desk, route: str, members: dict[str, Any], expected: Any) -> None:
    assert outcome(desk.post(route, **members)) == expected


CUSTOMERS: list[Any] = cases(
    ("left out", ...), ("null", None), ("empty", ""), ("of 257", "x" * 257), ("with a control", "a\n"), ("a number", 1)
)


@pytest.mark.parametrize("value", CUSTOMERS)
@pytest.mark.parametrize(
    ("route", "member"),
    cases(
        ("credit", CREDIT, "customerRef"), ("debit", DEBIT, "customerRef"),
        ("transfer from", TRANSFER, "fromCustomerRef"), ("transfer to", TRANSFER, "toCustomerRef"),
    ),
)  # fmt: skip
def test_a_customer_of_a_movement_that_cannot_be_one(desk: Desk, route: str, member: str, value: Any) -> None:
    assert outcome(desk.post(route, **{member: value})) == [member]


CHECKS: list[Any] = cases(
    ("T35 token before customers",     TRANSFER, {"tokenAddress": NO_TOKEN, "toCustomerRef": "ann"}, "TOKEN_NOT_FOUND"),
    ("T35 customers before balance",   TRANSFER, {"toCustomerRef": "ann", "amount": "9999"}, "INVALID_TRANSFER"),
    ("T35 balance of a transfer",      TRANSFER, {"amount": "1001"}, "INSUFFICIENT_BALANCE"),
    ("T35 balance of a debit",         DEBIT,    {"amount": "1001"}, "INSUFFICIENT_BALANCE"),
    ("what is held is not available",  DEBIT,    {"amount": "601"}, "INSUFFICIENT_BALANCE"),
    ("nor to be transferred",          TRANSFER, {"amount": "601"}, "INSUFFICIENT_BALANCE"),
    ("nobody has nothing",             DEBIT,    {"customerRef": "nobody", "amount": "1"}, "INSUFFICIENT_BALANCE"),
    ("T35 38 digits in all",           CREDIT,   {"amount": str(10**38 - 2000)}, "VALIDATION_ERROR"),
)  # fmt: skip


@pytest.mark.parametrize(("route", "members", "code"), CHECKS)
def test_t35_the_checks_of_a_movement_come_one_after_the_other(
    desk: Desk, route: str, members: dict[str, Any], code: str
) -> None:
    """400 of ann's 1,000 are held; 2,000 are there in all."""
    desk.placed(side="SELL", quantity="400")
    before = desk.world.tables()
    response = desk.post(route, **members)
    assert outcome_of(response)[1] == code
    assert code != "INSUFFICIENT_BALANCE" or "required " in message_of(response)
    assert code != "VALIDATION_ERROR" or fields_of(response) == ["amount"]
    assert desk.world.tables() == before


def test_t35_a_sum_of_38_digits_is_allowed(desk: Desk) -> None:
    assert data_of(desk.post(CREDIT, customerRef="cat", amount=str(10**38 - 2001)))["balance"] == str(10**38 - 2001)
    assert outcome(desk.post(CREDIT, amount="1")) == ["amount"]


@pytest.mark.parametrize(("route", "left"), cases(("credit", CREDIT, "1010"), ("debit", DEBIT, "990")))
def test_a_credit_and_a_debit_have_four_members(desk: Desk, route: str, left: str) -> None:
    """balance is available and held together."""
    desk.placed(side="SELL", quantity="400")
    data = data_of(desk.post(route, amount="10"))
    assert list(data.items())[:3] == [("customerRef", "ann"), ("tokenAddress", BASE), ("balance", left)]
    assert list(data)[3:] == ["transactionId"]
    assert is_id("txn", data["transactionId"])


def test_a_transfer_has_five_members(desk: Desk) -> None:
    data = data_of(desk.post(TRANSFER, amount="10"))
    assert list(data.items())[:4] == [
        ("fromCustomerRef", "ann"), ("toCustomerRef", "ben"), ("tokenAddress", BASE), ("amount", "10"),
    ]  # fmt: skip
    assert list(data)[4:] == ["transactionId"]
    assert [desk.balance(who)["balance"] for who in ("ann", "ben")] == ["990", "1010"]


REFERENCES: list[Any] = cases(
    ("none",                        [{}, {}],                                                  [200, 200], 2),
    ("two of them",                 [{"reference": "a"}, {"reference": "b"}],                  [200, 200], 2),
    ("the same one",                [{"reference": "a"}] * 2,                                  [200, 200], 1),
    ("the same one, another amount", [{"reference": "a"}, {"reference": "a", "amount": "9"}], [200, 409], 1),
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("sent", "statuses", "moved"), REFERENCES)
def test_the_same_reference_moves_money_once(
    desk: Desk, route: str, sent: list[dict[str, Any]], statuses: list[int], moved: int
) -> None:
    answers = [desk.post(route, **members) for members in sent]
    assert [answer.status for answer in answers] == statuses
    assert len({data_of(answer)["transactionId"] for answer in answers if answer.status == 200}) == moved
