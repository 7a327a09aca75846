"""Endpoints: what an order would cost: the price of an amount, and a pair's fees (R56, R57)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.decimals import NotAnAmount, dec, parts_of, units_of
from chalicelib.apis.trade.envelope import Envelope, invalid
from chalicelib.apis.trade.figures import side_word
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.market import LEVELS_DEFAULT, LEVELS_MAX
from chalicelib.apis.trade.pairs import Market, Pairs, pair_in_path
from chalicelib.apis.trade.query import Query
from chalicelib.domain.ledger.amounts import Side, unit, worth
from chalicelib.services.books.depth import DepthReader, Levels

SIDES = {side_word(side): side for side in Side}
PERCENT_DECIMALS = 2
"""A fee of one bp is 0.01 percent."""


@dataclass(frozen=True, slots=True)
class CostEndpoints:
    pairs: Pairs
    depths: DepthReader

    def estimate_price(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET orders/estimate-price/{pair}. The average price that a market order of this amount would have now."""
        query = Query(request.query)
        text, side = query.text("amount"), query.text("side")
        try:
            parts_of(text)
        except NotAnAmount as error:
            raise invalid("amount", error.reason) from error
        if side not in SIDES:
            raise invalid("side")
        market = self.pairs.open_book(caller.instance, pair_in_path(request))
        try:
            amount = units_of(text, market.decimals.base)
        except NotAnAmount as error:
            raise invalid("amount", error.reason) from error
        if not amount:
            raise invalid("amount", "It must be above 0.")
        return envelope.success({"price": dec(self._average(market, SIDES[side], amount), market.decimals.quote)})

    def _average(self, market: Market, side: Side, amount: int) -> int:
        """Return the average price of an amount on the best levels of the other side. Raises Fault if it is less."""
        found = 0
        for levels_max in (LEVELS_DEFAULT, LEVELS_MAX):
            bids, asks = self.depths.of_book(market.book, levels_max)
            levels = asks if side is Side.BUY else bids
            found = sum(quantity for _, quantity in levels)
            if found >= amount:
                return _paid(levels, amount, market) * unit(market.decimals.base) // amount
            if len(levels) < levels_max:
                break
        raise invalid("amount", f"The other side has {dec(found, market.decimals.base).text}.")

    def trading_fees(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET user/trading-fees. The pair's fees in percent: the same for both sides, and for all customers."""
        book = self.pairs.open_book(caller.instance, Query(request.query).required("pair")).book
        maker, taker = (dec(bps, PERCENT_DECIMALS) for bps in (book.maker_fee_bps, book.taker_fee_bps))
        return envelope.success([{"side": side, "maker": maker, "taker": taker} for side in SIDES])


def _paid(levels: Levels, amount: int, market: Market) -> int:
    """Return what this amount comes to on these levels, each level rounded down as a trade is."""
    paid, left = 0, amount
    for price, quantity in levels:
        taken = min(quantity, left)
        paid += worth(price, taken, market.decimals.base)
        left -= taken
    return paid
