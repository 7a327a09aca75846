"""Commands for the escrow desk: settings, currencies and merchants."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.escrow.money import MAJOR_UNIT_DECIMALS, Currency
from chalicelib.domain.escrow.order import Merchant
from chalicelib.domain.escrow.payments import callback_sender
from chalicelib.domain.escrow.settings import PAYIN_TYPE_PATTERN, RELEASE_DELAY_SECONDS_MAX, DeskSettings
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.webhooks.signing import callback_secret_of
from chalicelib.ops.cli import arguments
from chalicelib.ops.cli.arguments import (
    Asset,
    Count,
    Instance,
    Printed,
    each_read_by,
    exclusive,
    pattern,
    read_by,
    whole,
)
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.ops.cli.tenants import tenants
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.support.clock import iso, now_s
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.tokens import Tokens

CURRENCY_DECIMALS_MAX = 4
FRAMES_MAX = 10
_CURRENCY = pattern(r"[A-Z]{3}", "must be three capital letters, as in EUR (ISO 4217)")
_URL = pattern(r"https?://[^\s/]+(/[^\s]*[^\s/])?", "must be an http or https URL without a slash at its end")
_ORIGIN = pattern(r"https?://[a-z0-9.-]{1,200}(:[0-9]{1,5})?", "must be an origin, as in https://shop.example")
_EMAIL = pattern(r"[!-?A-~]{1,200}@[!-?A-~]{1,54}", "must be an e-mail address")
_PAYIN_TYPE = pattern(PAYIN_TYPE_PATTERN, "must be capitals, digits and _, as in REDSYS_V2, not WALLET or BANKWIRE")
_LINE = pattern(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,140}", "must be 1 to 140 characters without control characters")
_HOW, _CHANGE = exclusive(0), exclusive(0)
MerchantName = Annotated[arguments.Merchant, Parameter(help="its reference in the instance")]

desk = App(name="escrow-desk", help="An instance's escrow desk.")
merchant = App(name="merchant", help="Merchants of the escrow desk.")


@desk.command(name="settings")
def show_settings(
    instance: Instance,
    /,
    *,
    release_delay_seconds: Annotated[
        int | None,
        read_by(
            whole(0, RELEASE_DELAY_SECONDS_MAX), "between a validation and its release, 0 for both in one call (0)"
        ),
    ] = None,
    public_base_url: Annotated[str | None, read_by(_URL, "in front of an order's links")] = None,
    iban: Annotated[str | None, read_by(_LINE, "where bank-wire payins are to be sent")] = None,
    beneficiary: Annotated[str | None, read_by(_LINE, "and to whom")] = None,
) -> Printed:
    """Show the settings; those that are given are changed first.

    $ tallybook escrow-desk settings inst_demo0001 --release-delay-seconds 0
    """
    found = tenants().get(instance).instance
    asked: dict[str, Any] = {
        "release_delay_seconds": release_delay_seconds,
        "public_base_url": public_base_url,
        "iban": iban,
        "beneficiary": beneficiary,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    desks = EscrowDesks(wiring.database())
    if not given:
        return _shown_settings(found, desks.settings(found))
    return _shown_settings(found, desks.change(found, lambda settings: replace(settings, **given)))


@desk.command(name="payin-type")
def change_payin_type(
    instance: Instance,
    name: Annotated[str, read_by(_PAYIN_TYPE, "as in REDSYS_V2", metavar="TYPE")],
    /,
    *,
    rotate: Annotated[
        bool, Parameter(group=_HOW, help="new secrets; callbacks signed with the old are refused")
    ] = False,
    remove: Annotated[
        bool, Parameter(group=_HOW, help="open no more payins of this type, take no more callbacks")
    ] = False,
) -> Printed:
    """Enable payins with a provider outside; the secrets of its callbacks are printed when they are new.

    $ tallybook escrow-desk payin-type inst_demo0001 REDSYS_V2
    """
    found = tenants().get(instance).instance
    desks = EscrowDesks(wiring.database())
    before = desks.settings(found).payin_type(name)
    if remove:
        desks.change(found, lambda settings: settings.without_payin_type(name))
        return {"instance": found, "payin_type": name, "removed": True}
    if rotate:
        after = desks.change(found, lambda settings: settings.with_next_secret(name))
    else:
        after = desks.change(found, lambda settings: settings.with_payin_type(name, found))
    kind = after.payin_type(name)
    senders = {world.value: callback_sender(found, world, name) for world in World}
    printed: Printed = {
        "instance": found,
        "payin_type": name,
        "callbacks": {world: f"/2.0/callbacks/{sender}" for world, sender in senders.items()},
    }
    if kind is None or kind == before:
        return printed
    master_key, number = wiring.master_key(), kind.generation
    return printed | {"secrets": {world: callback_secret_of(master_key, one, number) for world, one in senders.items()}}


@desk.command(name="currency")
def enable_currency(
    instance: Instance,
    code: Annotated[str, read_by(_CURRENCY, "as in EUR")],
    /,
    *,
    token_address: Asset,
    decimals: Annotated[
        Count | None, Parameter(help="of its minor unit (as ISO 4217 has it: EUR 2, JPY 0, KWD 3)")
    ] = None,
) -> Printed:
    """Enable a currency: a registered token with 18 decimals.

    $ tallybook escrow-desk currency inst_demo0001 EUR \\
        --token-address 0xabcdefabcdefabcdefabcdefabcdefabcdefabcd
    """
    found = tenants().get(instance).instance
    token = Tokens(wiring.database()).get(found, token_address)
    if token is None or not token.is_active:
        told = f"no such token, register it first (tallybook token create): {token_address}"
        raise CommandFailed(told, Code.NOT_FOUND)
    if token.decimals != MAJOR_UNIT_DECIMALS:
        raise CommandFailed(f"a currency's token has {MAJOR_UNIT_DECIMALS} decimals, this one has {token.decimals}")
    if decimals is not None and decimals > CURRENCY_DECIMALS_MAX:
        raise CommandFailed(f"decimals must be 0 to {CURRENCY_DECIMALS_MAX}")

    def with_currency(settings: DeskSettings) -> DeskSettings:
        known, places = settings.currency(code, World.PRODUCTION), decimals
        if places is None:
            places = iso_decimals(code) if known is None else known.decimals
        return settings.with_currency(Currency(code, places, token.address), found)

    return _shown_settings(found, EscrowDesks(wiring.database()).change(found, with_currency))


def iso_decimals(code: str) -> int:
    """Return the decimals of a currency's minor unit (E33). Raises CommandFailed if ISO 4217 defines none."""
    from iso4217 import raw_table  # a table of 50 KB, which only this command needs

    minor_unit = str(raw_table.get(code, {}).get("CcyMnrUnts"))
    if not minor_unit.isdecimal():
        raise CommandFailed(f"ISO 4217 has no minor unit for {code}: give --decimals")
    return int(minor_unit)


@merchant.command(name="create")
def create_merchant(
    instance: Instance,
    merchant: MerchantName,
    /,
    *,
    base_currency: Annotated[str, read_by(_CURRENCY, "of orders that name none")],
    email: Annotated[str | None, read_by(_EMAIL, "shown to clients of its keys (/accounts/me)")] = None,
) -> Printed:
    """Make a merchant, with its own wallets in both worlds.

    $ tallybook merchant create inst_demo0001 shop --base-currency EUR
    """
    found = tenants().get(instance).instance
    made = EscrowDesk(wiring.database(), now_s).create_merchant(found, merchant, base_currency, email)
    return _shown_merchant(made)


@merchant.command(name="frames")
def change_frames(
    instance: Instance,
    merchant: MerchantName,
    /,
    *,
    origins: Annotated[
        list[str] | None,
        each_read_by(
            _ORIGIN,
            "as in https://shop.example; repeat it for each of them: those before are gone",
            name="--origin",
            group=_CHANGE,
        ),
    ] = None,
    none: Annotated[bool, Parameter(group=_CHANGE, help="no site any more")] = False,
) -> Printed:
    """Show which sites may frame a merchant's pages of orders, or set them.

    $ tallybook merchant frames inst_demo0001 demo-shop \\
        --origin https://shop.example
    """
    found, desks = tenants().get(instance).instance, EscrowDesks(wiring.database())
    if not (origins or none):
        return _shown_merchant(desks.merchant(found, merchant))
    named = list(dict.fromkeys(origins or ()))
    if len(named) > FRAMES_MAX:
        raise CommandFailed(f"a merchant has {FRAMES_MAX} origins at most")
    return _shown_merchant(desks.set_frames(found, merchant, named))


@merchant.command(name="list")
def list_merchants(instance: Instance, /) -> Printed:
    """List an instance's merchants.

    $ tallybook merchant list inst_demo0001
    """
    found = tenants().get(instance).instance
    return {"merchants": list(map(_shown_merchant, EscrowDesks(wiring.database()).merchants(found)))}


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
