"""Deduplication: commands delivered at least once are decided exactly once.

A command above the book's watermark is new, unless a redrive decided it before; then the book knows its id. A command
at or below the watermark was decided, or was overtaken by newer ones when a shard split. The book or the order's row
tells which:

| command | decided if | looked up if |
| --- | --- | --- |
| place | its order rests, or its row carries a sequence | at or below the watermark, or redriven |
| cancel | its order's row says cancelled by its user, or cancel refused | its order does not rest |
| cancel-all | its inbox row says so, or has gone | at or below the watermark, or redriven |
| amendment | it is no longer under way | at or below the watermark, or redriven |
| change, resume | the book knows its name | never |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import AmendOrder, CancelAll, CancelOrder, CloseReason, Command, PlaceOrder
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.tables.amendments import Amendments
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import Inbox, Progress
from chalicelib.tables.orders import Orders


@dataclass(frozen=True, slots=True)
class Delivery:
    """A command as delivered. stream_sequence: None if it is read from the inbox (redrive).

    arrival: the sort key of its inbox row; "" if it is read from elsewhere. Orders of a batch have the same of both.
    """

    command: Command
    stream_sequence: int | None
    arrival: str = ""


OfOrder = PlaceOrder | CancelOrder | AmendOrder


class Deduplication:
    """Drops commands that were decided before."""

    def __init__(self, database: Database) -> None:
        self._orders = Orders(database)
        self._inbox = Inbox(database)
        self._amendments = Amendments(database)

    def undecided(self, deliveries: Sequence[Delivery], state: BookState, config: BookConfig) -> list[Delivery]:
        """Return the undecided commands in order of delivery, each order before its amendment and its cancel."""
        fresh: dict[str, Delivery] = {}
        doubtful: list[OfOrder] = []
        doubtful_alls: list[str] = []
        doubtful_amendments: list[AmendOrder] = []
        certainly_new: set[str] = set()
        for delivery in deliveries:
            command, at = delivery.command, delivery.stream_sequence
            name = command.command_id
            if name in state.named or name in state.book.open_orders or name in fresh:
                continue
            fresh[name] = delivery
            may_be_decided = at is None or at <= state.head.watermark
            if isinstance(command, PlaceOrder):
                if may_be_decided:
                    doubtful.append(command)
                else:
                    certainly_new.add(name)
            elif isinstance(command, CancelOrder | AmendOrder):
                order_id = command.order_id
                if order_id not in state.book.open_orders and order_id not in certainly_new:
                    doubtful.append(command)
                if may_be_decided and isinstance(command, AmendOrder):
                    doubtful_amendments.append(command)
            elif isinstance(command, CancelAll) and may_be_decided:
                doubtful_alls.append(name)
        for name in self._decided_alls(config, doubtful_alls):
            del fresh[name]
        for name in self._decided_amendments(config, doubtful_amendments):
            del fresh[name]
        if not doubtful:
            return list(fresh.values())
        rows = self._rows(config, doubtful)
        for one in doubtful:
            if _is_decided(one, rows.get(one.order_id)):
                fresh.pop(one.command_id, None)
        return self._places_first(config, fresh, rows)

    def _decided_alls(self, config: BookConfig, names: list[str]) -> list[str]:
        """Return the decided ones of these cancel-alls. One without a row is too old and counts as decided."""
        book = book_key(config.instance, config.book_id)
        progress = self._inbox.progress((book, name) for name in names)
        return [name for name in names if name not in progress or progress[name] != Progress()]

    def _decided_amendments(self, config: BookConfig, commands: list[AmendOrder]) -> list[str]:
        """Return the ids of the decided ones of these amendments: those that are no longer under way."""
        orders = [(customer_key(config.instance, command.customer), command.order_id) for command in commands]
        under_way = self._amendments.ids_under_way(orders)
        return [command.command_id for command in commands if command.command_id not in under_way]

    def _rows(self, config: BookConfig, commands: Iterable[OfOrder]) -> dict[str, OrderRow]:
        owners = {(customer_key(config.instance, command.customer), command.order_id) for command in commands}
        return self._orders.get_many(sorted(owners))

    def _places_first(
        self, config: BookConfig, fresh: dict[str, Delivery], rows: dict[str, OrderRow]
    ) -> list[Delivery]:
        """Put an order, from the delivery or from its row, before a cancel or an amendment that overtook it.

        The order was admitted first, so it is decided first: neither must be refused while the order waits.
        """
        ordered: dict[str, Delivery] = {}
        for name, delivery in fresh.items():
            command = delivery.command
            if isinstance(command, CancelOrder | AmendOrder) and _is_waiting(rows.get(command.order_id)):
                place = fresh.get(command.order_id) or self._from_row(config, command)
                if place is not None:
                    ordered.setdefault(command.order_id, place)
            ordered.setdefault(name, delivery)
        return list(ordered.values())

    def _from_row(self, config: BookConfig, overtook: CancelOrder | AmendOrder) -> Delivery | None:
        command = self._orders.placed(customer_key(config.instance, overtook.customer), overtook.order_id)
        return None if command is None else Delivery(command, None)


def _is_decided(command: OfOrder, row: OrderRow | None) -> bool:
    """Tell whether the order's row shows the outcome of the command; of an amendment it never tells."""
    if row is None or isinstance(command, AmendOrder):
        return False
    if isinstance(command, PlaceOrder):
        return row.sequence is not None
    return row.cancel_refused or row.reason is CloseReason.USER_CANCELLED


def _is_waiting(row: OrderRow | None) -> bool:
    """Tell whether the order is admitted and undecided."""
    return row is not None and row.sequence is None
