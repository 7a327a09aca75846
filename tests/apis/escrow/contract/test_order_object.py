"""The order object: every field, of its type, in every status; then field by field what it says."""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from tests.apis.escrow.cases import COMMANDS, NOW, STATUSES, at, part
from tests.apis.escrow.desk import BASE_URL, OTHER_KEY, Desk, data_of, page_of
from tests.case_tables import cases

Nothing = type(None)
TYPES: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "self": (str,),
    "public_id": (str,),
    "name": (str,),
    "description": (str, Nothing),
    "value": (int, Decimal),
    "fee_value": (int, Decimal, Nothing),
    "fee_percent": (int, Decimal, Nothing),
    "currency": (str,),
    "amount": (str,),
    "payin_amount": (str, Nothing),
    "payout_amount": (str, Nothing),
    "fee_amount": (str, Nothing),
    "shipping_amount": (Nothing,),
    "buyer_link": (str,),
    "seller_link": (str,),
    "qr_link": (str,),
    "status": (str,),
    "sandbox": (bool,),
    "status_nicename": (str,),
    "images": (list,),
    "tag": (str, Nothing),
    "payin_intents": (int, Nothing),
    "payin_types": (list,),
    "payin_fallback": (list,),
    "metadata": (dict,),
    "template": (dict,),
    "published_units": (int,),
    "refund": (dict,),
    "created_at": (str,),
    "published_at": (str, Nothing),
    "accepted_at": (str, Nothing),
    "shipping_at": (Nothing,),
    "cancelled_at": (str, Nothing),
    "validated_at": (str, Nothing),
    "released_at": (str, Nothing),
    "connections": (dict,),
}
NICENAMES = {
    "DRAFT": "Draft",
    "PENDING_DETAILS": "Pending details",
    "PENDING_PUBLISH": "Pending publish",
    "FAILURE": "Failure",
    "PUBLISHED": "Published",
    "ACCEPTED": "Accepted",
    "REJECTED": "Rejected",
    "PENDING_VALIDATE": "Pending validate",
    "PENDING_RELEASE": "Pending release",
    "BLOCKED_RELEASE": "Blocked release",
    "CANCELLED": "Cancelled",
    "RELEASED": "Released",
}
every_status = pytest.mark.parametrize("status", STATUSES)


@every_status
def test_every_field_is_there_in_every_status_and_of_its_type(status: str) -> None:
    desk, order = at(status)
    (listed,) = page_of(desk.get("/orders"))["data"]
    assert list(order) == list(TYPES), "in the reference's order"
    assert listed == order == desk.now(order)
    assert [name for name, types in TYPES.items() if type(order[name]) not in types] == []
    assert (order["status"], order["status_nicename"]) == (status, NICENAMES[status])
    assert list(order["refund"]) == ["status", "reference_id"]


@pytest.mark.parametrize("name", [name for name, make in COMMANDS.items() if "/orders" in make().route])
def test_every_command_on_an_order_answers_the_order_after_it(name: str) -> None:
    request = COMMANDS[name]()
    order = data_of(request.send())
    assert list(order) == list(TYPES)
    assert order == request.desk.now(order)


REACHED = cases(
    *(
        (status, status, units, times)
        for status, units, times in (
            ("DRAFT",               0,  []),
            ("PENDING_DETAILS",     0,  []),
            ("PENDING_PUBLISH",     0,  []),
            ("FAILURE",             0,  []),
            ("PUBLISHED",           1,  ["published_at"]),
            ("ACCEPTED",            1,  ["published_at", "accepted_at"]),
            ("REJECTED",            1,  ["published_at"]),
            ("PENDING_VALIDATE",    1,  ["published_at", "accepted_at"]),
            ("PENDING_RELEASE",     1,  ["published_at", "accepted_at", "validated_at"]),
            ("BLOCKED_RELEASE",     1,  ["published_at"]),
            ("CANCELLED",           1,  ["published_at", "cancelled_at"]),
            ("RELEASED",            1,  ["published_at", "accepted_at", "validated_at", "released_at"]),
        )
    )
)  # fmt: skip


@pytest.mark.parametrize(("status", "units", "times"), REACHED)
def test_times_and_published_units(status: str, units: int, times: list[str]) -> None:
    _, order = at(status)
    assert order["published_units"] == units
    assert order["created_at"] == NOW
    assert [name for name in TYPES if name.endswith("_at") and order[name]] == ["created_at", *times]


def test_a_time_is_that_of_the_first_entry_into_its_status(desk: Desk) -> None:
    desk.set(release_delay_seconds=3600)
    order = desk.do(desk.paid(), "accept")
    for later, step in ((1, "block"), (2, "unblock")):
        desk.now_s += later
        desk.operate(f"/orders/{order['id']}/{step}")
    desk.now_s += 3
    validated = desk.do(order, "validate")
    assert (validated["published_at"], validated["accepted_at"]) == (NOW, NOW)
    assert validated["validated_at"] == "2025-02-19T21:20:06Z"
    desk.now_s += 1
    for step in ("block", "unblock"):
        desk.operate(f"/orders/{order['id']}/{step}")
    again = desk.now(order)
    assert (again["status"], again["validated_at"]) == ("PENDING_RELEASE", validated["validated_at"])


AMOUNTS = cases(
    ("DRAFT",               "DRAFT",            (None, None, "3.75 €")),
    ("PENDING_DETAILS",     "PENDING_DETAILS",  (None, None, "3.75 €")),
    ("PENDING_PUBLISH",     "PENDING_PUBLISH",  (None, None, "3.75 €")),
    ("FAILURE",             "FAILURE",          (None, None, "3.75 €")),
    ("PUBLISHED",           "PUBLISHED",        ("150.00 €", None, "3.75 €")),
    ("ACCEPTED",            "ACCEPTED",         ("150.00 €", None, "3.75 €")),
    ("REJECTED",            "REJECTED",         ("150.00 €", None, None)),
    ("PENDING_VALIDATE",    "PENDING_VALIDATE", ("150.00 €", "146.25 €", "3.75 €")),
    ("PENDING_RELEASE",     "PENDING_RELEASE",  ("150.00 €", "146.25 €", "3.75 €")),
    ("BLOCKED_RELEASE",     "BLOCKED_RELEASE",  ("150.00 €", None, "3.75 €")),
    ("CANCELLED",           "CANCELLED",        ("150.00 €", None, None)),
    ("RELEASED",            "RELEASED",         ("150.00 €", "150.00 €", None)),
)  # fmt: skip


@pytest.mark.parametrize(("status", "amounts"), AMOUNTS)
def test_amounts(status: str, amounts: tuple[str | None, ...]) -> None:
    """A fee is agreed on where the status lets it be (E13)."""
    desk, order = at(status)
    if status not in ("REJECTED", "CANCELLED", "RELEASED"):
        order = data_of(desk.put(f"/orders/{order['id']}", {"fee_percent": 2.5}))
    assert tuple(order[f"{name}_amount"] for name in ("payin", "payout", "fee")) == amounts
    assert order["amount"] == "150.00 €"


def test_amounts_of_an_order_that_is_reimbursed_in_part_follow_what_is_left(desk: Desk) -> None:
    order = desk.do(desk.paid(fee_percent=2.5), "accept")
    desk.pay_out(order)
    shown = desk.do(order, "reimburse", {"amount": 30})
    assert (shown["payin_amount"], shown["payout_amount"], shown["fee_amount"]) == ("150.00 €", "117.00 €", "3.00 €")
    released = desk.do(order, "validate")
    assert (released["payout_amount"], released["fee_amount"]) == ("117.00 €", "3.00 €")
    after = data_of(desk.put(f"/orders/{order['id']}", {"metadata": {"a": 1}}))
    assert (after["payout_amount"], after["fee_amount"]) == ("117.00 €", "3.00 €"), "what was really paid and taken"


def test_fee_amount_is_null_without_fees_and_zero_where_they_are_zero(desk: Desk) -> None:
    assert desk.order()["fee_amount"] is None
    assert desk.order(fee_value=0)["fee_amount"] == "0.00 €"
    assert desk.order(value=0, fee_percent=10)["fee_amount"] == "0.00 €"
    assert desk.order(fee_value=0, fee_percent=0)["fee_amount"] == "0.00 €"


MONEY_TEXTS = cases(
    ("150.00 €",        150,        "EUR",  "150.00 €"),
    ("0.59 €",          "0.59",     "EUR",  "0.59 €"),
    ("1234567.80 €",    "1234567.8", "EUR", "1234567.80 €"),
    ("150 JPY",         150,        "JPY",  "150 JPY"),
    ("0.00 €",          0,          "EUR",  "0.00 €"),
    ("0 JPY",           0,          "JPY",  "0 JPY"),
)  # fmt: skip


@pytest.mark.parametrize(("value", "currency", "text"), MONEY_TEXTS)
def test_money_text(shared: Desk, value: object, currency: str, text: str) -> None:
    assert shared.order(value=value, currency=currency)["amount"] == text


# --- names, links and connections


def test_names_and_links_are_drawn_for_each_order(shared: Desk) -> None:
    orders = [shared.order() for _ in range(20)]
    orders += [data_of(shared.get(f"/orders/{orders[0]['id']}"))]
    assert len({order["public_id"] for order in orders}) == 20
    assert all(re.fullmatch(r"[A-Z0-9]{12}", order["public_id"]) for order in orders)
    links = [order[name] for order in orders[:20] for name in ("buyer_link", "seller_link", "qr_link")]
    assert all(re.fullmatch(rf"{re.escape(BASE_URL)}/[bsq]/[A-Za-z0-9]{{32}}", link) for link in links)
    assert len({urlsplit(link).path[3:] for link in links}) == 60
    assert [link[len(BASE_URL) + 1] for link in links[:3]] == ["b", "s", "q"]


def test_links_follow_the_public_base_url(desk: Desk) -> None:
    order = desk.order()
    desk.set(public_base_url="https://other.test/pay")
    moved = desk.now(order)
    assert moved["buyer_link"] == order["buyer_link"].replace(BASE_URL, "https://other.test/pay")


CONNECTIONS = cases(
    ("DRAFT",               "DRAFT",            ["buyer", "seller"]),
    ("PENDING_DETAILS",     "PENDING_DETAILS",  ["seller"]),
    ("PENDING_PUBLISH",     "PENDING_PUBLISH",  ["buyer", "seller", "payin"]),
    ("FAILURE",             "FAILURE",          ["buyer", "seller", "payin"]),
    ("PUBLISHED",           "PUBLISHED",        ["buyer", "seller", "payin"]),
    ("ACCEPTED",            "ACCEPTED",         ["buyer", "seller", "payin"]),
    ("REJECTED",            "REJECTED",         ["buyer", "seller", "payin"]),
    ("PENDING_VALIDATE",    "PENDING_VALIDATE", ["buyer", "seller", "payin", "payout"]),
    ("PENDING_RELEASE",     "PENDING_RELEASE",  ["buyer", "seller", "payin", "payout"]),
    ("BLOCKED_RELEASE",     "BLOCKED_RELEASE",  ["buyer", "seller", "payin"]),
    ("CANCELLED",           "CANCELLED",        ["buyer", "seller", "payin"]),
    ("RELEASED",            "RELEASED",         ["buyer", "seller", "payin", "payout"]),
)  # fmt: skip


@pytest.mark.parametrize(("status", "names"), CONNECTIONS)
def test_a_connection_is_there_when_the_thing_is_and_leads_to_it(status: str, names: list[str]) -> None:
    desk, order = at(status)
    assert list(order["connections"]) == names
    for path in order["connections"].values():
        assert desk.send("GET", path).status == 200
    for name in {"payin", "payout"} - set(names):
        assert desk.get(f"/orders/{order['id']}/{name}").status == 404
    if "payin" in names:
        payin = part(desk, order, "payin")
        assert payin["connections"] == {"order": order["self"]}


def test_refund_is_that_of_the_latest(desk: Desk) -> None:
    order = desk.paid()
    assert order["refund"] == {"status": None, "reference_id": None}
    for number in (1, 2, 3):
        shown = desk.do(order, "reimburse", {"amount": 1})
        assert shown["refund"] == {"status": "CONFIRMED", "reference_id": f"RF-{order['id']}-{number}"}
    assert desk.do(order, "cancel")["refund"]["reference_id"] == f"RF-{order['id']}-4"
    assert desk.do(desk.order(), "cancel")["refund"] == {"status": None, "reference_id": None}


def test_another_merchants_order_has_its_own_parties(shared: Desk) -> None:
    other = shared.as_key(OTHER_KEY)
    buyer, seller = other.customer("ann@x.test"), other.customer("sam@x.test")
    order = data_of(other.post("/orders", shared.usual_order(buyer_id=buyer["id"], seller_id=seller["id"])))
    assert order["connections"]["buyer"] == f"/2.0/customers/{buyer['uuid']}"
    assert buyer["uuid"] != shared.buyer["uuid"]
