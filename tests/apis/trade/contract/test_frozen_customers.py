"""A frozen customer places nothing at the trade desk and cancels all it likes (T96)."""

from __future__ import annotations

from chalicelib.tables.frozen_customers import FrozenCustomers
from tests.apis.trade.cases import LIST, outcome_of, place, placed
from tests.apis.trade.desk import SignedDesk, data_of
from tests.waiting import Waiting
from tests.world import INSTANCE

FORBIDDEN = (403, 40300, "Forbidden access.")


def test_t96_an_order_is_forbidden_before_its_syntax_is_looked_at(desk: SignedDesk) -> None:
    FrozenCustomers(desk.world.database).freeze(INSTANCE, desk.customer, None)
    before = desk.world.tables()
    assert outcome_of(place(desk)) == FORBIDDEN
    assert outcome_of(place(desk, amount="x")) == FORBIDDEN
    assert desk.world.tables() == before
    assert outcome_of(desk.get(LIST, "pair=BTC_BRL")) == 200


def test_t96_what_rests_is_cancelled(desk: SignedDesk, clock: Waiting) -> None:
    order_ids = [placed(desk, price="1") for _ in range(2)]
    FrozenCustomers(desk.world.database).freeze(INSTANCE, desk.customer, None)
    clock.meanwhile = desk.match
    assert outcome_of(desk.delete(LIST, {"id": order_ids[0]})) == 200
    assert [row["success"] for row in data_of(desk.delete(f"{LIST}/all"))] == [True]


def test_t96_anothers_freeze_forbids_nothing(desk: SignedDesk) -> None:
    FrozenCustomers(desk.world.database).freeze(INSTANCE, "another", None)
    assert outcome_of(place(desk, price="1")) == 200
