"""Stored forms: events, orders and terms as plain data, in the journal, in snapshots and in the inbox.

Amounts are decimal strings. ``decode_...`` reads what ``encode_...`` wrote. An event names the customer, the side, the
level and the quantity of its order as well, so that an entry can be read alone (``feed``); the book knows them too, and
``decode`` compares.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import (
    Accepted,
    Amended,
    AmendRefused,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Halted,
    Parked,
    Rested,
    Resumed,
    Sliced,
    Traded,
    Triggered,
)
from chalicelib.domain.books.vocabulary import (
    LOT_SIZE_OFF,
    MIN_ORDER_VALUE_OFF,
    NO_PROTECTION,
    AmendRefusal,
    BookStatus,
    BookTerms,
    CloseReason,
    OrderStatus,
    OrderType,
    PlaceOrder,
    Protection,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.canonical import canonical, quoted

RawEvent = dict[str, object]


PROTECTION = {
    "price_band_bps": "priceBandBps",
    "halt_bps": "haltBps",
    "halt_window_s": "haltWindowSeconds",
    "halt_s": "haltSeconds",
}
NEWEST_MEMBER = {"traded": "takerQuantity", "rested": "customer", "closed": "level", "cancelAllBegun": "reason"}
"""A member that events of earlier versions lack, by type."""


class UnknownEvent(ValueError):
    """The data names no event of this version."""


def encode(event: Event) -> str:
    """Return the event as canonical JSON; an order that the book knows is named by its id.

    The journal hashes, measures and stores this text. The common events are formatted by hand, members sorted by name,
    in a fifth of the time that sorting and encoding a dict takes.
    """
    match event:
        case Traded():
            maker, taker, buyer, seller = event.maker, event.taker, event.buyer, event.seller
            placed_as = "" if maker.order_type is OrderType.LIMIT else f'"makerType":"{maker.order_type}",'
            return (
                f'{{"buyer":{quoted(buyer.customer)},"maker":{quoted(maker.order_id)},"makerFee":"{event.maker_fee}",'
                f'"makerQuantity":"{maker.quantity}","makerRemaining":"{event.maker_remaining}",'
                f'{placed_as}"notional":"{event.notional}","price":"{event.price}","quantity":"{event.quantity}",'
                f'"released":"{event.released}","seller":{quoted(seller.customer)},"taker":{quoted(taker.order_id)},'
                f'"takerFee":"{event.taker_fee}","takerQuantity":"{taker.quantity}",'
                f'"takerRemaining":"{event.taker_remaining}","takerSide":"{taker.side}",'
                f'"takerType":"{taker.order_type}","type":"traded"}}'
            )
        case Accepted(order):
            return f'{{"order":{order_text(order)},"type":"accepted"}}'
        case Rested(order, remaining, shown):
            slice_shown = "" if shown == remaining else f',"shown":"{shown}"'
            return (
                f'{{"customer":{quoted(order.customer)},"order":{quoted(order.order_id)},"price":"{order.price}",'
                f'"quantity":"{order.quantity}","remaining":"{remaining}"{slice_shown},"side":"{order.side}",'
                '"type":"rested"}'
            )
        case Closed(order, status, reason, remaining, released, level, shown):
            left = "null" if level is None else f'"{level}"'
            slice_shown = "" if level is None or shown == remaining else f'"shown":"{shown}",'
            return (
                f'{{"customer":{quoted(order.customer)},"level":{left},"order":{quoted(order.order_id)},'
                f'"quantity":"{order.quantity}","reason":"{reason}","released":"{released}",'
                f'"remaining":"{remaining}",{slice_shown}"side":"{order.side}","status":"{status}","type":"closed"}}'
            )
        case _:
            return canonical(_rare(event))


def _rare(event: Event) -> RawEvent:
    """Return an event of the less common types as plain data."""
    match event:
        case Sliced(order, shown, left):
            return {"type": "sliced", "shown": str(shown), "left": str(left)} | _facts_of(order)
        case Parked(order):
            return {"type": "parked", "stopPrice": _text(order.stop_price), "distance": _text(order.distance)} | (
                _facts_of(order)
            )
        case Triggered(order, price, maker, taker):
            return {"type": "triggered", "trade": {"price": str(price), "maker": maker, "taker": taker}} | (
                _facts_of(order)
            )
        case Amended(command_id, order, price, quantity, remaining, extra, released, level, before, shown, keeps):
            amended: RawEvent = {
                "type": "amended",
                "command": command_id,
                "price": _text(price),
                "quantity": str(quantity),
                "remaining": str(remaining),
                "extra": str(extra),
                "released": str(released),
                "level": _text(level),
                "shownBefore": str(before),
                "shown": str(shown),
                "keepsPlace": keeps,
            }
            return _facts_of(order) | amended
        case AmendRefused(command_id, order_id, customer, side, extra, reason):
            refused: RawEvent = {"type": "amendRefused", "command": command_id, "order": order_id}
            return refused | {"customer": customer, "side": side.value, "extra": str(extra), "reason": reason.value}
        case CancelRefused(order_id, customer):
            return {"type": "cancelRefused", "order": order_id, "customer": customer}
        case CancelAllBegun(command_id, customer, reason):
            return {"type": "cancelAllBegun", "command": command_id, "customer": customer, "reason": reason.value}
        case CancelAllEnded(command_id, customer, closed, reason):
            ended: RawEvent = {"type": "cancelAllEnded", "command": command_id, "customer": customer}
            return ended | {"closed": closed, "reason": reason.value}
        case BookChanged(command_id, terms):
            return {"type": "bookChanged", "command": command_id} | encode_terms(terms)
        case Halted(until_ms, price):
            return {"type": "halted", "until": until_ms, "price": str(price)}
        case Resumed(command, reference):
            return {"type": "resumed", "command": command, "reference": _text(reference)}
    raise UnknownEvent(f"unknown event {event!r}")


def _facts_of(order: PlaceOrder) -> RawEvent:
    return {
        "order": order.order_id,
        "customer": order.customer,
        "side": order.side.value,
        "price": _text(order.price),
        "quantity": str(order.quantity),
    }


def _text(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def maker_type_of(traded: Mapping[str, object]) -> str:
    """Return the type of the order that a trade of the journal found in the book, as placed."""
    return str(traded.get("makerType", OrderType.LIMIT.value))


def decode(raw: RawEvent, book: Book) -> Event:
    """Return the event that ``encode`` wrote, its orders looked up in the book.

    Raises UnknownEvent; KeyError where the book has no such order, ValueError where the event says otherwise of it.
    """

    def amount(name: str) -> int:
        return int(str(raw[name]))

    kind = str(raw["type"])
    if kind in NEWEST_MEMBER and NEWEST_MEMBER[kind] not in raw:
        raise UnknownEvent(f"{kind} of an earlier version: create the tables anew (a local run: make run FRESH=1)")
    match kind:
        case "accepted":
            return Accepted(decode_order(raw["order"]))
        case "traded":
            maker, taker = book.find(str(raw["maker"])), book.find(str(raw["taker"]))
            trade = Traded(
                maker, taker, amount("price"), amount("quantity"), amount("notional"),
                amount("makerFee"), amount("takerFee"), amount("released"),
                amount("makerRemaining"), amount("takerRemaining"),
            )  # fmt: skip
            _compare(
                (raw["takerSide"], raw["takerType"], raw["buyer"], raw["seller"]),
                (taker.side, taker.order_type, trade.buyer.customer, trade.seller.customer),
            )
            _compare(maker_type_of(raw), maker.order_type)
            _compare((amount("makerQuantity"), amount("takerQuantity")), (maker.quantity, taker.quantity))
            return trade
        case "rested":
            order = book.find(str(raw["order"]))
            _compare(_order_facts(raw), (order.customer, order.side, order.quantity))
            _compare(amount("price"), order.price)
            return Rested(order, amount("remaining"), amount("shown" if "shown" in raw else "remaining"))
        case "closed":
            order, level = book.find(str(raw["order"])), None if raw["level"] is None else amount("level")
            _compare(_order_facts(raw), (order.customer, order.side, order.quantity))
            _compare(level, book.level_of(order))
            status, reason = OrderStatus(str(raw["status"])), CloseReason(str(raw["reason"]))
            shown = 0 if level is None else amount("shown" if "shown" in raw else "remaining")
            return Closed(order, status, reason, amount("remaining"), amount("released"), level, shown)
    return _decode_rare(kind, raw, book)


def _decode_rare(kind: str, raw: RawEvent, book: Book) -> Event:
    def amount(name: str) -> int:
        return int(str(raw[name]))

    def optional(name: str) -> int | None:
        return None if raw[name] is None else amount(name)

    def order() -> PlaceOrder:
        found = book.find(str(raw["order"]))
        if kind != "amended":
            _compare((raw["price"], amount("quantity")), (_text(found.price), found.quantity))
        _compare((raw["customer"], raw["side"]), (found.customer, found.side))
        return found

    match kind:
        case "sliced":
            return Sliced(order(), amount("shown"), amount("left"))
        case "parked":
            parked = order()
            _compare((optional("stopPrice"), optional("distance")), (parked.stop_price, parked.distance))
            return Parked(parked)
        case "triggered":
            trade = raw["trade"]
            if not isinstance(trade, dict):
                raise TypeError("a trade is an object")
            return Triggered(order(), int(trade["price"]), str(trade["maker"]), str(trade["taker"]))
        case "amended":
            before = order()
            _compare(optional("level"), book.level_of(before))
            return Amended(
                str(raw["command"]), before, optional("price"), amount("quantity"), amount("remaining"),
                amount("extra"), amount("released"), optional("level"),
                amount("shownBefore"), amount("shown"), bool(raw["keepsPlace"]),
            )  # fmt: skip
        case "amendRefused":
            return AmendRefused(
                str(raw["command"]), str(raw["order"]), str(raw["customer"]), Side(str(raw["side"])),
                amount("extra"), AmendRefusal(str(raw["reason"])),
            )  # fmt: skip
        case "cancelRefused":
            return CancelRefused(str(raw["order"]), str(raw["customer"]))
        case "cancelAllBegun":
            return CancelAllBegun(str(raw["command"]), str(raw["customer"]), CloseReason(str(raw["reason"])))
        case "cancelAllEnded":
            closed, reason = amount("closed"), CloseReason(str(raw["reason"]))
            return CancelAllEnded(str(raw["command"]), str(raw["customer"]), closed, reason)
        case "halted":
            return Halted(amount("until"), amount("price"))
        case "resumed":
            return Resumed(None if raw["command"] is None else str(raw["command"]), optional("reference"))
        case "bookChanged":
            return BookChanged(str(raw["command"]), decode_terms(raw))
    raise UnknownEvent(f"unknown event {kind}")


def _order_facts(raw: RawEvent) -> tuple[object, ...]:
    return raw["customer"], raw["side"], int(str(raw["quantity"]))


def _compare(said: object, known: object) -> None:
    if said != known:
        raise ValueError(f"an event says {said} of what the book knows as {known}")


def encode_terms(terms: BookTerms) -> dict[str, object]:
    """Return a book's terms as plain data, without the settings that are off; ``decode_terms`` reads them."""
    raw: dict[str, object] = {
        "version": terms.version,
        "status": terms.status.value,
        "makerFeeBps": terms.maker_fee_bps,
        "takerFeeBps": terms.taker_fee_bps,
        "selfTradePrevention": terms.self_trade_prevention.value,
    }
    if terms.lot_size != LOT_SIZE_OFF:
        raw["lotSize"] = str(terms.lot_size)
    if terms.min_order_value != MIN_ORDER_VALUE_OFF:
        raw["minOrderValue"] = str(terms.min_order_value)
    if terms.protection != NO_PROTECTION:
        raw |= {PROTECTION[name]: value for name, value in terms.protection._asdict().items() if value}
    return raw


def decode_terms(raw: object) -> BookTerms:
    """Return the terms that ``encode_terms`` wrote. Raises KeyError, ValueError or TypeError where one is missing."""
    if not isinstance(raw, dict):
        raise TypeError("terms are an object")
    return BookTerms(
        version=int(raw["version"]),
        status=BookStatus(raw["status"]),
        maker_fee_bps=int(raw["makerFeeBps"]),
        taker_fee_bps=int(raw["takerFeeBps"]),
        self_trade_prevention=SelfTradePrevention(raw["selfTradePrevention"]),
        lot_size=int(raw.get("lotSize", LOT_SIZE_OFF)),
        min_order_value=int(raw.get("minOrderValue", MIN_ORDER_VALUE_OFF)),
        protection=Protection(**{name: int(raw.get(member, 0)) for name, member in PROTECTION.items()}),
    )


def encode_order(order: PlaceOrder) -> dict[str, object]:
    """Return an order's command as plain data, without what is None; ``decode_order`` reads it."""
    extras = {
        "value": None if order.value is None else str(order.value),
        "externalId": order.external_id,
        "expiresAt": order.expires_at_ms,
        "stopPrice": _text(order.stop_price),
        "distance": _text(order.distance),
        "step": _text(order.step),
    }
    facts: dict[str, object] = {
        "id": order.order_id,
        "customer": order.customer,
        "side": order.side.value,
        "type": order.order_type.value,
        "timeInForce": order.time_in_force.value,
        "price": None if order.price is None else str(order.price),
        "quantity": str(order.quantity),
        "hold": str(order.hold),
        "postOnly": order.post_only,
    }
    return facts | {name: extra for name, extra in extras.items() if extra is not None}


def order_text(order: PlaceOrder) -> str:
    """Return ``encode_order`` of an order as canonical JSON."""
    expires = "" if order.expires_at_ms is None else f'"expiresAt":{order.expires_at_ms},'
    external = "" if order.external_id is None else f'"externalId":{quoted(order.external_id)},'
    price = "null" if order.price is None else f'"{order.price}"'
    value = "" if order.value is None else f',"value":"{order.value}"'
    if order.stop_price is not None or order.distance is not None or order.step is not None:
        return canonical(encode_order(order))
    return (
        f'{{"customer":{quoted(order.customer)},{expires}{external}"hold":"{order.hold}","id":{quoted(order.order_id)},'
        f'"postOnly":{"true" if order.post_only else "false"},"price":{price},"quantity":"{order.quantity}",'
        f'"side":"{order.side}","timeInForce":"{order.time_in_force}","type":"{order.order_type}"{value}}}'
    )


def decode_order(raw: object) -> PlaceOrder:
    """Return the command that ``encode_order`` wrote. KeyError, ValueError or TypeError: a part is missing."""
    if not isinstance(raw, dict):
        raise TypeError("an order is an object")
    return PlaceOrder(
        order_id=str(raw["id"]),
        customer=str(raw["customer"]),
        side=Side(raw["side"]),
        order_type=OrderType(raw["type"]),
        time_in_force=TimeInForce(raw["timeInForce"]),
        price=None if raw["price"] is None else int(raw["price"]),
        quantity=int(raw["quantity"]),
        hold=int(raw["hold"]),
        post_only=bool(raw["postOnly"]),
        value=int(raw["value"]) if "value" in raw else None,
        external_id=str(raw["externalId"]) if "externalId" in raw else None,
        expires_at_ms=int(raw["expiresAt"]) if "expiresAt" in raw else None,
        stop_price=int(raw["stopPrice"]) if "stopPrice" in raw else None,
        distance=int(raw["distance"]) if "distance" in raw else None,
        step=int(raw["step"]) if "step" in raw else None,
    )
