"""The book desk's order books, orders, market data and events."""

from __future__ import annotations

from chalicelib.apis.book.operations.parameters import CUSTOMER, ID, IN_BOOK, OF_ANN, OF_ONE_CUSTOMER, limit
from chalicelib.apis.kit import events
from chalicelib.apis.kit.description import Example, Operation, Parameter, words
from chalicelib.domain.books.admission import BATCH_ORDERS_MAX
from chalicelib.domain.books.vocabulary import BookStatus, OrderStatus

WAITED = ("Idempotent-Replay", "Preference-Applied")
_STATUS = Parameter("Books of this status alone.", words(BookStatus))
_ORDER = {
    "orderBookId": "{orderBookId}",
    "customerRef": "cust_ann",
    "side": "BUY",
    "orderType": "LIMIT",
    "price": "50000000000000000000",
    "quantity": "10000000000000000000",
}
_OFFER = _ORDER | {"customerRef": "cust_ben", "side": "SELL", "quantity": "4000000000000000000"}

OPERATIONS: dict[str, dict[str, Operation]] = {
    "Order books": {
        "POST /offchain/order-books": Operation(
            "createOrderBook",
            "Make an order book",
            "A book of one base token against one quote token. Pair and symbol are unique among the books that are not "
            "CLOSED (T31).",
            Example(
                body={
                    "tokenAddress": "0x" + "b" * 40,
                    "quoteTokenAddress": "{quote}",
                    "name": "Example shares",
                    "symbol": "SHARE/EUR",
                    "tickSize": "10000000000000000",
                    "makerFeeBps": 10,
                    "takerFeeBps": 20,
                },
                gives={"orderBookId": "/data/id"},
            ),
            headers=("Idempotent-Replay",),
        ),
        "GET /offchain/order-books": Operation(
            "listOrderBooks",
            "List order books",
            "The instance's off-chain books, newest first, not paged.",
            Example(query={"status": "ACTIVE"}),
            {"status": _STATUS},
        ),
        "GET /offchain/order-books/{orderBookId}": Operation(
            "getOrderBook",
            "Show an order book",
            "The whole settings of a book, and what it does now.",
            Example(IN_BOOK),
        ),
        "PATCH /order-books/{orderBookId}": Operation(
            "changeOrderBook",
            "Change an order book",
            "Pauses, resumes or closes a book, or changes its settings. Members that are absent stay as they are; null "
            "takes a bound or a protection away (T32, T33). CLOSED is final.",
            Example(IN_BOOK, body={"takerFeeBps": 15, "priceBandBps": 1000}),
        ),
        "POST /order-books/{orderBookId}/resume": Operation(
            "resumeOrderBook",
            "End a halt",
            "Ends a halt of the circuit breaker before its time, or sets the price band's reference (O11, O12). The "
            "command waits for its turn in the book; then the feed has `book.resumed`.",
            Example(IN_BOOK, body={"reference": "50000000000000000000"}),
        ),
    },
    "Orders": {
        "POST /offchain/orders": Operation(
            "placeOrder",
            "Place an order",
            "Holds the funds and admits the order; a 201 means that it will be decided (T20). With `Prefer: wait=n` "
            "the answer shows the order after its first match (T21). `advanced` makes it a stop-limit, trailing, "
            "iceberg or ceiling order (O16).",
            Example(
                headers={"Idempotency-Key": "order-0001"},
                body=_ORDER | {"timeInForce": "GTC"},
                gives={"orderId": "/data/id", "customerRef": "/data/customerRef"},
            ),
            headers=WAITED,
        ),
        "POST /offchain/orders/batch": Operation(
            "placeOrders",
            "Place several orders",
            f"Places 1 to {BATCH_ORDERS_MAX} orders of one customer and one book, each checked as if it were alone; "
            "the good ones are admitted together (T76). 201: some were admitted; 200: none was (T77). Counts as that "
            "many requests (T79).",
            Example(
                body={
                    "orders": [
                        _OFFER,
                        _OFFER | {"price": "60000000000000000000"},
                        _OFFER | {"price": "61000000000000000000"},
                    ]
                },
                gives={"secondOrderId": "/data/results/1/data/id"},
            ),
            statuses=(200,),
            headers=WAITED,
        ),
        "GET /offchain/orders/{orderId}": Operation(
            "getOrder",
            "Show an order",
            "One order of the customer, open or closed, with its last change and why it ended (T28).",
            Example({"orderId": "{orderId}"}, OF_ANN),
            {"customerRef": OF_ONE_CUSTOMER["customerRef"]},
        ),
        "PATCH /offchain/orders/{orderId}": Operation(
            "amendOrder",
            "Amend an order",
            "Gives an open order a new price, a new total quantity, or both (T117). A lower quantity alone keeps its "
            "time priority. The answer waits up to 5 s for the outcome (T118).",
            Example(
                {"orderId": "{orderId}"}, body=OF_ANN | {"price": _ORDER["price"], "quantity": "6000000000000000000"}
            ),
        ),
        "GET /offchain/customers/{customerRef}/orders": Operation(
            "listOrders",
            "List a customer's orders",
            "A page of the customer's orders, newest first, open and closed (T26, T27).",
            Example(OF_ANN, {"status": "PARTIALLY_FILLED", "limit": "20"}),
            {
                "status": Parameter("Orders of this status alone.", words(OrderStatus)),
                "orderBookId": Parameter("Orders of this book alone.", ID),
            },
        ),
        "GET /offchain/customers/{customerRef}/trades": Operation(
            "listCustomerTrades",
            "List a customer's trades",
            "A page of the customer's trades, newest first, each from the customer's own side (T34).",
            Example(OF_ANN),
        ),
    },
    "Market data": {
        "GET /offchain/order-books/{orderBookId}/snapshot": Operation(
            "getDepth",
            "Show the depth",
            "Open quantity by price, best first, as of the last result that the book has published.",
            Example(IN_BOOK, {"levels": "10"}),
            headers=("X-Book-Sequence",),
        ),
        "GET /offchain/order-books/{orderBookId}/trades": Operation(
            "listTrades", "List a book's trades", "A page of the book's trades, newest first.", Example(IN_BOOK)
        ),
    },
    "Cancelling": {
        "DELETE /offchain/orders/{orderId}": Operation(
            "cancelOrder",
            "Cancel an order",
            "Cancels what is left of an order and releases its hold; what has traded stays. The answer waits up to 5 s "
            "for the result (T29).",
            Example({"orderId": "{orderId}"}, body=OF_ANN),
        ),
        "DELETE /offchain/orders": Operation(
            "cancelOrders",
            "Cancel several orders",
            f"Cancels 1 to {BATCH_ORDERS_MAX} orders of a customer, in any books, each with a result of its own (T78).",
            Example(body={"customerRef": "cust_ben", "orderIds": ["{secondOrderId}"]}),
        ),
        "DELETE /offchain/customers/{customerRef}/orders": Operation(
            "cancelAllOrders",
            "Cancel all orders of a customer",
            "Closes every live order of the customer, in one book or in all (O9, T98). It takes no body and no other "
            "parameter: they could have narrowed it.",
            Example({"customerRef": "cust_ben"}, IN_BOOK),
            {"orderBookId": Parameter("Orders of this book alone.", ID)},
        ),
    },
    "Events": {
        "GET /offchain/events": Operation(
            "followEvents",
            "Follow events",
            "The events after a cursor; with `Prefer: wait=n` it waits for the first one (T84 to T88). Go on from each "
            "answer's `cursor` and you get every event once.",
            Example(query={"after": "start", "types": "order.filled,trade.executed"}),
            {
                "limit": limit(events.LIMIT_DEFAULT, events.LIMIT_MAX),
                "customerRef": Parameter("Events that this customer receives.", CUSTOMER),
            },
            headers=("Preference-Applied",),
        ),
    },
}
