"""Prototype of a projector that shares a book with others (docs/decisions/projectors.md). Nothing of it is served.

It writes what a run of journal entries changes for its share of the owners.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import CancelRefused
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry
from chalicelib.domain.books.orders import OrderUpdate, order_updates
from chalicelib.domain.books.settlement import settle
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import PlaceOrder
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.owners import book_key, customer_key, owner_key
from chalicelib.services.books.projection import amendments_in, fills_of, progress_in
from chalicelib.tables.accounts import Accounts, LedgerBroken, _balance_key, _enough
from chalicelib.tables.amendments import Amendments
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.fills import packed, row_of
from chalicelib.tables.inbox import Inbox, Progress
from chalicelib.tables.orders import OPEN_TABLE, Orders, _projection
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Delete, Update

PARTS = ("marks", "waiting", "money before the watermark", "own watermark before the others'")
"""Parts of the rule. The simulation fails without any one of them."""
SHOWN = "shown"
"""The watermark of order rows."""
ENTRY_NEVER_REACHED = 10**9


@dataclass(frozen=True, slots=True)
class Effects:
    """What a journal entry changes. changes: by account (owner, asset)."""

    sequence: int
    at_ms: int
    changes: dict[tuple[str, str], Change]
    fills: list[Fill]
    updates: list[tuple[str, PlaceOrder, OrderUpdate]]
    refused: list[tuple[str, str]]
    progress: dict[str, Progress]
    amendments: list[tuple[tuple[str, str], str]]


class Folded:
    """A book as its entries come, and what each of them changes, by sequence."""

    def __init__(self, config: BookConfig) -> None:
        self.config, self.book = config, book_key(config.instance, config.book_id)
        self.effects: dict[int, Effects] = {}
        self.order_rows_written = 0
        self._state = BookState.empty(config.first_rules, config.first_terms.status)

    def take(self, entries: Iterable[JournalEntry]) -> None:
        for entry in entries:
            if entry.sequence not in self.effects:
                self.effects[entry.sequence] = self._effects_of(entry)

    def run(self, after: int, through: int) -> list[Effects]:
        return [self.effects[sequence] for sequence in range(after + 1, through + 1)]

    def _effects_of(self, entry: JournalEntry) -> Effects:
        config, events = self.config, self._state.replay(entry)
        moved = settle(events, config.base_asset, config.quote_asset).items()
        effects = Effects(
            entry.sequence,
            entry.at_ms,
            {(owner_key(self.book, account.customer), account.asset): change for account, change in moved},
            fills_of(config, entry, events),
            [(customer_key(config.instance, o.customer), o, to) for o, to in order_updates(events, self._state.traded)],
            [(customer_key(config.instance, e.customer), e.order_id) for e in events if isinstance(e, CancelRefused)],
            progress_in(events, entry.sequence),
            amendments_in(config.instance, events),
        )
        self._state.advance(entry, events)
        return effects


class ShareProjector:
    """Projector number ``share`` of ``shares``. without: the part of the rule that is left out, if any."""

    def __init__(self, database: Database, folded: Folded, share: int, shares: int, without: str = "") -> None:
        self.database, self.folded, self.share, self.shares, self.without = database, folded, share, shares, without
        self._accounts = Accounts(database)

    def deliver(self, entries: Sequence[JournalEntry]) -> None:
        """Project these entries, the next ones that this projector has not acknowledged."""
        self.folded.take(entries)
        own, *marks = self._watermarks()
        run = self.folded.run(marks[self.share], max(marks[self.share], entries[-1].sequence))
        if self.without == "money before the watermark":
            self.reach(f"projected/{self.share}", run)
        self.move_money(run)
        self.reach(f"projected/{self.share}", run)
        if self.without != "own watermark before the others'":
            own, *marks = self._watermarks()
        through = marks[self.share] if self.without == "waiting" else min(marks)
        shown = self.folded.run(own, through)
        self.show_orders(shown, of_all=True)
        self.reach(SHOWN, shown)

    def project_own(self, entries: Sequence[JournalEntry]) -> None:
        """Do what one of several projectors does with a run, if each writes its own owners' order rows. For costs."""
        self.folded.take(entries)
        run = self.folded.run(entries[0].sequence - 1, entries[-1].sequence)
        self.move_money(run)
        self.reach(f"projected/{self.share}", run)
        self._watermarks()
        self.show_orders(run)

    def move_money(self, run: Sequence[Effects]) -> None:
        """Write the fills and one update an account, whose mark must be below the run's first entry that changes it.

        An account that refuses has taken some entries already: its mark says which are left.
        """
        left: dict[tuple[str, str], list[tuple[Effects, Change]]] = {}
        for effects in run:
            for account, change in effects.changes.items():
                if self._has(account[0]):
                    left.setdefault(account, []).append((effects, change))
        accounts, mark = list(left), f"mark/{self.folded.book}"
        self._accounts._make_room(self.folded.book, accounts)
        own = ([fill for fill in effects.fills if self._has(fill.owner)] for effects in run)
        fills = self.database.put_calls("fills", (row_of(row) for of_entry in own for row in packed(of_entry)))
        updates = [self._settlement(account, left[account]) for account in accounts]
        for index, found in self.database.write_each(updates, fills).items():
            account, row = accounts[index], found
            while rest := [each for each in left[account] if each[0].sequence > (row or {}).get(mark, 0)]:
                if rest == left[account]:
                    raise LedgerBroken(f"{account} takes what is not there")
                left[account], row = rest, self._settled(account, rest)

    def show_orders(self, run: Sequence[Effects], *, of_all: bool = False) -> None:
        """Write each order once, as the run's last entry that changes it left it. of_all: of all shares' owners."""
        orders, book_id = Orders(self.database), self.folded.config.book_id
        last = {o.order_id: (owner, o, to, each) for each in run for owner, o, to in each.updates}
        rows = [row for row in last.values() if of_all or self._has(row[0])]
        self.folded.order_rows_written += len(rows)
        self.database.write_each(
            [_projection(owner, book_id, o, to, each.sequence, each.at_ms) for owner, o, to, each in rows]
        )
        closed = [{"owner": owner, "order_id": o.order_id} for owner, o, to, _ in rows if not to.status.is_live]
        self.database.write_each([Delete(OPEN_TABLE, key) for key in closed])
        for effects in run:
            refused = [order for order in effects.refused if of_all or self._has(order[0])]
            orders.note_refused_cancels(refused, effects.sequence)
            if of_all or self.share == 0:
                Inbox(self.database).note_progress(self.folded.book, effects.progress)
                Amendments(self.database).end((*key, name) for key, name in effects.amendments)

    def reach(self, name: str, run: Sequence[Effects]) -> None:
        """Move a watermark to the end of the run, never down."""
        for end in run[-1:]:
            is_below = "attribute_not_exists(#sequence) OR #sequence < :sequence"
            key, values = {"book": self.folded.book, "part": name}, {":sequence": end.sequence}
            self.database.write_each([Update("books", key, "SET #sequence = :sequence", is_below, values)])

    def _watermarks(self) -> list[int]:
        names = [SHOWN, *(f"projected/{share}" for share in range(self.shares))]
        rows = self.database.get_many("books", [{"book": self.folded.book, "part": name} for name in names])
        found = {row["part"]: row["sequence"] for row in rows}
        return [found.get(name, 0) for name in names]

    def _has(self, owner: str) -> bool:
        return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:4], "big") % self.shares == self.share

    def _settlement(self, account: tuple[str, str], entries: Sequence[tuple[Effects, Change]]) -> Update:
        guards, values = _enough(sum((change for _, change in entries), Change()))
        guards.append("(#mark < :first OR (attribute_not_exists(#mark) AND attribute_not_exists(#marks_beside)))")
        (first, _), (last, _) = entries[0], entries[-1]
        mark_below = first.sequence if self.without != "marks" else ENTRY_NEVER_REACHED
        values |= {":first": mark_below, ":last": last.sequence, ":at": last.at_ms}
        changes = "ADD #available :available, #held :held SET #mark = :last, #changed_at_ms = :at"
        names = {"#mark": f"mark/{self.folded.book}"}
        return Update("accounts", _balance_key(*account), changes, " AND ".join(guards), values, names)

    def _settled(self, account: tuple[str, str], entries: Sequence[tuple[Effects, Change]]) -> Row | None:
        """Settle what is left of an account's run. Return the row that this leaves, or that refuses it."""
        try:
            return self.database.write(self._settlement(account, entries))
        except ConditionFailed as error:
            return error.row
