"""What schemathesis does with each request: the desk's credential, and names of what there is in the demo.

``TALLYBOOK_DEMO`` names the run's ``demo.json``. Credentials are set on the request as it is sent, for signatures are
over its path and body. In good requests, names are exchanged for those that the demo has, nine times in ten, so that
they come past what is checked first; so are opaque values, which no pattern tells.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from eth_account import Account
from eth_account.messages import encode_defunct
from schemathesis import Case, HookContext
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import IgnoredAuth

from chalicelib.apis.escrow.routes import ROUTES as ESCROW
from chalicelib.apis.escrow.routes import Auth as EscrowAuth
from chalicelib.apis.kit.mounts import desk_of
from chalicelib.apis.kit.routing import NoRoute
from chalicelib.apis.taker.routes import ROUTES as TAKER
from chalicelib.apis.taker.routes import Auth as TakerAuth
from chalicelib.apis.taker.signature import signature_of as taker_signature
from chalicelib.apis.trade.signature import signature_of as trade_signature
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.webhooks.signing import signed_headers
from tests.apis.taker.desk import sign_order

DEMO: dict[str, Any] = json.loads(Path(os.environ["TALLYBOOK_DEMO"]).read_text(encoding="utf-8"))
BOOK, TRADE, TAKERS, MERCHANT = (DEMO[f"{desk}_desk"] for desk in ("book", "trade", "taker", "escrow"))
WALLET = Account.from_key(TAKERS["maker_private_key"])
TODAY = datetime.now(UTC).date().isoformat()
IS_KNOWN, TOO_MANY = 0.9, "got `429"
DATES = frozenset(
    (
        *("from", "to", "at", "date", "start_date", "end_date", "start_time", "end_time"),
        *("updated_since", "date_begin", "date_end"),
    )
)
SECONDS = frozenset(("created_after", "created_before"))
NO_OWN_PATTERN = DATES | SECONDS | {"after", "c"}
"""What no pattern tells: dates, of which not every text of digits is one, and cursors."""
KNOWN: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "book": {
        "orderBookId": [BOOK["order_book_id"]],
        "bookId": [BOOK["order_book_id"]],
        "customerRef": BOOK["customers"][:1],
        "fromCustomerRef": BOOK["customers"],
        "toCustomerRef": BOOK["customers"],
        "tokenAddress": [BOOK["token_address"], BOOK["quote_token_address"]],
        "price": ["1000000000000000000", "50000000000000000000"],
        "quantity": ["1000000000000000000", "3"],
    },
    "trade": {
        "pair": [TRADE["pair"], TRADE["vendors_pair"]],
        "currency_code": ["BTC", "BRL"],
    },
    "taker": {
        "ticker": [TAKERS["ticker"]],
        "symbol": [TAKERS["ticker"]],
        "asset": [TAKERS["asset"]],
    },
    "escrow": {
        "buyer_id": [MERCHANT["buyer_id"]],
        "seller_id": [MERCHANT["seller_id"]],
        "wallet_id": [MERCHANT["buyer_wallet_id"]],
        "currency": ["EUR"],
        "instance": [MERCHANT["callback_path"].split("/")[3]],
    },
}
"""By desk, what stands for a name."""
SPARED = ("book.changeOrderBook",)
"""What would close the demo's book for all that follow."""
_chance = random.Random(0)
_nonces = count(time.time_ns() // 10**6)


# --- credentials


class Credentials(requests.auth.AuthBase):
    """Gives each request its desk's credential."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        method, path = str(request.method), urlsplit(str(request.url)).path
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        request.headers.update(of_desk[desk_of(method, path)](method, path, body))
        return request


def of_book(_method: str, _path: str, _body: bytes) -> dict[str, str]:
    return {"X-API-Key": BOOK["api_key"]}


def of_trade(method: str, path: str, body: bytes) -> dict[str, str]:
    if path.startswith("/trade/public/"):
        return {}
    timestamp, content = str(time.time_ns() // 10**6), b"" if method == "GET" else body
    signature = trade_signature(TRADE["secret"], timestamp, method, path.removesuffix("/"), content)
    return {"Authorization": TRADE["token"], "Timestamp": timestamp, "Signature": signature}


def of_taker(method: str, path: str, body: bytes) -> dict[str, str]:
    try:
        auth = TAKER.find(method, path)[0].auth
    except NoRoute:
        return {}
    if auth is TakerAuth.MAKER:
        return {"Authorization": f"Bearer {session()}"}
    if auth is not TakerAuth.TAKER:
        return {}
    key = {"X-API-Key": TAKERS["api_key"]}
    if method == "GET":  # a query of any form cannot always be signed (K44); the key alone is enough (K4)
        return key
    timestamp = str(time.time_ns() // 10**6)
    signature = taker_signature(TAKERS["api_secret"], method, path, timestamp, body)
    return key | {"X-API-Timestamp": timestamp, "X-API-Signature": signature}


def of_escrow(method: str, path: str, body: bytes) -> dict[str, str]:
    try:
        auth = ESCROW.find(method, path)[0].auth
    except NoRoute:
        return {}
    if auth is EscrowAuth.SIGNATURE:
        return dict(signed_headers([MERCHANT["callback_secret"]], "msg_1", body, time.time_ns() // 10**6))
    key = MERCHANT["operator_key" if auth is EscrowAuth.OPERATOR else "secret_key"]
    return {"Authorization": f"Bearer {key}"}


def nobody(_method: str, _path: str, _body: bytes) -> dict[str, str]:
    return {}


of_desk = {"book": of_book, "trade": of_trade, "taker": of_taker, "escrow": of_escrow, "front": nobody}
_session: list[str] = []


def connecting() -> dict[str, str]:
    """Return what connects the demo's maker now."""
    lines = {
        "Wallet address": WALLET.address,
        "ChainId": TAKERS["chain_id"],
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Nonce": f"schemathesis-{time.time_ns()}",
    }
    message = "\n".join(f"{name}: {value}" for name, value in lines.items())
    signature = "0x" + bytes(WALLET.sign_message(encode_defunct(text=message)).signature).hex()
    wallet, chain_id = WALLET.address, str(TAKERS["chain_id"])
    return {"wallet_address": wallet, "chain_id": chain_id, "message": message, "signature": signature}


def session() -> str:
    """Return the JWT of the demo's maker, who connects once."""
    if not _session:
        answer = requests.post(f"{DEMO['base_url']}/api/v1/makers/connect", json=connecting(), timeout=30)
        _session.append(answer.json()["data"]["jwt"])
    return _session[0]


schemathesis.auth.set_from_requests(Credentials())


# --- names of what there is


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:  # noqa: ARG001
    """Have good requests name what there is, and wait for a second at most."""
    if case.headers and "Prefer" in case.headers:
        case.headers["Prefer"] = "wait=1"
    desk = desk_of(case.operation.method, case.operation.path)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        if desk != "book" and case.query and "" in case.query.values():  # it would be absent (R74, K60, E48)
            case.query = {name: "~" if value == "" else value for name, value in case.query.items()}
        return
    known = {} if operation_of(case) in SPARED else KNOWN[desk]
    for values in (case.path_parameters, case.query, case.body):
        if isinstance(values, dict):
            values |= {name: chosen(known[name], value) for name, value in values.items() if name in known}
            values |= {name: well_formed(case, name) for name in values if name in NO_OWN_PATTERN}
    if desk == "escrow" and isinstance(case.query, dict) and not {"search", "query"} <= case.query.keys():  # E5
        case.query = {name: value for name, value in case.query.items() if name not in ("search", "query")}
    case.body = whole(case.body)
    operation = operation_of(case)
    if operation in WHOLE_BODIES and (operation == "taker.connect" or _chance.random() < IS_KNOWN):
        case.body = WHOLE_BODIES[operation]()


def operation_of(case: Case) -> str:
    return str(case.operation.definition.raw.get("operationId"))


def well_formed(case: Case, name: str) -> str:
    """Return a date of now, the beginning of a feed, or no cursor; an export's is a row's id, and stays."""
    if name in DATES:
        return TODAY
    if name in SECONDS:
        return str(int(time.time()))
    return "" if name == "c" else case.query["after"] if "/exports/" in case.operation.path else "start"


def whole(value: Any) -> Any:
    """Return JSON whose integers have no fraction, as 93.0 has (T129)."""
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def chosen(known: Sequence[Any], value: Any) -> Any:
    return _chance.choice(known) if value and _chance.random() < IS_KNOWN else value


def signed_order() -> dict[str, Any]:
    """Return an order of the demo's maker, signed, with a new nonce."""
    facts = {
        "maker": WALLET.address,
        "principal": WALLET.address,
        "is_buy": _chance.random() < 0.5,
        "ticker": TAKERS["ticker"],
        "exchange": TAKERS["exchange"],
        "asset": TAKERS["asset"],
        "price": "1000000000000000000",
        "quantity": "1000000000000000000",
        "incentive": "0",
        "deadline": int(time.time()) + 3600,
        "nonce": next(_nonces),
    }
    return {"order": facts, "signature": sign_order(facts, TAKERS["maker_private_key"], DeskSettings())}


def bought_below() -> dict[str, Any]:
    """Return an order of the trade desk that rests."""
    return {"pair": TRADE["vendors_pair"], "side": "buy", "type": "limit", "amount": 0.001, "price": 100}


def between_the_demos_parties() -> dict[str, Any]:
    """Return an order of the escrow desk."""
    parties = {"buyer_id": MERCHANT["buyer_id"], "seller_id": MERCHANT["seller_id"]}
    return parties | {"name": "Road bike", "value": _chance.choice((0, 1, 150, 23.77))}


WHOLE_BODIES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "taker.createOrder": signed_order,
    "taker.connect": connecting,  # of now, or refused
    "trade.placeOrder": bought_below,
    "escrow.createOrder": between_the_demos_parties,
}
"""Bodies that are signed, or whose members depend on each other, by their operations."""

# --- what was answered


@schemathesis.hook
def filter_failure(context: HookContext, failure: Any, case: Case, response: Any) -> bool:  # noqa: ARG001
    """Pass over what is no fault.

    A bad body that was not sent at all: without one, a body that has no required member is empty (E28). A stranger who
    is refused because of too many requests, in place of being told that there is no key (E49).
    """
    if isinstance(failure, AcceptedNegativeData):
        return bool(response.request.body) or not _needs_no_body(case)
    is_escrow = desk_of(case.operation.method, case.operation.path) == "escrow"
    return not (is_escrow and isinstance(failure, IgnoredAuth) and TOO_MANY in failure.message)


def _needs_no_body(case: Case) -> bool:
    return not case.operation.definition.raw.get("requestBody", {"required": True})["required"]


_answers: Counter[str] = Counter()


@schemathesis.hook
def after_call(context: HookContext, case: Case, response: Any) -> None:  # noqa: ARG001
    _answers[f"{operation_of(case)} {response.status_code}"] += 1


@atexit.register
def _tell() -> None:
    """Write how often each operation was answered with each status, where ``TALLYBOOK_ANSWERS`` says."""
    if file := os.environ.get("TALLYBOOK_ANSWERS"):
        Path(file).write_text(json.dumps(_answers), encoding="utf-8")
