"""Smoke test of a deployment through its APIs: place, match and list orders, be told of a trade, then clean up.

It uses an instance of its own, which it archives at the end; other instances are not affected. Its accounts are emptied
again; only their history stays.
"""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from chalicelib.apis.trade.socket import WELCOME_ID
from chalicelib.ops import cli
from tallybook_client import BookDesk, TallybookError, TradeDesk
from tallybook_client.book import NewOrder
from tallybook_client.book.models import Order
from tallybook_client.transport import Request

MATCH_WAIT_S_MAX = 90.0
"""A new stream may deliver its first batch a minute after the deployment."""
POLL_S = 0.5
ANSWER_S_MAX = 60
BASE, QUOTE = "0x" + "5a" * 20, "0x" + "5b" * 20
UNIT = 10**18
BUYER, SELLER = "smoke-buyer", "smoke-seller"
BOOK = "ob_smoke"
TRADES = "user_trades"


class SmokeTestFailed(Exception):
    """The deployment does not work. The message says what failed."""


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """base_url: the deployed API's, without a trailing slash. websocket_url: None if pushes are off. pause: sleeps some
    seconds.
    """

    base_url: str
    websocket_url: str | None
    pause: Callable[[float], None] = time.sleep
    now_s: Callable[[], float] = time.monotonic

    def run(self) -> str:
        """Return a one-line result. Raises SmokeTestFailed, or CommandFailed if one of its commands fails."""
        ref = "smk" + "".join(random.choices(string.ascii_lowercase + string.digits, k=5))
        instance = str(cli.run(["instance", "create", "--ref", ref])["instance"])
        try:
            desk = BookDesk(self.base_url, self._open(instance), answer_s=ANSWER_S_MAX)
            with self._following(instance, desk) as pushed:
                bought, sold = (desk.orders.place(order) for order in _ORDERS)
                for order in (bought, sold):
                    self._until_filled(desk, order)
                told = "pushed, " if pushed() else ""
            self._close(instance)
        except TallybookError as error:
            raise SmokeTestFailed(f"{self.base_url} does not serve: {error}") from error
        finally:
            cli.run(["instance", "archive", instance])
        return f"placed {bought.id} and {sold.id} in {instance}, matched, listed, {told}put away"

    def _open(self, instance: str) -> str:
        """Create a book and two funded accounts. Return an API key."""
        whose = ["--instance", instance]
        for token, name, symbol in ((BASE, "Smoke Shares", "SMK"), (QUOTE, "Smoke Money", "SMQ")):
            cli.run(["token", "create", *whose, "--token-address", token, "--name", name, "--symbol", symbol])
        tokens = ["--token-address", BASE, "--quote-token-address", QUOTE]
        cli.run(["book", "create", *whose, "--id", BOOK, "--name", "Smoke", "--symbol", "SMK/SMQ", *tokens])
        for customer, token in ((BUYER, QUOTE), (SELLER, BASE)):
            cli.run(["credit", *whose, "--customer", customer, "--asset", token, "--amount", str(UNIT)])
        return str(cli.run(["key", "create", *whose])["api_key"])

    def _until_filled(self, desk: BookDesk, order: Order) -> None:
        deadline_s = self.now_s() + MATCH_WAIT_S_MAX
        while True:
            listed = {row.id: row.status for row in desk.orders.of_customer(order.customer_ref)}
            status = listed.get(order.id, "not listed")
            if status == "FILLED":
                return
            if self.now_s() > deadline_s:
                raise SmokeTestFailed(f"order {order.id} is {status} after {MATCH_WAIT_S_MAX:.0f} s, not FILLED")
            self.pause(POLL_S)

    @contextmanager
    def _following(self, instance: str, desk: BookDesk) -> Iterator[Callable[[], bool]]:
        """Follow the buyer's trades by WebSocket. Give what waits for the first; it returns False if pushes are off."""
        if self.websocket_url is None:
            yield lambda: False
            return
        message = {"method": "subscribe", "topics": [TRADES], "ticket": self._ticket(instance, desk)}
        try:
            with connect(self.websocket_url, open_timeout=ANSWER_S_MAX) as client:
                client.send(json.dumps(message))
                _receive(client, "subscribed", WELCOME_ID)
                yield lambda: _receive(client, "the trade", 1)
        except (WebSocketException, OSError) as error:
            raise SmokeTestFailed(f"{self.websocket_url} does not serve: {error}") from error

    def _ticket(self, instance: str, desk: BookDesk) -> str:
        """Return a ticket of the buyer's. The service is awake by then: a signature is good for a few seconds."""
        desk.session.send(Request("GET", "/health"))
        whose = ["--instance", instance, "--customer", BUYER, "--permission", "read"]
        made = cli.run(["api-token", "create", *whose])
        return TradeDesk(self.base_url, str(made["token"]), str(made["secret"]), answer_s=ANSWER_S_MAX).ticket()

    def _close(self, instance: str) -> None:
        """Close the book and empty the accounts."""
        cli.run(["book", "close", f"{instance}/{BOOK}"])
        for customer, token in ((BUYER, BASE), (SELLER, QUOTE)):
            account = ["--instance", instance, "--customer", customer, "--asset", token]
            cli.run(["debit", *account, "--amount", str(UNIT)])


def _receive(client: ClientConnection, what: str, message_id: int) -> bool:
    """Wait for the next message, which must have this id. Raises SmokeTestFailed."""
    try:
        message = json.loads(client.recv(MATCH_WAIT_S_MAX))
    except TimeoutError as error:
        raise SmokeTestFailed(f"{what} is not pushed after {MATCH_WAIT_S_MAX:.0f} s") from error
    if (message["topic"], message["id"]) != (TRADES, message_id):
        raise SmokeTestFailed(f"in place of {what} comes {message}")
    return True


_TERMS: dict[str, Any] = {"order_book_id": BOOK, "price": UNIT, "quantity": UNIT}
_ORDERS = (
    NewOrder(customer_ref=BUYER, side="BUY", **_TERMS),
    NewOrder(customer_ref=SELLER, side="SELL", **_TERMS),
)
