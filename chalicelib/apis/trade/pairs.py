"""Pairs: the trade desk's names for the books of an instance (R15).

This desk serves a book if it settles off chain and its symbol, in upper case, is BASE/QUOTE of the symbols of its two
tokens, both made of A to Z and 0 to 9 (T44). Its pair is BASE_QUOTE. A pair has at most one book that is not CLOSED
(T31), and any number of closed ones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from chalicelib.apis.kit.http import BadPercentEncoding, HttpRequest, percent_decoded
from chalicelib.apis.trade.envelope import Error, Fault
from chalicelib.apis.trade.figures import Decimals
from chalicelib.domain.books.config import SYMBOL_CHARACTERS_MAX, BookConfig, SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key
from chalicelib.domain.ledger.tokens import Token
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.support.ascii_case import ascii_upper

_CODE = re.compile(r"[A-Z0-9]+")
_PAIR = re.compile(r"([A-Za-z0-9]+)_([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class Market:
    """A book with its two tokens."""

    book: BookConfig
    base: Token
    quote: Token

    @property
    def pair(self) -> str:
        return f"{self.base_code}_{self.quote_code}"

    @property
    def base_code(self) -> str:
        return code_of(self.base)

    @property
    def quote_code(self) -> str:
        return code_of(self.quote)

    def received_code(self, side: Side) -> str:
        """The code of the asset that this side receives; its fees are in it."""
        return self.base_code if side is Side.BUY else self.quote_code

    @property
    def decimals(self) -> Decimals:
        return Decimals(self.book.base_decimals, self.quote.decimals)

    @property
    def key(self) -> str:
        """The book's key in every table."""
        return book_key(self.book.instance, self.book.book_id)

    @property
    def is_open(self) -> bool:
        return self.book.status is not BookStatus.CLOSED


class Pairs:
    def __init__(self, reading: BooksReading, ledger: LedgerReading) -> None:
        self._reading = reading
        self._ledger = ledger

    def open_book(self, instance: str, pair: str) -> Market:
        """Return the pair's book that is not CLOSED. Raises Fault if there is none.

        The cost does not depend on the number of books.
        """
        symbol = symbol_of(pair)
        config = None if symbol is None else self._reading.book_of_symbol(instance, symbol)
        if config is None:
            raise pair_not_found()
        tokens = self._ledger.tokens_by_address(instance, (config.base_asset, config.quote_asset))
        market = _market_of(config, tokens)
        if market is None or not market.is_open:
            raise pair_not_found()
        return market

    def with_halts(self, markets: Iterable[Market], now_ms: int) -> list[Market]:
        """Return the markets, those of books that are halted now marked so (O12)."""
        read = list(markets)
        books = self._reading.with_halts((market.book for market in read), now_ms)
        return [replace(market, book=book) for market, book in zip(read, books, strict=True)]

    def in_capitals(self, instance: str, pair: str) -> str:
        """Return a pair as books show it. Raises Fault unless a book has or had it.

        The cost depends on the number of books only if no open one has it.
        """
        try:
            return self.open_book(instance, pair).pair
        except Fault:
            return next(iter(self.every_book(instance, pair).values())).pair

    def every_book(self, instance: str, pair: str) -> dict[str, Market]:
        """Return every book that has or had the pair, by id. Raises Fault if there is none."""
        wanted = ascii_upper(pair) if symbol_of(pair) else None
        found = {market.book.book_id: market for market in self.of_instance(instance) if market.pair == wanted}
        if not found:
            raise pair_not_found()
        return found

    def of_instance(self, instance: str) -> list[Market]:
        """Return every served book, closed ones too, by pair. Reads all books and tokens of the instance."""
        tokens = {token.address: token for token in self._ledger.tokens(instance)}
        markets = [_market_of(config, tokens) for config in self._reading.books(instance)]
        return sorted(filter(None, markets), key=lambda market: market.pair)

    def of_book(self, instance: str, book_id: str) -> Market | None:
        """Return the book with this id, closed or not; None if this desk does not serve it."""
        return self.of_books(instance, [book_id]).get(book_id)

    def of_books(self, instance: str, book_ids: Collection[str]) -> dict[str, Market]:
        """Return the served ones of these books, closed or not, by id."""
        configs = self._reading.books_by_id(instance, book_ids)
        assets = [asset for config in configs for asset in (config.base_asset, config.quote_asset)]
        tokens = self._ledger.tokens_by_address(instance, assets)
        markets = filter(None, (_market_of(config, tokens) for config in configs))
        return {market.book.book_id: market for market in markets}


def code_of(token: Token) -> str:
    """Return a token's code: its symbol with A to Z in upper case, unique in the instance (T44)."""
    return ascii_upper(token.symbol)


def symbol_of(pair: str) -> str | None:
    """Return the symbol of a book with this pair, in any case; None for a malformed pair."""
    match = _PAIR.fullmatch(pair)
    return f"{match[1]}/{match[2]}" if match and len(pair) <= SYMBOL_CHARACTERS_MAX else None


def pair_in_path(request: HttpRequest) -> str:
    """Return the pair that a path names, decoded. Raises Fault for bad percent-encoding."""
    try:
        return percent_decoded(request.path_parameters["pair"])
    except BadPercentEncoding as error:
        raise pair_not_found() from error


def pair_not_found() -> Fault:
    return Fault(Error.PAIR_NOT_FOUND)


def _market_of(config: BookConfig, tokens: dict[str, Token]) -> Market | None:
    """Return the book with its tokens; None if this desk does not serve it."""
    base, quote = tokens.get(config.base_asset), tokens.get(config.quote_asset)
    if config.settlement_mode is not SettlementMode.OFF_CHAIN or base is None or quote is None:
        return None
    codes = code_of(base), code_of(quote)
    if not all(map(_CODE.fullmatch, codes)) or ascii_upper(config.symbol) != "/".join(codes):
        return None
    return Market(config, base, quote)
