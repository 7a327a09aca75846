"""The console's sign-in, and what it says and does when its connection or the service's fails."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import FORBIDDEN, NO_ANSWER, OFFLINE, UNAUTHORIZED, Tab
from tests.browser.console.acting import Market, fill, level, said, sign_in, submit
from tests.infra.stack import RunningStack
from tests.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route, WebSocketRoute

pytestmark = pytest.mark.stack


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
