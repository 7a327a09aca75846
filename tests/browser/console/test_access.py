"""The console by keyboard, at both widths, in both schemes, and by axe's rules of accessibility."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.console.acting import NARROW, WIDE, Market, active, fill, level, said, submit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.stack


def test_an_open_orders_buttons_are_seen_on_a_narrow_screen(page: Page) -> None:
    fill(page, "Sell", "0.5", "1200")
    submit(page, "Sell")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    cancel = page.get_by_role("button", name=re.compile("^Cancel the sell order"))
    box = cancel.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= NARROW["width"]
    cancel.click()
    page.locator("#orders-said", has_text="Cancelled").wait_for()


def test_focus_and_a_press_under_way_stay_while_the_ladder_changes(page: Page, market: Market) -> None:
    market.place("SELL", 990, "0.25")
    level(page, "asks", "990")
    price = page.get_by_role("button", name="990", exact=True)
    price.focus()
    price.hover()
    page.mouse.down()
    for better in (989, 988):
        market.place("SELL", better, "0.25")
        level(page, "asks", str(better))
    assert active(page) == "990"
    page.mouse.up()
    assert page.get_by_label(re.compile(r"^Limit price")).input_value() == "990"


def test_skipping_moves_the_focus_and_keeps_the_view(desks: Page) -> None:
    desks.get_by_role("link", name="Escrow").click()
    desks.get_by_role("link", name="Skip to the content").press("Enter")
    assert desks.evaluate("document.activeElement.id") == "main"
    assert desks.locator("#escrow").is_visible()
    desks.get_by_role("link", name="Skip to the order ticket").press("Enter")
    assert desks.evaluate("document.activeElement.id") == "ticket"
    assert desks.locator("#market").is_visible()


def test_an_order_is_placed_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    for _ in range(60):
        if page.evaluate("document.activeElement.name") == "amount":
            break
        page.keyboard.press("Tab")
    page.keyboard.type("0.5")
    page.keyboard.press("Tab")
    page.keyboard.type("700")
    page.keyboard.press("Enter")
    said(page, "Buy order taken.")


def assert_accessible(page: Page, width: int) -> None:
    """Axe finds nothing, and nothing is wider than the page."""
    found = Axe().run(page).response["violations"]
    assert found == [], json.dumps(found, indent=1)[:4000]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(
    page: Page, market: Market, size: Any, scheme: Any, tmp_path: Path
) -> None:
    market.place("BUY", 900, "1")
    market.place("SELL", 950, "2")
    level(page, "asks", "950")
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    assert_accessible(page, size["width"])
    page.screenshot(path=tmp_path / f"console-{size['width']}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("view", ["signed", "escrow"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_nothing_at_the_other_desks(desks: Page, view: str, size: Any) -> None:
    desks.set_viewport_size(size)
    desks.locator(f'nav a[href="#{view}"]').click()
    desks.locator(f"#{view}-age", has_text="As of").wait_for()
    assert_accessible(desks, size["width"])
