"""The schedule of expiry checks (R24), on each engine: minutes, order within a minute, and the swept minutes."""

from __future__ import annotations

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import MINUTE_MS, ROW_LIFE_S, Expiries, Expiry, minute_of

AT_MS = 1_736_937_000_000
MINUTE = minute_of(AT_MS)


def expiry(order_id: str, after_ms: int) -> Expiry:
    return Expiry("inst_x/ob", "inst_x/customer/ann", order_id, AT_MS + after_ms)


def expected(store: Database, *expiries: Expiry) -> Expiries:
    table = Expiries(store)
    store.transact([table.schedule(one) for one in expiries])
    return table


def test_due_checks_of_a_minute_are_sorted_by_time(store: Database) -> None:
    first, second, third = expiry("ord_c", 0), expiry("ord_a", 1), expiry("ord_b", 1)
    table = expected(store, third, expiry("ord_d", 2), second, first, expiry("ord_e", MINUTE_MS))
    assert list(table.due(MINUTE, AT_MS - 1)) == []
    assert list(table.due(MINUTE, AT_MS)) == [first]
    assert list(table.due(MINUTE, AT_MS + 1)) == [first, second, third]
    assert [one.order_id for one in table.due(MINUTE, AT_MS + 10 * MINUTE_MS)] == ["ord_c", "ord_a", "ord_b", "ord_d"]
    assert [one.order_id for one in table.due(MINUTE + 1, AT_MS + MINUTE_MS)] == ["ord_e"]


def test_times_of_more_and_of_fewer_digits_sort_as_times(store: Database) -> None:
    """In one minute of the year 2286 a digit comes on."""
    last, next_ms = 9_999_999_999_999, 10_000_000_000_000
    earlier, later = (Expiry("inst_x/ob", "inst_x/customer/ann", "ord_1", at_ms) for at_ms in (last, next_ms))
    table = expected(store, later, earlier)
    assert minute_of(last) == minute_of(next_ms)
    assert list(table.due(minute_of(last), last)) == [earlier]
    assert list(table.due(minute_of(last), next_ms)) == [earlier, later]


def test_a_row_that_is_removed_is_gone_and_others_stay(store: Database) -> None:
    first, second = expiry("ord_a", 0), expiry("ord_b", 0)
    table = expected(store, first, second)
    table.remove([first])
    table.remove([first])
    table.remove([])
    assert list(table.due(MINUTE, AT_MS)) == [second]


def test_a_postponed_check_has_only_its_new_time(store: Database) -> None:
    table = expected(store, expiry("ord_a", 0), expiry("ord_b", 5))
    table.postpone(table.due(MINUTE, AT_MS + 5), AT_MS + MINUTE_MS)
    assert list(table.due(MINUTE, AT_MS + MINUTE_MS)) == []
    later = [expiry("ord_a", MINUTE_MS), expiry("ord_b", MINUTE_MS)]
    assert list(table.due(MINUTE + 1, AT_MS + MINUTE_MS)) == later
    assert {row["expires"] for row in store.scan("expiries")} == {AT_MS // 1000 + 60 + ROW_LIFE_S}


def test_the_swept_minutes_only_grow(store: Database) -> None:
    table = Expiries(store)
    assert table.first_unswept() is None
    for noted, shown in ((MINUTE, MINUTE), (MINUTE - 1, MINUTE), (MINUTE, MINUTE), (MINUTE + 3, MINUTE + 3)):
        table.note_swept(noted)
        assert table.first_unswept() == shown


def test_the_earliest_minute_is_that_of_a_row_whatever_is_swept(store: Database) -> None:
    table = Expiries(store)
    assert table.earliest() is None
    table.note_swept(MINUTE)
    assert table.earliest() is None
    expected(store, expiry("ord_a", 7 * MINUTE_MS), expiry("ord_b", 3 * MINUTE_MS))
    assert table.earliest() == MINUTE + 3
