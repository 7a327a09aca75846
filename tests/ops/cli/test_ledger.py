"""Commands for tokens, credits, debits and balances: output and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.tables.dynamodb import Database
from infra import demo
from tests.ordering import in_order
from tests.world import BASE, QUOTE

Run = Callable[[str], dict[str, Any]]
INSTANCE = "inst_demo0001"
TOKEN = f"token create --instance {INSTANCE} --token-address {BASE} --name Gold --symbol XAU"
CREDIT = f"credit --instance {INSTANCE} --customer ann --asset {BASE}"
DEBIT = CREDIT.replace("credit", "debit", 1)


@pytest.fixture
def run(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line on a deployment that has one instance and one token."""
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    cli.run(["instance", "create", "--ref", "demo0001"])
    cli.run(TOKEN.split())
    return lambda line: cli.run(line.split())


def everything(database: Database) -> list[object]:
    return [in_order(database.scan(table)) for table in ("tokens", "accounts")]


def test_a_token_is_registered_with_every_setting_and_listed(run: Run) -> None:
    line = TOKEN.replace(BASE, "0x" + "C" * 40).replace("XAU", "EUR").replace("Gold", "Euro")
    made = run(f"{line} --decimals 0 --metadata-uri https://x.test/eur --asset-type CASH")
    token_id = made["token_id"]
    assert made == {
        "instance": INSTANCE, "token_id": token_id, "token_address": QUOTE, "name": "Euro", "symbol": "EUR",
        "decimals": 0, "metadata_uri": "https://x.test/eur", "asset_type": "CASH", "is_active": True,
    }  # fmt: skip
    first, second = run(f"token list --instance {INSTANCE}")["tokens"]
    assert {"instance": INSTANCE} | first == made
    assert (second["symbol"], second["decimals"], second["metadata_uri"]) == ("XAU", 18, None)


@pytest.mark.parametrize("line", [TOKEN, TOKEN.replace("XAU", "X"), TOKEN.replace(BASE, QUOTE).replace("XAU", "xau")])
def test_an_address_and_a_symbol_are_registered_once(run: Run, memory_database: Database, line: str) -> None:
    before = everything(memory_database)
    with pytest.raises(CommandFailed, match="exists already"):
        run(line)
    assert everything(memory_database) == before


@pytest.mark.parametrize(
    "line",
    [
        TOKEN.replace("XAU", "SEVENTEEN_LETTERS"),
        TOKEN.replace("Gold", "x" * 65),
        TOKEN.replace(BASE, "0x1"),
        f"{TOKEN} --decimals -1",
        f"{TOKEN} --asset-type {'x' * 65}",
        f"{TOKEN} --metadata-uri {'x' * 2049}",
    ],
)
def test_a_token_out_of_bounds_is_wrong_usage(run: Run, memory_database: Database, line: str) -> None:
    before = everything(memory_database)
    with pytest.raises(SystemExit):
        run(line)
    with pytest.raises(CommandFailed, match="decimals"):
        run(TOKEN.replace(BASE, QUOTE).replace("XAU", "X") + " --decimals 31")
    with pytest.raises(CommandFailed, match="inst_none0001"):
        run(TOKEN.replace(INSTANCE, "inst_none0001"))
    assert everything(memory_database) == before


def test_credits_and_debits_show_in_the_balances(run: Run, memory_database: Database) -> None:
    first = run(f"{CREDIT} --amount {10**24} --id txn_1")
    again = run(f"{CREDIT} --amount {10**24} --id txn_1")
    assert again == first
    assert (again["available"], again["held"]) == (str(10**24), "0")
    run(f"{DEBIT} --amount 1 --reference wire-17")
    assert run(f"balances --instance {INSTANCE} --customer ann") == {
        "customer": "ann",
        "balances": [{"asset": BASE, "available": str(10**24 - 1), "held": "0"}],
    }
    before = everything(memory_database)
    assert run(f"{DEBIT} --amount 1 --reference wire-17")["available"] == str(10**24 - 1)
    for line, why in (
        (f"{DEBIT} --amount {10**25}", "insufficient"),
        (f"{CREDIT} --amount 5 --id txn_1", "other facts"),
        (f"{DEBIT} --amount 2 --reference wire-17", "other facts"),
        (f"{CREDIT} --amount {'9' * 38}", "38 digits"),
        (f"{CREDIT} --amount 5".replace(BASE, QUOTE), "no such token"),
        (f"{CREDIT} --amount 5".replace("demo0001", "demo0009"), "inst_demo0009"),
    ):
        with pytest.raises(CommandFailed, match=why):
            run(line)
    assert everything(memory_database) == before


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", "01", "1e3", "9" * 39, "x"])
def test_an_invalid_amount_is_wrong_usage(run: Run, memory_database: Database, amount: str) -> None:
    before = everything(memory_database)
    with pytest.raises(SystemExit):
        run(f"{CREDIT} --amount {amount}")
    assert everything(memory_database) == before


def test_seeding_the_demo_again_changes_nothing(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    demo.seed()
    once = everything(memory_database)
    demo.seed()
    assert everything(memory_database) == once
    tokens = cli.run(["token", "list", "--instance", demo.INSTANCE])["tokens"]
    assert [(token["name"], token["symbol"], token["decimals"]) for token in tokens] == [
        ("Real", "BRL", 8),
        ("Bitcoin", "BTC", 8),
        ("Euro", "EUR", 18),
        ("Example Shares", "EXS", 18),
    ]
