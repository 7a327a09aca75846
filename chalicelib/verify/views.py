"""A book's snapshot, depth view and status, compared with what its journal gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from chalicelib.core.snapshot import BookState, BrokenSnapshot, decode_state
from chalicelib.stores.books import DEPTH_LEVELS_MAX, Depth
from chalicelib.stores.snapshots import Snapshot
from chalicelib.verify.findings import NOTHING, Disagreement, beyond, difference
from chalicelib.verify.fold import BookFold


@dataclass(frozen=True, slots=True)
class Views:
    """What stands beside a book's journal. status_sequence: the entry that the shown status claims to come from."""

    depth: Depth
    status_sequence: int
    snapshot: Snapshot | None


def view_disagreements(fold: BookFold, views: Views) -> Iterator[Disagreement]:
    """Yield where the views differ from the book: those that a removed or unprojected entry shows in come first."""
    yield from _depth(fold, views.depth)
    yield from _status(fold, views.status_sequence)
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
    for name, side, shown in (("bids", book.bids, depth.bids), ("asks", book.asks, depth.asks)):
        for number, (expected, found) in enumerate(zip_longest(side.depth(DEPTH_LEVELS_MAX), shown), 1):
            if expected != found:
                yield Disagreement(f"{where}, {name}, level {number}", _level(expected), _level(found))


def _level(level: tuple[int, int] | None) -> str:
    return NOTHING if level is None else f"{level[1]} at {level[0]}"


def _status(fold: BookFold, shown_sequence: int) -> Iterator[Disagreement]:
    where, status = f"{fold.key} configuration", fold.state.book.status
    ahead = beyond(f"{where}, sequence of the status", shown_sequence, fold.head)
    if ahead is not None:
        yield ahead
    if fold.config.status is not status:
        yield Disagreement(f"{where}, status", status.value, fold.config.status.value)
    if shown_sequence != fold.status_sequence:
        yield Disagreement(f"{where}, sequence of the status", str(fold.status_sequence), str(shown_sequence))


def _snapshot(fold: BookFold, snapshot: Snapshot) -> Iterator[Disagreement]:
    where = f"{fold.key} snapshot at {snapshot.sequence}"
    ahead = beyond(f"{where}, sequence", snapshot.sequence, fold.head)
    if ahead is not None:
        yield ahead
        return
    try:
        stored = decode_state(fold.key, fold.config.rules, snapshot.content)
    except BrokenSnapshot as error:
        yield Disagreement(where, "a snapshot", str(error))
        return
    if fold.at_snapshot is None:
        yield Disagreement(where, "a snapshot of an entry", "one of no entry")
        return
    expected, found = _content(fold.at_snapshot), _content(stored)
    if not fold.snapshot_status_known and fold.status_sequence:
        del expected["status"], found["status"]  # the first change came later, and no entry says what was before
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
        "status": state.book.status.value,
        "named": dict(sorted(state.named.items())),
        "open orders": len(state.book.open_orders),
    }


def _orders(state: BookState) -> Iterator[tuple[int, str]]:
    """Yield the resting orders in their priority: facts, what is left and what they hold."""
    orders = state.book.by_priority()
    return enumerate((f"{order.remaining} left, {order.hold} held of {order.placed}" for order in orders), 1)
