"""Pages of a maker's orders end before their bytes are too many; very many fills of an order have pages (K43)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chalicelib.apis.kit.page_bytes import answer_bytes
from chalicelib.apis.taker.lists import FILL_BYTES_MAX, ORDER_BYTES_MAX
from chalicelib.apis.taker.objects import makers_fill_object, single_order
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import fill_id_of, order_id_of
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.disagreements import Disproved
from chalicelib.support.canonical import compact
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.signed_rows import fill_rows, row_of
from tests.apis.taker.cases import locked, new_order
from tests.apis.taker.desk import Desk, data_of, faulty_fields


def put_many_fills(desk: Desk, order_hash: str, count: int, counted: int | None) -> None:
    """Put so many rows of fills beside a filled order's own one, each as long as one can be."""
    orders = SignedOrders(desk.database)
    stored = orders.get(desk.instance, order_id_of(order_hash))
    assert stored is not None
    rows = []
    for number in range(count - 1):
        reference = f"{number:064d}"
        fill = longest_fill(stored, reference, desk.clock.now_s + number)
        rows.append(fill_rows(stored, fill)[0])
    desk.database.put_many("signed-orders", rows)
    row = row_of(replace(stored, state=replace(stored.state, fills=counted)))
    desk.database.put_many("signed-orders", [row])


def longest_fill(stored: StoredOrder, reference: str, at_s: int) -> Fill:
    return Fill(
        fill_id=fill_id_of(stored.order_hash, reference),
        order_id=stored.order_id,
        order_hash=stored.order_hash,
        taker="0x" + "f" * 40,
        quantity=10**27,
        amount=10**36,
        fee=10**35,
        incentive=10**27,
        asked_incentive=None,
        status=Status.PARTIALLY_FILLED,
        reference_id=reference,
        created_at_s=at_s,
        tx_hash="0x" + "f" * 64,
        block_number=2**63 - 1,
    )


def test_k43_bounds_of_an_orders_and_a_fills_bytes_hold(desk: Desk) -> None:
    order_hash = new_order(desk)
    stored = SignedOrders(desk.database).get(desk.instance, order_id_of(order_hash))
    assert stored is not None
    fill = longest_fill(stored, "r" * 64, 253_402_300_799)
    assert answer_bytes(compact(makers_fill_object(fill))) < FILL_BYTES_MAX
    longest = replace(
        stored,
        order=replace(stored.order, ticker="A" * 16, exchange=65_535, price=10**27, quantity=10**27, incentive=10**27,
                      deadline=253_402_300_799, nonce=2**63 - 1),
        state=replace(stored.state, status=Status.PARTIALLY_FILLED, notes="\U0001f600" * 256, filled=10**27),
    )  # fmt: skip
    assert answer_bytes(compact(single_order(longest) | {"fills": [], "fills_total": 10**9})) < ORDER_BYTES_MAX


@pytest.mark.parametrize("counted", [True, False])
def test_k43_a_page_ends_before_its_bytes_are_too_many_and_the_next_one_goes_on(desk: Desk, counted: bool) -> None:
    """Eight orders of a thousand fills: some 6 MB. counted: whether their rows say how many fills there are."""
    hashes = [locked(desk) for _ in range(8)]
    for order_hash in hashes:
        data_of(desk.fill(order_hash, 1000))
        put_many_fills(desk, order_hash, 1000, 1000 if counted else None)
    found: list[str] = []
    fills = 0
    for number in range(1, 10):
        answer = desk.maker_get("/orders", {"page": number, "page_size": 100})
        assert len(json.dumps(answer.body)) < 6 * 1024 * 1024
        page = data_of(answer)
        assert (page["total"], page["page"], page["page_size"]) == (8, number, 100)
        found += [order["order_hash"] for order in page["orders"]]
        fills += sum(len(order["fills"]) for order in page["orders"])
        assert page["total_pages"] >= number
        if page["total_pages"] == number:
            break
    assert sorted(found) == sorted(hashes)
    assert number > 1
    assert fills == 8 * 1000
    past = data_of(desk.maker_get("/orders", {"page": number + 1, "page_size": 100}))
    assert (past["orders"], past["total"], past["total_pages"]) == ([], 8, number)


def test_k43_of_an_order_with_very_many_fills_the_newest_come_first_and_the_others_on_their_pages(
    desk: Desk,
) -> None:
    order_hash = locked(desk)
    data_of(desk.fill(order_hash, 1000, reference_id="first"))
    put_many_fills(desk, order_hash, 7000, 7000)
    shown = []
    for number, expected in ((1, 5000), (2, 2000), (3, 0)):
        (order,) = data_of(desk.maker_get("/orders", {"order_hash": order_hash, "fills_page": number}))["orders"]
        assert (len(order["fills"]), order["fills_total"]) == (expected, 7000)
        shown += [fill["id"] for fill in order["fills"]]
    assert len(set(shown)) == 7000
    assert faulty_fields(desk.maker_get("/orders", {"fills_page": 0})) == ["fills_page"]


def test_k43_an_order_counts_its_fills(desk: Desk) -> None:
    order_hash = locked(desk)
    for number in range(3):
        data_of(desk.fill(order_hash, 100, reference_id=f"r{number}"))
    stored = SignedOrders(desk.database).get(desk.instance, order_id_of(order_hash))
    assert stored is not None
    assert stored.state.fills == 3
    Verifier(desk.database).verify(None)
    desk.database.put_many("signed-orders", [row_of(replace(stored, state=replace(stored.state, fills=2)))])
    with pytest.raises(Disproved, match="fills"):
        Verifier(desk.database).verify(None)
