"""Which time a list is about, and how it is cut into pages (R17, R18)."""

from __future__ import annotations

import base64

import pytest

from chalicelib.apis.trade import listing
from chalicelib.services.books import reading
from chalicelib.support.clock import now_ms
from tests.apis.trade.cases import desk_of_ben, invalid, outcome_of, placed, refusal_of
from tests.apis.trade.desk import SignedDesk, data_of
from tests.apis.trade.rows import DAY_MS, LIST, NOW_MS, an_order, id_at, ids_of, page, put_many, put_orders
from tests.case_tables import cases

PERIOD = {LIST: ("start_date", "end_date"), "/trade/user/trades": ("start_date", "end_date"),
          "/trade/public/trades": ("start_time", "end_time")}  # fmt: skip
"""The two parameters of each list's window."""


# --- R17: forms --------------------------------------------------------------------------------------------------

# as it stands in the query, and the ms it is: 2025-03-01T00:00Z is 1740787200000
MARCH_MS = 1_740_787_200_000
FORMS = cases(
    ("a date",                          "2025-03-01",                        0),
    ("hours and minutes",               "2025-03-01T01:30",                  5_400_000),
    ("seconds",                         "2025-03-01T01:30:15",               5_415_000),
    ("tenths",                          "2025-03-01T00:00:00.5",             500),
    ("milliseconds",                    "2025-03-01T00:00:00.007",           7),
    ("more is cut",                     "2025-03-01T00:00:00.0079999999",    7),
    ("Z",                               "2025-03-01T00:00Z",                 0),
    ("Z after a fraction",              "2025-03-01T00:00:00.001Z",          1),
    ("west",                            "2025-03-01T00:00-03:00",            10_800_000),
    ("east, encoded",                   "2025-03-01T03:30:00%2B03:30",       0),
    ("east, as a space",                "2025-03-01T03:30:00+03:30",         0),
    ("east, as an encoded space",       "2025-03-01T03:30:00.001%2003:30",   1),
)  # fmt: skip


@pytest.mark.parametrize(("text", "at_ms"), FORMS)
def test_r17_a_time_has_one_of_these_forms(archive: SignedDesk, text: str, at_ms: int) -> None:
    times = [MARCH_MS + at_ms, MARCH_MS + at_ms - 1]
    put_orders(archive.world.database, [an_order(order_id=id_at("ord", each)) for each in times])
    found = archive.get(LIST, f"pair=B_Q&start_date={text}")
    assert outcome_of(found) == 200
    assert found.body.count('"create_date"') == 1


FAULTY = cases(*((text, text) for text in (
    "today", "20250301", "2025-3-1", "2025-03", "2025-02-30", "2025-13-01", "2025-02-29", "2025-00-10",
    "2025-03-01T24:00", "2025-03-01T12:60", "2025-03-01T12", "2025-03-01T12:30:60", "2025-03-01T12:30:15.",
    "2025-03-01 12:30", "2025-03-01t12:30", "2025-03-01T12:30z", "2025-03-01T12:30+0300", "2025-03-01T12:30+03",
    "2025-03-01Z", "1741089600000", "2025-03-01T12:30:15,5", " 2025-03-01",
)))  # fmt: skip


@pytest.mark.parametrize("text", FAULTY)
def test_r17_anything_else_is_faulty(archive: SignedDesk, text: str) -> None:
    for path, names in PERIOD.items():
        for name in names:
            assert outcome_of(archive.get(path, {"pair": "B_Q", name: text})) == invalid(name)


# start, end, the ends of the window: both inclusive
ENDS = cases(
    ("a whole day",        "2025-03-01", "2025-03-01",                     MARCH_MS,         MARCH_MS + DAY_MS - 1),
    ("two days",           "2025-03-01", "2025-03-02",                     MARCH_MS,         MARCH_MS + 2 * DAY_MS - 1),
    ("to a minute",        "2025-03-01", "2025-03-01T00:01",               MARCH_MS,         MARCH_MS + 60_000),
    ("one ms",             "2025-03-01T00:00", "2025-03-01T00:00:00.000Z", MARCH_MS,         MARCH_MS),
)  # fmt: skip


@pytest.mark.parametrize(("start", "end", "from_ms", "to_ms"), ENDS)
def test_r17_both_ends_are_inside(archive: SignedDesk, start: str, end: str, from_ms: int, to_ms: int) -> None:
    inside = {from_ms, to_ms}
    rows = {at_ms: an_order(order_id=id_at("ord", at_ms)) for at_ms in (from_ms - 1, *inside, to_ms + 1)}
    put_orders(archive.world.database, rows.values())
    assert page(archive, start_date=start, end_date=end)["pagination"]["registers_count"] == len(inside)


SPANS = cases(
    ("before the first day",                 "2017-09-30", "2017-12-31",                        "start"),
    ("the ms before the first day",          "2017-09-30T23:59:59.999Z", "2017-12-31",          "start"),
    ("the first day",                        "2017-10-01", "2017-12-31",                        None),
    ("the first day by another zone",        "2017-09-30T21:00-03:00", "2017-12-31",            None),
    ("six months",                           "2024-07-01", "2025-01-01",                        None),
    ("a day more",                           "2024-07-01", "2025-01-02",                        "end"),
    ("a ms more",                            "2024-07-01", "2025-01-01T00:00:00.001",           "end"),
    ("to the last day of a shorter month",   "2024-08-31", "2025-02-28",                        None),
    ("end before start",                     "2025-02-02", "2025-02-01",                        "end"),
    ("end before start on one day",          "2025-02-02T00:00:00.001", "2025-02-02T00:00",     "end"),
    ("end before the first day, no start",   "", "2017-09-30",                                  "end"),
    ("a derived start before the first day", "", "2017-11-01",                                  None),
    ("a derived start is not measured",      "", "2025-03-03",                                  None),
    ("start in the future, no end",          "2025-03-05", "",                                  "start"),
    ("start more than six months ago",       "2024-09-04T11:59:59.999", "",                     "start"),
    ("start six months ago",                 "2024-09-04T12:00", "",                            None),
)  # fmt: skip


@pytest.mark.parametrize(("start", "end", "faulty"), SPANS)
def test_r17_a_window_is_of_six_months_at_most(archive: SignedDesk, start: str, end: str, faulty: str | None) -> None:
    for path, (start_name, end_name) in PERIOD.items():
        answer = outcome_of(archive.get(path, {"pair": "B_Q", start_name: start, end_name: end}))
        assert answer == (200 if faulty is None else invalid(start_name if faulty == "start" else end_name))


# --- R18: pages --------------------------------------------------------------------------------------------------

COUNTED = (LIST, "/trade/orders/open", "/trade/user/trades")
INTEGERS = cases(
    *((f"{name}={text}", name, text, True) for name, text in (
        ("page_size", "1"), ("page_size", "1000"), ("current_page", "1"), ("current_page", "1000000"))),
    *((f"{name}={text}", name, text, False) for name, text in (
        ("page_size", "0"), ("page_size", "1001"), ("page_size", "x"), ("page_size", "-1"), ("page_size", "1.0"),
        ("page_size", "1e2"), ("current_page", "0"), ("current_page", "1000001"), ("current_page", "x"))),
)  # fmt: skip


@pytest.mark.parametrize(("name", "text", "is_valid"), INTEGERS)
def test_r18_sizes_and_numbers_of_pages(archive: SignedDesk, name: str, text: str, is_valid: bool) -> None:
    for path in COUNTED:
        answer = outcome_of(archive.get(path, f"pair=B_Q&{name}={text}"))
        assert answer == (200 if is_valid else invalid(name))


def test_r18_a_page_has_200_rows_and_is_the_first_unless_asked_otherwise(archive: SignedDesk) -> None:
    ids = put_many(archive, 201)
    found = page(archive)
    assert ids_of(found) == ids[:200]
    assert found["pagination"] == {"current_page": 1, "registers_count": 201, "total_pages": 2, "page_size": 200}
    assert ids_of(page(archive, page_size=1000)) == ids


def test_r18_an_empty_list_has_no_pages_and_its_cursors_are_null(archive: SignedDesk) -> None:
    empty = page(archive)
    assert empty == {"orders": [], "pagination": empty["pagination"], "nc": None, "pc": None}
    assert empty["pagination"] == {"current_page": 1, "registers_count": 0, "total_pages": 0, "page_size": 200}
    put_many(archive, 3)
    beyond = page(archive, page_size=2, current_page=1_000_000)
    assert (beyond["orders"], beyond["nc"], beyond["pc"]) == ([], None, None)
    assert beyond["pagination"] == {
        "current_page": 1_000_000, "registers_count": 3, "total_pages": 2, "page_size": 2,
    }  # fmt: skip


def test_r18_rows_of_one_ms_come_by_id_descending(archive: SignedDesk) -> None:
    rows = [an_order(order_id=id_at("ord", NOW_MS - DAY_MS, number)) for number in (2, 9, 4)]
    put_orders(archive.world.database, rows)
    shown = ids_of(page(archive))
    assert shown == sorted(shown, reverse=True)
    seen, cursor = list[str](), ""
    while cursor is not None:
        found = page(archive, page_size=1, c=cursor)
        seen += ids_of(found)
        cursor = found["nc"]
    assert seen == shown


def test_r18_a_cursor_decides_the_page_and_current_page_is_only_checked(archive: SignedDesk) -> None:
    ids = put_many(archive, 5)
    cursor = page(archive, page_size=2)["nc"]
    found = page(archive, page_size=2, c=cursor, current_page=77)
    assert (ids_of(found), found["pagination"]["current_page"]) == (ids[2:4], 2)
    assert outcome_of(archive.get(LIST, {"pair": "B_Q", "c": cursor, "current_page": 0})) == invalid("current_page")


def test_r18_filters_and_size_come_from_the_request_that_uses_the_cursor(archive: SignedDesk) -> None:
    ids = put_many(archive, 6)
    cursor = page(archive, page_size=2)["nc"]
    wider = page(archive, page_size=3, c=cursor)
    assert ids_of(wider) == ids[2:5]
    assert wider["pagination"] == {"current_page": 2, "registers_count": 6, "total_pages": 2, "page_size": 3}
    assert page(archive, side="sell", c=cursor)["orders"] == []


def decoded(cursor: str) -> str:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


def test_r18_a_cursor_names_direction_ms_ulid_and_page(archive: SignedDesk) -> None:
    at_ms = NOW_MS - DAY_MS
    put_many(archive, 5, at_ms)
    second = page(archive, page_size=2, current_page=2)
    older, newer = (id_at("ord", at_ms + number).removeprefix("ord_") for number in (1, 2))
    assert decoded(second["nc"]) == f"v1.n.{at_ms + 1}.{older}.3"
    assert decoded(second["pc"]) == f"v1.p.{at_ms + 2}.{newer}.1"
    assert "=" not in second["nc"] + second["pc"]


def test_r18_a_cursor_never_expires_and_outlives_its_row(archive: SignedDesk) -> None:
    """A position, not a result: also of a row that the filters do not have."""
    (gone,) = put_many(archive, 1, NOW_MS - 50)
    del gone
    ids = put_many(archive, 2, NOW_MS - 100)
    ulid = id_at("ord", NOW_MS - 60).removeprefix("ord_")
    text = base64.urlsafe_b64encode(f"v1.n.{NOW_MS - 60}.{ulid}.9".encode()).decode().rstrip("=")
    found = page(archive, c=text)
    assert (ids_of(found), found["pagination"]["current_page"], found["pc"] is None) == (ids, 9, False)


CURSORS = cases(*((text, text) for text in ("zzz", "1", "v1.n.1.01ARZ3NDEKTSV4RRFFQ69G5FAV.2", "djEubg", "%", "é")))


@pytest.mark.parametrize("text", CURSORS)
def test_r18_what_no_answer_has_given_out_is_no_cursor(archive: SignedDesk, text: str) -> None:
    for path in (*COUNTED, "/trade/public/trades"):
        assert outcome_of(archive.get(path, {"pair": "B_Q", "c": text})) == invalid("c")


# --- R18: counts have a bound ------------------------------------------------------------------------------------

COUNTS = cases(
    ("none",         0,     0),
    ("at the bound", 1000,  1000),
    ("one more",     1001,  1001),
    ("many more",    1205,  1001),
)  # fmt: skip


@pytest.mark.parametrize(("orders", "count"), COUNTS)
def test_r18_a_count_is_exact_up_to_1000_and_1001_beyond_it(archive: SignedDesk, orders: int, count: int) -> None:
    put_many(archive, orders)
    for query in ({"page_size": 100}, {"page_size": 100, "current_page": 3}):
        found = page(archive, **query)["pagination"]
        assert (found["registers_count"], found["total_pages"]) == (count, -(-count // 100))


def test_r18_pages_go_on_beyond_the_bound_of_the_count(archive: SignedDesk) -> None:
    ids, seen, found = put_many(archive, 1205), list[str](), page(archive, page_size=100)
    for number in range(1, 14):
        assert ids_of(page(archive, page_size=100, current_page=number)) == ids_of(found)
        seen += ids_of(found)
        pagination = found["pagination"]
        assert (pagination["registers_count"], pagination["total_pages"], pagination["current_page"]) == (
            1001, 11, number,
        )  # fmt: skip
        if found["nc"] is None:
            break
        found = page(archive, page_size=100, c=found["nc"])
    assert seen == ids
    assert ids_of(page(archive, page_size=100, c=found["pc"])) == ids[1100:1200]
    assert page(archive, page_size=100, current_page=14)["orders"] == []


# --- R63: what has changed since ---------------------------------------------------------------------------------


def listed(desk: SignedDesk, **query: str) -> list[str]:
    return [row["id"] for row in data_of(desk.get(LIST, {"pair": "BTC_BRL", **query}))["orders"]]


def since(desk: SignedDesk, order_id: str) -> str:
    """Return when an order changed last."""
    return str(data_of(desk.get(f"{LIST}/{order_id}"))["update_date"])


def a_millisecond_later() -> None:
    at_ms = now_ms()
    while now_ms() == at_ms:
        pass


def test_r63_orders_are_listed_that_were_admitted_or_changed_since(desk: SignedDesk) -> None:
    filled, canceled, resting = (placed(desk, price=price) for price in ("350000", "349999", "349998"))
    desk.match()
    a_millisecond_later()
    placed(desk_of_ben(desk), side="sell")
    desk.match()
    desk.delete(LIST, {"id": canceled})
    desk.match()
    undecided = placed(desk, price="1")
    from_fill = since(desk, filled)
    assert listed(desk, updated_since=from_fill) == [undecided, canceled, filled]
    assert listed(desk, updated_since=from_fill, status="canceled") == [canceled]
    assert listed(desk, updated_since=from_fill, status="open") == [undecided]
    assert listed(desk, updated_since=from_fill, side="sell") == []
    assert listed(desk, updated_since=from_fill, ids=f"{resting},{filled}") == [filled]
    assert listed(desk, updated_since="2017-10-01") == listed(desk) == [undecided, resting, canceled, filled]
    assert listed(desk, updated_since="2090-01-01") == []


def test_r63_what_has_changed_comes_in_pages(desk: SignedDesk) -> None:
    ids = [placed(desk, price=str(number)) for number in range(1, 4)][::-1]
    desk.match()
    query = {"pair": "BTC_BRL", "updated_since": "2020-01-01", "page_size": 2}
    first = data_of(desk.get(LIST, query))
    second = data_of(desk.get(LIST, query | {"c": first["nc"]}))
    assert [[row["id"] for row in each["orders"]] for each in (first, second)] == [ids[:2], ids[2:]]
    assert first["pagination"]["registers_count"] == second["pagination"]["registers_count"] == 3


def test_r63_a_look_has_a_bound_that_its_refusal_names(desk: SignedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (reading, listing):
        monkeypatch.setattr(module, "ENTRIES_MAX", 2)
    for price in ("1", "2", "3"):
        placed(desk, price=price)
        desk.match()
    told = refusal_of(desk.get(LIST, {"pair": "BTC_BRL", "updated_since": "2020-01-01"}))
    assert told == (40000, "Invalid parameters: updated_since.", "The pair has decided more than 2 times since.")
    assert outcome_of(desk.get(LIST, {"pair": "BTC_BRL", "updated_since": "x"})) == invalid("updated_since")
