"""Endpoints: customers and wallets (E18)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import attrgetter

from chalicelib.apis.escrow.commands import Commands, Record, RequestFields, about
from chalicelib.apis.escrow.envelope import is_required, not_found, response, single, written
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.kinds import metadata, text
from chalicelib.apis.escrow.list_query import CREATED_AT, ID, Listing, Match, Searched, asked_of
from chalicelib.apis.escrow.lists import page_from, page_of
from chalicelib.apis.escrow.objects import View, customer_view, transaction_view, wallet_view
from chalicelib.apis.escrow.paths import uuid_of
from chalicelib.apis.escrow.schema import Kind, Schema, Unfit
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.escrow.commands import CreateCustomer
from chalicelib.domain.escrow.order import Customer, Wallet
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.escrow.reading import EscrowReading, Source

NUMBER_CHARACTERS_MAX = 40
"""Of a phone number as it is sent, with the blanks between its digits."""


def _dialled(begin: str, digits: str, rule: str) -> Kind:
    """Digits as people write them: blanks are left out, so that a number is the same however it is spaced (E37).

    begin: what stands before the digits. digits: how many, as in ``4,15``.
    """
    as_text = text(NUMBER_CHARACTERS_MAX)

    def check(value: object) -> str:
        dialled = "".join(as_text.check(value).split(" "))
        if not re.fullmatch(f"{begin}[0-9]{{{digits}}}", dialled):
            raise Unfit(rule)
        return dialled

    spaced = f"^ *{begin}([0-9] *){{{digits}}}$"
    return Kind(str, check, {"type": "string", "maxLength": NUMBER_CHARACTERS_MAX, "pattern": spaced})


CUSTOMER = Schema(
    {
        "email": text(255, r"[^@\s]+@[^@\s]+", "must be an e-mail address"),
        "prefix": _dialled(r"\+ *", "1,4", "must be + and 1 to 4 digits"),
        "phone": _dialled("", "4,15", "must be 4 to 15 digits"),
        "name": text(255),
        "first_name": text(255),
        "last_name": text(255),
        "tag": text(100),
        "metadata": metadata(),
    }
)
CUSTOMERS: Listing[Customer] = Listing(
    row_id=attrgetter("customer_id"),
    created_at_s=attrgetter("created_at_s"),
    searches={
        ID: Searched(Match.INTEGER, lambda customer: [customer.customer_id]),
        "uuid": Searched(Match.CONTAINS, lambda customer: [customer.uuid]),
        "name": Searched(Match.CONTAINS, lambda customer: [customer.name]),
        "email": Searched(Match.CONTAINS, lambda customer: [customer.email]),
        "phone": Searched(Match.CONTAINS, lambda customer: [customer.phone]),
        "tag": Searched(Match.CONTAINS, lambda customer: [customer.tag]),
    },
    sorts={
        CREATED_AT: attrgetter("created_at_s"),
        ID: attrgetter("customer_id"),
        "name": lambda customer: None if customer.name is None else customer.name.casefold(),
        "email": lambda customer: None if customer.email is None else customer.email.casefold(),
    },
)
WALLETS: Listing[Wallet] = Listing(
    row_id=attrgetter("wallet_id"),
    created_at_s=attrgetter("created_at_s"),
    searches={},
    sorts={CREATED_AT: attrgetter("created_at_s"), ID: attrgetter("wallet_id")},
)

TRANSACTIONS: Listing[Transaction] = Listing(
    row_id=attrgetter("transaction_id"),
    created_at_s=lambda row: row.at_ms // 1000,
    searches={},
    sorts={CREATED_AT: attrgetter("at_ms"), ID: attrgetter("transaction_id")},
)


@dataclass(frozen=True, slots=True)
class CustomerEndpoints:
    desk: EscrowDesk
    reading: EscrowReading
    commands: Commands

    def list(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET customers. Without the merchant's own customer (E18)."""
        asked = asked_of(request.query, CUSTOMERS)
        page = page_from(self.reading.customers(caller.scope), CUSTOMERS, asked)
        return response(200, written(page.body(list(map(customer_view, page.rows)))))

    def create(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """POST customers. Creates a customer, or changes the one with this e-mail address or phone (E18)."""

        def carry_out(sent: RequestFields, record: Record | None) -> View:
            if sent.sent.get("email") is None and sent.sent.get("phone") is None:
                missing = "phone" if "prefix" in sent.fields else "email"
                sent.note({missing: is_required(missing)})
            asked = _customer_asked(sent)
            return customer_view(self.desk.create_customer(caller.scope, asked, about(record, customer_view)))

        return self.commands.once(request, caller, CUSTOMER, carry_out)

    def change(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """PUT customers/{uuid}. Changes the given fields; the merchant's own customer is not found (E40)."""
        customer = self._customer(request, caller)
        if customer.is_hidden:
            raise not_found()

        def carry_out(sent: RequestFields) -> View:
            asked = _customer_asked(sent)
            return customer_view(self.desk.change_customer(caller.scope, customer.uuid, asked))

        return self.commands.change(request, CUSTOMER, carry_out)

    def show(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        return response(200, single(customer_view(self._customer(request, caller))))

    def list_wallets(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET wallets. Also those of the merchant's own customer."""
        return self._page_of_wallets(request, caller, self.reading.wallets(caller.scope))

    def list_wallets_of_customer(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET customers/{uuid}/wallets."""
        return self._page_of_wallets(request, caller, self.reading.wallets_of(self._customer(request, caller)))

    def show_wallet(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        wallet = self._wallet(request, caller)
        (available,) = self.reading.available(caller.instance, [wallet])
        return response(200, single(wallet_view(wallet, available)))

    def list_transactions(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET wallets/{uuid}/transactions. Reads all rows of the wallet: the total is exact (E39)."""
        wallet = self._wallet(request, caller)
        asked = asked_of(request.query, TRANSACTIONS, has_search=False)
        page = page_of(TRANSACTIONS, asked, self.reading.transactions(wallet))
        return response(200, written(page.body([transaction_view(row, wallet) for row in page.rows])))

    def _page_of_wallets(self, request: HttpRequest, caller: Caller, source: Source[Wallet]) -> HttpResponse:
        page = page_from(source, WALLETS, asked_of(request.query, WALLETS, has_search=False, has_dates=False))
        balances = self.reading.available(caller.instance, page.rows)
        return response(200, written(page.body(list(map(wallet_view, page.rows, balances)))))

    def _wallet(self, request: HttpRequest, caller: Caller) -> Wallet:
        """Return the wallet in the path. Raises Fault 404."""
        wallet = self.reading.wallet(caller.scope, uuid_of(request))
        if wallet is None:
            raise not_found()
        return wallet

    def _customer(self, request: HttpRequest, caller: Caller) -> Customer:
        """Return the customer in the path. Raises Fault 404."""
        customer = self.reading.customer(caller.scope, uuid_of(request))
        if customer is None:
            raise not_found()
        return customer


def _customer_asked(sent: RequestFields) -> CreateCustomer:
    """Return the given fields of a customer. Raises Fault for bad ones.

    A phone needs a prefix; a prefix without a phone is no number, and is left out (E37).
    """
    if sent.sent.get("phone") is not None and sent.sent.get("prefix") is None:
        sent.note({"prefix": is_required("prefix")})
    sent.refuse_faulty()
    without = {"prefix"} if "phone" not in sent.fields else set()
    return CreateCustomer(**{name: value for name, value in sent.fields.items() if name not in without})
