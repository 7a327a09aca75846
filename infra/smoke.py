"""Smoke test of a deployment through its APIs: place, match and list orders, be told of a trade, then clean up.

It uses an instance of its own, which it archives at the end; other instances are not affected. Its accounts are emptied
again; only their history stays.
"""

from __future__ import annotations

import json
import random
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from chalicelib.apis.trade.signature import signature_of
from chalicelib.apis.trade.socket import WELCOME_ID
from chalicelib.ops import cli

MATCH_WAIT_S_MAX = 90.0
"""A new stream may deliver its first batch a minute after the deployment."""
POLL_S = 0.5
ANSWER_S_MAX = 60
BASE, QUOTE = "0x" + "5a" * 20, "0x" + "5b" * 20
UNIT = 10**18
BUYER, SELLER = "smoke-buyer", "smoke-seller"
BOOK = "ob_smoke"
DESK = "/orderbooks/stocks/api/offchain"
TICKET, TRADES = "/trade/ticket", "user_trades"


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
            api_key = self._open(instance)
            with self._following(instance) as pushed:
                bought, sold = (self._place(api_key, customer, side) for customer, side in _ORDERS)
                for customer, order in ((BUYER, bought), (SELLER, sold)):
                    self._until_filled(api_key, customer, order)
                told = "pushed, " if pushed() else ""
            self._close(instance)
        finally:
            cli.run(["instance", "archive", instance])
        return f"placed {bought} and {sold} in {instance}, matched, listed, {told}put away"

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

    def _place(self, api_key: str, customer: str, side: str) -> str:
        """Place an order; return its id."""
        order = {"orderBookId": BOOK, "customerRef": customer, "side": side, "orderType": "LIMIT"}
        terms = {"price": str(UNIT), "quantity": str(UNIT), "timeInForce": "GTC"}
        return str(self._call("POST", f"{DESK}/orders", api_key, order | terms)["data"]["id"])

    def _until_filled(self, api_key: str, customer: str, order: str) -> None:
        deadline_s = self.now_s() + MATCH_WAIT_S_MAX
        while True:
            listed = self._call("GET", f"{DESK}/customers/{customer}/orders", api_key)["data"]
            status = {row["id"]: row["status"] for row in listed}.get(order, "not listed")
            if status == "FILLED":
                return
            if self.now_s() > deadline_s:
                raise SmokeTestFailed(f"order {order} is {status} after {MATCH_WAIT_S_MAX:.0f} s, not FILLED")
            self.pause(POLL_S)

    @contextmanager
    def _following(self, instance: str) -> Iterator[Callable[[], bool]]:
        """Follow the buyer's trades by WebSocket. Give what waits for the first; it returns False if pushes are off."""
        if self.websocket_url is None:
            yield lambda: False
            return
        message = {"method": "subscribe", "topics": [TRADES], "ticket": self._ticket(instance)}
        try:
            with connect(self.websocket_url, open_timeout=ANSWER_S_MAX) as client:
                client.send(json.dumps(message))
                _receive(client, "subscribed", WELCOME_ID)
                yield lambda: _receive(client, "the trade", 1)
        except (WebSocketException, OSError) as error:
            raise SmokeTestFailed(f"{self.websocket_url} does not serve: {error}") from error

    def _ticket(self, instance: str) -> str:
        """Return a ticket of the buyer's. The service is awake by then: a signature is good for a few seconds."""
        self._asked("GET", "/health", {})
        whose = ["--instance", instance, "--customer", BUYER, "--permission", "read"]
        made = cli.run(["api-token", "create", *whose])
        timestamp = str(time.time_ns() // 10**6)
        signature = signature_of(str(made["secret"]), timestamp, "POST", TICKET, b"")
        headers = {"authorization": str(made["token"]), "timestamp": timestamp, "signature": signature}
        return str(self._asked("POST", TICKET, headers)["data"]["ticket"])

    def _close(self, instance: str) -> None:
        """Close the book and empty the accounts."""
        cli.run(["book", "close", f"{instance}/{BOOK}"])
        for customer, token in ((BUYER, BASE), (SELLER, QUOTE)):
            account = ["--instance", instance, "--customer", customer, "--asset", token]
            cli.run(["debit", *account, "--amount", str(UNIT)])

    def _call(self, method: str, path: str, api_key: str, body: object = None) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        return self._asked(method, path, {"x-api-key": api_key, "content-type": "application/json"}, content)

    def _asked(self, method: str, path: str, headers: dict[str, str], content: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(self.base_url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as response:
                answer: dict[str, Any] = json.loads(response.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise SmokeTestFailed(f"{method} {path} answers {error.code}: {text}") from error
        except (OSError, ValueError) as error:
            raise SmokeTestFailed(f"{method} {path} does not answer: {error}") from error
        return answer


def _receive(client: ClientConnection, what: str, message_id: int) -> bool:
    """Wait for the next message, which must have this id. Raises SmokeTestFailed."""
    try:
        message = json.loads(client.recv(MATCH_WAIT_S_MAX))
    except TimeoutError as error:
        raise SmokeTestFailed(f"{what} is not pushed after {MATCH_WAIT_S_MAX:.0f} s") from error
    if (message["topic"], message["id"]) != (TRADES, message_id):
        raise SmokeTestFailed(f"in place of {what} comes {message}")
    return True


_ORDERS = ((BUYER, "BUY"), (SELLER, "SELL"))
