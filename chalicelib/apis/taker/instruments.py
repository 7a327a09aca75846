"""Endpoints: positions of makers, the token of a stock, what an order will be charged, and the public order book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.envelope import Error, Fault, invalid, refuse
from chalicelib.apis.taker.gate import Caller
from chalicelib.apis.taker.list_schema import instrument_query, positions_query
from chalicelib.apis.taker.lists import page_members
from chalicelib.apis.taker.makers import unknown_in, worth_faults
from chalicelib.apis.taker.schema import EstimateBody, checked
from chalicelib.domain.ledger.amounts import decimal_text, units_in, worth
from chalicelib.domain.ledger.fees import Fee
from chalicelib.domain.ledger.tokens import Token
from chalicelib.domain.signed.instruments import EXCHANGES
from chalicelib.domain.signed.order import AMOUNT_MAX, DECIMALS_MAX, customer_of
from chalicelib.domain.signed.paging import Page
from chalicelib.services.signed.open_book import Level, OpenBooks
from chalicelib.services.signed.positions import Position
from chalicelib.services.signed.reading import SignedReading
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.support.clock import iso_seconds

NO_INSTRUMENT = "Instrument not found"


@dataclass(frozen=True, slots=True)
class InstrumentEndpoints:
    reading: SignedReading
    books: OpenBooks

    def positions(self, request: HttpRequest, caller: Caller) -> object:
        """GET positions. A page of what the maker's wallet has of each stock, by ticker (K55)."""
        query = positions_query(request.query)
        held = self.reading.positions(caller.instance, caller.address)
        found = [position for position in held if query.has(position.instrument.ticker)]
        shown = found[query.paging.offset : query.paging.end]
        prices = self.reading.average_prices(caller.instance, caller.address) if shown else {}

        def view(position: Position) -> dict[str, object]:
            instrument = position.instrument
            return {
                "ticker": instrument.ticker,
                "exchange": instrument.exchange,
                "token_address": instrument.stock.address,
                "balance": str(position.total),
                "locked_balance": str(position.balance.held),
                "available_balance": str(position.balance.available),
                "avg_price": str(prices.get((instrument.exchange, instrument.ticker), 0)),
            }

        return page_members(Page(shown, len(found), query.paging), "positions", view)

    def token_address(self, request: HttpRequest, caller: Caller) -> object:
        """GET instruments/token-address. The ledger's token of a stock (K56)."""
        exchange, ticker = instrument_query(request.query)
        token = self._stock(caller.instance, exchange, ticker)
        return {"ticker": ticker, "name": token.name, "exchange_id": exchange, "token_address": token.address}

    def estimate_charge(self, request: HttpRequest, caller: Caller) -> object:
        """POST orders/estimate_charge. What the instance takes if all of an order is filled (K57)."""
        body = checked(EstimateBody, request.body)
        terms = self.reading.terms(caller.instance, body.asset, body.exchange, body.ticker)
        refuse(unknown_in(terms))
        target = self._target(caller.instance, body)
        decimals = 0 if terms.stock is None else terms.stock.decimals
        price, quantity = units_in(body.price, target.decimals), units_in(body.quantity, decimals)
        refuse(_out_of_bounds("price", price, target.decimals) | _out_of_bounds("quantity", quantity, decimals))
        value = worth(price or 0, quantity or 0, decimals)
        refuse(worth_faults(value))
        charge = Fee(caller.settings.fee_bps).of(value)
        return {
            "base_currency": EXCHANGES[body.exchange].currency if body.exchange in EXCHANGES else target.symbol,
            "charge_base": decimal_text(charge, target.decimals),
            "target_currency": target.symbol,
            "charge_target": str(charge),
            "price_base": body.price,
            "price_target": str(price),
            "exchange_rate": 1,
        }

    def book(self, request: HttpRequest, caller: Caller) -> object:
        """GET tickers/{symbol}/orderbooks. The public instance's open orders of a stock by price (K58)."""
        exchange, ticker = instrument_query(request.query, request.path_parameters["symbol"])
        self._stock(caller.instance, exchange, ticker)
        book = self.books.book(caller.instance, exchange, ticker, caller.now_s)
        return {
            "symbol": ticker,
            "market": EXCHANGES[exchange].market if exchange in EXCHANGES else str(exchange),
            "ask": _shown(book.asks),
            "bid": _shown(book.bids),
            "time": iso_seconds(caller.now_s),
        }

    def _stock(self, instance: str, exchange: int, ticker: str) -> Token:
        """Raises Fault if there is no such instrument."""
        token = self.reading.stock(instance, exchange, ticker)
        if token is None:
            raise Fault(Error.NOT_FOUND, NO_INSTRUMENT)
        return token

    def _target(self, instance: str, body: EstimateBody) -> Token:
        """Return the quote token that an estimate is made in: the asset, unless another one is named. Raises Fault."""
        quotes = self.reading.quotes(instance)
        if body.target_currency is None:
            return next(token for token in quotes if token.address == customer_of(body.asset))
        named = ascii_lower(body.target_currency)
        found = next((token for token in quotes if ascii_lower(token.symbol) == named), None)
        if found is None:
            symbols = ", ".join(token.symbol for token in quotes)
            raise invalid({"target_currency": f"must be one of {symbols}"})
        return found


def _out_of_bounds(field: str, units: int | None, decimals: int) -> dict[str, str]:
    if units is None:
        return {field: f"must have at most {decimals} decimals"}
    return {} if 1 <= units <= AMOUNT_MAX else {field: f"must be 1 to {AMOUNT_MAX} base units"}


def _shown(levels: Sequence[Level]) -> list[dict[str, str]]:
    return [
        {"price": decimal_text(level.price, DECIMALS_MAX), "volume": decimal_text(level.volume, DECIMALS_MAX)}
        for level in levels
    ]
