"""Commands for the escrow desk: settings, currencies, merchants and keys."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from chalicelib import wiring
from chalicelib.domain.escrow.money import MAJOR_UNIT_DECIMALS, Currency
from chalicelib.domain.escrow.order import Merchant
from chalicelib.domain.escrow.payments import callback_sender
from chalicelib.domain.escrow.settings import PAYIN_TYPE_PATTERN, RELEASE_DELAY_SECONDS_MAX, DeskSettings
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_KEYS, ESCROW_RATE_LIMIT, EscrowKey, escrow_prefix_of
from chalicelib.domain.webhooks.signing import callback_secret_of
from chalicelib.ops.cli.arguments import (
    CommandFailed,
    Printed,
    add_command,
    add_group,
    add_instance,
    asset,
    count,
    pattern,
    rate_limit,
)
from chalicelib.ops.cli.credentials import Commands
from chalicelib.ops.cli.tenants import tenants
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.support.clock import iso, now_s
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.tokens import Tokens

CURRENCY_DECIMALS_MAX = 4
FRAMES_MAX = 10
KEY_BYTES = 20
_MERCHANT = pattern(r"[A-Za-z0-9_-]{1,40}", "must be 1 to 40 letters, digits, _ or -")
_CURRENCY = pattern(r"[A-Z]{3}", "must be three capital letters, as in EUR (ISO 4217)")
_URL = pattern(r"https?://[^\s/]+(/[^\s]*[^\s/])?", "must be an http or https URL without a slash at its end")
_ORIGIN = pattern(r"https?://[a-z0-9.-]{1,200}(:[0-9]{1,5})?", "must be an origin, as in https://shop.example")
_EMAIL = pattern(r"[!-?A-~]{1,200}@[!-?A-~]{1,54}", "must be an e-mail address")
_PAYIN_TYPE = pattern(PAYIN_TYPE_PATTERN, "must be capitals, digits and _, as in REDSYS_V2, not WALLET or BANKWIRE")
_LINE = pattern(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,140}", "must be 1 to 140 characters without control characters")


def add_commands(groups: Any) -> None:
    """Add the groups ``escrow-desk``, ``merchant`` and ``escrow-key``."""
    _add_desk_commands(add_group(groups, "escrow-desk", "an instance's escrow desk"))
    _add_merchant_commands(add_group(groups, "merchant", "merchants of the escrow desk"))
    _add_key_commands(add_group(groups, "escrow-key", "keys of the escrow desk"))


def _add_desk_commands(group: Any) -> None:
    command = add_command(group, "settings", _settings, "show the settings; those that are given are changed first")
    add_instance(command)
    command.add_argument(
        "--release-delay-seconds", type=_delay, help="between a validation and its release, 0 for both in one call (0)"
    )
    command.add_argument("--public-base-url", type=_URL, help="in front of an order's links")
    command.add_argument("--iban", type=_LINE, help="where bank-wire payins are to be sent")
    command.add_argument("--beneficiary", type=_LINE, help="and to whom")
    text = "enable payins with a provider outside; the secrets of its callbacks are printed when they are new"
    command = add_command(group, "payin-type", _payin_type, text)
    add_instance(command)
    command.add_argument("name", metavar="TYPE", type=_PAYIN_TYPE, help="as in REDSYS_V2")
    how = command.add_mutually_exclusive_group()
    how.add_argument("--rotate", action="store_true", help="new secrets; callbacks signed with the old are refused")
    how.add_argument("--remove", action="store_true", help="open no more payins of this type, take no more callbacks")
    command = add_command(group, "currency", _currency, "enable a currency: a registered token with 18 decimals")
    add_instance(command)
    command.add_argument("code", metavar="CODE", type=_CURRENCY, help="as in EUR")
    command.add_argument("--token-address", type=asset, required=True)
    command.add_argument("--decimals", type=count, help="of its minor unit (as ISO 4217 has it: EUR 2, JPY 0, KWD 3)")


def _add_merchant_commands(group: Any) -> None:
    command = add_command(group, "create", _create_merchant, "make a merchant, with its own wallets in both worlds")
    add_instance(command)
    command.add_argument("merchant", metavar="MERCHANT", type=_MERCHANT, help="its reference in the instance")
    command.add_argument("--base-currency", type=_CURRENCY, required=True, help="of orders that name none")
    command.add_argument("--email", type=_EMAIL, help="shown to clients of its keys (/accounts/me)")
    command = add_command(group, "frames", _frames, "show which sites may frame its orders' pages, or set them")
    add_instance(command)
    command.add_argument("merchant", metavar="MERCHANT", type=_MERCHANT)
    change = command.add_mutually_exclusive_group()
    text = "as in https://shop.example; repeat it for each of them: those before are gone"
    change.add_argument("--origin", dest="origins", action="append", type=_ORIGIN, help=text)
    change.add_argument("--none", dest="origins", action="store_const", const=[], help="no site any more")
    command = add_command(group, "list", _list_merchants, "list an instance's merchants")
    add_instance(command)
    command.set_defaults(lines=_merchant_lines)


def _add_key_commands(group: Any) -> None:
    command = add_command(group, "create", _create_key, "make a key; it is printed this once")
    command.add_argument("--instance", required=True)
    whose = command.add_mutually_exclusive_group(required=True)
    whose.add_argument("--merchant", type=_MERCHANT, help="whose orders, customers and wallets it is for")
    whose.add_argument("--operator", action="store_true", help="for the operator's routes, on all merchants' things")
    command.add_argument("--world", choices=[world.value for world in World], required=True)
    command.add_argument("--read-only", action="store_true", help="for GET alone")
    command.add_argument(
        "--bare", action="store_true", help="for generated clients: answers as the vendor publishes them"
    )
    command.add_argument(
        "--burst",
        type=count,
        default=ESCROW_RATE_LIMIT.bucket,
        help="requests that may come at once, 0 for no limit (60)",
    )
    text = "how fast they are granted again, 0 for no limit (300)"
    command.add_argument("--per-minute", type=_per_minute, default=300, help=text)
    KEYS.add_list(group, _listed_keys, "list an instance's keys by their digests")
    KEYS.add_change(group, "enable", lambda _options: {"is_enabled": True}, "let a key in again")
    text = "let a key in no more, until it is enabled"
    KEYS.add_change(group, "disable", lambda _options: {"is_enabled": False}, text)
    KEYS.add_delete(group, "forget a key for good")


def _delay(text: str) -> int:
    seconds = count(text)
    if seconds > RELEASE_DELAY_SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"must be {RELEASE_DELAY_SECONDS_MAX} seconds at most")
    return seconds


def _per_minute(text: str) -> int:
    return int(pattern(r"[0-9]{1,6}", "must be a whole number")(text))


def _settings(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    names = ("release_delay_seconds", "public_base_url", "iban", "beneficiary")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    desks = EscrowDesks(wiring.database())
    if not given:
        return _shown_settings(instance, desks.settings(instance))
    return _shown_settings(instance, desks.change(instance, lambda settings: replace(settings, **given)))


def _payin_type(options: argparse.Namespace) -> Printed:
    instance, name = tenants().get(options.instance).instance, options.name
    desks = EscrowDesks(wiring.database())
    before = desks.settings(instance).payin_type(name)
    if options.remove:
        desks.change(instance, lambda settings: settings.without_payin_type(name))
        return {"instance": instance, "payin_type": name, "removed": True}
    if options.rotate:
        after = desks.change(instance, lambda settings: settings.with_next_secret(name))
    else:
        after = desks.change(instance, lambda settings: settings.with_payin_type(name, instance))
    kind = after.payin_type(name)
    senders = {world.value: callback_sender(instance, world, name) for world in World}
    printed: Printed = {
        "instance": instance,
        "payin_type": name,
        "callbacks": {world: f"/2.0/callbacks/{sender}" for world, sender in senders.items()},
    }
    if kind is None or kind == before:
        return printed
    key, number = wiring.master_key(), kind.generation
    return printed | {"secrets": {world: callback_secret_of(key, one, number) for world, one in senders.items()}}


def _currency(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    token = Tokens(wiring.database()).get(instance, options.token_address)
    if token is None or not token.is_active:
        raise CommandFailed(f"no such token, register it first (tallybook token create): {options.token_address}")
    if token.decimals != MAJOR_UNIT_DECIMALS:
        raise CommandFailed(f"a currency's token has {MAJOR_UNIT_DECIMALS} decimals, this one has {token.decimals}")
    if options.decimals is not None and options.decimals > CURRENCY_DECIMALS_MAX:
        raise CommandFailed(f"decimals must be 0 to {CURRENCY_DECIMALS_MAX}")

    def with_currency(settings: DeskSettings) -> DeskSettings:
        known, decimals = settings.currency(options.code, World.PRODUCTION), options.decimals
        if decimals is None:
            decimals = iso_decimals(options.code) if known is None else known.decimals
        return settings.with_currency(Currency(options.code, decimals, token.address), instance)

    return _shown_settings(instance, EscrowDesks(wiring.database()).change(instance, with_currency))


def iso_decimals(code: str) -> int:
    """Return the decimals of a currency's minor unit (E33). Raises CommandFailed if ISO 4217 defines none."""
    from iso4217 import raw_table  # a table of 50 KB, which only this command needs

    minor_unit = str(raw_table.get(code, {}).get("CcyMnrUnts"))
    if not minor_unit.isdecimal():
        raise CommandFailed(f"ISO 4217 has no minor unit for {code}: give --decimals")
    return int(minor_unit)


def _create_merchant(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    desk = EscrowDesk(wiring.database(), now_s)
    return _shown_merchant(desk.create_merchant(instance, options.merchant, options.base_currency, options.email))


def _frames(options: argparse.Namespace) -> Printed:
    """Show a merchant's frames. They change only where the command names some, or none in so many words."""
    instance, desks = tenants().get(options.instance).instance, EscrowDesks(wiring.database())
    if options.origins is None:
        return _shown_merchant(desks.merchant(instance, options.merchant))
    origins = list(dict.fromkeys(options.origins))
    if len(origins) > FRAMES_MAX:
        raise CommandFailed(f"a merchant has {FRAMES_MAX} origins at most")
    return _shown_merchant(desks.set_frames(instance, options.merchant, origins))


def _list_merchants(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    return {"merchants": list(map(_shown_merchant, EscrowDesks(wiring.database()).merchants(instance)))}


def _create_key(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    if options.merchant is not None:
        EscrowDesks(wiring.database()).merchant(instance, options.merchant)
    world = World(options.world)
    key = escrow_prefix_of(world, is_operators=options.operator) + secrets.token_hex(KEY_BYTES)
    limit = rate_limit(ESCROW_RATE_LIMIT, options.burst, options.per_minute * 1000 // 60)
    own = {"world": world, "merchant": options.merchant, "is_read_only": options.read_only, "is_bare": options.bare}
    return KEYS.create(instance, key, limit, **own) | {"key": key}


def _listed_keys(_instance: str, keys: list[EscrowKey]) -> Printed:
    return {"keys": list(map(KEYS.printed, keys))}


def _shown_settings(instance: str, settings: DeskSettings) -> Printed:
    return {
        "instance": instance,
        "currencies": [
            {"code": currency.code, "decimals": currency.decimals, "token_address": currency.asset}
            for currency in settings.currencies
        ],
        "release_delay_seconds": settings.release_delay_seconds,
        "public_base_url": settings.public_base_url,
        "iban": settings.iban,
        "beneficiary": settings.beneficiary,
        "payin_types": [kind.name for kind in settings.payin_types],
    }


def _shown_merchant(merchant: Merchant) -> Printed:
    return {
        "instance": merchant.instance,
        "merchant": merchant.merchant,
        "base_currency": merchant.base_currency,
        "email": merchant.email,
        "frames": list(merchant.frames),
        "made_at": iso(merchant.created_at_s * 1000),
    }


def _merchant_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each merchant."""
    for merchant in printed["merchants"]:
        yield f"{merchant['merchant']}: {merchant['base_currency']}, since {merchant['made_at']}"


def _shown_key(key: EscrowKey) -> Printed:
    return {
        "key_id": key.key_id,
        "merchant": key.merchant,
        "world": key.world.value,
        "is_operators": key.is_operators,
        "is_enabled": key.is_enabled,
        "is_read_only": key.is_read_only,
        "is_bare": key.is_bare,
        "burst": key.rate_limit.bucket,
        "per_minute": key.rate_limit.refill_per_1000_s * 60 // 1000,
        "made_at": iso(key.made_s * 1000),
    }


def _key_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each key."""
    for key in printed["keys"]:
        whose = "operator" if key["is_operators"] else key["merchant"]
        state = ("enabled" if key["is_enabled"] else "disabled") + (", read-only" if key["is_read_only"] else "")
        state += ", bare" if key["is_bare"] else ""
        rate = f"{key['burst']} at once, {key['per_minute']} a minute" if key["burst"] else "no rate limit"
        yield f"{key['key_id']}: {whose} {key['world']} {state}, {rate}, since {key['made_at']}"


KEYS = Commands(ESCROW_KEYS, "KEY_ID", _shown_key, _key_lines)
