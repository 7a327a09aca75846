"""Commands for fees: output and refusals (T95)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.ledger.owners import fees_key, supply_key
from chalicelib.domain.ledger.sandbox import sandbox_asset
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from tests.ordering import in_order
from tests.world import BASE, INSTANCE, World

Run = Callable[[str], dict[str, Any]]
SHOW = f"fees show --instance {INSTANCE}"
WITHDRAW = f"fees withdraw --instance {INSTANCE} --account taker-desk --asset {BASE.upper().replace('X', 'x')}"


@pytest.fixture
def run(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line on an instance whose taker desk has earned 100, and whose sandbox 7."""
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    World(memory_database).tenants().create_instance("test0001", {"trading"})
    accounts = Accounts(memory_database)
    for owner, asset, amount in (
        (fees_key(INSTANCE, "taker-desk"), BASE, 100),
        (supply_key(INSTANCE), BASE, 100),
        (fees_key(INSTANCE, "escrow-desk-sandbox"), sandbox_asset(BASE), 7),
        (supply_key(INSTANCE), sandbox_asset(BASE), 7),
    ):
        memory_database.write(accounts.change(owner, asset, amount, 0, 1))
    return lambda line: cli.run(line.split())


def fees(account: str, asset: str, *amounts: str) -> dict[str, Any]:
    names = dict(zip(("earned", "withdrawn", "available"), amounts, strict=True))
    return {"account": account, "book_id": None, "asset": asset} | names


def test_fees_are_shown_and_withdrawn(run: Run) -> None:
    made = run(f"{WITHDRAW} --amount 30 --customer venue --reference november")
    assert made == {
        "transaction_id": made["transaction_id"], "account": "taker-desk", "asset": BASE, "customer": "venue",
        "amount": "30",
    }  # fmt: skip
    assert run(f"{WITHDRAW} --amount 30 --customer venue --reference november") == made
    assert run(f"{WITHDRAW} --out --reference rest")["amount"] == "70"
    sandbox = WITHDRAW.replace("taker-desk", "escrow-desk-sandbox").replace("0x", "sandbox:0x")
    assert run(f"{sandbox} --out --amount 7 --reference clean")["customer"] is None
    assert run(SHOW)["fees"] == [
        fees("taker-desk", BASE, "100", "100", "0"),
        fees("escrow-desk-sandbox", sandbox_asset(BASE), "7", "7", "0"),
    ]


def test_a_withdrawal_that_cannot_be_made_changes_nothing(run: Run, memory_database: Database) -> None:
    run(f"{WITHDRAW} --out --amount 1 --reference once")
    before = in_order(memory_database.scan("accounts"))
    for line, why in (
        (f"{WITHDRAW} --out --amount 100 --reference more", "insufficient"),
        (f"{WITHDRAW} --out --amount 2 --reference once", "taken by another"),
        (f"{WITHDRAW} --out --reference x".replace("0xB", "0xD"), "no such token"),
        (f"{WITHDRAW} --out --reference x".replace("test0001", "test0002"), "inst_test0002"),
        (f"{WITHDRAW} --customer ann --reference x".replace("0x", "sandbox:0x"), "can only leave"),
    ):
        with pytest.raises(CommandFailed, match=why):
            run(line)
    for line in (
        f"{WITHDRAW} --reference x",
        f"{WITHDRAW} --out",
        f"{WITHDRAW} --out --customer ann --reference x",
        f"{WITHDRAW} --out --amount 0 --reference x",
    ):
        with pytest.raises(SystemExit):
            run(line)
    assert in_order(memory_database.scan("accounts")) == before
