"""A table restored to an earlier moment while the journal went on: what the journal tells is brought back.

The world goes on after a copy of its tables was taken; then a table is put back to the copy, as a restore to that
moment leaves it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.books.vocabulary import BookStatus, OrderStatus
from chalicelib.ops import cli
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.disagreements import Disproved
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.rebuilding import BookAtWork, Rebuilding, Rebuilt, RowsAhead
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.clock import now_ms
from chalicelib.tables.depth_views import DepthViews, MalformedView
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.fills import fills_in
from chalicelib.tables.orders import Orders
from chalicelib.tables.rows import Row, UnreadableRow
from infra.tables import table_definitions
from tests.faults import WatchedClient
from tests.scenarios import credit_all
from tests.tables.test_fills import row_of_earlier_version
from tests.world import BOOK_ID, INSTANCE, QUOTE, World

FUNDS = 10**6
Tables = dict[str, list[Row]]


def keys_of(table: str) -> list[str]:
    (request,) = (one.create_request for one in table_definitions("x") if one.name == f"x-{table}")
    return [one["AttributeName"] for one in request["KeySchema"]]


def put_back(world: World, table: str, rows: list[Row]) -> None:
    """Make the table what it was when the rows were copied."""
    names = keys_of(table)
    world.database.delete_many(table, [{name: row[name] for name in names} for row in world.database.scan(table)])
    world.database.put_many(table, rows)


def begin(world: World) -> None:
    """Orders that rest, trade in part, expire later, are cancelled."""
    credit_all(world, FUNDS)
    world.placed("ann", "SELL", 30, 100)
    world.placed("ben", "BUY", 10, 100)
    cancelled = world.placed("cat", "SELL", 5, 140)
    world.placed("cat", "SELL", 5, 150, expires_at_ms=world.now_ms + 10**9)
    world.deliver()
    world.cancel("cat", cancelled)
    world.deliver()


def go_on(world: World) -> None:
    """On the next day, trade with what rests, change the terms, place orders that wait, one of them with its cancel."""
    world.now_ms += 86_400_000
    world.placed("ben", "BUY", 25, 100)
    world.placed("ann", "SELL", 7, 120, expires_at_ms=world.now_ms + 2 * 10**9)
    late = world.placed("ben", "BUY", 1, 150, "IOC")
    world.deliver()
    world.cancel("ben", late)
    world.change(maker_fee_bps=50, price_band_bps=9000, halt_bps=9000, halt_window_s=60, halt_s=300)
    world.change_status(BookStatus.PAUSED)
    world.change_status(BookStatus.ACTIVE)
    world.placed("cat", "BUY", 3, 99)
    world.placed("cat", "BUY", 3, 151)
    world.deliver()
    waits = world.placed("ann", "BUY", 2, 90)
    world.placed("ann", "BUY", 2, 91, expires_at_ms=world.now_ms + 3 * 10**9)
    world.cancel("ann", waits)


@pytest.fixture
def world(memory_database: Database) -> World:
    world = World(memory_database)
    begin(world)
    return world


def rebuilt(world: World) -> Rebuilt:
    return Rebuilding(world.database).rebuild(world.book)


@pytest.mark.parametrize("table", ["open-orders", "orders", "fills", "books", "expiries", "candles"])
@pytest.mark.parametrize("is_emptied", [False, True], ids=["earlier", "empty"])
def test_a_table_that_was_put_back_is_as_it_was_after_rebuilding(world: World, table: str, is_emptied: bool) -> None:
    earlier = world.tables()
    go_on(world)
    whole = world.tables()
    if is_emptied and table == "books":
        is_kept = {"config": True, "depth": False}
        put_back(world, table, [row for row in whole[table] if is_kept.get(row["part"], True)])
    else:
        put_back(world, table, [] if is_emptied else earlier[table])
    assert world.tables() != whole
    if table != "expiries":  # which nothing proves
        with pytest.raises(Disproved):
            Verifier(world.database).verify(world.book)
    assert rebuilt(world) != Rebuilt(0, 0, 0, 0, 0, has_other_terms=False)
    assert world.tables() == whole
    Verifier(world.database).verify(world.book)


def test_all_rows_of_a_book_are_brought_back_at_once_and_it_goes_on_matching(embedded_database: Database) -> None:
    world = World(embedded_database)
    begin(world)
    earlier = world.tables()
    go_on(world)
    for table in ("open-orders", "orders", "fills", "books", "expiries", "candles"):
        put_back(world, table, earlier[table])
    first = rebuilt(world)
    assert first.orders > 5
    assert first.fills > 2
    assert first.has_other_terms
    again = rebuilt(world)
    assert (again.orders, again.fills, again.has_other_terms) == (0, 0, False)
    assert world.deliver() == []
    world.placed("ben", "SELL", 3, 90)
    assert world.deliver() == []
    report = Verifier(world.database).verify(None)
    assert [book.undecided for book in report.books] == [0]


def test_what_was_committed_and_not_settled_is_settled_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.placed("ben", "BUY", 5, 100)

    def die(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", die)
        assert world.deliver() != []
    before = world.balance("ann", QUOTE)
    rebuilt(world)
    after = world.balance("ann", QUOTE)
    assert after[0] - before[0] == 500
    rebuilt(world)
    assert world.balance("ann", QUOTE) == after
    Verifier(world.database).verify(None)


@pytest.mark.parametrize("table", ["journal", "books"])
def test_a_journal_that_is_older_than_the_rows_is_refused_and_nothing_changes(world: World, table: str) -> None:
    """It is the journal that was put back: then all tables have to be."""
    earlier = world.tables()
    go_on(world)
    put_back(world, "journal", earlier["journal"])
    if table == "books":  # the depth view does not tell then, the orders' rows do
        put_back(world, "books", earlier["books"])
    before = world.tables()
    with pytest.raises(RowsAhead):
        rebuilt(world)
    assert world.tables() == before


def test_a_row_that_somebody_changes_meanwhile_is_left_to_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = world.tables()
    go_on(world)
    put_back(world, "orders", earlier["orders"])
    replace = Orders.replace
    meanwhile: list[Callable[[], object]] = [lambda: replace(orders, "orders", None, newer)]
    orders = Orders(world.database)
    newer: Row = {}

    def replace_late(self: Orders, table: str, before: Row | None, after: Row | None) -> None:
        if table == "orders" and before is None and after is not None and meanwhile:
            newer.update(after | {"filled": 1})
            meanwhile.pop()()
        replace(self, table, before, after)

    monkeypatch.setattr(Orders, "replace", replace_late)
    with pytest.raises(BookAtWork):
        rebuilt(world)
    assert newer in world.tables()["orders"]
    assert rebuilt(world).orders > 0
    Verifier(world.database).verify(world.book)


def test_a_book_that_commits_meanwhile_has_to_be_rebuilt_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    change = DepthViews.of
    asked: list[str] = []

    def depth_then_match(self: DepthViews, book: str) -> object:
        found = change(self, book)
        if not asked:
            asked.append(book)
            world.placed("ben", "BUY", 1, 100)
            world.deliver()
        return found

    monkeypatch.setattr(DepthViews, "of", depth_then_match)
    with pytest.raises(BookAtWork):
        rebuilt(world)
    rebuilt(world)
    Verifier(world.database).verify(world.book)


def test_the_command_line_rebuilds_one_book_or_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "database", lambda: world.database)
    put_back(world, "fills", [])
    assert cli.run(["rebuild", f"{INSTANCE}/{BOOK_ID}"]) == {
        "books": 1, "orders": 0, "fills": 2, "candles": 0, "expiries": 1, "terms": 0,
    }  # fmt: skip
    switches = DeadManSwitches(world.database, lambda: world.now_ms)
    switches.set(INSTANCE, "ann", 60)
    put_back(world, "expiries", [])
    assert [cli.run(["rebuild", "--all"])[count] for count in ("fills", "expiries")] == [0, 2]
    Expiring(world.database, world.matcher(), now_ms).check()
    assert [row["reason"] for row in world.inbox_rows() if row["kind"] == "cancel_all"] == ["DEAD_MAN"]
    with pytest.raises(cli.CommandFailed, match="no such book"):
        cli.run(["rebuild", f"{INSTANCE}/ob_none"])
    put_back(world, "journal", [])
    with pytest.raises(cli.CommandFailed, match="not rebuilt"):
        cli.run(["rebuild", "--all"])


def depth_row(world: World) -> Row:
    (row,) = [row for row in world.database.scan("books") if row["part"] == "depth"]
    return row


def without_candles(world: World) -> None:
    """Make the depth view what a version of the program wrote that had no candles."""
    put_back(world, "candles", [])
    row = depth_row(world)
    levels = json.loads(zlib.decompress(row["levels"]))
    del levels["market"]
    world.database.put_many("books", [row | {"levels": zlib.compress(json.dumps(levels).encode())}])


def test_a_book_from_before_there_were_candles_gets_them_by_rebuilding(world: World) -> None:
    go_on(world)
    whole = world.tables()
    without_candles(world)
    with pytest.raises(MalformedView, match="tallybook rebuild"):
        world.views.of(world.book)
    with pytest.raises(Disproved):
        Verifier(world.database).verify(world.book)
    rebuilt(world)
    assert world.tables() == whole


def test_a_damaged_view_of_the_last_entry_is_written_again(world: World) -> None:
    row = depth_row(world)
    levels = json.loads(zlib.decompress(row["levels"]))
    levels["market"]["last"], levels["asks"] = "1", []
    world.database.put_many("books", [row | {"levels": zlib.compress(json.dumps(levels).encode())}])
    with pytest.raises(Disproved):
        Verifier(world.database).verify(world.book)
    rebuilt(world)
    Verifier(world.database).verify(world.book)


def test_accounts_of_an_earlier_moment_stay_as_they_are(world: World) -> None:
    """No journal tells of credits and holds: they are restored with everything else, or not at all."""
    earlier = world.tables()
    go_on(world)
    put_back(world, "accounts", earlier["accounts"])
    rebuilt(world)
    assert world.tables()["accounts"] == earlier["accounts"]
    with pytest.raises(Disproved):
        Verifier(world.database).verify(world.book)


def test_the_inbox_is_told_again_of_cancel_alls_that_the_journal_knows(world: World) -> None:
    """Without it they would be decided anew when they come again, and close what came after them (O9)."""
    world.cancel_all("ann")
    later = world.placed("ann", "SELL", 7, 120)
    before = world.inbox_rows()
    assert world.deliver() == []
    whole = world.tables()
    put_back(world, "inbox", before)
    with pytest.raises(Disproved, match="command cxa_"):
        Verifier(world.database).verify(world.book)
    assert rebuilt(world).commands == 1
    assert world.tables() == whole
    assert rebuilt(world).commands == 0
    assert world.deliver() == []
    assert world.order("ann", later).status is OrderStatus.OPEN


def without(name: str) -> Callable[[Row], Row]:
    return lambda row: {member: value for member, value in row.items() if member != name}


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: row | {"figures": row["figures"][:-1]},
        lambda row: row | {"figures": ["some", *row["figures"][1:]]},
        lambda row: row | {"figures": [row["figures"][0] + ".5", *row["figures"][1:]]},
        lambda row: row | {"expires": 1},
        without("figures"),
    ],
    ids=["too few", "no number", "a fraction", "dropped at once", "none"],
)
def test_a_candle_that_cannot_be_read_is_made_anew(world: World, damage: Callable[[Row], Row]) -> None:
    go_on(world)
    whole = world.tables()
    row = next(row for row in whole["candles"] if row["series"].endswith("/1m"))
    world.database.put_many("candles", [damage(row)])
    assert rebuilt(world).candles == 1
    assert world.tables() == whole
    assert rebuilt(world).candles == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: row | {"levels": b"no view"},
        lambda row: row | {"levels": zlib.compress(b'{"bids": []}')},
        lambda row: row | {"levels": zlib.compress(b'{"bids": [], "asks": [], "market": []}')},
        lambda row: row | {"sequence": "some"},
        without("levels"),
        without("sequence"),
        without("version"),
    ],
    ids=["no bytes of a view", "one side", "no market", "no number", "no levels", "no sequence", "no version"],
)
def test_a_depth_view_that_cannot_be_read_is_made_anew_and_nobody_is_paid_twice(
    world: World, damage: Callable[[Row], Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on(world)
    whole = world.tables()
    (row,) = (row for row in whole["books"] if row["part"] == "depth")
    world.database.put_many("books", [damage(row)])
    with pytest.raises(Disproved):
        Verifier(world.database).verify(world.book)
    monkeypatch.setattr(wiring, "database", lambda: world.database)
    shown = cli.run(["book", "show", world.book])
    assert isinstance(shown, dict)
    assert shown["sequence"] is None
    rebuilt(world)
    assert world.tables() == whole
    Verifier(world.database).verify(world.book)


def test_a_depth_view_that_a_matcher_publishes_meanwhile_stays(world: World) -> None:
    """One that is in memory there does not read the view that cannot be read."""
    matcher = world.matcher()
    world.placed("ben", "BUY", 1, 100)
    assert world.deliver(matcher) == []
    world.placed("ben", "BUY", 1, 100)
    (row,) = (row for row in world.tables()["books"] if row["part"] == "depth")
    world.database.put_many("books", [row | {"levels": b"no view"}])

    def publish_then(operation: str, call: Callable[[], object]) -> object:
        if operation == "delete_item":
            assert world.deliver(matcher, world.records[-1:]) == []
        return call()

    client: Any = WatchedClient(world.database._client, publish_then)
    DepthViews(Database(client, world.database._prefix)).drop_malformed(world.book)
    assert DepthViews(world.database).of(world.book).sequence == row["sequence"] + 1


@pytest.mark.parametrize("damage", [without("kind"), lambda row: row | {"kind": "some"}], ids=["no kind", "another"])
def test_what_is_no_command_in_the_inbox_does_not_stop_rebuilding(world: World, damage: Callable[[Row], Row]) -> None:
    go_on(world)
    decided = next(row for row in world.tables()["inbox"] if row["kind"] == "place")
    world.database.put_many("inbox", [damage(decided)])
    whole = world.tables()
    put_back(world, "orders", [])
    rebuilt(world)
    assert world.tables() == whole


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (without("events"), "entry after 1 cannot be read"),
        (without("hash"), "entry after 1 cannot be read"),
        (lambda row: row | {"events": b"no events"}, "entry 2, hash of its content"),
        (lambda row: row | {"watermark": "x"}, "entry after 1 cannot be read"),
    ],
    ids=["no events", "no hash", "no JSON", "no watermark"],
)
def test_a_journal_that_cannot_be_read_is_told_and_nothing_is_changed(
    world: World, damage: Callable[[Row], Row], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "database", lambda: world.database)
    row = next(row for row in world.tables()["journal"] if row["book"] == world.book and row["sequence"] == 2)
    world.database.put_many("journal", [damage(row)])
    put_back(world, "orders", [])
    before = world.tables()
    with pytest.raises(cli.CommandFailed, match=f"not rebuilt: {world.book} {told}"):
        cli.run(["rebuild", world.book])
    assert world.tables() == before


def test_fills_that_an_earlier_version_stored_in_rows_of_their_own_are_packed(world: World) -> None:
    go_on(world)
    whole = world.tables()["fills"]
    fills = [fill for row in whole for fill in fills_in(row)]
    assert len(fills) > len(whole)
    put_back(world, "fills", [row_of_earlier_version(fill) for fill in fills])
    with pytest.raises(UnreadableRow, match="'tallybook rebuild --all'"):
        list(world.fills.newest_first(fills[0].owner))
    assert rebuilt(world).fills == len(whole) + len(fills)
    assert world.tables()["fills"] == whole
    assert rebuilt(world).fills == 0
    Verifier(world.database).verify(world.book)


def test_damaged_fills_are_written_again_and_others_however_compressed_are_left(world: World) -> None:
    whole = world.tables()["fills"]
    damaged = [whole[0] | {"fills": b"x"}, whole[1] | {"sequence": 99}]
    put_back(world, "fills", damaged)
    assert rebuilt(world).fills == 2
    assert world.tables()["fills"] == whole
    others = [row | {"fills": zlib.compress(zlib.decompress(row["fills"]), 0)} for row in whole]
    put_back(world, "fills", others)
    assert rebuilt(world).fills == 0
    assert all(row in others for row in world.tables()["fills"])


def test_open_orders_that_an_earlier_version_left_among_the_closed_ones_are_moved(world: World) -> None:
    """There they had a member more, by which an index found them."""
    go_on(world)
    whole = world.tables()
    earlier = [row | {"live": row["order_id"], "reason": None} for row in whole["open-orders"]]
    put_back(world, "open-orders", [])
    world.database.put_many("orders", earlier)
    assert rebuilt(world).orders == 2 * len(earlier)
    assert world.tables()["open-orders"] == whole["open-orders"]
    assert world.tables()["orders"] == whole["orders"]
    assert world.deliver() == []
    Verifier(world.database).verify(world.book)
