"""Feed events of a book, derived from its journal.

An event of the journal tells of every order that it names whose it is, on which side, and how much of it is unfilled
(``forms``). So what an entry changed follows from the entry alone, wherever a reader begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.forms import RawEvent, maker_type_of
from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.domain.feed.event import PUBLIC, FeedEvent, Json, customer_subject
from chalicelib.domain.feed.logs import book_log, stamp_of
from chalicelib.domain.feed.shown import iso_ms
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.changes import Account, Change, Move, given_back, merged, received, set_aside, spent

EVERYBODY = frozenset({PUBLIC})
NOBODY: frozenset[str] = frozenset()
"""Receivers of what only the instance's operator may know."""
NOTHING = Change()
CLOSED_AS = {
    OrderStatus.CANCELLED: "order.cancelled",
    OrderStatus.EXPIRED: "order.expired",
    OrderStatus.REJECTED: "order.rejected",
}
TYPES = (
    "trade.executed", "depth.changed", "book.changed", "order.accepted", "order.rested", "order.partially_filled",
    "order.filled", *CLOSED_AS.values(), "order.cancel_refused", "order.parked", "order.triggered", "order.amended",
    "order.amend_refused", "book.halted", "book.resumed", "fill.created", "balance.changed",
)  # fmt: skip
"""Every type of an event of a book."""

_Drafted = tuple[str, str, frozenset[str], Mapping[str, Json]]
"""Name, type, receivers, body."""


def events_of(config: BookConfig, entry: JournalEntry) -> list[FeedEvent]:
    """Return what the entry changed, as feed events in the order in which it was decided.

    The depth and the balances come last, netted over the entry. A balance that nets to nothing is told too (T113).
    Times in bodies are ISO 8601.
    """
    log, stamp = book_log(config.book_id), stamp_of(entry.at_ms, entry.hash)
    return [
        FeedEvent(config.instance, log, entry.sequence, stamp, part, name, kind, entry.at_ms, receivers, body)
        for part, (name, kind, receivers, body) in enumerate(_drafted(config, entry))
    ]


def _drafted(config: BookConfig, entry: JournalEntry) -> Iterator[_Drafted]:
    levels: dict[tuple[str, str], int] = {}
    moves: list[Move] = []
    for number, raw in enumerate(entry.events):
        match raw["type"]:
            case "accepted":
                yield from _accepted(config, number, raw, moves)
            case "traded":
                yield from _traded(config, entry, number, raw)
                maker_side = Side.SELL if raw["takerSide"] == Side.BUY else Side.BUY
                _add(levels, maker_side, raw["price"], -_amount(raw, "quantity"))
                moves += _moves_of_trade(config, raw)
            case "rested":
                body = _order(config, raw) | {
                    "price": _text(raw, "price"),
                    "remainingQuantity": _text(raw, "remaining"),
                }
                yield f"{number}-order", "order.rested", _of(raw), body
                _add(levels, raw["side"], raw["price"], _shown(raw))
            case "sliced":
                _add(levels, raw["side"], raw["price"], _amount(raw, "shown") - _amount(raw, "left"))
            case "parked":
                yield f"{number}-order", "order.parked", _of(raw), _order(config, raw) | _priced(raw)
            case "triggered":
                yield f"{number}-order", "order.triggered", _of(raw), _order(config, raw) | _priced(raw) | _by(raw)
            case "amended":
                yield f"{number}-order", "order.amended", _of(raw), _order(config, raw) | _priced(raw) | _progress(raw)
                if raw["level"] is not None:
                    _add(levels, raw["side"], raw["level"], -_amount(raw, "shownBefore"))
                    _add(levels, raw["side"], raw["price"], _amount(raw, "shown"))
                moves += _moves_of_amendment(config, raw, _amount(raw, "released"))
            case "amendRefused":
                why = {"reason": _text(raw, "reason")}
                yield f"{number}-order", "order.amend_refused", _of(raw), _refused(config, raw) | why
                moves += _moves_of_amendment(config, raw, _amount(raw, "extra"))
            case "halted":
                until = {"haltedUntil": iso_ms(_amount(raw, "until")), "price": _text(raw, "price")}
                yield f"{number}-book", "book.halted", EVERYBODY, {"bookId": config.book_id} | until
            case "resumed":
                reference = _optional(raw, "reference")
                yield f"{number}-book", "book.resumed", EVERYBODY, {"bookId": config.book_id, "reference": reference}
            case "closed":
                left = {"reason": _text(raw, "reason")}
                kind = CLOSED_AS[OrderStatus(_text(raw, "status"))]
                yield f"{number}-order", kind, _of(raw), _order(config, raw) | _progress(raw) | left
                if raw["level"] is not None:
                    _add(levels, raw["side"], raw["level"], -_shown(raw))
                moves.append(given_back(_account_held(config, raw), _amount(raw, "released")))
            case "cancelRefused":
                yield f"{number}-order", "order.cancel_refused", _of(raw), _refused(config, raw)
            case "bookChanged":
                terms: dict[str, Json] = {
                    name: value
                    for name, value in raw.items()
                    if name not in ("type", "command") and isinstance(value, str | int)
                }
                yield f"{number}-book", "book.changed", EVERYBODY, {"bookId": config.book_id} | terms
    changes: list[Json] = [
        {"side": side, "price": price, "change": str(change)} for (side, price), change in levels.items() if change
    ]
    if changes:
        yield "depth", "depth.changed", EVERYBODY, {"bookId": config.book_id, "changes": changes}
    netted = merged(moves)
    for account in dict.fromkeys(account for account, change in moves if any(change)):
        yield _balance(config, account, netted.get(account, NOTHING))


def _accepted(config: BookConfig, number: int, raw: RawEvent, moves: list[Move]) -> Iterator[_Drafted]:
    order = raw["order"]
    if not isinstance(order, dict):
        raise TypeError("an order is an object")
    customer, expires_at_ms = str(order["customer"]), order.get("expiresAt")
    body: dict[str, Json] = {
        "orderId": str(order["id"]),
        "bookId": config.book_id,
        "customerRef": customer,
        "side": str(order["side"]),
        "type": str(order["type"]),
        "timeInForce": str(order["timeInForce"]),
        "price": order["price"],
        "quantity": str(order["quantity"]),
        "postOnly": bool(order["postOnly"]),
        "value": order.get("value"),
        "externalId": order.get("externalId"),
        "expiresAt": None if expires_at_ms is None else iso_ms(int(expires_at_ms)),
        "stopPrice": order.get("stopPrice"),
        "distance": order.get("distance"),
        "step": order.get("step"),
    }
    yield f"{number}-order", "order.accepted", frozenset({customer_subject(customer)}), body
    held_asset = _asset_held(config, order["side"])
    moves.append(set_aside(Account(customer, held_asset), int(order["hold"])))


def _traded(config: BookConfig, entry: JournalEntry, number: int, raw: RawEvent) -> Iterator[_Drafted]:
    trade = trade_id(entry, number)
    facts: dict[str, Json] = {
        "tradeId": trade,
        "bookId": config.book_id,
        "price": _text(raw, "price"),
        "quantity": _text(raw, "quantity"),
        "notional": _text(raw, "notional"),
    }
    orders: dict[str, Json] = {"makerOrderId": _text(raw, "maker"), "takerOrderId": _text(raw, "taker")}
    types: dict[str, Json] = {"takerType": _text(raw, "takerType"), "makerType": maker_type_of(raw)}
    yield (
        f"{number}-trade",
        "trade.executed",
        EVERYBODY,
        facts | {"takerSide": _text(raw, "takerSide")} | types | orders,
    )
    taker_buys = raw["takerSide"] == Side.BUY
    for role, is_buyer in (("maker", not taker_buys), ("taker", taker_buys)):
        side, customer = (Side.BUY, _text(raw, "buyer")) if is_buyer else (Side.SELL, _text(raw, "seller"))
        receivers = frozenset({customer_subject(customer)})
        order: dict[str, Json] = {
            "orderId": _text(raw, role), "bookId": config.book_id, "customerRef": customer, "side": side.value,
        }  # fmt: skip
        of_role: RawEvent = {"quantity": raw[f"{role}Quantity"], "remaining": raw[f"{role}Remaining"]}
        kind = "order.partially_filled" if _amount(of_role, "remaining") else "order.filled"
        progress = {"quantity": _text(of_role, "quantity")} | _progress(of_role) | {"tradeId": trade}
        yield f"{number}-{role}", kind, receivers, order | progress
        fill: dict[str, Json] = {"role": role, "fee": _text(raw, f"{role}Fee")}
        yield f"{number}-{role}-fill", "fill.created", receivers, facts | order | fill


def _moves_of_trade(config: BookConfig, raw: RawEvent) -> list[Move]:
    """Return what a trade moves, as ``settlement.settle`` does."""
    base, quote = config.base_asset, config.quote_asset
    buyer, seller = _text(raw, "buyer"), _text(raw, "seller")
    taker_buys = raw["takerSide"] == Side.BUY
    buyer_fee = _amount(raw, "takerFee" if taker_buys else "makerFee")
    seller_fee = _amount(raw, "makerFee" if taker_buys else "takerFee")
    quantity, notional = _amount(raw, "quantity"), _amount(raw, "notional")
    return [
        given_back(Account(buyer, quote), _amount(raw, "released")),
        spent(Account(buyer, quote), notional),
        received(Account(buyer, base), quantity - buyer_fee),
        spent(Account(seller, base), quantity),
        received(Account(seller, quote), notional - seller_fee),
        received(Account(None, base), buyer_fee),
        received(Account(None, quote), seller_fee),
    ]


def _balance(config: BookConfig, account: Account, change: Change) -> _Drafted:
    named = hashlib.sha256(f"{account.asset}/{account.customer or ''}".encode(errors="surrogatepass")).hexdigest()[:16]
    receivers = NOBODY if account.customer is None else frozenset({customer_subject(account.customer)})
    body: dict[str, Json] = {
        "customerRef": account.customer,
        "asset": account.asset,
        "available": str(change.available),
        "held": str(change.held),
        "bookId": config.book_id,
    }
    return f"balance-{named}", "balance.changed", receivers, body


def _asset_held(config: BookConfig, side: object) -> str:
    return config.base_asset if side == Side.SELL else config.quote_asset


def _account_held(config: BookConfig, raw: RawEvent) -> Account:
    return Account(_text(raw, "customer"), _asset_held(config, raw["side"]))


def _moves_of_amendment(config: BookConfig, raw: RawEvent, released: int) -> list[Move]:
    """Return what an amendment moves: what was set aside for it, then what is given back."""
    account = _account_held(config, raw)
    return [set_aside(account, _amount(raw, "extra")), given_back(account, released)]


def _refused(config: BookConfig, raw: RawEvent) -> dict[str, Json]:
    return {"orderId": _text(raw, "order"), "bookId": config.book_id, "customerRef": _text(raw, "customer")}


def _priced(raw: RawEvent) -> dict[str, Json]:
    return {"price": _optional(raw, "price")}


def _by(raw: RawEvent) -> dict[str, Json]:
    """Return the trade that triggered an order, by its price and its orders."""
    trade = raw["trade"]
    if not isinstance(trade, dict):
        raise TypeError("a trade is an object")
    names = {"tradePrice": "price", "makerOrderId": "maker", "takerOrderId": "taker"}
    return {shown: str(trade[name]) for shown, name in names.items()}


def _shown(raw: RawEvent) -> int:
    """Return what the book shows of an order: all that is unfilled, unless the event says otherwise."""
    return _amount(raw, "shown" if "shown" in raw else "remaining")


def _optional(raw: RawEvent, name: str) -> str | None:
    return None if raw[name] is None else str(raw[name])


def _of(raw: RawEvent) -> frozenset[str]:
    return frozenset({customer_subject(_text(raw, "customer"))})


def _order(config: BookConfig, raw: RawEvent) -> dict[str, Json]:
    return {
        "orderId": _text(raw, "order"),
        "bookId": config.book_id,
        "customerRef": _text(raw, "customer"),
        "side": _text(raw, "side"),
        "quantity": _text(raw, "quantity"),
    }


def _progress(raw: RawEvent) -> dict[str, Json]:
    remaining = _amount(raw, "remaining")
    return {"filledQuantity": str(_amount(raw, "quantity") - remaining), "remainingQuantity": str(remaining)}


def _add(levels: dict[tuple[str, str], int], side: object, price: object, change: int) -> None:
    level = str(side), str(price)
    levels[level] = levels.get(level, 0) + change


def _text(raw: RawEvent, name: str) -> str:
    return str(raw[name])


def _amount(raw: RawEvent, name: str) -> int:
    return int(str(raw[name]))
