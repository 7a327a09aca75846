"""Commands for the taker desk: settings, instruments, quote tokens and single signed orders."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.signed.faults import Conflict, DeskBusy, OrderNotFound
from chalicelib.domain.signed.instruments import Instrument
from chalicelib.domain.signed.lifecycle import seen_at
from chalicelib.domain.signed.order import EXCHANGE_MAX, order_id_of
from chalicelib.domain.signed.settings import FEE_BPS_MAX, DeskSettings
from chalicelib.domain.signed.stored import StoredOrder
from chalicelib.ops.cli.arguments import (
    Asset,
    Count,
    Instance,
    PerSecond,
    Printed,
    name,
    pattern,
    per_second,
    rate_limit,
    read_by,
    whole,
)
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.ops.cli.tenants import tenants
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.support.clock import iso, now_s
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.signed_orders import SignedOrders

SECONDS_MAX = 999_999_999
_TICKER = pattern(r"[A-Z0-9.-]{1,16}", "must be 1 to 16 of A-Z, 0-9, . and -")
_CONTRACT = pattern(r"0x[0-9a-fA-F]{40}", "must be 0x and 40 hexadecimal digits")
_ORDER = pattern(
    r"0x[0-9a-fA-F]{64}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "must be an order's id or hash"
)
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
OrderName = Annotated[str, read_by(_ORDER, "its id or its hash")]

desk = App(name="taker-desk", help="Settings of the taker desk.")
instrument = App(name="instrument", help="Stocks that the taker desk trades.")
quote = App(name="quote", help="Tokens that signed orders may be paid in.")
order = App(name="signed-order", help="Single signed orders.")


@desk.command(name="show")
def show_settings(instance: Instance, /) -> Printed:
    """Show an instance's settings.

    $ tallybook taker-desk show inst_demo0001
    """
    found = tenants().get(instance).instance
    return {"instance": found} | _shown_settings(TakerDesks(wiring.database()).settings(found))


@desk.command(name="change")
def change_settings(
    instance: Instance,
    /,
    *,
    ledger_settlement: Annotated[
        Literal["on", "off"] | None,
        Parameter(help="whether funds are held and moved; of an order it stays as it was when that was created"),
    ] = None,
    lock_seconds: Annotated[int | None, read_by(whole(1, SECONDS_MAX), "the longest lock, and the usual one")] = None,
    min_validity_seconds: Annotated[
        int | None, read_by(whole(0, SECONDS_MAX), "how far ahead a new order's deadline must lie")
    ] = None,
    auth_window_ms: Annotated[
        int | None, read_by(whole(0, SECONDS_MAX), "how far a signed request's timestamp may be off")
    ] = None,
    jwt_ttl_seconds: Annotated[int | None, read_by(whole(1, SECONDS_MAX), "how long a maker's JWT is good")] = None,
    fee_bps: Annotated[
        int | None, read_by(whole(0, FEE_BPS_MAX), "what takers pay of each fill, in hundredths of a percent")
    ] = None,
    details: Annotated[
        Literal["object", "text"] | None,
        Parameter(help="how errors show their details: as the vendor's text, or as an object of fields"),
    ] = None,
    burst: Annotated[Count | None, Parameter(help="requests of a maker that may come at once, 0 for no limit")] = None,
    per_second: Annotated[PerSecond | None, Parameter(help="how fast they come back, 0 for no limit")] = None,
    domain_name: Annotated[str | None, read_by(name, "of the EIP-712 domain, in which orders are signed")] = None,
    domain_version: Annotated[str | None, read_by(name)] = None,
    chain_id: Count | None = None,
    verifying_contract: Annotated[str | None, read_by(_CONTRACT)] = None,
) -> Printed:
    """Change settings, from the next request on.

    $ tallybook taker-desk change inst_demo0001 --fee-bps 10
    """
    found = tenants().get(instance).instance
    plain = _given(
        lock_seconds=lock_seconds,
        min_validity_seconds=min_validity_seconds,
        auth_window_ms=auth_window_ms,
        jwt_ttl_seconds=jwt_ttl_seconds,
        fee_bps=fee_bps,
        has_ledger_settlement=ledger_settlement and ledger_settlement == "on",
        has_details_object=details and details == "object",
    )
    domain = _given(name=domain_name, version=domain_version, chain_id=chain_id, verifying_contract=verifying_contract)
    rate = _given(bucket=burst, refill_per_1000_s=per_second)

    def changed(settings: DeskSettings) -> DeskSettings:
        limit = replace(settings.rate_limit, **rate)
        return replace(
            settings,
            **plain,
            domain=replace(settings.domain, **domain),
            rate_limit=rate_limit(settings.rate_limit, limit.bucket, limit.refill_per_1000_s, limit.per_day),
        )

    return {"instance": found} | _shown_settings(TakerDesks(wiring.database()).change(found, changed))


@instrument.command(name="add")
def add_instrument(
    *,
    instance: Instance,
    exchange: Annotated[int, read_by(whole(0, EXCHANGE_MAX), "0 is NASDAQ")],
    ticker: Annotated[str, read_by(_TICKER)],
    token_address: Asset,
) -> Printed:
    """Say which token a stock is; for good.

    $ tallybook instrument add --instance inst_demo0001 --exchange 0 \\
        --ticker COIN --token-address 0x00000000000000000000000000000000000000c1
    """
    found = tenants().get(instance).instance
    added = Instruments(wiring.database()).add(found, exchange, ticker, token_address)
    return {"instance": found} | _shown_instrument(added)


@instrument.command(name="list")
def list_instruments(instance: Instance, /) -> Printed:
    """List an instance's instruments.

    $ tallybook instrument list inst_demo0001
    """
    found = tenants().get(instance).instance
    listed = Instruments(wiring.database()).of_instance(found)
    return {"instance": found, "instruments": [_shown_instrument(one) for one in listed]}


@quote.command(name="add")
def add_quote(*, instance: Instance, token_address: Asset) -> Printed:
    """Let orders be paid in a token; for good.

    $ tallybook quote add --instance inst_demo0001 \\
        --token-address 0xabcdefabcdefabcdefabcdefabcdefabcdefabcd
    """
    found = tenants().get(instance).instance
    Instruments(wiring.database()).add_quote(found, token_address)
    return {"instance": found, "token_address": token_address}


@quote.command(name="list")
def list_quotes(instance: Instance, /) -> Printed:
    """List an instance's quote tokens.

    $ tallybook quote list inst_demo0001
    """
    found = tenants().get(instance).instance
    return {"instance": found, "quotes": Instruments(wiring.database()).quotes(found)}


@order.command(name="show")
def show_order(order: OrderName, /, *, instance: Instance) -> Printed:
    """Show an order, its hold and its lock, as of now.

    $ tallybook signed-order show ORDER --instance inst_demo0001
    """
    return _shown_order(_found(instance, order))


@order.command(name="suspend")
def suspend_order(order: OrderName, /, *, instance: Instance) -> Printed:
    """Stop all that may be done with an order; its hold stays.

    $ tallybook signed-order suspend ORDER --instance inst_demo0001
    """
    return _changed(SignedOrderDesk.suspend, instance, order)


@order.command(name="resume")
def resume_order(order: OrderName, /, *, instance: Instance) -> Printed:
    """Open a suspended order again; past its deadline it expires.

    $ tallybook signed-order resume ORDER --instance inst_demo0001
    """
    return _changed(SignedOrderDesk.resume, instance, order)


def _changed(change: Any, instance: str, order: str) -> Printed:
    """Change an order as the operator may."""
    order_id = _found(instance, order).order_id
    try:
        return _shown_order(change(wiring.signed_order_desk(), instance, order_id))
    except Conflict as error:
        raise CommandFailed(str(error), Code.CONFLICT) from error
    except (OrderNotFound, DeskBusy) as error:
        raise CommandFailed(f"not changed, try again: {order}", Code.BUSY) from error


def _found(instance: str, order: str) -> StoredOrder:
    """Return the order with this id or hash. Raises CommandFailed."""
    named, is_hash = order.lower(), _HASH.fullmatch(order) is not None
    order_id = order_id_of(named) if is_hash else named
    found = SignedOrders(wiring.database()).get(instance, order_id)
    if found is None or (is_hash and found.order_hash != named):
        raise CommandFailed(f"no such order: {order}", Code.NOT_FOUND)
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


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
