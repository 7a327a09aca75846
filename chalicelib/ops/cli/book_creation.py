"""The command ``book create`` (T30, T31)."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from chalicelib import wiring
from chalicelib.domain.books.config import BookConfig, SettlementMode, TokenType
from chalicelib.domain.books.vocabulary import BookStatus, SelfTradePrevention
from chalicelib.ops.cli.arguments import Amount, AmountOrZero, Asset, Count, Instance, Printed, name, read_by
from chalicelib.ops.cli.books import done
from chalicelib.services.books.configuring import Configuring
from chalicelib.support.clock import new_id, now_ms

_AS_IN_THE_API = Parameter(name_transform=str)


def create(
    *,
    instance: Instance,
    id: Annotated[str | None, read_by(name, "default: a new one")] = None,
    name: str,
    symbol: str,
    token_address: Annotated[Asset, Parameter(help="base asset")],
    quote_token_address: Annotated[Asset, Parameter(help="quote asset")],
    min_order_size: Annotated[Amount | None, Parameter(help="base units of the base asset")] = None,
    max_order_size: Annotated[Amount | None, Parameter(help="base units of the base asset")] = None,
    tick_size: Annotated[Amount | None, Parameter(help="base units of the quote asset")] = None,
    lot_size: Annotated[
        Amount | None,
        Parameter(
            help="base units of the base asset; 1: none; default: a whole one where the quote has fewer than 4 decimals"
        ),
    ] = None,
    min_order_value: Annotated[
        AmountOrZero | None,
        Parameter(help="base units of the quote asset; 0: none; default: 100 where the quote has 4 decimals or more"),
    ] = None,
    maker_fee_bps: Count = 0,
    taker_fee_bps: Count = 0,
    market_collar_bps: Count = 500,
    price_band_bps: Annotated[Count, Parameter(help="0: no price band")] = 0,
    halt_bps: Annotated[Count, Parameter(help="0: no circuit breaker; set with the next two")] = 0,
    halt_window_seconds: Annotated[Count, Parameter(help="1 to 3600")] = 0,
    halt_seconds: Annotated[Count, Parameter(help="1 to 86400")] = 0,
    self_trade_prevention: Annotated[SelfTradePrevention, _AS_IN_THE_API] = SelfTradePrevention.NONE,
    status: Annotated[BookStatus, _AS_IN_THE_API] = BookStatus.ACTIVE,
    token_type: Annotated[TokenType, _AS_IN_THE_API] = TokenType.LIGHT_TOKEN,
    stock_token_id: Annotated[
        str | None, Parameter(help="what the base asset stands for, in the venue's own books")
    ] = None,
    settlement_mode: Annotated[SettlementMode, _AS_IN_THE_API] = SettlementMode.OFF_CHAIN,
) -> Printed:
    """Make an order book of two registered tokens.

    $ tallybook book create --instance inst_demo0001 --id ob_coin --name Coin \\
        --symbol COIN/EUR \\
        --token-address 0x00000000000000000000000000000000000000c1 \\
        --quote-token-address 0xabcdefabcdefabcdefabcdefabcdefabcdefabcd
    """
    config = BookConfig(
        instance=instance,
        book_id=id or new_id("ob"),
        name=name,
        symbol=symbol,
        base_asset=token_address,
        quote_asset=quote_token_address,
        status=status,
        settlement_mode=settlement_mode,
        order_size_min=min_order_size,
        order_size_max=max_order_size,
        tick_size=tick_size,
        maker_fee_bps=maker_fee_bps,
        taker_fee_bps=taker_fee_bps,
        self_trade_prevention=self_trade_prevention,
        market_collar_bps=market_collar_bps,
        token_type=token_type,
        stock_token_id=stock_token_id,
        created_at_ms=now_ms(),
        price_band_bps=price_band_bps,
        halt_bps=halt_bps,
        halt_window_s=halt_window_seconds,
        halt_s=halt_seconds,
    )
    configuring = Configuring(wiring.database())
    made = done(configuring.create(config, lot_size=lot_size, min_order_value=min_order_value))
    return {
        "instance": made.instance,
        "order_book_id": made.book_id,
        "symbol": made.symbol,
        "lot_size": str(made.lot_size),
        "min_order_value": str(made.min_order_value),
    }
