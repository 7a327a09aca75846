"""Outbox entries: events as a step announces them, and as every reader derives them."""

from __future__ import annotations

from chalicelib.domain.feed.event import PUBLIC, customer_subject
from chalicelib.domain.feed.logs import SIGNED_AREA, lane_for
from chalicelib.domain.feed.outbox import Announcement, OutboxEvent, events_of

ANNOUNCED = Announcement(
    SIGNED_AREA,
    "order-1",
    "cmd_1",
    [
        OutboxEvent("signed_order.partially_filled", frozenset({PUBLIC}), {"orderId": "order-1", "taker": None}),
        OutboxEvent("balance.changed", frozenset({customer_subject("é\ud83d"), PUBLIC}), {"available": "-1"}),
        OutboxEvent("EscrowPublished", frozenset(), {}),
    ],
)


def test_events_are_derived_as_they_were_announced() -> None:
    events = events_of("inst_a", ANNOUNCED.entry(7, 1234))
    assert [OutboxEvent(one.type, one.receivers, one.body) for one in events] == ANNOUNCED.events
    assert {(one.instance, one.log, one.sequence, one.at_ms) for one in events} == {
        ("inst_a", lane_for(SIGNED_AREA, "order-1"), 7, 1234)
    }
    assert [one.part for one in events] == [0, 1, 2]


def test_events_are_named_by_their_place_and_type() -> None:
    names = [one.name for one in events_of("inst_a", ANNOUNCED.entry(1, 0))]
    assert names == ["0-signed-order-partially-filled", "1-balance-changed", "2-escrowpublished"]


def test_an_entry_is_the_same_bytes_whenever_it_is_made() -> None:
    """Sets have no order; an entry that a try puts again must be equal to the first."""
    one, other = (OutboxEvent("a", frozenset(names), {"b": 1, "a": 2}) for names in (("x", "y"), ("y", "x")))
    entries = [Announcement("ledger", "t", "cmd", [event]).entry(1, 0) for event in (one, other)]
    assert entries[0] == entries[1]
