"""The bare profile, for clients that were generated from the vendor's published description (E47)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_RATE_LIMIT
from tests.apis.escrow.cases import REQUESTS, STATUSES, Request, at, outcome
from tests.apis.escrow.desk import KEY, UNLIMITED, Desk, errors_of, ids_of, page_of, parsed
from tests.case_tables import cases

BARE = {"accept": "application/json;profile=bare"}
BARE_KEY = "sk_stage_" + "B" * 24
EIGHT = {
    "DRAFT", "PENDING_DETAILS", "PENDING_PUBLISH", "PUBLISHED", "ACCEPTED", "REJECTED", "CANCELLED", "RELEASED",
}  # fmt: skip
SHOWN = {
    "FAILURE": "PENDING_PUBLISH",
    "PENDING_VALIDATE": "ACCEPTED",
    "PENDING_RELEASE": "ACCEPTED",
    "BLOCKED_RELEASE": "ACCEPTED",
}
DRAWN = {"secret", "delivery_id", "cursor"}


def bare_get(desk: Desk, path: str, query: str = "") -> Any:
    return parsed(desk.send("GET", f"/2.0{path}", query=query, headers=BARE))


@pytest.mark.parametrize("make", REQUESTS.values(), ids=REQUESTS)
def test_e47_a_single_resource_stands_alone_and_a_list_as_before(make: Callable[[], Request]) -> None:
    usual, bare = parsed(make().send()), parsed(make().send(headers=BARE))
    if list(usual) == ["data"]:
        assert list(bare) == list(usual["data"])
        assert "data" not in bare
    else:
        assert list(bare) == list(usual)


@pytest.mark.parametrize("status", STATUSES)
def test_e47_a_status_is_one_of_the_eight(status: str) -> None:
    desk, order = at(status)
    shown = SHOWN.get(status, status)
    assert shown in EIGHT
    found = bare_get(desk, f"/orders/{order['id']}")
    assert found == order | {"status": shown, "status_nicename": shown.replace("_", " ").capitalize()}
    assert bare_get(desk, "/orders")["data"] == [found]
    assert desk.now(order) == order, "by default all twelve are shown"


@pytest.mark.parametrize("status", STATUSES)
def test_e47_a_filter_means_the_word_that_is_shown(status: str) -> None:
    desk, order = at(status)
    for word in EIGHT:
        expected = [order["id"]] if SHOWN.get(status, status) == word else []
        for query in (f"status={word}", f"search=status&query={word.lower()}"):
            assert [row["id"] for row in bare_get(desk, "/orders", query)["data"]] == expected, query
    for word in SHOWN:
        assert list(errors_of(desk.send("GET", "/2.0/orders", query=f"status={word}", headers=BARE))) == ["status"]
        assert bare_get(desk, "/orders", f"search=status&query={word}")["data"] == []


def test_e47_orders_are_sorted_by_the_word_that_is_shown(desk: Desk) -> None:
    blocked, accepted = desk.in_status("BLOCKED_RELEASE"), desk.in_status("ACCEPTED")
    rows = bare_get(desk, "/orders", "order=status&sort=asc")["data"]
    assert [row["id"] for row in rows] == [blocked["id"], accepted["id"]], "equal words, so by id"
    assert ids_of(desk.get("/orders", "order=status&sort=asc")) == [accepted["id"], blocked["id"]]


ACCEPTS = cases(
    ("as documented",       "application/json;profile=bare",                    True),
    ("blanks and quotes",   'application/json; profile="bare"',                 True),
    ("among others",        "text/html, application/json;q=0.9;profile=bare",   True),
    ("letter case",         "Application/JSON;Profile=bare",                    True),
    ("another profile",     "application/json;profile=full",                    False),
    ("another type",        "text/html;profile=bare",                           False),
    ("none",                "application/json",                                 False),
    ("anything",            "*/*",                                              False),
    ("empty",               "",                                                 False),
)  # fmt: skip


@pytest.mark.parametrize(("accept", "is_bare"), ACCEPTS)
def test_e47_the_header_says_so(shared: Desk, accept: str, is_bare: bool) -> None:
    answer = parsed(shared.send("GET", "/2.0/accounts/me", headers={"accept": accept}))
    assert (list(answer) == ["data"]) is not is_bare


def test_e47_a_key_may_say_so_itself(desk: Desk) -> None:
    desk.make_key(BARE_KEY, World.SANDBOX, is_bare=True, rate_limit=UNLIMITED)
    order = desk.in_status("PENDING_VALIDATE")
    client = desk.as_key(BARE_KEY)
    assert parsed(client.get(f"/orders/{order['id']}"))["status"] == "ACCEPTED"
    assert parsed(client.post("/customers", {"email": "new@x.test"}))["email"] == "new@x.test"
    assert page_of(client.get("/orders", "status=ACCEPTED"))["total"] == 1
    assert ESCROW_RATE_LIMIT != UNLIMITED


def test_e47_errors_are_as_ever(shared: Desk) -> None:
    for path, query in (("/orders/987654", ""), ("/orders", "page=0")):
        usual = shared.send("GET", f"/2.0{path}", query=query)
        assert shared.send("GET", f"/2.0{path}", query=query, headers=BARE) == usual
    assert outcome(shared.as_key(KEY).post("/orders", {})) == ["buyer_id", "name", "seller_id", "value"]


def test_e47_a_repeated_answer_is_in_the_profile_of_the_one_who_repeats(desk: Desk) -> None:
    key = {"idempotency-key": "key-00000001"}
    first = parsed(desk.post("/orders", desk.usual_order(), headers=key | BARE))
    again = desk.post("/orders", desk.usual_order(), headers=key)
    assert parsed(again) == {"data": first}
    assert again.headers["Idempotent-Replay"] == "true"
    assert parsed(desk.post("/orders", desk.usual_order(), headers=key | BARE)) == first


def test_e47_numbers_and_letters_stay_as_they_are(desk: Desk) -> None:
    metadata = {"weight": 1.50, "of": [1, True, None, {"x": "\u00e9\u2028"}], "big": 10**30}
    order = desk.order(value="23.77", metadata=metadata)
    usual = desk.send("GET", f"/2.0/orders/{order['id']}").body
    assert desk.send("GET", f"/2.0/orders/{order['id']}", headers=BARE).body == usual.removeprefix('{"data":')[:-1]
