"""The escrow desk's demo on the in-memory engine: created once, in the sandbox's own assets."""

from __future__ import annotations

import pytest

from chalicelib import wiring
from chalicelib.domain.ledger.owners import supply_key
from chalicelib.domain.ledger.sandbox import sandbox_asset
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from infra import escrow_demo
from infra.demo import INSTANCE, INSTANCE_REF, QUOTE_TOKEN


@pytest.fixture
def database(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    monkeypatch.setattr(wiring, "master_key", lambda: b"k" * 32)
    cli.run(["instance", "create", "--ref", INSTANCE_REF])
    names = ["--name", "Euro", "--symbol", "EUR"]
    cli.run(["token", "create", "--instance", INSTANCE, "--token-address", QUOTE_TOKEN, *names])
    escrow_demo.seed("http://127.0.0.1:8000")
    return memory_database


def test_the_demo_is_made_once_and_its_money_is_the_sandboxes(database: Database) -> None:
    made = escrow_demo.escrow_desk({})
    before = sorted(map(repr, database.scan("accounts")))
    assert escrow_demo.escrow_desk(made) == made
    assert sorted(map(repr, database.scan("accounts"))) == before
    supply = supply_key(INSTANCE)
    assert Accounts(database).balance(supply, sandbox_asset(QUOTE_TOKEN)).available == escrow_demo.DEPOSIT
    assert Accounts(database).balance(supply, QUOTE_TOKEN).available == 0


def test_tables_from_before_the_sandboxs_own_assets_are_refused_with_advice(database: Database) -> None:
    escrow_demo.escrow_desk({})
    for row in list(database.scan("escrows")):
        if "currency" in row:
            database.put_many("escrows", [row | {"currency": row["currency"] | {"asset": QUOTE_TOKEN}}])
    with pytest.raises(CommandFailed, match=r"make them anew \(make run FRESH=1\)"):
        escrow_demo.escrow_desk({})
