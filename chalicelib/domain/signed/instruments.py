"""Instruments and quote tokens of a taker desk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the vendor calls an exchange. market: its market code. currency: in which its prices are."""

    market: str
    currency: str


EXCHANGES = {0: Exchange("usex", "USD")}
"""The exchanges that the vendor names, by their number."""


@dataclass(frozen=True, slots=True)
class Stock:
    """A stock's token in the ledger. address: in lower case. decimals: a whole share is 10**decimals base units."""

    address: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Instrument:
    exchange: int
    ticker: str
    stock: Stock


@dataclass(frozen=True, slots=True)
class Terms:
    """An instance's entries for an order's asset and instrument. stock: None if there is no such instrument."""

    is_quote: bool
    stock: Stock | None
