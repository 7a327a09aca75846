"""Checks a book's snapshot, depth view, candles and terms against its journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from chalicelib.domain.books.candles import Candle, Period
from chalicelib.domain.books.forms import encode_terms
from chalicelib.domain.books.orders import NO_TRADES
from chalicelib.domain.books.snapshot import BookState, BrokenSnapshot, decode_state
from chalicelib.services.books.disagreements import NOTHING, Disagreement, beyond, difference
from chalicelib.services.books.fold import BookFold
from chalicelib.tables.candles import is_kept
from chalicelib.tables.depth_views import DEPTH_LEVELS_MAX, Depth
from chalicelib.tables.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Views:
    """The derived data of a book. candles: the finished ones, by period. now_ms: time of the reading."""

    depth: Depth
    snapshot: Snapshot | None
    candles: Mapping[Period, Sequence[Candle]] = field(default_factory=dict)
    now_ms: int = 0


def view_disagreements(fold: BookFold, views: Views) -> Iterator[Disagreement]:
    """Yield where the views differ from the book; those that reveal a removed or unprojected entry come first."""
    yield from _depth(fold, views.depth)
    yield from _market(fold, views.depth)
    for period in Period:
        yield from _candles(fold, period, {candle.start_ms: candle for candle in views.candles.get(period, ())}, views)
    yield from _terms(fold)
    if views.snapshot is not None:
        yield from _snapshot(fold, views.snapshot)


def _depth(fold: BookFold, depth: Depth) -> Iterator[Disagreement]:
    where = f"{fold.key} depth view"
    ahead = beyond(f"{where}, sequence", depth.sequence, fold.head)
    if ahead is not None:
        yield ahead
    elif depth.sequence < fold.head:
        behind = f"{depth.sequence}: later entries are committed and not projected (tallybook redrive does that)"
        yield Disagreement(f"{where}, sequence", str(fold.head), behind)
    book = fold.state.book
    if depth.version != book.version:
        yield Disagreement(f"{where}, version of the terms", str(book.version), str(depth.version))
    if depth.halted_until_ms != book.halted_until_ms:
        yield Disagreement(f"{where}, end of the halt", _shown(book.halted_until_ms), _shown(depth.halted_until_ms))
    for name, side, shown in (("bids", book.bids, depth.bids), ("asks", book.asks, depth.asks)):
        for number, (expected, found) in enumerate(zip_longest(side.depth(DEPTH_LEVELS_MAX), shown), 1):
            if expected != found:
                yield Disagreement(f"{where}, {name}, level {number}", _level(expected), _level(found))


def _market(fold: BookFold, depth: Depth) -> Iterator[Disagreement]:
    """Yield where the last price or an open candle differs from the journal's trades."""
    where, expected = f"{fold.key} depth view", fold.market
    if depth.market.last != expected.last:
        yield Disagreement(f"{where}, last price", _shown(expected.last), _shown(depth.market.last))
    for period in Period:
        should, found = expected.open.get(period), depth.market.open.get(period)
        if should != found:
            yield Disagreement(f"{where}, open candle of {period.value}", _shown(should), _shown(found))


def _candles(fold: BookFold, period: Period, found: Mapping[int, Candle], views: Views) -> Iterator[Disagreement]:
    """Yield where finished candles differ from the journal's trades.

    A candle past its retention may or may not exist: DynamoDB drops it at some later time.
    """
    expected, at_ms = fold.candles[period], fold.state.head.at_ms
    for start_ms in sorted({*expected, *found}):
        should, is_ = expected.get(start_ms), found.get(start_ms)
        is_over = not is_kept(period, start_ms, at_ms if is_ is not None else max(at_ms, views.now_ms))
        if should != is_ and not is_over:
            where = f"{fold.key} candle of {period.value} at {start_ms}"
            yield Disagreement(where, _shown(should), _shown(is_))


def _shown(value: object) -> str:
    return NOTHING if value is None else str(value)


def _level(level: tuple[int, int] | None) -> str:
    return NOTHING if level is None else f"{level[1]} at {level[0]}"


def _terms(fold: BookFold) -> Iterator[Disagreement]:
    """Yield where the stored settings differ from those decided. A later version is a change not decided yet."""
    where, expected, found = f"{fold.key} configuration", fold.state.book.terms, fold.config.terms
    if found.version < expected.version:
        yield Disagreement(f"{where}, version", str(expected.version), str(found.version))
    elif (fold.config.first is not None) is not (found.version > 0):
        yield Disagreement(f"{where}, first", "its first terms, once it was changed", _shown(fold.config.first))
    elif found.version == expected.version:
        differs = difference(where, encode_terms(expected), encode_terms(found), fold.head)
        if differs is not None:
            yield differs


def _snapshot(fold: BookFold, snapshot: Snapshot) -> Iterator[Disagreement]:
    where = f"{fold.key} snapshot at {snapshot.sequence}"
    ahead = beyond(f"{where}, sequence", snapshot.sequence, fold.head)
    if ahead is not None:
        yield ahead
        return
    try:
        stored = decode_state(fold.key, fold.config.first_rules, snapshot.content)
    except BrokenSnapshot as error:
        yield Disagreement(where, "a snapshot", str(error))
        return
    if fold.at_snapshot is None:
        yield Disagreement(where, "a snapshot of an entry", "one of no entry")
        return
    expected, found = _content(fold.at_snapshot), _content(stored)
    differs = difference(where, expected, found, fold.head)
    if differs is not None:
        yield differs
    for (number, one), (_, other) in zip(_orders(fold.at_snapshot), _orders(stored), strict=False):
        if one != other:
            yield Disagreement(f"{where}, order {number}", one, other)


def _content(state: BookState) -> dict[str, object]:
    head = state.head
    return {
        "sequence": head.sequence,
        "at": head.at_ms,
        "watermark": head.watermark,
        "hash": head.hash,
        "terms": encode_terms(state.book.terms),
        "named": dict(sorted(state.named.items())),
        "last price": _shown(state.book.last_price),
        "cancelling": str(state.book.cancelling),
        "open orders": len(state.book.open_orders),
    }


def _orders(state: BookState) -> Iterator[tuple[int, str]]:
    """Yield the resting orders by priority: terms, open quantity, hold, and what their trades came to."""
    for number, order in enumerate(state.book.by_priority(), 1):
        sums = state.traded.get(order.placed.order_id, NO_TRADES)
        yield number, f"{order.remaining} left, {order.hold} held, {sums} of {order.placed}"
