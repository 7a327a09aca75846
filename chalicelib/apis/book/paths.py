"""The book desk's paths. The app declares them to API Gateway when it starts, so nothing is imported here."""

from __future__ import annotations

BASE = "/orderbooks/stocks/api"
PLACE = f"{BASE}/offchain/orders"
ONE_ORDER = f"{BASE}/offchain/orders/{{orderId}}"
LIST = f"{BASE}/offchain/customers/{{customerRef}}/orders"
TRADES_OF_CUSTOMER = f"{BASE}/offchain/customers/{{customerRef}}/trades"
BOOKS = f"{BASE}/offchain/order-books"
SETTINGS = f"{BASE}/order-books/{{orderBookId}}"
ONE_BOOK = f"{BASE}/offchain/order-books/{{orderBookId}}"
TRADES_OF_BOOK = f"{BASE}/offchain/order-books/{{orderBookId}}/trades"
DEPTH = f"{BASE}/offchain/order-books/{{orderBookId}}/snapshot"
LEDGER = "/custody/api"
TOKENS = f"{LEDGER}/tokens"
ONE_TOKEN = f"{LEDGER}/tokens/{{tokenAddress}}"
CREDIT = f"{LEDGER}/balances/credit"
DEBIT = f"{LEDGER}/balances/debit"
TRANSFER = f"{LEDGER}/balances/transfer"
BALANCES = f"{LEDGER}/balances/{{customerRef}}"
ACTIONS_NOT_SERVED = {"lock", "unlock", "batch-credit"}
"""What could be posted below balances where it is served; to GET, names of customers."""
ONE_BALANCE = f"{LEDGER}/balances/{{customerRef}}/{{tokenAddress}}"
TRANSACTIONS = f"{LEDGER}/transactions"
ROUTES = {
    PLACE: ("POST",),
    ONE_ORDER: ("GET", "DELETE"),
    LIST: ("GET",),
    TRADES_OF_CUSTOMER: ("GET",),
    BOOKS: ("GET", "POST"),
    SETTINGS: ("PATCH",),
    ONE_BOOK: ("GET",),
    DEPTH: ("GET",),
    TRADES_OF_BOOK: ("GET",),
    TOKENS: ("GET", "POST"),
    ONE_TOKEN: ("GET",),
    CREDIT: ("GET", "POST"),
    DEBIT: ("GET", "POST"),
    TRANSFER: ("GET", "POST"),
    BALANCES: ("GET",),
    ONE_BALANCE: ("GET",),
    TRANSACTIONS: ("GET",),
}
"""Each route with the methods it has."""
