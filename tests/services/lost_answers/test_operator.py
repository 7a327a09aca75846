"""What a command of the operator's tells holds, whichever attempt at a write was carried out and not answered (T60)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.ops import cli
from chalicelib.ops.cli import books as books_commands
from chalicelib.ops.cli.failures import CommandFailed
from tests.in_memory import database_of, empty_tables
from tests.lossy_endpoint import NEVER_APPLIED, Lossy
from tests.memory import MemoryDynamoDB
from tests.services.lost_answers.losses import each_write, facts, swept
from tests.world import BASE, INSTANCE, QUOTE

CUSTOMER = f"--instance {INSTANCE} --customer ann --asset {BASE}"
SET_UP = (
    "instance create --ref test0001",
    f"token create --instance {INSTANCE} --token-address {BASE} --name Base --symbol B",
    f"token create --instance {INSTANCE} --token-address {QUOTE} --name Quote --symbol Q",
    f"credit {CUSTOMER} --amount 500",
    f"escrow-desk currency {INSTANCE} EUR --token-address {QUOTE}",
    f"book create --instance {INSTANCE} --id ob_1 --name D --symbol D/Q --token-address {BASE} "
    f"--quote-token-address {QUOTE}",
    f"key create --instance {INSTANCE}",
    f"api-token create --instance {INSTANCE} --customer ann --permission read",
    f"taker-key create --instance {INSTANCE} --taker 0x{'1' * 40}",
    f"escrow-key create --instance {INSTANCE} --operator --world sandbox",
)
LINES = {
    "instance": "instance create --ref test0002",
    "service": f"instance disable {INSTANCE} trading",
    "key": f"key create --instance {INSTANCE}",
    "token": f"token create --instance {INSTANCE} --token-address 0x{'9' * 40} --name Nine --symbol NINE",
    "credit": f"credit {CUSTOMER} --amount 500",
    "named credit": f"credit {CUSTOMER} --amount 500 --id txn_1",
    "debit": f"debit {CUSTOMER} --amount 500 --reference r",
    "book": (
        f"book create --instance {INSTANCE} --id ob_2 --name E --symbol Q/D --token-address {QUOTE} "
        f"--quote-token-address {BASE}"
    ),
    "pause": f"book pause {INSTANCE}/ob_1",
    "api token": f"api-token create --instance {INSTANCE} --customer ann --permission read",
    "taker key": f"taker-key create --instance {INSTANCE} --taker 0x{'1' * 40}",
    "instrument": f"instrument add --instance {INSTANCE} --exchange 0 --ticker AAPL --token-address {BASE}",
    "quote": f"quote add --instance {INSTANCE} --token-address {QUOTE}",
    "settings": f"escrow-desk settings {INSTANCE} --iban ES00",
    "merchant": f"merchant create {INSTANCE} shop --base-currency EUR",
    "escrow key": f"escrow-key create --instance {INSTANCE} --operator --world sandbox",
    "archive": f"instance archive {INSTANCE}",
    "rotate": f"key rotate {INSTANCE} {{key}}",
    "revoke": f"key revoke {INSTANCE} {{key}}",
    "limit": f"key limit {INSTANCE} {{key}} 7",
    "block": "api-token block {api-token}",
    "disable a taker key": "taker-key disable {taker-key}",
    "limit a taker key": "taker-key limit {taker-key} --burst 7",
    "disable an escrow key": "escrow-key disable {escrow-key}",
    "delete an escrow key": "escrow-key delete {escrow-key}",
    "currency": f"escrow-desk currency {INSTANCE} USD --token-address {BASE}",
    "taker desk": f"taker-desk change {INSTANCE} --fee-bps 7",
}
SAME_HOWEVER_OFTEN = (
    "instrument", "quote", "block", "disable a taker key", "limit a taker key", "disable an escrow key",
)  # fmt: skip
"""Writes without a condition that their first attempt breaks: nobody looks, for to write them again is no harm."""


@pytest.fixture(scope="module")
def operated() -> tuple[MemoryDynamoDB, dict[str, str]]:
    """An instance with all that lines name, and the ids of its keys by their kind."""
    client, ids = empty_tables(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "database", lambda: database_of(client))
        patch.setenv("TALLYBOOK_MASTER_KEY", "k" * 40)
        for line in SET_UP:
            made = cli.run(line.split())
            ids[line.split()[0]] = str(made.get("key_id", made.get("token_id")))
    return client, ids


@swept
@pytest.mark.parametrize("name", LINES)
def test_a_command_of_the_operator(
    lossy: Lossy,
    operated: tuple[MemoryDynamoDB, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    loss: str,
    knows_tokens: bool,
) -> None:
    built, ids = operated
    line = LINES[name].format_map(ids).split()
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY", "k" * 40)
    monkeypatch.setattr(books_commands, "CHANGE_WAIT_S", 0)  # no matcher runs that a change could wait for

    def run(tables: Any) -> None:
        monkeypatch.setattr(wiring, "database", lambda: database_of(tables))
        cli.run(line)

    done = built.clone()
    run(done)
    before, after = facts(database_of(built)), facts(database_of(done))
    assert before != after
    for at, tables, endpoint, client in each_write(lossy, built, loss, knows_tokens=knows_tokens):
        try:
            run(client)
        except CommandFailed as failed:
            is_unchanged = loss == NEVER_APPLIED or endpoint.lost_ids
            is_told_unknown = name in SAME_HOWEVER_OFTEN and "not known" in failed.args[0]
            assert is_unchanged or is_told_unknown, f"{at}: {failed}"  # noqa: PT017
            assert facts(database_of(tables)) == (before if is_unchanged else after)
        else:
            assert facts(database_of(tables)) == after
