"""The demo data of a local run, and ``.local/demo.json``, the file that tells scripts that the run is ready.

Seeding is repeatable: whatever exists stays. Keys and tokens are shown only once, when they are created, so the file
carries them from run to run. While a run starts, the file is moved aside: it never names a run that does not answer.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

from chalicelib import wiring
from chalicelib.domain.tenancy.keys import API_TOKENS, TokenStatus, token_secret_of
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.tables.books import Books
from chalicelib.tables.credentials import Credentials
from infra.settings import HOST

INSTANCE_REF = "demo0001"
INSTANCE = f"inst_{INSTANCE_REF}"
BOOK = "ob_offchain_001"
PAIR = "EXS_EUR"
TOKEN = "0x1234567890abcdef1234567890abcdef12345678"
QUOTE_TOKEN = "0xabcdefabcdefabcdefabcdefabcdefabcdefabcd"
VENDORS_PAIR, VENDORS_BOOK = "BTC_BRL", "ob_offchain_002"
"""The pair of the examples in the trade desk's vendor's documentation, and its first book."""
VENDORS_TOKENS = {"Bitcoin": ("BTC", "0x" + "b7c" * 13 + "1"), "Real": ("BRL", "0x" + "b71" * 13 + "2")}
VENDORS_DECIMALS = 8
"""As many as amounts and values of those examples have."""
CUSTOMERS = ["cust_12345", "cust_23456", "cust_34567", "cust_45678", "cust_56789"]
DECIMALS = 18
CREDIT = 10**6 * 10**DECIMALS
RATE_LIMIT = 100_000
TOKEN_BUCKET = TOKEN_PER_SECOND = 1000
DESK_PATH = "/orderbooks/stocks/api/offchain"
ANSWER_BOUND_S = 30


def seed() -> None:
    """Create the demo's instance, tokens, books and funds if they are missing. Raises CommandFailed."""
    create_if_missing(["instance", "create", "--ref", INSTANCE_REF, "--public"])
    for token, name, symbol in ((TOKEN, "Example Shares", "EXS"), (QUOTE_TOKEN, "Euro", "EUR")):
        _token(token, name, symbol, DECIMALS)
    _book(BOOK, "Example Shares", "EXS/EUR", TOKEN, QUOTE_TOKEN)
    for name, (symbol, token) in VENDORS_TOKENS.items():
        _token(token, name, symbol, VENDORS_DECIMALS)
    open_vendors_book()
    for customer in CUSTOMERS:
        for token, word in ((TOKEN, "base"), (QUOTE_TOKEN, "quote")):
            _credit(customer, token, CREDIT, word)
        credit_vendors_tokens(customer)


def open_vendors_book() -> str:
    """Return the id of BTC_BRL's open book, which is made if there is none. Raises CommandFailed.

    The traders close one after the other (``demo_rounds``); the second is VENDORS_BOOK followed by _2.
    """
    books, symbol = Books(wiring.database()), VENDORS_PAIR.replace("_", "/")
    found = books.of_symbol(INSTANCE, symbol)
    if found is not None:
        return found.book_id
    number = 1 + max(map(round_of, books.ids(INSTANCE)), default=0)
    book = VENDORS_BOOK if number == 1 else f"{VENDORS_BOOK}_{number}"
    (_, bitcoin), (_, real) = VENDORS_TOKENS.values()
    _book(book, "Bitcoin", symbol, bitcoin, real)
    return book


def round_of(book_id: str) -> int:
    """Return the number of a book among those of BTC_BRL; 0 for any other book."""
    match = re.fullmatch(rf"(?a){VENDORS_BOOK}(?:_([1-9]\d*))?", book_id)
    return 0 if match is None else int(match[1] or 1)


def credit_vendors_tokens(customer: str) -> None:
    """Credit a customer of BTC_BRL once. Raises CommandFailed."""
    (_, bitcoin), (_, real) = VENDORS_TOKENS.values()
    _credit(customer, bitcoin, 10**3 * 10**VENDORS_DECIMALS, "bitcoin")
    _credit(customer, real, 10**8 * 10**VENDORS_DECIMALS, "real")


def _token(address: str, name: str, symbol: str, decimals: int) -> None:
    names = ["--token-address", address, "--name", name, "--symbol", symbol, "--decimals", str(decimals)]
    create_if_missing(["token", "create", "--instance", INSTANCE, *names])


def _book(book: str, name: str, symbol: str, base: str, quote: str) -> None:
    names = ["--id", book, "--name", name, "--symbol", symbol]
    tokens = ["--token-address", base, "--quote-token-address", quote]
    create_if_missing(["book", "create", "--instance", INSTANCE, *names, *tokens])


def _credit(customer: str, token: str, amount: int, word: str) -> None:
    account = ["--instance", INSTANCE, "--customer", customer, "--asset", token]
    cli.run(["credit", *account, "--amount", str(amount), "--id", f"txn_demo_{customer}_{word}"])


def api_key(port: int, earlier: dict[str, Any]) -> str:
    """Return the API key of the earlier run if the service accepts it, otherwise a new one. Raises CommandFailed."""
    kept = earlier.get("api_key")
    if isinstance(kept, str) and key_works(port, kept):
        return kept
    made = cli.run(["key", "create", "--instance", INSTANCE, "--rate-limit", str(RATE_LIMIT)])
    return str(made["api_key"])


def trade_desk(earlier: dict[str, Any]) -> dict[str, str]:
    """Return the trade desk's part of ``demo.json``: a trading token and a read-only token, each with its secret.

    earlier: the same part from an earlier run; its tokens are reused if they are still valid.
    """
    token, secret = _api_token(earlier.get("token"), "buy-sell")
    read_token, read_secret = _api_token(earlier.get("read_token"), "read")
    return {
        "token": token,
        "secret": secret,
        "pair": PAIR,
        "vendors_pair": VENDORS_PAIR,
        "customer_ref": CUSTOMERS[0],
        "read_token": read_token,
        "read_secret": read_secret,
    }


def _api_token(earlier: object, permission: str) -> tuple[str, str]:
    """Return a token and its secret: the earlier one if it is valid, otherwise a new one. Raises CommandFailed."""
    if isinstance(earlier, str) and _is_valid(earlier):
        return earlier, token_secret_of(wiring.master_key(), earlier)
    whose = ["--instance", INSTANCE, "--customer", CUSTOMERS[0], "--permission", permission]
    rates = ["--bucket", str(TOKEN_BUCKET), "--per-second", str(TOKEN_PER_SECOND), "--per-day", "0"]
    made = cli.run(["api-token", "create", *whose, *rates])
    return str(made["token"]), str(made["secret"])


def _is_valid(token: str) -> bool:
    known = Credentials(wiring.database(), API_TOKENS).accept(token)
    return known is not None and known.status is TokenStatus.ACTIVE


def key_works(port: int, api_key: str) -> bool:
    """Return whether the running service lists a demo customer's orders for this key."""
    return status_of(port, f"{DESK_PATH}/customers/{CUSTOMERS[0]}/orders", {"x-api-key": api_key}) == http.client.OK


def status_of(port: int, path: str, headers: dict[str, str]) -> int | None:
    """Return the HTTP status of a GET at this port, or None if nothing answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_BOUND_S)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class DemoFile:
    """``demo.json`` in the run's directory. It exists only once its run has become ready."""

    def __init__(self, local_dir: Path) -> None:
        self.path = local_dir / "demo.json"
        self._aside = local_dir / "demo.previous.json"

    def set_aside(self) -> dict[str, dict[str, Any]]:
        """Move an earlier run's file aside. Return its content by desk; empty if there is no file."""
        if self.path.exists():
            self.path.replace(self._aside)
        try:
            content = json.loads(self._aside.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        desks = content if isinstance(content, dict) else {}
        return {name: desk for name, desk in desks.items() if isinstance(desk, dict)}

    def write(
        self,
        base_url: str,
        engine_url: str,
        api_key: str,
        *,
        websocket_url: str,
        trade_desk: dict[str, str],
        taker_desk: dict[str, Any],
        escrow_desk: dict[str, Any],
    ) -> None:
        """Write the file, which marks the run as ready. The write is atomic; only the owner can read it, since it holds
        keys.
        """
        book_desk = {
            "api_key": api_key,
            "order_book_id": BOOK,
            "token_address": TOKEN,
            "quote_token_address": QUOTE_TOKEN,
            "token_decimals": DECIMALS,
            "quote_token_decimals": DECIMALS,
            "customers": CUSTOMERS,
        }
        content = {"base_url": base_url, "websocket_url": websocket_url, "aws_endpoint_url": engine_url}
        desks = {
            "book_desk": book_desk,
            "trade_desk": trade_desk,
            "taker_desk": taker_desk,
            "escrow_desk": escrow_desk,
        }
        unfinished = self.path.with_suffix(".tmp")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(content | desks, file, indent=2)
            file.write("\n")
        unfinished.replace(self.path)
        self.forget()

    def forget(self) -> None:
        """Delete an earlier run's keys."""
        self._aside.unlink(missing_ok=True)


def suggested_commands(
    base_url: str, api_key: str, taker_key: str, secret_key: str, file: Path, shell_file: Path
) -> str:
    """Return the text that shows a new user some commands to try."""
    order = {
        "orderBookId": BOOK,
        "customerRef": CUSTOMERS[0],
        "side": "BUY",
        "orderType": "LIMIT",
        "price": "100000000000000000000",
        "quantity": "5000000000000000000",
        "timeInForce": "GTC",
    }
    opposite = order | {"customerRef": CUSTOMERS[1], "side": "SELL"}
    place = f"curl -X POST {base_url}{DESK_PATH}/orders -H 'x-api-key: {api_key}' -H 'Content-Type: application/json'"
    return f"""
Tallybook serves on {base_url}. The reference, to read and to try: {base_url}/docs

Try, in another terminal:

  place an order for 5 shares at 100 euros each, and its match (in base units: both tokens have {DECIMALS} decimals):
    {place} -d '{json.dumps(order)}'
    {place} -d '{json.dumps(opposite)}'

  list the orders of a customer:
    curl '{base_url}{DESK_PATH}/customers/{CUSTOMERS[0]}/orders' -H 'x-api-key: {api_key}'

  list the signed orders that takers may lock:
    curl '{base_url}/api/v1/orders/available' -H 'X-API-Key: {taker_key}'

  look at a customer's balances:
    source {shlex.quote(str(shell_file))}
    .venv/bin/tallybook balances --instance {INSTANCE} --customer {CUSTOMERS[0]}

  list the escrow desk's orders:
    curl '{base_url}/2.0/orders' -H 'Authorization: Bearer {secret_key}'

The trade desk takes signed requests: docs/trade-desk.md shows how, with the token and secret in {file}.
The taker desk takes orders that a wallet has signed: a wallet for the demo is in there too.
For scripts, all of this is in there. Ctrl-C stops; what was stored is there at the next start.
"""


def create_if_missing(command: list[str]) -> None:
    """Run a command that creates something; do nothing if it exists. Raises CommandFailed."""
    try:
        cli.run(command)
    except CommandFailed as failure:
        if not str(failure).startswith("exists already"):
            raise
