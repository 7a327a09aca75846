"""The console in a real browser: a market live, the ticket, refusals, open orders; by keyboard, at both widths."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe

from infra.settings import ROOT
from tallybook_client import MakerDesk
from tallybook_client.taker import Domain, Wallet
from tests.browser.conftest import FORBIDDEN, NO_ANSWER, OFFLINE, REFUSED, UNAUTHORIZED, UNPROCESSABLE, Tab
from tests.infra.stack import RunningStack
from tests.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route, WebSocketRoute

pytestmark = pytest.mark.stack

DESK, LEDGER = "/orderbooks/stocks/api/offchain", "/custody/api"
UNIT = 10**8
ESCROW_PAGE = ROOT / "docs/escrow-desk.md"
WIDE, NARROW = {"width": 1600, "height": 1000}, {"width": 360, "height": 740}
_markets = count(1)


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


@pytest.fixture(scope="module")
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


def active(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"))


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


def test_midnight_is_the_hour_0_of_a_new_day(page: Page) -> None:
    shown = "import(new URL('console/page.js', location)).then((all) => [all.timeOf(moment), all.dateOf(moment)])"
    time_of_day, date = page.evaluate(f"() => {{ const moment = '2026-01-02T00:00:05'; return {shown} }}")
    assert time_of_day == "00:00:05"
    assert date.endswith("00:00:05")


def test_a_name_in_the_address_that_is_no_desk_shows_the_market(page: Page) -> None:
    page.evaluate("location.hash = '#constructor'")
    page.get_by_role("link", name="Escrow").click()
    page.evaluate("location.hash = '#constructor'")
    page.locator("#market").wait_for()


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"api_key": "nobody's"}, "API key is invalid"),
        ({"api_key": "nøbødy"}, "A credential has characters that no request can carry"),
    ],
)
def test_a_refused_sign_in_signs_in_nowhere(tab: Tab, venue: RunningStack, typed: dict[str, str], reason: str) -> None:
    tab.asks_for(UNAUTHORIZED)
    tab.page.goto(f"{venue.base_url}/console")
    tab.page.locator("#liveness[data-state=live]").wait_for()
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    for name, value in {**venue.demo["trade_desk"], **typed}.items():
        if name in ("token", "secret", "api_key"):
            tab.page.locator(f"#sign-in-form input[name={name}]").fill(value)
    tab.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    tab.page.locator("#sign-in-said", has_text=reason).wait_for()
    tab.page.get_by_role("button", name="Close").click()
    tab.page.locator("#ticket select[name=type]").select_option("market")
    assert tab.page.locator("#ticket-holds").inner_text() == "Sign in to place orders."


def test_whoever_signs_in_at_one_desk_stays_at_the_others_and_is_named(page: Page, market: Market) -> None:
    page.get_by_role("button", name="Sign in as another").click()
    page.locator("#sign-in-form input[name=api_key]").fill(market.stack.demo["taker_desk"]["other_api_key"])
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    page.locator("#sign-in-dialog").wait_for(state="hidden")
    assert re.search("token .*taker's key, a merchant's key", page.locator("#who").inner_text())


def test_a_read_that_fails_while_the_service_starts_is_repeated(tab: Tab, market: Market) -> None:
    tab.asks_for(NO_ANSWER)
    market.place("SELL", 1000, "0.5")
    market.place("BUY", 1000, "0.5")
    failed = []

    def fails_once(route: Route) -> None:
        failed.append(route.request.url)
        if failed.count(route.request.url) == 1:
            route.abort()
        else:
            route.continue_()

    page = tab.page
    page.route(re.compile(f"/public/trades.*{market.pair}"), fails_once)
    page.goto(f"{market.stack.base_url}/console")
    page.locator(f"#pair option[value={market.pair}]").wait_for(state="attached")
    page.locator("#pair").select_option(market.pair)
    page.locator("#notice", has_text="The service does not answer.").wait_for()
    assert "carried out" not in page.locator("#notice").inner_text()
    page.locator("#tape tr", has_text="1 000").wait_for()
    page.locator("#notice").wait_for(state="hidden")


def test_without_a_websocket_the_page_asks_says_so_steadily_and_tells_own_changes(tab: Tab, market: Market) -> None:
    page = tab.page
    page.route_web_socket(re.compile(".*"), lambda socket: socket.close())
    page.goto(f"{market.stack.base_url}/console")
    sign_in(page, market.stack)
    page.locator("#pair").select_option(market.pair)
    page.locator("#liveness[data-state=asking]", has_text="Data of").wait_for()
    page.evaluate(
        "window.states = []; new MutationObserver(() => states.push(document.getElementById('liveness').dataset.state))"
        ".observe(document.getElementById('liveness'), { attributes: true })"
    )
    page.locator("#liveness", has_text="connects again in").wait_for()
    fill(page, "Buy", "0.5", "1000")
    submit(page, "Buy")
    level(page, "bids", "1 000")
    market.place("SELL", 1000, "0.5")
    page.locator("#orders", has_text="None.").wait_for()
    page.locator("#bids tr").wait_for(state="detached")
    assert set(page.evaluate("states")) == {"asking"}


def test_the_page_says_that_its_connection_is_cut_and_comes_back_with_what_it_missed(tab: Tab, market: Market) -> None:
    tab.asks_for(OFFLINE)
    page, sockets, reached = tab.page, list["WebSocketRoute"](), [True]

    def through(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if reached[-1]:
            socket.connect_to_server()
        else:
            socket.close()

    page.route_web_socket(re.compile(".*"), through)
    page.goto(f"{market.stack.base_url}/console")
    page.locator(f"#pair option[value={market.pair}]").wait_for(state="attached")
    page.locator("#pair").select_option(market.pair)
    page.locator("#spread", has_text="Empty book").wait_for()
    reached.append(False)
    page.context.set_offline(True)
    sockets[-1].close()
    page.locator(
        "#liveness[data-state=connecting]", has_text=re.compile(r"again in \d+ s\. Data of \d+ s ago")
    ).wait_for()
    market.place("BUY", 800, "0.125")
    page.context.set_offline(False)
    reached.append(True)
    page.locator("#liveness[data-state=live]").wait_for()
    assert level(page, "bids", "800").split() == ["800", "0.125", "0.125"]


def test_behind_a_stage_every_address_has_its_prefix(tab: Tab, market: Market) -> None:
    page, asked, stage = tab.page, list[str](), f"{market.stack.base_url}/stage/"
    page.route("**/stage/**", lambda route: route.continue_(url=route.request.url.replace("/stage/", "/")))
    page.on("request", lambda one: asked.append(one.url))
    page.goto(f"{stage}console")
    sign_in(page, market.stack)
    page.locator("#pair").select_option(market.pair)
    page.locator("#liveness[data-state=live]").wait_for()
    fill(page, "Buy", "0.5", "1000")
    submit(page, "Buy")
    said(page, "Buy order taken.")
    for desk in ("Signed orders", "Escrow"):
        page.get_by_role("link", name=desk).click()
        page.locator(f"#{desk.split()[0].lower()}-age", has_text="As of").wait_for()
    assert [one for one in asked if not one.startswith(stage)] == []


def test_the_one_time_address_signs_in_once_and_the_token_leaves_the_address_bar(tab: Tab, venue: RunningStack) -> None:
    tab.asks_for(FORBIDDEN)
    (address,) = re.findall(r"http://\S+/console#token=\S+", venue.output)
    tab.page.goto(address)
    tab.page.get_by_text("Signed in with the token").wait_for()
    assert tab.page.url == f"{venue.base_url}/console"
    tab.page.goto("about:blank")
    tab.page.goto(address)
    tab.page.locator("#liveness[data-state=live]").wait_for()
    assert "Not signed in" in tab.page.locator("#who").inner_text()


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
    found = Axe().run(page).response["violations"]
    assert found == [], json.dumps(found, indent=1)[:4000]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.screenshot(path=tmp_path / f"console-{size['width']}-{scheme}.png", full_page=True)


@pytest.fixture
def desks(tab: Tab, venue: RunningStack) -> Page:
    """The console, signed in with the demo's file; what the tests of the other desks use."""
    tab.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    tab.page.goto(f"{venue.base_url}/console")
    sign_in(tab.page, venue)
    return tab.page


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).first.click()


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


def test_a_signed_order_is_locked_filled_in_part_and_given_back(desks: Page, venue: RunningStack) -> None:
    keys = venue.demo["taker_desk"]
    domain = Domain(chain_id=keys["chain_id"], verifying_contract=keys["verifying_contract"])
    maker = MakerDesk(venue.base_url, Wallet(keys["maker_private_key"], domain))
    offer = maker.create(
        maker.sign(
            is_buy=True, ticker=keys["whole_shares_ticker"], asset=keys["asset"], exchange=keys["exchange"],
            price=150 * 10**18, quantity=100, deadline=int(time.time()) + 86_400,
        )
    )  # fmt: skip
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
    elsewhere = {"url": f"{venue.base_url}/api/v1/orders/lock", "headers": {"X-API-Key": keys["api_key"]}}
    assert requests.post(**elsewhere, json={"order_hash": offer.order_hash}, timeout=30).status_code == 200
    taken.get_by_text(re.compile(r"^partially filled until \d")).wait_for()


@pytest.mark.parametrize(("answer", "follows"), [("Keep it", "Kept: "), ("Grant the cancel", "Cancelled: ")])
def test_a_taker_keeps_or_grants_what_a_maker_asks_to_cancel_and_focus_stays(
    desks: Page, venue: RunningStack, answer: str, follows: str
) -> None:
    keys = venue.demo["taker_desk"]
    domain = Domain(chain_id=keys["chain_id"], verifying_contract=keys["verifying_contract"])
    maker = MakerDesk(venue.base_url, Wallet(keys["maker_private_key"], domain))
    offer = maker.create(
        maker.sign(
            is_buy=True, ticker=keys["whole_shares_ticker"], asset=keys["asset"], exchange=keys["exchange"],
            price=151 * 10**18, quantity=70, deadline=int(time.time()) + 86_400,
        )
    )  # fmt: skip
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


@pytest.mark.parametrize("view", ["signed", "escrow"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_nothing_at_the_other_desks(desks: Page, view: str, size: Any) -> None:
    desks.set_viewport_size(size)
    desks.locator(f'nav a[href="#{view}"]').click()
    desks.locator(f"#{view}-age", has_text="As of").wait_for()
    found = Axe().run(desks).response["violations"]
    assert found == [], json.dumps(found, indent=1)[:4000]
    assert desks.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_market_goes_on_by_itself_when_the_demos_traders_start_over(tab: Tab, tmp_path: Path) -> None:
    hurried = ("tests.infra.lively", "40", "0.05", "200")
    with RunningStack(tmp_path / "local", hurried, DEMO="") as stack:
        page = tab.page
        page.goto(f"{stack.base_url}/console")
        sign_in(page, stack)
        page.locator("#pair").select_option("BTC_BRL")
        page.locator("#liveness[data-state=live]").wait_for()
        page.evaluate("window.isTheSamePage = true")
        for count in (1, 2):
            eventually(lambda count=count: stack.output.count("traders start over") >= count, bound_s=120)
            page.locator("#liveness[data-state=live]").wait_for(timeout=60_000)
            newest = page.locator("#tape tr").first
            before = newest.inner_text()
            eventually(lambda newest=newest, before=before: newest.inner_text() != before, bound_s=60)
            page.locator("#bids tr").first.wait_for()
            page.locator("#asks tr").first.wait_for()
        assert page.evaluate("window.isTheSamePage")
        page.goto("about:blank")
