"""A frozen maker creates no order and cancels those it has (T96)."""

from __future__ import annotations

from chalicelib.domain.signed.order import customer_of
from chalicelib.tables.frozen_customers import FrozenCustomers
from tests.apis.taker.cases import FORBIDDEN, id_of, outcome_of
from tests.apis.taker.desk import INSTANCE, Desk


def test_t96_a_frozen_maker_creates_no_order_and_cancels_those_it_has(desk: Desk) -> None:
    order_hash = desk.created()
    FrozenCustomers(desk.database).freeze(INSTANCE, customer_of(desk.maker), None)
    before = desk.tables()
    assert outcome_of(desk.create()) == FORBIDDEN
    assert outcome_of(desk.maker_post("/orders", {})) == FORBIDDEN
    assert desk.tables() == before
    assert outcome_of(desk.cancel(id_of(desk, order_hash))) == 200


def test_t96_others_create_and_so_does_it_once_the_freeze_has_ended(desk: Desk) -> None:
    frozen = FrozenCustomers(desk.database)
    frozen.freeze(INSTANCE, "0x" + "0" * 40, None)
    frozen.freeze(INSTANCE, customer_of(desk.maker), None)
    assert outcome_of(desk.create()) == FORBIDDEN
    frozen.unfreeze(INSTANCE, customer_of(desk.maker))
    assert outcome_of(desk.create()) == 200
