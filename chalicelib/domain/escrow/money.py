"""Money of the escrow desk: decimals of a currency in requests, base units of its ledger token in the program.

One major unit (1 EUR) is 10^18 base units. A minor unit (1 cent) is the smallest step of the desk's amounts; what it
computes itself is rounded down to one. All conversions are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal

from chalicelib.domain.ledger.fees import Fee

MAJOR_UNIT_DECIMALS = 18
MAJOR_UNIT = 10**MAJOR_UNIT_DECIMALS
FEE_PERCENT_DECIMALS = 4
PERCENT = 100 * 10**FEE_PERCENT_DECIMALS
"""A fee's percentage, as it is kept, is so many parts of this."""
_SIGNS = {"EUR": "€"}
_EXACT = Context(prec=100)
"""Room for every amount of the ledger (38 digits) with all its decimals; the default's 28 digits would round."""


@dataclass(frozen=True, slots=True)
class Currency:
    """code: ISO 4217. decimals: of the minor unit, 2 for EUR, 0 for JPY. asset: the ledger's: the address of its token;
    in the sandbox that of ``ledger.sandbox``.
    """

    code: str
    decimals: int
    asset: str

    @property
    def minor_unit(self) -> int:
        """Base units of one minor unit."""
        return int(10 ** (18 - self.decimals))


def base_units(amount: Decimal) -> int:
    """Return an amount of major units in base units. ValueError where base units have too few decimals for it.

    >>> base_units(Decimal("23.77"))
    23770000000000000000
    """
    numerator, denominator = amount.as_integer_ratio()
    units, rest = divmod(numerator * MAJOR_UNIT, denominator)
    if rest:
        raise ValueError(f"more than {MAJOR_UNIT_DECIMALS} decimals: {amount}")
    return int(units)


def major_units(amount: int) -> Decimal:
    """Return base units in major units, exactly, with as many decimals as needed.

    >>> major_units(150 * 10**18), major_units(150_500_000_000_000_000_000)
    (Decimal('150'), Decimal('150.5'))
    """
    exact = Decimal(amount).scaleb(-MAJOR_UNIT_DECIMALS, _EXACT)
    return Decimal(f"{exact:f}".rstrip("0").rstrip("."))


def has_decimals(amount: Decimal, decimals: int) -> bool:
    """Tell whether the amount has so many decimals at most; trailing zeros do not count.

    >>> has_decimals(Decimal("1.50"), 1), has_decimals(Decimal("1.005"), 2)
    (True, False)
    """
    _, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int):
        return False
    trailing_zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return amount == 0 or -exponent - trailing_zeros <= decimals


def rounded_down(amount: int, currency: Currency) -> int:
    """Return the base units of the whole minor units in an amount."""
    return amount - amount % currency.minor_unit


def money_text(amount: int, currency: Currency) -> str:
    """Return an amount as text for people.

    >>> money_text(150 * 10**18, Currency("EUR", 2, "0x"))
    '150.00 €'
    >>> money_text(150 * 10**18, Currency("JPY", 0, "0x"))
    '150 JPY'
    """
    minor_units = amount // currency.minor_unit
    whole, rest = divmod(minor_units, 10**currency.decimals)
    decimals = f".{rest:0{currency.decimals}d}" if currency.decimals else ""
    return f"{whole}{decimals} {_SIGNS.get(currency.code, currency.code)}"


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """The fee that was agreed for an order. value: base units; percent: in 10^-4 of a percent. None: not agreed."""

    value: int | None = None
    percent: int | None = None

    @property
    def is_agreed(self) -> bool:
        return self.value is not None or self.percent is not None

    def fee(self, currency: Currency) -> Fee:
        """Return the terms as a fee on what is left of an order: the larger of the two (E25)."""
        return Fee(self.percent or 0, PERCENT, currency.minor_unit, self.value or 0)


NO_FEE = FeeTerms()
