"""Result of a verification, as one JSON object and as text, one line for each check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BookReport:
    """A book that agrees with its journal. hash: of the last entry. snapshot: its sequence; None if there is none."""

    book: str
    status: str
    entries: int
    events: int
    sequence: int
    hash: str
    snapshot: int | None
    orders: int
    undecided: int
    fills: int


@dataclass(frozen=True, slots=True)
class InstanceReport:
    """An instance whose ledger agrees with its books, signed orders and escrow orders.

    assets: total over all accounts, by asset. signed_fills: number of fills of signed orders.
    """

    instance: str
    books: int
    accounts: int
    assets: dict[str, int]
    signed_orders: int = 0
    signed_fills: int = 0
    escrow_orders: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    books: tuple[BookReport, ...]
    instances: tuple[InstanceReport, ...]


def printed(report: Report) -> dict[str, Any]:
    """Return the report as plain data; amounts are strings of base units."""
    return {
        "books": [{name: getattr(book, name) for name in BookReport.__slots__} for book in report.books],
        "instances": [
            {
                "instance": instance.instance,
                "books": instance.books,
                "accounts": instance.accounts,
                "signed_orders": instance.signed_orders,
                "signed_fills": instance.signed_fills,
                "escrow_orders": instance.escrow_orders,
                "assets": [{"asset": asset, "total": str(total)} for asset, total in instance.assets.items()],
            }
            for instance in report.instances
        ],
    }


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield the printed report as text."""
    for book in report["books"]:
        name = book["book"]
        yield f"{name}: journal: {book['entries']} entries, {book['events']} events, none missing, none changed"
        yield f"{name}: head: entry {book['sequence']}, hash {book['hash']}"
        at = book["snapshot"]
        yield f"{name}: snapshot: {'none yet' if at is None else f'the one at entry {at} agrees'}"
        yield f"{name}: depth view and terms ({book['status']}): agree"
        yield f"{name}: orders: {book['orders']} rows agree, {book['undecided']} more are not decided yet"
        yield f"{name}: fills: {book['fills']} agree, no others"
    for instance in report["instances"]:
        name = instance["instance"]
        yield f"{name}: accounts: {instance['accounts']} agree with the journals of all books ({instance['books']})"
        if instance["signed_orders"]:
            orders, fills = instance["signed_orders"], instance["signed_fills"]
            yield f"{name}: signed orders: {orders} agree, with {fills} fills, what takers see of them, and the ledger"
        if instance["escrow_orders"]:
            orders = instance["escrow_orders"]
            yield f"{name}: escrow orders: {orders} agree, with all that belongs to them, and the ledger"
        for asset in instance["assets"]:
            yield f"{name}: {asset['asset']}: {asset['total']} in all accounts = credits - debits = supply"
