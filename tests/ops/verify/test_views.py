"""``verify`` reports edited snapshots, depth views and statuses, with their place."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.books.candles import Market
from chalicelib.domain.books.snapshot import encode_state
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.ops.verify.views import Views, view_disagreements
from chalicelib.services.books.disagreements import Disagreement, Disproved
from chalicelib.services.books.fold import BookFold
from chalicelib.support.canonical import canonical
from chalicelib.tables.depth_views import Depth
from chalicelib.tables.rows import Row
from chalicelib.tables.snapshots import Snapshot, Snapshots
from tests.ops.verify.hands import disagreement, edit, remove, rows, verified
from tests.world import World

DAY_MS = 86_400_000


def snapshot_edited(world: World, change: Callable[[dict[str, Any]], object]) -> str:
    """Rewrite the newest snapshot with its digest, as somebody would who knows how; return its place."""
    snapshots = Snapshots(world.database)
    snapshot = snapshots.newest(world.book)
    assert snapshot is not None
    content = json.loads(zlib.decompress(snapshot.content))
    change(content)
    (pointer,) = rows(world, "journal", book=f"{world.book}/snapshot", sequence=0)
    remove(world, "journal", pointer, "book", "sequence")
    snapshots.write(world.book, Snapshot(snapshot.sequence, zlib.compress(canonical(content).encode())))
    return f"{world.book} snapshot at {snapshot.sequence}"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda content: content["orders"].pop(), ", open orders"),
        (lambda content: content["orders"][0][0].update(customer="zoe"), ", order 1"),
        (lambda content: content["orders"][1].__setitem__(1, "3"), ", order 2"),
        (lambda content: content["orders"].insert(0, content["orders"].pop(1)), ", order 1"),
        (lambda content: content.update(hash="0" * 64), ", hash"),
        (lambda content: content.update(watermark="1"), ", watermark"),
        (lambda content: content.update(at=1), ", at"),
        (lambda content: content["terms"].update(status="CLOSED"), ", terms"),
        (lambda content: content["named"].popitem(), ", named"),
        (lambda content: content.update(cancelling=["cxa_1", "ann", "CANCEL_ALL", 0]), ", cancelling"),
        (lambda content: content.update(sequence=content["sequence"] - 1), ", sequence"),
        (lambda content: content.update(book="another"), ""),
    ],
)
def test_an_edited_snapshot_is_reported(world: World, change: Callable[[dict[str, Any]], object], place: str) -> None:
    where = snapshot_edited(world, change)
    assert disagreement(world).where == where + place


def test_a_snapshot_written_again_with_the_same_content_agrees(world: World) -> None:
    """Whatever its compression: its state counts. And the edits above are told for their edit alone."""
    snapshot_edited(world, lambda _: None)
    verified(world)


def test_a_snapshot_of_no_entry_is_reported(world: World) -> None:
    fold = BookFold(world.book, world.config)
    snapshot = Snapshot(0, encode_state(world.book, fold.state))
    (told,) = view_disagreements(fold, Views(Depth(market=Market()), snapshot))
    assert told.found == "one of no entry"


def test_a_snapshot_whose_bytes_were_changed_cannot_be_read(world: World) -> None:
    piece = next(row for row in rows(world, "journal", book=f"{world.book}/snapshot") if "piece" in row)
    edit(world, "journal", piece, piece=piece["piece"][:-1])
    assert disagreement(world).where == f"{world.book} depth view, candles and snapshot"


def edited_levels(row: Row, change: Callable[[dict[str, Any]], object]) -> bytes:
    levels = json.loads(zlib.decompress(row["levels"]))
    change(levels)
    return zlib.compress(json.dumps(levels).encode())


@pytest.mark.parametrize(
    ("change", "where", "expected", "found"),
    [
        (lambda levels: levels["bids"][0].__setitem__(1, "8"), "bids, level 1", "7 at 91", "8 at 91"),
        (lambda levels: levels["bids"].pop(), "bids, level 2", "45 at 90", "nothing"),
        (lambda levels: levels["asks"].append(["111", "1"]), "asks, level 2", "nothing", "1 at 111"),
    ],
)
def test_an_edited_depth_view_is_reported(
    world: World, change: Callable[[dict[str, Any]], object], where: str, expected: str, found: str
) -> None:
    (row,) = rows(world, "books", part="depth")
    edit(world, "books", row, levels=edited_levels(row, change))
    assert disagreement(world) == Disagreement(f"{world.book} depth view, {where}", expected, found)


@pytest.mark.parametrize(
    ("change", "where", "expected", "found"),
    [
        (lambda levels: levels["market"].update(last="99"), "last price", "100", "99"),
        (lambda levels: levels["market"].update(last=None), "last price", "100", "nothing"),
        (lambda levels: levels["market"]["open"].pop("1h"), "open candle of 1h", None, "nothing"),
        (lambda levels: levels["market"]["open"]["1d"].__setitem__(7, 1), "open candle of 1d", None, None),
    ],
)
def test_an_edited_market_of_the_depth_view_is_reported(
    world: World, change: Callable[[dict[str, Any]], object], where: str, expected: str | None, found: str | None
) -> None:
    (row,) = rows(world, "books", part="depth")
    edit(world, "books", row, levels=edited_levels(row, change))
    told = disagreement(world)
    assert told.where == f"{world.book} depth view, {where}"
    assert expected in (None, told.expected)
    assert found in (None, told.found)


def traded_on_another_day(world: World) -> World:
    world.now_ms += DAY_MS
    world.placed("eve", "SELL", 7, 100, "GTC")
    world.placed("dan", "BUY", 7, 100, "IOC")
    assert world.deliver(records=world.records[-2:]) == []
    verified(world)
    return world


def test_candles_that_are_over_are_compared(world: World) -> None:
    traded_on_another_day(world)
    (day,) = rows(world, "candles", series=f"{world.book}/1d")
    where = f"{world.book} candle of 1d at {day['start_ms']}"
    edit(world, "candles", day, figures=["1", *day["figures"][1:]])
    assert disagreement(world).where == where
    remove(world, "candles", day, "series", "start_ms")
    assert (disagreement(world).where, disagreement(world).found) == (where, "nothing")
    edit(world, "candles", day, start_ms=day["start_ms"] - DAY_MS)
    assert disagreement(world).expected == "nothing"


def test_a_minute_that_is_too_old_to_be_kept_may_be_gone_and_one_that_is_not_may_not(world: World) -> None:
    traded_on_another_day(world)
    (minute,) = rows(world, "candles", series=f"{world.book}/1m")
    remove(world, "candles", minute, "series", "start_ms")
    verified(world)
    with pytest.raises(Disproved, match="candle of 1m"):
        Verifier(world.database, clock=lambda: world.now_ms).verify(world.book)


def test_edited_terms_are_reported(world: World) -> None:
    """A version beyond the decided one is a change whose turn has not come; one below it was never shown."""
    where = f"{world.book} configuration"
    (row,) = rows(world, "books", part="config")
    edit(world, "books", row, status="PAUSED")
    assert disagreement(world) == Disagreement(f"{where}, status", "ACTIVE", "PAUSED")
    edit(world, "books", row, taker_fee_bps=77)
    assert disagreement(world).where == f"{where}, takerFeeBps"
    edit(world, "books", row, version=row["version"] - 1)
    assert disagreement(world) == Disagreement(f"{where}, version", str(row["version"]), str(row["version"] - 1))
    edit(world, "books", row, status="NONSENSE")
    assert disagreement(world).where == f"{world.book} configuration"
