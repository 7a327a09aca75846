"""Instruments of an instance's taker desk (table ``tokens``): its quote tokens, and the stock token of each instrument.

An instrument, "instrument/<exchange>/<ticker>", names the ledger's token of a stock and that token's decimals, because
a stock has no address in the API (K1). "quote/<address>" marks a token that can pay for orders. Both are permanent, as
a token's decimals are: an order stores its stock's address and decimals, and this table is read only when an order is
created. A row without decimals, of an instrument or an order, means 18: earlier versions supported no other.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.signed.instruments import Instrument, Stock, Terms
from chalicelib.domain.signed.order import DECIMALS_MAX, customer_of
from chalicelib.domain.tenancy.instances import ExistsAlready, NotFound, TenancyRefused
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, reads_row
from chalicelib.tables.tokens import Tokens
from chalicelib.tables.writes import ConditionFailed, Put

TABLE = "tokens"
DECIMALS_USUAL = 18
"""Decimals of a stock whose row has none."""
_INSTRUMENT, _QUOTE = "instrument/", "quote/"


class UnknownToken(NotFound):
    def __init__(self, address: str) -> None:
        super().__init__(f"no such token: {address}")


class TooManyDecimals(TenancyRefused):
    """The token has more than the desk's 18 decimals (K31)."""

    def __init__(self, address: str, decimals: int) -> None:
        super().__init__(f"the token has {decimals} decimals, more than {DECIMALS_MAX}: {address}")


class InstrumentExists(ExistsAlready):
    """The instrument is already assigned to another token."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(f"exists already: {instrument.ticker} of exchange {instrument.exchange}")


class Instruments:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens = Tokens(database)

    def add(self, instance: str, exchange: int, ticker: str, address: str) -> Instrument:
        """Assign a stock's token to an instrument, permanently. The address is stored in lower case.

        Raises UnknownToken, TooManyDecimals or InstrumentExists.
        """
        instrument = Instrument(exchange, ticker, Stock(address, self._decimals_of(instance, address)))
        not_there, is_the_same = "attribute_not_exists(#entry)", "#stock = :stock"
        row = _instrument_key(instance, exchange, ticker) | _facts_of(instrument.stock)
        try:
            self._database.write(Put(TABLE, row, f"{not_there} OR {is_the_same}", {":stock": address}))
        except ConditionFailed as error:
            raise InstrumentExists(instrument) from error
        return instrument

    def add_quote(self, instance: str, address: str) -> None:
        """Permit payment in a token. Idempotent. Raises UnknownToken or TooManyDecimals."""
        self._decimals_of(instance, address)
        self._database.write(Put(TABLE, _quote_key(instance, address)))

    def terms(self, instance: str, asset: str, exchange: int, ticker: str) -> Terms:
        """Return the terms of an order's asset (any letter case) and instrument, with one read."""
        quote, instrument = _quote_key(instance, asset), _instrument_key(instance, exchange, ticker)
        rows = {row["entry"]: row for row in self._database.get_many(TABLE, [quote, instrument])}
        found = rows.get(instrument["entry"])
        return Terms(quote["entry"] in rows, _stock_of(found) if found else None)

    def stock(self, instance: str, exchange: int, ticker: str) -> Stock | None:
        """Return an instrument's stock; None if there is no such instrument."""
        row = self._database.get(TABLE, _instrument_key(instance, exchange, ticker))
        return None if row is None else _stock_of(row)

    def of_instance(self, instance: str) -> list[Instrument]:
        """Return an instance's instruments, by exchange and ticker."""
        names = ((row["entry"].split("/", 2), _stock_of(row)) for row in self._rows(instance, _INSTRUMENT))
        found = (Instrument(int(exchange), ticker, stock) for (_, exchange, ticker), stock in names)
        return sorted(found, key=lambda instrument: (instrument.exchange, instrument.ticker))

    def quotes(self, instance: str) -> list[str]:
        """Return the addresses of an instance's quote tokens."""
        return [row["entry"].removeprefix(_QUOTE) for row in self._rows(instance, _QUOTE)]

    def _rows(self, instance: str, start: str) -> Iterator[Row]:
        condition = "#instance = :instance AND begins_with(#entry, :start)"
        return self._database.query(TABLE, condition, {":instance": instance, ":start": start})

    def _decimals_of(self, instance: str, address: str) -> int:
        token = self._tokens.get(instance, address)
        if token is None:
            raise UnknownToken(address)
        if token.decimals > DECIMALS_MAX:
            raise TooManyDecimals(address, token.decimals)
        return token.decimals


def _facts_of(stock: Stock) -> Row:
    decimals = {} if stock.decimals == DECIMALS_USUAL else {"decimals": stock.decimals}
    return {"stock": stock.address} | decimals


@reads_row
def _stock_of(row: Row) -> Stock:
    return Stock(row["stock"], row.get("decimals", DECIMALS_USUAL))


def _instrument_key(instance: str, exchange: int, ticker: str) -> dict[str, str]:
    return {"instance": instance, "entry": f"{_INSTRUMENT}{exchange}/{ticker}"}


def _quote_key(instance: str, address: str) -> dict[str, str]:
    return {"instance": instance, "entry": f"{_QUOTE}{customer_of(address)}"}
