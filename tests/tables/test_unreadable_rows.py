"""Damaged rows, and rows of earlier versions, are refused with a message that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.escrow.commands import Reimburse
from chalicelib.tables import (
    candles,
    escrow_rows,
    fills,
    instruments,
    order_rows,
    outbox,
    signed_rows,
    tokens,
    transactions,
)
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, UnreadableRow
from tests.services.escrow.world import EscrowWorld, eur

READERS: list[Callable[[Row], Any]] = [
    escrow_rows.order_of, escrow_rows.payin_of, escrow_rows.payout_of, escrow_rows.refund_of, escrow_rows.customer_of,
    escrow_rows.wallet_of, signed_rows.order_of, signed_rows.fill_of, signed_rows.seen_of, order_rows.placed_of,
    order_rows.order_of, transactions.transaction_of, fills.fills_in, candles._candle_of, tokens._token_of,
    outbox.outbox_entry_of, instruments._stock_of,
]  # fmt: skip


@pytest.mark.parametrize("read", READERS, ids=lambda read: f"{read.__module__.rpartition('.')[2]}.{read.__name__}")
def test_a_row_without_what_it_needs_names_its_keys_and_what_to_do(read: Callable[[Row], Any]) -> None:
    row: Row = {"owner": "inst_1/escrow/production/shop", "entry": "payin/12"}
    with pytest.raises(UnreadableRow, match=r"inst_1/escrow/production/shop.*CHANGELOG\.md says what to do"):
        read(row)


def test_a_payin_of_before_it_kept_its_parties_is_told_by_its_key(memory_database: Database) -> None:
    """Its order cannot be refunded, for nothing tells any more what was agreed on; nothing is changed."""
    world = EscrowWorld(memory_database)
    world.deposit(500)
    paid = world.paid(60)
    payin = next(row for row in memory_database.scan("escrows") if row["entry"].startswith("payin/"))
    older = {name: value for name, value in payin.items() if name not in ("buyer", "seller")}
    memory_database.put_many("escrows", [older])
    before = list(memory_database.scan("escrows")), list(memory_database.scan("accounts"))
    with pytest.raises(UnreadableRow, match=f"{payin['entry']} .*KeyError.*earlier version"):
        world.desk.reimburse(world.scope, paid.order_id, Reimburse(eur(10)))
    assert (list(memory_database.scan("escrows")), list(memory_database.scan("accounts"))) == before
