"""Ids (R16), windows of time (R17) and cursors (R18)."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from chalicelib.apis.trade.cursor import PAGE_MAX, Cursor, NotACursor, cursor_of
from chalicelib.apis.trade.ids import NotAnId, internal, shown, ulid_of
from chalicelib.apis.trade.window import EARLIEST, FaultyEnd, Window, months_after, months_before, window_of
from chalicelib.support.clock import iso
from chalicelib.support.ids import TIME_MS_MAX

NOW_MS = 1_741_089_600_000
NAMES = ("start_date", "end_date")


@pytest.mark.parametrize(
    ("ulid", "uuid"),
    [
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01563E3A-B5D3-D676-4C61-EFB99302BD5B"),
        ("45FG53QNRF89B90M8WCBXDQA7T", "857C0A3B-D70F-4256-9051-1C62FADBA8FA"),
        ("00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
        ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
    ],
)
def test_an_id_is_shown_as_an_upper_case_uuid_and_read_in_any_case(ulid: str, uuid: str) -> None:
    assert shown(f"ord_{ulid}") == uuid
    assert ulid_of(f"ord_{ulid}") == ulid
    assert internal(uuid, "ord") == internal(uuid.lower(), "ord") == f"ord_{ulid}"


@given(st.binary(min_size=16, max_size=16))
def test_every_id_is_read_back_as_it_was_shown(bits: bytes) -> None:
    assert internal(shown(f"trd_{ULID.from_bytes(bits)}"), "trd") == f"trd_{ULID.from_bytes(bits)}"
    assert internal(str(UUID(bytes=bits)), "ord") == f"ord_{ULID.from_bytes(bits)}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123",
        "01563E3AB5D3D6764C61EFB99302BD5B",
        "{01563E3A-B5D3-D676-4C61-EFB99302BD5B}",
        "01563E3A-B5D3-D676-4C61-EFB99302BD5G",
        "01563E3A-B5D3-D676-4C61-EFB99302BD5B\n",
        " 01563E3A-B5D3-D676-4C61-EFB99302BD5B",
        "ord_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ],
)
def test_what_has_not_the_form_of_an_id_is_none(text: str) -> None:
    with pytest.raises(NotAnId):
        internal(text, "ord")


def window(start: str | None, end: str | None, now_ms: int = NOW_MS) -> tuple[str, str]:
    found = window_of(start, end, now_ms, NAMES)
    return iso(found.from_ms), iso(found.to_ms)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ("2024-09-04T12:00:00.000Z", "2025-03-04T12:00:00.000Z")),
        ("2025-01-01", None, ("2025-01-01T00:00:00.000Z", "2025-03-04T12:00:00.000Z")),
        (None, "2025-01-31", ("2024-07-31T00:00:00.000Z", "2025-01-31T23:59:59.999Z")),
        (None, "2024-08-31", ("2024-02-29T00:00:00.000Z", "2024-08-31T23:59:59.999Z")),
        ("2025-03-01T00:00:00-03:00", "2025-03-01", ("2025-03-01T03:00:00.000Z", "2025-03-01T23:59:59.999Z")),
        ("2024-08-31", "2025-02-28", ("2024-08-31T00:00:00.000Z", "2025-02-28T23:59:59.999Z")),
        ("2017-10-01", "2018-04-01", ("2017-10-01T00:00:00.000Z", "2018-04-01T23:59:59.999Z")),
        (None, "2017-12-01", ("2017-10-01T00:00:00.000Z", "2017-12-01T23:59:59.999Z")),
        ("2025-03-01", "2025-03-01", ("2025-03-01T00:00:00.000Z", "2025-03-01T23:59:59.999Z")),
        ("2025-03-01T12:30", "2025-03-01T12:30", ("2025-03-01T12:30:00.000Z", "2025-03-01T12:30:00.000Z")),
        ("2025-03-01T12:30:15.1239Z", None, ("2025-03-01T12:30:15.123Z", "2025-03-04T12:00:00.000Z")),
        ("2025-03-01T12:30:15.5+01:30", None, ("2025-03-01T11:00:15.500Z", "2025-03-04T12:00:00.000Z")),
        ("2025-03-01T12:30:15 01:30", None, ("2025-03-01T11:00:15.000Z", "2025-03-04T12:00:00.000Z")),
        ("2025-03-01T12:30:15", "2025-03-01T12:30:15-23:59", ("2025-03-01T12:30:15.000Z", "2025-03-02T12:29:15.000Z")),
    ],
)
def test_two_ends_make_a_window_and_a_missing_one_is_filled_in(
    start: str | None, end: str | None, expected: tuple[str, str]
) -> None:
    assert window(start, end) == expected


@pytest.mark.parametrize(
    ("start", "end", "faulty"),
    [
        ("2024-08-31", "2025-03-01", "end_date"),
        ("2017-10-01", "2018-04-02", "end_date"),
        ("2017-09-30", "2018-01-01", "start_date"),
        ("2017-09-30T23:59:59.999", None, "start_date"),
        ("2024-01-01", None, "start_date"),
        ("2025-03-05", None, "start_date"),
        ("2025-02-02", "2025-02-01", "end_date"),
        (None, "2017-09-30", "end_date"),
        (None, "0001-01-01", "end_date"),
        ("2025-02-30", None, "start_date"),
        ("today", None, "start_date"),
        (None, "today", "end_date"),
        ("2025-01-01T00:00:00", "2025-07-01T00:00:00.001", "end_date"),
        *(
            (text, None, "start_date")
            for text in (
                "",
                "2025-1-1",
                "20250101",
                "2025-13-01",
                "0000-01-01",
                "2025-03-01T24:00",
                "2025-03-01T12",
                "2025-03-01T12:60",
                "2025-03-01T12:30:60",
                "2025-03-01 12:30",
                "2025-03-01T12:30Z ",
                "2025-03-01T12:30z",
                "2025-03-01T12:30+1:00",
                "2025-03-01T12:30+0100",
                "2025-03-01T12:30+24:00",
                "2025-03-01T12:30+01:60",
                "2025-03-01T12:30:15.",
                "2025-03-01T12:30:15,5",
                "٢٠٢٥-03-01",
                "2025-03-01\n",
                "0001-01-01T00:00+23:00",
                "9999-12-31T23:00-23:00",
            )
        ),
    ],
)
def test_a_faulty_end_is_named(start: str | None, end: str | None, faulty: str) -> None:
    with pytest.raises(FaultyEnd) as fault:
        window_of(start, end, NOW_MS, NAMES)
    assert fault.value.name == faulty


def test_the_last_day_there_is_ends_a_window_too() -> None:
    """Six months after it is no date any more."""
    found = window_of("9999-12-01", "9999-12-31", NOW_MS, NAMES)
    assert found.to_ms - found.from_ms == 31 * 86_400_000 - 1


@given(st.none() | st.text(), st.none() | st.text())
def test_whatever_is_sent_is_a_window_or_a_faulty_end(start: str | None, end: str | None) -> None:
    try:
        found = window_of(start, end, NOW_MS, NAMES)
    except FaultyEnd:
        return
    assert found == Window(found.from_ms, found.to_ms)


dates = st.dates(min_value=datetime(1, 1, 1).date(), max_value=datetime(9999, 12, 31).date())


@given(st.none() | dates, st.none() | dates)
def test_whatever_dates_are_sent_the_window_is_in_its_bounds(start: object, end: object) -> None:
    texts = [None if each is None else str(each) for each in (start, end)]
    try:
        found = window_of(*texts, NOW_MS, NAMES)
    except FaultyEnd:
        return
    assert EARLIEST.timestamp() * 1000 <= found.from_ms <= found.to_ms


def test_months_keep_the_day_and_fall_back_to_the_last_one() -> None:
    def day(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert months_after(day("2024-08-31"), 6) == day("2025-02-28")
    assert months_after(day("2023-08-31"), 6) == day("2024-02-29")
    assert months_before(day("2025-01-15"), 6) == day("2024-07-15")
    assert months_before(day("2025-12-31"), 6) == day("2025-06-30")


cursors = st.builds(
    lambda is_older, ulid, page: Cursor(is_older, ulid.milliseconds, str(ulid), page),
    st.booleans(),
    st.binary(min_size=16, max_size=16).map(ULID.from_bytes),
    st.integers(1, PAGE_MAX),
)


def test_the_published_cursor_leads_to_page_two() -> None:
    text = "djEubi4xNzQxMDc5NDAwMTIwLjAxSk5HNlBLTlJWRFZaVDBERkpOUzIzOTRSLjI"
    assert cursor_of(text) == Cursor(True, 1_741_079_400_120, "01JNG6PKNRVDVZT0DFJNS2394R", 2)
    assert cursor_of(text).text() == text


@given(cursors)
def test_a_cursor_is_read_back_as_it_was_given_out(cursor: Cursor) -> None:
    text = cursor.text()
    assert cursor_of(text) == cursor
    assert text.isascii()
    assert not set("+/=") & set(text)


def encoded(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


ULID_TEXT = "01JNG6PKNRVDVZT0DFJNS2394R"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zzz",
        "é",
        "a",
        "=",
        Cursor(True, 1, ULID_TEXT, 2).text() + "=",
        Cursor(True, 1, ULID_TEXT, 2).text() + "\n",
        Cursor(True, 1, ULID_TEXT, 2).text()[:-1],
        *(
            encoded(plain)
            for plain in (
                f"v2.n.1.{ULID_TEXT}.2",
                f"v1.x.1.{ULID_TEXT}.2",
                f"v1.n.01.{ULID_TEXT}.2",
                f"v1.n.-1.{ULID_TEXT}.2",
                f"v1.n.{TIME_MS_MAX + 1}.{ULID_TEXT}.2",
                f"v1.n.1.{ULID_TEXT}.0",
                f"v1.n.1.{ULID_TEXT}.1000001",
                f"v1.n.1.{ULID_TEXT}.02",
                f"v1.n.1.{ULID_TEXT.lower()}.2",
                f"v1.n.1.8{ULID_TEXT[1:]}.2",
                f"v1.n.1.{ULID_TEXT[:-1]}.2",
                f"v1.n.1.{ULID_TEXT}.2\n",
                f"v1.n.1.{ULID_TEXT}",
            )
        ),
    ],
)
def test_what_no_answer_has_given_out_is_no_cursor(text: str) -> None:
    with pytest.raises(NotACursor):
        cursor_of(text)


@given(st.text())
def test_whatever_is_sent_is_a_cursor_or_none(text: str) -> None:
    with suppress(NotACursor):
        assert cursor_of(text).text() == text
