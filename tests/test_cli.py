"""The operator's command line, over its tables: what it makes, what it prints, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import NoRegionError

from chalicelib import cli, wiring
from chalicelib.core.config import BookStatus, SettlementMode
from chalicelib.stores.dynamodb import Database
from chalicelib.stores.tenants import Tenants
from tests.world import BASE, QUOTE

Run = Callable[[str], dict[str, Any]]
BOOK = f"book create --instance inst_demo0001 --name Demo --symbol D/Q --token-address {BASE}"
BOOK += f" --quote-token-address {QUOTE}"
CREDIT = f"credit --instance inst_demo0001 --customer ann --asset {BASE}"


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(wiring, "database", lambda: database)
    return lambda line: cli.run(line.split())


@pytest.fixture
def instance(run: Run) -> str:
    return str(run("instance create --ref demo0001")["instance"])


def test_an_instance_is_named_by_its_reference_and_made_once(run: Run) -> None:
    assert run("instance create --ref demo0001") == {"instance": "inst_demo0001", "services": ["trading"]}
    with pytest.raises(cli.CommandFailed, match="exists already"):
        run("instance create --ref demo0001")
    assert run("instance create --ref demo0002 --service none")["services"] == []


def test_a_key_is_printed_once_and_accepted(run: Run, instance: str, database: Database) -> None:
    made = run(f"key create --instance {instance} --rate-limit 7")
    credential = Tenants(database, lambda: 0).accept("demo0001", made["api_key"])
    assert credential is not None
    assert (credential.instance, credential.rate_limit) == (instance, 7)
    assert run(f"key create --instance {instance}")["rate_limit"] == 200  # T6
    secret = made["api_key"].rpartition("_")[2]
    assert len(secret) == 64
    assert secret not in repr(list(database.scan("tenants")))
    with pytest.raises(cli.CommandFailed, match="no such instance"):
        run("key create --instance inst_none0001")


def test_a_book_is_made_with_every_setting(run: Run, instance: str) -> None:
    made = run(
        BOOK + " --id ob_1 --base-decimals 8 --min-order-size 5 --max-order-size 500 --tick-size 10 --maker-fee-bps 5"
        " --taker-fee-bps 15 --market-collar-bps 0 --self-trade-prevention CANCEL_BOTH --status PAUSED"
        " --settlement-mode ON_CHAIN"
    )
    assert made == {"instance": instance, "order_book_id": "ob_1", "symbol": "D/Q"}
    config = wiring.database().get("books", {"book": "inst_demo0001/ob_1", "part": "config"})
    assert config is not None
    assert (config["order_size_min"], config["order_size_max"], config["tick_size"]) == (5, 500, 10)
    assert (config["base_decimals"], config["maker_fee_bps"], config["taker_fee_bps"]) == (8, 5, 15)
    assert (config["status"], config["settlement_mode"]) == (BookStatus.PAUSED, SettlementMode.ON_CHAIN)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (f" --quote-token-address {BASE}", "same"),
        (" --min-order-size 6 --max-order-size 5", "above the maximum"),
        (" --maker-fee-bps 1001", "fees"),
        (" --market-collar-bps 10001", "collar"),
        (" --base-decimals 31", "decimals"),
        (" --symbol SEVENTEEN/LETTERS", "symbol"),
    ],
)
@pytest.mark.usefixtures("instance")
def test_settings_that_contradict_each_other_are_refused(run: Run, database: Database, more: str, why: str) -> None:
    """T30"""
    with pytest.raises(cli.CommandFailed, match=why):
        run(BOOK + more)
    assert list(database.scan("books")) == []


@pytest.mark.usefixtures("instance")
def test_a_pair_or_a_symbol_has_one_open_book(run: Run) -> None:
    """T31"""
    run(BOOK + " --id ob_1")
    for line in (BOOK, BOOK + " --id ob_1", BOOK.replace(BASE, "0x" + "9" * 40).replace("D/Q", "d/q")):
        with pytest.raises(cli.CommandFailed, match="exists already"):
            run(line)
    run(BOOK + " --id ob_2 --settlement-mode ON_CHAIN")


def test_credits_and_debits_show_in_the_balances(run: Run, instance: str) -> None:
    run(f"{CREDIT} --amount {10**24} --id txn_1")
    again = run(f"{CREDIT} --amount {10**24} --id txn_1")
    assert (again["available"], again["held"]) == (str(10**24), "0")
    run(f"{CREDIT} --amount 1 --reference wire-17".replace("credit", "debit", 1))
    assert run(f"balances --instance {instance} --customer ann") == {
        "customer": "ann",
        "balances": [{"asset": BASE, "available": str(10**24 - 1), "held": "0"}],
    }
    with pytest.raises(cli.CommandFailed, match="insufficient"):
        run(f"{CREDIT} --amount {10**25}".replace("credit", "debit", 1))
    with pytest.raises(cli.CommandFailed, match="other facts"):
        run(f"{CREDIT} --amount 5 --id txn_1")
    with pytest.raises(cli.CommandFailed, match="38 digits"):
        run(f"{CREDIT} --amount {'9' * 38}")
    with pytest.raises(cli.CommandFailed, match="no such instance"):
        run(f"{CREDIT} --amount 5".replace("demo0001", "demo0009"))


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", "01", "1e3", "9" * 39, "x"])
@pytest.mark.usefixtures("instance")
def test_an_amount_that_is_none_is_wrong_usage(run: Run, database: Database, amount: str) -> None:
    before = list(database.scan("accounts"))
    with pytest.raises(SystemExit):
        run(f"{CREDIT} --amount {amount}")
    assert list(database.scan("accounts")) == before


def test_json_prints_one_object_and_a_failure_goes_to_standard_error(
    instance: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(line: str) -> int:
        monkeypatch.setattr("sys.argv", ["tallybook", *line.split()])
        return cli.main()

    assert main(f"balances --instance {instance} --customer ann --json") == 0
    assert json.loads(capsys.readouterr().out) == {"customer": "ann", "balances": []}
    assert main("instance create --ref demo0001 --json") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("tallybook: exists already")
    assert main(f"key create --instance {instance}") == 0
    assert "api_key: trusset_demo0001_" in capsys.readouterr().out


def test_what_aws_says_is_told_in_one_line(run: Run, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "database", lambda: Database(database._client, "no-such-prefix"))
    with pytest.raises(cli.CommandFailed, match="ResourceNotFoundException"):
        run("instance create --ref demo0001")

    def without_region() -> Database:
        raise NoRegionError

    monkeypatch.setattr(wiring, "database", without_region)
    with pytest.raises(cli.CommandFailed, match="region"):
        run("instance create --ref demo0001")
