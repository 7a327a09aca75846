"""A shop's plugin over real HTTP, as it is sold: from the check-out to an accepted order, without a change to it.

It sends every body as a multipart form, a prefix with an empty phone for a buyer who gave none, opens a payin of type
REDSYS_V2, sends the buyer to its ``direct_link``, and expects ACCEPTED of ``/accept``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import boto3
import pytest
import requests

from chalicelib.domain.webhooks.signing import signed_headers
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.support.canonical import compact
from chalicelib.support.clock import new_id, now_ms
from chalicelib.tables.dynamodb import Database
from infra.escrow_demo import PAYIN_TYPE
from tests.infra.stack import RunningStack

pytestmark = pytest.mark.stack

TIMEOUT_S = 30
SHOP_URL = "http://shop.example.test/thank-you?order=771"


@dataclass(frozen=True)
class Plugin:
    stack: RunningStack

    def ask(self, method: str, path: str, **fields: object) -> Any:
        """Send a form, even without fields; return what it succeeds with."""
        parts: Any = {name: (None, str(value)) for name, value in fields.items()}
        headers = {"Authorization": f"Bearer {self.stack.demo['escrow_desk']['secret_key']}"}
        url = f"{self.stack.base_url}/2.0{path}"
        answer = requests.request(method, url, files=parts or None, headers=headers, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def check_out(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return an order with its open payin."""
        assert self.ask("GET", "/accounts/me")["allow_shipping"] is False
        people = [
            self.ask("POST", "/customers", email=f"{new_id('who')}@x.test", name=name, prefix="+34", phone="")
            for name in ("Ann Ómez", "The Shop")
        ]
        order = self.ask(
            "POST",
            "/orders",
            **{"name": "Order 771", "value": "23.77", "tag": "web-771", "metadata[cart]": "771"},
            buyer_id=people[0]["id"],
            seller_id=people[1]["id"],
            buyer_confirmed_url=SHOP_URL,
            buyer_denied_url=SHOP_URL,
        )
        assert (order["status"], order["metadata"]) == ("DRAFT", {"cart": "771"})
        payin = self.ask("POST", "/payins", order_id=order["id"], type=PAYIN_TYPE, save_card=0)
        assert (payin["status"], payin["direct_link"]) == ("CREATED", order["buyer_link"])
        return order, payin

    def accepted(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.ask("GET", f"/orders/{order['id']}")["status"] == "PUBLISHED"
        accepted: dict[str, Any] = self.ask("POST", f"/orders/{order['id']}/accept")
        assert accepted["status"] == "ACCEPTED"
        return accepted


@pytest.fixture
def plugin(stack: RunningStack) -> Iterator[Plugin]:
    yield Plugin(stack)
    client = boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url)
    Verifier(Database(client, stack.prefix)).verify(None)


def test_a_shop_goes_from_check_out_to_accepted_by_the_buyers_page(plugin: Plugin) -> None:
    order, payin = plugin.check_out()
    link = payin["direct_link"]
    assert link.startswith(f"{plugin.stack.base_url}/b/")
    page = requests.get(link, timeout=TIMEOUT_S)
    assert (page.status_code, page.headers["Referrer-Policy"]) == (200, "no-referrer")
    assert "23.77 €" in unescape(page.text)
    (form_token,) = re.findall(r'name="form_token" value="([0-9a-f]+)"', page.text)
    form = {"form_token": form_token, "decision": "paid"}
    sent = requests.post(link, data=form, allow_redirects=False, timeout=TIMEOUT_S)
    assert (sent.status_code, sent.headers["Location"]) == (303, SHOP_URL)
    assert requests.post(link, data=form, allow_redirects=False, timeout=TIMEOUT_S).status_code == 409
    plugin.accepted(order)
    assert link.rpartition("/")[2] not in plugin.stack.output


def test_a_shop_goes_from_check_out_to_accepted_by_the_providers_callback(plugin: Plugin) -> None:
    order, payin = plugin.check_out()
    body = {"payin_id": payin["id"], "status": "CONFIRMED", "amount": "23.77", "currency": "EUR", "reference": "auth-1"}
    demo, content = plugin.stack.demo["escrow_desk"], compact(body).encode()
    url = plugin.stack.base_url + demo["callback_path"]
    forged = signed_headers(["whsec_" + "A" * 44], "msg_1", content, now_ms())
    signed = signed_headers([demo["callback_secret"]], "msg_1", content, now_ms())
    for headers, status in ((forged, 401), (signed, 200), (signed, 200)):
        answer = requests.post(url, content, headers=headers | {"Content-Type": "application/json"}, timeout=TIMEOUT_S)
        assert answer.status_code == status, answer.text
    plugin.accepted(order)
