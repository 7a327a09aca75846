"""What an instance's taker desk trades (table ``tokens``): its quote tokens, and the stock that each instrument is.

An instrument, "instrument/<exchange>/<ticker>", names the ledger's token of a stock, for the stock has no address on
the wire (K1). A token that orders may be paid in is marked by "quote/<address>". Both stand for good: a stored order
keeps the stock's address, and what is registered here is asked when an order is created.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.signed.order import customer_of
from chalicelib.stores.dynamodb import ConditionFailed, Database, Put, Row
from chalicelib.stores.tokens import Tokens
from chalicelib.tenancy import TenancyRefused

TABLE = "tokens"
DECIMALS = 18
"""Of every token of this desk (K31)."""
_INSTRUMENT, _QUOTE = "instrument/", "quote/"


class UnknownToken(TenancyRefused):
    def __init__(self, address: str) -> None:
        super().__init__(f"no such token: {address}")


class OtherDecimals(TenancyRefused):
    """The desk's tokens all have 18 decimals (K31)."""

    def __init__(self, address: str, decimals: int) -> None:
        super().__init__(f"the token has {decimals} decimals, not {DECIMALS}: {address}")


class InstrumentExists(TenancyRefused):
    """The instrument is another token's already."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(f"exists already: {instrument.ticker} of exchange {instrument.exchange}")


@dataclass(frozen=True, slots=True)
class Instrument:
    """stock: the address of its token in the ledger, in lower case."""

    exchange: int
    ticker: str
    stock: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What an instance knows of an order's asset and instrument. stock: None where there is no such instrument."""

    is_quote: bool
    stock: str | None


class Instruments:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens = Tokens(database)

    def add(self, instance: str, instrument: Instrument) -> None:
        """Name a stock's token; done once, it stands. Raises UnknownToken, OtherDecimals or InstrumentExists."""
        self._refuse_other_decimals(instance, instrument.stock)
        not_there, is_the_same = "attribute_not_exists(#entry)", "#stock = :stock"
        row = _instrument_key(instance, instrument.exchange, instrument.ticker) | {"stock": instrument.stock}
        values = {":stock": instrument.stock}
        try:
            self._database.write(Put(TABLE, row, f"{not_there} OR {is_the_same}", values))
        except ConditionFailed as error:
            raise InstrumentExists(instrument) from error

    def add_quote(self, instance: str, address: str) -> None:
        """Let orders be paid in a token. Raises UnknownToken or OtherDecimals. The row is the same whoever puts it."""
        self._refuse_other_decimals(instance, address)
        self._database.write(Put(TABLE, _quote_key(instance, address)))

    def terms(self, instance: str, asset: str, exchange: int, ticker: str) -> Terms:
        """Return what is known of an order's asset, in any letter case, and instrument, with one read."""
        quote, instrument = _quote_key(instance, asset), _instrument_key(instance, exchange, ticker)
        rows = {row["entry"]: row for row in self._database.get_many(TABLE, [quote, instrument])}
        found = rows.get(instrument["entry"])
        return Terms(quote["entry"] in rows, found["stock"] if found else None)

    def of_instance(self, instance: str) -> list[Instrument]:
        """Return an instance's instruments, by exchange and ticker."""
        names = ((row["entry"].split("/", 2), row["stock"]) for row in self._rows(instance, _INSTRUMENT))
        found = (Instrument(int(exchange), ticker, stock) for (_, exchange, ticker), stock in names)
        return sorted(found, key=lambda instrument: (instrument.exchange, instrument.ticker))

    def quotes(self, instance: str) -> list[str]:
        """Return the addresses of an instance's quote tokens."""
        return [row["entry"].removeprefix(_QUOTE) for row in self._rows(instance, _QUOTE)]

    def _rows(self, instance: str, start: str) -> Iterator[Row]:
        condition = "#instance = :instance AND begins_with(#entry, :start)"
        return self._database.query(TABLE, condition, {":instance": instance, ":start": start})

    def _refuse_other_decimals(self, instance: str, address: str) -> None:
        token = self._tokens.get(instance, address)
        if token is None:
            raise UnknownToken(address)
        if token.decimals != DECIMALS:
            raise OtherDecimals(address, token.decimals)


def _instrument_key(instance: str, exchange: int, ticker: str) -> dict[str, str]:
    return {"instance": instance, "entry": f"{_INSTRUMENT}{exchange}/{ticker}"}


def _quote_key(instance: str, address: str) -> dict[str, str]:
    return {"instance": instance, "entry": f"{_QUOTE}{customer_of(address)}"}
