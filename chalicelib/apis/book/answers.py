"""What the book desk's answers look like, for its description. No request imports this."""

from __future__ import annotations

from chalicelib.apis.book import export_rows
from chalicelib.apis.book.schema import REF_CHARACTERS_MAX
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
    said,
    text,
    words,
)
from chalicelib.apis.kit.tabular import Format
from chalicelib.domain.books.config import SettlementMode, TokenType, TradingState
from chalicelib.domain.books.vocabulary import (
    BookStatus,
    CloseReason,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.webhooks.endpoint import DeliveryStatus, EndpointStatus

TIME = text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z") | {"format": "date-time"}
AMOUNT = text("[0-9]{1,38}")
ADDRESS = text("0x[0-9a-f]{40}")
ASSET = text("(sandbox:)?0x[0-9a-f]{40}")
CUSTOMER = text(least=1, most=REF_CHARACTERS_MAX)
ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
CURSOR = text("[A-Za-z0-9_-]+", "Opaque; the `after` of the next request (T87).")
BPS = integer(0, 10_000)


def _id(prefix: str) -> Schema:
    return text(f"{prefix}_{ULID}")


_ORDER_BEGINS: dict[str, Schema] = {
    "id": text(least=1),
    "orderBookId": text(least=1),
    "customerRef": CUSTOMER,
    "side": words(Side),
    "orderType": words((OrderType.LIMIT, OrderType.MARKET)),
    "price": nullable(AMOUNT),
    "quantity": AMOUNT,
    "filledQuantity": AMOUNT,
    "status": words(OrderStatus),
}
ORDER = members(**_ORDER_BEGINS, timeInForce=words(TimeInForce), createdAt=TIME)
ADVANCED = members(
    "What the order is, where it is more than LIMIT or MARKET (O16).",
    type=words((OrderType.STOP_LIMIT, OrderType.TRAILING, OrderType.ICEBERG, OrderType.CEILING)),
    stopPrice=nullable(AMOUNT),
    distance=nullable(AMOUNT),
    stepAmount=nullable(AMOUNT),
    triggered=flag("Whether a parked order's trade has come (O3)."),
)
_ONE_BOOK: dict[str, Schema] = {
    "id": text(least=1),
    "tokenAddress": ADDRESS,
    "quoteTokenAddress": ADDRESS,
    "name": text(),
    "symbol": text(),
    "status": words(BookStatus),
    "settlementMode": words(SettlementMode),
}
_FEES: dict[str, Schema] = {"makerFeeBps": BPS, "takerFeeBps": BPS}
_TOKEN_OF_ROW = nullable(
    members("The token, null if the asset is no token of the instance.", name=text(), symbol=text())
)
_BALANCE: dict[str, Schema] = {
    "tokenAddress": ASSET,
    "token": nullable(
        members(
            "The token, null if the asset is no token of the instance.",
            name=text(), symbol=text(), decimals=integer(0, 30), metadataURI=nullable(text()),
        )
    ),
    "balance": AMOUNT,
    "lockedBalance": AMOUNT,
    "availableBalance": AMOUNT,
    "metadata": constant(None, "Always null."),
}  # fmt: skip
_WEBHOOK = members(
    id=text(least=1),
    url=text(),
    types=array(text()),
    customerRefs=nullable(array(CUSTOMER)),
    description=text(),
    status=words(EndpointStatus),
    reason=nullable(text()),
    stoppedAt=nullable(TIME),
    cursor=nullable(text("", "Behind what it was sent last: from here `GET /offchain/events` goes on.")),
    previousSecretUntil=nullable(TIME),
    createdAt=TIME,
)
_SECRET = members(secret=text("whsec_[A-Za-z0-9+/]+={0,2}"))
_DELIVERY = members(
    id=text(least=1),
    type=text(),
    status=words(DeliveryStatus),
    attempts=integer(0),
    lastAnswer=nullable(text()),
    createdAt=TIME,
    nextAttemptAt=nullable(TIME),
    decidedAt=nullable(TIME),
)
_ONE_RESULT = members(
    success=flag(),
    data=Maybe(said("What the request of this order alone would show.", {"oneOf": [ref("Order"), ref("Cancelled")]})),
    error=Maybe(ref("Error")),
)


def _exported(columns: tuple[str, ...]) -> Lines:
    cells = ", ".join(columns)
    return Lines(
        {
            Format.JSON_LINES.content_type: f"An object a line, with the members {cells}; null where there is no value."
            "",
            Format.CSV.content_type: f"RFC 4180, on the first page with the header {cells}. A cell that a spreadsheet "
            "would take for a formula has an apostrophe in front.",
        }
    )


ANSWERS: dict[str, Schema | Lines] = {
    "Order": ORDER,
    "Orders": array(ref("ListedOrder")),
    "ListedOrder": members(**_ORDER_BEGINS, createdAt=TIME),
    "OrderWithReason": merged(
        ORDER,
        members(
            updatedAt=TIME,
            cancelReason=nullable(words(CloseReason)),
            advanced=Maybe(ref("Advanced")),
        ),
    ),
    "Advanced": ADVANCED,
    "Batch": members(results=array(ref("Result"), "One for each order, in the order of the request.")),
    "Result": _ONE_RESULT,
    "Cancelled": members(id=text(least=1), status=constant("CANCELLED"), cancelledAt=TIME),
    "Amended": members(
        id=text(least=1),
        status=words(("AMENDED", "QUEUED"), "AMENDED: it has these terms. QUEUED: the outcome was not known (T119)."),
        price=nullable(AMOUNT),
        quantity=AMOUNT,
        amendmentId=nullable(text()),
    ),
    "CancelledAll": members(
        cancelled=integer(0, says="How many orders were closed."),
        orderIds=array(text(), "The newest of them, newest first.", most=1000),
    ),
    "CustomerTrades": array(
        members(
            id=_id("trade"), orderBookId=text(least=1), customerRef=CUSTOMER, price=AMOUNT, quantity=AMOUNT,
            side=words(Side, "The customer's own side (T34)."), timestamp=TIME,
        )
    ),
    "BookTrades": array(
        members(id=_id("trade"), orderBookId=text(least=1), price=AMOUNT, quantity=AMOUNT, timestamp=TIME)
    ),
    "Books": array(members(**{name: _ONE_BOOK[name] for name in ("id", "name", "symbol", "status", "settlementMode")})),
    "CreatedBook": members(**_ONE_BOOK, **_FEES),
    "Book": members(
        **_ONE_BOOK,
        minOrderSize=nullable(AMOUNT),
        maxOrderSize=nullable(AMOUNT),
        tickSize=nullable(AMOUNT),
        **_FEES,
        tokenType=words(TokenType),
        stockTokenId=nullable(text()),
        selfTradePrevention=words(SelfTradePrevention),
        marketCollarBps=integer(0, 10_000),
        lotSize=AMOUNT,
        minOrderValue=AMOUNT,
        tradingState=words(TradingState),
        priceBandBps=nullable(BPS),
        haltBps=nullable(BPS),
        haltWindowSeconds=nullable(integer(1, 3600)),
        haltSeconds=nullable(integer(1, 86_400)),
    ),
    "ResumedBook": members(id=text(least=1), reference=nullable(AMOUNT), commandId=text(least=1)),
    "Depth": members(
        orderBookId=text(least=1),
        bids=array(ref("Level"), "Buy orders, highest price first.", most=100),
        asks=array(ref("Level"), "Sell orders, lowest price first.", most=100),
    ),
    "Level": members(price=AMOUNT, quantity=said("Open quantity of all orders of this price, base units.", AMOUNT)),
    "Webhook": _WEBHOOK,
    "Webhooks": members(webhooks=array(ref("Webhook"), "Oldest first, not paged.")),
    "WebhookWithSecret": merged(_WEBHOOK, _SECRET),
    "RemovedWebhook": members(id=text(least=1), removed=constant(True)),
    "TestedWebhook": members(deliveryId=text(least=1)),
    "Delivery": merged(_DELIVERY, members(payload=Maybe(text(says="The body that is posted; not in lists.")))),
    "Deliveries": members(deliveries=array(ref("Delivery"))),
    "Events": members(events=array(ref("Event")), cursor=CURSOR, hasMore=flag()),
    "Event": members(
        "What happened. Types and their bodies are listed in docs/events.md; pass over those that you do not know.",
        id=text(least=1), type=text(), time=TIME, log=text(), sequence=integer(1), part=integer(0), body=anything(),
    ),
    "Token": members(
        id=text(least=1), instanceId=text(), tokenAddress=ADDRESS, name=text(), symbol=text(), decimals=integer(0, 30),
        metadataURI=nullable(text()), assetType=nullable(text()), isActive=flag(), createdAt=TIME, updatedAt=TIME,
    ),
    "TokenPage": members(tokens=array(ref("Token"), "Newest first."), total=integer(0)),
    "Change": members(customerRef=CUSTOMER, tokenAddress=ADDRESS, balance=AMOUNT, transactionId=_id("txn")),
    "Transfer": members(
        fromCustomerRef=CUSTOMER, toCustomerRef=CUSTOMER, tokenAddress=ADDRESS, amount=AMOUNT, transactionId=_id("txn")
    ),
    "Balance": members(customerRef=CUSTOMER, **_BALANCE),
    "BalancePage": members(customerRef=CUSTOMER, balances=array(members(**_BALANCE), "By symbol.")),
    "TransactionPage": members(transactions=array(ref("Transaction"), "Newest first."), total=integer(0)),
    "Transaction": members(
        id=_id("txn"), type=words(TransactionType), tokenAddress=ASSET, token=_TOKEN_OF_ROW,
        fromCustomerRef=nullable(CUSTOMER), toCustomerRef=nullable(CUSTOMER), amount=AMOUNT, reference=nullable(text()),
        metadata=nullable(anything()), createdAt=TIME,
    ),
    "Fees": members(fees=array(ref("EarnedFees")), total=integer(0)),
    "EarnedFees": members(
        account=text(),
        orderBookId=nullable(text()),
        tokenAddress=ASSET,
        token=_TOKEN_OF_ROW,
        earned=AMOUNT,
        withdrawn=AMOUNT,
        available=AMOUNT,
    ),
    "ExportedTransactions": _exported(export_rows.TRANSACTIONS),
    "ExportedTrades": _exported(export_rows.TRADES),
    "ExportedOrders": _exported(export_rows.ORDERS),
    "ExportedBalances": _exported(export_rows.BALANCES),
    "Metadata": members(
        "Facts about the answer itself.",
        requestId=text(says="A UUID, also in the log; give it when you ask the operator about an answer."),
        timestamp=TIME,
        instanceId=Maybe(text(says="The instance of the key, once it is accepted (T8).")),
        retryAfter=Maybe(integer(1, says="Of RATE_LIMIT_EXCEEDED: seconds, as in `Retry-After`.")),
        cursor=Maybe(text(says="Of CURSOR_GONE: the cursor of now, to follow from (T88).")),
    ),
    "Error": members(
        "Why a request failed. Rely on the code and on `details[].field`; messages are for people (T9).",
        code=text(),
        message=text(),
        details=Maybe(
            array(members(field=text(), message=text()), "Of VALIDATION_ERROR: one for each faulty field (T7).")
        ),
    ),
}  # fmt: skip

MEMBERS = {
    "account": "The account that the fees are on.",
    "advanced": "Makes the order a stop-limit, trailing, iceberg or ceiling order (O16).",
    "allowImport": "Accepted, without effect.",
    "amendmentId": "Id of the amendment; null: the order had these terms already.",
    "amount": "Base units of the token.",
    "asks": "Sell orders, lowest price first.",
    "assetType": "A word of your own for the kind of asset.",
    "attempts": "How often it was sent.",
    "available": "What is left on the account, base units.",
    "availableBalance": "What can be spent: not held for orders.",
    "balance": "Available and held together, base units.",
    "body": "What changed; its members depend on the type.",
    "cancelledAt": "When the order was cancelled.",
    "cancelReason": "Why a CANCELLED, EXPIRED or REJECTED order ended, else null (T28).",
    "code": "Stable name of the error.",
    "commandId": "Id of the command that waits for its turn in the book.",
    "createdAt": "When it was made: ISO 8601, UTC, milliseconds.",
    "customerRef": "Your own name for the customer, case-sensitive and never trimmed.",
    "customerRefs": "Whose events it is sent; null: those of all customers, and the instance's own.",
    "cursor": "Opaque; the `after` of the next request (T87).",
    "data": "What was asked for.",
    "decidedAt": "When it was delivered, or given up.",
    "decimals": "One whole token is 10^decimals base units; never changed.",
    "deliveries": "The deliveries.",
    "deliveryId": "Id of the delivery.",
    "description": "A text of your own.",
    "details": "The faulty fields.",
    "distance": "Of a TRAILING order: how far its stop stays behind the best price since, quote base units (O5).",
    "earned": "All that came, base units.",
    "error": "Why it failed.",
    "events": "Oldest first.",
    "fees": "What each account has earned.",
    "field": "Name of the member or parameter; `body` for the whole body.",
    "filledQuantity": "What has traded of it, base units of the base token.",
    "fromCustomerRef": "Who gives; null for credits.",
    "haltBps": "Move of the price that halts the book, hundredths of a percent; null: no circuit breaker (O12).",
    "haltSeconds": "How long a halt lasts (O12).",
    "haltWindowSeconds": "In which span the move is looked at (O12).",
    "hasMore": "True: ask again at once, even without events (T86).",
    "hours": "How long the old secret signs too.",
    "id": "Id, unique in the deployment.",
    "instanceId": "The instance.",
    "isActive": "Whether requests may name the token.",
    "lastAnswer": "What the URL answered last; null before the first attempt.",
    "lockedBalance": "What is held for open orders.",
    "log": "The log of the event: a book, or a lane of the ledger or of signed orders.",
    "lotSize": "Quantities are multiples of it, base units of the base token (T45).",
    "makerFeeBps": "Fee of the resting order, hundredths of a percent of what it receives (T43).",
    "marketCollarBps": "How much more than the asks cost a MARKET BUY may hold, hundredths of a percent (T38).",
    "maxOrderSize": "Largest quantity, base units of the base token; null: no bound.",
    "message": "A sentence for people; it may change (T9).",
    "metadata": "What came along with the request, as it came; null without.",
    "metadataURI": "Where more is said about the token.",
    "minOrderSize": "Smallest quantity, base units of the base token; null: no bound.",
    "minOrderValue": "What a LIMIT order is worth at least, base units of the quote token (T45).",
    "name": "A name for people.",
    "nextAttemptAt": "When a waiting one is sent next.",
    "orderBookId": "Id of the order book.",
    "orderIds": "Ids of orders, each once or more.",
    "orderType": "What the order is once it trades.",
    "orders": "The orders, all of one customer and one book.",
    "part": "Place among the entry's events, from 0.",
    "payload": "The body that is posted.",
    "postOnly": "True: the order never takes; it is CANCELLED if it would trade (T18).",
    "previousSecretUntil": "Until when the previous secret signs too.",
    "price": "Base units of the quote token for one whole base token; null for MARKET.",
    "priceBandBps": "How far a trade may lie from the last, hundredths of a percent; null: no price band (O11).",
    "quantity": "Base units of the base token.",
    "quoteTokenAddress": "The quote token: prices are in it.",
    "reason": "Why it stopped; null while it runs.",
    "reference": "A name for the movement that makes it move money once, for ever.",
    "removed": "True.",
    "result": "What became of it.",
    "results": "One for each order.",
    "secret": "The secret that deliveries are signed with (Standard Webhooks). No other answer shows it.",
    "selfTradePrevention": "What happens when a customer's orders meet each other (T24).",
    "sequence": "Number of the entry in its log.",
    "settlementMode": "Where trades settle: OFF_CHAIN, on the ledger.",
    "side": "BUY or SELL.",
    "status": "Its state.",
    "stepAmount": "Of an ICEBERG order: the quantity that shows at a time, base units of the base token (O6).",
    "stockTokenId": "A name of your own for the stock.",
    "stopPrice": "Of a STOP_LIMIT order: a trade at this price or beyond triggers it, quote base units (O2).",
    "stoppedAt": "When it was paused or ended.",
    "success": "Whether it was done.",
    "symbol": "Short name, unique in the instance without regard to the case of A to Z (T31, T44).",
    "takerFeeBps": "Fee of the incoming order, hundredths of a percent of what it receives (T43).",
    "tickSize": "Prices are multiples of it, quote base units; null: no tick.",
    "time": "When it was decided: ISO 8601, UTC, milliseconds.",
    "timeInForce": "GTC: may rest; IOC: what does not trade at once is cancelled; FOK: in full or not at all.",
    "timestamp": "ISO 8601, UTC, milliseconds.",
    "toCustomerRef": "Who receives; null for debits and fees.",
    "token": "The token.",
    "tokenAddress": "Address of the token, lower case.",
    "tokenType": "What the base token stands for; no rule depends on it.",
    "tokens": "The tokens.",
    "total": "How many there are on all pages.",
    "tradingState": "What the book does with orders now (O13).",
    "transactionId": "Id of the transaction.",
    "transactionMetadata": "Stored with the transaction and shown as it came.",
    "transactions": "The transactions.",
    "type": "Its type.",
    "types": "Types of events, or with `*` at the end all that begin so.",
    "updatedAt": "When it changed last.",
    "url": "Where events are posted: https.",
    "value": "Of a CEILING order: what it spends or receives at most, quote base units (O7).",
    "webhooks": "The endpoints.",
    "withdrawn": "What the operator took, base units.",
}
"""What members of bodies and answers mean, by their names."""
