"""The demo's traders: a few customers of their own who quote and trade on BTC_BRL while a local run serves.

They are ordinary customers of the book desk, over HTTP: at most one order or cancel a second. They rest once the book's
journal has ENTRIES_MAX entries, so a run that is left alone does not grow for ever; ``DEMO=quiet`` keeps them away.
"""

from __future__ import annotations

import http.client
import json
import logging
import random
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from chalicelib import wiring
from chalicelib.domain.ledger.owners import book_key
from chalicelib.tables.journal import Journal
from infra import demo
from infra.settings import HOST

TRADERS = ("trader_ada", "trader_ben", "trader_cleo", "trader_dan", "trader_eve")
PERIOD_S = 1.0
ENTRIES_MAX = 10_000
RESTING_MIN, RESTING_MAX = 8, 26
UNIT = 10**demo.VENDORS_DECIMALS
MID = 350_000
"""Reais for a bitcoin, about which the price wanders."""
PRICE_STEP = 10
_LOG = logging.getLogger(__name__)


class _Refused(Exception):
    """The service did not carry out what a trader asked."""


@dataclass(frozen=True, slots=True)
class _Resting:
    order_id: str
    trader: str


class DemoTraders:
    """port, api_key: of the book desk. drawn: where their whims come from."""

    def __init__(self, port: int, api_key: str, drawn: random.Random, period_s: float = PERIOD_S) -> None:
        self._port = port
        self._headers = {"x-api-key": api_key, "Content-Type": "application/json"}
        self._drawn = drawn
        self._period_s = period_s
        self._mid = float(MID)
        self._resting: deque[_Resting] = deque()
        self._left = 0

    def run(self, stop: threading.Event) -> None:
        """Trade until ``stop`` is set. What fails is logged once; they try again after a pause."""
        fails = False
        while not stop.wait(self._period_s * (30 if fails else 1)):
            try:
                if self._left <= 0 and not self._begin():
                    break
                self._left -= 1
                self._step()
                fails = False
            except (_Refused, OSError, http.client.HTTPException) as error:
                if not fails:
                    _LOG.warning("The demo's traders pause: %s", error)
                fails = True
        stop.wait()

    def _begin(self) -> bool:
        """Take back what an earlier run's traders left. Return False if the journal is as long as it may become."""
        self._left = ENTRIES_MAX - self._entries()
        if self._left <= 0:
            _LOG.warning("The demo's traders rest: %s entries are enough. make run FRESH=1 begins anew.", ENTRIES_MAX)
            return False
        self._resting.clear()
        for trader in TRADERS:
            self._ask("DELETE", f"/customers/{trader}/orders?orderBookId={demo.VENDORS_BOOK}")
        return True

    def _entries(self) -> int:
        """Return the length of the book's journal."""
        last = next(Journal(wiring.database()).newest_first(book_key(demo.INSTANCE, demo.VENDORS_BOOK)), None)
        return last.sequence if last else 0

    def _step(self) -> None:
        self._mid *= 1 + self._drawn.gauss(0, 0.0005) + 0.002 * (1 - self._mid / MID)
        whim = self._drawn.random()
        if len(self._resting) > RESTING_MAX or (whim < 0.1 and len(self._resting) > RESTING_MIN):
            self._cancel(self._resting.popleft())
        elif len(self._resting) < RESTING_MIN or whim < 0.65:
            self._quote()
        else:
            self._take()

    def _quote(self) -> None:
        side, away = self._drawn.choice((("BUY", -1), ("SELL", 1))), self._drawn.randint(1, 14)
        price = self._mid * (1 + side[1] * away * 0.0004)
        order = self._place(side[0], price, self._drawn.uniform(0.01, 0.4), "GTC")
        self._resting.append(order)

    def _take(self) -> None:
        side, away = self._drawn.choice((("BUY", 1), ("SELL", -1)))
        self._place(side, self._mid * (1 + away * 0.003), self._drawn.uniform(0.005, 0.25), "IOC")

    def _place(self, side: str, price: float, quantity: float, time_in_force: str) -> _Resting:
        trader = self._drawn.choice(TRADERS)
        order = {
            "orderBookId": demo.VENDORS_BOOK,
            "customerRef": trader,
            "side": side,
            "orderType": "LIMIT",
            "price": str(round(price / PRICE_STEP) * PRICE_STEP * UNIT),
            "quantity": str(round(quantity * 10_000) * UNIT // 10_000),
            "timeInForce": time_in_force,
        }
        return _Resting(str(self._ask("POST", "/orders", order)["id"]), trader)

    def _cancel(self, order: _Resting) -> None:
        """Cancel an order; it may have traded meanwhile."""
        self._ask("DELETE", f"/orders/{order.order_id}", {"customerRef": order.trader}, passes=(404,))

    def _ask(self, method: str, path: str, body: object = None, passes: tuple[int, ...] = ()) -> dict[str, Any]:
        """Return the answer's data. passes: refusals that are no fault. Raises _Refused, OSError, HTTPException."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=demo.ANSWER_BOUND_S)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, demo.DESK_PATH + path, content, self._headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 300 and answer.status not in passes:
            raise _Refused(f"{method} {path} answers {answer.status}: {text[:200].decode(errors='replace')}")
        data = json.loads(text).get("data")
        return data if isinstance(data, dict) else {}


def seed() -> None:
    """Create the traders' funds if they are missing. Raises CommandFailed."""
    for trader in TRADERS:
        demo.credit_vendors_tokens(trader)
