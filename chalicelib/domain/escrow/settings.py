"""Settings of an instance's escrow desk: currencies, release delay, what payers are told."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.escrow.order import Merchant
from chalicelib.domain.ledger.sandbox import sandbox_asset
from chalicelib.domain.tenancy.instances import TenancyRefused, World

CURRENCIES_MAX = 20
"""A customer has a wallet in each, and all of a merchant's first ones are written in one transaction."""
MERCHANTS_MAX = 100
"""An operator's key looks for an id under each merchant, in one read."""
RELEASE_DELAY_SECONDS_MAX = 365 * 86_400


class CurrencyKnown(TenancyRefused):
    """The currency, or its token, is there with other facts: wallets rest on them."""

    def __init__(self, code: str) -> None:
        super().__init__(f"is there with another token or other decimals, or its token is another's: {code}")


class TooManyCurrencies(TenancyRefused):
    def __init__(self, instance: str) -> None:
        super().__init__(f"has its {CURRENCIES_MAX} currencies already: {instance}")


class UnknownCurrency(TenancyRefused):
    def __init__(self, code: str) -> None:
        super().__init__(f"no such currency: {code}")


class UnknownMerchant(TenancyRefused):
    def __init__(self, merchant: str) -> None:
        super().__init__(f"no such merchant: {merchant}")


class MerchantExists(TenancyRefused):
    def __init__(self, merchant: str) -> None:
        super().__init__(f"exists already: {merchant}")


class TooManyMerchants(TenancyRefused):
    def __init__(self, instance: str) -> None:
        super().__init__(f"has its {MERCHANTS_MAX} merchants already: {instance}")


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """currencies: those that are enabled, with their tokens, in the order in which they came. release_delay_seconds:
    between a validation and its release; 0: both in one call (E22). public_base_url: in front of an order's three
    links. iban, beneficiary: where bank-wire payins are to be sent.
    """

    currencies: tuple[Currency, ...] = ()
    release_delay_seconds: int = 0
    public_base_url: str = "https://pay.example.test"
    iban: str | None = None
    beneficiary: str | None = None

    def currencies_in(self, world: World) -> tuple[Currency, ...]:
        """Return the currencies as a world has them: the sandbox has assets of its own (E35)."""
        if world is World.PRODUCTION:
            return self.currencies
        return tuple(replace(currency, asset=sandbox_asset(currency.asset)) for currency in self.currencies)

    def currency(self, code: str, world: World) -> Currency | None:
        return next((currency for currency in self.currencies_in(world) if currency.code == code), None)

    def with_currency(self, new: Currency, instance: str) -> DeskSettings:
        """Raises CurrencyKnown or TooManyCurrencies; one that is there just so changes nothing."""
        if new in self.currencies:
            return self
        if any(new.code == currency.code or new.asset == currency.asset for currency in self.currencies):
            raise CurrencyKnown(new.code)
        if len(self.currencies) == CURRENCIES_MAX:
            raise TooManyCurrencies(instance)
        return replace(self, currencies=(*self.currencies, new))


@dataclass(frozen=True, slots=True)
class OpenDesk:
    """An active instance's desk, as one merchant sees it; merchant: None for an operator."""

    instance: str
    settings: DeskSettings
    merchant: Merchant | None
