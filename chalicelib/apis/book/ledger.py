"""Endpoints: credit, debit and transfer; balances and transactions (T35 to T37).

The answer to a credit or debit has the balance after it, which is known only when it is done. So under an
Idempotency-Key, the transaction that moves the money keeps a pending answer with the expected balance (the balance
before, plus or minus the amount). Then the answer is finished with the balance read. A crash in between leaves the
expected balance.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from chalicelib.apis.book import ledger_schema, schema
from chalicelib.apis.book.envelope import Detail, Envelope, Fault
from chalicelib.apis.book.idempotency import answer_once, key_of, recorded
from chalicelib.apis.book.tokens import token_in_path, token_not_found
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.tokens import Token
from chalicelib.domain.ledger.transactions import Movement, Transaction, TransactionType
from chalicelib.services.answers import FINISH_WITHIN_MS, Answers, KeptAnswer
from chalicelib.services.books.statements import Statements
from chalicelib.services.ledger.movements import (
    InsufficientBalance,
    Movements,
    Receipt,
    Recorded,
    ReferenceTaken,
    SameCustomer,
    SupplyTooLarge,
    UnknownToken,
)
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.support.clock import iso
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger


@dataclass(frozen=True, slots=True)
class MovementEndpoints:
    movements: Movements
    reading: LedgerReading
    answers: Answers

    def credit(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST balances/credit. 200 with the customer's balance after it."""
        return self._change(request, instance, envelope, TransactionType.CREDIT)

    def debit(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST balances/debit. 200 with the customer's balance after it; held funds cannot be debited."""
        return self._change(request, instance, envelope, TransactionType.DEBIT)

    def transfer(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST balances/transfer. 200 with the transaction's id."""
        key = key_of(request)
        members = schema.json_object(request.body)
        movement = schema.checked(ledger_schema.TransferBody, members).movement(instance)

        def act(kept: KeptAnswer | None) -> HttpResponse:
            def shown(transaction_id: str) -> str:
                return envelope.success_body(_transfer_data(movement, transaction_id))

            done = self._carry_out(
                movement, None if kept is None else lambda made: kept.receipt(200, shown(made.transaction_id))
            )
            response = envelope.response(200, shown(done.transaction_id))
            return response if done.is_new else recorded(kept, response, envelope)

        return answer_once(self.answers, request, instance, key, members, envelope, act)

    def _change(self, request: HttpRequest, instance: str, envelope: Envelope, kind: TransactionType) -> HttpResponse:
        key = key_of(request)
        members = schema.json_object(request.body)
        body = schema.checked(ledger_schema.ChangeBody, members)
        movement, customer = body.movement(instance, kind), body.customerRef

        def act(kept: KeptAnswer | None) -> HttpResponse:
            before = self.reading.balance(instance, customer, movement.asset)
            expected = before.total + (movement.amount if kind is TransactionType.CREDIT else -movement.amount)

            def shown(transaction_id: str, total: int) -> str:
                return envelope.success_body(_change_data(customer, movement.asset, total, transaction_id))

            done = self._carry_out(
                movement,
                None
                if kept is None
                else lambda made: kept.receipt(200, shown(made.transaction_id, expected), FINISH_WITHIN_MS),
            )
            if not done.is_new:
                total = self.reading.balance(instance, customer, movement.asset).total
                return recorded(kept, envelope.response(200, shown(done.transaction_id, total)), envelope)
            answer = shown(done.transaction_id, expected)
            try:  # the money is moved, so a failed read must not become an error
                answer = shown(done.transaction_id, self.reading.balance(instance, customer, movement.asset).total)
                if kept is not None:
                    answer = kept.finish(answer).body
            except (Unavailable, OutcomeUnknown):
                logger.warning("no balance to show", exc_info=True)
            return envelope.response(200, answer)

        return answer_once(self.answers, request, instance, key, members, envelope, act)

    def _carry_out(self, movement: Movement, receipt: Receipt | None) -> Recorded:
        """Carry the movement out. Raises Fault for a refusal (T35)."""
        try:
            return self.movements.record(movement, receipt)
        except UnknownToken as error:
            raise token_not_found() from error
        except SameCustomer as error:
            raise Fault("INVALID_TRANSFER", "A customer cannot transfer to itself") from error
        except InsufficientBalance as error:
            raise Fault("INSUFFICIENT_BALANCE", f"Insufficient balance: {error}") from error
        except SupplyTooLarge as error:
            too_large = Detail("amount", "would lift the sum of all balances of the token above 38 digits")
            raise schema.validation_fault([too_large]) from error
        except ReferenceTaken as error:
            raise Fault("IDEMPOTENCY_MISMATCH", "The reference was used with another amount or metadata") from error


@dataclass(frozen=True, slots=True)
class StatementEndpoints:
    reading: LedgerReading
    statements: Statements

    def balances_of_customer(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET balances/{customerRef}. 200 with a page of the customer's accounts, by symbol; never 404 (T36)."""
        customer = schema.customer_ref(request.path_parameters["customerRef"])
        page = ledger_schema.page_query(request.query)
        balances = list(self.reading.balances(instance, customer))
        tokens = self.reading.tokens_by_address(instance, (balance.asset for balance in balances))
        balances.sort(key=lambda balance: _by_symbol(tokens.get(balance.asset), balance.asset))
        shown = [_balance_data(balance, tokens.get(balance.asset)) for balance in page.of(balances)]
        return envelope.success(200, {"customerRef": customer, "balances": schema.that_fit(shown)})

    def balance(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET balances/{customerRef}/{tokenAddress}. 200, zeros where there is no account yet (T36)."""
        customer = schema.customer_ref(request.path_parameters["customerRef"])
        token = token_in_path(self.reading, instance, request.path_parameters["tokenAddress"])
        balance = self.reading.balance(instance, customer, token.address)
        return envelope.success(200, {"customerRef": customer} | _balance_data(balance, token))

    def transactions(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET transactions. 200 with a page of the selected transactions, newest first, and their total."""
        wanted, page = ledger_schema.transactions_query(request.query)
        shown, total = [], 0
        for total, transaction in enumerate(self.statements.newest_first(instance, wanted), 1):
            if page.offset < total <= page.offset + page.limit:
                shown.append(transaction)
        tokens = self.reading.tokens_by_address(instance, (transaction.asset for transaction in shown))
        rows = [_transaction_data(transaction, tokens.get(transaction.asset)) for transaction in shown]
        return envelope.success(200, {"transactions": schema.that_fit(rows), "total": total})


def _change_data(customer: str, asset: str, total: int, transaction_id: str) -> dict[str, object]:
    return {
        "customerRef": customer,
        "tokenAddress": asset,
        "balance": str(total),
        "transactionId": transaction_id,
    }


def _transfer_data(movement: Movement, transaction_id: str) -> dict[str, object]:
    return {
        "fromCustomerRef": movement.source,
        "toCustomerRef": movement.target,
        "tokenAddress": movement.asset,
        "amount": str(movement.amount),
        "transactionId": transaction_id,
    }


def _by_symbol(token: Token | None, asset: str) -> tuple[bool, str, str]:
    """Return an account's sort key by symbol; assets that are no token of the instance come last."""
    return token is None, token.symbol.casefold() if token else "", asset


def _balance_data(balance: Balance, token: Token | None) -> dict[str, object]:
    shown = token and {
        "name": token.name,
        "symbol": token.symbol,
        "decimals": token.decimals,
        "metadataURI": token.metadata_uri,
    }
    return {
        "tokenAddress": balance.asset,
        "token": shown,
        "balance": str(balance.total),
        "lockedBalance": str(balance.held),
        "availableBalance": str(balance.available),
        "metadata": None,
    }


def _transaction_data(transaction: Transaction, token: Token | None) -> dict[str, object]:
    return {
        "id": transaction.transaction_id,
        "type": transaction.kind.value,
        "tokenAddress": transaction.asset,
        "token": token and {"name": token.name, "symbol": token.symbol},
        "fromCustomerRef": transaction.source,
        "toCustomerRef": transaction.target,
        "amount": str(transaction.amount),
        "reference": transaction.reference,
        "metadata": None if transaction.metadata is None else json.loads(transaction.metadata),
        "createdAt": iso(transaction.at_ms),
    }
