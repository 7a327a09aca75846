"""Fixtures: a running service, a market in it, and the console showing that market or the other desks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Tab
from tests.browser.console.acting import DESK, LEDGER, UNIT, WIDE, Market, sign_in
from tests.infra.stack import RunningStack

if TYPE_CHECKING:
    from playwright.sync_api import Page

_markets = count(1)


@pytest.fixture(scope="package")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A run of its own: its books are nobody else's."""
    with RunningStack(tmp_path_factory.mktemp("console") / "local") as stack:
        yield stack


@pytest.fixture
def market(venue: RunningStack) -> Market:
    number = next(_markets)
    base = f"CON{number}"
    found = Market(venue, base, "")
    token, real = f"0x{'c0' * 18}{number:04x}", "0x" + "b71" * 13 + "2"
    found.ask("POST", f"{LEDGER}/tokens", tokenAddress=token, name=f"Console {number}", symbol=base, decimals=8)
    made = found.ask(
        "POST", f"{DESK}/order-books", tokenAddress=token, quoteTokenAddress=real, name=base, symbol=f"{base}/BRL"
    )
    for customer in ("cust_12345", "cust_56789"):
        found.ask("POST", f"{LEDGER}/balances/credit", tokenAddress=token, customerRef=customer, amount=str(100 * UNIT))
    return Market(venue, base, str(made["orderBookId"] if "orderBookId" in made else made["id"]))


@pytest.fixture
def page(tab: Tab, market: Market) -> Page:
    """The console, signed in with the demo's file, showing the market."""
    tab.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    tab.page.goto(f"{market.stack.base_url}/console")
    sign_in(tab.page, market.stack)
    tab.page.locator("#pair").select_option(market.pair)
    tab.page.locator("#liveness[data-state=live]").wait_for()
    return tab.page


@pytest.fixture
def desks(tab: Tab, venue: RunningStack) -> Page:
    """The console, signed in with the demo's file; what the tests of the other desks use."""
    tab.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    tab.page.goto(f"{venue.base_url}/console")
    sign_in(tab.page, venue)
    return tab.page
