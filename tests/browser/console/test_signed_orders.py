"""The console's desk of signed orders: locks, fills, cancels that a maker asks for."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
import requests

from tallybook_client import MakerDesk
from tallybook_client.taker import Domain, Wallet
from tallybook_client.taker.models import Order
from tests.browser.console.acting import active
from tests.infra.stack import RunningStack

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.stack


def offered(venue: RunningStack, price: int, quantity: int) -> tuple[MakerDesk, Order]:
    """Have the demo's maker offer to buy; return its desk and the order."""
    keys = venue.demo["taker_desk"]
    domain = Domain(chain_id=keys["chain_id"], verifying_contract=keys["verifying_contract"])
    maker = MakerDesk(venue.base_url, Wallet(keys["maker_private_key"], domain))
    signed = maker.sign(
        is_buy=True, ticker=keys["whole_shares_ticker"], asset=keys["asset"], exchange=keys["exchange"],
        price=price * 10**18, quantity=quantity, deadline=int(time.time()) + 86_400,
    )  # fmt: skip
    return maker, maker.create(signed)


def test_a_signed_order_is_locked_filled_in_part_and_given_back(desks: Page, venue: RunningStack) -> None:
    maker, offer = offered(venue, 150, 100)
    desks.get_by_role("link", name="Signed orders").click()
    desks.locator("#available").get_by_role("button", name="Lock").click()
    taken = desks.locator("#taken")
    taken.get_by_text(re.compile(r"^locked until \d")).wait_for()
    taken.get_by_role("button", name="Fill").click()
    desks.get_by_label("Quantity", exact=True).fill("40")
    desks.get_by_role("dialog").get_by_role("button", name="Fill").click()
    desks.locator("#signed-said", has_text="Filled for 6 000; the order is partially filled.").wait_for()
    taken.get_by_role("button", name="Give back").click()
    desks.locator("#available").get_by_role("button", name="Lock").wait_for()
    assert maker.order(offer.id).filled_quantity == 40
    key = venue.demo["taker_desk"]["api_key"]
    elsewhere = {"url": f"{venue.base_url}/api/v1/orders/lock", "headers": {"X-API-Key": key}}
    assert requests.post(**elsewhere, json={"order_hash": offer.order_hash}, timeout=30).status_code == 200
    taken.get_by_text(re.compile(r"^partially filled until \d")).wait_for()


@pytest.mark.parametrize(("answer", "follows"), [("Keep it", "Kept: "), ("Grant the cancel", "Cancelled: ")])
def test_a_taker_keeps_or_grants_what_a_maker_asks_to_cancel_and_focus_stays(
    desks: Page, venue: RunningStack, answer: str, follows: str
) -> None:
    maker, offer = offered(venue, 151, 70)
    desks.get_by_role("link", name="Signed orders").click()
    desks.locator("#available tr", has_text="70").get_by_role("button", name="Lock").click()
    taken = desks.locator("#taken tr", has=desks.get_by_role("cell", name="70", exact=True))
    fill_it = taken.get_by_role("button", name="Fill")
    fill_it.focus()
    maker.cancel(offer.id)
    taken.get_by_text("its maker asks to cancel").wait_for()
    assert active(desks).startswith("Fill: ")
    taken.get_by_role("button", name=answer).click()
    desks.locator("#signed-said", has_text=follows).wait_for()
    taken.get_by_text("its maker asks to cancel").wait_for(state="detached")
    if answer == "Keep it":
        assert taken.get_by_text(re.compile("^locked until")).is_visible()
        taken.get_by_role("button", name="Reject").click()
    taken.wait_for(state="detached")
