"""A market of its own for the console, and what whoever uses the page does and sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from tests.infra.stack import RunningStack

if TYPE_CHECKING:
    from playwright.sync_api import Page


DESK, LEDGER = "/orderbooks/stocks/api/offchain", "/custody/api"
UNIT = 10**8
WIDE, NARROW = {"width": 1600, "height": 1000}, {"width": 360, "height": 740}


@dataclass(frozen=True)
class Market:
    """A market of its own, in which the demo's trading customer and another have funds."""

    stack: RunningStack
    base: str
    book_id: str

    @property
    def pair(self) -> str:
        return f"{self.base}_BRL"

    def ask(self, method: str, path: str, **body: object) -> dict[str, Any]:
        headers = {"x-api-key": self.stack.demo["book_desk"]["api_key"]}
        answer = requests.request(method, self.stack.base_url + path, json=body or None, headers=headers, timeout=30)
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    def place(self, side: str, price: int, amount: str) -> str:
        """Place an order of the other customer."""
        return str(self.ask(
            "POST", f"{DESK}/orders", orderBookId=self.book_id, customerRef="cust_56789", side=side, orderType="LIMIT",
            price=str(price * UNIT), quantity=str(int(float(amount) * UNIT)), timeInForce="GTC",
        )["id"])  # fmt: skip


def sign_in(page: Page, stack: RunningStack) -> None:
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Or the file .local/demo.json").set_input_files(stack.local_dir / "demo.json")
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    page.get_by_text("Signed in with the token").wait_for()


def fill(page: Page, side: str, amount: str, price: str) -> None:
    page.get_by_label(side, exact=True).check()
    page.get_by_label(re.compile(r"^Amount \(")).fill(amount)
    page.get_by_label(re.compile(r"^Limit price")).fill(price)


def submit(page: Page, side: str) -> None:
    page.locator("#ticket").get_by_role("button", name=re.compile(f"^{side} ")).click()


def said(page: Page, words: str) -> str:
    page.locator("#ticket-said", has_text=words).wait_for()
    return page.locator("#ticket-said").inner_text()


def level(page: Page, side: str, price: str) -> str:
    """Wait until the ladder has a level. Return its row's text."""
    row = page.locator(f"#{side} tr", has=page.get_by_role("button", name=price, exact=True))
    row.wait_for()
    return row.inner_text()


def active(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"))


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).first.click()
