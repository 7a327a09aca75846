"""Commands for the taker desk: keys, settings, instruments, quote tokens and single orders."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.signed.instruments import Stock, Terms
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import TAKER_KEYS, TakerKey, taker_secret_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops import cli
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import Instruments
from tests.apis.taker.desk import AAPL, INSTANCE, MAKER, MASTER_KEY, NOW_S, QUOTE, TAKER, Desk, data_of, open_taker_desk

Run = Callable[[str], dict[str, Any]]
CREATE = f"taker-key create --instance {INSTANCE} --taker {TAKER}"


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_taker_desk(memory_database)


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(wiring, "database", lambda: desk.database)
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)
    monkeypatch.setattr(wiring, "signed_order_desk", desk.commands)
    monkeypatch.setattr("chalicelib.ops.cli.taker_desk.now_s", lambda: desk.clock.now_s)
    return lambda line: cli.run(line.split())


def stored(desk: Desk, api_key: str) -> TakerKey:
    key = Credentials(desk.database, TAKER_KEYS).accept(api_key)
    assert key is not None
    return key


def test_a_new_key_is_printed_with_its_secret_and_lets_its_taker_in(run: Run, desk: Desk) -> None:
    printed = run(CREATE)
    api_key = printed["api_key"]
    assert printed["secret"] == taker_secret_of(MASTER_KEY, api_key)
    assert printed["key_id"] == digest_of(api_key)
    assert (printed["burst"], printed["per_second"], printed["expires_at"]) == (40, "20", None)
    key = stored(desk, api_key)
    assert (key.instance, key.taker, key.requires_signature) == (INSTANCE, TAKER, False)
    assert key.rate_limit == RateLimit(bucket=40, refill_per_1000_s=20_000, per_day=0)
    assert desk.send("GET", "/takers/orders", headers={"x-api-key": api_key}).status == 200


def test_a_keys_permissions_are_set_and_changed(run: Run, desk: Desk) -> None:
    options = "--expires-at 2027-01-31T00:00:00Z --require-signature --burst 5 --per-second 0.5"
    printed = run(f"{CREATE} {options}")
    assert (printed["expires_at"], printed["signature"]) == ("2027-01-31T00:00:00.000Z", "required")
    key_id, api_key = printed["key_id"], printed["api_key"]
    assert stored(desk, api_key).rate_limit == RateLimit(5, 500, 0)
    assert run(f"taker-key limit {key_id} --burst 0")["burst"] == 0
    assert stored(desk, api_key).rate_limit.is_off
    assert run(f"taker-key signature {key_id} optional")["signature"] == "optional"
    assert run(f"taker-key end {key_id} --never")["expires_at"] is None
    assert run(f"taker-key end {key_id} --at 2025-01-01T00:00:00Z")["expires_at"] == "2025-01-01T00:00:00.000Z"
    assert stored(desk, api_key).has_ended(NOW_S)
    for word, is_enabled in (("disable", False), ("enable", True)):
        for _ in range(2):
            assert run(f"taker-key {word} {key_id}")["enabled"] is is_enabled
        assert stored(desk, api_key).is_enabled is is_enabled


def test_listed_keys_show_no_secret(run: Run, desk: Desk) -> None:
    made = run(f"{CREATE} --burst 0 --expires-at 2027-01-31T00:00:00Z")
    listed = run(f"taker-key list {INSTANCE}")
    assert len(listed["keys"]) == 3
    for secret in (made["api_key"], made["secret"]):
        assert secret not in json.dumps(listed)
        assert secret not in repr(list(desk.database.scan("tenants")))
    (shown,) = [each for each in listed["keys"] if each["key_id"] == made["key_id"]]
    assert (shown["taker"], shown["enabled"], shown["signature"], shown["burst"]) == (TAKER, True, "optional", 0)
    assert shown["expires_at"] == "2027-01-31T00:00:00.000Z"


@pytest.mark.parametrize(
    "line",
    [
        CREATE.replace(TAKER, "0x12"),
        f"{CREATE} --expires-at tomorrow",
        f"{CREATE} --expires-at 2027-02-30T00:00:00Z",
        "taker-key disable abc",
        f"taker-key end {'0' * 64}",
        f"taker-key signature {'0' * 64} maybe",
        f"taker-desk change {INSTANCE} --fee-bps 1001",
        f"taker-desk change {INSTANCE} --lock-seconds 0",
        f"taker-desk change {INSTANCE} --details list",
        f"taker-desk change {INSTANCE} --ledger-settlement maybe",
        f"taker-desk change {INSTANCE} --verifying-contract 0x12",
        f"instrument add --instance {INSTANCE} --exchange 65536 --ticker X --token-address {AAPL}",
        f"instrument add --instance {INSTANCE} --exchange 0 --ticker aapl --token-address {AAPL}",
        f"signed-order show --instance {INSTANCE} 0x12",
    ],
)
def test_wrong_usage_changes_nothing(run: Run, desk: Desk, line: str) -> None:
    before = desk.tables()
    with pytest.raises(SystemExit):
        run(line)
    assert desk.tables() == before


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (CREATE.replace(INSTANCE, "inst_nobody01"), "no such instance: inst_nobody01"),
        ("taker-desk change inst_nobody01 --fee-bps 1", "no such instance: inst_nobody01"),
        (f"taker-key disable {'0' * 64}", "no such taker key: 0000"),
        (f"quote add --instance {INSTANCE} --token-address 0x{'9' * 40}", "no such token: 0x9999"),
        (
            f"instrument add --instance {INSTANCE} --exchange 0 --ticker AAPL --token-address {QUOTE}",
            "exists already: AAPL of exchange 0",
        ),
        (f"signed-order show --instance {INSTANCE} 0x{'9' * 64}", "no such order: 0x9999"),
        (f"signed-order suspend --instance {INSTANCE} 5ec4bac3-a43c-89e8-b85b-ac8c991bb90f", "no such order: 5ec4"),
    ],
)
def test_a_refused_command_says_why_and_changes_nothing(run: Run, desk: Desk, line: str, reason: str) -> None:
    before = desk.tables()
    with pytest.raises(cli.CommandFailed, match=reason):
        run(line)
    assert desk.tables() == before


def test_settings_are_shown_with_their_defaults(run: Run) -> None:
    assert run(f"taker-desk show {INSTANCE}") == {
        "instance": INSTANCE,
        "ledger_settlement": "on",
        "lock_seconds": 3600,
        "min_validity_seconds": 0,
        "auth_window_ms": 300_000,
        "jwt_ttl_seconds": 86_400,
        "fee_bps": 0,
        "details": "text",
        "burst": 40,
        "per_second": "20",
        "domain_name": "RFQSettlement",
        "domain_version": "1",
        "chain_id": 97,
        "verifying_contract": "0xCB310C56A19078aA969A922f382613d932D89D83",
    }


def test_each_setting_is_changed_and_the_others_stay(run: Run, desk: Desk) -> None:
    changes = {
        "ledger_settlement": "off",
        "lock_seconds": 60,
        "min_validity_seconds": 2_592_000,
        "auth_window_ms": 1000,
        "jwt_ttl_seconds": 600,
        "fee_bps": 25,
        "details": "object",
        "burst": 5,
        "per_second": "0.5",
        "domain_name": "Other",
        "domain_version": "2",
        "chain_id": 0,
        "verifying_contract": "0x" + "1" * 40,
    }
    expected = run(f"taker-desk show {INSTANCE}")
    for name, value in changes.items():
        expected |= {name: value}
        assert run(f"taker-desk change {INSTANCE} --{name.replace('_', '-')} {value}") == expected
    assert run(f"taker-desk change {INSTANCE}") == run(f"taker-desk show {INSTANCE}") == expected
    settings = TakerDesks(desk.database).settings(INSTANCE)
    assert not [name for name, value in asdict(settings).items() if value == asdict(DeskSettings())[name]]


def test_instruments_and_quotes_are_added_and_listed(run: Run, desk: Desk) -> None:
    run(f"instrument add --instance {INSTANCE} --exchange 1 --ticker B.A-9 --token-address 0x{AAPL[2:].upper()}")
    run(f"quote add --instance {INSTANCE} --token-address {AAPL}")
    assert run(f"quote list {INSTANCE}")["quotes"] == sorted([QUOTE, AAPL])
    added = {"exchange": 1, "ticker": "B.A-9", "token_address": AAPL, "decimals": 18}
    assert run(f"instrument list {INSTANCE}")["instruments"][-1] == added
    assert Instruments(desk.database).terms(INSTANCE, AAPL, 1, "B.A-9") == Terms(True, Stock(AAPL, 18))


def test_an_order_is_shown_by_its_id_and_by_its_hash(run: Run, desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    shown = run(f"signed-order show --instance {INSTANCE} {order_hash}")
    assert shown == run(f"signed-order show --instance {INSTANCE} {shown['order_id']}")
    assert shown | {"status": "locked", "maker": MAKER, "side": "BUY", "ticker": "AAPL", "filled": "0"} == shown
    assert shown["held_quote"] == "1503500000000000000000"
    assert shown["lock"] == {"taker": TAKER, "expires_at": "2025-01-17T04:00:24.000Z"}
    desk.clock.advance(3600)
    lapsed = run(f"signed-order show --instance {INSTANCE} {order_hash}")
    assert (lapsed["status"], lapsed["lock"]) == ("pending", None)


def test_an_order_is_suspended_and_resumed(run: Run, desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    for word, status in (("suspend", "suspended"), ("resume", "pending")):
        changed = run(f"signed-order {word} --instance {INSTANCE} {order_hash}")
        assert (changed["status"], changed["lock"]) == (status, None)
        assert data_of(desk.maker_get("/orders"))["orders"][0]["status"] == status
    before = desk.tables()
    with pytest.raises(cli.CommandFailed, match="the order is pending"):
        run(f"signed-order resume --instance {INSTANCE} {order_hash}")
    assert desk.tables() == before
