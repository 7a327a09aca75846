"""The guarantees as assertions on the tables as they are: what every test of faults, races and schedules ends with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.candles import Market, Period, Trade
from chalicelib.domain.books.journal import trade_id
from chalicelib.domain.books.settlement import settle
from chalicelib.domain.books.snapshot import NAMED_LIFE_MS, BookState, decode_state
from chalicelib.domain.books.vocabulary import (
    AmendOrder,
    BookStatus,
    CancelAll,
    CancelOrder,
    ChangeBook,
    Command,
    PlaceOrder,
    ResumeBook,
)
from chalicelib.domain.ledger.owners import customer_key, owner_key
from chalicelib.services.books.trades import trades_of
from chalicelib.tables.amendments import is_amendment
from chalicelib.tables.candles import Candles, is_kept
from chalicelib.tables.external_ids import is_name
from chalicelib.tables.fills import fills_in
from chalicelib.tables.inbox import commands_of
from chalicelib.tables.rows import Row
from chalicelib.tables.snapshots import Snapshots
from tests.world import Venue

DEPTH_LEVELS = 100
OTHER_DESKS = ("0x", "sandbox:", "production:")
"""How the customers begin who have no orders in a book; what is held of theirs ``tallybook verify`` proves."""


def check_invariants(
    venue: Venue, credited: dict[str, int], commands: Iterable[Row] | None = None, now_ms: int = 0
) -> None:
    """Assert guarantees 1 to 7 on one book that is an instance's only one, every command delivered and decided.

    credited: credits less debits, by asset. commands: all inbox rows that there ever were; None: those that are there.
    now_ms: rows that have expired by then may be gone. Raises AssertionError that names the guarantee.
    """
    state = venue.folded()
    state.book.check()  # 4: not crossed, levels and holds consistent
    balances = check_never_negative(venue)
    _check_conservation(balances, credited)
    _check_holds(venue, state.book, balances)
    _check_amendments(venue)
    _check_orders(venue, state)
    _check_fills(venue)
    _check_outcomes(venue, venue.inbox_rows() if commands is None else commands)
    _check_cancel_alls(venue)
    _check_times(venue)
    _check_expiries(venue, state.book)
    depth = venue.views.of(venue.book)
    assert depth.sequence == state.head.sequence, "6: the depth view trails the journal"
    assert list(depth.bids) == state.book.bids.depth(DEPTH_LEVELS), "6: bids of the depth view"
    assert list(depth.asks) == state.book.asks.depth(DEPTH_LEVELS), "6: asks of the depth view"
    assert depth.halted_until_ms == state.book.halted_until_ms, "6: the halt of the depth view"
    _check_candles(venue, now_ms)
    config = venue.books.config(venue.book)
    assert config is not None
    assert config.status is state.book.status, "6: the book's status"
    assert config.status is not BookStatus.CLOSED or not state.book.open_orders, "T32: a closed book with orders left"
    _check_snapshot(venue)


def _check_candles(venue: Venue, now_ms: int) -> None:
    """Assert that last price and candles, those that are over and those that are not, are what the trades come to."""
    market, finished = Market(), {}
    for entry in venue.journal.after(venue.book, 0):
        trades = [Trade(trade.price, trade.quantity, trade.notional) for trade in trades_of(entry)]
        for period, candle in market.fold(entry.sequence, entry.at_ms, trades):
            finished[period, candle.start_ms] = candle
    assert venue.views.of(venue.book).market == market, "6: the candles that are not over"
    candles = Candles(venue.database)
    stored = {(period, each.start_ms): each for period in Period for each in candles.all(venue.book, period)}
    assert stored.items() <= finished.items(), "6: a candle that is over"
    assert all(key in stored or not is_kept(*key, now_ms) for key in finished), "6: a candle that is over is missing"


def check_never_negative(venue: Venue) -> list[Row]:
    """Assert that no account is negative, at any moment, projected or not; return the rows of balances."""
    rows = list(venue.database.scan("accounts"))
    balances = [row for row in rows if row["entry"].startswith("balance/") and not row["owner"].endswith("/supply")]
    assert all(row["available"] >= 0 and row["held"] >= 0 for row in balances), "2: an account is negative"
    return balances


def check_money_comes_first(venue: Venue) -> None:
    """Assert that whoever sees an order as an entry left it finds the entry's money moved, at any moment: guarantee 6.

    An order's row may trail the journal, and its customer's money may be ahead of it, never behind.
    """
    marks = _marks(venue)
    shown = {row.get("sequence") for row in venue.order_rows()}
    config = venue.config
    state = BookState.empty(config.first_rules, config.first_terms.status)
    for entry in venue.journal.after(venue.book, 0):
        moved = settle(state.fold(entry), config.base_asset, config.quote_asset)
        if entry.sequence in shown:
            for customer, asset in moved:
                account = owner_key(venue.book, customer), asset
                assert marks[account] >= entry.sequence, f"6: an order shows {entry.sequence}, {account} does not"


def _marks(venue: Venue) -> dict[tuple[str, str], int]:
    """Return the book's mark of each account, in its row or beside it; 0 where there is none. Never both."""
    marks: dict[tuple[str, str], int] = {}
    for row in venue.database.scan("accounts"):
        kind, _, name = row["entry"].partition("/")
        asset, _, book = name.partition("/")
        if kind == "balance":
            mark = row.get(f"mark/{venue.book}", 0)
        elif kind == "mark" and book == venue.book:
            mark = row["sequence"]
        else:
            continue
        before = marks.get((row["owner"], asset), 0)
        assert not (before and mark), f"1: {row['owner']} {asset} has two marks"
        marks[row["owner"], asset] = before or mark
    return marks


def _check_conservation(balances: list[Row], credited: dict[str, int]) -> None:
    for asset, amount in credited.items():
        total = sum(row["available"] + row["held"] for row in balances if row["entry"] == f"balance/{asset}")
        assert total == amount, f"1: {asset} has {total}, credited {amount}"


def _check_holds(venue: Venue, book: Book, balances: list[Row]) -> None:
    holds: Counter[tuple[str, str]] = Counter()
    for order in book.open_orders.values():
        owner = customer_key(venue.config.instance, order.placed.customer)
        holds[owner, venue.config.asset_held(order.placed.side)] += order.hold
    others = tuple(customer_key(venue.config.instance, start) for start in OTHER_DESKS)
    of_this_book = {venue.config.base_asset, venue.config.quote_asset}
    for row in balances:
        asset = row["entry"].removeprefix("balance/")
        if row["owner"].startswith(others) or asset not in of_this_book:
            continue
        held_for_orders = holds[row["owner"], asset]
        assert row["held"] == held_for_orders, f"2: {row['owner']} holds {row['held']} for {held_for_orders}"


def _check_orders(venue: Venue, state: BookState) -> None:
    filled: Counter[str] = Counter()
    for row in venue.database.scan("fills"):
        for fill in fills_in(row):
            filled[fill.order_id] += fill.quantity
    open_orders = state.book.open_orders
    for row in venue.order_rows():
        order_id = row["order_id"]
        assert row["filled"] == filled[order_id] <= row["quantity"], f"3: {order_id}"
        assert "sequence" in row, f"7: {order_id} was admitted and is not decided"
        if order_id in open_orders:
            order = open_orders[order_id]
            assert row["quantity"] - row["filled"] == order.remaining, f"6: {order_id} remaining"
            assert (row["price"], row["quantity"]) == (order.price, order.quantity), f"6: {order_id} terms"
    shown = Counter(row["order_id"] for row in venue.orders.open_rows() if row["book_id"] == venue.config.book_id)
    assert shown == Counter(open_orders.keys()), "6: open orders"
    closed = [row["order_id"] for row in venue.orders.rows() if not is_name(row)]
    assert not open_orders.keys() & set(closed), "6: an open order has closed"


def _check_fills(venue: Venue) -> None:
    """6: each owner's list has its half of each trade once, newest first, and of a self-trade the BUY first (T34)."""
    book_id = venue.config.book_id
    owners = {row["owner"] for row in venue.database.scan("fills") if row["book_id"] == book_id}
    expected: dict[str, list[tuple[str, str, str]]] = {owner: [] for owner in owners}
    for entry in venue.journal.after(venue.book, 0):
        for number, event in enumerate(entry.events):
            if event["type"] == "traded":
                for whose, side in ("seller", "SELL"), ("buyer", "BUY"):
                    owner = customer_key(venue.config.instance, str(event[whose]))
                    half = trade_id(entry, number), side, str(event["quantity"])
                    expected.setdefault(owner, []).insert(0, half)
    for owner, halves in expected.items():
        fills = (fill for fill in venue.fills.newest_first(owner) if fill.book_id == book_id)
        shown = [(fill.trade_id, fill.side, str(fill.quantity)) for fill in fills]
        assert shown == halves, f"6: fills of {owner}"


def _check_outcomes(venue: Venue, commands: Iterable[Row]) -> None:
    """5: each command of the inbox has exactly one outcome in the journal, and nothing else has one."""
    outcomes: Counter[str] = Counter()
    for entry in venue.journal.after(venue.book, 0):
        for event in entry.events:
            match event["type"], event.get("reason"):
                case "accepted", _:
                    outcomes[f"place {event['order']['id']}"] += 1  # type: ignore[index]
                case ("closed", "USER_CANCELLED") | ("cancelRefused", _):
                    outcomes[f"cancel {event['order']}"] += 1
                case "cancelAllEnded", _:
                    outcomes[f"cancel all {event['command']}"] += 1
                case "amended" | "amendRefused", _:
                    outcomes[f"amend {event['command']}"] += 1
                case "bookChanged", _:
                    outcomes[f"change {event['command']}"] += 1
                case "resumed", _ if event["command"] is not None:
                    outcomes[f"resume {event['command']}"] += 1
    asked = Counter(_name_of(command) for row in commands for command in commands_of(row))
    assert outcomes == asked, "5: commands and outcomes differ"


def _check_amendments(venue: Venue) -> None:
    """O8: none is under way any more, so nothing is set aside, and each one's row in the inbox says how it ended."""
    left = [row for row in venue.orders.open_table_rows() if is_amendment(row["order_id"])]
    assert left == [], f"O8: amendments under way, and all are decided: {left}"
    ended: dict[str, tuple[int, object]] = {}
    for entry in venue.journal.after(venue.book, 0):
        for event in entry.events:
            if event["type"] in ("amended", "amendRefused"):
                ended[str(event["command"])] = entry.sequence, event.get("reason")
    rows = [row for row in venue.inbox_rows() if row["kind"] == "amend"]
    shown = {row["id"]: (row.get("ended"), row.get("refusal")) for row in rows}
    assert shown.items() <= ended.items(), f"O8: {shown} is shown of {ended}"


def _check_cancel_alls(venue: Venue) -> None:
    """O9: nothing of its customer rests when a cancel-all ends, nothing newer comes before, and its row says so."""
    customers: dict[str, str] = {}
    resting: set[str] = set()
    running: dict[str, object] | None = None
    ended: dict[str, int] = {}
    for entry in venue.journal.after(venue.book, 0):
        for event in entry.events:
            raw: Row = event
            if running is not None:
                closes = raw["reason"] if raw["type"] == "closed" else None
                by_it = closes == running["reason"] and customers[raw["order"]] == running["customer"]
                may_come = by_it or closes == "EXPIRED" or raw["type"] == "cancelAllEnded"
                assert may_come, f"O9: {raw} before {running} is done"
            match raw["type"]:
                case "accepted":
                    customers[raw["order"]["id"]] = raw["order"]["customer"]
                case "rested":
                    resting.add(raw["order"])
                case "traded" if raw["makerRemaining"] == "0":
                    resting.discard(raw["maker"])
                case "closed":
                    is_of_one = raw["reason"] in ("CANCEL_ALL", "DEAD_MAN")
                    assert running is not None or not is_of_one, f"O9: {raw} with no cancel-all"
                    resting.discard(raw["order"])
                case "cancelAllBegun":
                    running = raw
                case "cancelAllEnded":
                    left = [order for order in resting if customers[order] == raw["customer"]]
                    assert not left or running is None, f"O9: {left} rest after {raw}"
                    assert running is not None or raw["closed"] == 0, f"O9: {raw} was given up"
                    running, ended[raw["command"]] = None, raw["closed"]
    assert running is None, f"O9: {running} is not done"
    rows = [row for row in venue.inbox_rows() if row["kind"] == "cancel_all"]
    shown = {row["id"]: row.get("closed") for row in rows}
    assert shown.items() <= ended.items(), f"O9: {shown} is shown of {ended}"


def _check_times(venue: Venue) -> None:
    """R24: what is EXPIRED was due; nothing that is due trades or comes to rest, or is left while others are served."""
    expiries: dict[str, int] = {}
    resting: set[str] = set()

    def is_due(order_id: str, at_ms: int) -> bool:
        return order_id in expiries and expiries[order_id] <= at_ms

    for entry in venue.journal.after(venue.book, 0):
        for event in entry.events:
            raw: Row = event
            if raw.get("status") == "EXPIRED":
                assert is_due(raw["order"], entry.at_ms), f"R24: {raw['order']} expired early"
                resting.discard(raw["order"])
                continue
            assert not [one for one in resting if is_due(one, entry.at_ms)], f"R24: {raw} while an order was due"
            match raw["type"]:
                case "accepted" if "expiresAt" in raw["order"]:
                    expiries[raw["order"]["id"]] = raw["order"]["expiresAt"]
                case "traded":
                    assert not is_due(raw["maker"], entry.at_ms), f"R24: {raw['maker']} traded late"
                    assert not is_due(raw["taker"], entry.at_ms), f"R24: {raw['taker']} traded late"
                    if raw["makerRemaining"] == "0":
                        resting.discard(raw["maker"])
                case "rested":
                    assert not is_due(raw["order"], entry.at_ms), f"R24: {raw['order']} came to rest late"
                    resting |= {raw["order"]} & expiries.keys()
                case "closed":
                    resting.discard(raw["order"])


def _check_expiries(venue: Venue, book: Book) -> None:
    """R24: each resting order that expires will be looked at."""
    looked_at = {row.get("order_id") for row in venue.database.scan("expiries")}
    for order_id, order in book.open_orders.items():
        assert order.placed.expires_at_ms is None or order_id in looked_at, f"R24: nobody looks at {order_id}"


def _name_of(command: Command) -> str:
    match command:
        case PlaceOrder(order_id):
            return f"place {order_id}"
        case CancelOrder(_, order_id, _):
            return f"cancel {order_id}"
        case CancelAll(command_id, _):
            return f"cancel all {command_id}"
        case AmendOrder(command_id):
            return f"amend {command_id}"
        case ChangeBook(command_id, _):
            return f"change {command_id}"
        case ResumeBook(command_id, _):
            return f"resume {command_id}"


def _check_snapshot(venue: Venue) -> None:
    """6: folding from the newest snapshot gives what folding from nothing gives."""
    snapshot = Snapshots(venue.database).newest(venue.book)
    if snapshot is None:
        return
    from_snapshot = decode_state(venue.book, venue.config.first_rules, snapshot.content)
    assert from_snapshot.head.sequence == snapshot.sequence
    for entry in venue.journal.after(venue.book, snapshot.sequence):
        from_snapshot.fold(entry)
    folded = venue.folded()
    assert from_snapshot.book.state() == folded.book.state(), "6: the snapshot's book"
    assert from_snapshot.head == folded.head, "6: the snapshot's head"
    young = {name: at_ms for name, at_ms in folded.named.items() if at_ms >= folded.head.at_ms - NAMED_LIFE_MS}
    assert from_snapshot.traded == folded.traded, "6: what the snapshot's orders have traded"
    assert young.items() <= from_snapshot.named.items() <= folded.named.items(), "6: the snapshot's names"
