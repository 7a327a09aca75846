"""The reference at ``/docs`` in a real browser (T132): it loads nothing from elsewhere, and what is signed is tried."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from playwright.sync_api import Page

from tests.browser.conftest import POLICY, UNAUTHORIZED, Tab
from tests.infra.stack import RunningStack

pytestmark = pytest.mark.stack

SHOWN_MS_MAX = 60_000
"""The viewer reads the whole description before it shows it."""


@dataclass(frozen=True)
class Reference:
    """The page, opened. sent: heads and bodies of what it has sent."""

    page: Page
    sent: list[str]

    @classmethod
    def open(cls, tab: Tab, stack: RunningStack, desk: str = "", prefix: str = "") -> Reference:
        """Open the page, of one desk with its operations, or of all with their tags."""
        sent: list[str] = []
        tab.page.on("request", lambda one: sent.append(f"{one.url} {one.headers} {one.post_data or ''}"))
        tab.page.goto(f"{stack.base_url}{prefix}/docs" + (f"?desk={desk}" if desk else ""))
        tab.page.locator(".opblock-tag").first.wait_for(timeout=SHOWN_MS_MAX)
        return cls(tab.page, sent)

    def authorize(self, **values: str) -> None:
        """Type credentials. values: by the names of headers, with ``_`` for ``-``; ``bearer``: of the first token."""
        self.page.get_by_role("button", name="Authorize", exact=True).first.click()
        for name, value in values.items():
            said = "(http, Bearer)" if name == "bearer" else f"Name: {name.replace('_', '-')}"
            boxes = self.page.locator(".auth-container")
            box = boxes.filter(has_text=re.compile(f"{re.escape(said)}(?!-)", re.IGNORECASE)).first
            box.locator("input").first.fill(value)
            box.get_by_role("button", name="Apply credentials").click()
        self.page.get_by_role("button", name="Close").first.click()

    def keeps(self, secret: str) -> bool:
        """Whether a secret has stayed in the tab: nothing has it that was sent, nor anything that outlives the tab."""
        kept = self.page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        return bool(self.sent) and kept == '[{},{},""]' and not any(secret in one for one in self.sent)

    def execute(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Try an operation; return the status and the answer."""
        operation = self.page.locator(f".opblock-{method.lower()}").filter(
            has=self.page.locator(f'[data-path="{path}"]')
        )
        operation.locator(".opblock-summary-control").click()
        if body is not None:
            operation.locator("textarea").fill(json.dumps(body))
        with self.page.expect_response(lambda answer: path in answer.url) as waited:
            operation.get_by_role("button", name="Execute").click()
        operation.locator(".live-responses-table .response-col_status").first.wait_for()
        return waited.value.status, waited.value.json()


def test_the_page_shows_all_desks_offline_and_in_its_own_policy(tab: Tab, stack: RunningStack) -> None:
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    Reference.open(tab, stack)
    tags = tab.page.locator(".opblock-tag").all_inner_texts()
    for desk in ("Book", "Trade", "Taker", "Escrow"):
        assert any(tag.startswith(f"{desk} desk") for tag in tags), tags
    assert [url for url in asked if not url.startswith((stack.base_url, "data:"))] == []


def test_the_browser_refuses_a_script_in_the_page_and_says_so(tab: Tab, stack: RunningStack) -> None:
    """So an empty console means that the viewer needs none."""
    tab.asks_for(POLICY)
    Reference.open(tab, stack, "book")
    tab.page.evaluate(
        """() => {
            const script = document.createElement("script")
            script.textContent = "window.ran = true"
            document.body.append(script)
        }"""
    )
    assert tab.page.evaluate("window.ran") is None
    assert any(POLICY in error for error in tab.errors)


def test_a_request_of_the_book_desk_is_tried(tab: Tab, stack: RunningStack) -> None:
    reference = Reference.open(tab, stack, "book")
    reference.authorize(x_api_key=stack.demo["book_desk"]["api_key"])
    status, answer = reference.execute("get", "/orderbooks/stocks/api/offchain/order-books")
    assert (status, answer["success"]) == (200, True)


def test_a_request_of_the_escrow_desk_is_tried(tab: Tab, stack: RunningStack) -> None:
    reference = Reference.open(tab, stack, "escrow")
    reference.authorize(bearer=stack.demo["escrow_desk"]["secret_key"])
    assert reference.execute("get", "/2.0/accounts/me")[0] == 200


def test_signed_requests_of_the_trade_desk_are_tried(tab: Tab, stack: RunningStack) -> None:
    desk, reference = stack.demo["trade_desk"], Reference.open(tab, stack, "trade")
    assert tab.page.locator("#makers").is_hidden()
    reference.authorize(Authorization=desk["token"], Signature=desk["secret"])
    assert reference.execute("get", "/trade/user/balances")[0] == 200
    order = {"pair": "EXS_EUR", "side": "buy", "type": "limit", "amount": 0.5, "price": 1.5}
    status, placed = reference.execute("post", "/trade/orders", order)
    assert (status, placed["data"]["pair"]) == (200, "EXS_EUR")
    assert reference.keeps(desk["secret"])
    assert not reference.keeps(desk["token"]), "which is sent as it is"


def test_a_signed_request_of_a_taker_is_tried_behind_a_stage(tab: Tab, stack: RunningStack) -> None:
    """A deployment's addresses have a prefix, which is not signed."""
    tab.page.route("**/stage/**", lambda route: route.continue_(url=route.request.url.replace("/stage/", "/")))
    desk, reference = stack.demo["taker_desk"], Reference.open(tab, stack, "taker", prefix="/stage")
    reference.authorize(X_API_Key=desk["api_key"], X_API_Signature=desk["api_secret"])
    assert reference.execute("get", "/api/v1/takers/orders")[0] == 200
    assert reference.keeps(desk["api_secret"])


def test_a_wrong_secret_is_refused(tab: Tab, stack: RunningStack) -> None:
    tab.asks_for(UNAUTHORIZED)
    desk, reference = stack.demo["taker_desk"], Reference.open(tab, stack, "taker")
    reference.authorize(X_API_Key=desk["api_key"], X_API_Signature="another secret")
    assert reference.execute("get", "/api/v1/takers/orders")[0] == 401


def test_a_wallet_connects_and_signs_an_order(tab: Tab, stack: RunningStack) -> None:
    desk, reference = stack.demo["taker_desk"], Reference.open(tab, stack, "taker")
    key = desk["maker_private_key"]
    status, connected = reference.execute("post", "/api/v1/makers/connect", {"signature": key})
    assert status == 200, connected
    reference.authorize(bearer=connected["data"]["jwt"])
    order = {
        "principal": Account.from_key(key).address, "is_buy": True, "ticker": desk["whole_shares_ticker"],
        "exchange": desk["exchange"], "asset": desk["asset"], "price": "150250000000000000000", "quantity": "1",
        "incentive": "0", "deadline": int(time.time()) + 3600, "nonce": int(time.time()),
    }  # fmt: skip
    status, created = reference.execute("post", "/api/v1/orders", {"order": order, "signature": key})
    assert (status, created["data"]["status"]) == (200, "pending"), created
    assert reference.keeps(key)
