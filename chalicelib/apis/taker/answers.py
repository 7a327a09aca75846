"""What the taker desk's answers look like, for its description. No request imports this."""

from __future__ import annotations

from chalicelib.apis.kit.description import (
    Lines,
    Maybe,
    Schema,
    anything,
    array,
    constant,
    flag,
    integer,
    members,
    merged,
    nullable,
    ref,
    text,
    words,
)
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import EXCHANGE_MAX, NONCE_MAX, TIME_S_MAX
from chalicelib.domain.signed.paging import PAGE_SIZE_MAX

TIME = text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ") | {"format": "date-time"}
TIME_MS = text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z") | {"format": "date-time"}
AMOUNT = text("[0-9]{1,40}")
ADDRESS = text("0x[0-9a-fA-F]{40}")
HASH = text("0x[0-9a-f]{64}")
UUID = text("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DECIMALS = text(r"[0-9]+(\.[0-9]+)?")
EXCHANGE = integer(0, EXCHANGE_MAX)

_FACTS: dict[str, Schema] = {
    "maker": ADDRESS,
    "principal": ADDRESS,
    "is_buy": flag(),
    "ticker": text(),
    "exchange": EXCHANGE,
    "asset": ADDRESS,
    "price": AMOUNT,
    "quantity": AMOUNT,
    "incentive": AMOUNT,
    "deadline": integer(0, TIME_S_MAX),
    "nonce": integer(0, NONCE_MAX),
}
_SINGLE = members(
    id=UUID,
    **_FACTS,
    signature=text(),
    order_hash=HASH,
    status=words(Status),
    filled_quantity=AMOUNT,
    notes=nullable(text()),
    created_at=TIME,
    updated_at=TIME,
)
_FILL: dict[str, Schema] = {
    "id": text(),
    "order_id": UUID,
    "order_hash": HASH,
    "taker": ADDRESS,
    "fill_quantity": AMOUNT,
    "fill_amount": AMOUNT,
    "fee_amount": AMOUNT,
    "incentive_amount": AMOUNT,
    "status": words((Status.PARTIALLY_FILLED, Status.FILLED)),
    "reference_id": text(),
    "created_at": TIME,
    "tx_hash": nullable(HASH),
    "block_number": nullable(integer(0)),
}
_MAKERS_FILL: dict[str, Schema | Maybe] = {
    name: Maybe(text() if name == "tx_hash" else integer(0)) if name in ("tx_hash", "block_number") else schema
    for name, schema in _FILL.items()
} | {"status": constant("confirmed", "Always confirmed (K28)."), "taker_incentive": AMOUNT}


def _page(name: str, of: str) -> Schema:
    counts = {
        "total": integer(0),
        "page": integer(1),
        "page_size": integer(1, PAGE_SIZE_MAX),
        "total_pages": integer(0),
    }
    return members(**counts, **{name: array(ref(of))})


_DONE: dict[str, Schema] = {"success": constant(True), "order_hash": HASH}
ANSWERS: dict[str, Schema | Lines] = {
    "Order": _SINGLE,
    "Orders": array(ref("Order"), "Oldest first, at most 500 (K18).", most=500),
    "ListedOrder": members(
        order_hash=HASH,
        **_FACTS,
        signature=text(),
        status=words(Status),
        created_at=TIME,
        locked_by=Maybe(ADDRESS),
        locked_at=Maybe(TIME),
        reference_id=Maybe(text()),
        tx_hash=Maybe(HASH),
    ),
    "OrderPage": _page("orders", "ListedOrder"),
    "MakersOrder": merged(
        _SINGLE,
        members(
            fills=Maybe(array(ref("MakersFill"), "Of partially filled and filled orders, newest first (K28).")),
            fills_total=Maybe(integer(1, says="How many fills there are, where they are not all shown (K43).")),
        ),
    ),
    "MakersFill": members(**_MAKERS_FILL),
    "MakersOrderPage": _page("orders", "MakersOrder"),
    "Session": members(jwt=text()),
    "Cancelled": members(success=constant(True), order_id=UUID, message=words(("cancelled", "cancellation_requested"))),
    "Position": members(
        ticker=text(),
        exchange=EXCHANGE,
        token_address=ADDRESS,
        balance=AMOUNT,
        locked_balance=AMOUNT,
        available_balance=AMOUNT,
        avg_price=AMOUNT,
    ),
    "PositionPage": _page("positions", "Position"),
    "TokenAddress": members(ticker=text(), name=text(), exchange_id=EXCHANGE, token_address=ADDRESS),
    "ChargeEstimate": members(
        base_currency=text(),
        charge_base=DECIMALS,
        target_currency=text(),
        charge_target=AMOUNT,
        price_base=DECIMALS,
        price_target=AMOUNT,
        exchange_rate=constant(1, "Always 1 (K57)."),
    ),
    "OrderBook": members(
        symbol=text(),
        market=text(),
        ask=array(ref("Level"), "What makers sell, cheapest first."),
        bid=array(ref("Level"), "What makers buy, dearest first."),
        time=TIME,
    ),
    "Level": members(price=DECIMALS, volume=DECIMALS),
    "NextNonce": members(maker=ADDRESS, next_nonce=integer(0, NONCE_MAX)),
    "Events": members(events=array(ref("Event"), "Oldest first."), cursor=text(), has_more=flag()),
    "Event": members(
        "What happened. Types and their bodies are listed in docs/events.md; pass over those that you do not know.",
        id=text(),
        type=text(),
        time=TIME_MS,
        log=text(),
        sequence=integer(1),
        part=integer(0),
        body=anything(),
    ),
    "Validation": members(
        valid=flag(),
        order_hash=HASH,
        errors=array(
            words(
                (
                    "signature_invalid",
                    "nonce_used",
                    "deadline_passed",
                    "deadline_too_short",
                    "asset_unknown",
                    "instrument_unknown",
                    "insufficient_balance",
                )
            ),
            "Every reason against it.",
        ),
        maker_balance=AMOUNT,
        maker_allowance=AMOUNT,
        nonce_valid=flag(),
        signature_valid=flag(),
        not_expired=flag(),
    ),
    "Lock": members(**_DONE, locked_by=ADDRESS, locked_at=TIME, expires_at=TIME),
    "Outcome": members(**_DONE, message=words(("unlocked", "cancelled", "rejected", "kept"))),
    "Fill": members(
        **_DONE,
        filled_quantity=AMOUNT,
        filled_amount=AMOUNT,
        fee_amount=AMOUNT,
        incentive_amount=AMOUNT,
        status=words((Status.PARTIALLY_FILLED, Status.FILLED)),
        reference_id=text(),
        tx_hash=nullable(HASH),
        block_number=nullable(integer(0)),
    ),
    "ListedFill": members(**_FILL),
    "FillPage": _page("fills", "ListedFill"),
}

MEMBERS = {
    "asset": "Address of the token that pays (K1).",
    "available_balance": "What can be sold, base units.",
    "avg_price": "What was paid for a share on average, base units of the asset; 0 if none was bought here (K55).",
    "balance": "Available and held together, base units.",
    "base_currency": "The currency of the exchange's prices.",
    "block_number": "Number of a block on a chain, stored as it came; null if not given.",
    "body": "What changed; its members depend on the type.",
    "cancellation_success": "True grants the maker's cancel request, false declines it.",
    "chain_id": "The chain's id, decimal text; that of the message.",
    "charge_base": "What the instance takes, in whole units of the currency.",
    "charge_target": "What the instance takes, in base units of the token.",
    "code": "0 for a success; of a failure, the code of the error (K7).",
    "created_at": "When it was created.",
    "cursor": "Opaque; the `after` of the next request.",
    "data": "What was asked for.",
    "deadline": "When the order expires, Unix seconds.",
    "details": "What is wrong, by field: a text as in `page: must be at least 1`, or an object (K51).",
    "errors": "Every reason against it.",
    "events": "Oldest first.",
    "exchange": "Number of the exchange; 0 is NASDAQ.",
    "exchange_id": "Number of the exchange; 0 is NASDAQ.",
    "expires_at": "When the lock ends.",
    "fee_amount": "What the instance took, base units of the asset.",
    "fill_amount": "What was paid, base units of the asset.",
    "fill_quantity": "Base units of the stock.",
    "filled_amount": "What was paid, base units of the asset.",
    "filled_quantity": "What was filled, base units of the stock.",
    "fills": "The fills.",
    "has_more": "True: ask again at once, even without events (T86).",
    "id": "Its id.",
    "incentive": "The bonus for takers for filling the whole order, base units of the asset.",
    "incentive_amount": "What the taker got of the incentive, base units of the asset.",
    "isBuy": "Whether the maker buys the stock; another name of `is_buy` (K50).",
    "is_buy": "Whether the maker buys the stock; required under this name or as `isBuy`.",
    "jwt": "The session: sent as `Authorization: Bearer ...`.",
    "lock_duration": "Seconds; the instance's longest lock unless it says otherwise.",
    "locked_at": "Since when the order is locked.",
    "locked_balance": "What orders hold, base units.",
    "locked_by": "Who holds the lock (K11).",
    "log": "The log of the event.",
    "maker": "The wallet that signs the order; the session's where it is left out (K50).",
    "maker_allowance": "The same as maker_balance.",
    "maker_balance": "What the maker has available, base units.",
    "market": "The vendor's name of the exchange.",
    "message": "What was done; of a failure, what is wrong.",
    "name": "Name of the stock.",
    "next_nonce": "A nonce that can be used (K17).",
    "nonce": "A number that the wallet uses once.",
    "nonce_valid": "Whether the nonce can be used.",
    "not_expired": "Whether the deadline lies ahead.",
    "notes": "`cancel_requested`, or what was said when the order ended.",
    "order": "What the maker signed.",
    "order_hash": "EIP-712 digest of the order (K32).",
    "order_id": "Id of the order.",
    "orders": "The orders.",
    "page": "Number of this page, from 1.",
    "page_size": "Rows of a page.",
    "part": "Place among the entry's events, from 0.",
    "positions": "By ticker.",
    "price": "Base units of the asset for one whole share.",
    "price_base": "The price as it was sent.",
    "price_target": "The price in base units of the token.",
    "principal": "Who receives what the order buys.",
    "quantity": "Base units of the stock.",
    "reason": "Becomes the order's notes.",
    "reference_id": "Your own name for the lock or fill; used once for each order (K24).",
    "sequence": "Number of the entry in its log.",
    "signature": "The maker's EIP-712 signature: 65 bytes, s in the lower half (K38).",
    "signature_valid": "Whether the maker signed it.",
    "status": "Effective status, by the clock (K30).",
    "success": "True.",
    "symbol": "The ticker.",
    "taker": "Who filled it.",
    "taker_address": "Must be the key's (K20).",
    "taker_incentive": "How much of the incentive the taker takes; without it, all that it may.",
    "target_currency": "Symbol of the token that the estimate is made in.",
    "ticker": "The stock.",
    "time": "When it was decided.",
    "token_address": "The ledger's token of the stock (K56).",
    "total": "How many there are on all pages (K13).",
    "total_pages": "How many pages there are.",
    "tx_hash": "Hash of a transaction on a chain, stored as it came; null if not given.",
    "type": "Its type.",
    "updated_at": "When it changed last.",
    "valid": "Whether the order could be created now.",
    "volume": "Whole shares.",
    "wallet_address": "The wallet; that of the message.",
}
"""What members of bodies and answers mean, by their names."""
