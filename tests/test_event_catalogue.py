"""docs/events.md is the catalogue: it lists each type of event that code derives, no other, and bodies as they are.

``python -m tests.test_event_catalogue`` prints the examples anew, of real orders of each desk.
"""

from __future__ import annotations

import json
import re
from typing import Any

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.feed import TYPES, events_of
from chalicelib.domain.books.journal import Head, draft, head_of
from chalicelib.domain.books.vocabulary import (
    AmendOrder,
    BookRules,
    BookStatus,
    CancelOrder,
    Command,
    Protection,
    ResumeBook,
)
from chalicelib.domain.feed import outbox
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.shown import event_json
from chalicelib.services.feed.types import BOOK_TYPES, ESCROW_TYPES, LEDGER_TYPES, SIGNED_TYPES
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.outbox import outbox_entry_of
from infra.settings import ROOT
from tests.domain.books.orders import AT_MS, BUY, SELL, a_book, change_to, limit
from tests.domain.books.test_parked import stop
from tests.in_memory import database_of, empty_tables
from tests.services.escrow.world import EscrowWorld
from tests.services.signed.market import TAKER, Market, open_market

PAGE = ROOT / "docs" / "events.md"
REGISTRY = {
    "Book": BOOK_TYPES,
    "Signed orders": SIGNED_TYPES,
    "Escrow orders": ESCROW_TYPES,
    "Ledger": LEDGER_TYPES,
}
"""Types by section. Signed and escrow orders have ``balance.changed`` too, as the ledger shows it."""


def book_events() -> list[FeedEvent]:
    """Two books with every type of event."""
    rules = BookRules(0, 100, 200)
    plain: list[tuple[Command, int]] = [
        (limit("ord_1", SELL, 50, 10, of="ann"), 0), (limit("ord_2", BUY, 50, 4, of="ben"), 1),
        (limit("ord_3", BUY, 40, 5, of="ben", expires_at_ms=AT_MS + 5), 2), (CancelOrder("cmd_1", "ord_1", "ann"), 3),
        (CancelOrder("cmd_2", "ord_1", "ann"), 4), (change_to(BookStatus.PAUSED, 1, "cmd_3", rules), 6),
        (limit("ord_4", BUY, 40, 5, of="ben"), 7),
    ]  # fmt: skip
    protected: list[tuple[Command, int]] = [
        (stop("ord_5", BUY, 50, 55, of="ben"), 0), (limit("ord_6", SELL, 50, 2, of="ann"), 1),
        (limit("ord_7", BUY, 50, 1, of="ben"), 2),
        (limit("ord_8", SELL, 90, 5, of="ann"), 3), (AmendOrder("amd_1", "ord_8", "ann", SELL, 80, 6, 1), 4),
        (AmendOrder("amd_2", "ord_0", "ann", SELL, 80, 6, 1), 5), (limit("ord_9", BUY, 80, 1, of="ben"), 6),
        (ResumeBook("cmd_4", 80), 7),
    ]  # fmt: skip
    breaking = Book(BookRules(0, protection=Protection(halt_bps=1000, halt_window_s=60, halt_s=300)))
    return [*told(a_book(maker_fee_bps=100, taker_fee_bps=200), plain), *told(breaking, protected)]


def told(book: Book, commands: list[tuple[Command, int]]) -> list[FeedEvent]:
    """Decide commands, each so many ms after the first, and return the feed events of their journal."""
    config = BookConfig("inst_demo0001", "ob_demo", "Demo", "DEMO", "BASE", "QUOTE", base_decimals=0)
    head, found = Head(), list[FeedEvent]()
    for command, after_ms in commands:
        events = [event for step in decide(book, command, AT_MS + after_ms) for event in step.events]
        for entry in draft("inst_demo0001/ob_demo", head, AT_MS + after_ms, 7, events):
            found += events_of(config, entry)
            head = head_of(entry)
    return found


def signed_events() -> list[FeedEvent]:
    """A signed order that is locked, asked to be cancelled and given back; and what its parties were credited."""
    client = empty_tables()
    open_market(database_of(client))
    market = Market(database_of(client), now_ms() // 1000)
    market.create()
    market.lock(taker=TAKER)
    market.cancel()
    market.unlock()
    return outbox_events(market.database)


def escrow_events() -> list[FeedEvent]:
    """An escrow order that is paid and one that is called off."""
    client = empty_tables()
    world = EscrowWorld(database_of(client))
    world.deposit(200)
    world.paid()
    return outbox_events(world.database)


def outbox_events(database: Database) -> list[FeedEvent]:
    """All events of all lanes."""
    found: list[FeedEvent] = []
    for row in sorted(database.scan("outbox"), key=lambda row: (row["owner"], row["number"])):
        found += outbox.events_of(*outbox_entry_of(row))
    return found


def kind_of(event: Any) -> tuple[str, str]:
    """The area and what the body depends on: the steps of a signed or an escrow order have one body."""
    area, kind = event["log"].split("/")[0], event["type"]
    if kind.startswith(("Escrow", "Payout")):
        kind = "escrow step"
    elif kind.startswith("signed_order.") and kind != "signed_order.cancel_requested":
        kind = "signed step"
    return area, kind


def members(value: Any) -> Any:
    """The names of an object's members, at every depth that has names of its own."""
    if isinstance(value, dict):
        return {name: members(one) for name, one in value.items() if name not in ("metadata", "provider", "fill")}
    if isinstance(value, list):
        return [members(value[0])] if value else []
    return None


def real() -> list[dict[str, Any]]:
    events = [*book_events(), *signed_events(), *escrow_events()]
    return [json.loads(json.dumps(event_json(event))) for event in events]


def examples() -> list[dict[str, Any]]:
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)\n```", PAGE.read_text(), re.DOTALL)]


def test_the_catalogue_lists_the_types_that_code_derives_and_no_other() -> None:
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    for name, types in REGISTRY.items():
        assert set(re.findall(r"^\| `(.*?)` \|", sections[name], re.MULTILINE)) == types, name


def test_every_example_has_the_members_of_real_events_and_every_kind_has_one() -> None:
    shown = {kind_of(example): members(example) for example in examples()}
    for event in real():
        shape = members(event)
        if event["body"].get("payin", event) is not None:  # an order that has a payin already
            assert shown[kind_of(event)] == shape, event["type"]
    assert {kind for _, kind in shown} >= set(TYPES)


def test_what_ends_in_an_event_or_an_example_ends_after_its_time() -> None:
    """In one form of time, so that both compare as text."""
    ends = [(one["body"].get("expiresAt"), one["time"], one["type"]) for one in (*real(), *examples())]
    assert {kind for end, _, kind in ends if end} >= {"order.accepted", "signed_order.locked"}
    for end, at, kind in ends:
        assert end is None or end > at, kind


def test_real_events_of_a_book_are_of_every_type() -> None:
    assert {event.type for event in book_events()} == set(TYPES)


if __name__ == "__main__":
    kinds: dict[tuple[str, str], Any] = {}
    for each in real():
        if each["body"].get("payin", each) is not None:
            kinds[kind_of(each)] = each
    for each in kinds.values():
        print("```json\n" + json.dumps(each, ensure_ascii=False) + "\n```\n")
