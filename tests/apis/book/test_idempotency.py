"""Idempotency-Key: one effect and one answer, whatever is repeated (T12 to T14)."""

from __future__ import annotations

import json
import time
from functools import partial
from itertools import count

import pytest

from chalicelib.apis.book import schema
from chalicelib.apis.book.routes import PLACE
from chalicelib.apis.kit.preference import wait_preference
from chalicelib.domain.books.orders import OrderUpdate
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.domain.tenancy.answers import Answer
from chalicelib.services import answers
from chalicelib.services.books.admission import Admission
from chalicelib.support.clock import now_s
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import Orders
from chalicelib.tables.requests import Requests
from tests.apis.book.desk import Desk, code_of, open_desk
from tests.world import INSTANCE, QUOTE, World

KEY = {"idempotency-key": "order-0001"}
MS = 1_000_000
"""In ns."""
SCOPE = f"{INSTANCE}/POST {PLACE}"


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database))


def test_sameness_is_the_digest_of_the_sorted_compact_body() -> None:
    """T12"""
    body = b"""{ "orderBookId": "ob_offchain_001", "customerRef": "cust_12345", "side": "BUY", "orderType": "LIMIT",
      "price": "100000000000000000000", "quantity": "5000000000000000000", "timeInForce": "GTC" }"""
    digest = "4ba2f5fa2980825d901211497c4529ea87c5491b18a6948dcc8a8883e4300e2d"
    assert schema.body_hash(schema.json_object(body)) == digest


def test_the_same_request_twice_is_one_order_and_one_answer(desk: Desk) -> None:
    first = desk.place(headers=KEY)
    once = desk.world.tables()
    second = desk.place(headers=KEY)
    assert (second.status, second.body) == (first.status, first.body) == (201, first.body)
    assert second.headers["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first.headers
    assert second.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert desk.world.tables() == once
    assert desk.world.balance("ann", QUOTE) == (500, 500)


@pytest.mark.parametrize("headers", [{}, KEY], ids=["without a key", "under a key"])
def test_no_answer_is_older_than_the_order_that_it_tells_of(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr("time.time_ns", partial(next, count(time.time_ns(), MS)))  # it moves on with every look
    answer = json.loads(desk.place(headers=headers).body)
    assert answer["data"]["createdAt"] <= answer["metadata"]["timestamp"]


def test_another_body_under_the_key_is_a_mismatch_and_changes_nothing(desk: Desk) -> None:
    desk.place(headers=KEY)
    once = desk.world.tables()
    assert code_of(desk.place(headers=KEY, quantity="11")) == (409, "IDEMPOTENCY_MISMATCH")
    assert desk.world.tables() == once


@pytest.mark.parametrize("key", ["short", "x" * 201, "has space", "ümlaut-key", "", "12345678\n"])
def test_a_malformed_key_is_refused_before_the_body_is_read(desk: Desk, key: str) -> None:
    response = desk.send("POST", PLACE, body=b"no json", headers={"idempotency-key": key})
    assert code_of(response) == (400, "IDEMPOTENCY_KEY_REQUIRED")


def test_a_refusal_is_replayed_even_when_it_would_pass_now(desk: Desk) -> None:
    """T13: every 4xx of the endpoint's own checks is stored."""
    first = desk.place(headers=KEY, quantity="21")
    assert code_of(first) == (400, "INSUFFICIENT_BALANCE")
    desk.world.credit("ann", QUOTE, 10_000)
    second = desk.place(headers=KEY, quantity="21")
    assert second.body == first.body
    assert second.headers["Idempotent-Replay"] == "true"


def test_a_schema_fault_leaves_the_key_free(desk: Desk) -> None:
    assert code_of(desk.place(headers=KEY, quantity="x")) == (400, "VALIDATION_ERROR")
    assert desk.place(headers=KEY).status == 201


def test_an_unavailable_service_leaves_the_key_free(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise Unavailable("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(Admission, "_admit", down)
        refused = desk.place(headers=KEY)
    assert code_of(refused) == (503, "SERVICE_UNAVAILABLE")
    assert refused.headers["Retry-After"] == "1"
    assert desk.place(headers=KEY).status == 201


def test_a_request_that_loses_the_race_gets_the_winners_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both looked the key up while it was free; the transaction lets one through (T14)."""
    honest = Admission.place
    won: list[str] = []

    def overtaken(self: Admission, *arguments: object) -> object:
        if not won:
            won.append("")
            won[0] = desk.place(headers=KEY).body
        return honest(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Admission, "place", overtaken)
    loser = desk.place(headers=KEY)
    assert (loser.status, loser.body) == (201, won[0])
    assert loser.headers["Idempotent-Replay"] == "true"
    assert len(desk.rows()) == 1


def test_a_key_is_free_again_after_a_day(desk: Desk) -> None:
    first = desk.place(headers=KEY)
    (row,) = desk.world.database.scan("requests")
    desk.world.database.put_many("requests", [row | {"expires": 1}])
    second = desk.place(headers=KEY, quantity="5")
    assert second.status == 201
    assert json.loads(second.body)["data"]["id"] != json.loads(first.body)["data"]["id"]


def test_an_answer_that_waited_for_its_match_is_replayed_with_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """T21 with a key: the stored answer is the one that was sent, preference included."""
    look_up = Orders.get

    def matched_meanwhile(self: Orders, owner: str, order_id: str) -> object:
        self.project({(owner, order_id): OrderUpdate(OrderStatus.PARTIALLY_FILLED, 4, None)}, 1, 0)
        return look_up(self, owner, order_id)

    monkeypatch.setattr(Orders, "get", matched_meanwhile)
    first = desk.place(headers=KEY | {"prefer": "wait=99"})
    assert first.headers["Preference-Applied"] == "wait=10"
    assert json.loads(first.body)["data"]["filledQuantity"] == "4"
    assert list(json.loads(first.body)["data"])[-2:] == ["timeInForce", "createdAt"]
    second = desk.place(headers=KEY)
    assert second.body == first.body
    assert second.headers["Preference-Applied"] == "wait=10"


def test_an_answer_whose_request_died_waiting_is_finished_by_the_next(desk: Desk) -> None:
    """Pending and past its time: the admitted state becomes the final answer, for everyone."""
    members = {"orderBookId": "ob_test"}
    digest = schema.body_hash(members)
    answer = Answer(digest, 201, '{"success":true}', None, pending_until_ms=1)
    requests = Requests(desk.world.database, now_s)
    requests.record(SCOPE, "order-0001", answer)
    assert requests.finish(SCOPE, "order-0001", "fallback", None).body == "fallback"
    late = requests.finish(SCOPE, "order-0001", "too late", "wait=1")
    assert (late.body, late.preference) == ("fallback", None)


def test_a_request_still_waiting_is_joined_for_a_bounded_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "JOIN_WAIT_S", 0.1)
    desk.place(headers=KEY)
    (row,) = desk.world.database.scan("requests")
    desk.world.database.put_many("requests", [row | {"pending_until_ms": 9_999_999_999_999}])
    assert code_of(desk.place(headers=KEY)) == (503, "SERVICE_UNAVAILABLE")
    desk.world.database.put_many("requests", [row | {"pending_until_ms": 1}])
    joined = desk.place(headers=KEY)
    assert (joined.status, joined.body) == (201, row["body"])


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("wait=5", 5), ("wait=10", 10), ("wait=11", 10), ("wait=" + "9" * 5000, 10), ("wait=0", None),
        ("wait=-1", None),
        ("wait=1.5", None), ("wait=", None), ("respond-async", None), ("", None), ("foo, wait=3", 3), ("Wait = 3", 3),
        ("wait=3; foo=bar", 3), ('wait="4"', 4), ("wait=x, wait=5", None), ("wait=2, wait=5", 2), ("await=5", None),
        ('foo="a, wait=9", wait=4', 4), ('foo="\\", wait=9", wait=4', 4), ('foo="open, wait=9', None), ("wait=5\n", 5),
        ("wait" + " " * 8192 + "x", None), ("wait=" + " " * 8192 + "7" + " " * 8192, 7), ("wait=\u0665", None),
    ],
)  # fmt: skip
def test_the_wait_preference_is_read_as_documented(header: str, wait_s: int | None) -> None:
    """T19"""
    assert wait_preference(header) == wait_s
