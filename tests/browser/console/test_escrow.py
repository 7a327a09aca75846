"""The console's escrow desk: an order from payment to release, refunds, rejections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

from infra.settings import ROOT
from tests.browser.conftest import UNPROCESSABLE, Tab
from tests.browser.console.acting import press
from tests.infra.stack import RunningStack

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.stack
ESCROW_PAGE = ROOT / "docs/escrow-desk.md"


def test_an_escrow_order_goes_from_payment_to_release(desks: Page) -> None:
    desks.get_by_role("link", name="Escrow").click()
    desks.get_by_label("Name", exact=True).fill("<b>Tent</b> & pegs")
    press(desks, "Agree on the order")
    timeline = desks.locator("#escrow-order")
    timeline.get_by_role("heading", name="<b>Tent</b> & pegs · 30.00 €").wait_for()
    for button, follows in (
        ("Pay from the buyer's wallet", "Held now: 30.00 €. Next: It is paid; the seller accepts or rejects."),
        ("Accept", "Held now: 30.00 €. Next: The seller delivers"),
        ("Validate", "Held now: nothing. The seller has the money."),
    ):
        timeline.get_by_role("button", name=button, exact=True).click()
        timeline.get_by_text(follows).wait_for()
    assert timeline.locator(".timeline .done").count() == 5


def test_an_escrow_order_is_refunded_and_a_refusal_shows_its_reason(desks: Page, tab: Tab) -> None:
    tab.asks_for(UNPROCESSABLE)
    desks.get_by_role("link", name="Escrow").click()
    desks.get_by_label("Value", exact=True).fill("much")
    press(desks, "Agree on the order")
    desks.locator("#escrow-said", has_text="Refused: The value").wait_for()
    desks.get_by_label("Value", exact=True).fill("12.5")
    press(desks, "Agree on the order")
    timeline = desks.locator("#escrow-order")
    timeline.get_by_role("heading", name="12.50 €").wait_for()
    timeline.get_by_role("button", name="Pay from the buyer's wallet").click()
    timeline.get_by_role("button", name="Refund").click()
    timeline.get_by_text("Cancelled").first.wait_for()
    timeline.get_by_text("Held now: nothing.").wait_for()


def test_a_rejected_order_says_who_buys_from_whom_and_shows_no_step_that_will_not_come(desks: Page) -> None:
    desks.get_by_role("link", name="Escrow").click()
    desks.get_by_label("Value", exact=True).fill("11")
    press(desks, "Agree on the order")
    timeline = desks.locator("#escrow-order")
    timeline.get_by_role("heading", name="11.00 €").wait_for()
    timeline.get_by_text("buyer@example.test buys from seller@example.test.").wait_for()
    timeline.get_by_text("Accepted by the seller").wait_for()
    timeline.get_by_role("button", name="Pay from the buyer's wallet").click()
    timeline.get_by_role("button", name="Reject").click()
    timeline.get_by_text("Rejected by the seller").wait_for()
    assert timeline.get_by_text("Accepted by the seller").count() == 0
    assert timeline.get_by_text("Validated").count() == 0


def test_a_list_that_a_later_one_has_overtaken_is_not_shown(desks: Page) -> None:
    held = list["Route"]()
    desks.get_by_role("link", name="Escrow").click()
    desks.locator("#escrow-age", has_text="As of").wait_for()
    desks.route(re.compile(r"/2\.0/orders\?"), lambda route: route.continue_() if held else held.append(route))
    desks.get_by_label("Value", exact=True).fill("13")
    press(desks, "Agree on the order")
    desks.locator("#escrow-order").get_by_role("heading", name="13.00 €").wait_for()
    with desks.expect_response(lambda answer: answer.request == held[0].request):
        held[0].fulfill(json={"data": [], "meta": {}})
    desks.evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 100)))")
    assert desks.locator("#escrow-order").get_by_role("heading", name="13.00 €").count() == 1


def test_an_order_in_every_status_gets_the_buttons_of_its_status(desks: Page, venue: RunningStack) -> None:
    rules = {
        words: tuple(name.strip(" `").split(" ")[0] for name in commands.split(","))
        for statuses, commands in re.findall(r"^\| ([A-Z_, ]+) \| [^|]+ \| ([^|]+) \|$", ESCROW_PAGE.read_text(), re.M)
        for words in statuses.split(", ")
    }
    assert len(rules) == 10, "all but the two final ones"
    key = venue.demo["escrow_desk"]["secret_key"]
    body = {"name": "Any", "value": "3", "buyer_id": venue.demo["escrow_desk"]["buyer_id"],
            "seller_id": venue.demo["escrow_desk"]["seller_id"]}  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"}
    order = requests.post(f"{venue.base_url}/2.0/orders", json=body, headers=headers, timeout=30).json()["data"]
    paths = {"Accept": "accept", "Reject": "reject", "Validate": "validate", "Refund": "reimburse", "Cancel": "cancel"}
    shown = {"status": ""}
    desks.route(
        re.compile(r"/2\.0/orders\?"),
        lambda route: route.fulfill(json={"data": [order | shown], "meta": {}}),
    )
    desks.get_by_role("link", name="Escrow").click()
    for status, commands in rules.items():
        shown["status"] = status
        desks.locator(f"#escrow-order[data-status={status}]").wait_for()
        found = {paths[words] for words in desks.locator("#escrow-order button").all_inner_texts() if words in paths}
        assert found <= set(commands), status
        assert found or not {"cancel", "reimburse", "accept", "validate"} & set(commands), status
