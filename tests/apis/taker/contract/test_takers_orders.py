"""GET /takers/orders (K12, K13, K35) and GET /takers/orders/{order_hash} (K14)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.signed.lifecycle import FINAL, Lock, State, Status
from chalicelib.domain.signed.order import Hold, order_id_of
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.tables.signed_orders import SignedOrders
from tests.apis.taker.cases import (
    LIST,
    NOT_FOUND,
    SINGLE,
    UNKNOWN_HASH,
    listed,
    listed_hashes,
    locked,
    message_of,
    new_order,
    nothing_changes,
    outcome_of,
    partly_filled,
    single,
)
from tests.apis.taker.contract.test_creating import HASH_OF_B, SIGNATURES
from tests.apis.taker.desk import AAPL, MAKER, NOW_S, ORDER, TAKER, Desk, data_of, facts_of, faulty_fields, new_desk
from tests.case_tables import cases

# --- the vector: five orders -------------------------------------------------------------------------------------

FOUR_O_CLOCK = NOW_S - 24 + 3600
"""2025-01-17T04:00:00Z; the clock of the vector is five minutes later."""
NAMES = {f"0x0{number}" + "00" * 31: f"O{number}" for number in range(1, 6)}
HASHES = {name: order_hash for order_hash, name in NAMES.items()}


def _put(desk: Desk, name: str, created_at: int, price: int, status: Status, lock_at: int | None, filled: int) -> None:
    """Put an order into the table as a taker that has locked it, and filled so much of its thousand, left it."""
    orders = SignedOrders(desk.database)
    facts = facts_of(ORDER | {"price": str(price), "quantity": "1000", "nonce": int(name[1])})
    lock = None if lock_at is None else Lock(TAKER, lock_at, lock_at + 7200)
    state = State(status, Hold(0, 0), lock_at or created_at, filled, lock)
    stored = StoredOrder(
        desk.instance, HASHES[name], facts, SIGNATURES["B"], AAPL, 18, created_at, state, settles=False
    )
    has_a_rest = filled > 0 and status not in FINAL
    if has_a_rest:
        stored = stored.with_unfinished_taker(TAKER)
    writes = [*orders.creation(stored), *([orders.show_unfinished(stored, TAKER)] if has_a_rest else [])]
    if filled:
        fill = Fill(
            HASHES[name][2:34], stored.order_id, stored.order_hash, TAKER, filled, 0, 0, 0, None, status, name,
            created_at, None, None,
        )  # fmt: skip
        writes += orders.record_fill(stored, fill, is_first=True)
    else:
        writes.append(orders.show_locked(stored, TAKER, None))
    desk.database.transact(writes)


@pytest.fixture(scope="module")
def five() -> Desk:
    desk = new_desk()
    desk.clock.now_ms = (FOUR_O_CLOCK + 300) * 1000
    three = FOUR_O_CLOCK - 3600
    _put(desk, "O1", three, 9, Status.LOCKED, FOUR_O_CLOCK, 0)
    _put(desk, "O2", three + 1, 100, Status.LOCKED, three + 1800, 0)
    _put(desk, "O3", three + 1, 20, Status.PARTIALLY_FILLED, None, 5)
    _put(desk, "O4", three + 2, 20, Status.FILLED, three + 600, 1000)
    _put(desk, "O5", three + 3, 3, Status.CANCELLED, None, 5)
    return desk


ANSWERS = cases(
    ("none",                    "",              "O5 O4 O3 O2 O1", 5, 1, 20,  1),
    ("upwards",                 "sort_order=asc", "O1 O2 O3 O4 O5", 5, 1, 20,  1),
    ("K12 by price",            "sort_by=price", "O2 O4 O3 O1 O5", 5, 1, 20,  1),
    ("K12 by price, upwards",   "sort_by=price&sort_order=asc", "O5 O1 O3 O4 O2", 5, 1, 20,  1),
    ("K12 by lock",             "sort_by=locked_at", "O1 O2 O4 O5 O3", 5, 1, 20,  1),
    ("K12 by lock, upwards",    "sort_by=locked_at&sort_order=asc", "O4 O2 O1 O3 O5", 5, 1, 20,  1),
    ("two statuses",            "status=locked, partially_filled", "O3 O2 O1",      3, 1, 20,  1),
    ("two statuses, encoded",   "status=locked%2C+partially_filled", "O3 O2 O1",      3, 1, 20,  1),
    ("empty items, repeats",    "status=,filled,,filled, ,", "O4",            1, 1, 20,  1),
    ("nothing but commas",      "status=,",      "O5 O4 O3 O2 O1", 5, 1, 20,  1),
    ("a status of none",        "status=expired,rejected,suspended,pending", "",              0, 0, 20,  1),
    ("K12 created between",     "created_after=1737082801&created_before=1737082802", "O4 O3 O2",      3, 1, 20,  1),
    ("created after a second",  "created_after=1737082802", "O5 O4",         2, 1, 20,  1),
    ("created before a second", "created_before=1737082800", "O1",            1, 1, 20,  1),
    ("after above before",      "created_after=1737082802&created_before=1737082801", "",              0, 0, 20,  1),
    ("the widest bounds",       "created_after=0&created_before=253402300799", "O5 O4 O3 O2 O1", 5, 1, 20,  1),
    ("the second page of two",  "page=2&page_size=2", "O3 O2",         5, 3, 2,   2),
    ("the last page",           "page=3&page_size=2", "O1",            5, 3, 2,   3),
    ("past the end",            "page=9&page_size=2", "",              5, 3, 2,   9),
    ("a page size of 100",      "page_size=100", "O5 O4 O3 O2 O1", 5, 1, 100, 1),
    ("a page size of 101",      "page_size=101", "O5 O4 O3 O2 O1", 5, 1, 100, 1),
    ("a page size of 500",      "page_size=500", "O5 O4 O3 O2 O1", 5, 1, 100, 1),
    ("a ticker in lower case",  "ticker=aapl",   "O5 O4 O3 O2 O1", 5, 1, 20,  1),
    ("another ticker",          "ticker=TSLA",   "",              0, 0, 20,  1),
    ("an exchange",             "exchange=0&is_buy=True", "O5 O4 O3 O2 O1", 5, 1, 20,  1),
    ("another exchange",        "exchange=65535", "",              0, 0, 20,  1),
    ("sells",                   "is_buy=0",      "",              0, 0, 20,  1),
    ("K12 filters together",    "status=locked&created_after=1737082801&is_buy=1", "O2",            1, 1, 20,  1),
    ("filter, sort and page",   "status=locked,filled&sort_by=price&page=2&page_size=1", "O4",            3, 3, 1,   2),
)  # fmt: skip


@pytest.mark.parametrize(("query", "names", "total", "pages", "size", "number"), ANSWERS)
def test_k13_filters_sorts_and_pages_of_the_vector(
    five: Desk, query: str, names: str, total: int, pages: int, size: int, number: int
) -> None:
    answer = data_of(five.get(LIST, query))
    assert " ".join(NAMES[row["order_hash"]] for row in answer.pop("orders")) == names
    assert list(answer.items()) == [("total", total), ("page", number), ("page_size", size), ("total_pages", pages)]


def test_the_vectors_rows_show_status_and_lock(five: Desk) -> None:
    rows = {NAMES[row["order_hash"]]: (row["status"], row.get("locked_at")) for row in listed(five)}
    assert rows == {
        "O1": ("locked", "2025-01-17T04:00:00Z"),
        "O2": ("locked", "2025-01-17T03:30:00Z"),
        "O3": ("partially_filled", None),
        "O4": ("filled", "2025-01-17T03:10:00Z"),
        "O5": ("cancelled", None),
    }


FAULTS = cases(
    ("page size 0",                "page_size=0",                  "page_size"),
    ("page size below 0",          "page_size=-1",                 "page_size"),
    ("page size as words",         "page_size=ten",                "page_size"),
    ("a fraction of a page size",  "page_size=2.5",                "page_size"),
    ("page 0",                     "page=0",                       "page"),
    ("page x",                     "page=x",                       "page"),
    ("page below 0",               "page=-1",                      "page"),
    ("status in upper case",       "status=Locked",                "status"),
    ("a status that there is not", "status=open",                  "status"),
    ("status foo",                 "status=foo",                   "status"),
    ("one bad among good ones",    "status=locked,foo",            "status"),
    ("sorted by id",               "sort_by=id",                   "sort_by"),
    ("sorted in upper case",       "sort_by=PRICE",                "sort_by"),
    ("order up",                   "sort_order=up",                "sort_order"),
    ("order in upper case",        "sort_order=ASC",               "sort_order"),
    ("is_buy yes",                 "is_buy=yes",                   "is_buy"),
    ("is_buy maybe",               "is_buy=maybe",                 "is_buy"),
    ("is_buy 2",                   "is_buy=2",                     "is_buy"),
    ("exchange -1",                "exchange=-1",                  "exchange"),
    ("exchange 65536",             "exchange=65536",               "exchange"),
    ("exchange by name",           "exchange=NASDAQ",              "exchange"),
    ("milliseconds",               "created_after=1737082801000",  "created_after"),
    ("milliseconds before",        "created_before=1737082801000", "created_before"),
    ("below the epoch",            "created_after=-1",             "created_after"),
    ("after the year 9999",        "created_before=253402300800",  "created_before"),
    ("a date",                     "created_after=2025-01-17",     "created_after"),
    ("a fraction of a second",     "created_after=1737082801.5",   "created_after"),
)  # fmt: skip


@pytest.mark.parametrize(("query", "field"), FAULTS)
def test_a_bad_parameter_is_named(five: Desk, query: str, field: str) -> None:
    with nothing_changes(five):
        assert faulty_fields(five.get(LIST, query)) == [field]


def test_page_numbers_and_sizes_of_any_length_are_integers(five: Desk) -> None:
    answer = data_of(five.get(LIST, f"page={10**20}&page_size={10**20}"))
    assert (answer["total"], answer["page"], answer["page_size"], answer["orders"]) == (5, 10**20, 100, [])


# --- K12, K13, K35: one's own steps show at once -----------------------------------------------------------------


def test_k12_prices_sort_as_numbers(desk: Desk) -> None:
    prices = [9 * 10**17, 10**18, 2 * 10**18, 10**19]
    orders = [locked(desk, price=str(price), quantity="10") for price in prices]
    assert listed_hashes(desk, "sort_by=price&sort_order=asc") == orders


@pytest.mark.parametrize(
    "query", cases(("by time", ""), ("by price", "sort_by=price"), ("by lock", "sort_by=locked_at"))
)
def test_k12_ties_go_by_hash_in_the_direction_of_the_sort(shared: Desk, query: str) -> None:
    taker = shared.as_other
    orders = sorted([locked(taker) for _ in range(2)] + [partly_filled(taker) for _ in range(2)])
    mine = [each for each in listed_hashes(taker, f"{query}&sort_order=asc&page_size=100") if each in orders]
    assert mine == orders
    assert [each for each in listed_hashes(taker, f"{query}&page_size=100") if each in orders] == orders[::-1]


def test_k13_every_step_of_ones_own_is_in_the_next_list(desk: Desk) -> None:
    def counted() -> tuple[int, int]:
        answer = data_of(desk.get(LIST))
        return answer["total"], len(answer["orders"])

    order_hash = new_order(desk)
    found = [counted()]
    for step in (
        lambda: desk.lock(order_hash),
        lambda: desk.unlock(order_hash),
        lambda: desk.lock(order_hash),
        lambda: desk.fill(order_hash, 1),
        lambda: desk.fill(order_hash, 1),
        lambda: desk.unlock(order_hash),
        lambda: desk.lock(order_hash),
    ):
        data_of(step())
        found.append(counted())
    assert found == [(0, 0), (1, 1), (0, 0), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1)]


def test_k13_total_pages(desk: Desk) -> None:
    for number, (pages_of_2, pages_of_3) in enumerate(((0, 0), (1, 1), (1, 1), (2, 1), (2, 2))):
        if number:
            partly_filled(desk, 1)
        assert data_of(desk.get(LIST, "page_size=2"))["total_pages"] == pages_of_2
        assert data_of(desk.get(LIST, "page_size=3"))["total_pages"] == pages_of_3


def test_k35_a_lapsed_lock_is_absent_from_list_and_total_before_it_is_written_down(desk: Desk) -> None:
    kept = partly_filled(desk)
    lapsing = new_order(desk)
    data_of(desk.lock(lapsing, lock_duration=60))
    assert sorted(listed_hashes(desk)) == sorted([kept, lapsing])
    desk.clock.advance(60)
    with nothing_changes(desk):
        for query in ("", "sort_by=price", "sort_by=locked_at", "status=locked,pending,partially_filled", "is_buy=1"):
            answer = data_of(desk.get(LIST, query))
            assert ([row["order_hash"] for row in answer["orders"]], answer["total"]) == ([kept], 1), query


def test_k35_an_order_is_listed_once_however_often_it_was_filled(desk: Desk) -> None:
    order_hash = partly_filled(desk, 1)
    for _ in range(3):
        data_of(desk.fill(order_hash, 1))
    data_of(desk.unlock(order_hash))
    data_of(desk.lock(order_hash))
    assert data_of(desk.get(LIST))["total"] == len(listed(desk)) == 1


def test_k35_each_taker_has_a_list_of_its_own(desk: Desk) -> None:
    mine, theirs, both = locked(desk), locked(desk.as_other), partly_filled(desk)
    data_of(desk.unlock(both))
    data_of(desk.as_other.lock(both))
    assert sorted(listed_hashes(desk)) == sorted([mine, both])
    assert sorted(listed_hashes(desk.as_other)) == sorted([theirs, both])


def test_filters_judge_by_the_effective_status(desk: Desk) -> None:
    order_hash = partly_filled(desk, deadline=NOW_S + 60)
    desk.clock.advance(60)
    assert listed_hashes(desk, "status=expired") == [order_hash]
    assert listed_hashes(desk, "status=partially_filled") == []


def test_the_documented_list(desk: Desk) -> None:
    """The example of the reference: order B, locked at 03:05:00 under the reference REF123456."""
    desk.created()
    desk.clock.advance(276)
    data_of(desk.lock(HASH_OF_B, reference_id="REF123456"))
    assert data_of(desk.get(LIST, "status=locked,partially_filled&page=1&page_size=20")) == {
        "total": 1, "page": 1, "page_size": 20, "total_pages": 1,
        "orders": [{
            "order_hash": HASH_OF_B, "maker": MAKER, "principal": MAKER, "is_buy": True, "ticker": "AAPL",
            "exchange": 0, "asset": "0x09671802Cc9Bbf6402f2e7a07b220Aa7b43D8c91", "price": "150250000000000000000",
            "quantity": "10000000000000000000", "incentive": "1000000000000000000", "deadline": 4_102_444_800,
            "nonce": 1, "signature": SIGNATURES["B"], "status": "locked", "created_at": "2025-01-17T03:00:24Z",
            "locked_by": TAKER, "locked_at": "2025-01-17T03:05:00Z", "reference_id": "REF123456",
        }],
    }  # fmt: skip


# --- one order ---------------------------------------------------------------------------------------------------


def test_the_documented_single_order(desk: Desk) -> None:
    """The example of the reference: 4 of the 10 shares filled at 03:10:00."""
    desk.created()
    desk.clock.advance(276)
    data_of(desk.lock(HASH_OF_B))
    desk.clock.advance(300)
    data_of(desk.fill(HASH_OF_B, 4 * 10**18))
    assert single(desk, HASH_OF_B) == {
        "id": order_id_of(HASH_OF_B), "maker": MAKER, "principal": MAKER, "is_buy": True, "ticker": "AAPL",
        "exchange": 0, "asset": "0x09671802Cc9Bbf6402f2e7a07b220Aa7b43D8c91", "price": "150250000000000000000",
        "quantity": "10000000000000000000", "incentive": "1000000000000000000", "deadline": 4_102_444_800, "nonce": 1,
        "signature": SIGNATURES["B"], "order_hash": HASH_OF_B, "status": "partially_filled",
        "filled_quantity": "4000000000000000000", "notes": None, "created_at": "2025-01-17T03:00:24Z",
        "updated_at": "2025-01-17T03:10:00Z",
    }  # fmt: skip


MALFORMED = cases(
    ("too short",          UNKNOWN_HASH[:-1]),
    ("too long",           UNKNOWN_HASH + "0"),
    ("without 0x",         UNKNOWN_HASH[2:]),
    ("no hexadecimal",     "0x" + "g" * 64),
    ("a word",             "mine"),
    ("a blank",            "%20"),
    ("bad encoding",       "%zz"),
    ("not UTF-8",          "%ff"),
    ("an id",              "5ec4bac3-a43c-89e8-b85b-ac8c991bb90f"),
    ("a hash and a blank", UNKNOWN_HASH + "%20"),
)  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED)
def test_k14_a_malformed_hash_is_an_unknown_one(shared: Desk, text: str) -> None:
    unknown, malformed = shared.seen(UNKNOWN_HASH), shared.seen(text)
    assert (outcome_of(unknown), message_of(unknown)) == (NOT_FOUND, "Order not found")
    assert (malformed.status, malformed.body) == (unknown.status, unknown.body)


def test_a_hash_may_be_percent_encoded_and_in_upper_case(shared: Desk) -> None:
    order_hash = locked(shared)
    encoded = "".join(f"%{ord(letter):02X}" for letter in order_hash)
    for text in (encoded, "0x" + order_hash[2:].upper(), order_hash.upper()):
        assert shared.seen(text).body == shared.seen(order_hash).body
    assert list(single(shared, order_hash)) == SINGLE


def test_a_query_is_not_looked_at(shared: Desk) -> None:
    order_hash = locked(shared)
    assert shared.get(f"{LIST}/{order_hash}", "page=x").body == shared.seen(order_hash).body


HIDDEN: Any = cases(
    ("nobody's yet",      lambda desk: new_order(desk)),
    ("another taker's",   lambda desk: locked(desk.as_other)),
    ("filled by another", lambda desk: partly_filled(desk.as_other, 1000)),
)  # fmt: skip


@pytest.mark.parametrize("prepare", HIDDEN)
def test_an_order_that_is_not_the_takers_is_not_shown(shared: Desk, prepare: Any) -> None:
    assert shared.seen(prepare(shared)).body == shared.seen(UNKNOWN_HASH).body
