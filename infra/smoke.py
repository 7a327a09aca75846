"""Smoke test of a deployment through its API: place, match and list orders, then clean up.

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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


class SmokeTestFailed(Exception):
    """The deployment does not work. The message says what failed."""


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """base_url: the deployed API's, without a trailing slash. pause: sleeps some seconds."""

    base_url: str
    pause: Callable[[float], None] = time.sleep
    now_s: Callable[[], float] = time.monotonic

    def run(self) -> str:
        """Return a one-line result. Raises SmokeTestFailed, or CommandFailed if one of its commands fails."""
        ref = "smk" + "".join(random.choices(string.ascii_lowercase + string.digits, k=5))
        instance = str(cli.run(["instance", "create", "--ref", ref])["instance"])
        try:
            api_key = self._open(instance)
            bought, sold = (self._place(api_key, customer, side) for customer, side in _ORDERS)
            for customer, order in ((BUYER, bought), (SELLER, sold)):
                self._until_filled(api_key, customer, order)
            self._close(instance)
        finally:
            cli.run(["instance", "archive", instance])
        return f"placed {bought} and {sold} in {instance}, matched, listed, put away"

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

    def _close(self, instance: str) -> None:
        """Close the book and empty the accounts."""
        cli.run(["book", "close", f"{instance}/{BOOK}"])
        for customer, token in ((BUYER, BASE), (SELLER, QUOTE)):
            account = ["--instance", instance, "--customer", customer, "--asset", token]
            cli.run(["debit", *account, "--amount", str(UNIT)])

    def _call(self, method: str, path: str, api_key: str, body: object = None) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        headers = {"x-api-key": api_key, "content-type": "application/json"}
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


_ORDERS = ((BUYER, "BUY"), (SELLER, "SELL"))
