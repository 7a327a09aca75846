"""Settings of an instance's escrow desk: currencies, release delay, what payers are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.escrow.order import Merchant
from chalicelib.domain.escrow.payments import PayinType
from chalicelib.domain.ledger.sandbox import sandbox_asset
from chalicelib.domain.tenancy.instances import ExistsAlready, NotFound, TenancyRefused, World

CURRENCIES_MAX = 20
"""A customer has a wallet in each, and all of a merchant's first ones are written in one transaction."""
MERCHANTS_MAX = 100
"""An operator's key looks for an id under each merchant, in one read."""
RELEASE_DELAY_SECONDS_MAX = 365 * 86_400
PAYIN_TYPES_MAX = 20
PAYIN_TYPE_PATTERN = r"(?!(?:WALLET|BANKWIRE)$)[A-Z][A-Z0-9_]{1,39}"
"""Names of external payin types."""


class CurrencyKnown(ExistsAlready):
    """The currency, or its token, is there with other facts: wallets rest on them."""

    def __init__(self, code: str) -> None:
        super().__init__(f"is there with another token or other decimals, or its token is another's: {code}")


class TooManyCurrencies(TenancyRefused):
    def __init__(self, instance: str) -> None:
        super().__init__(f"has its {CURRENCIES_MAX} currencies already: {instance}")


class UnknownCurrency(NotFound):
    def __init__(self, code: str) -> None:
        super().__init__(f"no such currency: {code}")


class UnknownMerchant(NotFound):
    def __init__(self, merchant: str) -> None:
        super().__init__(f"no such merchant: {merchant}")


class MerchantExists(ExistsAlready):
    def __init__(self, merchant: str) -> None:
        super().__init__(f"exists already: {merchant}")


class TooManyMerchants(TenancyRefused):
    def __init__(self, instance: str) -> None:
        super().__init__(f"has its {MERCHANTS_MAX} merchants already: {instance}")


class UnknownPayinType(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(f"no such external payin type: {name}")


class TooManyPayinTypes(TenancyRefused):
    def __init__(self, instance: str) -> None:
        super().__init__(f"has its {PAYIN_TYPES_MAX} external payin types already: {instance}")


@dataclass(frozen=True, slots=True)
class ExternalPayinType:
    """A way to pay with a provider outside, as REDSYS_V2 (E44). generation: number of its callbacks' secret."""

    name: str
    generation: int = 1


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """currencies: those that are enabled, with their tokens, in the order in which they came. release_delay_seconds:
    between a validation and its release; 0: both in one call (E22). public_base_url: in front of an order's three
    links. iban, beneficiary: where bank-wire payins are to be sent. payin_types: the external ones (E44).
    """

    currencies: tuple[Currency, ...] = ()
    release_delay_seconds: int = 0
    public_base_url: str = "https://pay.example.test"
    iban: str | None = None
    beneficiary: str | None = None
    payin_types: tuple[ExternalPayinType, ...] = ()

    @property
    def payin_type_names(self) -> tuple[str, ...]:
        """The types of payins that an order may be paid by."""
        return (*(kind.value for kind in PayinType), *(kind.name for kind in self.payin_types))

    def payin_type(self, name: str) -> ExternalPayinType | None:
        return next((kind for kind in self.payin_types if kind.name == name), None)

    def with_payin_type(self, name: str, instance: str) -> DeskSettings:
        """Raises TooManyPayinTypes; one that is there stays as it is."""
        if self.payin_type(name) is not None:
            return self
        if len(self.payin_types) == PAYIN_TYPES_MAX:
            raise TooManyPayinTypes(instance)
        return replace(self, payin_types=(*self.payin_types, ExternalPayinType(name)))

    def with_next_secret(self, name: str) -> DeskSettings:
        """Give an external payin type a new secret; the one before it is refused then. Raises UnknownPayinType."""
        return self._with(name, lambda kind: (replace(kind, generation=kind.generation + 1),))

    def without_payin_type(self, name: str) -> DeskSettings:
        """No payins of the type are opened from then on. Raises UnknownPayinType."""
        return self._with(name, lambda _: ())

    def _with(self, name: str, change: Callable[[ExternalPayinType], tuple[ExternalPayinType, ...]]) -> DeskSettings:
        if self.payin_type(name) is None:
            raise UnknownPayinType(name)
        kinds = (change(kind) if kind.name == name else (kind,) for kind in self.payin_types)
        return replace(self, payin_types=tuple(one for each in kinds for one in each))

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
    """An active instance's desk, as one merchant sees it; merchant: None for an operator.

    has_frozen: whether a customer of the instance is frozen (T96).
    """

    instance: str
    settings: DeskSettings
    merchant: Merchant | None
    has_frozen: bool = False
