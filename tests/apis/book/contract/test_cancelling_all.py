"""DELETE customers/{customerRef}/orders: all orders of a customer, in one book or in all (O9, T98)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.book.routes import LIST
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason
from chalicelib.services.books.matcher import Matcher
from chalicelib.support.outcomes import Unavailable
from tests.apis.book.desk import Desk, data_of, fields_of, outcome_of
from tests.case_tables import cases
from tests.waiting import Clock
from tests.world import BASE, BOOK_ID, QUOTE


def cancel_all(desk: Desk, customer: str = "ann", body: bytes = b"", **query: Any) -> HttpResponse:
    return desk.send(
        "DELETE", LIST, customerRef=customer, body=body, query={name: [value] for name, value in query.items()}
    )


def test_o9_the_answer_counts_and_names_what_was_cancelled_newest_first(desk: Desk, clock: Clock) -> None:
    first, second = desk.placed(quantity="1"), desk.placed(side="SELL", price="90", quantity="1")
    bens = desk.placed(customerRef="ben", quantity="1")
    clock.meanwhile = desk.match
    data = data_of(cancel_all(desk))
    assert list(data.items()) == [("cancelled", 2), ("orderIds", [second, first])]
    assert {row["status"] for row in desk.rows()} == {"CANCELLED"}
    assert desk.balance()["lockedBalance"] == desk.balance(token=QUOTE)["lockedBalance"] == "0"
    assert desk.rows("ben")[0] | {"id": bens, "status": "OPEN"} == desk.rows("ben")[0]


def test_o9_what_is_filled_stays_filled(desk: Desk, clock: Clock) -> None:
    desk.rested((4, 5))
    order = desk.placed(price="5", quantity="10")
    clock.meanwhile = desk.match
    assert data_of(cancel_all(desk))["orderIds"] == [order]
    assert [(row["status"], row["filledQuantity"]) for row in desk.rows()] == [("CANCELLED", "4")]


def test_o9_without_a_live_order_nothing_is_queued(desk: Desk) -> None:
    before = desk.world.tables()
    for customer in ("ann", "nobody"):
        assert data_of(cancel_all(desk, customer)) == {"cancelled": 0, "orderIds": []}
    assert desk.world.tables() == before


def test_o9_it_may_be_confined_to_a_book(desk: Desk, clock: Clock) -> None:
    other = replace(desk.world.config, book_id="ob_other", symbol="Q/B", base_asset=QUOTE, quote_asset=BASE)
    desk.world.books.create(other)
    order = desk.placed(quantity="1")
    clock.meanwhile = desk.match
    assert data_of(cancel_all(desk, orderBookId="ob_other"))["cancelled"] == 0
    assert data_of(cancel_all(desk, orderBookId=BOOK_ID)) == {"cancelled": 1, "orderIds": [order]}
    assert outcome_of(cancel_all(desk, orderBookId="ob_none")) == (404, "ORDER_BOOK_NOT_FOUND")
    on_chain = replace(other, book_id="ob_chain", symbol="X/Y", settlement_mode=SettlementMode.ON_CHAIN)
    desk.world.books.create(on_chain)
    assert outcome_of(cancel_all(desk, orderBookId="ob_chain")) == (400, "WRONG_SETTLEMENT_MODE")


def test_o9_cancelling_works_on_a_paused_book(desk: Desk, clock: Clock) -> None:
    desk.placed(quantity="1")
    desk.world.change_status(BookStatus.PAUSED)
    clock.meanwhile = desk.match
    assert data_of(cancel_all(desk))["cancelled"] == 1


def test_t98_without_a_result_in_time_the_cancels_stay_queued(desk: Desk, clock: Clock) -> None:
    order = desk.placed(quantity="1")
    response = cancel_all(desk)
    assert (outcome_of(response), response.headers["Retry-After"]) == ((503, "CANCEL_PENDING"), "1")
    desk.match()
    assert desk.rows()[0] | {"id": order, "status": "CANCELLED"} == desk.rows()[0]
    assert data_of(cancel_all(desk)) == {"cancelled": 0, "orderIds": []}
    assert clock.slept_s >= 5


def test_t98_more_orders_than_are_named_are_counted_however_many_groups_they_take(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matcher dies after the first group of two; another one goes on behind it, and with a group as one expires."""
    ids = [desk.placed(quantity="1", price=str(price)) for price in range(1, 6)]
    ids.append(desk.world.placed("ann", "BUY", 1, 6, expires_at_ms=desk.world.now_ms + 1_000))
    desk.match()
    monkeypatch.setattr("chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP", 2)
    monkeypatch.setattr("chalicelib.services.books.cancelling_all.CANCELLED_ROWS_MAX", 4)
    append, groups = Matcher._append, []  # of each group its first event

    def one_group_only(matcher: Matcher, loaded: Any, pending: Any) -> Any:
        groups.extend(pending.events[:1])
        if len(groups) > 1:
            raise Unavailable("throttled")
        return append(matcher, loaded, pending)

    def die_after_a_group() -> None:
        clock.meanwhile = go_on
        with monkeypatch.context() as patch, suppress(Unavailable):
            patch.setattr(Matcher, "_append", one_group_only)
            desk.match()
        assert desk.world.folded().book.cancelling is not None

    def go_on() -> None:
        desk.world.now_ms += 1_000
        desk.match()

    clock.meanwhile = die_after_a_group
    data = data_of(cancel_all(desk))
    reasons = {order_id: desk.world.order("ann", order_id).reason for order_id in ids}
    assert reasons == dict.fromkeys(ids[:5], CloseReason.CANCEL_ALL) | {ids[5]: CloseReason.EXPIRED}
    assert (data["cancelled"], data["orderIds"]) == (5, [ids[4], ids[3], ids[2]])
    assert desk.world.folded().book.cancelling is None


NARROWER = cases(
    ("another parameter", {"status": "OPEN"}, b"", ["status"]),
    ("a misspelt one", {"orderbookid": BOOK_ID}, b"", ["orderbookid"]),
    ("a body", {}, b'{"orderBookId": "ob_test"}', ["body"]),
    ("no JSON", {}, b"x", ["body"]),
    ("an empty book", {"orderBookId": ""}, b"", ["orderBookId"]),
)


@pytest.mark.parametrize(("query", "body", "fields"), NARROWER)
def test_t98_what_might_confine_it_further_is_not_passed_over(
    desk: Desk, query: dict[str, str], body: bytes, fields: list[str]
) -> None:
    desk.placed(quantity="1")
    before = desk.world.tables()
    assert fields_of(cancel_all(desk, body=body, **query)) == fields
    assert desk.world.tables() == before
