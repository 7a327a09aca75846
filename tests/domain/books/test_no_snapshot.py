"""Bytes that are no snapshot, or one of a state that cannot be, are refused."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from chalicelib.domain.books.forms import encode_order, encode_terms
from chalicelib.domain.books.snapshot import BookState, BrokenSnapshot, decode_state, encode_state
from chalicelib.support.canonical import canonical
from tests.domain.books.orders import BUY, SELL, change_to, limit, market
from tests.domain.books.states import NAME, PAUSED, RULES, a_state, go_on


def content_of(state: BookState) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(zlib.decompress(encode_state(NAME, state)))
    return content


def written(content: object) -> bytes:
    return zlib.compress(canonical(content).encode())


def an_order_book() -> dict[str, Any]:
    state = a_state()
    go_on(state, limit("bid", BUY, 99, 5))
    return content_of(state)


def test_a_snapshot_of_another_book_is_refused() -> None:
    with pytest.raises(BrokenSnapshot, match="a snapshot of inst_x/ob, not of inst_x/other"):
        decode_state("inst_x/other", RULES, encode_state(NAME, a_state()))


@pytest.mark.parametrize(
    "snapshot",
    [
        b"",
        b"{}",
        zlib.compress(b""),
        zlib.compress(b"\xff"),
        zlib.compress(b"{"),
        written([]),
        written("text"),
        written(None),
        written({}),
    ],
)
def test_bytes_that_are_no_snapshot_are_refused(snapshot: bytes) -> None:
    with pytest.raises(BrokenSnapshot, match=NAME):
        decode_state(NAME, RULES, snapshot)


def test_a_snapshot_that_lost_its_first_or_last_byte_is_refused() -> None:
    snapshot = encode_state(NAME, a_state())

    for part in (snapshot[1:], snapshot[:-1]):
        with pytest.raises(BrokenSnapshot, match=NAME):
            decode_state(NAME, RULES, part)


def test_a_snapshot_from_before_parked_orders_says_that_the_journal_is_read() -> None:
    content = an_order_book()
    del content["parked"]

    with pytest.raises(BrokenSnapshot, match="of an earlier form; the journal is read instead"):
        decode_state(NAME, RULES, written(content))


@pytest.mark.parametrize("member", ["book", "sequence", "at", "watermark", "hash", "terms", "named", "orders"])
def test_a_snapshot_that_lacks_a_member_is_refused(member: str) -> None:
    content = an_order_book()
    decode_state(NAME, RULES, written(content))

    del content[member]

    with pytest.raises(BrokenSnapshot, match=member):
        decode_state(NAME, RULES, written(content))


@pytest.mark.parametrize(
    "change",
    [
        {"watermark": "much"},
        {"terms": "PAUSED"},
        {"terms": {"status": "PAUSED"}},
        {"terms": encode_terms(change_to(PAUSED, 1).terms) | {"status": "OPEN"}},
        {"named": 5},
        {"orders": 5},
        {"orders": ["bid"]},
        {"orders": [[{"id": "bid"}, "5"]]},
        {"orders": [["bid", "5"]]},
    ],
    ids=str,
)
def test_a_snapshot_with_a_member_that_means_nothing_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BrokenSnapshot, match=NAME):
        decode_state(NAME, RULES, written(an_order_book() | change))


@pytest.mark.parametrize("facts", [{"side": "LEFT"}, {"type": "STOP"}, {"timeInForce": "DAY"}, {"price": "x"}])
def test_a_snapshot_with_an_order_that_nobody_can_have_placed_is_refused(facts: dict[str, object]) -> None:
    content = an_order_book()

    content["orders"][0][0] |= facts

    with pytest.raises(BrokenSnapshot, match=NAME):
        decode_state(NAME, RULES, written(content))


@pytest.mark.parametrize("remaining", ["0", "-1", "1000000"])
def test_an_order_that_is_unfilled_by_what_it_cannot_be_is_refused(remaining: str) -> None:
    content = an_order_book()
    content["orders"][0][1] = remaining
    with pytest.raises(BrokenSnapshot, match=r"remaining|empty level"):
        decode_state(NAME, RULES, written(content))


def test_an_order_that_rests_twice_is_refused() -> None:
    content = an_order_book()
    content["orders"].append(content["orders"][0])
    with pytest.raises(BrokenSnapshot, match="twice"):
        decode_state(NAME, RULES, written(content))


def test_a_crossed_book_is_refused() -> None:
    content = an_order_book()
    for order_id, side in (("high bid", BUY), ("low ask", SELL)):
        order = limit(order_id, side, 1000 if side is BUY else 1, 5)
        content["orders"].append([encode_order(order), "5"])
    with pytest.raises(BrokenSnapshot, match="crossed"):
        decode_state(NAME, RULES, written(content))


def test_an_order_that_is_unfilled_by_no_number_is_refused() -> None:
    content = an_order_book()

    content["orders"][0][1] = "some"

    with pytest.raises(BrokenSnapshot, match=NAME):
        decode_state(NAME, RULES, written(content))


def test_a_market_order_in_a_snapshot_is_refused_for_it_cannot_rest() -> None:
    content = an_order_book()

    content["orders"].append([encode_order(market("anything", SELL, 5)), "5"])

    with pytest.raises(BrokenSnapshot, match="anything rests at no price"):
        decode_state(NAME, RULES, written(content))
