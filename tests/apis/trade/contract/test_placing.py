"""POST orders: its members, which combine, what is checked in which order, what is answered (R23, R24, R27 to R31)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import ONE_ORDER
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.services.books.expiry import Expiring
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk
from tests.apis.book import desk as book
from tests.apis.trade.cases import (
    BRL,
    CANCELED,
    LIST,
    NO_FUNDS,
    NO_PAIR,
    NOTHING,
    PAIR,
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
from tests.apis.trade.desk import SignedDesk, data_of, open_trade_desk
from tests.apis.trade.rows import ids_of
from tests.case_tables import cases
from tests.waiting import Waiting
from tests.world import INSTANCE, NOW_MS, World

MARKET: dict[str, Any] = {"type": "market", "price": ...}


@pytest.fixture
def asked(desk: SignedDesk) -> SignedDesk:
    """The desk with an ask of 0.5 at 350000, so that market orders find something."""
    rested(desk, "sell", ("0.5", "350000"))
    return desk


@pytest.fixture
def timed(memory_database: Database, clock: Waiting) -> SignedDesk:  # noqa: ARG001 - nothing waits in earnest
    """The desk at NOW_MS by its own clock, which is that of its matchers too."""
    worlds = [World(memory_database)]
    desk = open_market(memory_database, desk=open_trade_desk(worlds[0], clock=lambda: worlds[-1].now_ms))
    worlds.append(desk.world)
    return desk


def let_pass(desk: SignedDesk, duration_ms: int) -> None:
    """Let time pass, in which somebody looks which orders expire; looks take no time."""
    world = desk.world
    end_ms = world.now_ms + duration_ms

    def pause(duration_s: float) -> None:
        world.now_ms += int(duration_s * 1000)

    expiring = Expiring(world.database, world.matcher(), lambda: world.now_ms)
    expiring.run(lambda: world.now_ms < end_ms, pause)
    world.now_ms = end_ms


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


# at NOW_MS, 1736937000000; the expiration, and the ms at which the order expires, or None where it is faulty
EXPIRATIONS: list[Any] = cases(
    ("seconds in the future",     4_102_444_800,         4_102_444_800_000),
    ("ms in the future",          4_102_444_800_000,     4_102_444_800_000),
    ("as a string",               "4102444800",          4_102_444_800_000),
    ("with a fraction of zero",   4_102_444_800.0,       4_102_444_800_000),
    ("the largest seconds",       99_999_999_999,        99_999_999_999_000),
    ("a little more than those",  "99999999999.9999",    99_999_999_999_999),
    ("the least ms, long ago",    100_000_000_000,       None),
    ("the next second",           1_736_937_001,         NOW_MS + 1_000),
    ("the next ms",               NOW_MS + 1,            NOW_MS + 1),
    ("a fraction of a second",    1_736_937_000.5,       NOW_MS + 500),
    ("a fraction is cut off",     "1736937000.0019",     NOW_MS + 1),
    ("a fraction of a ms is, too", "1736937000001.9",    NOW_MS + 1),
    ("less than a ms from now",   "1736937000000.9",     None),
    ("now, in seconds",           1_736_937_000,         None),
    ("now, in ms",                NOW_MS,                None),
    ("seconds in the past",       1_700_000_000,         None),
    ("ms in the past",            1_700_000_000_000,     None),
    ("zero",                      0,                     None),
    ("minus zero",                -0.0,                  None),
    ("negative",                  -4_102_444_800,        None),
    ("the end of the year 9999",  253_402_300_799_999,   253_402_300_799_999),
    ("a ms later",                253_402_300_800_000,   None),
    ("now, in microseconds",      NOW_MS * 1_000,        None),
    ("huge",                      1e300,                 None),
    ("tiny",                      1e-300,                None),
    ("a text",                    "tomorrow",            None),
    ("a date",                    "2100-01-01",          None),
    ("an empty text",             "",                    None),
    ("a negative text",           "-4102444800",         None),
    ("true",                      True,                  None),
    ("false",                     False,                 None),
    ("a list",                    [4_102_444_800],       None),
    ("an object",                 {},                    None),
)  # fmt: skip


@pytest.mark.parametrize(("expiration", "expires_at_ms"), EXPIRATIONS)
def test_r24_an_expiration_is_a_time_in_the_future(
    timed: SignedDesk, expiration: object, expires_at_ms: int | None
) -> None:
    before = timed.world.tables()
    outcome = outcome_of(place(timed, expiration=expiration))
    assert outcome == (invalid("expiration") if expires_at_ms is None else 200)
    assert [row["expires_at_ms"] for row in timed.world.database.scan("open-orders")] == [expires_at_ms] * (
        outcome == 200
    )
    assert outcome == 200 or timed.world.tables() == before


def test_r24_an_order_with_none_does_not_expire(timed: SignedDesk) -> None:
    order_ids = [placed(timed), placed(timed, expiration=None)]
    timed.match()
    timed.world.now_ms += 10**11
    placed(desk_of_ben(timed), side="sell", amount="0.01")
    timed.match()
    assert [shown(timed, order_id)["status"] for order_id in order_ids] == ["executed_completely", "open"]


# what passes between the order and its taker, and what of it is executed then; it expires after a second
LIVES = cases(
    ("a ms before",      999,     "0.5"),
    ("that very moment", 1_000,   "0"),
    ("an hour later",    3_600_000, "0"),
)  # fmt: skip


@pytest.mark.parametrize("side", cases(("buy", "buy"), ("sell", "sell")))
@pytest.mark.parametrize(("passes_ms", "executed"), LIVES)
def test_r24_an_order_never_trades_at_its_time_or_later(
    timed: SignedDesk, side: str, passes_ms: int, executed: str
) -> None:
    """Though nobody has looked at the book in between; whoever comes finds who is behind it."""
    maker = placed(timed, side=side, amount="0.5", expiration=NOW_MS + 1_000)
    behind = placed(timed, side=side, amount="0.5")
    timed.match()
    timed.world.now_ms += passes_ms
    other = "sell" if side == "buy" else "buy"
    placed(desk_of_ben(timed), side=other, amount="0.5")
    timed.match()
    assert shown(timed, maker)["executed_amount"] == executed
    assert shown(timed, maker)["status"] == ("executed_completely" if executed != "0" else "canceled")
    assert shown(timed, behind)["executed_amount"] == ("0" if executed != "0" else "0.5")


def test_r24_an_order_whose_turn_comes_at_its_time_does_not_trade(timed: SignedDesk) -> None:
    rested(timed, "sell", ("0.5", "350000"))
    taker = placed(timed, amount="0.5", expiration=NOW_MS + 1_000)
    timed.world.now_ms += 1_000
    timed.match()
    row = shown(timed, taker)
    assert (row["status"], row["executed_amount"], row["transactions"]) == ("canceled", "0", [])
    assert timed.world.balance("ann", BRL) == (RICH_BRL, 0)


def test_r24_an_order_in_a_quiet_book_is_expired_within_a_second(timed: SignedDesk) -> None:
    """The looks begin at any moment; the order has traded in part."""
    order_id = placed(timed, amount="0.5", expiration=NOW_MS + 12_345)
    timed.match()
    placed(desk_of_ben(timed), side="sell", amount="0.2")
    timed.match()
    let_pass(timed, 12_344)
    assert shown(timed, order_id)["status"] == "executed_partially"
    let_pass(timed, 1_001)
    row = shown(timed, order_id)
    assert (row["status"], row["executed_amount"], row["remaining_amount"]) == ("canceled", "0.2", "0.3")
    assert row["update_date"] <= iso(NOW_MS + 13_345)
    assert timed.world.balance("ann", BRL) == (RICH_BRL - 7_000_000, 0)
    listed = {
        status: ids_of(data_of(timed.get(LIST, {"pair": PAIR, "status": status})))
        for status in ("open", "executed_partially", "executed_completely", "canceled")
    }
    assert listed == {**{status: [] for status in listed}, "canceled": [order_id]}
    assert ids_of(data_of(timed.get(f"{LIST}/open"))) == []


def test_r24_the_book_desk_shows_it_as_expired(timed: SignedDesk) -> None:
    placed(timed, expiration=NOW_MS + 1_000)
    timed.match()
    let_pass(timed, 2_000)
    timed.world.tenants().add_key(INSTANCE, "key_1", book.API_KEY, 0)
    desk = book.Desk(timed.world, new_book_desk(timed.world.database))
    (row,) = desk.rows(status="EXPIRED")
    assert desk.rows(status="CANCELLED") == desk.rows(status="OPEN") == []
    one = json.loads(desk.get(ONE_ORDER, {"customerRef": "ann"}, orderId=row["id"]).body)["data"]
    assert (one["status"], one["cancelReason"], one["filledQuantity"]) == ("EXPIRED", "EXPIRED", "0")
    assert book.outcome_of(desk.cancel(row["id"])) == (404, "ORDER_NOT_FOUND")


@pytest.mark.parametrize("is_expired", cases(("expired", True), ("due, nobody has looked yet", False)))
def test_r24_an_order_that_has_expired_cannot_be_cancelled(timed: SignedDesk, clock: Waiting, is_expired: bool) -> None:
    """Of one that is due the cancel is queued, and comes too late when its turn comes."""
    order_id = placed(timed, external_id="mine", expiration=NOW_MS + 1_000)
    timed.match()
    timed.world.now_ms += 1_000
    clock.meanwhile = timed.match
    if is_expired:
        let_pass(timed, 1_000)
    assert outcome_of(timed.delete(LIST, {"id": order_id})) == CANCELED
    assert outcome_of(timed.delete(f"{LIST}/by-external-id", {"external_id": "mine"})) == CANCELED
    assert outcome_of(timed.delete(f"{LIST}/all")) == NOTHING
    assert shown(timed, order_id)["status"] == "canceled"
    assert timed.world.balance("ann", BRL) == (RICH_BRL, 0)


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
