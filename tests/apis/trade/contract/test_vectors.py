"""Examples with all their numbers: signatures, windows, pages, numbers, ids, hashes, figures. The rules stand above."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.apis.trade import gate
from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.ids import internal
from chalicelib.apis.trade.ids import shown as shown_id
from chalicelib.apis.trade.signature import signature_of
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import (
    BRL,
    DEPTH,
    LIST,
    NO_PAIR,
    exact,
    invalid,
    open_market,
    outcome_of,
    placed,
    rested,
    shown,
    unauthorized,
)
from tests.apis.trade.desk import SignedDesk, data_of, open_trade_desk
from tests.apis.trade.rows import NOW_MS, an_order, id_at, ids_of, page, put_many, put_orders
from tests.apis.trade.test_signature import ABC, ABC_SPACED, NO_ZEROS, SECRET, TIMESTAMP, VECTORS, ZEROS
from tests.case_tables import cases
from tests.waiting import Waiting
from tests.world import World

SIGNED_MS = int(TIMESTAMP)
WRONG = unauthorized("Signature is invalid.")
OUTSIDE = unauthorized("Timestamp is outside the tolerance window.")


# --- signatures --------------------------------------------------------------------------------------------------


@pytest.fixture
def signing(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> SignedDesk:
    """A desk at the time of the examples, whose tokens have their secret. It has no pair of theirs."""
    monkeypatch.setattr(gate, "token_secret_of", lambda _key, _token: SECRET)
    return open_trade_desk(World(memory_database), clock=lambda: SIGNED_MS)


@pytest.mark.parametrize("number", cases(*((str(number), number) for number in VECTORS)))
def test_each_signature_lets_its_request_in(signing: SignedDesk, number: int) -> None:
    method, path, body, signature = VECTORS[number]
    response = signing.send(method, path, query="pair=BTC_BRL", body=body.encode(), headers={"signature": signature})
    assert outcome_of(response) not in (WRONG, 200)
    assert response.status != 401
    if method == "POST":
        assert outcome_of(response) == NO_PAIR


INDENTED = json.dumps(json.loads(ABC), indent=4)
EXPONENTS = '{"pair": "BTC_BRL", "side": "sell", "type": "limit", "amount": 1e-7, "price": 1E3}'
# what is sent, and the number of the signature that is sent with it
SENT = cases(
    ("with a query",             "GET",  "/trade/orders",   "",         1,  NO_PAIR),
    ("with a slash and a query", "GET",  "/trade/orders/",  "",         1,  NO_PAIR),
    ("the other mount",          "GET",  "/v4/orders",      "",         2,  NO_PAIR),
    ("the first mount's there",  "GET",  "/v4/orders",      "",         1,  WRONG),
    ("indented",                 "POST", "/trade/orders",   INDENTED,   3,  NO_PAIR),
    ("spaced, raw",              "POST", "/trade/orders",   ABC_SPACED, 5,  NO_PAIR),
    ("spaced, compact",          "POST", "/trade/orders",   ABC_SPACED, 3,  NO_PAIR),
    ("with zeros, raw",          "POST", "/trade/orders",   ZEROS,      7,  NO_PAIR),
    ("with zeros, compact",      "POST", "/trade/orders",   ZEROS,      8,  NO_PAIR),
    ("exponents, compact",       "POST", "/trade/orders",   EXPONENTS,  9,  NO_PAIR),
    ("without zeros, with",      "POST", "/trade/orders",   NO_ZEROS,   7,  WRONG),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "number", "outcome"), SENT)
def test_what_is_sent_with_which_signature(
    signing: SignedDesk, method: str, path: str, body: str, number: int, outcome: object
) -> None:
    query = "pair=BTC_BRL" if method == "GET" else ""
    sent = {"signature": VECTORS[number][3]}
    assert outcome_of(signing.send(method, path, query=query, body=body.encode(), headers=sent)) == outcome


WRONG_ONES = cases(
    ("with the query",      "nTQ5nt/V7s7LwQARSnHj2NTnjMd7N03evJbvn8gI81U="),
    ("method in lower case", "5OO4b9ZHx14Y8N2aD0IhyJ9XVheCJ+l8kmBp9lMnc4I="),
    ("without the prefix",  "5jCMS4ZkKmJ9KKfO3VDfv8FEoENd2xEveSBC35Fafeo="),
    ("another secret",      "zpydvQixMyQap0L4gb2W/15FMUrbF2tWSaMD4czb0FE="),
)  # fmt: skip


@pytest.mark.parametrize("signature", WRONG_ONES)
def test_these_are_wrong(signing: SignedDesk, signature: str) -> None:
    answer = signing.send("GET", LIST, query="pair=BTC_BRL", headers={"signature": signature})
    assert outcome_of(answer) == WRONG


# timestamp less the server's time, or as it is; tolerance
TIMES = cases(
    ("T-5000",            -5000,    None,     NO_PAIR),
    ("T+5000",            5000,     None,     NO_PAIR),
    ("T-5001",            -5001,    None,     OUTSIDE),
    ("T+5001",            5001,     None,     OUTSIDE),
    ("T-1001, 1000",      -1001,    "1000",   OUTSIDE),
    ("T-60000, 60000",    -60_000,  "60000",  NO_PAIR),
    *((f"T, {text}", 0, text, invalid("timestamp-tolerance")) for text in ("60001", "abc", "-1", "1.5")),
    ("12a",               "12a",    None,     unauthorized("Timestamp header is invalid.")),
)  # fmt: skip


@pytest.mark.parametrize(("time", "tolerance", "outcome"), TIMES)
def test_windows_of_timestamps(signing: SignedDesk, time: Any, tolerance: str | None, outcome: object) -> None:
    timestamp = time if isinstance(time, str) else str(SIGNED_MS + time)
    sent = {"timestamp": timestamp, "signature": signature_of(SECRET, timestamp, "GET", LIST, b"")}
    sent |= {} if tolerance is None else {"timestamp-tolerance": tolerance}
    assert outcome_of(signing.send("GET", LIST, query="pair=BTC_BRL", headers=sent)) == outcome


# --- windows of dates --------------------------------------------------------------------------------------------

NOW = "2025-03-04T12:00:00.000Z"


def days_of(date: str, last: str) -> tuple[str, str]:
    """Return the window from a date, or a time of it, to the end of another one."""
    return (date if "T" in date else f"{date}T00:00:00.000Z"), f"{last}T23:59:59.999Z"


DATES = cases(
    ("neither", "", "", ("2024-09-04T12:00:00.000Z", NOW)),
    ("a start", "2025-01-01", "", ("2025-01-01T00:00:00.000Z", NOW)),
    ("an end", "", "2025-01-31", days_of("2024-07-31", "2025-01-31")),
    ("a longer month", "", "2024-08-31", days_of("2024-02-29", "2024-08-31")),
    ("another zone", "2025-03-01T00:00:00-03:00", "2025-03-01", days_of("2025-03-01T03:00:00.000Z", "2025-03-01")),
    ("six months", "2024-08-31", "2025-02-28", days_of("2024-08-31", "2025-02-28")),
    ("a day more", "2024-08-31", "2025-03-01", None),
    ("the first six", "2017-10-01", "2018-04-01", days_of("2017-10-01", "2018-04-01")),
    ("and a day more", "2017-10-01", "2018-04-02", None),
    ("before the first", "2017-09-30", "2018-04-01", None),
    ("over six months", "2024-01-01", "", None),
    ("backwards", "2025-02-02", "2025-02-01", None),
    ("no such day", "2025-02-30", "", None),
    ("a word", "today", "", None),
)  # fmt: skip


def ms_of(text: str) -> int:
    at = datetime.fromisoformat(text).astimezone(UTC)
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


@pytest.mark.parametrize(("start", "end", "window"), DATES)
def test_windows_of_dates(archive: SignedDesk, start: str, end: str, window: tuple[str, str] | None) -> None:
    """Orders stand at the ms before, at and after each end; what is newer than now is no order yet."""
    ends = [] if window is None else list(map(ms_of, window))
    times = sorted({at + by for at in ends for by in (-1, 0, 1) if at + by <= NOW_MS})
    put_orders(archive.world.database, [an_order(order_id=id_at("ord", at_ms)) for at_ms in times])
    response = archive.get(LIST, {"pair": "B_Q", "start_date": start, "end_date": end})
    if window is None:
        assert response.status == 400
        assert outcome_of(response) in (invalid("start_date"), invalid("end_date"))
    else:
        shown = sorted(ms_of(row["create_date"]) for row in data_of(response)["orders"])
        assert shown == [at_ms for at_ms in times if ends[0] <= at_ms <= ends[1]]


# --- pages -------------------------------------------------------------------------------------------------------


def test_five_orders_in_pages_of_two(archive: SignedDesk) -> None:
    ids = put_many(archive, 5)
    pages = [page(archive, page_size=2, current_page=number) for number in (1, 2, 3, 4)]
    assert [ids_of(each) for each in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert {each["pagination"]["total_pages"] for each in pages} == {3}
    cursors = [(each["nc"] is None, each["pc"] is None) for each in pages]
    assert cursors == [(False, True), (False, False), (True, False), (True, True)]


@pytest.mark.parametrize("new", cases(("alone", 0), ("while others arrive", 2)))
def test_following_the_cursors_there_and_back(archive: SignedDesk, new: int) -> None:
    ids = put_many(archive, 5)
    found = page(archive, page_size=2)
    walk = [ids_of(found)]
    numbers = [found["pagination"]["current_page"]]
    for number, way in enumerate(("nc", "nc", "pc", "pc")):
        put_many(archive, new, NOW_MS - 9000 + 1000 * number)
        found = page(archive, page_size=2, c=found[way])
        walk.append(ids_of(found))
        numbers.append(found["pagination"]["current_page"])
    assert walk == [ids[:2], ids[2:4], ids[4:], ids[2:4], ids[:2]]
    assert numbers == [1, 2, 3, 2, 1]


def test_the_cursor_behind_the_second_row(archive: SignedDesk) -> None:
    ids = ("01956070-584A-82F3-E9C6-95DC6B8D1B11", "0195606B-4EB8-DB77-FD01-AF957221A498")
    order_ids = [*(internal(each, "ord") for each in ids), id_at("ord", NOW_MS - 10**9)]
    put_orders(archive.world.database, [an_order(order_id=order_id) for order_id in order_ids])
    found = page(archive, page_size=2)
    assert (tuple(ids_of(found)), found["orders"][1]["create_date"]) == (ids, "2025-03-04T09:10:00.120Z")
    assert found["nc"] == "djEubi4xNzQxMDc5NDAwMTIwLjAxSk5HNlBLTlJWRFZaVDBERkpOUzIzOTRSLjI"


# --- numbers, ids, hashes ----------------------------------------------------------------------------------------

NUMBERS = cases(
    ("0.02347418", 2347418, 8), ("42600", 4260000, 2), ("16352.12", 1635212, 2), ("12345", 12345, 0),
    ("0.00000001", 1, 8), ("0.000000000000000001", 1, 18), ("0", 0, 8),
    ("99999999999999999999.999999999999999999", int("9" * 38), 18),
)  # fmt: skip


@pytest.mark.parametrize(("text", "units", "decimals"), [pytest.param(n.id, *n.values, id=n.id) for n in NUMBERS])
def test_numbers(text: str, units: int, decimals: int) -> None:
    assert dec(units, decimals).text == text


IDS = cases(
    ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01563E3A-B5D3-D676-4C61-EFB99302BD5B"),
    ("45FG53QNRF89B90M8WCBXDQA7T", "857C0A3B-D70F-4256-9051-1C62FADBA8FA"),
)  # fmt: skip


@pytest.mark.parametrize(("ulid", "uuid"), [pytest.param(row.id, *row.values, id=row.id) for row in IDS])
def test_ids(archive: SignedDesk, ulid: str, uuid: str) -> None:
    assert shown_id(f"ord_{ulid}") == uuid
    put_orders(archive.world.database, [an_order(order_id=f"ord_{ulid}")])
    assert ids_of(page(archive, ids=uuid.lower())) == [uuid]
    assert data_of(archive.get(f"/trade/orders/{uuid.lower()}"))["id"] == uuid


HASHES = cases(
    ("0",          [],                                      []),
    ("3417282216", [],                                      [("0.15", "16015.39")]),
    ("2111165642", [("1", "0.99")],                         [("2", "1.01")]),
    ("4151136558", [("0.03", "349900"), ("0.4", "349850.5")], [("0.01", "350000"), ("0.02", "351000")]),
)  # fmt: skip


@pytest.mark.parametrize(("text", "bids", "asks"), [pytest.param(row.id, *row.values, id=row.id) for row in HASHES])
def test_hashes(desk: SignedDesk, text: str, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
    rested(desk, "buy", *bids)
    rested(desk, "sell", *asks)
    assert data_of(desk.get(DEPTH, "pair=BTC_BRL"))["hash"] == text


# --- figures -----------------------------------------------------------------------------------------------------

# quote decimals, levels against it, the order; what is held for it at first and after; some of its figures
ORDERS: list[Any] = cases(
    ("limit, 8 and 2 decimals", 2, "sell", [("0.02347418", "42600")],
     {"amount": "0.02347418", "price": "42600"}, 100_001, 0,
     {"requested_value": "1000", "total_value": "1000"}),
    ("limit, 8 and 8 decimals", 8, "sell", [("0.00033518", "16352.12")],
     {"amount": "0.00033518", "price": "16352.12"}, 548_090_359, 0,
     {"requested_value": "5.48090358", "total_value": "5.48090358"}),
    ("the first row of the list", 2, "sell", [("0.005", "350000")],
     {"amount": "0.015", "price": "350000.5"}, 525_001, 350_001,
     {"fee": "0.0000075", "executed_amount": "0.005", "remaining_amount": "0.01", "remaining_value": "3500",
      "requested_value": "5250", "total_value": "1750", "status": "executed_partially"}),
    ("the second row of the list", 2, "buy", [("0.02", "349900")],
     {"side": "sell", "type": "market", "amount": "0.02", "price": ...}, 0, 0,
     {"fee": "10.49", "price": "349900", "total_value": "6998", "requested_value": "6998"}),
    ("market buy by value", 2, "sell", [("0.01", "350000"), ("0.02", "351000")],
     {"type": "market", "amount": ..., "price": ..., "value": "5000"}, 500_000, 0,
     {"requested_amount": "0.0142735", "executed_amount": "0.0142735", "total_value": "4999.99",
      "requested_value": "5000", "remaining_value": "0", "price": "350298.8", "status": "executed_completely"}),
    ("market sell by value", 2, "buy", [("0.01", "349000"), ("0.02", "348000")],
     {"side": "sell", "type": "market", "amount": ..., "price": ..., "value": "5000"}, 0, 0,
     {"requested_amount": "0.01433909", "total_value": "5000", "price": "348697.16"}),
)  # fmt: skip


@pytest.mark.parametrize(("quote_decimals", "against", "levels", "members", "held", "left", "figures"), ORDERS)
def test_figures(
    memory_database: Database, clock: Waiting, quote_decimals: int, against: str, levels: list[tuple[str, str]],
    members: dict[str, Any], held: int, left: int, figures: dict[str, str],
) -> None:  # fmt: skip
    del clock
    desk = open_market(memory_database, 8, quote_decimals, taker_fee_bps=15)
    rested(desk, against, *levels)
    order_id = placed(desk, **members)
    assert desk.world.balance("ann", BRL)[1] == held
    desk.match()
    row = shown(desk, order_id)
    assert {name: row[name] for name in figures} == figures
    assert desk.world.balance("ann", BRL)[1] == left
    listed = exact(desk.get(LIST, "pair=BTC_BRL"))["orders"][0]
    assert {name: listed[name] for name in figures} == figures
