"""Logs each commit and records the matcher's metrics (docs/watching.md)."""

from __future__ import annotations

from chalicelib.domain.books.events import Traded
from chalicelib.domain.books.vocabulary import PlaceOrder
from chalicelib.domain.ledger.owners import split_book_key
from chalicelib.services.books.telemetry import Committed, MatchObserver
from chalicelib.support.ids import time_of
from chalicelib.support.telemetry import Metric, logger, measure


class MatchTelemetry(MatchObserver):
    """The observer that logs each commit and records metrics."""

    def delivered(self, records: int) -> None:
        measure(Metric.BATCH_SIZE, records)

    def committed(self, what: Committed) -> None:
        placed = [command for command in what.commands if isinstance(command, PlaceOrder)]
        measure(Metric.ENTRIES, what.entries)
        measure(Metric.MATCH_LATENCY, *_latencies_ms(placed, what.at_ms))
        matched = sum(map(_first_trades, (event for event in what.events if isinstance(event, Traded))))
        if matched:
            measure(Metric.ORDERS_MATCHED, matched)
        instance, _ = split_book_key(what.book)
        logger.info(
            "committed",
            instance=instance,
            book=what.book,
            sequence=what.sequence,
            entries=what.entries,
            commands=len(what.commands),
        )

    def redelivered(self, commands: int) -> None:
        measure(Metric.REDELIVERIES, commands)

    def lost_fencing(self, book: str) -> None:
        measure(Metric.FENCING_LOSSES, 1)
        logger.info("another matcher was first", instance=split_book_key(book)[0], book=book)

    def finished_for_others(self, book: str, entries: int) -> None:
        measure(Metric.FINISHED_FOR_OTHERS, entries)
        logger.info("finished for others", instance=split_book_key(book)[0], book=book, entries=entries)

    def passed_over(self, commands: int) -> None:
        measure(Metric.PASSED_OVER, commands)

    def left_unfinished(self, commands: int) -> None:
        measure(Metric.UNFINISHED, commands)


def _first_trades(trade: Traded) -> int:
    """Return how many of a trade's two orders had not traded before."""
    maker_is_new = trade.maker_remaining + trade.quantity == trade.maker.quantity
    taker_is_new = trade.taker_remaining + trade.quantity == trade.taker.quantity
    return maker_is_new + taker_is_new


def _latencies_ms(orders: list[PlaceOrder], at_ms: int) -> list[float]:
    """Return for each order the time from its admission to ``at_ms``; at least 0, since clocks differ."""
    latencies: list[float] = []
    for order in orders:
        try:
            latencies.append(max(0, at_ms - time_of(order.order_id)))
        except ValueError:  # an id that admission did not give, and no reason to stop matching
            logger.warning("the order's id names no time", order=order.order_id)
    return latencies
