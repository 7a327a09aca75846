"""The book desk's tokens and ledger, and exports."""

from __future__ import annotations

from chalicelib.apis.book.answers import ULID
from chalicelib.apis.book.operations.parameters import CUSTOMER, OF_ANN, OF_LEDGER, OF_ONE_CUSTOMER, rows
from chalicelib.apis.kit.description import Example, Operation, Parameter

OPERATIONS: dict[str, dict[str, Operation]] = {
    "Tokens": {
        "POST /tokens": Operation(
            "registerToken",
            "Register a token",
            "Makes an asset known to the instance, so that it can be credited and traded. Address and symbol are "
            "unique in the instance (T44).",
            Example(
                body={"tokenAddress": "0x" + "b" * 40, "name": "Example shares", "symbol": "SHARE", "decimals": 18}
            ),
            headers=("Idempotent-Replay",),
        ),
        "GET /tokens": Operation(
            "listTokens",
            "List tokens",
            "A page of the instance's tokens, newest first, and how many there are.",
            Example(query={"limit": "20"}),
            OF_LEDGER,
        ),
        "GET /tokens/{tokenAddress}": Operation(
            "getToken",
            "Show a token",
            "The token of this address.",
            Example({"tokenAddress": "0x" + "b" * 40}),
        ),
    },
    "Ledger": {
        "POST /balances/credit": Operation(
            "credit",
            "Credit a customer",
            "Puts funds on a customer's account. A `reference` moves money once, for ever: repeated, it gets the first "
            "transaction's id (T35).",
            Example(
                body={
                    "tokenAddress": "{quote}",
                    "customerRef": "cust_ann",
                    "amount": "1000000000000000000000",
                    "reference": "wire 17",
                }
            ),
            headers=("Idempotent-Replay",),
        ),
        "POST /balances/debit": Operation(
            "debit",
            "Debit a customer",
            "Takes available funds off a customer's account; held funds cannot be taken (T35).",
            Example(body={"tokenAddress": "{quote}", "customerRef": "cust_ann", "amount": "100000000000000000000"}),
            headers=("Idempotent-Replay",),
        ),
        "POST /balances/transfer": Operation(
            "transfer",
            "Transfer between customers",
            "Moves available funds to another customer, in one transaction (T35).",
            Example(
                body={
                    "tokenAddress": "{quote}",
                    "fromCustomerRef": "cust_ann",
                    "toCustomerRef": "cust_ben",
                    "amount": "50000000000000000000",
                    "transactionMetadata": {"why": "rent"},
                }
            ),
            headers=("Idempotent-Replay",),
        ),
        "GET /balances/{customerRef}": Operation(
            "listBalances",
            "List a customer's balances",
            "A page of the customer's accounts by symbol. An unknown customer has none; that is no error (T36).",
            Example(OF_ANN),
            OF_LEDGER,
        ),
        "GET /balances/{customerRef}/{tokenAddress}": Operation(
            "getBalance",
            "Show one balance",
            "The customer's account in one token; zeros where there is none yet (T36).",
            Example(OF_ANN | {"tokenAddress": "{quote}"}),
        ),
        "GET /transactions": Operation(
            "listTransactions",
            "List transactions",
            "What happened to balances: credits, debits, transfers, trades and fees, newest first, and how many there "
            "are (T37). Name a customer or a token: otherwise the journals of all books are read.",
            Example(query={"customerRef": "cust_ann"}),
            OF_LEDGER | {"customerRef": Parameter("Rows in which this customer gives or receives.", CUSTOMER)},
        ),
        "GET /fees": Operation(
            "listFees",
            "Show what was earned",
            "What each book and desk has earned in fees, what was withdrawn, and what is there (T95).",
            Example(),
            OF_LEDGER,
        ),
    },
}
EXPORTS: dict[str, dict[str, Operation]] = {
    "Exports": {
        "GET /exports/transactions": Operation(
            "exportTransactions",
            "Export transactions",
            "Rows of a span, newest first, of the instance or of one customer, as JSON lines or CSV (T99).",
            Example(query={"format": "jsonl", "customerRef": "cust_ben"}),
            rows(f"txn_{ULID}"),
            headers=("X-Next-Cursor",),
        ),
        "GET /exports/trades": Operation(
            "exportTrades",
            "Export trades",
            "Trades of a span, newest first, of the instance or of one customer (T99).",
            Example(query={"format": "csv"}),
            rows(f"trade_{ULID}"),
            headers=("X-Next-Cursor",),
        ),
        "GET /exports/orders": Operation(
            "exportOrders",
            "Export a customer's orders",
            "Orders of a span, newest first (T99).",
            Example(query=OF_ANN),
            rows(f"ord_{ULID}") | OF_ONE_CUSTOMER,
            headers=("X-Next-Cursor",),
        ),
        "GET /exports/balances": Operation(
            "exportBalances",
            "Export a customer's balances",
            "Balances by asset, as of now or of an earlier time (T99).",
            Example(query=OF_ANN),
            rows(r"(sandbox:)?0x[0-9a-f]{40}") | OF_ONE_CUSTOMER,
            headers=("X-Next-Cursor",),
        ),
    },
}
