"""The operator's console in a real browser: instances, books and their proof, keys, customers, webhooks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
import pytest
import requests
from axe_playwright_python.sync_playwright import Axe

from chalicelib.ops.cli.failures import INTERRUPTED
from chalicelib.support.clock import now_ms
from chalicelib.tables.accounts import TABLE as ACCOUNTS
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.webhook_deliveries import WebhookDeliveries
from chalicelib.tables.writes import Update
from infra.demo import BOOK, CREDIT, INSTANCE, TOKEN
from infra.settings import ROOT
from tests.browser.conftest import CONFLICT, REFUSED, Tab
from tests.infra.stack import RunningStack
from tests.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.stack

CUSTOMER = "cust_12345"
HOOKS = "/orderbooks/stocks/api/offchain/webhooks"
END_S_MAX = 15


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with RunningStack(tmp_path_factory.mktemp("operator") / "local", TALLYBOOK_WEBHOOKS_ALLOW_LOCAL="1") as stack:
        yield stack


@pytest.fixture(scope="module")
def address(venue: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that ``tallybook console`` prints, run as docs/console.md says."""
    _, commands, _ = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/console.md").read_text("utf-8"), re.DOTALL)
    folder = tmp_path_factory.mktemp("checkout")
    (folder / ".local").symlink_to(venue.local_dir)
    (folder / ".venv").symlink_to(sys.prefix)
    console = subprocess.Popen(
        ["bash", "-c", commands],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert console.stdout is not None
    try:
        (found,) = re.findall(r"^Open (http://127\.0\.0\.1:\d+/#token=\S+)$", console.stdout.readline())
        yield found
    finally:
        os.killpg(console.pid, signal.SIGINT)
        assert console.wait(END_S_MAX) == INTERRUPTED


@pytest.fixture
def page(tab: Tab, address: str) -> Page:
    """The console's page."""
    tab.page.goto(address)
    tab.page.get_by_role("cell", name=INSTANCE, exact=True).wait_for()
    return tab.page


def part(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    page.locator("#views a[aria-current]", has_text=name).wait_for()


def told(page: Page, words: str) -> None:
    page.locator("#said", has_text=words).wait_for()


def test_a_book_is_paused_resumed_and_verified_and_then_the_whole_instance(page: Page) -> None:
    part(page, "Books")
    page.get_by_role("button", name=f"Pause {BOOK}").click()
    page.get_by_role("button", name="No", exact=True).click()
    page.get_by_role("button", name=f"Pause {BOOK}").click()
    page.get_by_role("button", name="Yes", exact=True).click()
    told(page, "Pause: done.")
    page.get_by_role("button", name=f"Resume {BOOK}").click()
    told(page, "Resume: done.")
    page.get_by_role("button", name=f"Verify {BOOK}").click()
    told(page, f"{INSTANCE}/{BOOK} agrees: 1 books, 2 journal entries")
    page.get_by_role("button", name="Verify the whole instance").click()
    told(page, f"{INSTANCE} agrees: 2 books")


def rows(venue: RunningStack) -> Database:
    client: Any = boto3.client(
        "dynamodb", endpoint_url=venue.aws_endpoint_url, region_name="us-east-1", aws_access_key_id="local",
        aws_secret_access_key="local",
    )  # fmt: skip
    return Database(client, venue.prefix)


def test_a_book_that_does_not_agree_is_reported_with_what_disagrees(page: Page, venue: RunningStack) -> None:
    accounts = rows(venue)
    one = {"owner": f"{INSTANCE}/customer/{CUSTOMER}", "entry": f"balance/{TOKEN}"}

    def move(units: int) -> None:
        accounts.write(Update(ACCOUNTS, one, "ADD #available :units", None, {":units": units}))

    move(1)
    try:
        part(page, "Books")
        page.get_by_role("button", name=f"Verify {BOOK}").click()
        told(page, f"{INSTANCE}/{BOOK}: does not agree: account {one['owner']} {TOKEN}, available: ")
        told(page, f"expected {CREDIT}, found {CREDIT + 1}")
        assert page.locator("#said").get_attribute("data-kind") == "bad"
        assert page.locator("#progress").is_hidden()
    finally:
        move(-1)
    page.get_by_role("button", name=f"Verify {BOOK}").click()
    told(page, f"{INSTANCE}/{BOOK} agrees")


def reach(page: Page, words: str) -> None:
    """Press Tab until the focus is on a link or button with these words."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = "[document.activeElement.getAttribute('aria-label'), document.activeElement.textContent]"
        if words in page.evaluate(focused):
            return
    raise AssertionError(f"the keyboard does not reach {words}")


def test_a_book_is_paused_and_resumed_by_keyboard_alone_and_a_second_enter_pauses_nothing(page: Page) -> None:
    reach(page, "Books")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"Pause {BOOK}").wait_for()
    reach(page, f"Pause {BOOK}")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Pause {BOOK}"
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    told(page, "Pause: done.")
    page.get_by_role("button", name=f"Resume {BOOK}").wait_for()
    assert page.evaluate("document.activeElement.closest('main #rows, .scrolls') !== null"), "near where it was"
    reach(page, f"Resume {BOOK}")
    page.keyboard.press("Enter")
    told(page, "Resume: done.")


def test_a_question_that_follows_an_answer_at_once_has_its_own_answer(page: Page) -> None:
    """A dialog's event "close" comes a moment after it is closed, when the next question may stand there."""
    part(page, "Books")
    page.get_by_role("button", name=f"Pause {BOOK}").wait_for()
    page.get_by_role("button", name=f"Pause {BOOK}").evaluate(
        "pause => { pause.click(); document.querySelector('#sure-dialog button[autofocus]').click(); pause.click(); }"
    )
    page.get_by_role("button", name="Yes").click()
    told(page, "Pause: done.")
    page.get_by_role("button", name=f"Resume {BOOK}").click()
    told(page, "Resume: done.")


def test_the_page_says_that_it_waits_for_aws_and_then_what_was_wrong_and_asks_again(tab: Tab, address: str) -> None:
    tab.asks_for(CONFLICT)
    page, held = tab.page, list["Route"]()
    page.route("**/run", lambda route: held.append(route))
    page.goto(address)
    page.locator("#age", has_text=re.compile(r"Reading for [1-9] s")).wait_for()
    held[0].fulfill(status=409, json={"error": {"code": "UNREACHABLE", "message": "the tables did not answer"}})
    told(page, "the tables did not answer")
    page.unroute("**/run")
    part(page, "Books")
    page.get_by_role("cell", name=BOOK, exact=True).wait_for()


def test_a_second_command_waits_for_the_first(page: Page) -> None:
    held = list["Route"]()
    part(page, "Keys")
    page.get_by_role("button", name="Make a key").wait_for()
    page.route("**/run", lambda route: held.append(route))
    page.get_by_role("button", name="Make a key").click()
    told(page, "Make a key: under way")
    page.get_by_role("button", name="Make a key").click()
    told(page, "Make a key is still under way")
    assert len(held) == 1
    held[0].fulfill(json={})
    told(page, "Make a key: done.")


def test_a_command_without_its_customer_is_not_run_and_its_words_go_with_the_next_one(page: Page) -> None:
    part(page, "Customers")
    page.get_by_role("button", name="Unfreeze", exact=True).click()
    told(page, "Unfreeze: fill in the field above first.")
    page.get_by_role("textbox", name="Customer").fill(CUSTOMER)
    page.get_by_role("textbox", name="Customer").press("Enter")
    page.locator("#rows tr").nth(1).wait_for()
    assert page.locator("#said").inner_text() == ""


def test_a_key_is_made_shown_once_used_and_revoked(page: Page, venue: RunningStack) -> None:
    part(page, "Keys")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("#secret dd").first.inner_text()
    page.get_by_role("button", name="I have it").click()
    page.locator("#secret:empty").wait_for(state="attached")
    address = f"{venue.base_url}/orderbooks/stocks/api/offchain/order-books"
    assert requests.get(address, headers={"x-api-key": key}, timeout=30).status_code == 200
    told(page, "Make a key: done.")
    page.get_by_role("button", name=re.compile("^Revoke ")).last.click()
    page.get_by_role("button", name="Yes", exact=True).click()
    told(page, "Revoke: done.")


def test_a_customers_balances_and_statement_are_shown_and_a_freeze_is_asked_for(page: Page) -> None:
    part(page, "Customers")
    page.get_by_text("Say whose.").wait_for()
    page.get_by_role("textbox", name="Customer").fill(CUSTOMER)
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("cell", name="1000000000000000000000000").first.wait_for()
    page.get_by_role("button", name="Freeze").first.click()
    page.get_by_role("button", name="Yes", exact=True).click()
    told(page, "Freeze: done.")
    page.get_by_role("button", name="Unfreeze").click()
    told(page, "Unfreeze: done.")
    page.get_by_role("button", name="Show the statement").click()
    page.get_by_role("cell", name="credit").first.wait_for()


def test_what_is_wrong_is_said_in_words(page: Page, tab: Tab) -> None:
    tab.asks_for(REFUSED)
    part(page, "Tokens")
    page.get_by_role("textbox", name="Customer").fill("x" * 101)
    page.get_by_role("button", name="Make a token").click()
    page.locator("#said[data-kind=bad]").wait_for()


class _Receiver(BaseHTTPRequestHandler):
    """Refuses deliveries, until it takes them."""

    ids: ClassVar[list[str]] = []
    takes: ClassVar[bool] = False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.ids.append(self.headers["webhook-id"])
        self.send_response(204 if self.takes else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_dead_letter_is_redelivered_under_its_id(page: Page, venue: RunningStack) -> None:
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        made = requests.post(
            venue.base_url + HOOKS,
            json={"url": f"http://127.0.0.1:{receiver.server_address[1]}/", "types": ["*"]},
            headers={"x-api-key": venue.demo["book_desk"]["api_key"]},
            timeout=30,
        ).json()
        assert made["success"], made
        made = made["data"]
        part(page, "Webhooks")
        page.get_by_role("button", name=f"Test {made['id']}").click()
        told(page, "Test: done.")
        table, endpoint = WebhookDeliveries(rows(venue)), made["id"]
        eventually(lambda: _Receiver.ids)
        (delivery,) = set(_Receiver.ids)
        eventually(lambda: (found := table.find(endpoint, delivery)) is not None and found.said == "500")
        page.get_by_role("button", name=f"Waiting {endpoint}").click()
        page.locator("#rows tr", has_text=delivery).get_by_role("cell", name="500", exact=True).wait_for()
        bury(table, endpoint, delivery)
        part(page, "Webhooks")
        _Receiver.takes, before = True, len(_Receiver.ids)
        page.get_by_role("button", name=f"Dead letters {endpoint}").click()
        page.get_by_role("button", name=f"Redeliver {delivery}").click()
        told(page, "Redeliver: done.")
        eventually(lambda: len(_Receiver.ids) > before)
        assert set(_Receiver.ids) == {delivery}
    finally:
        receiver.shutdown()
        receiver.server_close()


def bury(table: WebhookDeliveries, endpoint: str, delivery: str) -> None:
    """Make a delivery a dead letter, without waiting for its ten attempts."""
    later_ms = now_ms() + 3_600_000
    claimed = table.claim(endpoint, delivery, later_ms, later_ms + 1)
    assert claimed is not None
    table.buried(claimed, "500", now_ms())


@pytest.mark.parametrize("width", [1600, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, width: int, scheme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    part(page, "Books")
    page.get_by_role("cell", name=BOOK, exact=True).wait_for()
    found = Axe().run(page).response["violations"]
    assert found == [], json.dumps(found, indent=1)[:4000]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_copied_address_without_its_token_gets_nothing(tab: Tab, address: str) -> None:
    tab.page.goto(address.partition("#")[0])
    tab.page.locator("#notice", has_text="Open the address that tallybook console printed.").wait_for()
