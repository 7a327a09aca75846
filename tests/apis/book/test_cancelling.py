"""Cancelling at the book desk while something else goes on: a matcher, a fill, a fault of DynamoDB (T29)."""

from __future__ import annotations

import json

import pytest

from chalicelib.apis.book import api
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services import polling
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import Orders
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import Desk, open_desk, outcome_of
from tests.faults import FAULTS, FaultyClient, unavailable
from tests.invariants import check_invariants
from tests.waiting import Waiting
from tests.world import BASE, INSTANCE, NOW_MS, QUOTE, World

NOT_FOUND = (404, "ORDER_NOT_FOUND")
PENDING = (503, "CANCEL_PENDING")
CALLS_MAX = 60


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    waiting = Waiting()
    monkeypatch.setattr(polling, "time", waiting)
    return waiting


@pytest.fixture
def desk(memory_database: Database, waiting: Waiting) -> Desk:  # noqa: ARG001 - no test here waits in earnest
    return open_desk(World(memory_database))


def cancels_queued(desk: Desk) -> int:
    return sum(row["kind"] == "cancel" for row in desk.world.database.scan("inbox"))


def assert_cancelled(response: HttpResponse, order_id: str) -> None:
    assert response.status == 200, response.body
    assert json.loads(response.body)["data"] == {"id": order_id, "status": "CANCELLED", "cancelledAt": iso(NOW_MS)}


def test_an_order_whose_turn_has_not_come_is_placed_before_it_is_cancelled(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    waiting.meanwhile = desk.match
    assert_cancelled(desk.cancel(order_id), order_id)
    check_invariants(desk.world, {BASE: 2000, QUOTE: 2000})


def test_a_fill_that_is_not_shown_yet_when_the_cancel_is_refused_wins_too(desk: Desk, waiting: Waiting) -> None:
    """The note of the refusal is enough: the answer does not wait for the row to close."""
    order_id, owner = desk.placed(), customer_key(INSTANCE, "ann")
    desk.match()
    waiting.meanwhile = lambda: desk.world.orders.note_refused_cancels([(owner, order_id)], 7)
    assert outcome_of(desk.cancel(order_id)) == NOT_FOUND
    assert waiting.slept_s < 1


def test_an_order_that_its_book_closed_meanwhile_is_not_found(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    desk.world.change_status(BookStatus.CLOSED)
    up_to_the_close = list(desk.world.records)
    waiting.meanwhile = lambda: desk.world.deliver(records=up_to_the_close)
    assert outcome_of(desk.cancel(order_id)) == NOT_FOUND
    assert desk.world.order("ann", order_id).reason is CloseReason.BOOK_CLOSED


@pytest.mark.parametrize("is_known", [True, False], ids=["known caller", "first request"])
@pytest.mark.parametrize("fault", ["error before", "outcome unknown", "throttled"])
def test_an_answer_is_true_at_whichever_call_dynamodb_fails(
    memory_database: Database, waiting: Waiting, fault: str, is_known: bool
) -> None:
    """200: cancelled. CANCEL_PENDING: queued. SERVICE_UNAVAILABLE: nothing was changed. A repeat always ends it.

    is_known: all that the cancel reads is read with the key, so where that fails the key is not checked.
    """
    faulty = FaultyClient(memory_database._client, FAULTS[fault])
    desk = open_desk(World(Database(faulty, memory_database._prefix, lambda _: None)))  # type: ignore[arg-type]
    answers = set()
    for call in range(1, CALLS_MAX):
        order_id = desk.placed(quantity="1")
        queued, before = cancels_queued(desk), desk.world.tables()
        waiting.meanwhile = lambda: None
        if not is_known:
            desk = Desk(desk.world, new_book_desk(desk.world.database))
        faulty.strike_at(call)
        response = desk.cancel(order_id)
        struck = faulty.has_struck
        faulty.strike_at(0)
        code = outcome_of(response)
        answers.add(code)
        assert code in (PENDING, (503, "SERVICE_UNAVAILABLE"), (500, "AUTH_ERROR"), (500, "INTERNAL_ERROR"))
        if code == PENDING:
            assert cancels_queued(desk) == queued + 1
        elif code != (500, "INTERNAL_ERROR"):
            assert desk.world.tables() == before
        waiting.meanwhile = desk.match
        assert_cancelled(desk.cancel(order_id), order_id)
        assert cancels_queued(desk) == queued + 1
        if not struck:
            assert {PENDING, (500, "AUTH_ERROR") if is_known else (503, "SERVICE_UNAVAILABLE")} <= answers
            check_invariants(desk.world, {BASE: 2000, QUOTE: 2000})
            return
    pytest.fail(f"a cancel takes more than {CALLS_MAX} calls")


def test_tables_that_fail_once_the_cancel_is_queued_leave_it_pending(
    desk: Desk, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SERVICE_UNAVAILABLE would say that nothing was changed."""
    order_id = desk.placed()
    waiting.meanwhile = lambda: monkeypatch.setattr(Orders, "get", unavailable)
    response = desk.cancel(order_id)
    assert outcome_of(response) == PENDING
    assert response.headers["Retry-After"] == "1"
    assert cancels_queued(desk) == 1


def test_the_answer_bears_the_time_at_which_the_wait_ended(
    desk: Desk, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "now_ms", lambda: NOW_MS + int(waiting.slept_s * 1000))
    order_id = desk.placed()
    waiting.meanwhile = desk.match
    response = desk.cancel(order_id)
    assert_cancelled(response, order_id)
    assert json.loads(response.body)["metadata"]["timestamp"] == iso(NOW_MS + int(waiting.slept_s * 1000))
    assert waiting.slept_s > 0
