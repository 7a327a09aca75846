"""Endpoints: create, list, show and change books (T30 to T33)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from chalicelib.apis.book import book_schema, schema
from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.book.idempotency import answer_once, key_of
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.books.admission import Refusal
from chalicelib.domain.books.config import BookConfig, SettlementMode
from chalicelib.domain.books.forms import PROTECTION
from chalicelib.services.answers import Answers, KeptAnswer
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.reading import BooksReading
from chalicelib.support.clock import new_id, now_ms

Outcome = TypeVar("Outcome", BookConfig, str)


def off_chain_book(reading: BooksReading, instance: str, book_id: str) -> BookConfig:
    """Return a book. Raises Fault ORDER_BOOK_NOT_FOUND, or WRONG_SETTLEMENT_MODE for a book that settles on chain."""
    config = reading.book(instance, book_id)
    if config is None:
        raise Fault("ORDER_BOOK_NOT_FOUND", "Order book does not exist")
    if config.settlement_mode is not SettlementMode.OFF_CHAIN:
        raise Fault("WRONG_SETTLEMENT_MODE", "Order book uses on-chain settlement")
    return config


@dataclass(frozen=True, slots=True)
class BookEndpoints:
    reading: BooksReading
    configuring: Configuring
    answers: Answers

    def create(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST offchain/order-books. 201 with the new book: ACTIVE, and ready for orders."""
        key = key_of(request)
        members = schema.json_object(request.body)
        body = schema.checked(book_schema.CreateBookBody, members)
        config = body.config(instance, new_id("ob"), now_ms())
        answer = envelope.success_body(_created_data(config))

        def act(kept: KeptAnswer | None) -> HttpResponse:
            receipt = None if kept is None else kept.receipt(201, answer)
            outcome = self.configuring.create(config, receipt, **body.worth())
            _refuse(outcome)
            return envelope.response(201, answer)

        return answer_once(self.answers, request, instance, key, members, envelope, act)

    def change(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """PATCH order-books/{orderBookId}. 200 with the settings that bind new orders from now on (T32, T33)."""
        book_id = schema.path_parameter("orderBookId", request.path_parameters["orderBookId"])
        body = schema.checked(book_schema.ChangeBookBody, schema.json_object(request.body))
        return self._shown(_refuse(self.configuring.change(instance, book_id, body.settings())), envelope)

    def resume(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST order-books/{orderBookId}/resume. 202: the halt ends at the command's turn, as `book.resumed` (O12).

        The book is part of what an Idempotency-Key is for (T122).
        """
        book_id = schema.path_parameter("orderBookId", request.path_parameters["orderBookId"])
        key, members = key_of(request), schema.json_object(request.body)
        reference = schema.checked(book_schema.ResumeBookBody, members).reference

        @cache
        def answer(command_id: str) -> str:
            return envelope.success_body({"id": book_id, "reference": _amount(reference), "commandId": command_id})

        def act(kept: KeptAnswer | None) -> HttpResponse:
            receipt = None if kept is None else lambda command_id: kept.receipt(202, answer(command_id))
            command_id = _refuse(self.configuring.resume(instance, book_id, reference, receipt))
            return envelope.response(202, answer(command_id))

        asked = members | {"orderBookId": book_id}
        return answer_once(self.answers, request, instance, key, asked, envelope, act)

    def list_of_instance(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/order-books. 200 with a bare array of off-chain books, newest first, not paged."""
        status = book_schema.book_status_query(request.query)
        books = self.reading.with_halts(self.reading.books(instance), now_ms())
        shown = [
            one
            for one in books
            if one.settlement_mode is SettlementMode.OFF_CHAIN and status in (None, one.shown_status)
        ]
        return envelope.success(200, [_row_data(config) for config in shown])

    def one(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/order-books/{orderBookId}. 200 with the book's whole configuration."""
        book_id = schema.path_parameter("orderBookId", request.path_parameters["orderBookId"])
        return self._shown(off_chain_book(self.reading, instance, book_id), envelope)

    def _shown(self, config: BookConfig, envelope: Envelope) -> HttpResponse:
        (looked_at,) = self.reading.with_halts([config], now_ms())
        return envelope.success(200, _book_data(looked_at))


def _refuse(outcome: Outcome | Refusal) -> Outcome:
    """Return the outcome. Raises Fault for a refusal."""
    if isinstance(outcome, Refusal):
        raise Fault(outcome.code.value, outcome.message)
    return outcome


def _created_data(config: BookConfig) -> dict[str, object]:
    return {
        "id": config.book_id,
        "tokenAddress": config.base_asset,
        "quoteTokenAddress": config.quote_asset,
        "name": config.name,
        "symbol": config.symbol,
        "status": config.status.value,
        "settlementMode": config.settlement_mode.value,
        "makerFeeBps": config.maker_fee_bps,
        "takerFeeBps": config.taker_fee_bps,
    }


def _row_data(config: BookConfig) -> dict[str, object]:
    return {
        "id": config.book_id,
        "name": config.name,
        "symbol": config.symbol,
        "status": config.shown_status.value,
        "settlementMode": config.settlement_mode.value,
    }


def _book_data(config: BookConfig) -> dict[str, object]:
    return {
        "id": config.book_id,
        "tokenAddress": config.base_asset,
        "quoteTokenAddress": config.quote_asset,
        "name": config.name,
        "symbol": config.symbol,
        "status": config.shown_status.value,
        "settlementMode": config.settlement_mode.value,
        "minOrderSize": _amount(config.order_size_min),
        "maxOrderSize": _amount(config.order_size_max),
        "tickSize": _amount(config.tick_size),
        "makerFeeBps": config.maker_fee_bps,
        "takerFeeBps": config.taker_fee_bps,
        "tokenType": config.token_type.value,
        "stockTokenId": config.stock_token_id,
        "selfTradePrevention": config.self_trade_prevention.value,
        "marketCollarBps": config.market_collar_bps,
        "lotSize": str(config.lot_size),
        "minOrderValue": str(config.min_order_value),
        "tradingState": config.trading_state.value,
        **{member: getattr(config, name) or None for name, member in PROTECTION.items()},
    }


def _amount(units: int | None) -> str | None:
    return None if units is None else str(units)
