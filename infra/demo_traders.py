"""The demo's traders: a few customers of their own who quote and trade on BTC_BRL while a local run serves.

They are ordinary customers of the book desk, over HTTP: at most one order or cancel a second. Once the book's journal
has ENTRIES_MAX entries they start over on another book (``demo_rounds``), or rest where that one must stay, so a run
that is left alone does not grow for ever. ``DEMO=quiet`` keeps them away.
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

from infra import demo
from infra.demo_rounds import TRADERS, MustStay, Rounds
from infra.settings import HOST

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
    """port, api_key: of the book desk. drawn: where their whims come from. entries_max: of a round's book."""

    def __init__(
        self,
        port: int,
        api_key: str,
        drawn: random.Random,
        rounds: Rounds,
        period_s: float = PERIOD_S,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self._port = port
        self._headers = {"x-api-key": api_key, "Content-Type": "application/json"}
        self._drawn = drawn
        self._rounds = rounds
        self._entries_max = entries_max
        self._book = ""
        self._period_s = period_s
        self._mid = float(MID)
        self._resting: deque[_Resting] = deque()
        self._left = 0

    def run(self, stop: threading.Event) -> None:
        """Trade until ``stop`` is set. What fails is logged once; they try again after a pause."""
        fails = False
        while not stop.wait(self._period_s * (30 if fails else 1)):
            try:
                if self._left <= 0:
                    self._begin(stop)
                else:
                    self._left -= 1
                    self._step()
                fails = False
            except MustStay as reason:
                entries = f"{self._entries_max} entries of {demo.VENDORS_PAIR} are enough"
                _LOG.warning("The demo's traders rest: %s, and %s.", entries, reason)
                break
            except Exception as error:  # whatever it is, the rest of the run goes on
                if not fails:
                    _LOG.warning("The demo's traders pause: %s", error)
                fails = True
        stop.wait()

    def _begin(self, stop: threading.Event) -> None:
        """Begin or go on with a round; take back what an earlier run's traders left. Raises MustStay.

        stop: ends it early.
        """
        for _ in self._rounds.remove_closed():
            if stop.is_set():
                return
        self._book = demo.open_vendors_book()
        if self._rounds.entries(self._book) >= self._entries_max:
            self._book = self._rounds.start_over(self._book)
            _LOG.warning("The demo's traders start over: %s is %s's book now.", self._book, demo.VENDORS_PAIR)
        self._resting.clear()
        for trader in TRADERS:
            self._ask("DELETE", f"/customers/{trader}/orders?orderBookId={self._book}")
        self._left = self._entries_max - self._rounds.entries(self._book)

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
            "orderBookId": self._book,
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
