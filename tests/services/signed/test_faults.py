"""What was told of a command on a signed order holds, whatever went wrong at whichever call (guarantees 1, 2, 3 and 7).

Each command is given once for every call and fault; then it is given again, as its caller would, and the tables must
show it done, once. Done: it is there, whole. Unavailable or DeskBusy: at most a lapse that was due has been written.
Anything may have become of a command whose outcome is unknown, or whose function died, but it is whole or not there.
One of the faults is somebody else who gives the same command, or sweeps, right before the call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from chalicelib.domain.signed.faults import DeskBusy, NonceUsed, OrderNotFound, StateForbids
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.signed_orders import TABLE
from tests.faults import FAULTS, Died, Fault, FaultyClient, after_another
from tests.in_memory import database_of, each_call, empty_tables
from tests.memory import MemoryDynamoDB
from tests.services.signed.market import (
    BUY,
    FUNDS,
    INSTANCE,
    MAKER,
    NOW_S,
    OTHER,
    PRINCIPAL,
    QUOTE,
    SELL,
    STOCK,
    TAKER,
    UNIT,
    Market,
    hash_of,
    open_market,
)

ORDER = replace(BUY, principal=PRINCIPAL, deadline=NOW_S + 5000)
TOLD_THAT_IT_IS_DONE = (StateForbids, OrderNotFound, NonceUsed)
"""What a command that is given again may be told, where it was carried out the first time."""
MEDDLERS = ("the same by another", "swept by another")
Command = Callable[[Market], object]


@dataclass(frozen=True, slots=True)
class Scenario:
    """before: what has happened. command: what meets the fault."""

    before: Command
    command: Command


def nothing(_market: Market) -> None: ...


def lock(market: Market) -> None:
    market.create(ORDER)
    market.lock(ORDER)


def lock_and_fill(market: Market) -> None:
    lock(market)
    market.fill(4 * UNIT, "r1", ORDER)


def ask_back(market: Market) -> None:
    lock_and_fill(market)
    market.cancel(ORDER)


def let_the_lock_end(market: Market) -> None:
    lock_and_fill(market)
    market.unlock(ORDER)
    market.lock(ORDER, OTHER)
    market.now_s += 700


def let_the_request_end(market: Market) -> None:
    ask_back(market)
    market.now_s += 700


def lock_the_sell(market: Market) -> None:
    market.create(SELL)
    market.lock(SELL)


def fill_and_suspend_beyond_the_deadline(market: Market) -> None:
    lock_and_fill(market)
    market.desk.suspend(INSTANCE, market.stored_id(ORDER))
    market.now_s = ORDER.deadline


def leave_the_rest_to_another(market: Market) -> None:
    give_back(market)
    market.lock(ORDER, OTHER)


def give_back(market: Market) -> None:
    lock_and_fill(market)
    market.unlock(ORDER)


def sweep(market: Market) -> None:
    """Sweep, and raise what a command raises where a lapse was not written: a sweep goes on with the others."""
    if market.desk._lapses.sweep(market.now_s, lambda: True).failed:
        raise OutcomeUnknown("a lapse was not written")


SCENARIOS = {
    "create": Scenario(nothing, lambda market: market.create(ORDER)),
    "lock": Scenario(lambda market: market.create(ORDER), lambda market: market.lock(ORDER, reference="L")),
    "lock again": Scenario(give_back, lambda market: market.lock(ORDER, reference="L")),
    "lock after a lapse": Scenario(let_the_lock_end, lambda market: market.lock(ORDER)),
    "first fill": Scenario(lock, lambda market: market.fill(4 * UNIT, "r1", ORDER, tx_hash="0x1")),
    "last fill": Scenario(lock_and_fill, lambda market: market.fill(6 * UNIT, "r2", ORDER, incentive=0)),
    "whole fill of a sell": Scenario(lock_the_sell, lambda market: market.fill(SELL.quantity, "r1", SELL)),
    "unlock": Scenario(lock, lambda market: market.unlock(ORDER)),
    "unlock what is asked back": Scenario(ask_back, lambda market: market.unlock(ORDER)),
    "cancel": Scenario(lambda market: market.create(ORDER), lambda market: market.cancel(ORDER)),
    "ask back": Scenario(lock, lambda market: market.cancel(ORDER)),
    "grant the cancel": Scenario(
        ask_back, lambda market: market.desk.cancel_result(INSTANCE, hash_of(ORDER), TAKER, True, "so be it")
    ),
    "reject": Scenario(lock, lambda market: market.desk.reject(INSTANCE, hash_of(ORDER), TAKER, "no")),
    "suspend": Scenario(lock, lambda market: market.desk.suspend(INSTANCE, market.stored_id(ORDER))),
    "cancel the rest": Scenario(give_back, lambda market: market.cancel(ORDER)),
    "last fill by another": Scenario(
        leave_the_rest_to_another, lambda market: market.fill(6 * UNIT, "r2", ORDER, OTHER, incentive=0)
    ),
    "resume after the deadline": Scenario(
        fill_and_suspend_beyond_the_deadline, lambda market: market.desk.resume(INSTANCE, market.stored_id(ORDER))
    ),
    "sweep": Scenario(let_the_request_end, lambda market: sweep(market)),
}


pytestmark = pytest.mark.usefixtures("no_logs")


@pytest.fixture(scope="module")
def opened() -> MemoryDynamoDB:
    client = empty_tables()
    open_market(database_of(client), fee_bps=25)
    return client


def shown(market: Market) -> dict[str, object]:
    """Return all that a command can change, but for names and times of writing."""
    rows = [
        {name: value for name, value in row.items() if name not in ("written_by", "version")}
        for row in market.tables()[TABLE]
    ]
    customers = (MAKER, TAKER, OTHER, PRINCIPAL)
    funds = {(who, asset): market.funds(who, asset) for who in customers for asset in (QUOTE, STOCK)}
    ledger = sorted((row["owner"], row["kind"], row["amount"]) for row in market.tables()["accounts"] if "kind" in row)
    return {"rows": rows, "funds": funds, "fees": market.fees(), "ledger": ledger}


def proven(market: Market) -> None:
    """Assert that nothing was made or lost, and that all rows agree."""
    Verifier(market.database).verify(None)
    balances = [row for row in market.tables()["accounts"] if row["entry"].startswith("balance/")]
    for asset in (QUOTE, STOCK):
        own = [row for row in balances if row["entry"].endswith(asset) and not row["owner"].endswith("/supply")]
        assert sum(row["available"] + row["held"] for row in own) == 3 * FUNDS
        assert all(row["available"] >= 0 and row["held"] >= 0 for row in own)


def fault_of(name: str, market: Market, scenario: Scenario) -> Fault:
    if name == "the same by another":
        return after_another(lambda: attempt(market, scenario.command))
    if name == "swept by another":
        return after_another(lambda: attempt(market, lambda one: one.desk.sweep()))
    return FAULTS[name]


def attempt(market: Market, command: Command) -> None:
    """Give a command again; whoever gave it before may have been served."""
    with suppress(*TOLD_THAT_IT_IS_DONE):
        command(market)


@pytest.mark.parametrize("fault", [*FAULTS, *MEDDLERS])
@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_told_of_a_command_holds(opened: MemoryDynamoDB, name: str, fault: str) -> None:
    scenario = SCENARIOS[name]
    built = opened.clone()
    calm = Market(database_of(built))
    calm.settings = replace(calm.settings, fee_bps=25)
    scenario.before(calm)
    before = shown(calm)
    swept = calm.over(database_of(built.clone()))
    swept.desk.sweep()
    done = calm.over(database_of(built.clone()))
    scenario.command(done)
    not_there, after = [before, shown(swept)], shown(done)
    for tables, faulty in each_call(built, least=2):
        market = calm.over(database_of(tables))
        faulty.fault = fault_of(fault, market, scenario)
        struck = calm.over(database_of(tables))
        struck.desk = SignedOrderDesk(database_of(faulty), lambda: calm.now_s)
        try:
            scenario.command(struck)
        except (Unavailable, DeskBusy):
            assert shown(market) in not_there, f"call {faulty.at}: unavailable, and something was changed"
        except (OutcomeUnknown, Died):
            assert shown(market) in [*not_there, after], f"call {faulty.at}: half of it is there"
        except TOLD_THAT_IT_IS_DONE:
            assert fault in MEDDLERS, f"call {faulty.at}: refused what nobody had done"
        else:
            assert shown(market) == after, f"call {faulty.at}: told that it was done"
        proven(market)
        attempt(market, scenario.command)
        assert shown(market) == after, f"call {faulty.at}: given again, it is not what it was to be"
        proven(market)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "sweep"])
def test_a_command_whose_answer_is_lost_is_looked_up(opened: MemoryDynamoDB, name: str) -> None:
    """The last transaction of a command is done and its answer is lost: the command knows, and says that it is done."""
    scenario, calm = SCENARIOS[name], Market(database_of(opened.clone()))
    scenario.before(calm)
    tables = calm.database._client
    done = calm.over(database_of(tables.clone()))  # type: ignore[attr-defined]
    counting = FaultyClient(done.database._client, FAULTS["throttled"])
    transactions: list[int] = []
    done.desk = SignedOrderDesk(database_of(_Noting(counting, transactions)), lambda: calm.now_s)
    scenario.command(done)
    struck = calm.over(database_of(tables))
    faulty = FaultyClient(tables, FAULTS["outcome unknown"], at=transactions[-1])
    struck.desk = SignedOrderDesk(database_of(faulty), lambda: calm.now_s)
    scenario.command(struck)
    assert faulty.has_struck
    assert shown(struck) == shown(done)


class _Noting:
    """A client that notes at which calls of another it sends transactions."""

    def __init__(self, client: FaultyClient, noted: list[int]) -> None:
        self._client = client
        self._noted = noted

    def __getattr__(self, name: str) -> Any:
        if name == "transact_write_items":
            self._noted.append(self._client.calls + 1)
        return getattr(self._client, name)
