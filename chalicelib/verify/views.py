"""A book's snapshot, depth view and terms, compared with what its journal gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from chalicelib.core.journal import encode_terms
from chalicelib.core.snapshot import BookState, BrokenSnapshot, decode_state
from chalicelib.stores.books import DEPTH_LEVELS_MAX, Depth
from chalicelib.stores.snapshots import Snapshot
from chalicelib.verify.findings import NOTHING, Disagreement, beyond, difference
from chalicelib.verify.fold import BookFold


@dataclass(frozen=True, slots=True)
class Views:
    """What stands beside a book's journal."""

    depth: Depth
    snapshot: Snapshot | None


def view_disagreements(fold: BookFold, views: Views) -> Iterator[Disagreement]:
    """Yield where the views differ from the book: those that a removed or unprojected entry shows in come first."""
    yield from _depth(fold, views.depth)
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
    for name, side, shown in (("bids", book.bids, depth.bids), ("asks", book.asks, depth.asks)):
        for number, (expected, found) in enumerate(zip_longest(side.depth(DEPTH_LEVELS_MAX), shown), 1):
            if expected != found:
                yield Disagreement(f"{where}, {name}, level {number}", _level(expected), _level(found))


def _level(level: tuple[int, int] | None) -> str:
    return NOTHING if level is None else f"{level[1]} at {level[0]}"


def _terms(fold: BookFold) -> Iterator[Disagreement]:
    """Yield where the settings that are shown are not those decided. A later version is a change not decided yet."""
    where, expected, found = f"{fold.key} configuration", fold.state.book.terms, fold.config.terms
    if found.version < expected.version:
        yield Disagreement(f"{where}, version", str(expected.version), str(found.version))
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
        "open orders": len(state.book.open_orders),
    }


def _orders(state: BookState) -> Iterator[tuple[int, str]]:
    """Yield the resting orders in their priority: facts, what is left and what they hold."""
    orders = state.book.by_priority()
    return enumerate((f"{order.remaining} left, {order.hold} held of {order.placed}" for order in orders), 1)
