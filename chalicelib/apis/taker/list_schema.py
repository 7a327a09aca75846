"""The queries of lists: what is asked for, from a request's parameters (``parameters``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.apis.taker.parameters import (
    Parameters,
    address,
    boolean,
    exchange,
    first_second,
    from_one,
    hash_of,
    integer,
    last_second,
    order_id,
)
from chalicelib.apis.taker.schema import BLOCK_NUMBER_MAX
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import NONCE_MAX
from chalicelib.domain.signed.paging import Paging
from chalicelib.services.signed.fill_listing import FillQuery, SortFillsBy
from chalicelib.services.signed.listing import OrderFilter, OrderQuery, SortBy
from chalicelib.services.signed.maker_listing import MakerQuery, SortMakersBy

FILL_STATUSES = frozenset({Status.PARTIALLY_FILLED, Status.FILLED})
"""What an order can be right after a fill."""


def order_query(query: Mapping[str, list[str]]) -> OrderQuery:
    """Return what a taker asks for of its orders. Raises Fault."""
    of = Parameters(query)
    found = OrderQuery(
        statuses=of.statuses(),
        order_filter=of.order_filter(),
        created=of.times("created"),
        sort_by=of.sorted_by(SortBy.CREATED_AT),
        paging=of.paging(),
    )
    of.refuse_bad()
    return found


def open_orders_query(query: Mapping[str, list[str]]) -> OrderFilter:
    """Return what a taker asks for of the open orders. Raises Fault."""
    of = Parameters(query)
    found = of.order_filter()
    of.refuse_bad()
    return found


def fill_query(query: Mapping[str, list[str]]) -> FillQuery:
    """Return what a taker asks for of its fills. Raises Fault."""
    of = Parameters(query)
    found = FillQuery(
        order_id=of.read("order_id", order_id),
        order_hash=of.read("order_hash", hash_of),
        order_filter=of.order_filter(),
        taker=of.read("taker", address),
        tx_hash=of.read("tx_hash", hash_of),
        quantity=of.amounts("fill_quantity"),
        amount=of.amounts("fill_amount"),
        fee=of.amounts("fee_amount"),
        incentive=of.amounts("incentive_amount"),
        block_number=of.between(integer(0, BLOCK_NUMBER_MAX), "block_number_min", "block_number_max"),
        statuses=of.statuses(FILL_STATUSES),
        created=of.between(first_second, "created_after", "created_before", last_second),
        sort_by=of.sorted_by(SortFillsBy.CREATED_AT),
        paging=of.paging(),
    )
    of.refuse_bad()
    return found


def maker_query(query: Mapping[str, list[str]]) -> MakerQuery:
    """Return what a maker asks for of its orders. Raises Fault."""
    of = Parameters(query)
    order_hash, principal = of.read("order_hash", hash_of), of.read("principal", address)
    order_filter = of.order_filter()
    found = MakerQuery(
        order_hash=order_hash,
        principal=principal,
        ticker=order_filter.ticker,
        is_ticker_part=of.read("ticker_like", boolean) or False,
        exchange=order_filter.exchange,
        asset=of.read("asset", address),
        is_buy=order_filter.is_buy,
        nonce=of.read("nonce", integer(0, NONCE_MAX)),
        price=of.amounts("price"),
        quantity=of.amounts("quantity"),
        incentive=of.amounts("incentive"),
        filled=of.amounts("filled_quantity"),
        deadline=of.times("deadline"),
        created=of.times("created"),
        statuses=of.statuses(),
        sort_by=of.sorted_by(SortMakersBy.CREATED_AT),
        paging=of.paging(),
        fills_page=of.read("fills_page", from_one) or 1,
    )
    of.refuse_bad()
    return found


@dataclass(frozen=True, slots=True)
class PositionsQuery:
    """ticker: in upper case, or None. is_ticker_part: match tickers that contain it."""

    paging: Paging
    ticker: str | None
    is_ticker_part: bool

    def has(self, ticker: str) -> bool:
        return self.ticker is None or (self.ticker in ticker if self.is_ticker_part else self.ticker == ticker)


def positions_query(query: Mapping[str, list[str]]) -> PositionsQuery:
    """Return what a maker asks for of its positions. Raises Fault."""
    of = Parameters(query)
    found = PositionsQuery(of.page(), of.read("ticker", str.upper), of.read("ticker_like", boolean) or False)
    of.refuse_bad()
    return found


def instrument_query(query: Mapping[str, list[str]], ticker: str | None = None) -> tuple[int, str]:
    """Return the exchange and ticker that are asked for. ticker: if the path names it. Raises Fault."""
    of = Parameters(query)
    number = of.required("exchange", exchange, 0)
    named = of.required("ticker", str.upper, "") if ticker is None else ticker.upper()
    of.refuse_bad()
    return number, named


def fills_page_query(query: Mapping[str, list[str]]) -> int:
    """Return which page of an order's fills is asked for. Raises Fault."""
    of = Parameters(query)
    found = of.read("fills_page", from_one) or 1
    of.refuse_bad()
    return found


def events_query(query: Mapping[str, list[str]]) -> tuple[str | None, int | None]:
    """Return the cursor and the limit that events are asked for with. Raises Fault."""
    of = Parameters(query)
    found = of.read("after", str), of.read("limit", from_one)
    of.refuse_bad()
    return found
