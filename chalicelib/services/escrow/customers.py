"""Customers, their wallets, and merchants; each is created or changed in one transaction.

A customer is identified by its e-mail address or by prefix and phone number. Within a scope each belongs to one
customer, in any letter case; a request with a known one changes that customer (E18).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from chalicelib.domain.escrow.checks import Errors, wrong
from chalicelib.domain.escrow.commands import CreateCustomer, Deposit
from chalicelib.domain.escrow.faults import DeskBusy, Invalid, NotFound
from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.escrow.order import Customer, Merchant, Scope, Wallet, refuse_other_worlds_asset
from chalicelib.domain.escrow.settings import UnknownCurrency
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.domain.ledger.transactions import Movement, Transaction
from chalicelib.domain.tenancy.instances import World
from chalicelib.services.escrow.committing import TRIES_MAX, command_name
from chalicelib.services.ledger.movements import Movements, ReferenceTaken, SupplyTooLarge
from chalicelib.services.ledger.posting import Posting, Postings, Refused
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.outcomes import OutcomeUnknown, ReceiptExists
from chalicelib.tables.attempts import Contended, tries, until_known
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_rows import CUSTOMER, WALLET
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.writes import TransactionRefused, Write

CustomerReceipt = Callable[[Customer], Write]
WalletReceipt = Callable[[Wallet, Transaction], Write]
CONTACTS = ("email", "prefix", "phone")


class Customers:
    """Creates and changes customers, wallets and merchants. clock_s: Unix seconds."""

    def __init__(self, database: Database, clock_s: Callable[[], int]) -> None:
        self._database = database
        self._clock_s = clock_s
        self._desks = EscrowDesks(database)
        self._escrows = Escrows(database)
        self._movements = Movements(database)
        self._postings = Postings(database)

    def create_merchant(self, instance: str, merchant: str, base_currency: str, email: str | None = None) -> Merchant:
        """Create a merchant with its own hidden customer in each world, and their wallets (E18).

        Raises UnknownCurrency, MerchantExists or TooManyMerchants (nothing changed).
        """
        settings, now_s = self._desks.settings(instance), self._clock_s()
        if settings.currency(base_currency, World.PRODUCTION) is None:
            raise UnknownCurrency(base_currency)
        uuids = {world: str(uuid4()) for world in World}
        made = Merchant(instance, merchant, base_currency, uuids, now_s, email)
        writes: list[Write] = []
        for world in World:
            hidden = Customer(made.scope(world), 0, uuids[world], now_s, is_hidden=True)
            customer, wallets = self._new(hidden, settings.currencies_in(world))
            writes += self._escrows.put_customer(customer, wallets)
        self._desks.create_merchant(made, writes)
        return made

    def create(
        self, scope: Scope, request: CreateCustomer, currencies: Sequence[Currency], receipt: CustomerReceipt | None
    ) -> Customer:
        """Create a customer with a wallet in each currency, or change the one with this e-mail address or phone.

        Raises Invalid (the phone is another customer's), ReceiptExists, DeskBusy or Unavailable (nothing changed); or
        OutcomeUnknown.
        """
        made: tuple[Customer, list[Wallet]] | None = None

        def new(command: str) -> tuple[Customer, list[Wallet]]:
            nonlocal made
            made = made or self._new(_customer(scope, request, command, self._clock_s()), currencies)
            return made

        return self._write(lambda: self._known(scope, request), request, new, receipt)

    def change(self, scope: Scope, uuid: str, request: CreateCustomer) -> Customer:
        """Change the given fields of a customer (E40).

        Raises NotFound, Invalid (the e-mail address or phone is another customer's), DeskBusy or Unavailable (nothing
        changed); or OutcomeUnknown.
        """

        def known() -> Customer:
            found = self._escrows.customer(scope, uuid)
            if found is None:
                raise NotFound(f"customer {uuid}")
            for field, owner in zip(("email", "phone"), self._owners(scope, request), strict=True):
                if owner is not None and owner.customer_id != found.customer_id:
                    raise Invalid(wrong(field, "belongs to another customer"))
            return found

        def new(_command: str) -> tuple[Customer, list[Wallet]]:
            raise Inconsistent("a customer that is changed is there")

        return self._write(known, request, new, None)

    def _write(
        self,
        find: Callable[[], Customer | None],
        request: CreateCustomer,
        new: Callable[[str], tuple[Customer, list[Wallet]]],
        receipt: CustomerReceipt | None,
    ) -> Customer:
        """Change the customer that ``find`` returns, or write the ``new`` one; without a change, write nothing."""
        command = command_name()

        def once(may_be_done: bool) -> Customer:
            known = find()
            if may_be_done and known is not None and known.command == command:
                return known
            if known is not None:
                if receipt is None and replace(known, **_given(request)) == known:
                    return known
                after = _changed(known, request, command)
                writes = self._escrows.change_customer(known, after)
            else:
                after, wallets = new(command)
                writes = self._escrows.put_customer(after, wallets)
            posting = Posting(after.scope.instance, writes, receipt=receipt(after) if receipt else None)
            try:
                self._postings.post(posting, partial(self._is_written, after))
            except Refused as refused:  # an earlier try may be done by now: the next one finds it
                if refused.is_receipt:
                    raise ReceiptExists(command) from refused
                raise Contended from refused
            return after

        return until_known(once, TRIES_MAX, self._database.pause, DeskBusy(command))

    def _is_written(self, after: Customer) -> bool | None:
        found = self._escrows.customer_by_id(after.scope, after.customer_id)
        if found is None or found.version < after.version:
            return False
        return True if found.command == after.command else None

    def with_wallet(self, customer: Customer, currency: Currency) -> Customer:
        """Return the customer with a wallet in a currency; create it if the currency is newer than the customer.

        Idempotent. Raises DeskBusy or Unavailable.
        """
        wallet_id = None
        for number in tries(TRIES_MAX, self._database.pause):
            if number:  # changed by others, or done already
                customer = self._as_now(customer)
            if currency.code in customer.wallets:
                return customer
            wallet_id = wallet_id or self._escrows.next_id(customer.scope.instance, WALLET)
            wallet = _wallet(customer, wallet_id, currency, self._clock_s())
            wallets = {**customer.wallets, currency.code: wallet_id}
            after = replace(customer, wallets=wallets, version=customer.version + 1)
            writes = [*self._escrows.change_customer(customer, after), *self._escrows.put_wallet(wallet)]
            try:
                writes.append(self._escrows.count(customer.scope, wallets=1))
                self._database.transact(writes, partial(self._has_wallet, after, wallet_id))
                return after
            except (TransactionRefused, OutcomeUnknown):
                continue
        raise DeskBusy(f"customer {customer.customer_id}")

    def _as_now(self, customer: Customer) -> Customer:
        found = self._escrows.customer_by_id(customer.scope, customer.customer_id)
        if found is None:
            raise Inconsistent("a customer stays")
        return found

    def _has_wallet(self, customer: Customer, wallet_id: int) -> bool:
        return self._escrows.wallet_by_id(customer.scope, wallet_id) is not None

    def deposit(self, scope: Scope, wallet_uuid: str, deposit: Deposit, receipt: WalletReceipt | None) -> Wallet:
        """Credit a wallet, once for each reference (E19); a repeat moves nothing and writes no receipt.

        Raises NotFound, Invalid, ReceiptExists or Unavailable (nothing changed); or OutcomeUnknown.
        """
        wallet = self._escrows.wallet(scope, wallet_uuid)
        if wallet is None:
            raise NotFound(f"wallet {wallet_uuid}")
        refuse_other_worlds_asset(f"wallet {wallet_uuid}", scope.world, wallet.currency)
        errors = _deposit_errors(deposit, wallet.currency)
        if errors:
            raise Invalid(errors)
        customer = wallet.account.customer
        movement = Movement(scope.instance, wallet.currency.asset, None, customer, deposit.amount, deposit.reference)
        bound = None if receipt is None else lambda transaction: receipt(wallet, transaction)
        try:
            self._movements.record(movement, bound)
        except ReferenceTaken as error:
            raise Invalid(wrong("amount", "is another than that of this reference")) from error
        except SupplyTooLarge as error:
            raise Invalid(wrong("amount", "is more than the ledger has room for")) from error
        return wallet

    def _known(self, scope: Scope, request: CreateCustomer) -> Customer | None:
        """Return the customer with the request's e-mail address or phone. Raises Invalid where two have them."""
        by_email, by_phone = self._owners(scope, request)
        if by_email and by_phone and by_email.customer_id != by_phone.customer_id:
            raise Invalid(wrong("phone", "belongs to another customer"))
        return by_email or by_phone

    def _owners(self, scope: Scope, request: CreateCustomer) -> tuple[Customer | None, Customer | None]:
        """Return who has the request's e-mail address, and who has its phone."""
        by_email = by_phone = None
        if request.email is not None:
            by_email = self._escrows.customer_with_email(scope, request.email)
        if request.prefix is not None and request.phone is not None:
            by_phone = self._escrows.customer_with_phone(scope, request.prefix, request.phone)
        return by_email, by_phone

    def _new(self, customer: Customer, currencies: Sequence[Currency]) -> tuple[Customer, list[Wallet]]:
        """Return a new customer with its id, and its wallets."""
        instance = customer.scope.instance
        customer = replace(customer, customer_id=self._escrows.next_id(instance, CUSTOMER))
        if not currencies:
            return customer, []
        first = self._escrows.next_id(instance, WALLET, len(currencies))
        wallets = [
            _wallet(customer, first + number, currency, customer.created_at_s)
            for number, currency in enumerate(currencies)
        ]
        return replace(customer, wallets={one.currency.code: one.wallet_id for one in wallets}), wallets


def _customer(scope: Scope, request: CreateCustomer, command: str, now_s: int) -> Customer:
    return Customer(scope, 0, str(uuid4()), now_s, **_given(request), command=command)


def _changed(customer: Customer, request: CreateCustomer, command: str) -> Customer:
    return replace(customer, **_given(request), version=customer.version + 1, command=command)


def _given(request: CreateCustomer) -> dict[str, Any]:
    names = (*CONTACTS, "name", "first_name", "last_name", "tag", "metadata")
    return {name: value for name in names if (value := getattr(request, name)) is not None}


def _wallet(customer: Customer, wallet_id: int, currency: Currency, now_s: int) -> Wallet:
    uuid = str(uuid4())
    return Wallet(customer.scope, wallet_id, uuid, customer.customer_id, customer.uuid, currency, now_s)


def _deposit_errors(deposit: Deposit, currency: Currency) -> Errors:
    if deposit.amount <= 0:
        return wrong("amount", "must be greater than 0")
    if deposit.amount % currency.minor_unit:
        return wrong("amount", f"must have at most {currency.decimals} decimals")
    if deposit.amount > AMOUNT_MAX:
        return wrong("amount", "is more than the ledger has room for")
    return {}
