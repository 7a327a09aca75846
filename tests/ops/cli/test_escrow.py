"""Commands for the escrow desk: output, refusals and effects."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.escrow.settings import CURRENCIES_MAX, PAYIN_TYPES_MAX, DeskSettings, ExternalPayinType
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_KEYS
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows

Run = Callable[[str], dict[str, Any]]
INSTANCE = "inst_demo0001"
EUR, JPY = "0x" + "e" * 40, "0x" + "1" * 40
KEY = "escrow-key create --instance inst_demo0001"


@pytest.fixture
def run(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)

    def run(line: str) -> dict[str, Any]:
        return cli.run(line.split())

    run("instance create --ref demo0001")
    for token, symbol in ((EUR, "EUR"), (JPY, "JPY")):
        run(f"token create --instance {INSTANCE} --token-address {token} --name {symbol} --symbol {symbol}")
    return run


@pytest.fixture
def shop(run: Run) -> Run:
    run(f"escrow-desk currency {INSTANCE} EUR --token-address {EUR}")
    run(f"merchant create {INSTANCE} shop --base-currency EUR")
    return run


def test_settings_are_shown_and_those_that_are_given_are_changed(run: Run, memory_database: Database) -> None:
    shown = run(f"escrow-desk settings {INSTANCE}")
    assert shown == {
        "instance": INSTANCE,
        "currencies": [],
        "release_delay_seconds": 0,
        "public_base_url": "https://pay.example.test",
        "iban": None,
        "beneficiary": None,
        "payin_types": [],
    }
    changed = run(f"escrow-desk settings {INSTANCE} --release-delay-seconds 60 --iban ES00")
    assert changed == shown | {"release_delay_seconds": 60, "iban": "ES00"}
    assert run(
        f"escrow-desk settings {INSTANCE} --beneficiary Shop --public-base-url https://pay.x.test/a"
    ) == changed | {
        "beneficiary": "Shop",
        "public_base_url": "https://pay.x.test/a",
    }
    assert EscrowDesks(memory_database).settings(INSTANCE).release_delay_seconds == 60


def test_an_external_payin_type_is_enabled_with_secrets_that_are_shown_once(
    run: Run, memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "master_key", lambda: b"k" * 32)
    line = f"escrow-desk payin-type {INSTANCE} REDSYS_V2"
    first = run(line)
    worlds = ("sandbox", "production")
    assert first["callbacks"] == {world: f"/2.0/callbacks/{INSTANCE}/{world}/REDSYS_V2" for world in worlds}
    assert len({first["secrets"][world] for world in worlds}) == 2
    assert run(line) == {name: value for name, value in first.items() if name != "secrets"}
    assert EscrowDesks(memory_database).settings(INSTANCE).payin_types == (ExternalPayinType("REDSYS_V2"),)
    rotated = run(f"{line} --rotate")["secrets"]
    assert not set(rotated.values()) & set(first["secrets"].values())
    assert run(f"escrow-desk settings {INSTANCE}")["payin_types"] == ["REDSYS_V2"]
    assert run(f"{line} --remove") == {"instance": INSTANCE, "payin_type": "REDSYS_V2", "removed": True}
    assert run(f"escrow-desk settings {INSTANCE}")["payin_types"] == []


@pytest.mark.parametrize("name", ["WALLET", "BANKWIRE", "redsys", "X", "2CO", "A" * 41])
def test_a_name_that_no_external_payin_type_has(run: Run, name: str) -> None:
    with pytest.raises(SystemExit):
        run(f"escrow-desk payin-type {INSTANCE} {name}")


@pytest.mark.parametrize("how", ["--rotate", "--remove"])
def test_an_external_payin_type_that_is_not_there_is_refused(run: Run, how: str) -> None:
    with pytest.raises(CommandFailed, match="no such external payin type: STRIPE"):
        run(f"escrow-desk payin-type {INSTANCE} STRIPE {how}")


def test_a_desk_has_twenty_external_payin_types_at_most(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "master_key", lambda: b"k" * 32)
    for number in range(PAYIN_TYPES_MAX):
        run(f"escrow-desk payin-type {INSTANCE} CARD_{number}")
    with pytest.raises(CommandFailed, match="has its 20 external payin types already"):
        run(f"escrow-desk payin-type {INSTANCE} CARD")


def test_a_merchant_lists_the_sites_that_may_frame_its_pages(shop: Run, memory_database: Database) -> None:
    line = f"merchant frames {INSTANCE} shop"
    assert shop(f"{line} --origin https://a.test --origin https://b.test:8443")["frames"] == [
        "https://a.test",
        "https://b.test:8443",
    ]
    merchant = EscrowDesks(memory_database).merchant(INSTANCE, "shop")
    assert merchant.frames == ("https://a.test", "https://b.test:8443")
    assert shop(line)["frames"] == list(merchant.frames), "who only looks changes nothing"
    assert shop(f"{line} --origin https://c.test")["frames"] == ["https://c.test"]
    assert shop(f"{line} --none")["frames"] == shop(line)["frames"] == []
    for bad in ("https://a.test/x", "*", "https://a.test;script-src"):
        with pytest.raises(SystemExit):
            shop(f"{line} --origin {bad}")
    with pytest.raises(CommandFailed, match="no such merchant"):
        shop(f"merchant frames {INSTANCE} nobody")
    with pytest.raises(CommandFailed, match="10 origins at most"):
        shop(line + "".join(f" --origin https://s{number}.test" for number in range(11)))


def test_a_currency_is_a_registered_token(run: Run, memory_database: Database) -> None:
    line = f"escrow-desk currency {INSTANCE} EUR --token-address {EUR}"
    assert run(line)["currencies"] == [{"code": "EUR", "decimals": 2, "token_address": EUR}]
    assert run(line) == run(f"escrow-desk settings {INSTANCE}"), "once more changes nothing"
    run(f"escrow-desk currency {INSTANCE} JPY --token-address {JPY} --decimals 0")
    assert EscrowDesks(memory_database).settings(INSTANCE).currencies == (
        Currency("EUR", 2, EUR),
        Currency("JPY", 0, JPY),
    )
    run(f"token create --instance {INSTANCE} --token-address 0x{'6' * 40} --name Six --symbol SIX --decimals 6")
    for refused in (
        f"escrow-desk currency {INSTANCE} EUR --token-address {JPY}",
        f"escrow-desk currency {INSTANCE} EUR --token-address {EUR} --decimals 3",
        f"escrow-desk currency {INSTANCE} USD --token-address {EUR}",
        f"escrow-desk currency {INSTANCE} USD --token-address 0x{'9' * 40}",
        f"escrow-desk currency {INSTANCE} USD --token-address 0x{'6' * 40}",
        f"escrow-desk currency {INSTANCE} JPY --token-address {JPY} --decimals 5",
        f"escrow-desk currency inst_none0001 EUR --token-address {EUR}",
    ):
        with pytest.raises(CommandFailed):
            run(refused)


@pytest.mark.parametrize(
    ("code", "decimals"), [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("HUF", 2), ("ISK", 0)]
)
def test_a_currencys_minor_unit_is_that_of_iso_4217(run: Run, code: str, decimals: int) -> None:
    """E33"""
    (currency,) = run(f"escrow-desk currency {INSTANCE} {code} --token-address {EUR}")["currencies"]
    assert (currency["code"], currency["decimals"]) == (code, decimals)


def test_a_given_setting_overrides_and_the_others_stay(run: Run) -> None:
    """E33"""
    line = f"escrow-desk currency {INSTANCE} JPY --token-address {JPY}"
    before = run(f"{line} --decimals 2")
    assert before["currencies"][0]["decimals"] == 2
    assert run(line) == before
    with pytest.raises(CommandFailed, match="other decimals"):
        run(f"{line} --decimals 0")
    assert run(f"escrow-desk settings {INSTANCE}") == before


@pytest.mark.parametrize("code", ["XAU", "XTS", "XXX", "QQQ"])
def test_a_code_without_a_minor_unit_needs_its_decimals(run: Run, code: str) -> None:
    line = f"escrow-desk currency {INSTANCE} {code} --token-address {EUR}"
    with pytest.raises(CommandFailed, match=f"ISO 4217 has no minor unit for {code}: give --decimals"):
        run(line)
    assert run(f"escrow-desk settings {INSTANCE}")["currencies"] == []
    assert run(f"{line} --decimals 4")["currencies"][0]["decimals"] == 4


def test_the_number_of_currencies_is_limited() -> None:
    settings = DeskSettings()
    for number in range(CURRENCIES_MAX):
        settings = settings.with_currency(Currency(f"C{number:02d}", 2, f"0x{number:040x}"), INSTANCE)
    with pytest.raises(Exception, match="has its 20 currencies already"):
        settings.with_currency(Currency("EUR", 2, EUR), INSTANCE)


def test_a_merchant_is_made_with_its_own_wallets_in_both_worlds(shop: Run, memory_database: Database) -> None:
    """E18"""
    (listed,) = shop(f"merchant list {INSTANCE}")["merchants"]
    assert (listed["merchant"], listed["base_currency"]) == ("shop", "EUR")
    merchant = EscrowDesks(memory_database).merchant(INSTANCE, "shop")
    escrows = Escrows(memory_database)
    for world in World:
        own = escrows.customer(merchant.scope(world), merchant.customers[world])
        assert own is not None
        assert (own.is_hidden, list(own.wallets)) == (True, ["EUR"])
    with pytest.raises(CommandFailed, match="exists already: shop"):
        shop(f"merchant create {INSTANCE} shop --base-currency EUR")
    with pytest.raises(CommandFailed, match="no such currency: USD"):
        shop(f"merchant create {INSTANCE} other --base-currency USD")


@pytest.mark.parametrize(
    ("whose", "prefix", "world", "merchant"),
    [
        ("--merchant shop --world sandbox", "sk_stage_", World.SANDBOX, "shop"),
        ("--merchant shop --world production", "sk_production_", World.PRODUCTION, "shop"),
        ("--operator --world sandbox", "op_stage_", World.SANDBOX, None),
        ("--operator --world production", "op_production_", World.PRODUCTION, None),
    ],
)
def test_a_key_is_printed_once_and_its_prefix_says_its_world(
    shop: Run, memory_database: Database, whose: str, prefix: str, world: World, merchant: str | None
) -> None:
    """E2"""
    printed = shop(f"{KEY} {whose}")
    assert re.fullmatch(f"{prefix}[A-Za-z0-9]{{40}}", printed["key"])
    assert printed["key_id"] == digest_of(printed["key"])
    stored = Credentials(memory_database, ESCROW_KEYS).accept(printed["key"])
    assert stored is not None
    assert (stored.instance, stored.world, stored.merchant) == (INSTANCE, world, merchant)
    assert (stored.is_enabled, stored.is_read_only) == (True, False)
    assert stored.rate_limit == RateLimit(60, 5000, 0), "300 a minute, 60 at once"
    assert printed["key"] not in str(list(memory_database.scan("tenants")))


def test_keys_are_listed_disabled_enabled_and_deleted(shop: Run, memory_database: Database) -> None:
    whose = "--merchant shop --world sandbox"
    first, second = (shop(f"{KEY} {whose} {more}") for more in ("", "--read-only --burst 0 --per-minute 60"))
    keys = {key["key_id"]: key for key in shop(f"escrow-key list {INSTANCE}")["keys"]}
    assert {key["is_read_only"] for key in keys.values()} == {True, False}
    assert (keys[second["key_id"]]["burst"], keys[second["key_id"]]["per_minute"]) == (0, 60)
    assert all("key" not in key for key in keys.values())
    accept = Credentials(memory_database, ESCROW_KEYS).accept
    for word, is_enabled in (("disable", False), ("disable", False), ("enable", True)):
        assert shop(f"escrow-key {word} {first['key_id']}")["is_enabled"] is is_enabled
        found = accept(first["key"])
        assert found is not None
        assert found.is_enabled is is_enabled
    assert shop(f"escrow-key delete {first['key_id']}")["key_id"] == first["key_id"]
    assert accept(first["key"]) is None
    assert [key["key_id"] for key in shop(f"escrow-key list {INSTANCE}")["keys"]] == [second["key_id"]]
    for word in ("disable", "enable", "delete"):
        with pytest.raises(CommandFailed, match="no such escrow key"):
            shop(f"escrow-key {word} {first['key_id']}")


@pytest.mark.parametrize(
    "line",
    [
        f"{KEY} --merchant nobody --world sandbox",
        f"escrow-desk settings {INSTANCE} --release-delay-seconds -1",
        f"escrow-desk settings {INSTANCE} --release-delay-seconds 99999999",
        f"escrow-desk settings {INSTANCE} --public-base-url ftp://x.test",
        f"escrow-desk settings {INSTANCE} --public-base-url https://x.test/",
        f"escrow-desk currency {INSTANCE} eur --token-address {EUR}",
        f"merchant create {INSTANCE} a/b --base-currency EUR",
        f"{KEY} --merchant shop --operator --world sandbox",
        f"{KEY} --merchant shop --world moon",
        f"{KEY} --merchant shop --world sandbox --per-minute -1",
        "escrow-key delete short",
        "merchant list inst_none0001",
    ],
)
def test_an_impossible_command_is_refused_and_changes_nothing(shop: Run, memory_database: Database, line: str) -> None:
    before = [list(memory_database.scan(table)) for table in ("tenants", "escrows")]
    with pytest.raises((CommandFailed, SystemExit)):
        shop(line)
    assert [list(memory_database.scan(table)) for table in ("tenants", "escrows")] == before
