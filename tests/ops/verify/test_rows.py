"""``verify`` reports edited, removed and added rows of orders and fills, with their place."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.admission import Admitted
from chalicelib.services.books.disagreements import Disagreement
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import is_name
from chalicelib.tables.fills import fills_in, row_of
from chalicelib.tables.rows import Row
from tests.ops.verify.hands import account, disagreement, edit, edit_fill, remove, rows, stored_fills, verified
from tests.tables.test_fills import row_of_earlier_version
from tests.world import BASE, BOOK_ID, INSTANCE, NOW_MS, QUOTE, World


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "FILLED"), ("filled", 4), ("price", 92), ("quantity", 10), ("side", "SELL"), ("customer", "zoe"),
        ("notional", 1), ("fee", 1), ("updated_at_ms", NOW_MS + 1), ("book_id", "ob_none"), ("hold", 1),
        ("time_in_force", "IOC"), ("order_type", "MARKET"), ("sequence", 1),
    ],
)  # fmt: skip
def test_an_edited_order_row_is_reported(world: World, name: str, value: object) -> None:
    (open_row,) = rows(world, "open-orders", status="PARTIALLY_FILLED")
    edit(world, "open-orders", open_row, **{name: value})
    where = f"open order row {open_row['order_id']} of {open_row['owner']}, {name}"
    assert disagreement(world) == Disagreement(where, str(open_row[name]), str(value))
    world.database.put_many("open-orders", [open_row])
    closed_row = rows(world, "orders", status="CANCELLED", side="BUY", order_type="LIMIT")[0]
    other = {"status": "OPEN", "sequence": 2}.get(name, value)
    edit(world, "orders", closed_row, **{name: other})
    where = f"order row {closed_row['order_id']} of {closed_row['owner']}, {name}"
    assert disagreement(world) == Disagreement(where, str(closed_row[name]), str(other))


def test_an_edited_reason_of_a_closed_order_is_reported(world: World) -> None:
    row = rows(world, "orders", status="CANCELLED")[0]
    edit(world, "orders", row, reason="DUST")
    where = f"order row {row['order_id']} of {row['owner']}, reason"
    assert disagreement(world) == Disagreement(where, row["reason"], "DUST")


def test_an_order_that_stands_among_both_open_and_closed_ones_is_reported(world: World) -> None:
    closed_row = rows(world, "orders", status="FILLED")[0]
    world.database.put_many("open-orders", [closed_row])
    told = disagreement(world)
    assert told.where == f"open order row {closed_row['order_id']} of {closed_row['owner']}"
    assert told.expected == "no row: the journal has no such open order of this owner"
    remove(world, "open-orders", closed_row, "owner", "order_id")
    open_row = rows(world, "open-orders")[0]
    world.database.put_many("orders", [open_row])
    told = disagreement(world)
    assert told.where == f"order row {open_row['order_id']} of {open_row['owner']}"
    assert told.expected == "no row: the journal has no such closed order of this owner"


def test_an_open_order_that_an_earlier_version_left_among_the_closed_ones_is_named(world: World) -> None:
    row = rows(world, "open-orders")[0]
    world.database.put_many("orders", [row | {"live": row["order_id"]}])
    told = disagreement(world)
    assert told.where == f"row {row['order_id']} of {row['owner']}"
    assert "CHANGELOG.md" in told.found


def test_an_order_row_that_is_ahead_of_the_journal_is_reported_as_such_first(world: World) -> None:
    (row,) = rows(world, "open-orders", status="PARTIALLY_FILLED")
    edit(world, "open-orders", row, status="FILLED", filled=9, sequence=99)
    told = disagreement(world)
    assert told.where == f"open order row {row['order_id']} of {row['owner']}, sequence"
    assert told.found.startswith("99: entries were removed from the journal's end")


@pytest.mark.parametrize("name", ["hold", "filled", "sequence"])
def test_an_attribute_that_was_taken_off_an_order_row_is_reported(world: World, name: str) -> None:
    (row,) = rows(world, "open-orders", status="PARTIALLY_FILLED")
    value = row.pop(name)
    world.database.put_many("open-orders", [row])
    where = f"open order row {row['order_id']} of {row['owner']}, {name}"
    assert disagreement(world) == Disagreement(where, str(value), "nothing")


@pytest.mark.parametrize("name", ["cancel_refused", "note"])
def test_an_attribute_that_was_put_on_an_order_row_is_reported(world: World, name: str) -> None:
    row = rows(world, "orders", status="FILLED")[0]
    assert name not in row
    world.database.put_many("orders", [row | {name: "x"}])
    where = f"order row {row['order_id']} of {row['owner']}, {name}"
    assert disagreement(world) == Disagreement(where, "nothing", "x")


def test_an_edited_note_of_a_refused_cancel_is_reported(world: World) -> None:
    row = next(row for row in rows(world, "orders") if "cancel_refused" in row)
    edit(world, "orders", row, cancel_refused=row["cancel_refused"] + 1)
    told = disagreement(world)
    assert told.where == f"order row {row['order_id']} of {row['owner']}, cancel_refused"
    assert told.expected == str(row["cancel_refused"])


def test_a_removed_order_row_is_reported(world: World) -> None:
    row = rows(world, "orders", status="CANCELLED")[0]
    remove(world, "orders", row, "owner", "order_id")
    where = f"order row {row['order_id']} of {row['owner']}"
    assert disagreement(world) == Disagreement(where, "the row", "no row")


@pytest.mark.parametrize("owner", [None, f"{INSTANCE}/customer/stranger"])
def test_an_order_row_that_no_entry_accepts_is_reported(world: World, owner: str | None) -> None:
    """Found under owners that the journal has never seen too."""
    row = rows(world, "orders", status="FILLED")[0]
    extra = row | {"order_id": "ord_01HQZZZZZZZZZZZZZZZZZZZZZZ", "owner": owner or row["owner"]}
    world.database.put_many("orders", [extra])
    told = disagreement(world)
    assert told.where == f"order row {extra['order_id']} of {extra['owner']}"
    assert told.found == f"a row that shows entry {row['sequence']}"
    edit(world, "orders", extra, sequence=99)
    assert disagreement(world).found.startswith("99: entries were removed")


def test_a_copy_of_a_decided_order_under_another_owner_is_not_taken_for_undecided(world: World) -> None:
    row = rows(world, "orders", status="FILLED")[0] | {"owner": f"{INSTANCE}/customer/stranger"}
    del row["sequence"]
    world.database.put_many("orders", [row])
    assert disagreement(world).where == f"order row {row['order_id']} of {row['owner']}"


def test_an_external_id_that_differs_from_its_orders_row_is_reported(memory_database: Database) -> None:
    """R31: a name belongs to one order for ever."""
    world = World(memory_database)
    world.credit("ann", QUOTE, 1000)
    asked = OrderRequest("ann", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 5, 10, external_id="Mine")
    admitted = world.admission.place(INSTANCE, BOOK_ID, asked)
    assert isinstance(admitted, Admitted)
    world.stream_new_commands()
    assert world.deliver() == []
    verified(world)
    (name,) = (row for row in world.database.scan("orders") if is_name(row))
    where = f"name external/mine of {name['owner']}"
    edit(world, "orders", name, names="ord_another")
    told = disagreement(world)
    assert (told.where, told.expected) == (f"{where}, names", admitted.order.order_id)
    world.database.put_many("orders", [name])
    verified(world)
    remove(world, "orders", name, "owner", "order_id")
    assert disagreement(world).where == f"{where}, owner"
    world.database.put_many("orders", [name, name | {"order_id": "external/yours"}])
    assert disagreement(world).where.startswith(f"name external/yours of {name['owner']}")


def test_of_several_edits_the_one_of_the_earliest_entry_is_reported(world: World) -> None:
    filled = sorted(rows(world, "orders", status="FILLED"), key=lambda row: row["sequence"])
    early, late = filled[0], filled[-1]
    assert early["sequence"] < late["sequence"]
    for row in (late, early):
        edit(world, "orders", row, filled=row["filled"] - 1)
    edit(world, "accounts", account(world, "ann", BASE), available=1)
    assert disagreement(world).where == f"order row {early['order_id']} of {early['owner']}, filled"


def row_of_several(world: World) -> Row:
    """Return a row of more than three fills."""
    return next(row for row in rows(world, "fills") if len(fills_in(row)) > 3)


@pytest.mark.parametrize("at", [0, 2, -1])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price", 1), ("quantity", 1), ("notional", 1), ("fee", 10**6), ("order_id", "x"), ("other_order_id", "x"),
        ("counterparty", "zoe"), ("is_maker", None), ("order_type", OrderType.MARKET),
    ],
)  # fmt: skip
def test_an_edited_fill_is_reported(world: World, at: int, name: str, value: Any) -> None:
    row = row_of_several(world)
    if value is None:
        value = not getattr(fills_in(row)[at], name)
    before = edit_fill(world, row, at, **{name: value})
    where = f"fill {before.trade_id}/{before.side} of {row['owner']}, {name}"
    assert disagreement(world) == Disagreement(where, str(getattr(before, name)), str(value))


@pytest.mark.parametrize(("name", "change"), [("at_ms", 1), ("sequence", -1), ("book_id", "x")])
def test_what_the_fills_of_a_row_share_is_reported_if_it_is_edited(world: World, name: str, change: Any) -> None:
    row = rows(world, "fills", owner=customer_key(INSTANCE, "dan"))[0]
    edit(world, "fills", row, **{name: row[name] + change})
    where = f"fills {row['fill']} of {row['owner']}, {name}"
    assert disagreement(world) == Disagreement(where, str(row[name]), str(row[name] + change))


def test_an_attribute_that_was_put_on_a_row_of_fills_is_reported(world: World) -> None:
    row = rows(world, "fills")[5]
    world.database.put_many("fills", [row | {"note": "x"}])
    where = f"fills {row['fill']} of {row['owner']}, note"
    assert disagreement(world) == Disagreement(where, "nothing", "x")


def test_a_removed_row_of_fills_is_reported(world: World) -> None:
    row = row_of_several(world)
    remove(world, "fills", row, "owner", "fill")
    where = f"fills {row['fill']} of {row['owner']}"
    assert disagreement(world) == Disagreement(where, f"a row of {len(fills_in(row))}", "no row")


@pytest.mark.parametrize("at", [0, 2, -1])
def test_a_fill_that_was_taken_out_of_its_row_is_reported(world: World, at: int) -> None:
    row = row_of_several(world)
    fills = fills_in(row)
    taken = fills.pop(at)
    world.database.put_many("fills", [row | {"fills": row_of(fills)["fills"]}])
    where = f"fill {taken.trade_id}/{taken.side} of {row['owner']}"
    assert disagreement(world) == Disagreement(where, "the fill", "no such fill in its row")


def test_a_fill_that_was_put_into_a_row_is_reported(world: World) -> None:
    row = row_of_several(world)
    added = replace(fills_in(row)[0], trade_id="trade_01HQZZZZZZZZZZZZZZZZZZZZZZ")
    world.database.put_many("fills", [row | {"fills": row_of([*fills_in(row), added])["fills"]}])
    told = disagreement(world)
    assert told.where == f"fill {added.trade_id}/{added.side} of {row['owner']}"
    assert told.expected == "no fill: the journal has no such trade"


@pytest.mark.parametrize(
    "changed", [lambda fills: fills[::-1], lambda fills: [fills[0], *fills]], ids=["order", "twice"]
)
def test_fills_of_a_row_out_of_order_or_twice_are_reported(
    world: World, changed: Callable[[list[Fill]], list[Fill]]
) -> None:
    row = row_of_several(world)
    world.database.put_many("fills", [row | {"fills": row_of(changed(fills_in(row)))["fills"]}])
    assert disagreement(world).where == f"fills {row['fill']} of {row['owner']}"


def test_fills_that_are_stored_in_other_rows_than_their_entrys_are_reported(world: World) -> None:
    """Projecting the entry again would write its own row beside them."""
    row = row_of_several(world)
    fills = fills_in(row)
    world.database.put_many("fills", [row_of(fills[:1]), row_of(fills[1:])])
    told = disagreement(world)
    assert told.where.startswith("fill")
    assert told.where.endswith(f" of {row['owner']}")


@pytest.mark.parametrize("bytes_", [b"", b"x", zlib.compress(b"x"), zlib.compress(b"[[1]]"), zlib.compress(b"{}")])
def test_a_row_whose_fills_cannot_be_read_is_named(world: World, bytes_: bytes) -> None:
    row = rows(world, "fills")[5]
    world.database.put_many("fills", [row | {"fills": bytes_}])
    told = disagreement(world)
    assert told.where == f"fills {row['fill']} of {row['owner']}"
    assert "CHANGELOG.md" in told.found


def test_a_row_of_fills_compressed_in_another_way_agrees(world: World) -> None:
    row = row_of_several(world)
    world.database.put_many("fills", [row | {"fills": zlib.compress(zlib.decompress(row["fills"]), 0)}])
    assert verified(world).books[0].fills == len(stored_fills(world))


@pytest.mark.parametrize("book_id", [BOOK_ID, "ob_none"])
def test_an_added_row_of_fills_is_reported(world: World, book_id: str) -> None:
    row = rows(world, "fills")[5]
    added = row | {"fill": "trade_01HQZZZZZZZZZZZZZZZZZZZZZZ", "book_id": book_id}
    world.database.put_many("fills", [added])
    told = disagreement(world)
    assert told.where.startswith(f"fills {added['fill']} of {added['owner']}")
    count = len(fills_in(row))
    assert told.found == (f"{count} of entry {row['sequence']}" if book_id == BOOK_ID else f"{INSTANCE}/ob_none")


def test_a_fill_that_an_earlier_version_stored_in_a_row_of_its_own_is_named(world: World) -> None:
    fill = stored_fills(world)[5]
    world.database.put_many("fills", [row_of_earlier_version(fill)])
    told = disagreement(world)
    assert told.where == f"fills {fill.trade_id}/{fill.side} of {fill.owner}"
    assert "'tallybook rebuild --all' writes fills anew: CHANGELOG.md" in told.found
