"""The pages behind an order's links in a real browser (E46)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import requests

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from infra.escrow_demo import MERCHANT, PAYIN_TYPE
from tests.browser.conftest import POLICY, Tab
from tests.infra.stack import RunningStack

pytestmark = pytest.mark.stack

INSTANCE = "inst_demo0001"
FRAME = """async (link) => {
    const frame = document.createElement("iframe")
    const loaded = new Promise((done) => { frame.onload = done })
    frame.src = link
    document.body.append(frame)
    await loaded
}"""


@dataclass(frozen=True)
class Shop:
    """The demo's merchant. port: of pages that are the shop's."""

    stack: RunningStack
    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/thanks"

    def ask(self, method: str, path: str, **body: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.stack.demo['escrow_desk']['secret_key']}"}
        answer = requests.request(method, f"{self.stack.base_url}/2.0{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    def order(self) -> dict[str, Any]:
        """Return an order that leads back to the shop, whatever is chosen."""
        demo = self.stack.demo["escrow_desk"]
        urls = {f"{who}_{how}_url": self.url for who in ("buyer", "seller") for how in ("confirmed", "denied")}
        parties = {name: demo[name] for name in ("buyer_id", "seller_id")}
        return self.ask("POST", "/orders", name="<b>Tent</b> & pegs", value=30, **parties, **urls)

    def paid(self) -> dict[str, Any]:
        order, wallet_id = self.order(), self.stack.demo["escrow_desk"]["buyer_wallet_id"]
        self.ask("POST", "/payins", order_id=order["id"], type="WALLET", wallet_id=wallet_id)
        return order

    def status(self, order: dict[str, Any]) -> str:
        return str(self.ask("GET", f"/orders/{order['id']}")["status"])


@pytest.fixture
def shop(stack: RunningStack, pages: int) -> Shop:
    return Shop(stack, pages)


@pytest.mark.parametrize(("button", "status"), [("Accept the order", "ACCEPTED"), ("Reject the order", "REJECTED")])
def test_the_seller_presses_a_button_and_is_back_at_the_shop(tab: Tab, shop: Shop, button: str, status: str) -> None:
    order, page = shop.paid(), tab.page
    page.goto(order["seller_link"])
    assert page.get_by_role("heading", level=1).inner_text() == "<b>Tent</b> & pegs"
    page.get_by_role("button", name=button).click()
    page.wait_for_url(shop.url)
    assert page.evaluate("document.referrer") == ""
    assert shop.status(order) == status
    page.go_back()
    page.reload()
    assert page.get_by_role("button").count() == 0
    page.get_by_role("link", name="Back to the shop").click()
    page.wait_for_url(shop.url)


def test_the_buyer_pays_in_the_sandbox(tab: Tab, shop: Shop) -> None:
    order, page = shop.order(), tab.page
    payin = shop.ask("POST", "/payins", order_id=order["id"], type=PAYIN_TYPE)
    page.goto(payin["direct_link"])
    page.get_by_role("button", name="Paid").click()
    page.wait_for_url(shop.url)
    assert shop.status(order) == "PUBLISHED"


def test_a_page_is_framed_by_listed_sites_alone(tab: Tab, shop: Shop) -> None:
    tab.asks_for(POLICY)
    order = shop.paid()
    client = boto3.client("dynamodb", endpoint_url=shop.stack.aws_endpoint_url)
    desks = EscrowDesks(Database(client, shop.stack.prefix))
    listed, other = f"http://localhost:{shop.port}", f"http://127.0.0.1:{shop.port}"
    desks.set_frames(INSTANCE, MERCHANT, [listed])
    try:
        for origin, is_shown in ((listed, True), (other, False)):
            tab.page.goto(origin)
            tab.page.evaluate(FRAME, order["seller_link"])
            headings = tab.page.frames[1].get_by_role("heading", level=1)
            assert (headings.count() == 1 and "Tent" in headings.inner_text()) is is_shown, origin
    finally:
        desks.set_frames(INSTANCE, MERCHANT, [])
