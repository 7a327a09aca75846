"""Cancelling an order over the book desk: form, whose order it is, and what the wait for its result ends in (T29)."""

from __future__ import annotations

import json

import pytest

from chalicelib.apis.book import api
from chalicelib.apis.book.routes import ONE_ORDER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason, OrderStatus
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books import waiting as outcomes
from chalicelib.support.clock import iso
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import Orders
from tests.apis.book.desk import Desk, code_of, fields_of, open_desk
from tests.faults import FAULTS, FaultyClient
from tests.invariants import check_invariants
from tests.waiting import Waiting
from tests.world import BASE, INSTANCE, NOW_MS, QUOTE, World

NOT_FOUND = (404, "ORDER_NOT_FOUND")
PENDING = (503, "CANCEL_PENDING")
CALLS_MAX = 60


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    waiting = Waiting()
    monkeypatch.setattr(outcomes, "time", waiting)
    return waiting


@pytest.fixture
def desk(memory_database: Database, waiting: Waiting) -> Desk:  # noqa: ARG001 - no test here waits in earnest
    return open_desk(World(memory_database))


def cancels_queued(desk: Desk) -> int:
    return sum(row["kind"] == "cancel" for row in desk.world.database.scan("inbox"))


def assert_cancelled(response: HttpResponse, order_id: str) -> None:
    assert response.status == 200, response.body
    assert json.loads(response.body)["data"] == {"id": order_id, "status": "CANCELLED", "cancelledAt": iso(NOW_MS)}


def test_a_resting_order_is_cancelled_and_its_hold_released(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    desk.match()
    waiting.meanwhile = desk.match
    response = desk.cancel(order_id)
    assert_cancelled(response, order_id)
    assert list(json.loads(response.body)["data"]) == ["id", "status", "cancelledAt"]
    assert desk.world.balance("ann", QUOTE) == (1000, 0)
    assert [row["status"] for row in desk.rows()] == ["CANCELLED"]
    check_invariants(desk.world, {BASE: 2000, QUOTE: 2000})


def test_an_order_whose_turn_has_not_come_is_placed_before_it_is_cancelled(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    waiting.meanwhile = desk.match
    assert_cancelled(desk.cancel(order_id), order_id)
    check_invariants(desk.world, {BASE: 2000, QUOTE: 2000})


def test_the_filled_part_stays_and_the_hold_of_the_rest_is_released(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed(quantity="10", price="50")
    desk.placed(customerRef="ben", side="SELL", quantity="4", price="50")
    desk.match()
    assert desk.world.balance("ann", QUOTE) == (500, 300)
    waiting.meanwhile = desk.match
    assert_cancelled(desk.cancel(order_id), order_id)
    (row,) = desk.rows()
    assert (row["status"], row["filledQuantity"]) == ("CANCELLED", "4")
    assert desk.world.balance("ann", QUOTE) == (800, 0)
    assert desk.world.balance("ann", BASE) == (1004, 0)
    check_invariants(desk.world, {BASE: 2000, QUOTE: 2000})


def test_a_cancel_without_a_result_is_pending_after_its_wait_and_stays_queued(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    response = desk.cancel(order_id)
    assert code_of(response) == PENDING
    assert response.headers["Retry-After"] == "1"
    assert waiting.slept_s == pytest.approx(outcomes.CANCEL_WAIT_S)
    assert cancels_queued(desk) == 1
    assert desk.world.order("ann", order_id).status is OrderStatus.OPEN


def test_a_repeat_joins_the_queued_cancel_and_after_its_success_finds_nothing(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    assert code_of(desk.cancel(order_id)) == PENDING
    once = desk.world.tables()
    assert code_of(desk.cancel(order_id)) == PENDING
    assert desk.world.tables() == once
    waiting.meanwhile = desk.match
    assert_cancelled(desk.cancel(order_id), order_id)
    assert cancels_queued(desk) == 1
    closed = desk.world.tables()
    assert code_of(desk.cancel(order_id)) == NOT_FOUND
    assert desk.world.tables() == closed


def test_a_fill_that_comes_before_the_cancels_turn_wins(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    desk.placed(customerRef="ben", side="SELL")
    waiting.meanwhile = desk.match
    response = desk.cancel(order_id)
    assert code_of(response) == NOT_FOUND
    assert json.loads(response.body)["error"]["message"] == "Order not found or already closed"
    assert cancels_queued(desk) == 1
    assert desk.world.order("ann", order_id).status is OrderStatus.FILLED
    check_invariants(desk.world, {BASE: 2000, QUOTE: 2000})


def test_a_fill_that_is_not_shown_yet_when_the_cancel_is_refused_wins_too(desk: Desk, waiting: Waiting) -> None:
    """The note of the refusal is enough: the answer does not wait for the row to close."""
    order_id, owner = desk.placed(), customer_key(INSTANCE, "ann")
    desk.match()
    waiting.meanwhile = lambda: desk.world.orders.note_refused_cancels([(owner, order_id)], 7)
    assert code_of(desk.cancel(order_id)) == NOT_FOUND
    assert waiting.slept_s < 1


@pytest.mark.parametrize("status", [BookStatus.PAUSED, BookStatus.ACTIVE])
def test_cancelling_works_on_a_paused_book(desk: Desk, waiting: Waiting, status: BookStatus) -> None:
    order_id = desk.placed()
    desk.world.change_status(status)
    desk.match()
    waiting.meanwhile = desk.match
    assert_cancelled(desk.cancel(order_id), order_id)


def test_an_order_that_its_book_closed_meanwhile_is_not_found(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    desk.world.change_status(BookStatus.CLOSED)
    up_to_the_close = list(desk.world.records)
    waiting.meanwhile = lambda: desk.world.deliver(records=up_to_the_close)
    assert code_of(desk.cancel(order_id)) == NOT_FOUND
    assert desk.world.order("ann", order_id).reason is CloseReason.BOOK_CLOSED


def test_a_closed_order_is_not_found_at_once(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed(timeInForce="IOC")
    desk.match()
    before = desk.world.tables()
    assert code_of(desk.cancel(order_id)) == NOT_FOUND
    assert desk.world.tables() == before
    assert waiting.slept_s == 0


def test_unknown_orders_and_those_of_others_are_not_found_and_stay_as_they_are(desk: Desk) -> None:
    """Guarantee 8: whoever asks cannot tell which of these it is."""
    order_id = desk.placed()
    desk.match()
    tenants = desk.world.tenants()
    tenants.create_instance("other001", frozenset({"trading"}))
    foreign_key = "trusset_other001_" + "0123456789abcdef" * 4
    tenants.add_key("inst_other001", "key_2", foreign_key, 0)
    before = desk.world.tables()
    body = b'{"customerRef": "ann"}'
    answers = [
        desk.cancel(order_id, "ben"),
        desk.cancel(order_id, "Ann"),
        desk.cancel(order_id + "x"),
        desk.cancel(order_id.lower()),
        desk.cancel("x"),
        desk.send("DELETE", ONE_ORDER, key=foreign_key, body=body, orderId=order_id),
    ]
    assert [code_of(answer) for answer in answers] == [NOT_FOUND] * len(answers)
    assert len({json.loads(answer.body)["error"]["message"] for answer in answers}) == 1
    assert desk.world.tables() == before


@pytest.mark.parametrize("segment", ["x" * 101, "%C3%A9" * 101, "%FF", "%zz", "%", "%00", "a%7Fb", "a%0A", "é"])
def test_an_order_id_that_cannot_be_one_is_an_invalid_parameter_before_the_body_is_read(
    desk: Desk, segment: str
) -> None:
    desk.placed()
    before = desk.world.tables()
    assert code_of(desk.send("DELETE", ONE_ORDER, body=b"no json", orderId=segment)) == (400, "INVALID_PARAM")
    assert desk.world.tables() == before


@pytest.mark.parametrize("segment", ["x" * 100, "%C3%A9" * 100, "a+b", "a%2Fb", "%20", "%25zz"])
def test_any_other_order_id_of_up_to_a_hundred_characters_is_looked_up(desk: Desk, segment: str) -> None:
    assert code_of(desk.cancel(segment)) == NOT_FOUND


def test_the_order_id_is_percent_decoded(desk: Desk, waiting: Waiting) -> None:
    order_id = desk.placed()
    waiting.meanwhile = desk.match
    assert_cancelled(desk.cancel(order_id.replace("_", "%5F")), order_id)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"), (b"{", "body"), (b"[]", "body"), (b"null", "body"), (b"\xff{}", "body"),
        (b"{}", "customerRef"), (b'{"customerRef": null}', "customerRef"), (b'{"customerRef": ""}', "customerRef"),
        (b'{"customerRef": 7}', "customerRef"), (b'{"customerRef": ["ann"]}', "customerRef"),
        (b'{"customerRef": "a\\u0000"}', "customerRef"), (b'{"customerRef": "ann\\n"}', "customerRef"),
        (b'{"customerRef": "\\ud800"}', "customerRef"),
        (b'{"customerRef": "' + b"x" * 257 + b'"}', "customerRef"),
        (b'{"customerRef": "ann", "customerRef": 1}', "customerRef"), (b'{"customerref": "ann"}', "customerRef"),
    ],
)  # fmt: skip
def test_a_faulty_body_is_named_and_changes_nothing(desk: Desk, body: bytes, field: str) -> None:
    order_id = desk.placed()
    before = desk.world.tables()
    assert fields_of(desk.send("DELETE", ONE_ORDER, body=body, orderId=order_id)) == [field]
    assert desk.world.tables() == before


def test_unknown_members_are_ignored_and_references_are_kept_to_the_letter(desk: Desk, waiting: Waiting) -> None:
    """T2"""
    ref = " Ünï / + % 股 "
    desk.world.credit(ref, QUOTE, 1000)
    order_id = desk.placed(customerRef=ref)
    waiting.meanwhile = desk.match
    assert code_of(desk.cancel(order_id, ref.strip())) == NOT_FOUND
    body = json.dumps({"reason": "none of yours", "customerRef": ref}).encode()
    assert_cancelled(desk.send("DELETE", ONE_ORDER, body=body, orderId=order_id), order_id)


@pytest.mark.parametrize("key", ["order-0001", "short", ""])
def test_an_idempotency_key_is_ignored_whatever_its_form(desk: Desk, waiting: Waiting, key: str) -> None:
    order_id = desk.placed(headers={"idempotency-key": "order-0001"})
    recorded = desk.world.tables()["requests"]
    waiting.meanwhile = desk.match
    response = desk.cancel(order_id, headers={"idempotency-key": key})
    assert_cancelled(response, order_id)
    again = desk.cancel(order_id, headers={"idempotency-key": key})
    assert code_of(again) == NOT_FOUND
    assert "Idempotent-Replay" not in again.headers
    assert desk.world.tables()["requests"] == recorded


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_are_not_allowed_on_an_order(desk: Desk, method: str) -> None:
    response = desk.send(method, ONE_ORDER, key=None, orderId="x")
    assert code_of(response) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "GET, DELETE"


def test_cancelling_passes_the_gate_like_every_request(memory_database: Database) -> None:
    """T10: the key, then its rate, come before the path parameter."""
    desk = open_desk(World(memory_database), rate_limit=1)
    assert code_of(desk.send("DELETE", ONE_ORDER, key=None, orderId="%zz")) == (401, "AUTH_REQUIRED")
    assert code_of(desk.send("DELETE", ONE_ORDER, orderId="%zz")) == (400, "INVALID_PARAM")
    assert code_of(desk.send("DELETE", ONE_ORDER, orderId="%zz")) == (429, "RATE_LIMIT_EXCEEDED")


@pytest.mark.parametrize("fault", ["error before", "outcome unknown", "throttled"])
def test_an_answer_is_true_at_whichever_call_dynamodb_fails(
    memory_database: Database, waiting: Waiting, fault: str
) -> None:
    """200: cancelled. CANCEL_PENDING: queued. SERVICE_UNAVAILABLE: nothing was changed. A repeat always ends it."""
    faulty = FaultyClient(memory_database._client, FAULTS[fault])
    desk = open_desk(World(Database(faulty, memory_database._prefix, lambda _: None)))  # type: ignore[arg-type]
    answers = set()
    for call in range(1, CALLS_MAX):
        order_id = desk.placed(quantity="1")
        queued, before = cancels_queued(desk), desk.world.tables()
        waiting.meanwhile = lambda: None
        faulty.strike_at(call)
        response = desk.cancel(order_id)
        struck = faulty.has_struck
        faulty.strike_at(0)
        code = code_of(response)
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
            assert {PENDING, (503, "SERVICE_UNAVAILABLE")} <= answers
            check_invariants(desk.world, {BASE: 2000, QUOTE: 2000})
            return
    pytest.fail(f"a cancel takes more than {CALLS_MAX} calls")


def test_tables_that_fail_once_the_cancel_is_queued_leave_it_pending(
    desk: Desk, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SERVICE_UNAVAILABLE would say that nothing was changed."""
    order_id = desk.placed()

    def down(*_: object) -> None:
        raise Unavailable("throttled")

    waiting.meanwhile = lambda: monkeypatch.setattr(Orders, "get", down)
    response = desk.cancel(order_id)
    assert code_of(response) == PENDING
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
