"""POST orders: its members, which combine, what is checked in which order, what is answered (R23, R27, R29 to R31)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import (
    BRL,
    LIST,
    NO_FUNDS,
    NO_PAIR,
    RICH_BRL,
    TOO_LITTLE,
    UNSUPPORTED,
    change_book,
    desk_of_ben,
    exact,
    invalid,
    open_market,
    outcome_of,
    place,
    placed,
    rested,
    shown,
)
from tests.apis.trade.desk import SignedDesk, data_of
from tests.apis.trade.rows import ids_of
from tests.case_tables import cases
from tests.waiting import Waiting

MARKET: dict[str, Any] = {"type": "market", "price": ...}


@pytest.fixture
def asked(desk: SignedDesk) -> SignedDesk:
    """The desk with an ask of 0.5 at 350000, so that market orders find something."""
    rested(desk, "sell", ("0.5", "350000"))
    return desk


# --- members -----------------------------------------------------------------------------------------------------

MEMBERS: list[Any] = cases(
    ("side sell",                     {"side": "sell"},                          200),
    ("side missing",                  {"side": ...},                             invalid("side")),
    ("side in upper case",            {"side": "BUY"},                           invalid("side")),
    ("type missing",                  {"type": ...},                             invalid("type")),
    ("type in upper case",            {"type": "LIMIT"},                         invalid("type")),
    ("an unknown type",               {"type": "stop"},                          invalid("type")),
    ("limit without amount",          {"amount": ...},                           invalid("amount")),
    ("limit by value",                {"amount": ..., "value": "5000"},          invalid("amount")),
    ("limit, value is ignored",       {"value": "nonsense"},                     200),
    ("limit without price",           {"price": ...},                            invalid("price")),
    ("market by amount",              MARKET,                                    200),
    ("market by value",               MARKET | {"amount": ..., "value": "50"},   200),
    ("market, price is ignored",      {"type": "market", "price": "nonsense"},   200),
    ("market, post_only is ignored",  MARKET | {"post_only": "nonsense"},        200),
    ("market, IOC is ignored",        MARKET | {"immediate_or_cancel": 5},       200),
    ("market, expiration is ignored", MARKET | {"expiration": 1},                200),
    ("market, FOK",                   MARKET | {"fill_or_kill": True},           200),
    ("market, FOK is looked at",      MARKET | {"fill_or_kill": "true"},         invalid("fill_or_kill")),
    ("market, post_only with FOK",    MARKET | {"post_only": True, "fill_or_kill": True}, 200),
    ("FOK",                           {"fill_or_kill": True},                    200),
    ("IOC",                           {"immediate_or_cancel": True},             200),
    ("post_only",                     {"post_only": True},                       200),
    ("external_id of 36 characters",  {"external_id": "x" * 36},                 200),
    ("external_id of 1 character",    {"external_id": "!"},                      200),
    ("external_id, all characters",   {"external_id": "~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}"}, 200),
    ("external_id of 37 characters",  {"external_id": "x" * 37},                 invalid("external_id")),
    ("external_id, empty",            {"external_id": ""},                       invalid("external_id")),
    ("external_id with a space",      {"external_id": "a b"},                    invalid("external_id")),
    ("external_id, not ASCII",        {"external_id": "é"},                      invalid("external_id")),
    ("external_id, a delete",         {"external_id": "\x7f"},                   invalid("external_id")),
    ("external_id, a number",         {"external_id": 5},                        invalid("external_id")),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), MEMBERS)
def test_the_members_of_an_order(asked: SignedDesk, members: dict[str, Any], outcome: object) -> None:
    before = asked.world.tables()
    assert outcome_of(place(asked, **members)) == outcome
    assert outcome == 200 or asked.world.tables() == before


# --- R23: what does not combine ----------------------------------------------------------------------------------

IOC, FOK, POST = {"immediate_or_cancel": True}, {"fill_or_kill": True}, {"post_only": True}
FUTURE = {"expiration": 4_102_444_800}
COMBINED: list[Any] = cases(
    ("market with both",         MARKET | {"value": "50"},                     invalid("amount")),
    ("market with neither",      MARKET | {"amount": ...},                     invalid("amount")),
    ("market with two nulls",    MARKET | {"amount": None, "value": None},     invalid("amount")),
    ("post_only, IOC",           POST | IOC,                                   invalid("post_only")),
    ("post_only, FOK",           POST | FOK,                                   invalid("post_only")),
    ("IOC, FOK",                 IOC | FOK,                                    invalid("immediate_or_cancel")),
    ("all three",                POST | IOC | FOK,                             invalid("post_only")),
    ("IOC, FOK is false",        IOC | {"fill_or_kill": False},                200),
    ("post_only, IOC is null",   POST | {"immediate_or_cancel": None},         200),
    ("all false",                dict.fromkeys(POST | IOC | FOK, False),       200),
    ("expiration, IOC",          FUTURE | IOC,                                 invalid("expiration")),
    ("expiration, FOK",          FUTURE | FOK,                                 invalid("expiration")),
    ("expiration, both are false", FUTURE | {"immediate_or_cancel": False, "fill_or_kill": False}, 200),
    ("expiration, both are null",  FUTURE | {"immediate_or_cancel": None, "fill_or_kill": None},   200),
    ("expiration is null, IOC",  IOC | {"expiration": None},                   200),
    ("expiration alone",         FUTURE,                                       200),
    ("expiration, post_only",    FUTURE | POST,                                200),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), COMBINED)
def test_r23_some_members_do_not_combine(asked: SignedDesk, members: dict[str, Any], outcome: object) -> None:
    assert outcome_of(place(asked, **members)) == outcome


# --- R24, R28: how long an order lives ---------------------------------------------------------------------------

# against an ask of 0.5 at 350000: members, status, executed
FORCES: list[Any] = cases(
    ("GTC fills what it can",          {"amount": "0.7"},                          "executed_partially",   "0.5"),
    ("GTC fills whole",                {"amount": "0.5"},                          "executed_completely",  "0.5"),
    ("GTC does not cross",             {"price": "349999"},                        "open",                 "0"),
    ("IOC, its rest is canceled",      IOC | {"amount": "0.7"},                    "canceled",             "0.5"),
    ("IOC, nothing there",             IOC | {"price": "349999"},                  "canceled",             "0"),
    ("FOK fills whole",                FOK | {"amount": "0.5"},                    "executed_completely",  "0.5"),
    ("FOK, not enough",                FOK | {"amount": "0.7"},                    "canceled",             "0"),
    ("post_only rests",                POST | {"price": "349999"},                 "open",                 "0"),
    ("post_only would cross",          POST,                                       "canceled",             "0"),
    ("market, its rest is canceled",   MARKET | {"amount": "0.7"},                 "canceled",             "0.5"),
    ("market, FOK, not enough",        MARKET | FOK | {"amount": "0.7"},           "canceled",             "0"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "status", "executed"), FORCES)
def test_r24_r28_time_in_force(asked: SignedDesk, members: dict[str, Any], status: str, executed: str) -> None:
    """That an order ends at once is no error: it was admitted."""
    order_id = placed(asked, **members)
    asked.match()
    row = shown(asked, order_id)
    assert (row["status"], row["executed_amount"]) == (status, executed)
    assert row["fill_or_kill"] is bool(members.get("fill_or_kill"))
    held = asked.world.balance("ann", BRL)[1]
    assert (held == 0) == (status in ("canceled", "executed_completely"))


def test_r24_an_expiration_is_told_after_the_flags_and_before_the_external_id(desk: SignedDesk) -> None:
    """In the order of the table (R10)."""
    faulty = {"expiration": 1, "external_id": ""}
    assert outcome_of(place(desk, fill_or_kill=5, **faulty)) == invalid("fill_or_kill")
    assert outcome_of(place(desk, **faulty)) == invalid("expiration")
    assert outcome_of(place(desk, pair="NO_PAIR", **faulty)) == invalid("expiration")
    assert outcome_of(place(desk, **FUTURE, **IOC)) == invalid("expiration")


# --- checks ------------------------------------------------------------------------------------------------------

# each has the fault of its row and of all later ones
LATER: list[tuple[str, dict[str, Any], object]] = [
    ("price off tick",         {"price": "350000.25"},                 invalid("price")),
    ("amount zero",            {"amount": "0"},                        invalid("amount")),
    ("under min_amount",       {"amount": "0.00000999"},               TOO_LITTLE),
    ("over the maximum",       {"amount": "1.5"},                      invalid("amount")),
    ("external_id used",       {"external_id": "TAKEN"},               invalid("external_id")),
    ("funds",                  {"amount": "1", "price": "9000000"},    NO_FUNDS),
]  # fmt: skip


@pytest.fixture
def bounded(memory_database: Database, clock: Waiting) -> SignedDesk:  # noqa: ARG001 - nothing waits in earnest
    """A book of ticks of 0.5, amounts from 0.00001 to 1, and an external id that is taken."""
    desk = open_market(memory_database, tick_size=50, order_size_min=1000, order_size_max=10**8)
    placed(desk, external_id="taken")
    return desk


@pytest.mark.parametrize("number", cases(*((name, number) for number, (name, *_) in enumerate(LATER))))
def test_the_endpoints_own_checks_come_in_this_order(bounded: SignedDesk, number: int) -> None:
    members: dict[str, Any] = {}
    for _, later, _ in reversed(LATER[number:]):
        members |= later
    _, _, outcome = LATER[number]
    assert outcome_of(place(bounded, **members)) == outcome
    change_book(bounded, status=BookStatus.PAUSED)
    assert outcome_of(place(bounded, **members)) == UNSUPPORTED
    assert outcome_of(place(bounded, **members, side="up")) == invalid("side")
    change_book(bounded, status=BookStatus.CLOSED)
    assert outcome_of(place(bounded, **members)) == NO_PAIR


BOUNDS: list[Any] = cases(
    ("price zero",              {"price": "0"},                                       invalid("price")),
    ("price zero before amount", {"price": "0", "amount": "0"},                       invalid("price")),
    ("price on a tick",         {"price": "350000.5"},                                200),
    ("value zero",              MARKET | {"amount": ..., "value": "0"},               invalid("value")),
    ("market amount zero",      MARKET | {"amount": "0"},                             invalid("amount")),
    ("market under min_amount", MARKET | {"amount": "0.00000999"},                    TOO_LITTLE),
    ("min_amount",              {"amount": "0.00001"},                                200),
    ("max_amount",              {"amount": "1"},                                      200),
    ("over it",                 {"amount": "1.00000001"},                             invalid("amount")),
    ("zero before min_amount",  {"amount": "0.00000000"},                             invalid("amount")),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), BOUNDS)
def test_bounds_of_price_and_amount(bounded: SignedDesk, members: dict[str, Any], outcome: object) -> None:
    rested(bounded, "sell", ("0.5", "360000"))
    assert outcome_of(place(bounded, **members)) == outcome


WORTH = cases(
    ("a cent",            "0.00000001",  "1000000",    200),
    ("less than a cent",  "0.00000001",  "999999.99",  TOO_LITTLE),
    ("1.9 cents",         "0.00000019",  "100000",     200),
    ("0.9 cents",         "0.00000009",  "100000",     TOO_LITTLE),
)  # fmt: skip


@pytest.mark.parametrize("side", cases(("buy", "buy"), ("sell", "sell")))
@pytest.mark.parametrize(("amount", "price", "outcome"), WORTH)
def test_a_limit_order_is_worth_a_least_unit_of_quote(
    desk: SignedDesk, side: str, amount: str, price: str, outcome: object
) -> None:
    assert outcome_of(place(desk, side=side, amount=amount, price=price)) == outcome


# --- answers -----------------------------------------------------------------------------------------------------


def test_r27_the_answer_shows_the_order_as_admitted(asked: SignedDesk) -> None:
    """It crosses: what becomes of it is not known yet."""
    data = exact(place(asked, external_id="desk7-0042", amount="0.015", price="350000.5"))
    assert list(data) == [
        "id", "create_date", "executed_amount", "external_id", "pair", "remaining_amount", "remaining_value",
        "requested_amount", "requested_value", "side", "status",
    ]  # fmt: skip
    assert {name: data[name] for name in list(data)[2:]} == {
        "executed_amount": "0", "external_id": "desk7-0042", "pair": "BTC_BRL", "remaining_amount": "0.015",
        "remaining_value": "5250", "requested_amount": "0.015", "requested_value": "5250", "side": "buy",
        "status": "open",
    }  # fmt: skip
    assert "external_id" not in exact(place(asked))


# Prefer, and the seconds that are waited for a result that does not come; the header that tells of one that does
WAITS = cases(
    ("none",                 None,              0,   None),
    ("wait=3",               "wait=3",          3,   "wait=3"),
    ("above 10",             "wait=99",         10,  "wait=10"),
    ("of several the first", "wait=2, wait=5",  2,   "wait=2"),
    ("with others",          "a, wait=2",       2,   "wait=2"),
    *((text, text, 0, None) for text in ("wait=0", "wait=-1", "wait=1.5", "wait=soon", "respond-async")),
)  # fmt: skip


@pytest.mark.parametrize(("prefer", "waited_s", "applied"), WAITS)
def test_r27_with_a_preference_the_state_after_the_first_result_is_shown(
    asked: SignedDesk, clock: Waiting, prefer: str | None, waited_s: int, applied: str | None
) -> None:
    headers = {"prefer": prefer} if prefer else {}
    slow = place(asked, headers)
    assert (data_of(slow)["status"], round(clock.slept_s, 6)) == ("open", waited_s)
    assert "Preference-Applied" not in slow.headers
    clock.meanwhile = asked.match
    quick = place(asked, headers)
    assert data_of(quick)["status"] == ("executed_completely" if waited_s else "open")
    assert quick.headers.get("Preference-Applied") == applied


def test_r29_an_order_has_its_place_and_its_hold_before_it_is_answered(desk: SignedDesk) -> None:
    order_ids = [placed(desk, amount=amount) for amount in ("0.01", "0.02")]
    assert [row["kind"] for row in desk.world.inbox_rows()] == ["place", "place"]
    assert desk.world.balance("ann", BRL) == (RICH_BRL - 1_050_000, 1_050_000)
    assert ids_of(data_of(desk.get(LIST, "pair=BTC_BRL"))) == order_ids[::-1]


def test_r29_a_refused_order_has_neither(desk: SignedDesk) -> None:
    before = desk.world.tables()
    assert outcome_of(place(desk, amount="5")) == NO_FUNDS
    assert desk.world.tables() == before


def test_r30_an_idempotency_key_is_not_read(desk: SignedDesk) -> None:
    header = {"idempotency-key": "order-0001"}
    ids = {data_of(place(desk, header))["id"] for _ in range(3)}
    assert len(ids) == 3
    assert outcome_of(place(desk, {"idempotency-key": "\x01 malformed"})) == 200


# --- R31: external ids -------------------------------------------------------------------------------------------


def test_r31_an_external_id_is_kept_as_sent_and_compared_ignoring_case(desk: SignedDesk) -> None:
    data = data_of(place(desk, external_id="Desk7-aBc"))
    assert data["external_id"] == shown(desk, data["id"])["external_id"] == "Desk7-aBc"
    for name in ("Desk7-aBc", "desk7-abc", "DESK7-ABC"):
        before = desk.world.tables()
        assert outcome_of(place(desk, external_id=name)) == invalid("external_id")
        assert desk.world.tables() == before
        assert data_of(desk.get(f"/trade/orders/by-external-id/{name}"))["id"] == data["id"]


ENDED = cases(
    ("open",       {}),
    ("canceled",   {"immediate_or_cancel": True, "price": "1"}),
    ("filled",     {"amount": "0.01"}),
)  # fmt: skip


@pytest.mark.parametrize("members", ENDED)
def test_r31_an_external_id_is_taken_for_all_time(asked: SignedDesk, members: dict[str, Any]) -> None:
    placed(asked, external_id="once", **members)
    asked.match()
    assert outcome_of(place(asked, external_id="ONCE")) == invalid("external_id")


def test_r31_an_external_id_of_a_refused_order_is_free(desk: SignedDesk) -> None:
    assert outcome_of(place(desk, external_id="mine", amount="5")) == NO_FUNDS
    assert outcome_of(place(desk, external_id="mine")) == 200


def test_r31_another_customer_may_have_the_same(desk: SignedDesk) -> None:
    assert outcome_of(place(desk, external_id="mine")) == 200
    assert outcome_of(place(desk_of_ben(desk), external_id="mine")) == 200
