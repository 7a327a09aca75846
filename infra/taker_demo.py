"""The taker desk's demo data: a quote token, two stocks, a maker, and two takers with API keys; all are funded.

A share of the first stock is 10^18 base units; the second has no decimals and trades whole shares. The maker's private
key is public here, for the demo only: never use it anywhere else.
"""

from __future__ import annotations

from typing import Any

from chalicelib import wiring
from chalicelib.domain.tenancy.keys import TAKER_KEYS, taker_secret_of
from chalicelib.ops import cli
from chalicelib.support.clock import now_s
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from infra.demo import CREDIT, INSTANCE, create_if_missing

ASSET = "0x09671802Cc9Bbf6402f2e7a07b220Aa7b43D8c91"
STOCK_TOKEN = "0x00000000000000000000000000000000000aa91e"
WHOLE_SHARES_TOKEN = "0x0000000000000000000000000000000000005f7a"
EXCHANGE, TICKER, WHOLE_SHARES_TICKER = 0, "AAPL", "MSFT"
WHOLE_SHARES = 10**6
"""Initial shares of the stock without decimals, for each customer."""
MAKER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
MAKER_PRIVATE_KEY = "0x" + "11" * 32
TAKER, OTHER_TAKER = "0x" + "a1" * 20, "0x" + "b2" * 20
BURST = PER_SECOND = 1000


def seed() -> None:
    """Create the desk's tokens, instruments and funds if they are missing. Raises CommandFailed."""
    whose = ["--instance", INSTANCE]
    for token, name, symbol, decimals in (
        (ASSET, "US Dollar", "USD", 18),
        (STOCK_TOKEN, "Apple", TICKER, 18),
        (WHOLE_SHARES_TOKEN, "Microsoft", WHOLE_SHARES_TICKER, 0),
    ):
        what = ["--name", name, "--symbol", symbol, "--decimals", str(decimals)]
        create_if_missing(["token", "create", *whose, "--token-address", token, *what])
    cli.run(["quote", "add", *whose, "--token-address", ASSET])
    for ticker, token in ((TICKER, STOCK_TOKEN), (WHOLE_SHARES_TICKER, WHOLE_SHARES_TOKEN)):
        instrument = ["--exchange", str(EXCHANGE), "--ticker", ticker, "--token-address", token]
        cli.run(["instrument", "add", *whose, *instrument])
    for customer, who in ((MAKER, "maker"), (TAKER, "taker"), (OTHER_TAKER, "other-taker")):
        for token, word, amount in (
            (ASSET, "quote", CREDIT),
            (STOCK_TOKEN, "stock", CREDIT),
            (WHOLE_SHARES_TOKEN, "whole-shares", WHOLE_SHARES),
        ):
            account = [*whose, "--customer", customer.lower(), "--asset", token]
            cli.run(["credit", *account, "--amount", str(amount), "--id", f"txn_demo_{who}_{word}"])


def taker_desk(earlier: dict[str, Any]) -> dict[str, Any]:
    """Return the taker desk's part of ``demo.json``: two takers' API keys, and a wallet that signs orders.

    earlier: the same part from an earlier run; its API keys are reused if they are still valid.
    """
    domain = TakerDesks(wiring.database()).settings(INSTANCE).domain
    api_key = _api_key(earlier.get("api_key"), TAKER)
    return {
        "api_key": api_key,
        "api_secret": taker_secret_of(wiring.master_key(), api_key),
        "taker_address": TAKER,
        "other_api_key": _api_key(earlier.get("other_api_key"), OTHER_TAKER),
        "other_taker_address": OTHER_TAKER,
        "asset": ASSET,
        "exchange": EXCHANGE,
        "ticker": TICKER,
        "whole_shares_ticker": WHOLE_SHARES_TICKER,
        "chain_id": domain.chain_id,
        "verifying_contract": domain.verifying_contract,
        "maker_address": MAKER,
        "maker_private_key": MAKER_PRIVATE_KEY,
    }


def _api_key(earlier: object, taker: str) -> str:
    """Return the earlier key if it is still valid, otherwise a new one. Raises CommandFailed."""
    if isinstance(earlier, str) and _is_valid(earlier, taker):
        return earlier
    whose = ["--instance", INSTANCE, "--taker", taker]
    rates = ["--burst", str(BURST), "--per-second", str(PER_SECOND)]
    return str(cli.run(["taker-key", "create", *whose, *rates])["api_key"])


def _is_valid(api_key: str, taker: str) -> bool:
    key = Credentials(wiring.database(), TAKER_KEYS).accept(api_key)
    return key is not None and key.taker == taker and key.is_enabled and not key.has_ended(now_s())
