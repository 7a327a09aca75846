"""Idempotency-Key where requests overtake each other: one effect and one answer (T12 to T14)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from functools import partial
from itertools import count

import pytest

from chalicelib.apis.book import schema
from chalicelib.apis.book.routes import PLACE
from chalicelib.domain.books.orders import OrderUpdate
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.domain.tenancy.answers import Answer
from chalicelib.services import answers
from chalicelib.services.books.admission import Admission
from chalicelib.support.clock import now_s
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import Orders
from chalicelib.tables.requests import Requests
from tests.apis.book.desk import Desk, open_desk, outcome_of
from tests.recording import nobody
from tests.world import BOOK_ID, INSTANCE, World

KEY = {"idempotency-key": "order-0001"}
MS = 1_000_000
"""In ns."""
SCOPE = f"{INSTANCE}/POST {PLACE}"


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    """A desk whose time goes on by itself."""
    return open_desk(World(memory_database))


@pytest.mark.parametrize("headers", [{}, KEY], ids=["without a key", "under a key"])
def test_no_answer_is_older_than_the_order_that_it_tells_of(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr("time.time_ns", partial(next, count(time.time_ns(), MS)))  # it moves on with every look
    answer = json.loads(desk.place(headers=headers).body)
    assert answer["data"]["createdAt"] <= answer["metadata"]["timestamp"]


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


def test_an_answer_that_waited_for_its_match_is_replayed_with_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """T21 with a key: the stored answer is the one that was sent, preference included."""
    look_up = Orders.get_many

    def matched_meanwhile(self: Orders, orders: Iterable[tuple[str, str]]) -> object:
        ((owner, order_id),) = orders
        order = self.placed(owner, order_id)
        assert order is not None
        nobody(self.project)(BOOK_ID, [(owner, order, OrderUpdate(OrderStatus.PARTIALLY_FILLED, 4, None))], 1, 0)
        return look_up(self, [(owner, order_id)])

    monkeypatch.setattr(Orders, "get_many", matched_meanwhile)
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
    assert outcome_of(desk.place(headers=KEY)) == (503, "SERVICE_UNAVAILABLE")
    desk.world.database.put_many("requests", [row | {"pending_until_ms": 1}])
    joined = desk.place(headers=KEY)
    assert (joined.status, joined.body) == (201, row["body"])
