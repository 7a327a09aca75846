"""The console's market: the ticket, refusals, the ladder, open orders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import REFUSED, Tab
from tests.browser.console.acting import Market, fill, level, said, submit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.stack


def test_an_order_rests_in_the_ladder_is_crossed_and_balances_change(page: Page, market: Market) -> None:
    fill(page, "Buy", "0.5", "1000")
    assert "Holds 500 BRL" in page.locator("#ticket-holds").inner_text()
    submit(page, "Buy")
    assert "It is open." in said(page, "Buy order taken.")
    assert level(page, "bids", "1 000").split() == ["1", "000", "0.5", "0.5"]
    page.locator("#orders tr", has_text="limit").wait_for()
    market.place("SELL", 1000, "0.5")
    page.locator("#orders", has_text="None.").wait_for()
    page.locator("#bids tr").wait_for(state="detached")
    page.locator("#tape tr", has_text="1 000").wait_for()
    held = page.locator("#balances tr", has=page.get_by_role("rowheader", name=market.base))
    held.get_by_text("100.5", exact=True).wait_for()


def test_an_order_that_crosses_at_once_is_said_to_be_filled_with_the_balances_before_and_after(
    page: Page, market: Market
) -> None:
    market.place("SELL", 990, "0.25")
    level(page, "asks", "990")
    page.get_by_role("button", name="990", exact=True).click()
    assert page.get_by_label(re.compile(r"^Limit price")).input_value() == "990"
    fill(page, "Buy", "0.25", "990")
    submit(page, "Buy")
    words = said(page, "now.")
    assert "FILLED. Executed 0.25" in words
    assert f"{market.base} available: 100 before, 100.25 now." in words


@pytest.mark.parametrize(
    ("amount", "price", "reason"),
    [
        ("1000000", "1000000", "Refused: Insufficient funds. Lower the amount"),
        ("0.5", "0.123456789", "Refused: Invalid parameters: price."),
        ("", "5", "Amount: type a number."),
        ("0.5", "0", "Limit price: it must be above 0."),
        ("1e6", "1e6", "Refused: Insufficient funds. Lower the amount"),
    ],
)
def test_a_refusal_shows_its_reason(page: Page, tab: Tab, amount: str, price: str, reason: str) -> None:
    tab.asks_for(REFUSED)
    fill(page, "Buy", amount, price)
    submit(page, "Buy")
    assert said(page, reason.split(".")[0]).startswith(reason)
    page.locator("#orders", has_text="None.").wait_for()


@pytest.mark.parametrize(
    ("flags", "amount", "reason"),
    [
        (["post_only"], "0.5", "Post only: it would have traded at once, so it was not placed."),
        (["fill_or_kill"], "5", "Fill or kill: not all of it could trade at once, so nothing did."),
        (["immediate_or_cancel"], "5", "Immediate or cancel: what could not trade at once has ended. Executed 1 "),
        (["post_only", "fill_or_kill"], "0.5", "choose one at most."),
    ],
)
def test_an_order_that_ends_at_once_says_why(
    page: Page, market: Market, flags: list[str], amount: str, reason: str
) -> None:
    market.place("SELL", 1000, "1")
    level(page, "asks", "1 000")
    fill(page, "Buy", amount, "1000")
    for flag in flags:
        page.locator(f"#ticket input[name={flag}]").check()
    submit(page, "Buy")
    said(page, reason)


def test_the_depth_chart_leaves_out_what_is_far_from_the_rest(page: Page, market: Market) -> None:
    for price in (1000, 1001, 1002, 1003, 1004, 1009, 9000):
        market.place("SELL", price, "1")
    level(page, "asks", "9 000")
    page.locator("#depth-said", has_text="6 CON").wait_for()


@pytest.mark.parametrize(
    ("type_", "members"),
    [
        ("stop_limit", {"amount": "0.1", "price": "1100", "stop_price": "1050"}),
        ("trailing", {"amount": "0.1", "price": "1100", "distance": "10"}),
        ("iceberg", {"amount": "1", "price": "900", "step_amount": "0.2"}),
    ],
)
def test_every_resting_type_is_placed_by_its_members(page: Page, type_: str, members: dict[str, str]) -> None:
    page.locator("select[name=type]").select_option(type_)
    shown = page.locator("#ticket label[data-member]:visible input[inputmode=decimal]")
    assert {one.get_attribute("name") for one in shown.all()} == set(members)
    for name, value in members.items():
        page.locator(f"#ticket input[name={name}]").fill(value)
    submit(page, "Buy")
    assert "It is open." in said(page, "Buy order taken.")
    page.locator("#orders tr", has_text=type_.replace("_", " ")).wait_for()
    page.get_by_role("button", name="Cancel all in this market").click()
    page.locator("#orders-said", has_text="1 cancelled.").wait_for()


def test_an_order_is_cancelled_from_the_list(page: Page) -> None:
    fill(page, "Sell", "0.5", "1200")
    submit(page, "Sell")
    level(page, "asks", "1 200")
    page.get_by_role("button", name=re.compile("^Cancel the sell order")).click()
    page.locator("#orders-said", has_text="Cancelled").wait_for()
    page.locator("#asks tr").wait_for(state="detached")


def test_an_order_is_amended_from_the_list_and_a_refusal_leaves_it(page: Page, tab: Tab, market: Market) -> None:
    tab.asks_for(REFUSED)
    fill(page, "Buy", "0.5", "1000")
    submit(page, "Buy")
    level(page, "bids", "1 000")
    market.place("SELL", 1100, "1")
    level(page, "asks", "1 100")
    page.get_by_role("button", name=re.compile("^Amend the buy order")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Price").fill("1200")
    dialog.get_by_role("button", name="Amend").click()
    page.locator("#amend-said", has_text="Refused: Invalid parameters: unit_price.").wait_for()
    dialog.get_by_label("Price").fill("1000")
    dialog.get_by_label("Amount in all").fill("0.25")
    dialog.get_by_role("button", name="Amend").click()
    page.locator("#orders-said", has_text="Amended.").wait_for()
    page.locator("#bids tr", has_text="0.25").wait_for()
    page.locator("#orders tr", has_text="0.25").wait_for()


def test_a_trailing_sell_without_a_price_is_shown_and_its_amount_amended(page: Page) -> None:
    page.get_by_label("Sell", exact=True).check()
    page.locator("select[name=type]").select_option("trailing")
    page.locator("#ticket input[name=amount]").fill("0.5")
    page.locator("#ticket input[name=distance]").fill("10")
    submit(page, "Sell")
    row = page.locator("#orders tr", has_text="trailing")
    assert "best" in row.inner_text()
    row.get_by_role("button", name="Amend").click()
    dialog = page.get_by_role("dialog")
    assert not dialog.get_by_label("Price").is_visible()
    dialog.get_by_label("Amount in all").fill("0.25")
    dialog.get_by_role("button", name="Amend").click()
    page.locator("#orders-said", has_text="Amended.").wait_for()
    row.get_by_text("0.25", exact=True).wait_for()


def test_midnight_is_the_hour_0_of_a_new_day(page: Page) -> None:
    shown = "import(new URL('console/page.js', location)).then((all) => [all.timeOf(moment), all.dateOf(moment)])"
    time_of_day, date = page.evaluate(f"() => {{ const moment = '2026-01-02T00:00:05'; return {shown} }}")
    assert time_of_day == "00:00:05"
    assert date.endswith("00:00:05")
