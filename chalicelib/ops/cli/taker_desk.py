"""Commands for the taker desk: settings, instruments, quote tokens and single signed orders."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from chalicelib import wiring
from chalicelib.domain.signed.faults import Conflict, DeskBusy, OrderNotFound
from chalicelib.domain.signed.instruments import Instrument
from chalicelib.domain.signed.lifecycle import seen_at
from chalicelib.domain.signed.order import EXCHANGE_MAX, order_id_of
from chalicelib.domain.signed.settings import FEE_BPS_MAX, DeskSettings
from chalicelib.domain.signed.stored import StoredOrder
from chalicelib.ops.cli.arguments import (
    Command,
    CommandFailed,
    Printed,
    add_command,
    add_group,
    add_instance,
    asset,
    count,
    pattern,
    per_1000_s,
    per_second,
    rate_limit,
    whole,
)
from chalicelib.ops.cli.tenants import tenants
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.support.clock import iso, now_s
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.signed_orders import SignedOrders

SECONDS_MAX = 999_999_999
_SWITCH = {"on": True, "off": False}
_DETAILS = {"object": True, "text": False}
_TICKER = pattern(r"[A-Z0-9.-]{1,16}", "must be 1 to 16 of A-Z, 0-9, . and -")
_TEXT = pattern(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,100}", "must be 1 to 100 characters without control characters")
_CONTRACT = pattern(r"0x[0-9a-fA-F]{40}", "must be 0x and 40 hexadecimal digits")
_ORDER = pattern(
    r"0x[0-9a-fA-F]{64}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "must be an order's id or hash"
)
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def add_commands(groups: Any) -> None:
    """Add the groups ``taker-desk``, ``instrument``, ``quote`` and ``signed-order``."""
    _add_settings_commands(add_group(groups, "taker-desk", "settings of the taker desk"))
    _add_instrument_commands(add_group(groups, "instrument", "stocks that the taker desk trades"))
    _add_quote_commands(add_group(groups, "quote", "tokens that signed orders may be paid in"))
    _add_order_commands(add_group(groups, "signed-order", "single signed orders"))


def _add_settings_commands(group: Any) -> None:
    add_instance(add_command(group, "show", _show_settings, "show an instance's settings"))
    command = add_command(group, "change", _change_settings, "change settings, from the next request on")
    add_instance(command)
    text = "whether funds are held and moved; of an order it stays as it was when that was created"
    command.add_argument("--ledger-settlement", choices=_SWITCH, help=text)
    command.add_argument("--lock-seconds", type=whole(1, SECONDS_MAX), help="the longest lock, and the usual one")
    text = "how far ahead a new order's deadline must lie"
    command.add_argument("--min-validity-seconds", type=whole(0, SECONDS_MAX), help=text)
    text = "how far a signed request's timestamp may be off"
    command.add_argument("--auth-window-ms", type=whole(0, SECONDS_MAX), help=text)
    command.add_argument("--jwt-ttl-seconds", type=whole(1, SECONDS_MAX), help="how long a maker's JWT is good")
    text = "what takers pay of each fill, in hundredths of a percent"
    command.add_argument("--fee-bps", type=whole(0, FEE_BPS_MAX), help=text)
    text = "how errors show their details: as the vendor's text, or as an object of fields"
    command.add_argument("--details", choices=_DETAILS, help=text)
    command.add_argument("--burst", type=count, help="requests of a maker that may come at once, 0 for no limit")
    command.add_argument("--per-second", type=per_1000_s, help="how fast they come back, 0 for no limit")
    command.add_argument("--domain-name", type=_TEXT, help="of the EIP-712 domain, in which orders are signed")
    command.add_argument("--domain-version", type=_TEXT)
    command.add_argument("--chain-id", type=count)
    command.add_argument("--verifying-contract", type=_CONTRACT)


def _add_instrument_commands(group: Any) -> None:
    command = add_command(group, "add", _add_instrument, "say which token a stock is; for good")
    command.add_argument("--instance", required=True)
    command.add_argument("--exchange", type=whole(0, EXCHANGE_MAX), required=True, help="0 is NASDAQ")
    command.add_argument("--ticker", type=_TICKER, required=True)
    command.add_argument("--token-address", type=asset, required=True)
    command = add_command(group, "list", _list_instruments, "list an instance's instruments")
    add_instance(command)
    command.set_defaults(lines=_instrument_lines)


def _add_quote_commands(group: Any) -> None:
    command = add_command(group, "add", _add_quote, "let orders be paid in a token; for good")
    command.add_argument("--instance", required=True)
    command.add_argument("--token-address", type=asset, required=True)
    add_instance(add_command(group, "list", _list_quotes, "list an instance's quote tokens"))


def _add_order_commands(group: Any) -> None:
    for word, command, text in (
        ("show", _show_order, "show an order, its hold and its lock, as of now"),
        ("suspend", _ordering(SignedOrderDesk.suspend), "stop all that may be done with an order; its hold stays"),
        ("resume", _ordering(SignedOrderDesk.resume), "open a suspended order again; past its deadline it expires"),
    ):
        parser = add_command(group, word, command, text)
        parser.add_argument("--instance", required=True)
        parser.add_argument("order", metavar="ORDER", type=_ORDER, help="its id or its hash")


def _show_settings(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    return {"instance": instance} | _shown_settings(TakerDesks(wiring.database()).settings(instance))


def _change_settings(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    changed = TakerDesks(wiring.database()).change(instance, lambda found: _changed(found, options))
    return {"instance": instance} | _shown_settings(changed)


def _changed(found: DeskSettings, options: argparse.Namespace) -> DeskSettings:
    names = ("lock_seconds", "min_validity_seconds", "auth_window_ms", "jwt_ttl_seconds", "fee_bps")
    plain = _given({name: getattr(options, name) for name in names})
    if options.ledger_settlement is not None:
        plain["has_ledger_settlement"] = _SWITCH[options.ledger_settlement]
    if options.details is not None:
        plain["has_details_object"] = _DETAILS[options.details]
    domain = {
        "name": options.domain_name,
        "version": options.domain_version,
        "chain_id": options.chain_id,
        "verifying_contract": options.verifying_contract,
    }
    rate = replace(found.rate_limit, **_given({"bucket": options.burst, "refill_per_1000_s": options.per_second}))
    return replace(
        found,
        **plain,
        domain=replace(found.domain, **_given(domain)),
        rate_limit=rate_limit(found.rate_limit, rate.bucket, rate.refill_per_1000_s, rate.per_day),
    )


def _add_instrument(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    instruments = Instruments(wiring.database())
    added = instruments.add(instance, options.exchange, options.ticker, options.token_address)
    return {"instance": instance} | _shown_instrument(added)


def _list_instruments(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    found = Instruments(wiring.database()).of_instance(instance)
    return {"instance": instance, "instruments": [_shown_instrument(one) for one in found]}


def _add_quote(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    Instruments(wiring.database()).add_quote(instance, options.token_address)
    return {"instance": instance, "token_address": options.token_address}


def _list_quotes(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    return {"instance": instance, "quotes": Instruments(wiring.database()).quotes(instance)}


def _ordering(change: Any) -> Command:
    """Return a command that changes an order as the operator may."""

    def run(options: argparse.Namespace) -> Printed:
        order_id = _found(options).order_id
        try:
            return _shown_order(change(wiring.signed_order_desk(), options.instance, order_id))
        except Conflict as error:
            raise CommandFailed(str(error)) from error
        except (OrderNotFound, DeskBusy) as error:
            raise CommandFailed(f"not changed, try again: {options.order}") from error

    return run


def _show_order(options: argparse.Namespace) -> Printed:
    return _shown_order(_found(options))


def _found(options: argparse.Namespace) -> StoredOrder:
    """Return the order with this id or hash. Raises CommandFailed."""
    named, is_hash = options.order.lower(), _HASH.fullmatch(options.order) is not None
    order_id = order_id_of(named) if is_hash else named
    found = SignedOrders(wiring.database()).get(options.instance, order_id)
    if found is None or (is_hash and found.order_hash != named):
        raise CommandFailed(f"no such order: {options.order}")
    return found


def _shown_settings(settings: DeskSettings) -> Printed:
    return {
        "ledger_settlement": "on" if settings.has_ledger_settlement else "off",
        "lock_seconds": settings.lock_seconds,
        "min_validity_seconds": settings.min_validity_seconds,
        "auth_window_ms": settings.auth_window_ms,
        "jwt_ttl_seconds": settings.jwt_ttl_seconds,
        "fee_bps": settings.fee_bps,
        "details": "object" if settings.has_details_object else "text",
        "burst": settings.rate_limit.bucket,
        "per_second": per_second(settings.rate_limit),
        "domain_name": settings.domain.name,
        "domain_version": settings.domain.version,
        "chain_id": settings.domain.chain_id,
        "verifying_contract": settings.domain.verifying_contract,
    }


def _shown_instrument(instrument: Instrument) -> Printed:
    return {
        "exchange": instrument.exchange,
        "ticker": instrument.ticker,
        "token_address": instrument.stock.address,
        "decimals": instrument.stock.decimals,
    }


def _shown_order(stored: StoredOrder) -> Printed:
    order, state = stored.order, seen_at(stored.order, stored.state, now_s())
    lock = state.lock and {"taker": state.lock.taker, "expires_at": iso(state.lock.expires_at_s * 1000)}
    return {
        "instance": stored.instance,
        "order_id": stored.order_id,
        "order_hash": stored.order_hash,
        "status": state.status.value,
        "maker": order.maker,
        "side": "BUY" if order.is_buy else "SELL",
        "exchange": order.exchange,
        "ticker": order.ticker,
        "price": str(order.price),
        "quantity": str(order.quantity),
        "stock_decimals": stored.stock_decimals,
        "filled": str(state.filled),
        "held_quote": str(state.hold.quote),
        "held_stock": str(state.hold.stock),
        "lock": lock,
        "notes": state.notes,
        "created_at": iso(stored.created_at_s * 1000),
        "updated_at": iso(state.updated_at_s * 1000),
    }


def _instrument_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each instrument."""
    for one in printed["instruments"]:
        decimals = f"{one['decimals']} decimals"
        yield f"{one['ticker']} of exchange {one['exchange']}: {one['token_address']}, {decimals}"


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
