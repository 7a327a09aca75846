"""The client over HTTP against the whole service: orders, the feed, and docs/client.md as it is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import ROOT
from tallybook_client import BookDesk
from tallybook_client.book import NewBook, NewOrder
from tallybook_client.book.errors import OrderNotFound
from tests.infra.stack import RunningStack

pytestmark = pytest.mark.stack

WHOLE = 10**18
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_a_venue_is_opened_and_two_customers_trade(desk: BookDesk) -> None:
    base, quote = "0x" + "c1" * 20, "0x" + "c2" * 20
    feed = desk.events()
    for token, symbol in ((base, "CLB"), (quote, "CLQ")):
        desk.ledger.register_token(token, f"Client {symbol}", symbol)
        desk.ledger.credit("client/ann", token, 100 * WHOLE)
        desk.ledger.credit("client/ben", token, 100 * WHOLE)
    book = desk.books.create(NewBook(token_address=base, quote_token_address=quote, name="Client", symbol="CLB/CLQ"))

    named = {"order_book_id": book.id, "price": 3 * WHOLE}
    bid = NewOrder(customer_ref="client/ann", side="BUY", quantity=2 * WHOLE, **named)  # type: ignore[arg-type]
    ask = NewOrder(customer_ref="client/ben", side="SELL", quantity=WHOLE, **named)  # type: ignore[arg-type]
    bought = desk.orders.place(bid, wait_s=10)
    sold = desk.orders.place(ask, wait_s=10)
    assert (sold.status, sold.filled_quantity) == ("FILLED", WHOLE)
    assert desk.books.depth(book.id).bids[0].quantity == WHOLE
    assert desk.orders.cancel(bought.id, "client/ann").status == "CANCELLED"

    seen = []
    for event in feed:
        seen.append(event)
        if (event.type, event.body.get("orderId")) == ("order.cancelled", bought.id):
            break
    assert {"order.accepted", "order.filled", "trade.executed"} <= {event.type for event in seen}
    assert [trade.quantity for trade in desk.books.trades(book.id)] == [WHOLE]
    held = {one.token_address: one for one in desk.ledger.balances("client/ann")}
    assert (held[base].balance, held[quote].balance, held[quote].locked_balance) == (101 * WHOLE, 97 * WHOLE, 0)
    again = list(desk.events(feed.cursor, order_book_id=None, wait_s=0))
    assert {seen[-1].id} <= {event.id for event in again}, "what was not handled when the cursor was stored comes again"
    with pytest.raises(OrderNotFound):
        desk.orders.cancel(bought.id, "client/ann")


def test_a_request_of_the_feed_waits_for_the_first_event(desk: BookDesk, stack: RunningStack) -> None:
    feed = desk.events(customer_ref="cust_45678", wait_s=20)
    desk.ledger.credit("cust_45678", stack.demo["book_desk"]["token_address"], 1)
    assert next(feed).type == "balance.changed"


def test_the_page_about_the_client_works_as_printed(stack: RunningStack, tmp_path: Path) -> None:
    (tmp_path / ".local").symlink_to(stack.local_dir)
    program = "\n".join(PYTHON_BLOCK.findall((ROOT / "docs/client.md").read_text(encoding="utf-8")))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["OPEN", "CANCELLED", "order.accepted", "open", "True", "filled", "RELEASED"]
