"""A book's price band and its circuit breaker: their settings, and the halt (O11 to O14)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from chalicelib.apis.book.routes import BOOKS, ONE_BOOK, ONE_ORDER, RESUME, SETTINGS
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.forms import PROTECTION
from chalicelib.domain.ledger.owners import book_key
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import Desk, data_of, fields_of, json_body, outcome_of
from tests.case_tables import cases
from tests.faults import FAULTS, Died, FaultyClient
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE

BREAKER = {"haltBps": 1000, "haltWindowSeconds": 60, "haltSeconds": 300}
OFF = dict.fromkeys(PROTECTION.values())


def change(desk: Desk, **members: Any) -> HttpResponse:
    return desk.send("PATCH", SETTINGS, body=json_body(members), orderBookId=BOOK_ID)


def shown(desk: Desk, book_id: str = BOOK_ID) -> dict[str, Any]:
    book: dict[str, Any] = data_of(desk.get(ONE_BOOK, orderBookId=book_id))
    return book


def one(desk: Desk, order_id: str, customer: str = "ann") -> dict[str, Any]:
    order: dict[str, Any] = data_of(desk.get(ONE_ORDER, {"customerRef": customer}, orderId=order_id))
    return order


def protection_of(book: dict[str, Any]) -> dict[str, Any]:
    return {name: book[name] for name in OFF}


# --- the settings --------------------------------------------------------------------------------------------------


def test_a_new_book_has_the_protection_that_was_asked_for(desk: Desk) -> None:
    asked = {"priceBandBps": 500, **BREAKER}
    pair = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "Back", "symbol": "Q/B"}
    made = data_of(desk.send("POST", BOOKS, body=json_body(pair | asked)), 201)
    assert protection_of(shown(desk, made["id"])) == asked


def test_protection_is_off_until_it_is_set_and_null_takes_it_away(desk: Desk) -> None:
    assert protection_of(shown(desk)) == OFF
    assert protection_of(data_of(change(desk, priceBandBps=500))) == OFF | {"priceBandBps": 500}
    assert protection_of(data_of(change(desk, **BREAKER))) == {"priceBandBps": 500, **BREAKER}
    assert protection_of(data_of(change(desk, haltSeconds=60))) == {"priceBandBps": 500, **BREAKER, "haltSeconds": 60}
    assert protection_of(data_of(change(desk, priceBandBps=None))) == OFF | BREAKER | {"haltSeconds": 60}
    assert protection_of(data_of(change(desk, **dict.fromkeys(BREAKER)))) == OFF


@pytest.mark.parametrize("name", BREAKER)
def test_o12_the_settings_of_a_breaker_come_together(desk: Desk, name: str) -> None:
    before = desk.world.tables()
    part = BREAKER | {name: None}
    assert outcome_of(change(desk, **part)) == (400, "INVALID_CONFIG")
    pair = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "Back", "symbol": "Q/B"}
    assert outcome_of(desk.send("POST", BOOKS, body=json_body(pair | part))) == (400, "INVALID_CONFIG")
    assert desk.world.tables() == before


BAD = cases(
    ("a band of zero",         {"priceBandBps": 0}),
    ("a band as text",         {"priceBandBps": "5"}),
    ("a band above all",       {"priceBandBps": 10_001}),
    ("a window over an hour",  {"haltWindowSeconds": 3_601}),
    ("a halt over a day",      {"haltSeconds": 86_401}),
    ("a distance of zero",     {"haltBps": 0}),
)  # fmt: skip


@pytest.mark.parametrize("members", BAD)
def test_a_change_of_protection_that_is_a_fault(desk: Desk, members: dict[str, Any]) -> None:
    before = desk.world.tables()
    assert fields_of(change(desk, **members)) == list(members)
    assert desk.world.tables() == before


def test_o17_a_book_from_before_has_no_protection(desk: Desk) -> None:
    row = desk.world.database.get("books", {"book": book_key(INSTANCE, BOOK_ID), "part": "config"})
    assert row is not None
    old = {name: value for name, value in row.items() if name not in PROTECTION}
    assert len(old) == len(row) - len(PROTECTION)
    desk.world.database.put_many("books", [old])
    assert protection_of(shown(desk)) == OFF


# --- the halt ------------------------------------------------------------------------------------------------------


def halt(desk: Desk) -> None:
    """Trade at 50, then try to trade at 60, which is too far for the breaker."""
    desk.world.now_ms = now_ms()
    change(desk, **BREAKER)
    desk.rested((10, 50), (10, 60))
    desk.placed(quantity="10", price="50")
    desk.match()
    stopped = desk.placed(quantity="5", price="60")
    desk.match()
    assert one(desk, stopped)["cancelReason"] == "CIRCUIT_BREAKER"


def states(desk: Desk) -> tuple[str, str]:
    book = shown(desk)
    return book["status"], book["tradingState"]


def test_o13_a_halted_book_shows_paused_and_its_trading_state_says_why(desk: Desk) -> None:
    assert states(desk) == ("ACTIVE", "ACTIVE")
    halt(desk)
    assert states(desk) == ("PAUSED", "HALTED")
    assert [row["status"] for row in data_of(desk.get(BOOKS))] == ["PAUSED"]
    assert data_of(desk.get(BOOKS, {"status": "ACTIVE"})) == []
    taken_away = data_of(change(desk, **dict.fromkeys(BREAKER)))
    assert (taken_away["status"], taken_away["tradingState"]) == ("PAUSED", "HALTED")
    change(desk, status="PAUSED")
    assert states(desk) == ("PAUSED", "PAUSED")
    change(desk, status="CLOSED")
    assert states(desk) == ("CLOSED", "CLOSED")


def test_o12_a_halted_book_refuses_orders_and_takes_cancels(desk: Desk) -> None:
    (resting, _) = desk.rested((10, 70), (10, 71))
    halt(desk)
    before = desk.world.tables()
    assert outcome_of(desk.place()) == (400, "ORDER_BOOK_INACTIVE")
    assert desk.world.tables() == before
    desk.cancel(resting, "ben", {"prefer": "respond-async"})
    desk.match()
    assert one(desk, resting, "ben")["status"] == "CANCELLED"


def test_o12_orders_are_admitted_once_the_time_of_a_halt_is_over(desk: Desk) -> None:
    desk.world.now_ms = now_ms() - 1000 * BREAKER["haltSeconds"]
    halt_at_ms = desk.world.now_ms
    change(desk, **BREAKER)
    desk.rested((10, 50), (10, 60))
    desk.placed(quantity="10", price="50")
    desk.placed(quantity="5", price="60")
    desk.match()
    view = desk.world.views.of(desk.world.book)
    assert view.halted_until_ms == halt_at_ms + 1000 * BREAKER["haltSeconds"]
    assert states(desk) == ("ACTIVE", "ACTIVE")
    desk.world.now_ms = now_ms()
    order = desk.placed(price="40")
    desk.match()
    assert one(desk, order)["status"] == "OPEN"
    assert desk.world.views.of(desk.world.book).halted_until_ms is None


def test_o11_the_rest_of_an_order_beyond_the_band_says_why_it_ended(desk: Desk) -> None:
    change(desk, priceBandBps=1000)
    desk.rested((10, 50), (10, 60))
    desk.placed(quantity="1", price="50")
    order = desk.placed(quantity="12", price="60")
    desk.match()
    assert (one(desk, order)["status"], one(desk, order)["cancelReason"]) == ("CANCELLED", "PRICE_BAND")


# --- the operator's resume -----------------------------------------------------------------------------------------


def resume(desk: Desk, book_id: str = BOOK_ID, **members: Any) -> HttpResponse:
    return desk.send("POST", RESUME, body=json_body(members), orderBookId=book_id)


def test_o12_the_operator_ends_a_halt_at_the_turn_of_its_command(desk: Desk) -> None:
    halt(desk)
    answer = data_of(resume(desk), 202)
    assert answer == {"id": BOOK_ID, "reference": None, "commandId": answer["commandId"]}
    assert states(desk) == ("PAUSED", "HALTED")
    desk.match()
    assert states(desk) == ("ACTIVE", "ACTIVE")
    order = desk.placed(quantity="5", price="60")
    desk.match()
    assert one(desk, order)["status"] == "FILLED"


def test_o12_a_resume_that_is_delivered_again_ends_no_later_halt(desk: Desk) -> None:
    halt(desk)
    resume(desk)
    desk.match()
    desk.rested((1, 40))
    for price in ("40", "60"):
        desk.placed(quantity="1", price=price)
    desk.match()
    assert states(desk) == ("PAUSED", "HALTED")
    desk.match()
    assert states(desk) == ("PAUSED", "HALTED")


def test_t122_under_a_key_a_halt_is_ended_once(desk: Desk) -> None:
    """The repeat comes after a later halt; without the key it would end that one."""
    key = {"idempotency-key": "resume-0001"}

    def once(book_id: str = BOOK_ID, **members: Any) -> HttpResponse:
        return desk.send("POST", RESUME, body=json_body(members), headers=key, orderBookId=book_id)

    halt(desk)
    first = once(reference="50")
    desk.match()
    desk.rested((1, 40))
    for price in ("40", "60"):
        desk.placed(quantity="1", price=price)
    desk.match()
    before = desk.world.tables()
    again = once(reference="50")
    assert (again.status, again.body) == (first.status, first.body)
    assert (first.headers.get("Idempotent-Replay"), again.headers["Idempotent-Replay"]) == (None, "true")
    assert (
        outcome_of(once(reference="51"))
        == outcome_of(once("ob_other", reference="50"))
        == (409, "IDEMPOTENCY_MISMATCH")
    )
    assert desk.world.tables() == before
    desk.match()
    assert states(desk) == ("PAUSED", "HALTED")


@pytest.mark.parametrize("fault", ["death before", "death after", "outcome unknown", "in conflict"])
def test_t122_a_halt_and_its_key_are_ended_and_kept_together_or_not_at_all(desk: Desk, fault: str) -> None:
    """T14: a repeat after any fault ends the halt once."""
    halt(desk)
    client: Any = FaultyClient(desk.world.database._client, FAULTS[fault], at=1, operation="transact_write_items")
    there = Desk(desk.world, new_book_desk(Database(client, desk.world.database._prefix, pause=lambda _seconds: None)))
    sent = {"body": b"{}", "headers": {"idempotency-key": "resume-0001"}, "orderBookId": BOOK_ID}
    with suppress(Died):
        there.send("POST", RESUME, **sent)
    assert client.has_struck
    assert desk.send("POST", RESUME, **sent).status == 202
    assert [row["kind"] for row in desk.world.inbox_rows()].count("resume") == 1


def test_o11_the_operator_sets_the_reference_of_the_price_band(desk: Desk) -> None:
    change(desk, priceBandBps=1000)
    desk.rested((1, 50), (10, 70))
    desk.placed(quantity="1", price="50")
    stopped = desk.placed(quantity="2", price="70")
    desk.match()
    assert one(desk, stopped)["cancelReason"] == "PRICE_BAND"
    assert data_of(resume(desk, reference="70"), 202)["reference"] == "70"
    order = desk.placed(quantity="2", price="70")
    desk.match()
    assert one(desk, order)["status"] == "FILLED"


REFUSED = cases(
    ("no such book",           "ob_none", {},                        (404, "ORDER_BOOK_NOT_FOUND")),
    ("a reference of zero",    BOOK_ID,   {"reference": "0"},        (400, "INVALID_PRICE")),
    ("a price above all",      BOOK_ID,   {"reference": "9" * 38},   (400, "INVALID_PRICE")),
    ("a number",               BOOK_ID,   {"reference": 5},          ["reference"]),
)  # fmt: skip


@pytest.mark.parametrize(("book_id", "members", "expected"), REFUSED)
def test_a_resume_that_is_refused_changes_nothing(
    desk: Desk, book_id: str, members: dict[str, Any], expected: Any
) -> None:
    before = desk.world.tables()
    response = resume(desk, book_id, **members)
    assert (fields_of(response) if isinstance(expected, list) else outcome_of(response)) == expected
    assert desk.world.tables() == before


def test_a_closed_book_is_not_resumed(desk: Desk) -> None:
    change(desk, status="CLOSED")
    assert outcome_of(resume(desk)) == (400, "INVALID_CONFIG")
