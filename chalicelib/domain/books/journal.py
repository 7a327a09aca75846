"""Journal entries: a hash chain of what a book decided, written and replayed.

An entry's hash is SHA-256 over the previous entry's hash and the canonical form of everything else in it, so a book's
journal is tamper-evident from its first entry on. Canonical form: compact JSON, members sorted by name, UTF-8, amounts
as decimal strings. Replaying all entries into an empty book gives the book.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ulid import ULID

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import (
    Accepted,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Rested,
    Traded,
)
from chalicelib.domain.books.vocabulary import (
    LOT_SIZE_OFF,
    MIN_ORDER_VALUE_OFF,
    BookStatus,
    BookTerms,
    CloseReason,
    OrderStatus,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.canonical import canonical
from chalicelib.support.consistency import Inconsistent

GENESIS_HASH = "0" * 64
"""What the first entry of a book names as its predecessor's hash."""

ENTRY_EVENT_BYTES_MAX = 300_000
"""Events of one entry, uncompressed; keeps an entry under DynamoDB's 400 KB whatever compression does."""

RawEvent = dict[str, object]


class BrokenJournal(Exception):
    """An entry does not follow from the one before it, or names an order that is not there."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One commit of a book.

    at_ms: when it was decided, ms since the epoch; never less than in the entry before.
    watermark: the highest stream sequence number that the book has consumed.
    redriven: ids of commands in this entry that came from the inbox instead of the stream. Their stream sequence is
        unknown, so a later delivery of them is recognised by id alone.
    """

    book: str
    sequence: int
    at_ms: int
    watermark: int
    previous_hash: str
    hash: str
    events: tuple[RawEvent, ...]
    redriven: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a book's journal: what the next entry must follow."""

    sequence: int = 0
    at_ms: int = 0
    watermark: int = 0
    hash: str = GENESIS_HASH


def head_of(entry: JournalEntry) -> Head:
    return Head(entry.sequence, entry.at_ms, entry.watermark, entry.hash)


def entry_hash(
    previous_hash: str, book: str, sequence: int, at_ms: int, watermark: int,
    events: Sequence[RawEvent], redriven: Sequence[str],
) -> str:  # fmt: skip
    content = {
        "at": at_ms,
        "book": book,
        "events": list(events),
        "redriven": list(redriven),
        "sequence": sequence,
        "watermark": str(watermark),
    }
    return hashlib.sha256(previous_hash.encode() + canonical(content).encode()).hexdigest()


def draft(
    book: str, head: Head, at_ms: int, watermark: int, events: Iterable[Event], redriven: Sequence[str] = ()
) -> list[JournalEntry]:
    """Return the entries that follow ``head`` with these events: one, or several where one would be too large."""
    entries: list[JournalEntry] = []
    for chunk in _chunks([encode(event) for event in events]):
        sequence, at_ms = head.sequence + 1, max(at_ms, head.at_ms)
        watermark = max(watermark, head.watermark)
        names = tuple(redriven) if not entries else ()
        digest = entry_hash(head.hash, book, sequence, at_ms, watermark, chunk, names)
        entries.append(JournalEntry(book, sequence, at_ms, watermark, head.hash, digest, tuple(chunk), names))
        head = head_of(entries[-1])
    return entries


def _chunks(events: list[RawEvent]) -> Iterator[list[RawEvent]]:
    chunk: list[RawEvent] = []
    size = 0
    for event in events:
        length = len(canonical(event).encode()) + 1
        if chunk and size + length > ENTRY_EVENT_BYTES_MAX:
            yield chunk
            chunk, size = [], 0
        chunk.append(event)
        size += length
    if chunk:
        yield chunk


def verify(entry: JournalEntry, head: Head) -> None:
    """Raise BrokenJournal unless the entry follows ``head`` and its hash is that of its content."""
    if entry.sequence != head.sequence + 1 or entry.previous_hash != head.hash:
        raise BrokenJournal(f"{entry.book}: entry {entry.sequence} does not follow {head.sequence}")
    digest = entry_hash(
        entry.previous_hash, entry.book, entry.sequence, entry.at_ms, entry.watermark, entry.events, entry.redriven
    )
    if digest != entry.hash:
        raise BrokenJournal(f"{entry.book}: entry {entry.sequence} is not what was hashed")


def replay(book: Book, entry: JournalEntry) -> list[Event]:
    """Fold the entry into the book and return its events. Raises BrokenJournal."""
    events: list[Event] = []
    for raw in entry.events:
        try:
            event = decode(raw, book)
            book.apply(event)
        except (KeyError, ValueError, TypeError, Inconsistent) as error:
            raise BrokenJournal(f"{entry.book}: entry {entry.sequence} cannot be folded at {raw}") from error
        events.append(event)
    return events


def trade_id(entry: JournalEntry, number: int) -> str:
    """Return the id of the entry's trade at this event number: a ULID (T15) made from the entry alone.

    Its time is the entry's; its random part is the sequence, the event number and the book's digest, so ids of one
    book ascend as its trades happened, and every fold gives the same ones.
    """
    book_digest = hashlib.sha256(entry.book.encode()).digest()[:4]
    tail = (entry.sequence % 2**32).to_bytes(4, "big") + number.to_bytes(2, "big") + book_digest
    return f"trade_{ULID.from_bytes(entry.at_ms.to_bytes(6, 'big') + tail)}"


def encode(event: Event) -> RawEvent:
    """Return the event as plain data; an order that the book knows is named by its id."""
    match event:
        case Accepted(order):
            return {"type": "accepted", "order": encode_order(order)}
        case Traded():
            return {
                "type": "traded",
                "maker": event.maker.order_id,
                "taker": event.taker.order_id,
                "takerSide": event.taker.side.value,
                "takerType": event.taker.order_type.value,
                "buyer": event.buyer.customer,
                "seller": event.seller.customer,
                "price": str(event.price),
                "quantity": str(event.quantity),
                "notional": str(event.notional),
                "makerFee": str(event.maker_fee),
                "takerFee": str(event.taker_fee),
                "released": str(event.released),
                "makerRemaining": str(event.maker_remaining),
                "takerRemaining": str(event.taker_remaining),
            }
        case Rested(order, remaining):
            return {"type": "rested", "order": order.order_id, "remaining": str(remaining)}
        case Closed(order, status, reason, remaining, released):
            return {
                "type": "closed",
                "order": order.order_id,
                "status": status.value,
                "reason": reason.value,
                "remaining": str(remaining),
                "released": str(released),
            }
        case CancelRefused(order_id, customer):
            return {"type": "cancelRefused", "order": order_id, "customer": customer}
        case CancelAllBegun(command_id, customer):
            return {"type": "cancelAllBegun", "command": command_id, "customer": customer}
        case CancelAllEnded(command_id, customer, closed):
            return {"type": "cancelAllEnded", "command": command_id, "customer": customer, "closed": closed}
        case BookChanged(command_id, terms):
            return {"type": "bookChanged", "command": command_id} | encode_terms(terms)


def decode(raw: RawEvent, book: Book) -> Event:
    """Return the event that ``encode`` wrote, its orders looked up in the book. KeyError: no such order there."""

    def amount(name: str) -> int:
        return int(str(raw[name]))

    def order(name: str) -> PlaceOrder:
        return book.find(str(raw[name]))

    match raw["type"]:
        case "accepted":
            return Accepted(decode_order(raw["order"]))
        case "traded":
            trade = Traded(
                order("maker"), order("taker"), amount("price"), amount("quantity"), amount("notional"),
                amount("makerFee"), amount("takerFee"), amount("released"),
                amount("makerRemaining"), amount("takerRemaining"),
            )  # fmt: skip
            taker, parties = trade.taker, (trade.buyer.customer, trade.seller.customer)
            if (taker.side, taker.order_type, *parties) != (
                raw["takerSide"], raw["takerType"], raw["buyer"], raw["seller"],
            ):  # fmt: skip
                raise ValueError("a trade names other parties than its orders do")
            return trade
        case "rested":
            return Rested(order("order"), amount("remaining"))
        case "closed":
            status, reason = OrderStatus(str(raw["status"])), CloseReason(str(raw["reason"]))
            return Closed(order("order"), status, reason, amount("remaining"), amount("released"))
        case "cancelRefused":
            return CancelRefused(str(raw["order"]), str(raw["customer"]))
        case "cancelAllBegun":
            return CancelAllBegun(str(raw["command"]), str(raw["customer"]))
        case "cancelAllEnded":
            return CancelAllEnded(str(raw["command"]), str(raw["customer"]), amount("closed"))
        case "bookChanged":
            return BookChanged(str(raw["command"]), decode_terms(raw))
    raise BrokenJournal(f"unknown event {raw['type']}")


def encode_terms(terms: BookTerms) -> dict[str, object]:
    """Return a book's terms as plain data, without the settings that are off; ``decode_terms`` reads them."""
    raw: dict[str, object] = {
        "version": terms.version,
        "status": terms.status.value,
        "makerFeeBps": terms.maker_fee_bps,
        "takerFeeBps": terms.taker_fee_bps,
        "selfTradePrevention": terms.self_trade_prevention.value,
    }
    if terms.lot_size != LOT_SIZE_OFF:
        raw["lotSize"] = str(terms.lot_size)
    if terms.min_order_value != MIN_ORDER_VALUE_OFF:
        raw["minOrderValue"] = str(terms.min_order_value)
    return raw


def decode_terms(raw: object) -> BookTerms:
    """Return the terms that ``encode_terms`` wrote. Raises KeyError, ValueError or TypeError where one is missing."""
    if not isinstance(raw, dict):
        raise TypeError("terms are an object")
    return BookTerms(
        version=int(raw["version"]),
        status=BookStatus(raw["status"]),
        maker_fee_bps=int(raw["makerFeeBps"]),
        taker_fee_bps=int(raw["takerFeeBps"]),
        self_trade_prevention=SelfTradePrevention(raw["selfTradePrevention"]),
        lot_size=int(raw.get("lotSize", LOT_SIZE_OFF)),
        min_order_value=int(raw.get("minOrderValue", MIN_ORDER_VALUE_OFF)),
    )


def encode_order(order: PlaceOrder) -> dict[str, object]:
    """Return an order's command as plain data, without what is None; ``decode_order`` reads it."""
    extras = {
        "value": None if order.value is None else str(order.value),
        "externalId": order.external_id,
        "expiresAt": order.expires_at_ms,
    }
    facts: dict[str, object] = {
        "id": order.order_id,
        "customer": order.customer,
        "side": order.side.value,
        "type": order.order_type.value,
        "timeInForce": order.time_in_force.value,
        "price": None if order.price is None else str(order.price),
        "quantity": str(order.quantity),
        "hold": str(order.hold),
        "postOnly": order.post_only,
    }
    return facts | {name: extra for name, extra in extras.items() if extra is not None}


def decode_order(raw: object) -> PlaceOrder:
    """Return the command that ``encode_order`` wrote. KeyError, ValueError or TypeError: a part is missing."""
    if not isinstance(raw, dict):
        raise TypeError("an order is an object")
    return PlaceOrder(
        order_id=str(raw["id"]),
        customer=str(raw["customer"]),
        side=Side(raw["side"]),
        order_type=OrderType(raw["type"]),
        time_in_force=TimeInForce(raw["timeInForce"]),
        price=None if raw["price"] is None else int(raw["price"]),
        quantity=int(raw["quantity"]),
        hold=int(raw["hold"]),
        post_only=bool(raw["postOnly"]),
        value=int(raw["value"]) if "value" in raw else None,
        external_id=str(raw["externalId"]) if "externalId" in raw else None,
        expires_at_ms=int(raw["expiresAt"]) if "expiresAt" in raw else None,
    )
