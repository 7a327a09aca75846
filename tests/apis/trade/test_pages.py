"""Pages of the list of orders: cut by number or by cursor, steady while new orders arrive (R18)."""

from __future__ import annotations

import pytest

from chalicelib.apis.trade.cursor import Cursor
from chalicelib.domain.ledger.amounts import Side
from tests.apis.trade.desk import SignedDesk, fault_of
from tests.apis.trade.rows import DAY_MS, INVALID, LIST, NOW_MS, an_order, id_at, ids_of, page, put_many, put_orders


def test_the_cursor_behind_a_row_names_its_time_its_id_and_the_next_page(archive: SignedDesk) -> None:
    """R18: version, direction, ms, ULID, page."""
    times = "ord_01JNG70P2AGBSYKHMNVHNRT6RH", "ord_01JNG6PKNRVDVZT0DFJNS2394R", id_at("ord", NOW_MS - DAY_MS)
    put_orders(archive.world.database, [an_order(order_id=order_id) for order_id in times])
    found = page(archive, page_size=2)
    assert found["nc"] == "djEubi4xNzQxMDc5NDAwMTIwLjAxSk5HNlBLTlJWRFZaVDBERkpOUzIzOTRSLjI"


def test_pages_are_cut_by_number(archive: SignedDesk) -> None:
    ids = put_many(archive, 5)
    pages = [page(archive, page_size=2, current_page=number) for number in (1, 2, 3, 4)]
    assert [ids_of(each) for each in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert [each["pagination"] for each in pages] == [
        {"current_page": number, "registers_count": 5, "total_pages": 3, "page_size": 2} for number in (1, 2, 3, 4)
    ]
    assert [(each["nc"] is None, each["pc"] is None) for each in pages] == [
        (False, True), (False, False), (True, False), (True, True),
    ]  # fmt: skip


def test_an_empty_list_has_no_pages(archive: SignedDesk) -> None:
    assert page(archive) == {
        "orders": [],
        "pagination": {"current_page": 1, "registers_count": 0, "total_pages": 0, "page_size": 200},
        "nc": None,
        "pc": None,
    }


@pytest.mark.parametrize("new_ones", [0, 3])
def test_cursors_lead_forward_and_back_over_the_same_pages(archive: SignedDesk, new_ones: int) -> None:
    """Pages 1, 2, 3, 2, 1, also when new orders arrive in between (R18)."""
    ids = put_many(archive, 5)
    found = page(archive, page_size=2)
    walk = [(1, ids[:2])]
    for number, cursor in enumerate(("nc", "nc", "pc", "pc")):
        put_many(archive, new_ones, NOW_MS - 1000 * (9 - number))
        found = page(archive, page_size=2, c=found[cursor])
        walk.append((found["pagination"]["current_page"], ids_of(found)))
    assert walk == [(1, ids[:2]), (2, ids[2:4]), (3, ids[4:]), (2, ids[2:4]), (1, ids[:2])]
    assert (found["pc"] is None) == (new_ones == 0)
    assert found["pagination"]["registers_count"] == 5 + 4 * new_ones


def test_above_the_first_page_of_a_walk_stand_the_orders_that_came_since(archive: SignedDesk) -> None:
    ids = put_many(archive, 4)
    second = page(archive, page_size=2, c=page(archive, page_size=2)["nc"])
    newer = put_many(archive, 3, NOW_MS - 1000)
    first = page(archive, page_size=2, c=second["pc"])
    above = page(archive, page_size=2, c=first["pc"])
    assert (ids_of(first), ids_of(above)) == (ids[:2], newer[1:])
    assert (above["pagination"]["current_page"], above["nc"] is None, above["pc"] is None) == (1, False, False)


def test_a_walk_over_a_thousand_orders_sees_each_once_while_others_are_placed(archive: SignedDesk) -> None:
    ids = put_many(archive, 1000)
    seen: list[str] = []
    found = page(archive, page_size=70)
    for number in range(200):
        seen += ids_of(found)
        if found["nc"] is None:
            break
        put_many(archive, 15, NOW_MS - 100_000 + 100 * number)
        found = page(archive, page_size=70, c=found["nc"])
    assert seen == ids
    assert found["pagination"]["registers_count"] == 1001


def test_a_cursor_takes_filters_and_size_from_the_request_that_uses_it(archive: SignedDesk) -> None:
    put_many(archive, 6)
    sells = put_many(archive, 3, NOW_MS - 2 * DAY_MS, side=Side.SELL)
    found = page(archive, page_size=1, side="sell", current_page=7, c=page(archive, page_size=4)["nc"])
    assert (ids_of(found), found["pc"]) == (sells[:1], None)
    assert found["pagination"] == {"current_page": 2, "registers_count": 3, "total_pages": 3, "page_size": 1}


def test_a_cursor_whose_time_is_not_its_ids_was_never_given_out(archive: SignedDesk) -> None:
    order_id = id_at("ord", NOW_MS).removeprefix("ord_")
    right, wrong = (Cursor(True, at_ms, order_id, 2).text() for at_ms in (NOW_MS, NOW_MS - 1))
    assert page(archive, c=right)["orders"] == []
    assert fault_of(archive.get(LIST, {"pair": "B_Q", "c": wrong})) == (400, 40000, INVALID.format("c"))
