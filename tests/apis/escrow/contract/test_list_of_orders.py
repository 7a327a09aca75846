"""The list of orders (E5 to E10), beside ``test_queries_of_orders``, which has the reference's own queries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apis.escrow.cases import FORM, STATUSES, new_desk, outcome
from tests.apis.escrow.desk import PRODUCTION_KEY, Desk, data_of, errors_of, ids_of, page_of
from tests.case_tables import cases

PAGE_FIELDS = ["current_page", "last_page", "per_page", "total", "from", "to", "data"]


@pytest.fixture(scope="module")
def listed() -> tuple[Desk, dict[str, int]]:
    """An order in each status, a day apart in pairs, with tags and metadata to look for; their ids by status."""
    desk = new_desk()
    ids = {}
    for number, status in enumerate(STATUSES):
        if number % 2 == 0:
            desk.now_s += 86_400
        order = desk.in_status(status)
        metadata = {"n": number, "b": number % 2 == 0, "deep": {"n": 1}, "none": None, "a.b": "dotted", "text": "Ä-1"}
        data_of(desk.put(f"/orders/{order['id']}", {"metadata": metadata}))
        ids[status] = order["id"]
    return desk, ids


# --- parameters

DEFAULTS = cases(
    ("page",        "page=1"),
    ("per_page",    "per_page=15"),
    ("order",       "order=created_at"),
    ("sort",        "sort=desc"),
    ("sandbox",     "sandbox=true"),
    ("all",         "page=1&per_page=15&order=created_at&sort=desc"),
)  # fmt: skip


@pytest.mark.parametrize("query", DEFAULTS)
def test_the_defaults(listed: tuple[Desk, dict[str, int]], query: str) -> None:
    desk, _ = listed
    assert desk.get("/orders", query).body == desk.get("/orders").body


PARAMETERS = (
    "page", "per_page", "search", "query", "date_begin", "date_end", "order", "sort", "status", "sandbox",
)  # fmt: skip
BOUNDS = cases(
    ("page 1",              "page=1",               200),
    ("page 0",              "page=0",               ["page"]),
    ("page -1",             "page=-1",              ["page"]),
    ("page text",           "page=one",             ["page"]),
    ("page fraction",       "page=1.5",             ["page"]),
    ("per_page 1",          "per_page=1",           200),
    ("per_page 100",        "per_page=100",         200),
    ("per_page 0",          "per_page=0",           ["per_page"]),
    ("per_page 101",        "per_page=101",         ["per_page"]),
    ("search alone",        "search=tag",           ["query"]),
    ("query alone",         "query=x",              ["search"]),
    ("query empty",         "search=tag&query=",    ["query"]),
    ("search empty",        "search=&query=x",      ["search"]),
    ("query 1",             "search=tag&query=x",   200),
    ("query 255",           "search=tag&query=" + "x" * 255, 200),
    ("query 256",           "search=tag&query=" + "x" * 256, ["query"]),
    ("search unknown",      "search=value&query=1", ["search"]),
    ("search of no key",    "search=metadata&query=1", ["search"]),
    ("date",                "date_begin=2024-02-29", 200),
    ("date that is none",   "date_begin=2023-02-29", ["date_begin"]),
    ("date short",          "date_begin=2024-1-1",  ["date_begin"]),
    ("date with a time",    "date_end=2024-01-01T00:00:00Z", ["date_end"]),
    ("one day",             "date_begin=2024-01-01&date_end=2024-01-01", 200),
    ("dates reversed",      "date_begin=2024-01-02&date_end=2024-01-01", ["date_end"]),
    ("last day",            "date_end=9999-12-31",  200),
    ("first day",           "date_begin=0001-01-01", 200),
    ("order unknown",       "order=tag",            ["order"]),
    ("order upper case",    "order=ID",             ["order"]),
    ("sort unknown",        "sort=up",              ["sort"]),
    ("sort upper case",     "sort=ASC",             ["sort"]),
    ("status unknown",      "status=NOPE",          ["status"]),
    ("status lower case",   "status=draft",         ["status"]),
    ("sandbox true",        "sandbox=true",         200),
    ("sandbox false",       "sandbox=false",        200),
    ("sandbox 1",           "sandbox=1",            200),
    ("sandbox 0",           "sandbox=0",            200),
    ("sandbox True",        "sandbox=True",         ["sandbox"]),
    ("sandbox yes",         "sandbox=yes",          ["sandbox"]),
    ("sandbox 2",           "sandbox=2",            ["sandbox"]),
    ("every bad one",       "&".join(f"{name}=x" for name in PARAMETERS),
     ["date_begin", "date_end", "order", "page", "per_page", "sandbox", "search", "sort", "status"]),
)  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), BOUNDS)
def test_e5_a_parameters_rule(listed: tuple[Desk, dict[str, int]], query: str, expected: int | list[str]) -> None:
    assert outcome(listed[0].get("/orders", query)) == expected


# --- E6, E7


@pytest.mark.parametrize("status", STATUSES)
def test_e7_filter_and_rows_know_all_twelve(listed: tuple[Desk, dict[str, int]], status: str) -> None:
    desk, ids = listed
    (row,) = page_of(desk.get("/orders", f"status={status}"))["data"]
    assert (row["id"], row["status"]) == (ids[status], status)
    assert ids_of(desk.get("/orders", f"search=status&query={status.lower()}")) == [ids[status]]
    assert ids_of(desk.get("/orders", f"search=status&query={status[:-1]}")) == []


SEARCHES = cases(
    ("metadata number", "search=metadata.n&query=11", ["RELEASED"]),
    ("metadata number, contains", "search=metadata.n&query=1", ["PENDING_DETAILS", "CANCELLED", "RELEASED"]),
    ("metadata boolean", "search=metadata.b&query=TRU", list(STATUSES[::2])),
    ("metadata key with a dot", "search=metadata.a.b&query=DOT", list(STATUSES)),
    ("metadata text, case folded", "search=metadata.text&query=%C3%A4-", list(STATUSES)),
    ("metadata nested", "search=metadata.deep&query=1", []),
    ("metadata nested by path", "search=metadata.deep.n&query=1", []),
    ("metadata null", "search=metadata.none&query=null", []),
    ("metadata absent", "search=metadata.x&query=1", []),
    ("metadata quotes", "search=metadata.text&query=%22", []),
    ("null tag", "search=tag&query=n", []),
    ("buyer of none", "search=buyer_email&query=ann",
     [status for status in STATUSES if status != "PENDING_DETAILS"]),
    ("email of either", "search=email&query=SAM@", list(STATUSES)),
    ("currency", "search=currency&query=eur", list(STATUSES)),
    ("currency, other", "search=currency&query=JPY", []),
    ("id with zeros", "search=id&query=0001", ["DRAFT"]),
    ("id negative", "search=id&query=-1", []),
    ("id fraction", "search=id&query=1.0", []),
    ("id immense", "search=id&query=" + "9" * 255, []),
)  # fmt: skip


@pytest.mark.parametrize(("query", "statuses"), SEARCHES)
def test_e6_a_search_finds(listed: tuple[Desk, dict[str, int]], query: str, statuses: list[str]) -> None:
    desk, ids = listed
    assert sorted(ids_of(desk.get("/orders", query))) == sorted(ids[status] for status in statuses)


def test_e6_an_email_is_the_one_that_the_customer_has_now(desk: Desk) -> None:
    phone = data_of(desk.post("/customers", {"prefix": "+1", "phone": "5555"}))
    order = desk.order(buyer_id=phone["id"])
    assert ids_of(desk.get("/orders", "search=buyer_email&query=5")) == []
    data_of(desk.post("/customers", {"prefix": "+1", "phone": "5555", "email": "late@x.test"}))
    assert ids_of(desk.get("/orders", "search=buyer_email&query=late")) == [order["id"]]


# --- E8


def test_e8_filters_combine_with_and(listed: tuple[Desk, dict[str, int]]) -> None:
    desk, ids = listed
    day = desk.now({"id": ids["RELEASED"]})["created_at"][:10]
    common = f"search=metadata.b&query=false&date_begin={day}&date_end={day}&sandbox=true"
    assert ids_of(desk.get("/orders", f"{common}&status=RELEASED")) == [ids["RELEASED"]]
    assert ids_of(desk.get("/orders", f"{common}&status=CANCELLED")) == []
    assert ids_of(desk.get("/orders", f"{common}&status=RELEASED&sandbox=false")) == []


SORTS = ("created_at", "published_at", "released_at", "value", "name", "status", "id")


@pytest.mark.parametrize("order", SORTS)
def test_e8_ties_go_by_id_and_what_has_no_date_comes_last(listed: tuple[Desk, dict[str, int]], order: str) -> None:
    desk, _ = listed
    rows = page_of(desk.get("/orders", "sort=asc&order=id"))["data"]
    for sort, is_down in (("asc", False), ("desc", True)):
        having = [row for row in rows if row[order] is not None]
        having.sort(key=lambda row: (row[order], row["id"]), reverse=is_down)
        lacking = sorted((row for row in rows if row[order] is None), key=lambda row: row["id"], reverse=is_down)
        found = ids_of(desk.get("/orders", {"order": order, "sort": sort, "per_page": 100}))
        assert found == [row["id"] for row in having + lacking]


# --- E9, E10

WORLDS = cases(
    ("stage, true",         None,               "sandbox=true",     True),
    ("stage, 1",            None,               "sandbox=1",        True),
    ("stage, false",        None,               "sandbox=false",    False),
    ("stage, 0",            None,               "sandbox=0",        False),
    ("production, false",   PRODUCTION_KEY,     "sandbox=false",    True),
    ("production, true",    PRODUCTION_KEY,     "sandbox=true",     False),
    ("production, none",    PRODUCTION_KEY,     "",                 True),
)  # fmt: skip


@pytest.mark.parametrize(("key", "query", "is_shown"), WORLDS)
def test_e9_sandbox_never_widens_a_keys_world(desk: Desk, key: str | None, query: str, is_shown: bool) -> None:
    desk.order()
    production = desk.as_key(PRODUCTION_KEY)
    ids = {f"{role}_id": production.customer(f"{role}@x.test")["id"] for role in ("buyer", "seller")}
    data_of(production.post("/orders", desk.usual_order(**ids)))
    caller = desk.as_key(key or desk.key)
    assert [row["sandbox"] for row in page_of(caller.get("/orders", query))["data"]] == (
        [key is None] if is_shown else []
    )


PAGES = cases(
    ("all on one",          "per_page=12",              (1, 1, 12, 12, 1, 12)),
    ("two pages",           "per_page=11",              (1, 2, 11, 12, 1, 11)),
    ("the second",          "per_page=11&page=2",       (2, 2, 11, 12, 12, 12)),
    ("past the end",        "per_page=11&page=3",       (3, 2, 11, 12, None, None)),
    ("far past the end",    "page=1000000",             (1000000, 1, 15, 12, None, None)),
    ("of those found",      "status=DRAFT&per_page=1",  (1, 1, 1, 1, 1, 1)),
    ("none found",          "search=id&query=x&page=2", (2, 1, 15, 0, None, None)),
    ("sorted otherwise",    "order=value&per_page=5&page=3", (3, 3, 5, 12, 11, 12)),
)  # fmt: skip


@pytest.mark.parametrize(("query", "page"), PAGES)
def test_e10_a_page_says_where_it_is(listed: tuple[Desk, dict[str, int]], query: str, page: tuple[Any, ...]) -> None:
    answer = page_of(listed[0].get("/orders", query))
    assert list(answer) == PAGE_FIELDS
    assert tuple(answer[name] for name in PAGE_FIELDS[:-1]) == page
    rows = 0 if page[4] is None else page[5] - page[4] + 1
    assert len(answer["data"]) == rows


def test_e10_the_pages_together_are_the_list(listed: tuple[Desk, dict[str, int]]) -> None:
    desk, _ = listed
    whole = ids_of(desk.get("/orders"))
    for query in ("", "&order=name", "&date_begin=2025-01-01"):
        pages = [ids_of(desk.get("/orders", f"per_page=5&page={page}{query}")) for page in (1, 2, 3)]
        assert [number for page in pages for number in page] == whole


def test_e10_what_was_created_or_changed_is_in_the_next_list(desk: Desk) -> None:
    for count in (1, 2, 3):
        order = desk.order()
        assert (page_of(desk.get("/orders"))["total"], ids_of(desk.get("/orders"))[0]) == (count, order["id"])
        desk.do(order, "cancel")
        assert page_of(desk.get("/orders", "status=CANCELLED"))["total"] == count


# --- E34: pages that are heavy

NEWEST, BY_NAME = "", "&order=name"
HEAVY: Any = cases(
    ("template",        lambda n: {"template": {"a": f"{n:03d}" + "x" * 60_000}},
     (NEWEST, "&sort=asc", BY_NAME, "&status=DRAFT", "&date_begin=2020-01-01", "&search=name&query=n")),
    ("images",          lambda n: {"images": [f"https://x.test/{n:03d}/{'y' * 6_000}"] * 10}, (NEWEST,)),
    ("quotes",          lambda n: {"template": {"a": f"{n:03d}" + '"' * 30_000}}, (NEWEST, BY_NAME)),
    ("other letters",   lambda n: {"template": {"a": f"{n:03d}" + "\u00e9" * 10_300}}, (BY_NAME,)),
)  # fmt: skip


@pytest.mark.parametrize(("members", "queries"), HEAVY)
def test_e34_a_page_ends_before_its_bytes_pass_5_mb_and_the_next_goes_on(
    desk: Desk, members: Any, queries: tuple[str, ...]
) -> None:
    made = [desk.order(name=f"n{number % 7}", **members(number))["id"] for number in range(100)]
    for query in queries:
        seen, page, last_page = list[int](), 1, 1
        while page <= last_page:
            answer = desk.get("/orders", f"per_page=100&page={page}{query}")
            assert len(json.dumps({"body": answer.body})) < 6 * 1024 * 1024, "what Lambda takes"
            shown = page_of(answer)
            last_page = shown["last_page"]
            assert (shown["total"], shown["from"], shown["to"]) == (100, len(seen) + 1, len(seen) + len(shown["data"]))
            seen += [row["id"] for row in shown["data"]]
            page += 1
        assert last_page > 1
        assert sorted(seen) == made, query
        past = page_of(desk.get("/orders", f"per_page=100&page={page}{query}"))
        assert (past["data"], past["from"], past["to"], past["last_page"]) == ([], None, None, last_page)


def test_e34_the_largest_order_there_can_be_is_shown_and_kept(desk: Desk) -> None:
    """Under an Idempotency-Key its answer is a row of a table, too."""
    types, image = ['"' * 100] * 310, "https://x.test/" + '"' * 64_000
    order = desk.order(payin_types=types)
    data_of(desk.put(f"/orders/{order['id']}", f"images[]={image}".encode(), content_type=FORM))
    template = {"template": {"a": "x" * 65_000}}
    data_of(desk.put(f"/orders/{order['id']}", template))
    answer = desk.post(f"/orders/{order['id']}/cancel", {}, headers={"idempotency-key": "the-largest-of-all"})
    assert data_of(answer)["images"] == [image]
    assert len(answer.body.encode()) < 400_000
    for field in ("payin_types[]", "images[]", "template[a]"):
        body = "name=x&value=1&" + field + "=https://x.test/" + "\x01" * 60_000
        assert field.split("[")[0] in errors_of(desk.post("/orders", body.encode(), content_type=FORM))
