"""Which books and instances ``verify`` compares with each other."""

from __future__ import annotations

import json
import zlib

import pytest

from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.disagreements import Disproved
from chalicelib.services.books.redrive import redrive
from chalicelib.services.ledger.movements import Movements
from tests.ops.verify.hands import account, disagreement, edit, remove, rows
from tests.world import BASE, INSTANCE, QUOTE, World, register_tokens


def other_book(world: World) -> BookConfig:
    """Make another book of the instance with the pair turned around, on which ann trades with ben and leaves a rest."""
    config = BookConfig(INSTANCE, "ob_other", "Other", "Q/B", QUOTE, BASE, base_decimals=18, quote_decimals=0)
    world.books.create(config)
    for customer, side, quantity in (("ann", "BUY", 30), ("ben", "SELL", 20)):
        request = OrderRequest(customer, Side(side), OrderType.LIMIT, TimeInForce.GTC, 2 * 10**18, quantity)
        world.admission.place(INSTANCE, "ob_other", request)
    redrive(world.database, world.matcher(), f"{INSTANCE}/ob_other")
    return config


def test_an_account_is_proven_by_all_books_that_moved_it(world: World) -> None:
    other_book(world)
    Verifier(world.database).verify(world.book)
    report = Verifier(world.database).verify(None)
    assert [book.book for book in report.books] == [f"{INSTANCE}/ob_other", world.book]
    assert report.instances[0].books == 2
    ann = account(world, "ann", BASE)
    edit(world, "accounts", ann, held=ann["held"] - 1)
    assert disagreement(world).where == f"account {ann['owner']} {BASE}, held"


def test_rows_of_another_book_do_not_count_but_its_journal_does(world: World) -> None:
    other_book(world)
    (row,) = rows(world, "open-orders", book_id="ob_other", status="PARTIALLY_FILLED")
    edit(world, "open-orders", row, filled=19)
    (depth,) = rows(world, "books", book=f"{INSTANCE}/ob_other", part="depth")
    levels = json.loads(zlib.decompress(depth["levels"])) | {"bids": [], "asks": []}
    edit(world, "books", depth, levels=zlib.compress(json.dumps(levels).encode()))
    Verifier(world.database).verify(world.book)
    with pytest.raises(Disproved, match=f"{INSTANCE}/ob_other depth view"):
        Verifier(world.database).verify(None)
    world.database.put_many("books", [depth])
    with pytest.raises(Disproved, match=f"order row {row['order_id']}"):
        Verifier(world.database).verify(None)
    with pytest.raises(Disproved, match=f"order row {row['order_id']}"):
        Verifier(world.database).verify(f"{INSTANCE}/ob_other")

    world.database.delete_many("journal", [{"book": f"{INSTANCE}/ob_other", "sequence": 1}])
    with pytest.raises(Disproved, match=f"{INSTANCE}/ob_other"):
        Verifier(world.database).verify(world.book)


def test_undecided_orders_of_another_book_hold_their_funds(world: World) -> None:
    other_book(world)
    request = OrderRequest("ann", Side.SELL, OrderType.LIMIT, TimeInForce.GTC, 2, 11)
    world.admission.place(INSTANCE, "ob_other", request)
    assert Verifier(world.database).verify(world.book).books[0].undecided == 0
    assert [book.undecided for book in Verifier(world.database).verify(None).books] == [1, 0]
    (row,) = (row for row in rows(world, "open-orders", book_id="ob_other") if "sequence" not in row)
    edit(world, "open-orders", row, filled=1)
    Verifier(world.database).verify(world.book)
    with pytest.raises(Disproved, match=f"undecided order {row['order_id']}"):
        Verifier(world.database).verify(None)


def test_another_instance_counts_only_when_everything_is_verified(world: World) -> None:
    """An instance without a book has a ledger too."""
    register_tokens(world.database, "inst_other001")
    Movements(world.database).record(Movement("inst_other001", BASE, None, "ann", 70))
    report = Verifier(world.database).verify(None)
    assert {instance.instance: instance.assets for instance in report.instances}["inst_other001"] == {BASE: 70}
    for table in ("orders", "fills"):
        row = rows(world, table)[0] | {"owner": "inst_other001/customer/ann"}
        world.database.put_many(table, [row])
        Verifier(world.database).verify(world.book)
        with pytest.raises(Disproved, match="inst_other001/customer/ann, book_id: expected a book that there is"):
            Verifier(world.database).verify(None)
        remove(world, table, row, "owner", {"orders": "order_id", "fills": "fill"}[table])
    (row,) = rows(world, "accounts", owner="inst_other001/customer/ann", entry=f"balance/{BASE}")
    edit(world, "accounts", row, available=71)
    Verifier(world.database).verify(world.book)
    with pytest.raises(Disproved, match="account inst_other001/customer/ann"):
        Verifier(world.database).verify(None)
