"""The pages behind an order's links (E46): what they show, what they let people do, and what they keep others from."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.support.telemetry import invocation, logger
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.tenants import Tenants
from tests.apis.escrow.cases import FORM, at, ledger, money, new_desk, part
from tests.apis.escrow.desk import CARD, PRODUCTION_KEY, SHOP, Desk, data_of
from tests.case_tables import cases
from tests.services.escrow.world import INSTANCE
from tests.watched import written

SHOP_URLS = {
    f"{who}_{how}_url": f"https://shop.example:8443/{who}?is={how}"
    for who in ("buyer", "seller")
    for how in ("confirmed", "denied")
}
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
BUTTON = re.compile(r'<button type="submit" name="decision" value="(\w+)">([^<]+)</button>')


def path_of(order: dict[str, Any], page: str) -> str:
    return urlsplit(order[f"{page}_link"]).path


def visit(desk: Desk, order: dict[str, Any], page: str, **more: Any) -> HttpResponse:
    return desk.as_key(None).send("GET", path_of(order, page), **more)


def form_token_of(desk: Desk, order: dict[str, Any], page: str) -> str:
    return FORM_TOKEN.findall(visit(desk, order, page).body)[0]


def choose(desk: Desk, order: dict[str, Any], page: str, decision: str, token: str | None = None) -> HttpResponse:
    """Press a button of the page's form as it is now, or of one that was shown before."""
    sent = {"decision": decision, "form_token": form_token_of(desk, order, page) if token is None else token}
    return press(desk, order, page, sent)


def press(
    desk: Desk, order: dict[str, Any], page: str, fields: dict[str, str], content_type: str = FORM
) -> HttpResponse:
    body = urlencode(fields).encode()
    return desk.as_key(None).send("POST", path_of(order, page), body=body, content_type=content_type)


def outside(desk: Desk, **more: Any) -> dict[str, Any]:
    """Return an order with an open external payin."""
    order = desk.order(**SHOP_URLS, **more)
    data_of(desk.post("/payins", {"order_id": order["id"], "type": CARD}))
    return desk.now(order)


# --- what is shown


def test_e46_the_buyer_reads_how_to_pay_by_bank(desk: Desk) -> None:
    order = desk.order(name="Road bike", value="23.77")
    payin = desk.bankwire(order)
    assert payin["direct_link"] == order["buyer_link"]
    page = visit(desk, order, "buyer")
    assert page.status == 200
    for text in ("Road bike", "23.77 €", "ES9121000418450200051332", payin["reference"], "Waiting for the payment"):
        assert text in page.body
    assert "<form" not in page.body


def test_e46_the_seller_and_the_code_show_no_bank_account(desk: Desk) -> None:
    order = desk.order()
    desk.bankwire(order)
    for page in ("seller", "qr"):
        shown = visit(desk, order, page).body
        assert "150.00 €" in shown
        assert "ES91" not in shown
        assert "<form" not in shown


SHOWN = cases(
    ("DRAFT",               "DRAFT",            "Not paid yet"),
    ("PENDING_DETAILS",     "PENDING_DETAILS",  "Not paid yet"),
    ("PENDING_PUBLISH",     "PENDING_PUBLISH",  "Waiting for the payment"),
    ("FAILURE",             "FAILURE",          "The payment failed"),
    ("PUBLISHED",           "PUBLISHED",        "Paid, waiting for the seller"),
    ("ACCEPTED",            "ACCEPTED",         "Paid and accepted by the seller"),
    ("REJECTED",            "REJECTED",         "Rejected by the seller"),
    ("PENDING_VALIDATE",    "PENDING_VALIDATE", "Paid and accepted by the seller"),
    ("PENDING_RELEASE",     "PENDING_RELEASE",  "About to be paid out to the seller"),
    ("BLOCKED_RELEASE",     "BLOCKED_RELEASE",  "Paid, and held for a check"),
    ("CANCELLED",           "CANCELLED",        "Cancelled"),
    ("RELEASED",            "RELEASED",         "Paid out to the seller"),
)  # fmt: skip


@pytest.mark.parametrize(("status", "text"), SHOWN)
def test_e46_every_status_is_shown_and_only_a_paid_order_is_decided(status: str, text: str) -> None:
    desk, order = at(status)
    before = desk.tables()
    for page in ("buyer", "seller", "qr"):
        shown = visit(desk, order, page)
        assert f'<dd dir="auto">{text}</dd>' in shown.body
        assert ("<form" in shown.body) is (page == "seller" and status == "PUBLISHED")
    assert desk.tables() == before, "GET changes nothing"


def test_e46_texts_of_others_are_escaped() -> None:
    desk, bad = new_desk(), "<script>alert('\"&')</script>"
    order = desk.order(name=bad, buyer_confirmed_url="http://x.test/'><script>alert(1)</script>")
    desk.deposit(150)
    desk.pay(order)
    for page in ("buyer", "seller", "qr"):
        body = visit(desk, order, page).body
        assert "<script" not in body
        assert bad in unescape(body)
    assert 'href="http://x.test/&#x27;&gt;' in visit(desk, order, "buyer").body


def test_e46_a_page_says_its_language_and_has_one_heading_and_labelled_buttons() -> None:
    desk, order = at("PUBLISHED")
    body = visit(desk, order, "seller").body
    assert body.startswith('<!doctype html><html lang="en">')
    assert len(re.findall("<h1", body)) == len(re.findall("<main>", body)) == len(re.findall("<title>", body)) == 1
    assert BUTTON.findall(body) == [("accept", "Accept the order"), ("reject", "Reject the order")]


# --- what is decided

DECIDED = cases(
    ("accept",  "accept",   "ACCEPTED", "confirmed"),
    ("reject",  "reject",   "REJECTED", "denied"),
)  # fmt: skip


@pytest.mark.parametrize(("decision", "status", "leads_to"), DECIDED)
def test_e46_the_seller_decides_and_goes_back_to_the_shop(decision: str, status: str, leads_to: str) -> None:
    desk = new_desk()
    order = desk.paid(**SHOP_URLS)
    answer = choose(desk, order, "seller", decision)
    assert (answer.status, answer.headers["Location"]) == (303, f"https://shop.example:8443/seller?is={leads_to}")
    assert desk.now(order)["status"] == status
    assert ledger(desk) == money(0, 150, 0, 0, 150)
    assert f"https://shop.example:8443/seller?is={leads_to}" in unescape(visit(desk, order, "seller").body)


def test_e46_without_an_address_of_the_shop_the_page_shows_the_outcome() -> None:
    desk, order = at("PUBLISHED")
    answer = choose(desk, order, "seller", "accept")
    assert answer.status == 200
    assert "Your choice was taken." in answer.body
    assert "Back to the shop" not in answer.body


ADDRESSES = cases(
    ("https",                   "https://shop.example/ok",      True,   True),
    ("http",                    "http://shop.example/ok",       True,   False),
    ("letters beyond ASCII",    "https://shop.example/é\u202e", True,   True),
)  # fmt: skip


@pytest.mark.parametrize(("url", "in_sandbox", "in_production"), ADDRESSES)
def test_e46_production_leads_to_https_alone(url: str, in_sandbox: bool, in_production: bool) -> None:
    for key, is_followed in ((None, in_sandbox), (PRODUCTION_KEY, in_production)):
        desk = new_desk()
        desk = desk if key is None else desk.as_key(key)
        order = _paid_by(desk, seller_confirmed_url=url)
        answer = choose(desk, order, "seller", "accept")
        assert answer.status == (303 if is_followed else 200)
        assert ("Location" in answer.headers) is is_followed
        assert answer.headers.get("Location", "").isascii()
        assert ("Back to the shop" in visit(desk, order, "seller").body) is is_followed


def _paid_by(desk: Desk, **more: Any) -> dict[str, Any]:
    """Return an order of the desk's world that is paid by bank wire."""
    parties = {"buyer_id": desk.customer("b@z.test")["id"], "seller_id": desk.customer("s@z.test")["id"]}
    order = data_of(desk.post("/orders", desk.usual_order(**parties, **more)))
    payin = desk.bankwire(order)
    operator = str(desk.key).replace("sk_", "op_").rpartition("_")[0] + "_" + "A" * 24
    data_of(desk.as_key(operator).post(f"/operator/payins/{payin['id']}/confirm", {"amount": 150}))
    return desk.now(order)


@pytest.mark.parametrize(
    ("decision", "status", "how"), [("paid", "PUBLISHED", "confirmed"), ("refused", "FAILURE", "denied")]
)
def test_e46_in_the_sandbox_the_buyer_says_what_a_provider_would(decision: str, status: str, how: str) -> None:
    desk = new_desk()
    order = outside(desk)
    assert BUTTON.findall(visit(desk, order, "buyer").body) == [("paid", "Paid"), ("refused", "Refused")]
    answer = choose(desk, order, "buyer", decision)
    assert (answer.status, answer.headers["Location"]) == (303, f"https://shop.example:8443/buyer?is={how}")
    assert desk.now(order)["status"] == status
    assert ledger(desk) == (money(0, 150, 0, 0, 150) if decision == "paid" else money(0, 0, 0, 0, 0))
    desk.check_money()


def test_e46_production_has_no_such_buttons_and_takes_no_such_choice() -> None:
    production = new_desk().as_key(PRODUCTION_KEY)
    parties = {"buyer_id": production.customer("b@z.test")["id"], "seller_id": production.customer("s@z.test")["id"]}
    order = data_of(production.post("/orders", production.usual_order(**parties)))
    data_of(production.post("/payins", {"order_id": order["id"], "type": CARD}))
    page = visit(production, order, "buyer").body
    assert "REDSYS_V2" in page
    assert "<form" not in page
    before = production.tables()
    for decision in ("paid", "refused"):
        assert choose(production, order, "buyer", decision, token="0" * 64).status == 409
    assert production.tables() == before


# --- once, and by the link alone


@pytest.mark.parametrize("page", ["buyer", "seller"])
def test_e46_a_form_works_once(page: str) -> None:
    desk = new_desk()
    order, decision = (outside(desk), "paid") if page == "buyer" else (desk.paid(), "accept")
    token = form_token_of(desk, order, page)
    assert choose(desk, order, page, decision, token).status in (200, 303)
    before = desk.tables()
    again = choose(desk, order, page, decision, token)
    assert again.status == 409
    assert "<form" not in again.body
    assert desk.tables() == before


def test_e46_a_form_fits_the_order_as_it_was_shown() -> None:
    desk, order = at("PUBLISHED")
    token = form_token_of(desk, order, "seller")
    data_of(desk.put(f"/orders/{order['id']}", {"fee_value": 5}))
    before = desk.tables()
    answer = choose(desk, order, "seller", "accept", token)
    assert answer.status == 409
    assert FORM_TOKEN.search(answer.body), "with a form that fits"
    assert desk.tables() == before


def test_e46_a_form_fits_its_own_order_and_page() -> None:
    desk = new_desk()
    first, second = desk.paid(), desk.paid()
    token = form_token_of(desk, first, "seller")
    open_one = outside(desk)
    before = desk.tables()
    assert choose(desk, second, "seller", "accept", token).status == 409
    assert choose(desk, open_one, "buyer", "paid", form_token_of(desk, second, "seller")).status == 409
    assert choose(desk, first, "seller", "paid").status == 422, "a choice of the other page"
    assert desk.tables() == before


FORMS = cases(
    ("nothing",             {},                                 409),
    ("no token",            {"decision": "accept"},             409),
    ("another token",       {"decision": "accept", "form_token": "0" * 64}, 409),
    ("no ASCII",            {"decision": "accept", "form_token": "é"}, 409),
    ("no choice",           {"form_token": ...},                422),
    ("another choice",      {"decision": "cancel", "form_token": ...}, 422),
)  # fmt: skip


@pytest.mark.parametrize(("fields", "status"), FORMS)
def test_e46_a_form_that_does_not_fit_changes_nothing(fields: dict[str, Any], status: int) -> None:
    desk, order = at("PUBLISHED")
    sent = {name: form_token_of(desk, order, "seller") if value is ... else value for name, value in fields.items()}
    before = desk.tables()
    assert press(desk, order, "seller", sent).status == status
    assert desk.tables() == before


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_e46_only_a_form_is_read(content_type: str) -> None:
    desk, order = at("PUBLISHED")
    sent = {"decision": "accept", "form_token": form_token_of(desk, order, "seller")}
    assert press(desk, order, "seller", sent, content_type).status == 409
    as_json = json.dumps(sent).encode()
    answer = desk.as_key(None).send("POST", path_of(order, "seller"), body=as_json, content_type=content_type)
    assert answer.status == 409
    assert desk.now(order)["status"] == "PUBLISHED"


def test_e46_a_page_that_only_shows_takes_no_choice() -> None:
    desk, order = at("PUBLISHED")
    sent = {"decision": "accept", "form_token": form_token_of(desk, order, "seller")}
    assert press(desk, order, "qr", sent).status == 404
    assert press(desk, order, "buyer", sent).status == 409
    assert desk.now(order)["status"] == "PUBLISHED"


def _swapped(order: dict[str, Any]) -> list[str]:
    tokens = {page: path_of(order, page)[3:] for page in ("buyer", "seller", "qr")}
    letters = {"buyer": "b", "seller": "s", "qr": "q"}
    return [f"/{letters[page]}/{token}" for page in letters for other, token in tokens.items() if other != page]


def test_e46_a_link_opens_its_own_page_and_none_is_guessed() -> None:
    desk, order = at("PUBLISHED")
    token = path_of(order, "seller")[3:]
    guesses = [token[:-1], token + "A", token[:-1] + ("A" if token[-1] != "A" else "B"), token.swapcase(), "x", "é"]
    paths = [*_swapped(order), *(f"/s/{guess}" for guess in guesses), "/s/", "/s", f"/s/{token}/x", "/b/" + "A" * 32]
    for path in paths:
        page = desk.as_key(None).send("GET", path, address=f"192.0.2.{len(path)}")
        assert page.status == 404, path
        assert "There is no such page" in page.body
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for method in ("PUT", "DELETE", "PATCH"):
        assert desk.as_key(None).send(method, path_of(order, "seller")).status == 404


def test_e46_the_links_of_an_order_share_no_secret_of_128_bits() -> None:
    _, order = at("DRAFT")
    tokens = [path_of(order, page)[3:] for page in ("buyer", "seller", "qr")]
    assert len({token[:10] for token in tokens}) == 1
    assert len({token[10:] for token in tokens}) == 3
    assert 62 ** len(tokens[0][10:]) > 2**128


def test_e46_guesses_and_visits_are_limited(desk: Desk) -> None:
    order = desk.order()
    answers = [desk.as_key(None).send("GET", "/s/" + "A" * 32).status for _ in range(61)]
    assert answers == [404] * 60 + [429]
    visits = [visit(desk, order, "buyer", address=f"192.0.2.{number}") for number in range(61)]
    assert [one.status for one in visits] == [200] * 60 + [429]
    assert "Retry-After" in visits[-1].headers


def test_e46_an_archived_instance_has_no_pages() -> None:
    desk, order = at("PUBLISHED")
    tenants = Tenants(desk.database, lambda: desk.now_s)
    tenants.change(INSTANCE, lambda found: replace(found, status=InstanceStatus.ARCHIVED))
    assert visit(desk, order, "seller").status == 404


# --- headers and logs


def policy_of(response: HttpResponse) -> dict[str, str]:
    directives = (one.partition(" ") for one in response.headers["Content-Security-Policy"].split("; "))
    return {name: value for name, _, value in directives}


def test_e46_a_page_loads_nothing_tells_nobody_and_is_not_framed() -> None:
    desk = new_desk()
    order = desk.paid(**SHOP_URLS)
    for page in (
        visit(desk, order, "buyer"),
        visit(desk, order, "seller"),
        visit(desk, order, "qr"),
        choose(desk, order, "seller", "accept"),
        choose(desk, order, "seller", "accept", "x"),
        desk.as_key(None).send("GET", "/s/x"),
    ):
        policy = policy_of(page)
        assert (policy["default-src"], policy["base-uri"], policy["frame-ancestors"]) == ("'none'", "'none'", "'none'")
        assert set(policy) == {"default-src", "img-src", "base-uri", "form-action", "frame-ancestors"}
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Cache-Control"] == "no-store"
    assert policy_of(visit(desk, order, "seller"))["form-action"] == "'self' https://shop.example:8443"
    assert policy_of(visit(desk, order, "qr"))["form-action"] == "'self'"


@pytest.mark.parametrize("url", ["https://[::1]/x", "https://ex;ample.test/x", "https://'none'/x"])
def test_e46_an_address_cannot_write_into_the_policy(url: str) -> None:
    desk = new_desk()
    order = desk.paid(seller_confirmed_url=url)
    assert policy_of(visit(desk, order, "seller"))["form-action"] == "'self'"
    answer = choose(desk, order, "seller", "accept")
    assert answer.status == 200
    assert url in unescape(answer.body), "a link leads there"


def test_e46_the_frames_that_a_merchant_lists_may_show_its_pages() -> None:
    desk = new_desk()
    EscrowDesks(desk.database).set_frames(INSTANCE, SHOP, ["https://shop.example", "http://shop.example"])
    order = desk.paid()
    page = visit(desk, order, "seller")
    assert policy_of(page)["frame-ancestors"] == "https://shop.example http://shop.example"
    assert "X-Frame-Options" not in page.headers
    production = desk.as_key(PRODUCTION_KEY)
    assert policy_of(visit(production, _paid_by(production), "seller"))["frame-ancestors"] == "https://shop.example"


@pytest.mark.parametrize("is_encoded", [False, True])
def test_e46_a_token_is_not_in_the_logs(monkeypatch: pytest.MonkeyPatch, is_encoded: bool) -> None:
    """Whatever fails, and whatever a fault quotes."""
    desk, order = at("PUBLISHED")
    token = path_of(order, "seller")[3:]
    sent = "".join(f"%{ord(one):02X}" for one in token) if is_encoded else token

    def fail(_: object, found: str) -> Order:
        raise RuntimeError(f"no order behind {found}, which is {token}")

    monkeypatch.setattr("chalicelib.services.escrow.reading.EscrowReading.order_behind", fail)
    request = HttpRequest("GET", None, {}, {}, {}, b"", f"/s/{sent}", "192.0.2.1")
    with written() as seen, invocation("api_handler", None, request):
        logger.warning("asked for", path=request.path)
        page = desk.desk.answer(request)
    assert page.status == 500
    assert "Something went wrong" in page.body
    assert [line["message"] for line in seen.log] == ["asked for", "unexpected fault"]
    for secret in (token, token[:-4], sent):
        assert secret not in seen.text


def test_e46_the_shops_own_test_of_an_order_goes_from_link_to_accepted() -> None:
    """The links of the answers, as a shop uses them."""
    desk = new_desk()
    order = outside(desk)
    payin = part(desk, order, "payin")
    assert payin["direct_link"] == order["buyer_link"]
    choose(desk, order, "buyer", "paid")
    assert part(desk, order, "payin")["direct_link"] is None
    choose(desk, order, "seller", "accept")
    assert desk.now(order)["status"] == "ACCEPTED"
