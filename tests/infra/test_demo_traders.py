"""The demo's traders: whom they are, where they trade, how much at most, and that they can be kept away."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from infra import demo, demo_traders
from infra.demo_traders import RESTING_MAX, TRADERS, DemoTraders
from infra.settings import StartRefused, read_settings
from tests.infra.stack import RunningStack
from tests.waiting import eventually


class Asked(DemoTraders):
    """Traders whose requests are kept. entries: of the book's journal."""

    def __init__(self, entries: int) -> None:
        super().__init__(0, "key", random.Random(20261130), period_s=0)
        self.entries = entries
        self.has_rested = False
        self.asked: list[tuple[str, str, Any]] = []

    def _entries(self) -> int:
        return self.entries + self.steps

    @property
    def steps(self) -> int:
        """How many orders and cancels they have asked for."""
        return len([body for *_, body in self.asked if body is not None])

    def _begin(self) -> bool:
        begins = super()._begin()
        self.has_rested |= not begins
        return begins

    def _ask(self, method: str, path: str, body: object = None, **_: object) -> dict[str, Any]:
        self.asked.append((method, path, body))
        return {"id": f"ord_{len(self.asked)}"}

    def run_for(self, steps: int) -> list[tuple[str, str, Any]]:
        """Return what so many steps asked for, after what an earlier run left was taken back."""
        self._begin()
        first = len(self.asked)
        for _ in range(steps):
            self._step()
        return self.asked[first:]


def test_they_trade_on_their_own_book_as_their_own_customers_one_request_a_step() -> None:
    asked = Asked(0).run_for(2_000)
    assert len(asked) == 2_000
    placed = [body for method, _, body in asked if method == "POST"]
    assert {body["orderBookId"] for body in placed} == {demo.VENDORS_BOOK} != {demo.BOOK}
    assert {body["customerRef"] for body in placed} == set(TRADERS)
    assert not set(TRADERS) & set(demo.CUSTOMERS)
    assert {body["timeInForce"] for body in placed} == {"GTC", "IOC"}
    assert all(int(body["price"]) > 0 < int(body["quantity"]) for body in placed)


def test_their_resting_orders_are_bounded_and_an_earlier_runs_are_taken_back_first() -> None:
    traders = Asked(0)
    asked = traders.run_for(3_000)
    assert [path.split("/")[2] for method, path, _ in traders.asked[: len(TRADERS)] if method == "DELETE"] == [*TRADERS]
    resting = 0
    for method, _, body in asked:
        resting += (method == "POST" and body["timeInForce"] == "GTC") - (method == "DELETE")
        assert 0 <= resting <= RESTING_MAX + 1


@pytest.mark.parametrize(("entries", "steps"), [(demo_traders.ENTRIES_MAX, 0), (demo_traders.ENTRIES_MAX - 3, 3)])
def test_they_rest_once_the_journal_is_as_long_as_it_may_become(entries: int, steps: int) -> None:
    traders, stop = Asked(entries), threading.Event()
    begun = threading.Thread(target=traders.run, args=(stop,))
    begun.start()
    try:
        eventually(lambda: traders.has_rested)
    finally:
        stop.set()
        begun.join()
    assert traders.steps == steps


def test_a_run_is_lively_unless_it_shall_be_quiet() -> None:
    assert read_settings({}).lively
    assert not read_settings({"DEMO": "quiet"}).lively
    with pytest.raises(StartRefused, match="DEMO=loud is unknown"):
        read_settings({"DEMO": "loud"})


@pytest.mark.stack
def test_a_lively_run_trades_by_itself(tmp_path: Path) -> None:
    with RunningStack(tmp_path / "local", DEMO="") as stack:
        address = f"{stack.base_url}/trade/public/orders/level-2?pair={demo.VENDORS_PAIR}"

        def has_depth() -> bool:
            depth = requests.get(address, timeout=10).json()["data"]
            return bool(depth["bids"] or depth["asks"])

        eventually(has_depth, bound_s=30)
        assert "/console#token=" in stack.output
