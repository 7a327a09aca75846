"""Creation of escrow orders: check the terms, find the parties, draw the ids and link tokens."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable

from chalicelib.domain.escrow import steps
from chalicelib.domain.escrow.checks import Errors, required, selected, value_errors
from chalicelib.domain.escrow.commands import CreateOrder
from chalicelib.domain.escrow.faults import DeskBusy, demand
from chalicelib.domain.escrow.links import HANDLE_CHARACTERS, SECRET_CHARACTERS
from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.escrow.order import Customer, Links, Order, Scope
from chalicelib.domain.escrow.settings import DeskSettings
from chalicelib.services.escrow.committing import TRIES_MAX, Commits, command_name
from chalicelib.services.escrow.customers import Customers
from chalicelib.services.ledger.posting import Refused
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.attempts import Contended, at_once, until_written
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.writes import Write

PUBLIC_ID_CHARACTERS, PUBLIC_ID_ALPHABET = 12, string.ascii_uppercase + string.digits
TOKEN_ALPHABET = string.ascii_letters + string.digits

OrderReceipt = Callable[[Order], Write]
"""Returns one more write for the command's transaction: the answer under the Idempotency-Key, made from the order."""


class Creation:
    """The part of ``EscrowDesk`` that creates orders; raises what its commands raise."""

    def __init__(
        self,
        database: Database,
        commits: Commits,
        customers: Customers,
        clock_s: Callable[[], int],
        settings: Callable[[str], DeskSettings],
    ) -> None:
        self._clock_s = clock_s
        self._commits = commits
        self._customers = customers
        self._desks = EscrowDesks(database)
        self._escrows = Escrows(database)
        self._settings = settings

    def create_order(self, scope: Scope, request: CreateOrder, receipt: OrderReceipt | None) -> Order:
        currency, buyer, seller = self._terms(scope, request)
        seller = self._customers.with_wallet(seller, currency)
        buyer = None if buyer is None else self._customers.with_wallet(buyer, currency)
        order_id, created_at_s = self._escrows.next_order(scope.instance, self._clock_s())
        command = command_name()
        bound = None if receipt is None else lambda current: receipt(current.order)

        def once() -> Order:
            order = Order(
                scope,
                order_id,
                random_text(PUBLIC_ID_ALPHABET, PUBLIC_ID_CHARACTERS),
                request.name,
                request.value,
                currency,
                None if buyer is None else buyer.party(currency.code),
                seller.party(currency.code),
                _new_links(),
                created_at_s,
                description=request.description,
                fee_terms=request.fee_terms,
                is_auto_settle=request.is_auto_settle,
                tag=request.tag,
                metadata=request.metadata,
                template=request.template,
                images=request.images,
                payin_intents=request.payin_intents,
                payin_types=request.payin_types,
                payin_fallback=request.payin_fallback,
                callbacks=request.callbacks,
            )
            try:
                return self._commits.create(steps.created(order), command, bound).order
            except Refused as refused:  # the public id or the links' handle is taken: others
                raise Contended from refused

        return until_written(once, TRIES_MAX, at_once, DeskBusy(f"order {order_id} of {scope.merchant}"))

    def _terms(self, scope: Scope, request: CreateOrder) -> tuple[Currency, Customer | None, Customer]:
        """Return a new order's currency, buyer and seller. Raises Invalid."""
        errors: Errors = {}
        currency = self._settings(scope.instance).currency(request.currency, scope.world)
        if currency is None:
            errors |= selected("currency")
        else:
            errors |= value_errors(request.value, request.fee_terms, currency)
        ids = {"buyer_id": None if request.is_account_trustee else request.buyer_id, "seller_id": request.seller_id}
        found = self._escrows.customers_by_id(scope, [number for number in ids.values() if number is not None])
        for field, number in ids.items():
            if number is not None and number not in found:
                errors |= selected(field)
        if ids["buyer_id"] is None and not request.is_account_trustee and not request.is_auto_settle:
            errors |= required("buyer_id")
        if ids["seller_id"] is None and not request.is_auto_settle:
            errors |= required("seller_id")
        demand(errors)
        buyer = found.get(ids["buyer_id"] or 0)
        seller = found.get(ids["seller_id"] or 0)
        if currency is None:
            raise Inconsistent("an unknown currency is an error")
        if request.is_account_trustee or seller is None:
            own = self._own_customer(scope)
            buyer, seller = own if request.is_account_trustee else buyer, seller or own
        return currency, buyer, seller

    def _own_customer(self, scope: Scope) -> Customer:
        merchant = self._desks.merchant(scope.instance, scope.merchant)
        own = self._escrows.customer(scope, merchant.customers[scope.world])
        if own is None:
            raise Inconsistent("a merchant's own customers are made with it")
        return own


def random_text(alphabet: str, characters: int) -> str:
    """Return an unguessable text."""
    return "".join(secrets.choice(alphabet) for _ in range(characters))


def _new_links() -> Links:
    handle = random_text(TOKEN_ALPHABET, HANDLE_CHARACTERS)
    return Links(*(handle + random_text(TOKEN_ALPHABET, SECRET_CHARACTERS) for _ in range(3)))
